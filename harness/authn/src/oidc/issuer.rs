//! One issuer: finding its key set, and judging its tokens.

use std::time::{Duration, SystemTime};

use tokio::{
    sync::watch,
    time::{MissedTickBehavior, interval},
};

use super::{jws::Signed, keys::KeySet, transport::Transport};
use crate::{
    UserInfo,
    config::JwtAuthenticator,
    golang::{
        decode::{self, Options, Struct, Type},
        quote::quote,
    },
    token::Authenticator,
};

const WELL_KNOWN: &str = "/.well-known/openid-configuration";

/// What the discovery document must be.
static PROVIDER: Struct = Struct {
    package: "oidc",
    name: "providerJSON",
    fields: &[
        ("issuer", Type::String("string")),
        ("authorization_endpoint", Type::String("string")),
        ("token_endpoint", Type::String("string")),
        ("jwks_uri", Type::String("string")),
        ("userinfo_endpoint", Type::String("string")),
        (
            "id_token_signing_alg_values_supported",
            Type::List(&Type::String("string")),
        ),
    ],
    embedded: &[],
};

/// How far an issuer is.
#[derive(Clone)]
enum State {
    /// Not reached, with what the last attempt met.
    Waiting(String),
    /// Its keys can be fetched.
    Initialized(std::sync::Arc<KeySet>),
}

pub(super) struct Issuer {
    authenticator: Authenticator,
    url: String,
    discovery: String,
    transport: Result<Transport, String>,
    state: watch::Sender<State>,
}

impl Issuer {
    pub(super) fn new(config: &JwtAuthenticator, signing_algs: &[String]) -> Self {
        let url = config.issuer.url.clone();
        let discovery = match config.issuer.discovery_url.as_str() {
            "" => format!("{}{WELL_KNOWN}", url.strip_suffix('/').unwrap_or(&url)),
            discovery => discovery.to_owned(),
        };
        Self {
            authenticator: Authenticator::new(config, signing_algs),
            discovery,
            transport: Transport::new(&config.issuer.certificate_authority),
            state: watch::Sender::new(State::Waiting(not_initialized(&url))),
            url,
        }
    }

    /// Where its discovery document is.
    pub(super) fn discovery(&self) -> &str {
        &self.discovery
    }

    pub(super) fn url(&self) -> &str {
        &self.url
    }

    /// Tries to find the key set until that succeeds.
    pub(super) async fn initialize(&self, retry: Duration) {
        let mut attempts = interval(retry);
        attempts.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            attempts.tick().await;
            let state = match self.discover().await {
                Ok(keys) => State::Initialized(std::sync::Arc::new(keys)),
                Err(error) => {
                    tracing::debug!(issuer = self.url, error, "issuer not initialized");
                    State::Waiting(error)
                }
            };
            let done = matches!(state, State::Initialized(_));
            self.state.send_replace(state);
            if done {
                return;
            }
        }
    }

    pub(super) async fn discover(&self) -> Result<KeySet, String> {
        let transport = self.transport.as_ref().map_err(Clone::clone)?;
        let response = transport.get(&self.discovery).await?;
        let body = response.text();
        if !response.ok() {
            return Err(format!("{}: {body}", response.status()));
        }
        let document = response
            .json()
            .and_then(|document| {
                decode::decode(&document, Type::Struct(&PROVIDER), Options::plain(&body))
                    .map_err(|error| response.not_json(&error))
            })
            .map_err(|error| {
                format!("oidc: failed to decode provider discovery object: {error}")
            })?;
        let field = |name: &str| document.value[name].as_str().unwrap_or_default().to_owned();
        let issuer = field("issuer");
        if issuer != self.url {
            let (want, got) = (quote(&self.url), quote(&issuer));
            return Err(format!(
                "oidc: issuer did not match the issuer returned by provider, expected {want} got {got}"
            ));
        }
        match field("jwks_uri") {
            url if url.is_empty() => Err("provider did not return JWKS URL".to_owned()),
            url => Ok(KeySet::new(url, transport.clone())),
        }
    }

    /// Waits until an attempt to find the key set has ended, whichever way.
    pub(super) async fn attempted(&self) {
        let initial = not_initialized(&self.url);
        let mut state = self.state.subscribe();
        let _ = state
            .wait_for(|state| !matches!(state, State::Waiting(error) if *error == initial))
            .await;
    }

    /// Waits until the key set was found.
    pub(super) async fn initialized(&self) {
        let mut state = self.state.subscribe();
        // The sender lives as long as self.
        let _ = state
            .wait_for(|state| matches!(state, State::Initialized(_)))
            .await;
    }

    pub(super) fn health(&self) -> Result<(), String> {
        match &*self.state.borrow() {
            State::Initialized(_) => Ok(()),
            State::Waiting(error) => Err(format!(
                "oidc: authenticator for issuer {} is not healthy: {error}",
                quote(&self.url)
            )),
        }
    }

    pub(super) async fn authenticate(
        &self,
        token: &str,
        payload: &str,
    ) -> Result<UserInfo, String> {
        let keys = match &*self.state.borrow() {
            State::Initialized(keys) => std::sync::Arc::clone(keys),
            State::Waiting(_) => return Err("oidc: authenticator not initialized".to_owned()),
        };
        let signed = Signed::parse(token)
            .map_err(|error| format!("oidc: verify token: oidc: malformed jwt: {error}"))?;
        self.authenticator.check_algorithm(&signed.algorithm)?;
        keys.verify(&signed)
            .await
            .map_err(|error| format!("oidc: verify token: failed to verify signature: {error}"))?;
        self.authenticator
            .authenticate(payload, SystemTime::now().into())
            .map_err(|refused| refused.text)
    }
}

/// The state of health before the first attempt.
fn not_initialized(url: &str) -> String {
    format!(
        "oidc: authenticator for issuer {} is not initialized",
        quote(url)
    )
}
