//! Which other issuers are trusted, and who may come without credentials: the file or the flags.

use std::sync::Arc;
use std::time::Duration;

use authlab_authn::config::{
    self, AuthenticationConfiguration, ConfigError, OidcFlags, Violation, from_flags, load,
};
use authlab_authn::oidc::TokenAuthenticator;
use tokio::sync::watch;

use crate::server::{Authentication, StartError};

/// The name under which messages speak of the configuration file, which has no path here.
const FILE: &str = "authentication.yaml";

/// How often an issuer that could not be reached is looked for again. The real server does so every
/// 10 seconds, which gives the same verdicts later.
const RETRY: Duration = Duration::from_millis(200);

/// A configuration at work.
pub(crate) struct Configuration {
    /// The file's text; `None` if there is no file.
    pub(crate) text: Option<String>,
    pub(crate) parsed: AuthenticationConfiguration,
    pub(crate) issuers: TokenAuthenticator,
}

impl Configuration {
    /// What the server starts with. Must be called within a tokio runtime: looking for the
    /// issuers begins at once.
    pub(crate) fn new(
        authentication: &Authentication,
        own_issuer: &str,
    ) -> Result<Self, StartError> {
        let refused = |text: String| StartError::Authentication(text);
        let parsed = match &authentication.config {
            Some(_) if !authentication.flags.is_empty() => {
                let text = "authentication-config file and oidc-* flags are mutually exclusive";
                return Err(refused(text.to_owned()));
            }
            Some(text) => load(text, &[own_issuer.to_owned()]).map_err(|error| match error {
                ConfigError::Decode(why) => refused(format!(
                    "failed to load authentication configuration from file {FILE:?}: {why}"
                )),
                other => refused(format!("invalid authentication configuration: {other}")),
            })?,
            None => OidcFlags::named(&authentication.flags, |path| std::fs::read_to_string(path))
                .and_then(|flags| from_flags(&flags))
                .map_err(|error| match error {
                    ConfigError::Invalid(_) => {
                        refused(format!("invalid authentication configuration: {error}"))
                    }
                    other => refused(other.to_string()),
                })?,
        };
        config::reachable(&parsed).map_err(|error| refused(error.to_string()))?;
        Ok(Self {
            text: authentication.config.clone(),
            issuers: TokenAuthenticator::with_retry(&parsed, RETRY),
            parsed,
        })
    }

    /// What a changed file makes of this: ready to take over once its issuers are. The error is
    /// the one that the real server logs.
    pub(crate) fn successor(&self, text: &str, own_issuer: &str) -> Result<Self, ConfigError> {
        let parsed = config::read(text)?;
        let mut violations = match config::validate(&parsed, &[own_issuer.to_owned()]) {
            Ok(()) => Vec::new(),
            Err(ConfigError::Invalid(violations)) => violations,
            Err(other) => return Err(other),
        };
        if self.parsed.anonymous != parsed.anonymous {
            violations.push(Violation {
                path: "anonymous".to_owned(),
                message: "Forbidden: changed from initial configuration file".to_owned(),
            });
        }
        if !violations.is_empty() {
            return Err(ConfigError::Invalid(violations));
        }
        config::reachable(&parsed)?;
        let fetches = Arc::clone(self.issuers.fetches());
        let issuers = TokenAuthenticator::following(&parsed, RETRY, fetches);
        Ok(Self {
            text: Some(text.to_owned()),
            parsed,
            issuers,
        })
    }

    /// Waits until the first attempt to reach each issuer has ended, well or badly, or is one of
    /// those that somebody keeps waiting.
    pub(crate) async fn attempted(&self, kept: watch::Receiver<usize>, at_most: Duration) {
        self.issuers.attempted(kept, at_most).await;
    }

    /// Waits until every issuer was reached; the error tells what stands in the way.
    pub(crate) async fn ready(&self, at_most: Duration) -> Result<(), String> {
        if self.issuers.ready(at_most).await {
            return Ok(());
        }
        let state = self.issuers.health().err().unwrap_or_default();
        Err(format!("[{state}, context deadline exceeded]"))
    }
}
