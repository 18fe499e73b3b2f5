//! The paths of the server, and what every answer there has.

use std::sync::Arc;

use authlab_pki::tls::Peer;
use axum::{
    Router,
    body::to_bytes,
    extract::{ConnectInfo, Request, State},
    http::{HeaderValue, Method, StatusCode, header},
    response::{IntoResponse as _, Response},
};
use serde_json::json;

use super::{
    admin, authorize, consent, device, discovery, grants, inspect, login, logout,
    mappers::web_origins,
    request::{Call, refuse},
    server::Server,
    unasked,
};

/// The longest form that is read.
const BODY_LIMIT: usize = 1 << 20;

/// Everything the server answers.
pub(super) fn router(server: Arc<Server>) -> Router {
    Router::new().fallback(serve).with_state(server)
}

async fn serve(State(server): State<Arc<Server>>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let Ok(body) = to_bytes(body, BODY_LIMIT).await else {
        return StatusCode::PAYLOAD_TOO_LARGE.into_response();
    };
    let peer = parts.extensions.get::<ConnectInfo<Peer>>();
    let peer = peer.map_or(String::new(), |peer| peer.0.addr.ip().to_string());
    let call = Call::new(parts.method, &parts.uri, parts.headers, &body, peer);
    let mut response = route(&server, &call, parts.uri.path());
    allow_scripts(&server, &call, &mut response);
    response
}

fn route(server: &Server, call: &Call, path: &str) -> Response {
    if let (Some(name), true) = (
        path.strip_prefix("/admin/realms/"),
        call.method == Method::GET,
    ) && !name.contains('/')
    {
        return admin::realm(server, call, name);
    }
    let rest = path
        .strip_prefix("/realms/")
        .map(|rest| rest.split_once('/').unwrap_or((rest, "")));
    let Some((realm, path)) = rest else {
        return missing("Unable to find matching target resource method");
    };
    if realm != server.realm.name {
        return missing("Realm does not exist");
    }
    if !server.realm.enabled {
        return refuse(StatusCode::FORBIDDEN, "access_denied", "Realm not enabled");
    }
    let path = path.trim_end_matches('/');
    let (get, post) = (call.method == Method::GET, call.method == Method::POST);
    match path
        .strip_prefix("protocol/openid-connect/")
        .unwrap_or(path)
    {
        "" if get => discovery::realm(server),
        ".well-known/openid-configuration" if get => discovery::document(server),
        "certs" if get => discovery::certs(server),
        "token" | "revoke" | "userinfo" | "certs" if call.method == Method::OPTIONS => {
            StatusCode::OK.into_response()
        }
        "token" if post => unkept(grants::serve(server, call)),
        "token/introspect" if post => inspect::introspect(server, call),
        "revoke" if post => inspect::revoke(server, call),
        "userinfo" if get || post => inspect::userinfo(server, call),
        "auth" if get || post => authorize::serve(server, call),
        "login-actions/authenticate" => login::authenticate(server, call),
        "auth/device" if post => device::start(server, call),
        "device" if get || post => device::page(server, call),
        "device/status" if get => device::status(server, call),
        "login-actions/required-action" if get => consent::question(server, call),
        "login-actions/consent" if post => consent::take(server, call),
        "ext/ciba/auth" if post => unasked::begin(server, call),
        "logout" | "logout/logout-confirm" if get || post => logout::serve(server, call),
        ""
        | ".well-known/openid-configuration"
        | "certs"
        | "token"
        | "token/introspect"
        | "revoke"
        | "userinfo"
        | "auth"
        | "auth/device"
        | "device"
        | "ext/ciba/auth"
        | "logout" => (
            StatusCode::METHOD_NOT_ALLOWED,
            axum::Json(json!({"error": "HTTP 405 Method Not Allowed"})),
        )
            .into_response(),
        "ext/par/request" | "login-status-iframe.html" => {
            let message = format!("{path}: the embedded Keycloak does not have this endpoint yet");
            refuse(StatusCode::NOT_IMPLEMENTED, "server_error", &message)
        }
        _ => missing("HTTP 404 Not Found"),
    }
}

fn missing(error: &str) -> Response {
    (StatusCode::NOT_FOUND, axum::Json(json!({ "error": error }))).into_response()
}

/// Nobody is to keep what the token endpoint says, its errors included (RFC 6749 section 5.1).
fn unkept(mut response: Response) -> Response {
    let headers = response.headers_mut();
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(header::PRAGMA, HeaderValue::from_static("no-cache"));
    response
}

/// Lets scripts of other sites read the answer: of any site where nothing is secret, else of those of a client.
fn allow_scripts(server: &Server, call: &Call, response: &mut Response) {
    let Some(origin) = call
        .headers
        .get(header::ORIGIN)
        .and_then(|origin| origin.to_str().ok())
    else {
        return;
    };
    let known = server.realm.clients.values().any(|client| {
        web_origins(client)
            .iter()
            .any(|allowed| allowed == "*" || allowed == origin)
    });
    if let (true, Ok(value)) = (known, HeaderValue::from_str(origin)) {
        response
            .headers_mut()
            .insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, value);
        response.headers_mut().insert(
            header::ACCESS_CONTROL_ALLOW_CREDENTIALS,
            HeaderValue::from_static("true"),
        );
    }
}
