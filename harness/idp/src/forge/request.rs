//! What can be asked of a forge.

use std::{fmt, str::FromStr};

use authlab_pki::Algorithm;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// A token to sign. Left out, each member has its default: a valid token that says nothing but who issued it and when.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct TokenRequest {
    /// The payload's claims, as they are. `iss` (the forge's issuer), `iat` (now) and `exp` are added where they are
    /// absent, and `nbf` when it is asked for; `null` for one of these leaves it out.
    pub claims: Map<String, Value>,
    /// Claims that are not in the token but in another one, which has to be fetched from the forge with a bearer token
    /// (OpenID Connect Core 1.0 section 5.6.2). That one gets `iss`, `aud`, `iat` and `exp` as the token itself has
    /// them, where they are absent here.
    pub elsewhere: Map<String, Value>,
    /// Changes to the header: each member replaces the one of its name (`alg`, `kid`, `typ: JWT` are there unasked) or
    /// is added; `null` removes it. The signature does not follow: the header may lie about its algorithm and key.
    pub header: Map<String, Value>,
    /// What the token is signed with.
    pub algorithm: TokenAlgorithm,
    /// Which of the forge's keys signs.
    pub key: KeyChoice,
    /// Seconds from now to the added `exp`; negative for a token that has expired.
    pub expires_in: i64,
    /// Seconds from now to an added `nbf`; negative for one in the past.
    pub not_before_in: Option<i64>,
    /// How many seconds the forge's clock is ahead of the lab's, negative when it is behind: the `now` of the added
    /// `iat`, `nbf` and `exp`.
    pub clock_skew: i64,
    /// What is spoilt after signing.
    pub tamper: Option<Tamper>,
}

impl Default for TokenRequest {
    fn default() -> Self {
        Self {
            claims: Map::new(),
            elsewhere: Map::new(),
            header: Map::new(),
            algorithm: TokenAlgorithm::default(),
            key: KeyChoice::default(),
            expires_in: 600,
            not_before_in: None,
            clock_skew: 0,
            tamper: None,
        }
    }
}

/// How a token is signed; written as its JOSE name (RFC 7518 section 3.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum TokenAlgorithm {
    /// By a private key.
    Key(Algorithm),
    /// `HS256` with the PEM text of the public RS256 key as the shared secret: a verifier that confuses the two
    /// families accepts it.
    Hs256,
    /// `none`: the signature is empty.
    None,
}

impl Default for TokenAlgorithm {
    fn default() -> Self {
        Self::Key(Algorithm::RS256)
    }
}

/// A key of the forge.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum KeyChoice {
    /// The one in the key set, which is there from its first use.
    #[default]
    Published,
    /// One that never is in the key set. The header names the published key, so that a verifier finds a key and the
    /// signature fails.
    Unpublished,
}

/// A change after signing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Tamper {
    /// A bit of the signature is flipped.
    Signature,
    /// The claims asked for take the place of others that were signed.
    Payload,
}

/// A name that is no algorithm.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("unknown algorithm {name:?}, expected one of {}, HS256, none", Algorithm::ALL.map(Algorithm::name).join(", "))]
pub struct UnknownTokenAlgorithm {
    /// The name.
    pub name: String,
}

impl JsonSchema for TokenAlgorithm {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "TokenAlgorithm".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        let keys = Algorithm::ALL.map(Algorithm::name).into_iter();
        let names: Vec<&str> = keys.chain(["HS256", "none"]).collect();
        json_schema!({ "description": "How a token is signed.", "enum": names })
    }
}

impl fmt::Display for TokenAlgorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Key(algorithm) => algorithm.name(),
            Self::Hs256 => "HS256",
            Self::None => "none",
        })
    }
}

impl FromStr for TokenAlgorithm {
    type Err = UnknownTokenAlgorithm;

    fn from_str(name: &str) -> Result<Self, UnknownTokenAlgorithm> {
        match name {
            "HS256" => Ok(Self::Hs256),
            "none" => Ok(Self::None),
            _ => name
                .parse()
                .map(Self::Key)
                .map_err(|_| UnknownTokenAlgorithm {
                    name: name.to_owned(),
                }),
        }
    }
}

impl TryFrom<String> for TokenAlgorithm {
    type Error = UnknownTokenAlgorithm;

    fn try_from(name: String) -> Result<Self, UnknownTokenAlgorithm> {
        name.parse()
    }
}

impl From<TokenAlgorithm> for String {
    fn from(algorithm: TokenAlgorithm) -> Self {
        algorithm.to_string()
    }
}
