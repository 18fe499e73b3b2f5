//! The paths under the issuer, and what every answer there has.

use std::sync::Arc;

use axum::{
    Router,
    body::to_bytes,
    extract::{Request, State},
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};

use super::{
    authorize, cors, device, go::form::Call, introspect, login, pages, request::DEVICE_CALLBACK,
    server::Server, token, userinfo,
};
use crate::oidc::{OAuthError, discovery::Document, html};

/// The longest form Go reads.
const BODY_LIMIT: usize = 10 << 20;

/// Everything the server answers.
pub(crate) fn router(server: Arc<Server>) -> Router {
    Router::new().fallback(serve).with_state(server)
}

async fn serve(State(server): State<Arc<Server>>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let body = to_bytes(body, BODY_LIMIT).await;
    let mut call = Call::new(
        parts.method,
        parts.uri,
        parts.headers,
        body.as_ref().unwrap_or(&Default::default()),
    );
    call.malformed |= body.is_err();
    let answer = match server.config.issuer.endpoint(call.uri.path()) {
        Some("/theme/styles.css") => return pages::style(),
        Some(endpoint) => route(&server, &call, endpoint).await,
        None => None,
    };
    match answer {
        Some(mut response) => {
            for (name, value) in &server.config.headers {
                response
                    .headers_mut()
                    .entry(name)
                    .or_insert_with(|| value.clone());
            }
            response
        }
        None => not_found(),
    }
}

/// The answer of an endpoint; none when there is no such endpoint.
async fn route(server: &Server, call: &Call, endpoint: &str) -> Option<Response> {
    Some(match endpoint {
        "/"
        | "/.well-known/openid-configuration"
        | "/keys"
        | "/token"
        | "/userinfo"
        | "/token/introspect" => {
            let preflight = cors::check(&server.config.cors, call);
            let response = match preflight.answer {
                Some(response) => response,
                None => public(server, call, endpoint).await,
            };
            preflight.headers.apply(response)
        }
        "/auth" => authorize::serve(server, call),
        "/approval" => login::approval(server, call),
        "/callback" => login::callback(server, call, None).await,
        "/device" => device::enter(server, call),
        "/device/code" => device::begin(server, call),
        "/device/auth/verify_code" => device::verify(server, call),
        DEVICE_CALLBACK => device::callback(server, call).await,
        "/healthz" => "Health check passed".into_response(),
        "/robots.txt" => "User-agent: *\nDisallow: /\n".into_response(),
        _ => match *endpoint.split('/').collect::<Vec<_>>() {
            ["", "auth", connector] if !connector.is_empty() => {
                authorize::begin(server, call, connector).await
            }
            ["", "auth", connector, "login"] if !connector.is_empty() => {
                login::password(server, call, connector).await
            }
            ["", "callback", connector] if !connector.is_empty() => {
                login::callback(server, call, Some(connector)).await
            }
            _ => return None,
        },
    })
}

/// The endpoints that scripts of other sites may call where the file says so.
async fn public(server: &Server, call: &Call, endpoint: &str) -> Response {
    match endpoint {
        "/.well-known/openid-configuration" => discovery(server),
        "/keys" => keys(server),
        "/token" => token::serve(server, call).await,
        "/userinfo" => userinfo::serve(server, call),
        "/token/introspect" => introspect::serve(server, call),
        _ => server.pages.home(
            &server
                .config
                .issuer
                .url("/.well-known/openid-configuration"),
        ),
    }
}

fn discovery(server: &Server) -> Response {
    let config = &server.config;
    let url = |endpoint| config.issuer.url(endpoint);
    let list = |names: &[&str]| {
        names
            .iter()
            .map(|&name| name.to_owned())
            .collect::<Vec<_>>()
    };
    json(&Document {
        issuer: config.issuer().to_owned(),
        authorization_endpoint: url("/auth"),
        token_endpoint: url("/token"),
        jwks_uri: url("/keys"),
        userinfo_endpoint: url("/userinfo"),
        device_authorization_endpoint: Some(url("/device/code")),
        introspection_endpoint: Some(url("/token/introspect")),
        end_session_endpoint: None,
        grant_types_supported: config.grant_types.clone(),
        response_types_supported: config.response_types.clone(),
        subject_types_supported: list(&["public"]),
        id_token_signing_alg_values_supported: list(&[server.store.keys.algorithm().name()]),
        code_challenge_methods_supported: config
            .pkce
            .methods
            .iter()
            .map(|m| m.name().to_owned())
            .collect(),
        scopes_supported: list(&["openid", "email", "groups", "profile", "offline_access"]),
        token_endpoint_auth_methods_supported: list(&["client_secret_basic", "client_secret_post"]),
        claims_supported: list(&[
            "iss",
            "sub",
            "aud",
            "iat",
            "exp",
            "email",
            "email_verified",
            "locale",
            "name",
            "preferred_username",
            "at_hash",
            "groups",
            "federated_claims",
        ]),
    })
}

fn keys(server: &Server) -> Response {
    let mut response = json(&server.store.keys.jwks());
    let lifetime = header::HeaderValue::from_static("max-age=600, must-revalidate");
    response
        .headers_mut()
        .insert(header::CACHE_CONTROL, lifetime);
    response
}

fn json<T: serde::Serialize>(value: &T) -> Response {
    match html::pretty_json(value) {
        Ok(text) => ([(header::CONTENT_TYPE, "application/json")], text).into_response(),
        Err(_) => OAuthError::internal().into_response(),
    }
}

/// What Go answers for a path nobody serves.
fn not_found() -> Response {
    let headers = [(header::X_CONTENT_TYPE_OPTIONS, "nosniff")];
    (StatusCode::NOT_FOUND, headers, "404 page not found\n").into_response()
}
