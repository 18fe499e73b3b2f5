//! One look at an issuer for one token: can it be reached, which keys has it, and did one of them sign.

use super::{issuer::Issuer, jws::Signed};
use crate::config::JwtAuthenticator;

/// What a look at an issuer found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Probe {
    /// Where the discovery document is.
    pub discovery: String,
    /// How far it went.
    pub found: Found,
}

/// How far a look at an issuer went.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Found {
    /// There was no answer: an address, a connection or a certificate is not as it has to be.
    Unreachable(String),
    /// What answered is not this issuer's discovery document.
    NotDiscovered(String),
    /// The token is none.
    Malformed(String),
    /// The keys, and what they say of the signature.
    Keys {
        /// Where the keys are.
        url: String,
        /// The `kid` of each; empty for a key without.
        ids: Vec<String>,
        /// Whether one of them signed the token; else the server's text.
        signature: Result<(), String>,
    },
}

/// Looks for an issuer and its keys as an authenticator does, and verifies a token's signature.
pub async fn probe(authenticator: &JwtAuthenticator, token: &str) -> Probe {
    let issuer = Issuer::new(authenticator, &[], super::RETRY, &std::sync::Arc::default());
    let found = match (issuer.discover().await, Signed::parse(token)) {
        (Err(error), _) if error.starts_with("Get ") => Found::Unreachable(error),
        (Err(error), _) => Found::NotDiscovered(error),
        (_, Err(error)) => {
            Found::Malformed(format!("oidc: verify token: oidc: malformed jwt: {error}"))
        }
        (Ok(keys), Ok(signed)) => {
            let signature = keys.verify(&signed).await.map_err(|error| {
                format!("oidc: verify token: failed to verify signature: {error}")
            });
            Found::Keys {
                url: keys.url().to_owned(),
                ids: keys.ids(),
                signature,
            }
        }
    };
    Probe {
        discovery: issuer.discovery().to_owned(),
        found,
    }
}
