//! A running Dex: its configuration and what it remembers.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, SystemTime},
};

use aws_lc_rs::hmac;
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use secrecy::SecretString;
use tokio::time::Instant;

use super::{
    config::Config, connector::Connectors, device::DeviceRequest, go::form::Values,
    identity::Identity, issue::Authorization, journal::Journal, pages::Pages,
    refresh::RefreshTokens,
};
use crate::oidc::{keys::KeyRing, pkce::Challenge, random, table::Table};

/// A server as one file makes it, and what it shares with the servers that other files made of it before and after.
pub(crate) struct Server {
    pub config: Config,
    pub connectors: Connectors,
    pub pages: Pages,
    pub journal: Arc<Journal>,
    pub store: Arc<Store>,
}

/// What Dex keeps in its storage.
pub(crate) struct Store {
    pub keys: KeyRing,
    pub requests: Table<AuthRequest>,
    pub codes: Table<Code>,
    pub refresh: RefreshTokens,
    /// By the code that the user enters.
    pub devices: Table<DeviceRequest>,
    /// When the keys are to be replaced.
    rotation_due: Mutex<Instant>,
}

impl Store {
    pub(crate) fn new(keys: KeyRing, rotation_due: Instant) -> Self {
        Self {
            keys,
            requests: Table::new(),
            codes: Table::new(),
            refresh: RefreshTokens::default(),
            devices: Table::new(),
            rotation_due: Mutex::new(rotation_due),
        }
    }

    pub(crate) fn rotation_due(&self) -> Instant {
        *self.due()
    }

    /// The keys have been replaced, and will be again after `period`.
    pub(crate) fn rotated(&self, period: Duration) {
        *self.due() = Instant::now() + period;
    }

    fn due(&self) -> MutexGuard<'_, Instant> {
        self.rotation_due
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

impl Server {
    pub(crate) fn new(config: Config, store: Arc<Store>, journal: Arc<Journal>) -> Self {
        Self {
            pages: Pages::new(&config.title, config.issuer.path("/theme/styles.css")),
            connectors: Connectors::new(&config.connectors),
            journal,
            store,
            config,
        }
    }

    /// The address of a step of a login, which proves that it belongs to the request.
    pub(crate) fn step_url(&self, request: &AuthRequest, step: Step) -> String {
        let mut query = Values::default();
        query.set("req", request.id.as_str());
        query.set(
            "hmac",
            URL_SAFE_NO_PAD.encode(hmac::sign(&request.key, step.label().as_bytes())),
        );
        let endpoint = match step {
            Step::Approval => "/approval",
            Step::Continue | Step::Approved => "/auth",
        };
        format!("{}?{}", self.config.issuer.path(endpoint), query.encode())
    }
}

/// A hop of a login through the browser. The proof for one is none for another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Step {
    /// Back from the login.
    Continue,
    /// To the page that asks for consent.
    Approval,
    /// Back from there with it.
    Approved,
}

impl Step {
    fn label(self) -> &'static str {
        match self {
            Self::Continue => "continue",
            Self::Approval => "approval",
            Self::Approved => "approved",
        }
    }
}

/// A client's request for authorization, until it is answered.
#[derive(Clone)]
pub(crate) struct AuthRequest {
    pub id: String,
    pub client_id: String,
    pub response_types: Vec<String>,
    pub scopes: Vec<String>,
    pub redirect_uri: String,
    pub nonce: String,
    pub state: String,
    pub force_approval: bool,
    /// Whether the client wants no page shown (`prompt=none`).
    pub silent: bool,
    /// Empty before a connector is chosen.
    pub connector: String,
    pub challenge: Option<Challenge>,
    /// What the connector must present to the provider the user was sent to.
    pub verifier: Option<SecretString>,
    pub key: Arc<hmac::Key>,
    /// Who logged in, and when.
    pub login: Option<(Identity, SystemTime)>,
}

impl AuthRequest {
    /// A key for the proofs of one request.
    pub(crate) fn new_key() -> Arc<hmac::Key> {
        Arc::new(hmac::Key::new(hmac::HMAC_SHA256, &random::bytes::<32>()))
    }

    /// Whether `proof` is that of a step of this request.
    pub(crate) fn proves(&self, proof: &str, step: Step) -> bool {
        let proof = URL_SAFE_NO_PAD.decode(proof).unwrap_or_default();
        hmac::verify(&self.key, step.label().as_bytes(), &proof).is_ok()
    }

    /// What is issued for it; none before somebody logged in.
    pub(crate) fn authorization(&self) -> Option<Authorization> {
        let (identity, time) = self.login.clone()?;
        Some(Authorization {
            client_id: self.client_id.clone(),
            identity,
            scopes: self.scopes.clone(),
            connector: self.connector.clone(),
            nonce: self.nonce.clone(),
            auth_time: Some(time),
        })
    }
}

/// What an authorization code stands for.
#[derive(Clone)]
pub(crate) struct Code {
    pub auth: Authorization,
    pub redirect_uri: String,
    pub challenge: Option<Challenge>,
}
