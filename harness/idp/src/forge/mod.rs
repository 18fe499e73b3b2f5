//! An issuer of ours: real discovery and keys over TLS, and a signature under whatever a scenario asks for, good or bad.
//!
//! It has no login. Who wants a token asks [`Forge::sign`], and gets one that no honest provider would give: expired,
//! unsigned, signed by a key nobody published, changed after signing.

mod request;
mod server;
mod sign;
#[cfg(test)]
mod tests;

use std::{
    collections::BTreeMap,
    fmt, io,
    net::TcpListener,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, SystemTime},
};

use authlab_pki::{Algorithm, Certificate, KeyPool, PkiError, SigningKey};
use secrecy::SecretString;
use tokio::{sync::oneshot, task::JoinHandle};

pub use request::{KeyChoice, Tamper, TokenAlgorithm, TokenRequest, UnknownTokenAlgorithm};

/// How long open connections may hold up a shutdown.
const GRACE: Duration = Duration::from_secs(1);

/// Why a forge did not start or did not sign.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ForgeError {
    /// The socket cannot be served.
    #[error("cannot listen: {0}")]
    Listen(#[from] io::Error),
    /// The issuer is not an absolute `https` URL.
    #[error("issuer {0:?} is not an https URL")]
    Issuer(String),
    /// A certificate or key cannot be used.
    #[error(transparent)]
    Pki(#[from] PkiError),
    /// A signature was to be spoilt where there is none.
    #[error("a token with algorithm none has no signature that `tamper` could spoil")]
    NothingToTamper,
}

/// A running forge. It ends when dropped; [`Forge::shutdown`] also waits for that.
pub struct Forge {
    state: Arc<State>,
    stop: Option<oneshot::Sender<()>>,
    serving: JoinHandle<()>,
}

/// What the server and the signer share.
struct State {
    issuer: String,
    pool: KeyPool,
    slot: String,
    published: Mutex<BTreeMap<Algorithm, Arc<SigningKey>>>,
}

impl Forge {
    /// Serves `issuer` on a bound socket: `/.well-known/openid-configuration` and `/keys`, both below the issuer's
    /// path. Keys come from `pool`, so forges of one `slot` have the same ones; RS256 and ES256 are published at once.
    ///
    /// # Errors
    /// When the socket, the issuer or the certificate cannot be used, or the pool has no keys.
    pub async fn start(
        listener: TcpListener,
        issuer: String,
        tls: Certificate,
        pool: KeyPool,
        slot: &str,
    ) -> Result<Self, ForgeError> {
        let state = Arc::new(State {
            issuer,
            pool,
            slot: slot.to_owned(),
            published: Mutex::default(),
        });
        let app = server::router(Arc::clone(&state))?;
        for algorithm in [Algorithm::RS256, Algorithm::ES256] {
            let state = Arc::clone(&state);
            // An RSA key that is not in the pool yet takes a while to make.
            tokio::task::spawn_blocking(move || state.published(algorithm))
                .await
                .map_err(io::Error::from)??;
        }
        let (stop, stopped) = oneshot::channel();
        let serving = server::serve(listener, &tls, app, stopped)?;
        Ok(Self {
            state,
            stop: Some(stop),
            serving,
        })
    }

    /// The issuer, as it stands in the discovery document and, unless asked otherwise, in `iss`.
    #[must_use]
    pub fn issuer(&self) -> &str {
        &self.state.issuer
    }

    /// Adds the key of an algorithm to the published key set, as its first use does.
    ///
    /// # Errors
    /// When the pool has no such key.
    pub fn publish(&self, algorithm: Algorithm) -> Result<(), ForgeError> {
        self.state.published(algorithm)?;
        Ok(())
    }

    /// A token as asked for. Blocks for up to a second when its key has to be made first.
    ///
    /// # Errors
    /// When the request contradicts itself, or a key cannot be had or used.
    pub fn sign(&self, request: &TokenRequest) -> Result<SecretString, ForgeError> {
        sign::sign(&self.state, request, SystemTime::now())
    }

    /// Stops serving; requests under way have a second to end.
    pub async fn shutdown(mut self) {
        self.stop.take();
        if tokio::time::timeout(GRACE, &mut self.serving)
            .await
            .is_err()
        {
            self.serving.abort();
        }
    }
}

impl fmt::Debug for Forge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Forge")
            .field("issuer", &self.state.issuer)
            .finish_non_exhaustive()
    }
}

impl State {
    /// The algorithm's key, which is in the key set from now on.
    fn published(&self, algorithm: Algorithm) -> Result<Arc<SigningKey>, PkiError> {
        let key = self.pool.key(algorithm, &format!("forge/{}", self.slot))?;
        self.published
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(algorithm, Arc::clone(&key));
        Ok(key)
    }

    /// Another key of the algorithm, which never is in the key set.
    fn unpublished(&self, algorithm: Algorithm) -> Result<Arc<SigningKey>, PkiError> {
        self.pool
            .key(algorithm, &format!("forge/{}/unpublished", self.slot))
    }

    fn key_set(&self) -> serde_json::Value {
        let published = self
            .published
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        serde_json::json!({"keys": published.values().map(|key| key.jwk()).collect::<Vec<_>>()})
    }
}
