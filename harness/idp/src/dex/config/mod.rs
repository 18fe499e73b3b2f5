//! Dex's own configuration file, read as Dex reads it.
//!
//! What Dex refuses is refused in its words, what it ignores is ignored with a warning, and what only the embedded Dex
//! lacks is refused by name. The reference is `cmd/dex/config.go` and `cmd/dex/serve.go` of Dex.

mod bcrypt_hash;
mod checks;
mod connectors;
mod members;
mod raw;
mod reader;
mod sections;
mod tree;

#[cfg(test)]
mod tests;

use std::{collections::HashMap, fmt, path::PathBuf};

use authlab_pki::Algorithm;
use axum::http::{HeaderName, HeaderValue};
use secrecy::SecretString;

use super::go::duration::Span;
use crate::oidc::pkce::Method;

pub(crate) use bcrypt_hash::cost as bcrypt_cost;
pub(crate) use connectors::{Connector, ConnectorKind, NewGroup, Upstream};

/// A place in the text, both numbers from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// The line.
    pub line: usize,
    /// The column, in characters.
    pub column: usize,
}

/// A file Dex would not start with, or the embedded one cannot. Its text is Dex's, where Dex refuses it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct ConfigError {
    message: String,
    place: Option<Place>,
    path: Option<String>,
    hint: Option<String>,
}

impl ConfigError {
    fn new(message: impl Into<String>, place: Option<Place>) -> Self {
        Self {
            message: message.into(),
            place,
            path: None,
            hint: None,
        }
    }

    fn about(mut self, path: &str) -> Self {
        if !path.is_empty() {
            self.path = Some(path.to_owned());
        }
        self
    }

    fn with_hint(mut self, hint: Option<String>) -> Self {
        self.hint = hint;
        self
    }

    fn after(mut self, prefix: &str) -> Self {
        self.message.insert_str(0, prefix);
        self
    }

    /// Where in the text it is, where that is known.
    #[must_use]
    pub fn place(&self) -> Option<Place> {
        self.place
    }

    /// What it is about, as `staticClients[0].secret`, where that is known.
    #[must_use]
    pub fn path(&self) -> Option<&str> {
        self.path.as_deref()
    }

    /// What to do about it, where that is known.
    #[must_use]
    pub fn hint(&self) -> Option<&str> {
        self.hint.as_deref()
    }
}

/// Something Dex takes and a person may not have meant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Warning {
    /// What it is about, as `expiry.idToken`.
    pub path: String,
    /// Where in the text it is.
    pub place: Place,
    /// What it is, beginning with the path.
    pub message: String,
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "line {}, column {}: {}",
            self.place.line, self.place.column, self.message
        )
    }
}

/// A configuration Dex starts with.
#[derive(Debug)]
pub struct Config {
    pub(crate) issuer: Issuer,
    pub(crate) tls: Option<TlsFiles>,
    pub(crate) headers: Vec<(HeaderName, HeaderValue)>,
    pub(crate) cors: Cors,
    pub(crate) title: String,
    pub(crate) algorithm: Algorithm,
    pub(crate) rotate_every: Span,
    pub(crate) id_tokens: Span,
    pub(crate) auth_requests: Span,
    pub(crate) device_requests: Span,
    pub(crate) refresh: RefreshPolicy,
    /// None where the file names only grants that Dex does not have.
    pub(crate) grant_types: Option<Vec<String>>,
    pub(crate) response_types: Vec<String>,
    pub(crate) skip_approval: bool,
    pub(crate) always_show_login: bool,
    pub(crate) password_connector: String,
    pub(crate) pkce: Pkce,
    pub(crate) clients: HashMap<String, Client>,
    /// In the order of the file; that of the list of users comes last.
    pub(crate) connectors: Vec<Connector>,
    /// By e-mail address in lower case.
    pub(crate) users: HashMap<String, User>,
    warnings: Vec<Warning>,
}

impl Config {
    /// Reads the text of a configuration file; `file` is the name under which messages speak of it. Variables that the
    /// file refers to (`idEnv`, `secretEnv`, `hashFromEnv`) are those of this process.
    ///
    /// # Errors
    /// When Dex would refuse to start with it, or the embedded Dex lacks something it asks for.
    pub fn read(text: &str, file: &str) -> Result<Self, ConfigError> {
        Self::read_with(text, file, &|name| std::env::var(name).ok())
    }

    fn read_with(
        text: &str,
        file: &str,
        env: &dyn Fn(&str) -> Option<String>,
    ) -> Result<Self, ConfigError> {
        let tree = tree::parse(text)
            .map_err(|error| error.after(&format!("error parse config file {file}: ")))?;
        let (raw, warnings) = raw::Raw::decode(&tree, env)
            .map_err(|error| error.after(&format!("error unmarshalling config file {file}: ")))?;
        let mut config = checks::resolve(raw, env)?;
        config.warnings.extend(warnings);
        config.warnings.extend(tree::repeated_keys(text));
        config.warnings.sort_by_key(|warning| warning.place);
        Ok(config)
    }

    /// What Dex takes and a person may not have meant, in the order of the text.
    #[must_use]
    pub fn warnings(&self) -> &[Warning] {
        &self.warnings
    }

    /// The issuer, as tokens name it.
    #[must_use]
    pub fn issuer(&self) -> &str {
        &self.issuer.url
    }
}

/// The issuer's URL and what is derived from it.
#[derive(Debug, Clone)]
pub(crate) struct Issuer {
    pub url: String,
    /// Scheme and authority.
    origin: String,
    /// The path without a slash at its end; empty for the root.
    path: String,
}

impl Issuer {
    /// The path of an endpoint, whose name begins with a slash.
    pub(crate) fn path(&self, endpoint: &str) -> String {
        format!("{}{endpoint}", self.path)
    }

    /// The URL of an endpoint.
    pub(crate) fn url(&self, endpoint: &str) -> String {
        format!("{}{}{endpoint}", self.origin, self.path)
    }

    /// The name of the endpoint that a path is of; `/` for the issuer's own path.
    pub(crate) fn endpoint<'p>(&self, path: &'p str) -> Option<&'p str> {
        match path.strip_prefix(self.path.as_str())? {
            "" => Some("/"),
            "/" if !self.path.is_empty() => None,
            endpoint => endpoint.starts_with('/').then_some(endpoint),
        }
    }
}

#[derive(Debug)]
pub(crate) struct TlsFiles {
    pub certificate: PathBuf,
    pub key: PathBuf,
}

#[derive(Debug, Default)]
pub(crate) struct Cors {
    pub origins: Vec<String>,
    pub headers: Vec<String>,
}

#[derive(Debug)]
pub(crate) struct Pkce {
    pub enforce: bool,
    pub methods: Vec<Method>,
}

/// How refresh tokens age (zero: they do not) and whether each use replaces them.
#[derive(Debug)]
pub(crate) struct RefreshPolicy {
    pub rotate: bool,
    pub reuse_interval: Span,
    pub absolute_lifetime: Span,
    pub valid_if_not_used_for: Span,
}

/// An application that may ask for tokens.
#[derive(Debug, Clone)]
pub(crate) struct Client {
    pub id: String,
    pub secret: SecretString,
    pub name: String,
    pub redirect_uris: Vec<String>,
    pub public: bool,
    pub trusted_peers: Vec<String>,
    pub allowed_connectors: Vec<String>,
    /// Groups of tokens that the client gets for itself.
    pub own_groups: Vec<String>,
}

/// Somebody in Dex's own user list.
#[derive(Debug, Clone)]
pub(crate) struct User {
    pub email: String,
    pub hash: SecretString,
    pub id: String,
    pub name: String,
    pub preferred_username: String,
    pub email_verified: bool,
    pub groups: Vec<String>,
}
