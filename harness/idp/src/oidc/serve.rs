//! A provider's listener, from its start to its end.

use std::{io, net::TcpListener, sync::Arc, time::Duration};

use authlab_pki::tls;
use axum::Router;
use tokio::{sync::oneshot, task::JoinHandle, time::timeout};

/// How long running requests may take to end at shutdown.
const FAREWELL: Duration = Duration::from_secs(2);

/// A server over TLS. It ends when this is dropped.
pub(crate) struct Serving {
    stop: Option<oneshot::Sender<()>>,
    task: JoinHandle<()>,
}

impl Serving {
    /// Answers on a bound listener from now on. Handlers may ask for [`tls::Peer`] as connect information.
    ///
    /// # Errors
    /// When the listener cannot be used.
    pub(crate) fn start(
        listener: TcpListener,
        tls: Arc<rustls::ServerConfig>,
        router: Router,
    ) -> io::Result<Self> {
        listener.set_nonblocking(true)?;
        let listener = tls::Listener::new(tokio::net::TcpListener::from_std(listener)?, tls);
        let (stop, stopped) = oneshot::channel::<()>();
        let task = tokio::spawn(async move {
            let service = router.into_make_service_with_connect_info::<tls::Peer>();
            // Ends by the signal only: the listener retries what fails.
            let _ = axum::serve(listener, service)
                .with_graceful_shutdown(async { drop(stopped.await) })
                .await;
        });
        Ok(Self {
            stop: Some(stop),
            task,
        })
    }

    /// Ends the server: running requests are finished, if they are quick.
    pub(crate) async fn shutdown(mut self) {
        self.stop.take();
        let _ = timeout(FAREWELL, &mut self.task).await;
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        self.task.abort();
    }
}
