//! One issuer: finding its key set, and judging its tokens.

use std::{
    sync::Arc,
    time::{Duration, SystemTime},
};

use tokio::{
    sync::watch,
    time::{MissedTickBehavior, interval},
};

use super::{
    elsewhere::Verifiers, fetches::Fetches, jws::Signed, keys::KeySet, transport::Transport,
    untrusted,
};
use crate::{
    UserInfo,
    config::JwtAuthenticator,
    golang::{
        decode::{self, Options, Struct, Type},
        quote::quote,
    },
    token::{Authenticator, Elsewhere, Refused, not_expanded},
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
    Initialized(Arc<KeySet>),
}

pub(super) struct Issuer {
    authenticator: Authenticator,
    url: String,
    discovery: String,
    transport: Result<Transport, String>,
    state: watch::Sender<State>,
    elsewhere: Verifiers,
    fetches: Arc<Fetches>,
    /// How long it waits before it looks for the issuer again.
    retry: Duration,
}

impl Issuer {
    pub(super) fn new(
        config: &JwtAuthenticator,
        signing_algs: &[String],
        retry: Duration,
        fetches: &Arc<Fetches>,
    ) -> Self {
        let url = config.issuer.url.clone();
        let discovery = match config.issuer.discovery_url.as_str() {
            "" => well_known(&url),
            discovery => discovery.to_owned(),
        };
        Self {
            authenticator: Authenticator::new(config, signing_algs),
            discovery,
            transport: Transport::new(&config.issuer.certificate_authority),
            state: watch::Sender::new(State::Waiting(not_initialized(&url))),
            elsewhere: Verifiers::default(),
            fetches: Arc::clone(fetches),
            retry,
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
    pub(super) async fn initialize(&self) {
        let mut attempts = interval(self.retry);
        attempts.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            attempts.tick().await;
            let state = match self.discover().await {
                Ok(keys) => State::Initialized(Arc::new(keys)),
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
        let keys = discover(transport, &self.url, &self.discovery).await?;
        Ok(keys.noting(&self.url, &self.fetches))
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
            State::Initialized(keys) => Arc::clone(keys),
            State::Waiting(_) => return Err("oidc: authenticator not initialized".to_owned()),
        };
        self.signed(token, &keys)
            .await
            .map_err(|error| format!("oidc: verify token: {error}"))?;
        let now = || SystemTime::now().into();
        let text = |refused: Refused| refused.text;
        let begun = self.authenticator.begin(payload, now()).map_err(text)?;
        let fetched = match &begun.elsewhere {
            Some(elsewhere) => Some(
                self.fetch(elsewhere)
                    .await
                    .map_err(|error| not_expanded(error).text)?,
            ),
            None => None,
        };
        let fetched = fetched
            .as_ref()
            .map(|(issuer, payload)| (issuer.as_str(), payload.as_str()));
        self.authenticator
            .finish(begun, fetched, now())
            .map_err(text)
    }

    /// Checks a token's algorithm and signature.
    async fn signed(&self, token: &str, keys: &KeySet) -> Result<(), String> {
        let signed =
            Signed::parse(token).map_err(|error| format!("oidc: malformed jwt: {error}"))?;
        self.authenticator.check_algorithm(&signed.algorithm)?;
        keys.verify(&signed)
            .await
            .map_err(|error| format!("failed to verify signature: {error}"))
    }

    /// Fetches a token that has a claim which another one lacks: its issuer, and its payload.
    async fn fetch(&self, elsewhere: &Elsewhere) -> Result<(String, String), String> {
        let transport = self.transport.as_ref().map_err(Clone::clone)?;
        let Elsewhere {
            claim,
            url,
            access_token,
        } = elsewhere;
        let failed = |error| format!("while getting distributed claim {}: {error}", quote(claim));
        let response = transport.get_as(url, access_token).await.map_err(failed)?;
        if !response.success() {
            return Err(failed(format!(
                "error while getting distributed claim JWT: {}",
                response.status()
            )));
        }
        let token = response.text();
        let (issuer, payload) = untrusted(&token).map_err(|error| {
            let claim = quote(claim);
            format!(
                "getting untrusted issuer from endpoint {url} failed for claim {claim}: {error}"
            )
        })?;
        let discovery = if issuer == self.url {
            self.discovery.clone()
        } else {
            well_known(&issuer)
        };
        let keys = self
            .elsewhere
            .keys(&issuer, discovery, transport, self.retry)
            .map_err(|error| format!("verifying untrusted issuer {issuer} failed: {error}"))?;
        self.signed(&token, &keys)
            .await
            .map_err(|error| format!("verify distributed claim token: {error}"))?;
        Ok((issuer, payload))
    }
}

/// Fetches the discovery document of an issuer, to find its keys.
///
/// # Errors
/// The library's text.
pub(super) async fn discover(
    transport: &Transport,
    url: &str,
    discovery: &str,
) -> Result<KeySet, String> {
    let response = transport.get(discovery).await?;
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
        .map_err(|error| format!("oidc: failed to decode provider discovery object: {error}"))?;
    let field = |name: &str| document.value[name].as_str().unwrap_or_default().to_owned();
    let issuer = field("issuer");
    if issuer != url {
        let (want, got) = (quote(url), quote(&issuer));
        return Err(format!(
            "oidc: issuer did not match the issuer returned by provider, expected {want} got {got}"
        ));
    }
    match field("jwks_uri") {
        url if url.is_empty() => Err("provider did not return JWKS URL".to_owned()),
        url => Ok(KeySet::new(url, transport.clone())),
    }
}

/// Where an issuer's discovery document is, unless a configuration says otherwise.
pub(super) fn well_known(issuer: &str) -> String {
    format!("{}{WELL_KNOWN}", issuer.strip_suffix('/').unwrap_or(issuer))
}

/// The state of health before the first attempt.
fn not_initialized(url: &str) -> String {
    format!(
        "oidc: authenticator for issuer {} is not initialized",
        quote(url)
    )
}
