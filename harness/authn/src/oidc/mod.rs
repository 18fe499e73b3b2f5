//! The live authenticators: discovery, key sets and signatures, then [`crate::token`].
//!
//! Source: OpenID Connect Discovery 1.0, RFC 7517; what is fetched when, and every text, as kube-apiserver 1.36 with
//! its OIDC library.

mod elsewhere;
mod fetches;
mod header;
mod issuer;
mod jws;
mod keys;
mod probe;
mod transport;

#[cfg(test)]
mod tests;

use std::{sync::Arc, time::Duration};

use futures_util::stream::{FuturesUnordered, StreamExt as _};
use tokio::{sync::watch, task::JoinSet, time::timeout};

pub use self::{
    fetches::{Fetch, Fetches},
    probe::{Found, Probe, probe},
    transport::cause,
};

use self::issuer::Issuer;
use crate::{UserInfo, config::AuthenticationConfiguration, golang::base64url, token};

/// How long an authenticator waits before it looks for its issuer again.
const RETRY: Duration = Duration::from_secs(10);

/// What becomes of a bearer token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It is this user's.
    Authenticated(UserInfo),
    /// The authenticator of its issuer refuses it; the text is `status.error` of a TokenReview.
    Rejected(String),
    /// No authenticator is responsible for it; it may be another kind of token.
    Skipped,
}

/// The `jwt` authenticators of a configuration at work. Each looks for its issuer in the background as long as this
/// lives.
pub struct TokenAuthenticator {
    issuers: Vec<Arc<Issuer>>,
    fetches: Arc<Fetches>,
    _background: JoinSet<()>,
}

impl TokenAuthenticator {
    /// Starts the authenticators; a first attempt to reach each issuer begins at once. To be called inside of a Tokio
    /// runtime.
    #[must_use]
    pub fn new(config: &AuthenticationConfiguration) -> Self {
        Self::with_retry(config, RETRY)
    }

    /// The same with another pause between attempts than the real server's 10 seconds.
    #[must_use]
    pub fn with_retry(config: &AuthenticationConfiguration, retry: Duration) -> Self {
        Self::following(config, retry, Arc::default())
    }

    /// The same, which goes on with the counts of another one's [fetches](Self::fetches).
    #[must_use]
    pub fn following(
        config: &AuthenticationConfiguration,
        retry: Duration,
        fetches: Arc<Fetches>,
    ) -> Self {
        let issuers: Vec<Arc<Issuer>> = config
            .jwt
            .iter()
            .map(|jwt| Arc::new(Issuer::new(jwt, &config.signing_algs, retry, &fetches)))
            .collect();
        let mut background = JoinSet::new();
        for issuer in &issuers {
            let issuer = Arc::clone(issuer);
            background.spawn(async move { issuer.initialize().await });
        }
        Self {
            issuers,
            fetches,
            _background: background,
        }
    }

    /// What became of the fetches of key sets.
    #[must_use]
    pub fn fetches(&self) -> &Arc<Fetches> {
        &self.fetches
    }

    /// Forgets the fetches of issuers that are not trusted any more, once this one has taken over.
    pub fn took_over(&self) {
        let issuers: Vec<&str> = self.issuers.iter().map(|issuer| issuer.url()).collect();
        self.fetches.keep(&issuers);
    }

    /// Judges a bearer token. Keys are fetched when they are needed.
    pub async fn authenticate(&self, token: &str) -> Outcome {
        let Ok((issuer, payload)) = untrusted(token) else {
            return Outcome::Skipped;
        };
        let responsible = self.issuers.iter().find(|other| other.url() == issuer);
        match responsible {
            None => Outcome::Skipped,
            Some(issuer) => match issuer.authenticate(token, &payload).await {
                Ok(user) => Outcome::Authenticated(user),
                Err(text) => Outcome::Rejected(text),
            },
        }
    }

    /// Waits until every issuer was reached, at most so long, and says whether that is so.
    pub async fn ready(&self, at_most: Duration) -> bool {
        let all = async {
            for issuer in &self.issuers {
                issuer.initialized().await;
            }
        };
        timeout(at_most, all).await.is_ok()
    }

    /// Waits until the first attempt to reach each issuer has ended, at most so long, and says whether that is so.
    /// Attempts that somebody keeps waiting on purpose are not waited for: `kept` counts them. Then
    /// [`TokenAuthenticator::health`] knows what is wrong.
    pub async fn attempted(&self, mut kept: watch::Receiver<usize>, at_most: Duration) -> bool {
        let attempts = self.issuers.iter().map(|issuer| issuer.attempted());
        let mut attempts: FuturesUnordered<_> = attempts.collect();
        let all = async {
            while attempts.len() > *kept.borrow_and_update() {
                tokio::select! {
                    _ = attempts.next() => {}
                    Ok(()) = kept.changed() => {}
                }
            }
        };
        timeout(at_most, all).await.is_ok()
    }

    /// Whether every issuer was reached: the condition for a reloaded configuration to take over.
    ///
    /// # Errors
    /// What the last attempt met, for every issuer that was not.
    pub fn health(&self) -> Result<(), String> {
        let mut errors: Vec<String> = Vec::new();
        for error in self
            .issuers
            .iter()
            .filter_map(|issuer| issuer.health().err())
        {
            if !errors.contains(&error) {
                errors.push(error);
            }
        }
        match errors.as_slice() {
            [] => Ok(()),
            [one] => Err(one.clone()),
            several => Err(format!("[{}]", several.join(", "))),
        }
    }
}

/// The issuer that a compact token names, and its payload's text, before anything is verified.
///
/// # Errors
/// The server's text, where it is no such token.
fn untrusted(token: &str) -> Result<(String, String), String> {
    if token.trim_start().starts_with('{') {
        return Err("token is not compact JWT".to_owned());
    }
    let parts: Vec<&str> = token.split('.').collect();
    let [_, payload, _] = parts[..] else {
        return Err("malformed token".to_owned());
    };
    let payload =
        base64url::decode(payload).map_err(|error| format!("error decoding token: {error}"))?;
    // Go's decoder replaces what is not UTF-8, in strings the only place where it can be.
    let payload = String::from_utf8_lossy(&payload).into_owned();
    Ok((token::untrusted_issuer(&payload)?, payload))
}
