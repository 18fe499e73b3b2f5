//! What the API server makes of a token whose signature is in order: whom it authenticates, or why not.
//!
//! Source: <https://kubernetes.io/docs/reference/access-authn-authz/authentication/#openid-connect-tokens> for the
//! rules; their order and every text as kube-apiserver 1.36 has them.

mod claims;
mod distributed;
mod mapping;
mod stage;
mod standard;

#[cfg(test)]
mod tests;

use std::time::{SystemTime, UNIX_EPOCH};

pub(crate) use self::{
    claims::untrusted_issuer,
    distributed::Elsewhere,
    mapping::{Authenticator, Seen, not_expanded},
    stage::{Refused, Stage},
    standard::decoded,
};
use crate::{UserInfo, config::AuthenticationConfiguration};

/// What becomes of a token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It is this user.
    Authenticated(UserInfo),
    /// The authenticator of its issuer refuses it, with the text that a TokenReview shows.
    Rejected(String),
    /// No authenticator is responsible for its issuer.
    Skipped,
}

/// A time as whole seconds since 1970 and nanoseconds, the resolution of the checks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Now {
    pub(crate) seconds: i64,
    pub(crate) nanos: u32,
}

impl From<SystemTime> for Now {
    fn from(time: SystemTime) -> Self {
        let seconds = |seconds: u64| i64::try_from(seconds).unwrap_or(i64::MAX);
        match time.duration_since(UNIX_EPOCH) {
            Ok(after) => Self {
                seconds: seconds(after.as_secs()),
                nanos: after.subsec_nanos(),
            },
            Err(before) => Self {
                seconds: -seconds(before.duration().as_secs()),
                nanos: 0,
            },
        }
    }
}

/// The authenticators of a configuration, ready to judge claims.
pub struct Evaluator {
    authenticators: Vec<Authenticator>,
}

impl Evaluator {
    /// Compiles a configuration. One that [`crate::config::validate`] refuses may yield an evaluator that rejects
    /// every token of an issuer.
    #[must_use]
    pub fn new(config: &AuthenticationConfiguration) -> Self {
        Self {
            authenticators: config
                .jwt
                .iter()
                .map(|jwt| Authenticator::new(jwt, &config.signing_algs))
                .collect(),
        }
    }

    /// Judges the claims of a token, the JSON text of its payload, as if it had been signed by the issuer with RS256.
    #[must_use]
    pub fn evaluate(&self, claims_json: &str, now: SystemTime) -> Verdict {
        self.evaluate_signed(claims_json, "RS256", now)
    }

    /// The same for a token that was signed with another algorithm.
    #[must_use]
    pub fn evaluate_signed(&self, claims_json: &str, algorithm: &str, now: SystemTime) -> Verdict {
        let Some((_, authenticator)) = self.responsible(claims_json) else {
            return Verdict::Skipped;
        };
        match authenticator.judge(claims_json, algorithm, now.into()) {
            Ok(user) => Verdict::Authenticated(user),
            Err(refused) => Verdict::Rejected(refused.text),
        }
    }

    /// The authenticator for a payload's issuer, with its index.
    pub(crate) fn responsible(&self, claims_json: &str) -> Option<(usize, &Authenticator)> {
        let issuer = untrusted_issuer(claims_json).ok()?;
        let mut authenticators = self.authenticators.iter().enumerate();
        authenticators.find(|(_, authenticator)| authenticator.issuer() == issuer)
    }
}
