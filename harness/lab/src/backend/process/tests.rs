//! What components say when their port is taken, and whose end is a death.

use std::sync::Arc;

use tokio::sync::watch;

use super::{LabError, outlived, taken_port};

#[test]
fn a_taken_port_is_found_in_every_log() {
    let etcd = r#"{"level":"fatal","caller":"etcdmain/etcd.go:204","msg":"discovery failed","error":"listen tcp 127.0.0.1:22380: bind: address already in use"}"#;
    let dex = "time=2026-11-22T07:46:31.200Z level=INFO msg=\"listening on\" server=https address=127.0.0.1:15556\nlistening (https) on 127.0.0.1:15556: listen tcp 127.0.0.1:15556: bind: address already in use\n";
    let server = "E1122 08:20:40.744064   22704 run.go:72] \"command failed\" err=\"failed to create listener: failed to listen on 127.0.0.1:26443: listen tcp 127.0.0.1:26443: bind: address already in use\"\n";
    assert_eq!(
        [etcd, dex, server].map(taken_port),
        [Some(22380), Some(15556), Some(26443)]
    );
    assert_eq!(taken_port("listening on 127.0.0.1:26443"), None);
}

/// One ends at once when it is replaced, as followers of a component in a container do.
#[tokio::test]
async fn what_is_replaced_on_purpose_has_not_died_however_soon_it_ends() {
    let serving = watch::Sender::new(Some(Arc::new(1)));
    let died = async |one: &i32| {
        if *one == 1 {
            serving.send_replace(None);
            serving.send_replace(Some(Arc::new(2)));
        }
        LabError::Api {
            what: one.to_string(),
            why: String::new(),
        }
    };
    let error = outlived(&serving, died).await;
    assert!(matches!(error, LabError::Api { what, .. } if what == "2"));
}
