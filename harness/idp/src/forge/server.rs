//! What a relying party of the forge can fetch, and what it gets while something is wrong.

use std::sync::Arc;

use authlab_pki::Algorithm;
use axum::{
    Json, Router,
    extract::Path,
    http::{HeaderMap, StatusCode, header},
    response::{Html, IntoResponse, Redirect, Response},
    routing::get,
};
use secrecy::ExposeSecret as _;
use serde_json::{Value, json};
use url::Url;

use super::{ForgeError, State};
use crate::fault::{DiscoveryFault, Fault, HttpStatus, JwksFault};

/// Of a discovery document that is far larger than anybody expects.
const HUGE: usize = 4 << 20;

/// The routes below the issuer's path.
pub(super) fn router(state: &Arc<State>) -> Result<Router, ForgeError> {
    let refused = || ForgeError::Issuer(state.issuer.clone());
    let issuer = Url::parse(&state.issuer).map_err(|_| refused())?;
    if issuer.scheme() != "https" {
        return Err(refused());
    }
    let path = issuer.path().trim_end_matches('/');
    let [for_discovery, for_keys, for_claims] = [(); 3].map(|()| Arc::clone(state));
    Ok(Router::new()
        .route(
            &format!("{path}/.well-known/openid-configuration"),
            get(async move || discovery(&for_discovery).await),
        )
        .route(
            &format!("{path}/keys"),
            get(async move || keys(&for_keys).await),
        )
        .route(
            &format!("{path}/claims/{{id}}"),
            get(async move |Path(id): Path<String>, headers: HeaderMap| {
                claims(&for_claims, &id, &headers)
            }),
        )
        .route(
            &format!("{path}/login"),
            get(async || Html("<!doctype html><title>Log in</title><p>Who are you?</p>")),
        ))
}

async fn discovery(state: &State) -> Response {
    let mut document = document(&state.issuer);
    let fault = state.fault();
    if let Some(Fault::Discovery(fault)) = fault {
        match fault {
            DiscoveryFault::Status(status) => return failure(status),
            DiscoveryFault::Slow => state.changed().await,
            DiscoveryFault::Huge => document["padding"] = json!(" ".repeat(HUGE)),
            DiscoveryFault::WrongIssuer => {
                document["issuer"] = json!(format!("{}/other", base(&state.issuer)));
            }
            DiscoveryFault::Redirect => {
                let page = format!("{}/login", base(&state.issuer));
                return Redirect::to(&page).into_response();
            }
        }
    }
    fresh(document)
}

async fn keys(state: &State) -> Response {
    let mut keys = state.keys.set();
    if let Some(Fault::Jwks(fault)) = state.fault() {
        match fault {
            JwksFault::Status(status) => return failure(status),
            JwksFault::Slow => state.changed().await,
            JwksFault::Empty => keys.clear(),
            JwksFault::WrongKid => {
                for key in &mut keys {
                    let kid = key["kid"].as_str().unwrap_or_default();
                    key["kid"] = json!(format!("{kid}-other"));
                }
            }
        }
    }
    fresh(json!({ "keys": keys }))
}

/// A token with claims of another one, for whoever has its bearer token.
fn claims(state: &State, id: &str, headers: &HeaderMap) -> Response {
    let shown = headers.get(header::AUTHORIZATION);
    let shown = shown.and_then(|shown| shown.to_str().ok());
    let bearer = shown.and_then(|shown| shown.strip_prefix("Bearer "));
    match state.elsewhere.token(id, bearer) {
        Some(token) => {
            let kind = [(header::CONTENT_TYPE, "application/jwt")];
            (kind, token.expose_secret().to_owned()).into_response()
        }
        None => StatusCode::UNAUTHORIZED.into_response(),
    }
}

/// The members that relying parties without a login need (OpenID Connect Discovery 1.0 section 3); there is no
/// authorization endpoint.
fn document(issuer: &str) -> Value {
    json!({
        "issuer": issuer,
        "jwks_uri": format!("{}/keys", base(issuer)),
        "response_types_supported": ["id_token"],
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": Algorithm::ALL,
    })
}

fn base(issuer: &str) -> &str {
    issuer.trim_end_matches('/')
}

/// Not to be cached: a key set grows with what is asked of the forge.
fn fresh(body: Value) -> Response {
    ([(header::CACHE_CONTROL, "no-store")], Json(body)).into_response()
}

fn failure(status: HttpStatus) -> Response {
    let status = StatusCode::from_u16(status.code()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    (status, "out of order").into_response()
}
