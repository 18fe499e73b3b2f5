//! An issuer of ours: real discovery and keys over TLS, and a signature under whatever a scenario asks for, good or bad.
//!
//! It has no login. Who wants a token asks [`Forge::sign`], and gets one that no honest provider would give: expired,
//! unsigned, signed by a key nobody published, changed after signing. [`Forge::fail`] makes the issuer itself bad.

mod corpus;
mod elsewhere;
mod keys;
mod request;
mod server;
mod sign;
#[cfg(test)]
mod tests;

use std::{fmt, io, net::TcpListener, sync::Arc, time::SystemTime};

use authlab_pki::{Algorithm, Certificate, KeyPool, PkiError};
use secrecy::SecretString;
use serde_json::{Map, Value};
use tokio::sync::{Mutex, watch};

pub use corpus::Forgery;
pub use request::{KeyChoice, Tamper, TokenAlgorithm, TokenRequest, UnknownTokenAlgorithm};

use self::{elsewhere::Elsewhere, keys::Keys};
use crate::{fault::Fault, oidc::serve::Serving};

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
    /// A certificate is to be shown that was not given, or given and not to be shown.
    #[error("a certificate belongs to a fault of TLS, and only there")]
    Certificate,
    /// A signature was to be spoilt where there is none.
    #[error("a token with algorithm none has no signature that `tamper` could spoil")]
    NothingToTamper,
}

/// A running forge. It ends when dropped; [`Forge::shutdown`] also waits for that.
pub struct Forge {
    state: Arc<State>,
    serving: Mutex<Serving>,
}

/// What the server and the signer share.
struct State {
    issuer: String,
    keys: Keys,
    elsewhere: Elsewhere,
    fault: watch::Sender<Option<Fault>>,
    /// How many requests wait for the fault to change.
    kept: watch::Sender<usize>,
}

impl Forge {
    /// Serves `issuer` on a bound socket: `/.well-known/openid-configuration` and `/keys`, both below the issuer's
    /// path, as are the tokens with claims of others. Keys come from `pool`, so forges of one `slot` have the same ones; RS256 and ES256 are published at once.
    /// `kept` counts the requests that wait for a fault to change, with those of other forges.
    ///
    /// # Errors
    /// When the socket, the issuer or the certificate cannot be used, or the pool has no keys.
    pub async fn start(
        listener: TcpListener,
        issuer: String,
        tls: Certificate,
        pool: KeyPool,
        slot: &str,
        kept: watch::Sender<usize>,
    ) -> Result<Self, ForgeError> {
        let state = Arc::new(State::new(issuer, pool, slot, kept));
        let app = server::router(&state)?;
        state.change_keys(Keys::reset).await?;
        let serving = Serving::start(listener, tls.server_config(None)?, app)?;
        Ok(Self {
            state,
            serving: Mutex::new(serving),
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
        self.state.keys.published(algorithm)?;
        Ok(())
    }

    /// The corpus of forged tokens around an honest one with these claims (`iss`, `iat` and `exp` are added). Blocks
    /// for up to a second when keys have to be made first.
    ///
    /// # Errors
    /// When a key cannot be had or used.
    pub fn forgeries(&self, claims: &Map<String, Value>) -> Result<Vec<Forgery>, ForgeError> {
        corpus::corpus(&self.state, claims, SystemTime::now())
    }

    /// A token as asked for. Blocks for up to a second when its key has to be made first.
    ///
    /// # Errors
    /// When the request contradicts itself, or a key cannot be had or used.
    pub fn sign(&self, request: &TokenRequest) -> Result<SecretString, ForgeError> {
        sign::sign(&self.state, request, SystemTime::now())
    }

    /// Signs with new keys from now on; the old ones stay in the key set.
    ///
    /// # Errors
    /// When the pool gives no key; the old ones stay in use then.
    pub async fn rotate_keys(&self) -> Result<(), ForgeError> {
        self.state.change_keys(Keys::rotate).await
    }

    /// Brings back the keys of the start, and takes all others out of the key set.
    ///
    /// # Errors
    /// When the pool gives no key.
    pub async fn reset_keys(&self) -> Result<(), ForgeError> {
        self.state.change_keys(Keys::reset).await
    }

    /// Has this fault from now on, and no other; `None` mends it. Everybody is disconnected. A fault of TLS comes with
    /// the certificate to show.
    ///
    /// # Errors
    /// When the certificate is missing or cannot be used, or the port was lost to somebody else.
    pub async fn fail(
        &self,
        fault: Option<Fault>,
        certificate: Option<&Certificate>,
    ) -> Result<(), ForgeError> {
        if certificate.is_some() != matches!(fault, Some(Fault::Tls(_))) {
            return Err(ForgeError::Certificate);
        }
        let tls = certificate.map(|shown| shown.server_config(None));
        let tls = tls.transpose()?;
        let mut serving = self.serving.lock().await;
        // First, so that nobody is kept waiting; and after the pause once more, for those who came meanwhile.
        self.state.fault.send_replace(None);
        serving.pause().await;
        self.state.fault.send_replace(fault);
        match fault {
            Some(Fault::Down) => serving.down().await?,
            _ => serving.up(tls).await?,
        }
        Ok(())
    }

    /// The fault that it has.
    #[must_use]
    pub fn fault(&self) -> Option<Fault> {
        self.state.fault()
    }

    /// Stops serving; requests under way have a moment to end.
    pub async fn shutdown(self) {
        self.state.fault.send_replace(None);
        self.serving.into_inner().shutdown().await;
    }
}

impl fmt::Debug for Forge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Forge")
            .field("issuer", &self.state.issuer)
            .finish_non_exhaustive()
    }
}

/// A request that waits: it may be given up at any moment.
struct Kept<'a>(&'a watch::Sender<usize>);

impl<'a> Kept<'a> {
    fn waiting(number: &'a watch::Sender<usize>) -> Self {
        number.send_modify(|number| *number += 1);
        Self(number)
    }
}

impl Drop for Kept<'_> {
    fn drop(&mut self) {
        self.0.send_modify(|number| *number -= 1);
    }
}

impl State {
    fn new(issuer: String, pool: KeyPool, slot: &str, kept: watch::Sender<usize>) -> Self {
        Self {
            issuer,
            keys: Keys::new(pool, slot),
            elsewhere: Elsewhere::default(),
            fault: watch::Sender::new(None),
            kept,
        }
    }

    fn fault(&self) -> Option<Fault> {
        *self.fault.borrow()
    }

    /// Waits until the fault is another one, or none.
    async fn changed(&self) {
        let now = self.fault();
        let _kept = Kept::waiting(&self.kept);
        // The sender lives as long as self.
        let _ = self.fault.subscribe().wait_for(|fault| *fault != now).await;
    }

    /// An RSA key that is not in the pool yet takes a while to make.
    async fn change_keys(
        self: &Arc<Self>,
        change: fn(&Keys) -> Result<(), PkiError>,
    ) -> Result<(), ForgeError> {
        let state = Arc::clone(self);
        let changed = tokio::task::spawn_blocking(move || change(&state.keys)).await;
        Ok(changed.map_err(io::Error::from)??)
    }
}
