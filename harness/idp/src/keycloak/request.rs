//! Requests: their parameters, and who sends them.

use axum::{
    body::Bytes,
    http::{HeaderMap, Method, StatusCode, Uri, header},
    response::{IntoResponse as _, Response},
};
use base64::{Engine as _, engine::general_purpose::STANDARD};

use super::{
    realm::Client,
    server::{Server, same},
};
use crate::oidc::OAuthError;

/// Names and values in the order in which they came.
#[derive(Default)]
pub(super) struct Parameters(Vec<(String, String)>);

impl Parameters {
    pub(super) fn parse(text: &[u8]) -> Self {
        Self(url::form_urlencoded::parse(text).into_owned().collect())
    }

    /// The first value of that name.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        let found = self.0.iter().find(|(known, _)| known == name);
        found.map(|(_, value)| value.as_str())
    }

    /// The first value of that name, or nothing.
    pub(super) fn text(&self, name: &str) -> &str {
        self.get(name).unwrap_or_default()
    }

    /// Every value of that name.
    pub(super) fn all(&self, name: &str) -> impl Iterator<Item = &str> {
        let found = self.0.iter().filter(move |(known, _)| known == name);
        found.map(|(_, value)| value.as_str())
    }

    /// Whether a name comes twice that may come once only.
    pub(super) fn repeats(&self, repeatable: &[&str]) -> bool {
        let names = self.0.iter().map(|(name, _)| name.as_str());
        let mut names: Vec<_> = names.filter(|name| !repeatable.contains(name)).collect();
        names.sort_unstable();
        names.windows(2).any(|pair| pair[0] == pair[1])
    }
}

/// A request with its query and form body read.
pub(super) struct Call {
    pub method: Method,
    pub headers: HeaderMap,
    pub query: Parameters,
    pub form: Parameters,
    /// The address of whoever sends it.
    pub peer: String,
}

impl Call {
    pub(super) fn new(
        method: Method,
        uri: &Uri,
        headers: HeaderMap,
        body: &Bytes,
        peer: String,
    ) -> Self {
        let kind = headers
            .get(header::CONTENT_TYPE)
            .and_then(|kind| kind.to_str().ok());
        let is_form =
            kind.is_some_and(|kind| kind.starts_with("application/x-www-form-urlencoded"));
        Self {
            query: Parameters::parse(uri.query().unwrap_or_default().as_bytes()),
            form: if is_form {
                Parameters::parse(body)
            } else {
                Parameters::default()
            },
            method,
            headers,
            peer,
        }
    }

    /// What stands behind `Authorization: SCHEME `.
    pub(super) fn authorization(&self, scheme: &str) -> Option<&str> {
        let value = self.headers.get(header::AUTHORIZATION)?.to_str().ok()?;
        let (name, rest) = value.trim().split_once(' ')?;
        name.eq_ignore_ascii_case(scheme).then(|| rest.trim())
    }

    /// The value of a cookie.
    pub(super) fn cookie(&self, name: &str) -> Option<&str> {
        let headers = self.headers.get_all(header::COOKIE).into_iter();
        let pairs = headers
            .filter_map(|header| header.to_str().ok())
            .flat_map(|text| text.split(';'));
        pairs
            .filter_map(|pair| pair.trim().split_once('='))
            .find(|(known, _)| *known == name)
            .map(|(_, value)| value.trim_matches('"'))
    }

    /// The client that the request proves to come from (`ClientIdAndSecretAuthenticator`).
    pub(super) fn client<'s>(&self, server: &'s Server) -> Result<&'s Client, NoClient> {
        let basic = self.authorization("Basic").and_then(|text| {
            let text = String::from_utf8(STANDARD.decode(text).ok()?).ok()?;
            let (id, secret) = text.split_once(':')?;
            // Both are form-encoded (RFC 6749 section 2.3.1).
            let plain = |text: &str| {
                let text = text.replace('+', "%2B");
                url::form_urlencoded::parse(text.as_bytes())
                    .next()
                    .map_or_else(String::new, |(text, _)| text.into_owned())
            };
            Some((plain(id), plain(secret)))
        });
        let (id, secret) = match &basic {
            Some((id, secret)) => (id.as_str(), Some(secret.as_str())),
            None => (self.form.text("client_id"), self.form.get("client_secret")),
        };
        let client = server.realm.clients.get(id).filter(|client| client.enabled);
        let client = client.ok_or(NoClient::Unknown)?;
        if client.public {
            return Ok(client);
        }
        let proven = !client.bearer_only
            && client
                .secret
                .as_ref()
                .zip(secret)
                .is_some_and(|(known, given)| same(known, given));
        if proven {
            Ok(client)
        } else {
            Err(NoClient::Unproven)
        }
    }
}

/// Why a request comes from no client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum NoClient {
    Unknown,
    Unproven,
}

impl NoClient {
    pub(super) fn answer(self) -> Response {
        let code = match self {
            Self::Unknown => "invalid_client",
            Self::Unproven => "unauthorized_client",
        };
        refuse(
            StatusCode::UNAUTHORIZED,
            code,
            "Invalid client or Invalid client credentials",
        )
    }
}

/// An error as JSON.
pub(super) fn refuse(status: StatusCode, code: &'static str, description: &str) -> Response {
    OAuthError::new(code, description)
        .with_status(status)
        .into_response()
}

/// An error with status 400.
pub(super) fn bad(code: &'static str, description: &str) -> Response {
    refuse(StatusCode::BAD_REQUEST, code, description)
}
