//! Ends sessions (OpenID Connect RP-Initiated Logout 1.0, and Keycloak's own form with a refresh token).

use std::time::{Duration, SystemTime};

use axum::{
    http::{HeaderValue, Method, StatusCode, header},
    response::{IntoResponse as _, Response},
};

use super::{
    login, pages, redirect,
    refresh::{read, text},
    request::{Call, NoClient, bad},
    server::{Server, Unverified},
};
use crate::oidc::random;

/// How long the question whether to log out stands.
const PATIENCE: Duration = Duration::from_secs(300);

/// `/logout`.
pub(super) fn serve(server: &Server, call: &Call) -> Response {
    let mut answer = match call.form.get("refresh_token") {
        Some(token) if call.method == Method::POST => by_token(server, call, token),
        _ => by_browser(server, call),
    };
    answer
        .headers_mut()
        .insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    answer
}

/// A client ends the session that its refresh token is of.
fn by_token(server: &Server, call: &Call, token: &str) -> Response {
    let client = match call.client(server) {
        Ok(client) => client,
        Err(error) => return NoClient::answer(error),
    };
    let claims = match read(server, token) {
        Ok(claims) => claims,
        Err(description) => return bad("invalid_grant", description),
    };
    if text(&claims, "azp") != client.id {
        let message = "Invalid refresh token. Token client and authorized client don't match";
        return bad("invalid_grant", message);
    }
    server.sessions.remove(text(&claims, "sid"));
    StatusCode::NO_CONTENT.into_response()
}

/// Asks the user, for anybody could have sent the browser here.
fn ask(server: &Server, client: &str) -> Response {
    let code = random::identifier();
    server
        .logouts
        .insert(code.clone(), SystemTime::now() + PATIENCE, ());
    let query = url::form_urlencoded::Serializer::new(String::new())
        .extend_pairs([("client_id", client), ("tab_id", &random::identifier())])
        .finish();
    let realm = &server.realm.name;
    let action = format!("/realms/{realm}/protocol/openid-connect/logout/logout-confirm?{query}");
    let mut answer = pages::logout(server, &action, &code);
    pages::cookie(
        server,
        &mut answer,
        "AUTH_SESSION_ID",
        &random::uuid(),
        ";HttpOnly",
    );
    answer
}

/// A browser is sent here, with a token of the session or without.
fn by_browser(server: &Server, call: &Call) -> Response {
    let params = if call.method == Method::POST {
        &call.form
    } else {
        &call.query
    };
    let error = |message: &str| pages::error(server, StatusCode::BAD_REQUEST, message);
    let hint = match params
        .get("id_token_hint")
        .map(|token| server.verify(token))
    {
        None => None,
        Some(Ok(claims)) if text(&claims, "typ") == "ID" => Some(claims),
        // Keycloak takes an expired one as well; ours does not keep what it said.
        Some(Err(Unverified::Expired)) => None,
        Some(_) => return error("Invalid parameter: id_token_hint"),
    };
    let client = match (params.get("client_id"), &hint) {
        (Some(id), _) => Some(id),
        (None, Some(claims)) => Some(text(claims, "azp")),
        (None, None) => None,
    };
    let client = client.and_then(|id| server.realm.clients.get(id));
    let target = params.get("post_logout_redirect_uri");
    match (target, client) {
        (Some(_), None) => {
            return error(
                "Either the parameter 'client_id' or the parameter 'id_token_hint' is required when 'post_logout_redirect_uri' is used.",
            );
        }
        (Some(target), Some(client))
            if !redirect::is_valid_after_logout(server, client, target) =>
        {
            return error("Invalid redirect uri");
        }
        _ => {}
    }
    let Some(claims) = hint else {
        if server.logouts.remove(call.form.text("session_code")) {
            if let Some(session) = login::session(server, call) {
                server.sessions.remove(&session.id);
            }
            let mut answer = pages::logged_out(server);
            login::forget(server, &mut answer);
            return answer;
        }
        return ask(server, client.map_or("", |client| &client.id));
    };
    let cookie = login::session(server, call);
    server.sessions.remove(text(&claims, "sid"));
    let mut answer = match target {
        Some(target) => {
            let state = params.get("state").map_or(String::new(), |state| {
                let state = url::form_urlencoded::Serializer::new(String::new())
                    .append_pair("state", state)
                    .finish();
                format!("{}{state}", if target.contains('?') { '&' } else { '?' })
            });
            pages::redirect(&format!("{target}{state}"))
        }
        None => pages::logged_out(server),
    };
    if cookie.is_some() {
        login::forget(server, &mut answer);
    }
    answer
}
