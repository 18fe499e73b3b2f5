//! Grants that clusters have no use for, as a Keycloak answers that has not been told how: logins that the client begins
//! (CIBA) without a way to ask the user, and permissions (UMA) of clients without any.

use axum::{http::StatusCode, response::Response};

use super::{
    realm::Client,
    request::{Call, NoClient, bad, refuse},
    server::Server,
};

fn begins_logins(client: &Client) -> bool {
    client.attribute("oidc.ciba.grant.enabled") == Some("true")
}

const NOT_ALLOWED: &str = "Client not allowed OIDC CIBA Grant";

/// `/ext/ciba/auth` (OpenID Connect CIBA Core 1.0 section 7).
pub(super) fn begin(server: &Server, call: &Call) -> Response {
    let client = match call.client(server) {
        Ok(client) => client,
        Err(error) => return NoClient::answer(error),
    };
    if !begins_logins(client) {
        return refuse(StatusCode::UNAUTHORIZED, "invalid_grant", NOT_ALLOWED);
    }
    let Some(hint) = call.form.get("login_hint") else {
        return bad("invalid_request", "missing parameter : login_hint");
    };
    if call.form.get("scope").is_none() {
        return bad("invalid_request", "missing parameter : scope");
    }
    if server.realm.user(hint).is_none() {
        return bad("invalid_request", "invalid user");
    }
    let message = "Failed to send authentication request";
    refuse(StatusCode::SERVICE_UNAVAILABLE, "server_error", message)
}

/// The grant of such a login, which never is there.
pub(super) fn begun(_: &Server, call: &Call, client: &Client) -> Response {
    if !begins_logins(client) {
        return bad("invalid_grant", NOT_ALLOWED);
    }
    match call.form.get("auth_req_id") {
        None => bad("invalid_request", "Missing parameter: auth_req_id"),
        Some(_) => bad("invalid_grant", "Invalid Auth Req ID"),
    }
}

/// The grant of permissions (UMA 2.0 section 3.3), of clients that have none.
pub(super) fn permissions(server: &Server, call: &Call, client: &Client) -> Response {
    let refused = |message| refuse(StatusCode::UNAUTHORIZED, "unauthorized_client", message);
    if client.public {
        return refused("Public client not allowed to retrieve service account");
    }
    if !client.service_account {
        return refused("Client not enabled to retrieve service account");
    }
    match call.form.get("audience") {
        None => bad("invalid_request", "You must provide the issuedFor"),
        Some(audience) if server.realm.clients.contains_key(audience) => {
            bad("invalid_request", "Client does not support permissions")
        }
        Some(audience) => {
            let message = format!("Unknown resource server id: [{audience}]");
            bad("invalid_request", &message)
        }
    }
}
