//! A loopback port of this machine as a port of a pod.

use std::io;
use std::net::TcpListener;

use k8s_openapi::api::core::v1::Pod;
use kube::Api;
use tokio::io::copy_bidirectional;
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::backend::existing::ExistingError;

/// Carries every connection of `listener` to `port` of the pod until `closing`; each has a stream of
/// its own through the API server, so that one that ends takes no other with it.
pub(super) fn open(
    listener: TcpListener,
    pods: Api<Pod>,
    pod: &'static str,
    port: u16,
    closing: CancellationToken,
) -> Result<(), ExistingError> {
    let failed = |cause: io::Error| ExistingError::File {
        what: format!("cannot open a way to the port {port} of {pod}"),
        cause,
    };
    listener.set_nonblocking(true).map_err(failed)?;
    let listener = tokio::net::TcpListener::from_std(listener).map_err(failed)?;
    tokio::spawn(async move {
        let mut guests = JoinSet::new();
        loop {
            tokio::select! {
                () = closing.cancelled() => return,
                Some(_) = guests.join_next() => {}
                // A client that went away while it waited is none.
                accepted = listener.accept() => if let Ok((guest, _)) = accepted {
                    guests.spawn(pass(guest, pods.clone(), pod, port));
                },
            }
        }
    });
    Ok(())
}

async fn pass(mut guest: TcpStream, pods: Api<Pod>, pod: &'static str, port: u16) {
    let _ = guest.set_nodelay(true);
    let mut way = match pods.portforward(pod, &[port]).await {
        Ok(way) => way,
        // The connection ends, and whoever made it sees that.
        Err(error) => return tracing::debug!(pod, port, %error, "no way to the pod"),
    };
    if let Some(mut there) = way.take_stream(port) {
        // However it ends, it has ended.
        let _ = copy_bidirectional(&mut guest, &mut there).await;
    }
}
