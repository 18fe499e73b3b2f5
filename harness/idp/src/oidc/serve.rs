//! A provider's server, from its start to its end, with the times in between when it is down.

use std::{io, net::TcpListener, sync::Arc, time::Duration};

use authlab_pki::tls;
use axum::Router;
use rustls::ServerConfig;
use tokio::{sync::oneshot, task::JoinHandle, time::timeout};

use crate::port::Port;

/// How long running requests may take to end.
const FAREWELL: Duration = Duration::from_secs(2);

/// A server over TLS. It ends when this is dropped.
pub(crate) struct Serving {
    port: Port,
    tls: Arc<ServerConfig>,
    router: Router,
    running: Option<Running>,
}

struct Running {
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
        tls: Arc<ServerConfig>,
        router: Router,
    ) -> io::Result<Self> {
        let mut serving = Self {
            port: Port::new(listener)?,
            tls,
            router,
            running: None,
        };
        let tls = Arc::clone(&serving.tls);
        serving.serve(tls)?;
        Ok(serving)
    }

    /// Disconnects everybody: running requests are finished, if they are quick. Who comes now waits.
    pub(crate) async fn pause(&mut self) {
        if let Some(mut running) = self.running.take() {
            running.end().await;
        }
    }

    /// Disconnects everybody and refuses connections; the port stays its own.
    ///
    /// # Errors
    /// When the port was lost to somebody else.
    pub(crate) async fn down(&mut self) -> io::Result<()> {
        self.pause().await;
        self.port.close()
    }

    /// Disconnects everybody and answers, also after [`Serving::down`]: with the certificate that it started with, or
    /// another one.
    ///
    /// # Errors
    /// When the port was lost to somebody else.
    pub(crate) async fn up(&mut self, tls: Option<Arc<ServerConfig>>) -> io::Result<()> {
        self.pause().await;
        self.serve(tls.unwrap_or_else(|| Arc::clone(&self.tls)))
    }

    fn serve(&mut self, tls: Arc<ServerConfig>) -> io::Result<()> {
        let listener = tls::Listener::new(self.port.listener()?, tls);
        let (stop, stopped) = oneshot::channel::<()>();
        let router = self.router.clone();
        let task = tokio::spawn(async move {
            let service = router.into_make_service_with_connect_info::<tls::Peer>();
            // Ends by the signal only: the listener retries what fails.
            let _ = axum::serve(listener, service)
                .with_graceful_shutdown(async { drop(stopped.await) })
                .await;
        });
        self.running = Some(Running {
            stop: Some(stop),
            task,
        });
        Ok(())
    }

    /// Ends the server: running requests are finished, if they are quick.
    pub(crate) async fn shutdown(mut self) {
        self.pause().await;
    }
}

impl Running {
    async fn end(&mut self) {
        self.stop.take();
        if timeout(FAREWELL, &mut self.task).await.is_err() {
            self.task.abort();
            // Its handle of the socket goes with it.
            let _ = (&mut self.task).await;
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.task.abort();
    }
}
