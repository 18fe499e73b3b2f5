//! Endpoints that take a token: userinfo, introspection (RFC 7662), revocation (RFC 7009).

use axum::{
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse as _, Response},
};
use serde_json::{Map, Value, json};

use super::{
    claims::Claims,
    mappers::{Subject, Target},
    refresh::text,
    request::{Call, bad, refuse},
    server::Server,
    sessions::Session,
};

/// Whose a token is.
struct Holder {
    session: Option<Session>,
    user: usize,
    client: String,
}

fn holder(server: &Server, claims: &Map<String, Value>) -> Option<Holder> {
    let client = text(claims, "azp").to_owned();
    let (session, user) = match text(claims, "sid") {
        // A service account's token has no session.
        "" => (None, server.realm.service_account(&client)?),
        id => {
            let session = server.sessions.get(id, &server.realm.lifetimes)?;
            // An exchanged token belongs to a session that knows nothing of the client.
            if !is_exchanged(claims) {
                session.clients.get(&client)?;
            }
            let user = session.user;
            (Some(session), user)
        }
    };
    let user_enabled = server
        .realm
        .users
        .get(user)
        .is_some_and(|user| user.enabled);
    let client_enabled = server
        .realm
        .clients
        .get(&client)
        .is_some_and(|client| client.enabled);
    (user_enabled && client_enabled).then_some(Holder {
        session,
        user,
        client,
    })
}

/// Whether the token's name says that it came of an exchange that left nothing behind.
fn is_exchanged(claims: &Map<String, Value>) -> bool {
    let name = text(claims, "jti");
    name.starts_with("nt") || name.starts_with("ft")
}

/// Adds what the mappers give for the holder, by the scopes that the token has.
fn map(server: &Server, holder: &Holder, scope: &str, claims: &mut Claims, target: Target) {
    let client = server.realm.clients.get(&holder.client);
    let user = server.realm.users.get(holder.user);
    if let (Some(client), Some(user)) = (client, user) {
        let session = holder.session.as_ref();
        let subject = Subject {
            realm: &server.realm,
            client,
            user,
            scopes: server.realm.scopes_of(client, scope),
            session: session.map(|session| session.id.as_str()),
            acr: session
                .and_then(|session| session.clients.get(&client.id))
                .map_or("1", |client| client.acr),
            auth_time: session.and_then(|session| session.auth_time),
            peer: None,
        };
        subject.map(claims, target);
    }
}

/// `/userinfo` (OpenID Connect Core 1.0 section 5.3).
pub(super) fn userinfo(server: &Server, call: &Call) -> Response {
    let token = call
        .authorization("Bearer")
        .or_else(|| call.form.get("access_token"));
    let Some(token) = token else {
        return challenge(server, StatusCode::UNAUTHORIZED, None);
    };
    let invalid = |description| {
        challenge(
            server,
            StatusCode::UNAUTHORIZED,
            Some(("invalid_token", description)),
        )
    };
    let claims = match server.verify(token) {
        Ok(claims) if text(&claims, "typ") == "Bearer" => claims,
        _ => return invalid("Token verification failed"),
    };
    if !text(&claims, "scope")
        .split(' ')
        .any(|word| word == "openid")
    {
        return challenge(
            server,
            StatusCode::FORBIDDEN,
            Some(("insufficient_scope", "Missing openid scope")),
        );
    }
    let Some(holder) = holder(server, &claims) else {
        return invalid("user_session_not_found");
    };
    let mut info = Claims::default();
    map(
        server,
        &holder,
        text(&claims, "scope"),
        &mut info,
        Target::UserInfo,
    );
    if let Some(user) = server.realm.users.get(holder.user) {
        info.set("sub", user.id.as_str());
    }
    let mut info = info.finish();
    // A member of every token, and so none of the other claims that Keycloak tells here.
    info.remove("auth_time");
    ([(header::CACHE_CONTROL, "no-cache")], axum::Json(info)).into_response()
}

/// An error in the header that names the scheme (RFC 6750 section 3).
fn challenge(server: &Server, status: StatusCode, error: Option<(&str, &str)>) -> Response {
    let mut value = format!("Bearer realm=\"{}\"", server.realm.name);
    if let Some((code, description)) = error {
        value.push_str(&format!(
            ", error=\"{code}\", error_description=\"{description}\""
        ));
    }
    let value = HeaderValue::from_str(&value).unwrap_or(HeaderValue::from_static("Bearer"));
    let kind = HeaderValue::from_static("text/plain;charset=utf-8");
    (
        status,
        [
            (header::WWW_AUTHENTICATE, value),
            (header::CONTENT_TYPE, kind),
        ],
    )
        .into_response()
}

/// `/token/introspect`.
pub(super) fn introspect(server: &Server, call: &Call) -> Response {
    let refused = |status, description| refuse(status, "invalid_request", description);
    match call.client(server) {
        Err(_) => return refused(StatusCode::UNAUTHORIZED, "Authentication failed."),
        Ok(client) if client.public => {
            return refused(StatusCode::FORBIDDEN, "Client not allowed.");
        }
        Ok(_) => {}
    }
    let Some(token) = call.form.get("token") else {
        return refused(StatusCode::BAD_REQUEST, "Token not provided.");
    };
    let answer = describe(server, token).unwrap_or_else(|| json!({"active": false}));
    ([(header::CACHE_CONTROL, "no-cache")], axum::Json(answer)).into_response()
}

/// What an introspection takes from the token as it stands.
const STORED: [&str; 12] = [
    "jti", "typ", "sub", "iat", "exp", "azp", "iss", "nonce", "scope", "sid", "aud", "cnf",
];

/// What a token says, if it is good.
fn describe(server: &Server, token: &str) -> Option<Value> {
    let mut token = server.verify(token).ok()?;
    // All else is mapped anew (`AccessTokenIntrospectionProvider.getAccessTokenFromStoredData`).
    token.retain(|claim, _| STORED.contains(&claim.as_str()));
    let holder = holder(server, &token)?;
    let user = server.realm.users.get(holder.user)?;
    let (scope, kind) = (
        text(&token, "scope").to_owned(),
        text(&token, "typ").to_owned(),
    );
    let mut claims = Claims::of(token);
    map(server, &holder, &scope, &mut claims, Target::Introspection);
    claims.set("username", user.username.as_str());
    claims.set("client_id", holder.client.as_str());
    claims.set("token_type", kind);
    claims.set("active", true);
    Some(Value::Object(claims.finish()))
}

/// `/revoke`.
pub(super) fn revoke(server: &Server, call: &Call) -> Response {
    let client = match call.client(server) {
        Ok(client) => client,
        Err(error) => return error.answer(),
    };
    let Some(token) = call.form.get("token") else {
        return bad("invalid_request", "Token not provided");
    };
    let Ok(claims) = server.verify(token) else {
        return refuse(StatusCode::OK, "invalid_token", "Invalid token");
    };
    if text(&claims, "azp") != client.id {
        return bad("invalid_request", "Unmatching clients");
    }
    match text(&claims, "typ") {
        // Revoking a refresh token takes the client out of the session.
        "Refresh" | "Offline" => server
            .sessions
            .detach(text(&claims, "sid"), &client.id, true),
        _ => server.revoke(text(&claims, "jti")),
    }
    StatusCode::OK.into_response()
}
