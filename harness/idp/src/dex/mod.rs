//! Dex as an embedded provider: its own configuration file, paths, pages' forms, tokens and errors.
//!
//! The reference is Dex itself; `tests/` holds what it answered.

mod authorize;
pub mod config;
mod connector;
mod cors;
mod device;
mod go;
mod grants;
mod identity;
mod introspect;
mod issue;
mod journal;
mod login;
mod pages;
mod pair;
mod refresh;
mod request;
mod routes;
mod scopes;
mod server;
mod token;
mod userinfo;

use std::{io, net::TcpListener, path::Path, sync::Arc, time::Duration};

use authlab_pki::{Certificate, KeyPool, PkiError, tls};
use tokio::{
    sync::oneshot,
    task::JoinHandle,
    time::{Instant, interval_at, timeout},
};

pub use config::{Config, ConfigError};

use self::{
    config::TlsFiles,
    server::{Server, Store},
};
use crate::{oidc::keys::KeyRing, port::Port};

/// The name under which messages speak of a configuration that came as text.
const FILE: &str = "config.yaml";
/// How often Dex looks whether its keys are due.
const ROTATION_CHECK: Duration = Duration::from_secs(30);
/// How long running requests may take to end at shutdown.
const FAREWELL: Duration = Duration::from_secs(2);

/// Why an embedded Dex does not start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DexError {
    /// The configuration is refused.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// Certificate or key of `web.tlsCert` and `web.tlsKey` cannot be used; the text is Dex's as far as it goes.
    #[error("invalid config: get HTTP TLS: load TLS config: loading TLS keypair: {0}")]
    Tls(String),
    /// No connector opens; the text is Dex's.
    #[error("failed to initialize server: server: {0}")]
    Connectors(String),
    /// The pool gives no signing key.
    #[error("no signing key: {0}")]
    Keys(#[from] PkiError),
    /// The listener cannot be used.
    #[error("listener: {0}")]
    Listener(#[from] io::Error),
}

/// A running Dex. It ends when this is dropped.
pub struct Dex {
    port: Port,
    server: Arc<Server>,
    warnings: Vec<String>,
    /// None while it is down.
    running: Option<Running>,
}

/// The tasks of one configuration.
struct Running {
    stop: Option<oneshot::Sender<()>>,
    serving: JoinHandle<io::Result<()>>,
    background: [JoinHandle<()>; 2],
}

impl Dex {
    /// Serves the configuration (Dex's own `config.yaml`, every placeholder filled in) on a bound listener, whatever
    /// addresses it names: over TLS when it has `web.https`, else in the clear. Signing keys come from the pool's
    /// slots `dex-0`, `dex-1` and so on. When this returns, requests are answered.
    ///
    /// Connectors to other providers look for them in the background and again when they are wanted, so a provider may
    /// come up later; as with Dex, at least one connector must open, so where all need another provider this waits for
    /// one of them.
    ///
    /// # Errors
    /// When Dex would not start with this file, or something it names is missing.
    pub async fn start(
        listener: TcpListener,
        config: &str,
        keys: KeyPool,
    ) -> Result<Self, DexError> {
        Self::start_in_slot(listener, (FILE, config), keys, "dex").await
    }

    /// The same with the name that errors give the file, and with signing keys from slots of another name, for a second
    /// Dex that must not share them.
    ///
    /// # Errors
    /// As [`Dex::start`].
    pub async fn start_in_slot(
        listener: TcpListener,
        (file, config): (&str, &str),
        keys: KeyPool,
        slot: &str,
    ) -> Result<Self, DexError> {
        let config = Config::read(config, file)?;
        let tls = config.tls.as_ref().map(server_config).transpose()?;
        let (slot, algorithm, overlap) = (
            slot.to_owned(),
            config.algorithm,
            config.id_tokens.unsigned(),
        );
        let ring =
            tokio::task::spawn_blocking(move || KeyRing::open(keys, &slot, algorithm, overlap))
                .await
                .map_err(io::Error::other)??;
        let mut port = Port::new(listener)?;
        let due = Instant::now() + config.rotate_every.unsigned();
        let store = Arc::new(Store::new(ring, due));
        let server = Arc::new(Server::new(config, store, Arc::default()));
        let opening = open(&server).await?;
        Ok(Self {
            running: Some(serve(&mut port, &server, tls, opening)?),
            warnings: warnings(&server),
            port,
            server,
        })
    }

    /// Goes on with another configuration at the same address, as Dex does that is stopped and started with another
    /// file. Signing keys, logins under way, codes and refresh tokens stay: what Dex keeps in a storage that outlives
    /// it is kept whatever storage the file names. Requests under way are finished, if they are quick. A Dex that is
    /// down is up again then.
    ///
    /// # Errors
    /// When Dex would not start with this file; the old one stays in force then.
    pub async fn restart(&mut self, config: &str) -> Result<(), DexError> {
        self.restart_with((FILE, config)).await
    }

    /// The same with the name that errors give the file.
    ///
    /// # Errors
    /// As [`Dex::restart`].
    pub async fn restart_with(&mut self, (file, config): (&str, &str)) -> Result<(), DexError> {
        let config = Config::read(config, file)?;
        let tls = config.tls.as_ref().map(server_config).transpose()?;
        let keys = (config.algorithm, config.id_tokens.unsigned());
        let (store, journal) = (&self.server.store, &self.server.journal);
        let server = Server::new(config, Arc::clone(store), Arc::clone(journal));
        let server = Arc::new(server);
        let opening = open(&server).await?;
        self.pause().await;
        self.running = Some(serve(&mut self.port, &server, tls, opening)?);
        server.store.keys.follow(keys.0, keys.1);
        self.warnings = warnings(&server);
        self.server = server;
        Ok(())
    }

    /// Ends, as Dex does that is stopped: connections are refused. Its address and what it remembers stay.
    ///
    /// # Errors
    /// When the port was lost to somebody else.
    pub async fn down(&mut self) -> Result<(), DexError> {
        self.pause().await;
        Ok(self.port.close()?)
    }

    /// Starts again after [`Dex::down`], with the same configuration.
    ///
    /// # Errors
    /// As [`Dex::restart`], whatever has become of the files that the configuration names.
    pub async fn up(&mut self) -> Result<(), DexError> {
        let tls = self.server.config.tls.as_ref();
        let tls = tls.map(server_config).transpose()?;
        let opening = open(&self.server).await?;
        self.pause().await;
        self.running = Some(serve(&mut self.port, &self.server, tls, opening)?);
        Ok(())
    }

    async fn pause(&mut self) {
        if let Some(mut running) = self.running.take() {
            running.end().await;
        }
    }

    /// The issuer, as its tokens name it.
    #[must_use]
    pub fn issuer(&self) -> &str {
        self.server.config.issuer()
    }

    /// What Dex takes in the configuration and a person may not have meant, with line and column.
    #[must_use]
    pub fn warnings(&self) -> &[String] {
        &self.warnings
    }

    /// Why requests failed whose clients were told less: the last errors of Dex's log, oldest first, each `msg: err`,
    /// as `failed to verify subject token: missing email claim, not found "email" key`.
    #[must_use]
    pub fn log(&self) -> Vec<String> {
        self.server.journal.lines()
    }

    /// Signs with a new key from now on; the old one stays published as long as its tokens live.
    ///
    /// # Errors
    /// When the pool gives no key.
    pub async fn rotate_keys(&self) -> Result<(), DexError> {
        rotate_once(&self.server).await
    }

    /// Ends the server: running requests are finished, if they are quick.
    pub async fn shutdown(mut self) {
        self.pause().await;
    }
}

impl Running {
    async fn end(&mut self) {
        // Dropping the sender would do as well, but not before the wait below.
        self.stop.take();
        if timeout(FAREWELL, &mut self.serving).await.is_err() {
            self.serving.abort();
            // Its handle of the socket goes with it.
            let _ = (&mut self.serving).await;
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.serving.abort();
        self.background.iter().for_each(JoinHandle::abort);
    }
}

impl std::fmt::Debug for Dex {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Dex")
            .field("issuer", &self.issuer())
            .finish_non_exhaustive()
    }
}

fn warnings(server: &Server) -> Vec<String> {
    let warnings = server.config.warnings().iter();
    warnings.map(ToString::to_string).collect()
}

/// Opens the connectors, in the background where one is sure to open.
async fn open(server: &Arc<Server>) -> Result<JoinHandle<()>, DexError> {
    let opener = Arc::clone(server);
    let opening = async move { opener.connectors.open_all(&opener.journal).await };
    if server.connectors.has_local() {
        return Ok(tokio::spawn(async { drop(opening.await) }));
    }
    opening.await.map_err(DexError::Connectors)?;
    Ok(tokio::spawn(async {}))
}

/// Serves on the port, which stays its own afterwards.
fn serve(
    port: &mut Port,
    server: &Arc<Server>,
    tls: Option<Arc<rustls::ServerConfig>>,
    opening: JoinHandle<()>,
) -> io::Result<Running> {
    let listener = port.listener()?;
    let (stop, stopped) = oneshot::channel::<()>();
    let router = routes::router(Arc::clone(server));
    let serving = tokio::spawn(async move {
        let stopped = async { drop(stopped.await) };
        match tls {
            Some(tls) => {
                let listener = tls::Listener::new(listener, tls);
                axum::serve(listener, router)
                    .with_graceful_shutdown(stopped)
                    .await
            }
            None => {
                axum::serve(listener, router)
                    .with_graceful_shutdown(stopped)
                    .await
            }
        }
    });
    let rotating = tokio::spawn(rotate(Arc::clone(server)));
    Ok(Running {
        stop: Some(stop),
        serving,
        background: [rotating, opening],
    })
}

fn server_config(files: &TlsFiles) -> Result<Arc<rustls::ServerConfig>, DexError> {
    let read = |path: &Path| {
        std::fs::read_to_string(path).map_err(|error| {
            let reason = match error.kind() {
                io::ErrorKind::NotFound => "no such file or directory".to_owned(),
                io::ErrorKind::PermissionDenied => "permission denied".to_owned(),
                _ => error.to_string(),
            };
            DexError::Tls(format!("open {}: {reason}", path.display()))
        })
    };
    let certificate = Certificate {
        pem: read(&files.certificate)?,
        key_pem: read(&files.key)?.into(),
    };
    certificate.server_config(None).map_err(|error| {
        let reason = error.to_string();
        DexError::Tls(match reason.contains("KeyMismatch") {
            true => "tls: private key does not match public key".to_owned(),
            false => reason,
        })
    })
}

/// Replaces the keys when they are due, for as long as the server runs.
async fn rotate(server: Arc<Server>) {
    let mut checks = interval_at(Instant::now() + ROTATION_CHECK, ROTATION_CHECK);
    loop {
        checks.tick().await;
        if Instant::now() >= server.store.rotation_due()
            && let Err(error) = rotate_once(&server).await
        {
            server.journal.error("failed to rotate keys", error);
        }
    }
}

async fn rotate_once(server: &Arc<Server>) -> Result<(), DexError> {
    let store = Arc::clone(&server.store);
    tokio::task::spawn_blocking(move || store.keys.rotate())
        .await
        .map_err(io::Error::other)??;
    server.store.rotated(server.config.rotate_every.unsigned());
    Ok(())
}
