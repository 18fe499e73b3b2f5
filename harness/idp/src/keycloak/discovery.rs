//! What the realm says about itself.

use authlab_pki::Algorithm;
use axum::{
    http::header,
    response::{IntoResponse as _, Response},
};
use serde_json::{Value, json};

use super::server::Server;

/// `/.well-known/openid-configuration`, as Keycloak writes it, what is missing here included: its endpoints say so.
pub(super) fn document(server: &Server) -> Response {
    let url = |name: &str| server.endpoint(name);
    let asymmetric: Vec<_> = Algorithm::ALL
        .iter()
        .map(|algorithm| algorithm.name())
        .collect();
    let signing: Vec<_> = asymmetric
        .iter()
        .copied()
        .chain(["HS256", "HS384", "HS512"])
        .collect();
    let or_none: Vec<_> = signing.iter().copied().chain(["none"]).collect();
    let encryption = [
        "ECDH-ES+A256KW",
        "ECDH-ES+A192KW",
        "ECDH-ES+A128KW",
        "RSA-OAEP",
        "RSA-OAEP-256",
        "RSA1_5",
        "ECDH-ES",
    ];
    let content = [
        "A256GCM",
        "A192GCM",
        "A128GCM",
        "A128CBC-HS256",
        "A192CBC-HS384",
        "A256CBC-HS512",
    ];
    let authentication = [
        "private_key_jwt",
        "client_secret_basic",
        "client_secret_post",
        "tls_client_auth",
        "client_secret_jwt",
    ];
    let registration = format!("{}/clients-registrations/openid-connect", server.issuer);
    let mut document = json!({
        "issuer": server.issuer,
        "authorization_endpoint": url("auth"),
        "token_endpoint": url("token"),
        "introspection_endpoint": url("token/introspect"),
        "userinfo_endpoint": url("userinfo"),
        "end_session_endpoint": url("logout"),
        "frontchannel_logout_session_supported": true,
        "frontchannel_logout_supported": true,
        "jwks_uri": url("certs"),
        "check_session_iframe": url("login-status-iframe.html"),
        "grant_types_supported": ["authorization_code", "client_credentials", "implicit", "password", "refresh_token",
            "urn:ietf:params:oauth:grant-type:device_code", "urn:ietf:params:oauth:grant-type:token-exchange",
            "urn:ietf:params:oauth:grant-type:uma-ticket", "urn:openid:params:grant-type:ciba"],
        "acr_values_supported": ["0", "1"],
        "response_types_supported": ["code", "none", "id_token", "token", "id_token token", "code id_token",
            "code token", "code id_token token"],
        "subject_types_supported": ["public", "pairwise"],
        "prompt_values_supported": ["none", "login", "consent"],
        "response_modes_supported": ["query", "fragment", "form_post", "query.jwt", "fragment.jwt", "form_post.jwt", "jwt"],
        "registration_endpoint": registration,
    });
    let more = json!({
        "claims_supported": ["iss", "sub", "aud", "exp", "iat", "auth_time", "name", "given_name", "family_name",
            "preferred_username", "email", "acr", "azp", "nonce"],
        "claim_types_supported": ["normal"],
        "claims_parameter_supported": true,
        "scopes_supported": scopes(server),
        "request_parameter_supported": true,
        "request_uri_parameter_supported": true,
        "require_request_uri_registration": true,
        "code_challenge_methods_supported": ["plain", "S256"],
        "tls_client_certificate_bound_access_tokens": true,
        "dpop_signing_alg_values_supported": asymmetric,
        "revocation_endpoint": url("revoke"),
        "backchannel_logout_supported": true,
        "backchannel_logout_session_supported": true,
        "device_authorization_endpoint": url("auth/device"),
        "backchannel_token_delivery_modes_supported": ["poll", "ping"],
        "backchannel_authentication_endpoint": url("ext/ciba/auth"),
        "backchannel_authentication_request_signing_alg_values_supported": asymmetric,
        "require_pushed_authorization_requests": false,
        "pushed_authorization_request_endpoint": url("ext/par/request"),
        "mtls_endpoint_aliases": {
            "token_endpoint": url("token"),
            "revocation_endpoint": url("revoke"),
            "introspection_endpoint": url("token/introspect"),
            "device_authorization_endpoint": url("auth/device"),
            "registration_endpoint": registration,
            "userinfo_endpoint": url("userinfo"),
            "pushed_authorization_request_endpoint": url("ext/par/request"),
            "backchannel_authentication_endpoint": url("ext/ciba/auth"),
        },
        "authorization_response_iss_parameter_supported": true,
    });
    if let (Value::Object(members), Value::Object(more)) = (&mut document, more) {
        members.extend(more);
        let mut set = |name: String, value: Value| members.insert(name, value);
        for kind in ["id_token", "userinfo", "request_object", "authorization"] {
            let algorithms = if matches!(kind, "userinfo" | "request_object") {
                &or_none
            } else {
                &signing
            };
            set(
                format!("{kind}_encryption_alg_values_supported"),
                json!(encryption),
            );
            set(
                format!("{kind}_encryption_enc_values_supported"),
                json!(content),
            );
            set(
                format!("{kind}_signing_alg_values_supported"),
                json!(algorithms),
            );
        }
        for endpoint in ["token", "introspection", "revocation"] {
            set(
                format!("{endpoint}_endpoint_auth_methods_supported"),
                json!(authentication),
            );
            set(
                format!("{endpoint}_endpoint_auth_signing_alg_values_supported"),
                json!(signing),
            );
        }
    }
    let caching = "no-cache, must-revalidate, no-transform, no-store";
    ([(header::CACHE_CONTROL, caching)], axum::Json(document)).into_response()
}

fn scopes(server: &Server) -> Vec<&str> {
    let names = server.realm.scopes.keys().map(String::as_str);
    std::iter::once("openid").chain(names).collect()
}

/// `/certs`.
pub(super) fn certs(server: &Server) -> Response {
    (
        [(header::CACHE_CONTROL, "no-cache")],
        axum::Json(server.keys.jwks()),
    )
        .into_response()
}

/// The realm's own address.
pub(super) fn realm(server: &Server) -> Response {
    let body = json!({
        "realm": server.realm.name,
        "public_key": server.keys.public_key(),
        "token-service": server.issuer.clone() + "/protocol/openid-connect",
        "account-service": server.issuer.clone() + "/account",
        "tokens-not-before": 0,
    });
    let headers = [
        (header::CACHE_CONTROL, "no-cache"),
        (header::CONTENT_TYPE, "application/json;charset=UTF-8"),
    ];
    (headers, body.to_string()).into_response()
}
