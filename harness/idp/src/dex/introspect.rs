//! What a token is worth (RFC 7662). Dex tells everybody.

use authlab_pki::{Algorithm, jws::Compact};
use axum::{
    http::{Method, StatusCode, header},
    response::{IntoResponse, Response},
};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::{
    go::{form::Call, quote::quote},
    issue::unix,
    pair,
    server::Server,
    userinfo,
};
use crate::oidc::{OAuthError, html};

/// The members in the order in which Dex writes them.
#[derive(Serialize)]
struct Introspection {
    active: bool,
    client_id: String,
    sub: String,
    exp: i64,
    iat: i64,
    nbf: i64,
    #[serde(skip_serializing_if = "String::is_empty")]
    username: String,
    aud: Value,
    iss: String,
    token_type: &'static str,
    token_use: &'static str,
    ext: Told,
}

/// Claims that are told.
#[derive(Default, Serialize, Deserialize)]
#[serde(default)]
struct Told {
    #[serde(skip_serializing_if = "Option::is_none")]
    azp: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    email: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    email_verified: Option<bool>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    groups: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    preferred_username: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    federated_claims: Option<Value>,
}

/// `/token/introspect`.
pub(crate) fn serve(server: &Server, call: &Call) -> Response {
    match introspect(server, call) {
        Ok(Some(answer)) => {
            let kind = [(header::CONTENT_TYPE, "application/json")];
            (kind, html::json(&answer).unwrap_or_default()).into_response()
        }
        Ok(None) => {
            let headers = [
                (header::CONTENT_TYPE, "application/json"),
                (header::CACHE_CONTROL, "no-store"),
                (header::PRAGMA, "no-cache"),
            ];
            (headers, "{\"active\":false}\n").into_response()
        }
        Err(error) => error.into_response(),
    }
}

/// What there is to say about the token of a request; nothing about one that is not valid.
fn introspect(server: &Server, call: &Call) -> Result<Option<Introspection>, OAuthError> {
    let bad = |message: String| Err(OAuthError::new("invalid_request", message));
    if call.method != Method::POST {
        let method = quote(call.method.as_str());
        return bad(format!("HTTP method is {method}, expected \"POST\"."));
    }
    if call.malformed {
        let hint = "make sure to send a properly formatted form request body.";
        return bad(format!("Unable to parse HTTP body, {hint}"));
    }
    if call.body.is_empty() {
        return bad("The POST body can not be empty.".to_owned());
    }
    if !call.body.has("token") {
        return bad("The POST body doesn't contain 'token' parameter.".to_owned());
    }
    let token = call.body.get("token");
    if is_jwt(token) {
        access_token(server, token)
    } else {
        Ok(refresh_token(server, token))
    }
}

/// Whether a token looks like one of those Dex signs by default; it takes any other for a refresh token.
fn is_jwt(token: &str) -> bool {
    Compact::parse(token).is_ok_and(|token| {
        let unsigned = token.header.get("alg").and_then(Value::as_str) == Some("none");
        let known = unsigned
            || token
                .algorithm()
                .is_ok_and(|known| known == Algorithm::RS256);
        known && serde_json::from_slice::<Map<String, Value>>(&token.payload).is_ok()
    })
}

fn access_token(server: &Server, token: &str) -> Result<Option<Introspection>, OAuthError> {
    let Some(token) = userinfo::verify(server, token).filter(userinfo::Verified::is_current) else {
        return Ok(None);
    };
    let claims = &token.claims;
    let text = |name: &str| claims.get(name).and_then(Value::as_str).unwrap_or_default();
    let time = |name: &str| claims.get(name).and_then(Value::as_i64).unwrap_or_default();
    let audience = claims.get("aud").cloned().unwrap_or_default();
    let client_id = match &audience {
        Value::Array(many) if many.len() != 1 => text("azp"),
        Value::Array(one) => one.first().and_then(Value::as_str).unwrap_or_default(),
        one => one.as_str().unwrap_or_default(),
    };
    if !server.config.clients.contains_key(client_id) {
        let message = "error while fetching client from storage";
        server.journal.error(message, "not found");
        let error = OAuthError::new("server_error", "");
        return Err(error.with_status(StatusCode::INTERNAL_SERVER_ERROR));
    }
    Ok(Some(Introspection {
        active: true,
        client_id: client_id.to_owned(),
        sub: text("sub").to_owned(),
        exp: time("exp"),
        iat: time("iat"),
        nbf: time("iat"),
        username: text("preferred_username").to_owned(),
        aud: audience.clone(),
        iss: server.config.issuer().to_owned(),
        token_type: "Bearer",
        token_use: "access_token",
        ext: serde_json::from_value(Value::Object(claims.clone())).unwrap_or_default(),
    }))
}

fn refresh_token(server: &Server, token: &str) -> Option<Introspection> {
    let policy = &server.config.refresh;
    let found = server.store.refresh.find(token, None, policy).ok()?;
    let (auth, created) = (&found.auth, found.created);
    let identity = &auth.identity;
    let filled = |text: &String| Some(text.clone()).filter(|text| !text.is_empty());
    Some(Introspection {
        active: true,
        client_id: auth.client_id.clone(),
        sub: pair::encode(&identity.user_id, &auth.connector),
        exp: unix(policy.absolute_lifetime.after(created)),
        iat: unix(created),
        nbf: unix(created),
        username: identity.preferred_username.clone(),
        aud: auth.client_id.clone().into(),
        iss: server.config.issuer().to_owned(),
        token_type: "Bearer",
        token_use: "refresh_token",
        ext: Told {
            email: filled(&identity.email),
            email_verified: Some(identity.email_verified),
            groups: identity.groups.clone(),
            name: filled(&identity.name),
            preferred_username: filled(&identity.preferred_username),
            ..Told::default()
        },
    })
}
