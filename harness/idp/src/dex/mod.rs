//! Dex as an embedded provider: its own configuration file, paths, pages' forms, tokens and errors.
//!
//! The reference is Dex itself; `tests/` holds what it answered.

mod authorize;
pub mod config;
mod cors;
mod go;
mod grants;
mod identity;
mod issue;
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

use self::{config::TlsFiles, server::Server};
use crate::oidc::keys::KeyRing;

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
    /// The pool gives no signing key.
    #[error("no signing key: {0}")]
    Keys(#[from] PkiError),
    /// The listener cannot be used.
    #[error("listener: {0}")]
    Listener(#[from] io::Error),
}

/// A running Dex. It ends when this is dropped.
pub struct Dex {
    server: Arc<Server>,
    warnings: Vec<String>,
    stop: Option<oneshot::Sender<()>>,
    serving: JoinHandle<io::Result<()>>,
    rotating: JoinHandle<()>,
}

impl Dex {
    /// Serves the configuration (Dex's own `config.yaml`, every placeholder filled in) on a bound listener, whatever
    /// addresses it names: over TLS when it has `web.https`, else in the clear. Signing keys come from the pool's
    /// slots `dex-0`, `dex-1` and so on. When this returns, requests are answered.
    ///
    /// # Errors
    /// When Dex would not start with this file, or something it names is missing.
    pub async fn start(
        listener: TcpListener,
        config: &str,
        keys: KeyPool,
    ) -> Result<Self, DexError> {
        Self::start_in_slot(listener, config, keys, "dex").await
    }

    /// The same with signing keys from slots of another name, for a second Dex that must not share them.
    ///
    /// # Errors
    /// As [`Dex::start`].
    pub async fn start_in_slot(
        listener: TcpListener,
        config: &str,
        keys: KeyPool,
        slot: &str,
    ) -> Result<Self, DexError> {
        let config = Config::read(config, FILE)?;
        let warnings = config.warnings().iter().map(ToString::to_string).collect();
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
        listener.set_nonblocking(true)?;
        let listener = tokio::net::TcpListener::from_std(listener)?;
        let server = Arc::new(Server::new(config, ring));
        let (stop, stopped) = oneshot::channel::<()>();
        let router = routes::router(Arc::clone(&server));
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
        Ok(Self {
            rotating: tokio::spawn(rotate(Arc::clone(&server))),
            server,
            warnings,
            stop: Some(stop),
            serving,
        })
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

    /// Signs with a new key from now on; the old one stays published as long as its tokens live.
    ///
    /// # Errors
    /// When the pool gives no key.
    pub async fn rotate_keys(&self) -> Result<(), DexError> {
        rotate_once(&self.server).await
    }

    /// Ends the server: running requests are finished, if they are quick.
    pub async fn shutdown(mut self) {
        // Dropping the sender would do as well, but not before the wait below.
        self.stop.take();
        let _ = timeout(FAREWELL, &mut self.serving).await;
    }
}

impl Drop for Dex {
    fn drop(&mut self) {
        self.serving.abort();
        self.rotating.abort();
    }
}

impl std::fmt::Debug for Dex {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Dex")
            .field("issuer", &self.issuer())
            .finish_non_exhaustive()
    }
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
    let period = server.config.rotate_every.unsigned();
    let mut due = Instant::now() + period;
    let mut checks = interval_at(Instant::now() + ROTATION_CHECK, ROTATION_CHECK);
    loop {
        checks.tick().await;
        if Instant::now() < due {
            continue;
        }
        match rotate_once(&server).await {
            Ok(()) => due = Instant::now() + period,
            Err(error) => tracing::error!(%error, "failed to rotate keys"),
        }
    }
}

async fn rotate_once(server: &Arc<Server>) -> Result<(), DexError> {
    let server = Arc::clone(server);
    tokio::task::spawn_blocking(move || server.keys.rotate())
        .await
        .map_err(io::Error::other)??;
    Ok(())
}
