//! Credentials: what logins yield and other steps use.

use std::collections::BTreeMap;

use authlab_lab::spec::ClientSpec;
use secrecy::SecretString;

/// The name of the lab's administrator, which every scenario may use.
pub(crate) const ADMIN: &str = "admin";
/// The name of nobody in particular: requests without a credential.
pub(crate) const ANONYMOUS: &str = "anonymous";

/// Names that exist without a login.
pub(crate) const GIVEN: [&str; 2] = [ADMIN, ANONYMOUS];

/// What a request shows to the API server.
#[derive(Debug, Clone)]
pub(crate) enum Credential {
    /// The lab's administrator, by its client certificate.
    Admin(reqwest::Client),
    /// Nothing.
    Anonymous,
    /// A bearer token.
    Token(Token),
    /// A client certificate, held by the client that shows it.
    Certificate(reqwest::Client),
}

/// A bearer token and what came with it.
#[derive(Debug, Clone)]
pub(crate) struct Token {
    /// What is sent.
    pub bearer: SecretString,
    /// With what it can be renewed.
    pub renewal: Option<Renewal>,
}

/// What the `refresh_token` grant needs.
#[derive(Debug, Clone)]
pub(crate) struct Renewal {
    /// The client that the token was issued to.
    pub client: ClientSpec,
    /// The refresh token.
    pub token: SecretString,
}

/// Which kind a credential is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// The lab's administrator.
    Admin,
    /// Nobody.
    Anonymous,
    /// A bearer token.
    Token,
    /// A client certificate.
    Certificate,
}

impl Credential {
    /// A bearer token that cannot be renewed.
    pub fn bearer(token: SecretString) -> Self {
        Self::Token(Token {
            bearer: token,
            renewal: None,
        })
    }

    /// Which kind it is.
    pub fn kind(&self) -> Kind {
        match self {
            Self::Admin(_) => Kind::Admin,
            Self::Anonymous => Kind::Anonymous,
            Self::Token(_) => Kind::Token,
            Self::Certificate(_) => Kind::Certificate,
        }
    }

    /// The token, where it is one.
    pub fn token(&self) -> Option<&SecretString> {
        match self {
            Self::Token(token) => Some(&token.bearer),
            _ => None,
        }
    }
}

/// Credentials by the names that steps gave them.
pub(crate) type Credentials = BTreeMap<String, Credential>;
