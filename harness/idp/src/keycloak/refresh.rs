//! Refresh tokens (`TokenManager.refreshAccessToken`).

use axum::response::Response;
use serde_json::{Map, Value};

use super::{
    issue::{Grant, tokens},
    realm::Client,
    request::{Call, bad},
    server::{Server, Unverified},
    sessions::Reused,
};

/// The claims of a token of this server by which a session goes on.
pub(super) fn read(server: &Server, token: &str) -> Result<Map<String, Value>, &'static str> {
    let claims = server.verify(token).map_err(|error| match error {
        Unverified::Foreign => "Invalid refresh token",
        Unverified::Expired => "Token is not active",
    })?;
    match text(&claims, "typ") {
        "Refresh" | "Offline" => Ok(claims),
        _ => Err("Invalid refresh token"),
    }
}

pub(super) fn text<'c>(claims: &'c Map<String, Value>, name: &str) -> &'c str {
    claims.get(name).and_then(Value::as_str).unwrap_or_default()
}

/// The grant.
pub(super) fn serve(server: &Server, call: &Call, client: &Client) -> Response {
    let refused = |description: &str| bad("invalid_grant", description);
    let Some(token) = call.form.get("refresh_token") else {
        return bad("invalid_request", "No refresh token");
    };
    let asked = call.form.text("scope");
    if !asked.is_empty() && !server.realm.allows(client, asked) {
        return bad("invalid_scope", &format!("Invalid scopes: {asked}"));
    }
    let claims = match read(server, token) {
        Ok(claims) => claims,
        Err(description) => return refused(description),
    };
    if text(&claims, "azp") != client.id {
        return refused("Invalid refresh token. Token client and authorized client don't match");
    }
    let id = text(&claims, "sid");
    let Some(session) = server.sessions.get(id, &server.realm.lifetimes) else {
        return refused(match text(&claims, "typ") {
            "Offline" => "Offline user session not found",
            _ => "Session not active",
        });
    };
    if server
        .realm
        .users
        .get(session.user)
        .is_none_or(|user| !user.enabled)
    {
        return refused("User disabled");
    }
    if !session.clients.contains_key(&client.id) {
        return refused("Session doesn't have required client");
    }
    let granted = text(&claims, "scope");
    if let Some(most) = server.realm.revoke_refresh {
        let chain = text(&claims, "reuse_id");
        let issued = claims
            .get("iat")
            .and_then(Value::as_i64)
            .unwrap_or_default();
        let use_of = (chain, text(&claims, "jti"), issued);
        if let Err(error) = server.sessions.reuse(id, &client.id, use_of, most) {
            server.sessions.detach(id, &client.id, false);
            return refused(match error {
                Reused::Stale => "Stale token",
                Reused::TooOften => "Maximum allowed refresh token reuse exceeded",
            });
        }
    }
    // Less than what was granted may be asked for; the new refresh token is as good as the old one.
    let scope = match asked {
        "" => granted.to_owned(),
        asked => {
            let wanted: Vec<_> = asked.split(' ').collect();
            granted
                .split(' ')
                .filter(|name| wanted.contains(name))
                .collect::<Vec<_>>()
                .join(" ")
        }
    };
    let session = server
        .sessions
        .get(id, &server.realm.lifetimes)
        .unwrap_or(session);
    let grant = Grant {
        client,
        kind: "rt",
        scope: &scope,
        // A refreshed ID token has none (OpenID Connect Core 1.0 section 12.2).
        nonce: None,
        refresh_scope: Some(granted),
        reuse_id: claims.get("reuse_id").and_then(Value::as_str),
        transient: None,
        exchange: None,
    };
    tokens(server, session, &grant)
}
