//! What the lab's host asks of its API server, as `system:masters` over TLS.

use authlab_pki::{Authority, Certificate};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use reqwest::{Client, Identity};
use secrecy::ExposeSecret;
use serde_json::{Value, json};

use super::LabError;

/// The text in a TokenReview's `status.error` while an issuer's discovery has not succeeded.
const NOT_INITIALIZED: &str = "oidc: authenticator not initialized";
/// The whole text where no authenticator is for the token's issuer: another configuration is in force.
const NOBODYS: &str = "invalid bearer token";

/// The sum of the configuration in force, among the API server's metrics.
const IN_FORCE: &str = "apiserver_authentication_config_controller_last_config_info{";

/// A client of the API server.
#[derive(Debug)]
pub(super) struct Admin {
    client: Client,
    url: String,
}

impl Admin {
    pub(super) fn new(
        authority: &Authority,
        certificate: &Certificate,
        port: u16,
    ) -> Result<Self, LabError> {
        let url = format!("https://127.0.0.1:{port}");
        let pem = format!("{}{}", certificate.pem, certificate.key_pem.expose_secret());
        let identity = Identity::from_pem(pem.as_bytes()).map_err(|error| api(&url, &error))?;
        let client = authlab_pki::http::builder(authority.certificate_pem())?
            .identity(identity)
            .build()
            .map_err(|error| api(&url, &error))?;
        Ok(Self { client, url })
    }

    /// The body of a successful GET.
    pub(super) async fn get(&self, path: &str) -> Result<String, LabError> {
        let answer = self.client.get(format!("{}{path}", self.url)).send().await;
        let answer = answer.map_err(|error| api(path, &error))?;
        let status = answer.status();
        let body = answer.text().await.map_err(|error| api(path, &error))?;
        if status.is_success() {
            return Ok(body);
        }
        Err(LabError::Api {
            what: path.to_owned(),
            why: format!("{status}: {}", failed_checks(&body)),
        })
    }

    async fn json(&self, path: &str) -> Result<Value, LabError> {
        let text = self.get(path).await?;
        serde_json::from_str(&text).map_err(|error| api(path, &error))
    }

    /// Whether anything answers at all, ready or not.
    pub(super) async fn answers(&self) -> Result<(), String> {
        let path = format!("{}/livez", self.url);
        let answer = self.client.get(path).send().await;
        answer.map(drop).map_err(|error| chain(&error))
    }

    /// Kubernetes' version without `v`.
    pub(super) async fn version(&self) -> Result<String, LabError> {
        let version = self.json("/version").await?;
        let text = version["gitVersion"].as_str().unwrap_or_default();
        Ok(text.trim_start_matches('v').to_owned())
    }

    /// What the controllers have still to do in a new cluster, if anything.
    pub(super) async fn controllers_missed(&self) -> Result<Option<&'static str>, LabError> {
        let role = "/apis/rbac.authorization.k8s.io/v1/clusterroles/view";
        if self.json(role).await?["rules"][0].is_null() {
            return Ok(Some("the role view has no rules"));
        }
        let account =
            "/api/v1/namespaces/default/serviceaccounts?fieldSelector=metadata.name=default";
        if self.json(account).await?["items"][0].is_null() {
            return Ok(Some("there is no default service account"));
        }
        Ok(None)
    }

    /// Whether the authenticator of an issuer knows where the issuer's keys are.
    ///
    /// Asked with a token that names the issuer and is refused at a later step: unsigned, so that
    /// not even the issuer's keys are fetched for it.
    pub(super) async fn knows(&self, issuer: &str) -> Result<bool, LabError> {
        let part = |value: Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let (header, claims) = (json!({ "alg": "none" }), json!({ "iss": issuer }));
        let review = json!({
            "apiVersion": "authentication.k8s.io/v1",
            "kind": "TokenReview",
            "spec": { "token": format!("{}.{}.", part(header), part(claims)) },
        });
        let path = "/apis/authentication.k8s.io/v1/tokenreviews";
        let request = self
            .client
            .post(format!("{}{path}", self.url))
            .json(&review);
        let answer = request.send().await.map_err(|error| api(path, &error))?;
        let review: Value = answer.json().await.map_err(|error| api(path, &error))?;
        match review["status"]["error"].as_str() {
            Some(why) => Ok(!why.contains(NOT_INITIALIZED) && why != NOBODYS),
            None => Err(LabError::Api {
                what: "a review of a token that nobody signed".to_owned(),
                why: review.to_string(),
            }),
        }
    }

    /// The sum of the authentication file in force: `sha256:` and hexadecimal digits.
    pub(super) async fn config_in_force(&self) -> Result<Option<String>, LabError> {
        let metrics = self.get("/metrics").await?;
        Ok(metrics.lines().find_map(|line| {
            let labels = line.strip_prefix(IN_FORCE)?;
            let (_, hash) = labels.split_once(",hash=\"")?;
            Some(hash.split('"').next()?.to_owned())
        }))
    }
}

fn api(what: &str, error: &dyn std::error::Error) -> LabError {
    LabError::Api {
        what: what.to_owned(),
        why: chain(error),
    }
}

/// The error and what caused it: reqwest's own words leave the cause out.
pub(super) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        source = cause.source();
    }
    text
}

/// Of a health report only the checks that fail; any other answer as it is.
fn failed_checks(body: &str) -> String {
    let failed: Vec<&str> = body
        .lines()
        .filter(|line| line.starts_with("[-]"))
        .collect();
    if failed.is_empty() {
        body.trim().to_owned()
    } else {
        failed.join(", ")
    }
}
