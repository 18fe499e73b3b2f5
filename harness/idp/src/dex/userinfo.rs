//! The claims of whoever holds a token (OpenID Connect Core 1.0 section 5.3). To Dex that is any token it signed.

use std::time::{SystemTime, UNIX_EPOCH};

use axum::{
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use serde_json::{Map, Value};

use super::{go::form::Call, server::Server};
use crate::oidc::OAuthError;

/// How far a token's `nbf` may lie ahead, in seconds.
const LEEWAY: f64 = 300.0;

/// A token of this server whose signature holds: its claims and their text.
pub(crate) struct Verified {
    pub claims: Map<String, Value>,
    text: Vec<u8>,
}

/// Checks signature and issuer. Dex does so with RS256 only, whatever it signs with.
pub(crate) fn verify(server: &Server, token: &str) -> Option<Verified> {
    let algorithm = authlab_pki::jws::Compact::parse(token)
        .ok()?
        .algorithm()
        .ok()?;
    if algorithm != authlab_pki::Algorithm::RS256 {
        return None;
    }
    let text = server.store.keys.verify(token)?;
    let claims: Map<String, Value> = serde_json::from_slice(&text).ok()?;
    let ours = claims.get("iss").and_then(Value::as_str) == Some(server.config.issuer());
    ours.then_some(Verified { claims, text })
}

impl Verified {
    /// Whether the token is good at this moment.
    pub(crate) fn is_current(&self) -> bool {
        let now = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .map_or(0.0, |since| since.as_secs_f64());
        let time = |claim| self.claims.get(claim).and_then(Value::as_f64);
        time("exp").is_some_and(|expiry| expiry >= now)
            && time("nbf").is_none_or(|start| start <= now + LEEWAY)
    }
}

/// `/userinfo`.
pub(crate) fn serve(server: &Server, call: &Call) -> Response {
    let refused =
        |status| OAuthError::new("access_denied", "Invalid bearer token.").with_status(status);
    let header = call
        .headers
        .get(header::AUTHORIZATION)
        .map(HeaderValue::as_bytes);
    let token = header
        .and_then(|value| std::str::from_utf8(value).ok())
        .and_then(|value| value.split_at_checked(7))
        .filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer "));
    let Some((_, token)) = token else {
        let challenge = [(header::WWW_AUTHENTICATE, "Bearer")];
        return (challenge, refused(StatusCode::UNAUTHORIZED)).into_response();
    };
    match verify(server, token).filter(Verified::is_current) {
        Some(token) => ([(header::CONTENT_TYPE, "application/json")], token.text).into_response(),
        None => refused(StatusCode::FORBIDDEN).into_response(),
    }
}
