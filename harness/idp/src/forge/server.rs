//! What a relying party of the forge can fetch.

use std::{net::TcpListener, sync::Arc};

use authlab_pki::{Algorithm, Certificate, tls};
use axum::{
    Json, Router,
    http::header,
    response::{IntoResponse as _, Response},
    routing::get,
};
use serde_json::{Value, json};
use tokio::{sync::oneshot, task::JoinHandle};
use url::Url;

use super::{ForgeError, State};

/// The routes below the issuer's path.
pub(super) fn router(state: Arc<State>) -> Result<Router, ForgeError> {
    let refused = || ForgeError::Issuer(state.issuer.clone());
    let issuer = Url::parse(&state.issuer).map_err(|_| refused())?;
    if issuer.scheme() != "https" {
        return Err(refused());
    }
    let path = issuer.path().trim_end_matches('/');
    let discovery = discovery(&state.issuer);
    Ok(Router::new()
        .route(
            &format!("{path}/.well-known/openid-configuration"),
            get(|| async { fresh(discovery) }),
        )
        .route(
            &format!("{path}/keys"),
            get(|| async move { fresh(state.key_set()) }),
        ))
}

/// Serves until `stopped` is sent or its sender is gone.
pub(super) fn serve(
    listener: TcpListener,
    certificate: &Certificate,
    app: Router,
    stopped: oneshot::Receiver<()>,
) -> Result<JoinHandle<()>, ForgeError> {
    let config = certificate.server_config(None)?;
    listener.set_nonblocking(true)?;
    let listener = tls::Listener::new(tokio::net::TcpListener::from_std(listener)?, config);
    Ok(tokio::spawn(async move {
        let stopped = async {
            let _ = stopped.await;
        };
        // Ends by the signal only: a listener retries what fails.
        let _ = axum::serve(listener, app)
            .with_graceful_shutdown(stopped)
            .await;
    }))
}

/// The members that relying parties without a login need (OpenID Connect Discovery 1.0 section 3); there is no
/// authorization endpoint.
fn discovery(issuer: &str) -> Value {
    json!({
        "issuer": issuer,
        "jwks_uri": format!("{}/keys", issuer.trim_end_matches('/')),
        "response_types_supported": ["id_token"],
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": Algorithm::ALL,
    })
}

/// Not to be cached: a key set grows with what is asked of the forge.
fn fresh(body: Value) -> Response {
    ([(header::CACHE_CONTROL, "no-store")], Json(body)).into_response()
}
