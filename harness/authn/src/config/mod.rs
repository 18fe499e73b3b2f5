//! The authentication configuration of an API server: read strictly, checked, ready to evaluate.
//!
//! Source: <https://kubernetes.io/docs/reference/access-authn-authz/authentication/#using-authentication-configuration>
//! and the reference of `apiserver.config.k8s.io`; every text as kube-apiserver 1.36 words it.

mod certificate;
mod convert;
mod decode;
mod field;
mod flags;
mod issuer;
mod mappings;
mod schema;
mod types;
mod validate;

#[cfg(test)]
mod tests;

pub use convert::{Converted, Manifest, convert};
pub use flags::{OidcFlags, from_flags};
pub use types::{
    Anonymous, AnonymousCondition, AuthenticationConfiguration, ClaimMappings, ClaimOrExpression,
    ClaimValidationRule, ExtraMapping, Issuer, JwtAuthenticator, PrefixedClaimOrExpression,
    UserValidationRule,
};

/// Why a configuration is refused. Displayed, it is the text of the real API server's error.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// The file is no document of the kind.
    #[error("{0}")]
    Decode(String),
    /// The document breaks rules.
    #[error("{}", field::aggregate(.0))]
    Invalid(Vec<Violation>),
    /// The flags contradict each other or lack something.
    #[error("{}", field::joined(.0))]
    Flags(Vec<String>),
    /// An issuer is to be reached by this way out (`egressSelectorType`), and the API server has no
    /// egress configuration.
    #[error("oidc: egress lookup required with egress selector type {0:?}")]
    Egress(String),
}

/// One broken rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// The field, as `jwt[0].issuer.url`.
    pub path: String,
    /// The rest of the message, as `Required value`.
    pub message: String,
}

/// Reads a configuration file: strict decoding, defaults, validation with compiling all expressions.
/// `disallowed_issuers` are those of service-account tokens, which no authenticator may claim.
///
/// # Errors
/// When the API server would not start with the file.
pub fn load(
    text: &str,
    disallowed_issuers: &[String],
) -> Result<AuthenticationConfiguration, ConfigError> {
    let config = read(text)?;
    validate(&config, disallowed_issuers)?;
    Ok(config)
}

/// Reads a configuration file without checking it: strict decoding and defaults.
///
/// # Errors
/// [`ConfigError::Decode`] when it is no document of the kind.
pub fn read(text: &str) -> Result<AuthenticationConfiguration, ConfigError> {
    decode::decode(text).map_err(ConfigError::Decode)
}

/// Checks a configuration that did not come from a file.
///
/// # Errors
/// [`ConfigError::Invalid`] with everything that is wrong.
pub fn validate(
    config: &AuthenticationConfiguration,
    disallowed_issuers: &[String],
) -> Result<(), ConfigError> {
    let violations = validate::configuration(config, disallowed_issuers);
    if violations.is_empty() {
        Ok(())
    } else {
        Err(ConfigError::Invalid(violations))
    }
}

/// Checks what a right configuration needs of the API server: one without an egress configuration
/// does not start with an issuer that names a way out.
///
/// # Errors
/// [`ConfigError::Egress`] for the first such issuer.
pub fn reachable(config: &AuthenticationConfiguration) -> Result<(), ConfigError> {
    let mut ways = config
        .jwt
        .iter()
        .map(|one| &one.issuer.egress_selector_type);
    match ways.find(|way| !way.is_empty()) {
        None => Ok(()),
        Some(way) => Err(ConfigError::Egress(way.clone())),
    }
}

/// The keys that may stand at a path into the file, `jwt[0].issuer`; none where nothing may.
#[must_use]
pub fn keys(path: &str) -> Vec<&'static str> {
    schema::fields(path).iter().map(|(name, _)| *name).collect()
}
