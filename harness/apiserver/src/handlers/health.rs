//! Health, version, metrics, and the discovery of the service-account issuer.

use axum::response::{IntoResponse, Response};
use http::{StatusCode, header};
use serde_json::{Value, json};

use crate::call::Call;
use crate::negotiate;
use crate::status::Status;

/// The version modelled.
pub(crate) const GIT_VERSION: &str = "v1.36.3";

/// The media type of key sets (RFC 7517 section 8.5), and the only one they are served as.
const KEY_SET: &str = "application/jwk-set+json";

pub(super) fn serve(call: &Call) -> Option<Response> {
    let path = call.info.path.as_str();
    // Of the single checks those that mean something here.
    let single = ["", "/ping", "/log", "/etcd"];
    for check in ["/healthz", "/livez", "/readyz"] {
        let rest = path.strip_prefix(check);
        let rest = rest.map(|rest| rest.trim_end_matches('/'));
        if rest.is_some_and(|rest| single.contains(&rest)) {
            return Some(health(call, path));
        }
    }
    match path.trim_end_matches('/') {
        "/version" => Some(pretty(&version())),
        "/metrics" => {
            let server = format!("https://{}", call.cluster.address);
            let chain = call.cluster.chain();
            let fetches = chain.configuration.issuers.fetches().all();
            call.cluster.metrics.key_sets(&server, &fetches);
            Some(text(call.cluster.metrics.text()))
        }
        "/.well-known/openid-configuration" => Some(cached(
            json!(configuration(call)).to_string(),
            "application/json",
        )),
        "/openid/v1/jwks" if !negotiate::takes(call, KEY_SET) => {
            Some(Status::not_acceptable(KEY_SET).into_response())
        }
        "/openid/v1/jwks" => {
            let keys = call.cluster.tokens.jwks().to_string();
            Some(cached(keys, KEY_SET))
        }
        _ => None,
    }
}

fn health(call: &Call, path: &str) -> Response {
    if !call.query.flag("verbose") && call.query.get("verbose").is_none() {
        return text("ok".to_owned());
    }
    let check = path.trim_start_matches('/');
    text(format!("[+]ping ok\n{check} check passed\n"))
}

fn version() -> Value {
    json!({
        "major": "1",
        "minor": "36",
        "emulationMajor": "1",
        "emulationMinor": "36",
        "minCompatibilityMajor": "1",
        "minCompatibilityMinor": "35",
        "gitVersion": GIT_VERSION,
        "gitCommit": "",
        "gitTreeState": "",
        "buildDate": "1970-01-01T00:00:00Z",
        "goVersion": "go1.26.8",
        "compiler": "gc",
        "platform": "linux/amd64",
    })
}

/// OpenID discovery of the service-account issuer (Kubernetes docs, "Managing Service Accounts").
fn configuration(call: &Call) -> Value {
    json!({
        "issuer": call.cluster.tokens.issuer(),
        "jwks_uri": format!("https://{}/openid/v1/jwks", call.cluster.address),
        "response_types_supported": ["id_token"],
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": ["RS256"],
    })
}

/// The paths that `/` lists.
pub(super) fn root(call: &Call, apis: Vec<String>) -> Response {
    let mut paths = apis;
    paths.extend(
        [
            "/.well-known/openid-configuration",
            "/healthz",
            "/livez",
            "/metrics",
            "/openapi/v2",
            "/openapi/v3",
            "/openid/v1/jwks",
            "/readyz",
            "/version",
        ]
        .map(str::to_owned),
    );
    paths.sort();
    negotiate::json(call, StatusCode::OK, &json!({"paths": paths}))
}

fn pretty(value: &Value) -> Response {
    let body = serde_json::to_vec_pretty(value).unwrap_or_default();
    ([(header::CONTENT_TYPE, "application/json")], body).into_response()
}

fn text(body: String) -> Response {
    ([(header::CONTENT_TYPE, "text/plain; charset=utf-8")], body).into_response()
}

fn cached(body: String, kind: &'static str) -> Response {
    let age = (header::CACHE_CONTROL, "public, max-age=3600");
    ([(header::CONTENT_TYPE, kind), age], body).into_response()
}
