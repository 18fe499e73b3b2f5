//! Credentials: what logins yield and other steps use.

use std::collections::BTreeMap;

use authlab_lab::spec::ClientSpec;
use schemars::JsonSchema;
use secrecy::SecretString;
use serde::Deserialize;

use crate::oauth::Tokens;

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
    /// The login that gave it.
    pub session: Option<Session>,
}

/// What a login gave.
#[derive(Debug, Clone)]
pub(crate) struct Session {
    /// The identity provider's name in the lab.
    pub idp: String,
    /// The client that the tokens were issued to.
    pub client: ClientSpec,
    /// All of them.
    pub tokens: Tokens,
}

/// Which of a login's tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum TokenKind {
    /// The ID token.
    Id,
    /// The access token.
    Access,
    /// The refresh token.
    Refresh,
}

impl TokenKind {
    /// What most steps mean when they leave the kind out.
    pub fn access() -> Self {
        Self::Access
    }

    /// What a step that gives a token back means when it leaves the kind out.
    pub fn refresh() -> Self {
        Self::Refresh
    }

    /// As a sentence says it.
    pub fn words(self) -> String {
        self.member().replace('_', " ")
    }

    /// Its name in a token endpoint's answer, and in a hint.
    pub fn member(self) -> &'static str {
        match self {
            Self::Id => "id_token",
            Self::Access => "access_token",
            Self::Refresh => "refresh_token",
        }
    }
}

impl Token {
    /// One of the tokens of the login; a token that came by itself is whatever it is taken for.
    pub fn of_kind(&self, kind: TokenKind) -> Option<&SecretString> {
        match (&self.session, kind) {
            (None, TokenKind::Refresh) => None,
            (None, _) => Some(&self.bearer),
            (Some(session), TokenKind::Id) => session.tokens.id.as_ref(),
            (Some(session), TokenKind::Access) => Some(&session.tokens.access),
            (Some(session), TokenKind::Refresh) => session.tokens.refresh.as_ref(),
        }
    }
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
    /// A bearer token that no login gave.
    pub fn bearer(token: SecretString) -> Self {
        Self::Token(Token {
            bearer: token,
            session: None,
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
