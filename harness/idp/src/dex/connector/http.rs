//! Requests to another provider, and their failures as Go words them.

use authlab_authn::oidc::cause;
use base64::{Engine as _, engine::general_purpose::STANDARD};
use reqwest::{
    Client, RequestBuilder, StatusCode,
    header::{CONTENT_TYPE, HeaderMap},
};
use secrecy::{ExposeSecret as _, SecretString};
use serde::de::DeserializeOwned;

use super::no_client;
use crate::dex::{config::Upstream, go::quote::quote};

/// A client that trusts what the connector names, and not what the machine trusts.
///
/// # Errors
/// In Dex's words, when something named is no certificate.
pub(super) fn client(upstream: &Upstream) -> Result<Client, String> {
    let mut trusted = String::new();
    let named = upstream.root_cas.iter().filter(|named| !named.is_empty());
    for (index, named) in named.enumerate() {
        let pem = pem(named);
        if !pem.contains("-----BEGIN CERTIFICATE") || authlab_pki::http::builder(&pem).is_err() {
            return Err(format!(
                "rootCAs.{index} is not in PEM format, certificate must be a PEM encoded string, \
                 a base64 encoded bytes that contain PEM encoded string, or a path to a PEM encoded certificate"
            ));
        }
        trusted.push_str(&pem);
        trusted.push('\n');
    }
    let builder = authlab_pki::http::builder(&trusted).map_err(no_client)?;
    let builder = builder.tls_danger_accept_invalid_certs(upstream.skip_verify);
    builder.build().map_err(|error| error.to_string())
}

/// A file's path, or the text itself, perhaps in base64.
fn pem(named: &str) -> String {
    let decoded = || String::from_utf8(STANDARD.decode(named).ok()?).ok();
    std::fs::read_to_string(named)
        .ok()
        .or_else(decoded)
        .unwrap_or_else(|| named.to_owned())
}

/// An answer, read to its end.
pub(super) struct Answer {
    status: StatusCode,
    headers: HeaderMap,
    pub body: String,
}

/// Fetches a document, as the bearer of a token if there is one.
///
/// # Errors
/// `Get "URL": ...` with the cause.
pub(super) async fn get(
    client: &Client,
    url: &str,
    bearer: Option<&str>,
) -> Result<Answer, String> {
    let request = client.get(url);
    let request = match bearer {
        Some(token) => request.bearer_auth(token),
        None => request,
    };
    send("Get", url, request).await
}

/// Sends a form, with the client's name and secret in the header if they are given.
///
/// # Errors
/// `Post "URL": ...` with the cause.
pub(super) async fn post(
    client: &Client,
    url: &str,
    form: String,
    basic: Option<(String, SecretString)>,
) -> Result<Answer, String> {
    let request = client.post(url).body(form);
    let request = request.header(CONTENT_TYPE, "application/x-www-form-urlencoded");
    let request = match &basic {
        Some((name, secret)) => request.basic_auth(name, Some(secret.expose_secret())),
        None => request,
    };
    send("Post", url, request).await
}

async fn send(verb: &str, url: &str, request: RequestBuilder) -> Result<Answer, String> {
    let failed = |error: reqwest::Error| format!("{verb} {}: {}", quote(url), cause(&error));
    let response = request.send().await.map_err(failed)?;
    let (status, headers) = (response.status(), response.headers().clone());
    let body = response.text().await.map_err(failed)?;
    Ok(Answer {
        status,
        headers,
        body,
    })
}

impl Answer {
    pub(super) fn is_ok(&self) -> bool {
        self.status == StatusCode::OK
    }

    pub(super) fn is_success(&self) -> bool {
        self.status.is_success()
    }

    /// Code and name, as `403 Forbidden`.
    pub(super) fn status(&self) -> String {
        self.status.to_string()
    }

    /// The body as JSON.
    ///
    /// # Errors
    /// In Go's words, which blame the content type.
    pub(super) fn json<T: DeserializeOwned>(&self) -> Result<T, String> {
        serde_json::from_str(&self.body).map_err(|error| {
            let kind = self.headers.get(CONTENT_TYPE).map(|value| value.as_bytes());
            let kind = String::from_utf8_lossy(kind.unwrap_or_default());
            let media = kind.split(';').next().unwrap_or_default().trim();
            if media.eq_ignore_ascii_case("application/json") {
                return format!(
                    "got Content-Type = application/json, but could not unmarshal as JSON: {error}"
                );
            }
            format!(
                "expected Content-Type = application/json, got {}: {error}",
                quote(&kind)
            )
        })
    }
}
