//! Reasons: why a request was allowed or refused, as data, parsed from the server's own words.
//!
//! One parser for every backend: the texts are those of `k8s.io/apiserver` (OIDC authenticator,
//! RBAC authorizer, Status messages) and `k8s.io/kubernetes` (service-account tokens).

mod parse;
#[cfg(test)]
mod tests;
mod words;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

pub(crate) use parse::parse;

use crate::flow::flow;
use crate::format::{TextMatch, Word};

/// Why: both what a person expects (fields left out match anything) and what was seen.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(
    rename_all = "camelCase",
    rename_all_fields = "camelCase",
    deny_unknown_fields
)]
pub(crate) enum Reason {
    /// The token's audiences and those that the server accepts have none in common.
    Audience {
        #[serde(default, skip_serializing_if = "Option::is_none")]
        got: Option<Vec<String>>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        want: Option<Vec<String>>,
    },
    /// The token is past its `exp`.
    Expired {
        #[serde(default, skip_serializing_if = "Option::is_none")]
        at: Option<String>,
    },
    /// The token is before its `nbf`.
    NotYetValid {
        #[serde(default, skip_serializing_if = "Option::is_none")]
        from: Option<String>,
    },
    /// No authenticator knows the token: its issuer is none of those configured, or it is no token.
    UnknownIssuer {},
    /// No key of the issuer made the token's signature.
    Signature {},
    /// The issuer's keys could not be fetched.
    Keys {
        #[serde(default, skip_serializing_if = "Option::is_none")]
        message: Option<String>,
    },
    /// The token is signed with an algorithm that the server does not accept.
    Algorithm {
        #[serde(default, skip_serializing_if = "Option::is_none")]
        got: Option<String>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        want: Option<Vec<String>>,
    },
    /// The token is not a compact JWS, or its claims are not of the standard types.
    Malformed {
        #[serde(default, skip_serializing_if = "Option::is_none")]
        message: Option<String>,
    },
    /// The API server has not fetched the issuer's discovery document yet, or cannot.
    NotInitialized {
        #[serde(default, skip_serializing_if = "Option::is_none")]
        issuer: Option<String>,
    },
    /// A claim that a mapping reads is not in the token.
    ClaimMissing {
        #[serde(default, skip_serializing_if = "Option::is_none")]
        claim: Option<String>,
        /// `username`, `groups` or `uid`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        mapping: Option<String>,
    },
    /// A claim that a mapping reads has the wrong type.
    ClaimType {
        #[serde(default, skip_serializing_if = "Option::is_none")]
        claim: Option<String>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        message: Option<String>,
    },
    /// `email_verified` is false.
    EmailNotVerified {},
    /// A claim that a validation rule (`claim` and `requiredValue`) requires is absent or differs.
    RequiredClaim {
        #[serde(default, skip_serializing_if = "Option::is_none")]
        claim: Option<String>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        got: Option<String>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        want: Option<String>,
    },
    /// A CEL claim validation rule is false.
    ClaimRule {
        #[serde(default, skip_serializing_if = "Option::is_none")]
        expression: Option<String>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        message: Option<String>,
    },
    /// A CEL user validation rule is false.
    UserRule {
        #[serde(default, skip_serializing_if = "Option::is_none")]
        expression: Option<String>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        message: Option<String>,
    },
    /// A CEL expression could not be evaluated.
    Expression {
        /// Where it stands: `username`, `groups`, `uid`, `extra`, `claimRule`, `userRule`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        mapping: Option<String>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        expression: Option<String>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        message: Option<String>,
    },
    /// A CEL username expression gave the empty text.
    EmptyUsername {},
    /// A claim that is kept at another server could not be had.
    DistributedClaims {
        #[serde(default, skip_serializing_if = "Option::is_none")]
        message: Option<String>,
    },
    /// A service-account token whose account, pod or secret is gone or was replaced.
    ServiceAccount {
        #[serde(default, skip_serializing_if = "Option::is_none")]
        message: Option<String>,
    },
    /// An RBAC binding grants it.
    Rbac {
        #[serde(default, skip_serializing_if = "Option::is_none")]
        binding: Option<Object>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        role: Option<Object>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        subject: Option<Object>,
    },
    /// A binding names a role that does not exist.
    RoleNotFound {
        #[serde(default, skip_serializing_if = "Option::is_none")]
        kind: Option<String>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        name: Option<String>,
    },
    /// The authorizer gave no reason: no rule grants it (or, where allowed, `system:masters` does).
    None {},
    /// The user may not do it.
    Forbidden {
        #[serde(default, skip_serializing_if = "Option::is_none")]
        user: Option<String>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        verb: Option<String>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        resource: Option<String>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        group: Option<String>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        namespace: Option<String>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        path: Option<String>,
    },
    /// The user tries to grant more than it holds.
    Escalation {
        #[serde(default, skip_serializing_if = "Option::is_none")]
        user: Option<String>,
    },
    /// The server's words themselves, where no other form fits.
    Text(TextMatch),
}

/// A binding, role or subject, as RBAC's reason names it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Object {
    /// `ClusterRole`, `RoleBinding`, `User`, `Group`, `ServiceAccount`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
    /// Its name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Its namespace, where it has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
}

/// What a person writes after `because:`: a word (`because: signature`), or a word with details.
pub(crate) type Because = Word<Reason>;

impl Reason {
    /// Whether `text`, the server's words, is the reason that `self` expects.
    pub fn explains(&self, text: &str) -> bool {
        match self {
            Self::Text(wanted) => wanted.holds(text),
            _ => part_of(&self.data(), &parse(text).data()),
        }
    }

    /// As data.
    pub fn data(&self) -> Value {
        serde_json::to_value(self).unwrap_or_default()
    }

    /// On one line, as it would be written after `because:`.
    pub fn describe(&self) -> String {
        match self.data() {
            Value::Object(map) => match map.iter().next() {
                Some((word, Value::Object(details))) if details.is_empty() => word.clone(),
                _ => flow(&Value::Object(map)),
            },
            other => flow(&other),
        }
    }
}

/// Every field of `expected` is in `seen` with the same value; the order of lists does not count,
/// the server sorts some of them.
fn part_of(expected: &Value, seen: &Value) -> bool {
    match (expected, seen) {
        (Value::Object(expected), Value::Object(seen)) => expected
            .iter()
            .all(|(key, value)| seen.get(key).is_some_and(|other| part_of(value, other))),
        (Value::Array(expected), Value::Array(seen)) => {
            let sorted = |list: &[Value]| {
                let mut texts: Vec<String> = list.iter().map(Value::to_string).collect();
                texts.sort();
                texts
            };
            sorted(expected) == sorted(seen)
        }
        _ => expected == seen,
    }
}
