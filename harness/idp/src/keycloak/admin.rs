//! The one read of the admin API: what a realm is set to (`RealmAdminResource`).

use axum::{
    http::{StatusCode, header},
    response::{IntoResponse as _, Response},
};
use serde_json::{Map, Value, json};

use super::{refresh::text, request::Call, server::Server};

/// Roles of the client `realm-management` that may read the realm.
const READERS: [&str; 2] = ["view-realm", "manage-realm"];

/// `GET /admin/realms/<realm>`, for tokens of this realm.
pub(super) fn realm(server: &Server, call: &Call, name: &str) -> Response {
    let token = call.authorization("Bearer");
    let claims = token.and_then(|token| server.verify(token).ok());
    let claims = claims.filter(|claims| text(claims, "typ") == "Bearer");
    let Some(claims) = claims else {
        return refused(StatusCode::UNAUTHORIZED, "HTTP 401 Unauthorized");
    };
    if name != server.realm.name {
        return refused(StatusCode::NOT_FOUND, "Realm not found.");
    }
    if !may_read(&claims) {
        return refused(StatusCode::FORBIDDEN, "HTTP 403 Forbidden");
    }
    let headers = [
        (header::CACHE_CONTROL, "no-cache"),
        (header::CONTENT_TYPE, "application/json;charset=UTF-8"),
    ];
    (headers, settings(server).to_string()).into_response()
}

fn refused(status: StatusCode, error: &str) -> Response {
    (status, axum::Json(json!({ "error": error }))).into_response()
}

fn may_read(claims: &Map<String, Value>) -> bool {
    let roles = claims
        .get("resource_access")
        .map(|access| &access["realm-management"]["roles"]);
    let roles = roles.and_then(Value::as_array).into_iter().flatten();
    roles
        .filter_map(Value::as_str)
        .any(|role| READERS.contains(&role))
}

/// What is known here of the realm; a real one tells more.
fn settings(server: &Server) -> Value {
    let realm = &server.realm;
    let lifetimes = &realm.lifetimes;
    json!({
        "realm": realm.name,
        "enabled": realm.enabled,
        "defaultSignatureAlgorithm": realm.algorithm.name(),
        "revokeRefreshToken": realm.revoke_refresh.is_some(),
        "refreshTokenMaxReuse": realm.revoke_refresh.unwrap_or_default(),
        "loginWithEmailAllowed": realm.login_with_email,
        "accessTokenLifespan": lifetimes.access,
        "ssoSessionIdleTimeout": lifetimes.session_idle,
        "ssoSessionMaxLifespan": lifetimes.session_max,
        "clientSessionIdleTimeout": lifetimes.client_idle,
        "clientSessionMaxLifespan": lifetimes.client_max,
        "offlineSessionIdleTimeout": lifetimes.offline_idle,
        "offlineSessionMaxLifespanEnabled": lifetimes.offline_max.is_some(),
        "accessCodeLifespan": lifetimes.code,
        "accessCodeLifespanLogin": lifetimes.login,
        "oauth2DeviceCodeLifespan": lifetimes.device,
        "oauth2DevicePollingInterval": lifetimes.device_interval,
    })
}
