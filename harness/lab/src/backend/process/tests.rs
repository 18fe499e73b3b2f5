//! What components say when their port is taken.

use super::taken_port;

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
