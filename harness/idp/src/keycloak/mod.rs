//! Keycloak 26.4 as an embedded provider: the realm file that it imports, its paths, login form, tokens and errors.
//!
//! The reference is Keycloak itself; `tests/keycloak` holds what it answered.

mod admin;
mod authorize;
mod claims;
mod consent;
mod device;
mod discovery;
mod exchange;
mod grants;
mod inspect;
mod issue;
mod login;
mod logout;
mod mappers;
mod pages;
mod realm;
pub mod redirect;
mod refresh;
mod request;
mod routes;
mod server;
mod sessions;
mod unasked;

use std::{io, net::TcpListener, sync::Arc, time::Duration};

use authlab_pki::{Certificate, KeyPool, PkiError};

pub use realm::{Ground, LOGIN_NAMES, RealmError, RealmErrors, USER_STORAGE, default_clients};

use self::server::Server;
use crate::oidc::{keys::KeyRing, serve::Serving};

/// A key that was replaced stays published, as one does that was made passive.
const OVERLAP: Duration = Duration::from_secs(10 * 365 * 24 * 3600);

/// Why an embedded Keycloak does not start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum KeycloakError {
    /// The realm is refused.
    #[error(transparent)]
    Realm(#[from] RealmErrors),
    /// No signing key, or the certificate cannot be used.
    #[error(transparent)]
    Keys(#[from] PkiError),
    /// The listener cannot be used.
    #[error("listener: {0}")]
    Listener(#[from] io::Error),
}

/// A running Keycloak with one realm. It ends when this is dropped.
pub struct Keycloak {
    server: Arc<Server>,
    serving: Serving,
}

/// Looks at a realm, given as for [`Keycloak::start`], without starting anything.
///
/// # Errors
/// All that Keycloak would not import, and all that it asks for and is missing here.
pub fn check(realm_json: &str) -> Result<(), RealmErrors> {
    realm::read(realm_json).map(drop)
}

impl Keycloak {
    /// Serves a realm, given in the format of `kc.sh export` with every placeholder filled in, on a bound listener;
    /// its address is that of the issuer, `https://ADDRESS/realms/REALM`. Signing keys come from the pool's slots
    /// `SLOT-0`, `SLOT-1` and so on. When this returns, requests are answered.
    ///
    /// # Errors
    /// When Keycloak would not import the realm, when the realm asks for what is missing here (the error names all of it),
    /// or when a key, the certificate or the listener cannot be used.
    pub async fn start(
        listener: TcpListener,
        tls: Certificate,
        realm_json: &str,
        keys: KeyPool,
        slot: &str,
    ) -> Result<Self, KeycloakError> {
        let realm = realm::read(realm_json)?;
        let tls = tls.server_config(None)?;
        let base = format!("https://{}", listener.local_addr()?);
        let (slot, algorithm) = (slot.to_owned(), realm.algorithm);
        // A key that is not in the pool yet takes a while to make.
        let ring =
            tokio::task::spawn_blocking(move || KeyRing::open(keys, &slot, algorithm, OVERLAP))
                .await
                .map_err(io::Error::other)??;
        let server = Arc::new(Server::new(base, realm, ring));
        let router = routes::router(Arc::clone(&server));
        let serving = Serving::start(listener, tls, router)?;
        Ok(Self { server, serving })
    }

    /// The issuer, as its tokens name it.
    #[must_use]
    pub fn issuer(&self) -> &str {
        &self.server.issuer
    }

    /// What Keycloak takes in the file and a person may not have meant, with the path in it.
    #[must_use]
    pub fn warnings(&self) -> &[String] {
        &self.server.realm.warnings
    }

    /// Signs with a new key from now on; the old ones stay published.
    ///
    /// # Errors
    /// When the pool gives no key.
    pub async fn rotate_keys(&self) -> Result<(), KeycloakError> {
        let server = Arc::clone(&self.server);
        tokio::task::spawn_blocking(move || server.keys.rotate())
            .await
            .map_err(io::Error::other)??;
        Ok(())
    }

    /// Refuses connections until [`Keycloak::up`]. Its address and what it remembers stay.
    ///
    /// # Errors
    /// When the port was lost to somebody else.
    pub async fn down(&mut self) -> Result<(), KeycloakError> {
        Ok(self.serving.down().await?)
    }

    /// Answers again after [`Keycloak::down`].
    ///
    /// # Errors
    /// As [`Keycloak::down`].
    pub async fn up(&mut self) -> Result<(), KeycloakError> {
        Ok(self.serving.up(None).await?)
    }

    /// Ends the server: running requests are finished, if they are quick.
    pub async fn shutdown(self) {
        self.serving.shutdown().await;
    }
}

impl std::fmt::Debug for Keycloak {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Keycloak")
            .field("issuer", &self.issuer())
            .finish_non_exhaustive()
    }
}
