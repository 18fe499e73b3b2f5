//! etcd, for the API server and for every Dex.

use super::{LabError, READY, Site, free_ports, taken_port};
use crate::exec::{Child, Program};
use crate::tools::Tools;
use crate::wait::{Look, until};

/// Starts an empty etcd and waits until it serves. Returns its URL beside it.
///
/// Nothing survives a lab, so nothing is synced to the disk. A single member elects itself: the
/// shorter its election timeout, the sooner it serves (default: a second). A heartbeat is work even
/// where nothing happens (at 10 ms 2.6 % of a processor, at 50 ms 1 %), and an election must be five.
pub(super) async fn start(site: &Site, tools: &Tools) -> Result<(Child, String), LabError> {
    let [client, peer] = free_ports()?;
    let url = format!("http://127.0.0.1:{client}");
    let peer_url = format!("http://127.0.0.1:{peer}");
    let child = Program {
        name: "etcd".to_owned(),
        path: tools.path("etcd")?.to_owned(),
        args: [
            format!("--data-dir={}", site.folder.join("etcd").display()),
            format!("--listen-client-urls={url}"),
            format!("--advertise-client-urls={url}"),
            format!("--listen-peer-urls={peer_url}"),
            format!("--initial-advertise-peer-urls={peer_url}"),
            format!("--initial-cluster=default={peer_url}"),
            "--unsafe-no-fsync".to_owned(),
            "--heartbeat-interval=50".to_owned(),
            "--election-timeout=250".to_owned(),
        ]
        .map(Into::into)
        .into(),
        folder: site.folder.clone(),
        environment: Vec::new(),
    }
    .start()
    .await?;
    let http = authlab_pki::http::client("")?;
    let health = format!("{url}/health");
    let serving = until("etcd serves", READY, || async {
        match http.get(&health).send().await {
            Ok(answer) if answer.status().is_success() => Look::Ready(()),
            Ok(answer) => Look::NotYet(answer.status().to_string()),
            Err(error) => Look::NotYet(error.to_string()),
        }
    });
    tokio::select! {
        serving = serving => serving?,
        error = child.died() => return Err(match taken_port(&child.log().text()) {
            Some(port) => LabError::AddressInUse { component: "etcd".to_owned(), port },
            None => error,
        }),
    }
    Ok((child, url))
}
