//! Requests to the cluster as whom the kubeconfig names.

use std::time::Duration;

use authlab_pki::Certificate;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use kube::client::Body;
use kube::config::AuthInfo;
use kube::{Client, Config};
use secrecy::ExposeSecret;
use serde_json::Value;
use tokio::time::timeout;

use super::ExistingError;
use super::error::chain;

/// How long the cluster may take to answer.
const DEADLINE: Duration = Duration::from_secs(8);

/// A cluster: its address, and the kubeconfig's credential.
pub(super) struct Cluster {
    config: Config,
    /// As whom the kubeconfig names.
    pub admin: Client,
    /// With no credential.
    pub nobody: Client,
}

/// An answer: its status, and its body where that is JSON.
#[derive(Debug)]
pub(super) struct Answer {
    pub status: u16,
    pub body: Value,
    what: String,
}

impl Answer {
    /// The words of a Status, or the whole body.
    pub fn message(&self) -> String {
        match (&self.body["message"], &self.body) {
            (Value::String(message), _) => message.clone(),
            (_, Value::String(text)) => text.trim().to_owned(),
            (_, body) => body.to_string(),
        }
    }

    /// Only a success is of use.
    pub fn success(self) -> Result<Value, ExistingError> {
        if (200..300).contains(&self.status) {
            return Ok(self.body);
        }
        let why = format!("{}: {}", self.status, self.message());
        Err(ExistingError::Answer {
            what: self.what,
            why,
        })
    }
}

impl Cluster {
    pub fn new(config: Config) -> Result<Self, kube::Error> {
        authlab_pki::tls::install_provider();
        Ok(Self {
            admin: Client::try_from(config.clone())?,
            nobody: Client::try_from(bare(&config))?,
            config,
        })
    }

    /// The cluster's URL.
    pub fn url(&self) -> String {
        let url = self.config.cluster_url.to_string();
        url.trim_end_matches('/').to_owned()
    }

    /// A client that shows this certificate, and no other credential.
    pub fn showing(&self, certificate: &Certificate) -> Result<Client, kube::Error> {
        let mut config = bare(&self.config);
        let encoded = |text: &str| STANDARD.encode(text);
        config.auth_info.client_certificate_data = Some(encoded(&certificate.pem));
        let key = encoded(certificate.key_pem.expose_secret());
        config.auth_info.client_key_data = Some(key.into());
        Client::try_from(config)
    }

    /// Asks, with a deadline.
    ///
    /// # Errors
    /// When no answer comes.
    pub async fn ask(
        &self,
        method: &str,
        path: &str,
        body: Option<&Value>,
    ) -> Result<Answer, kube::Error> {
        let mut request = http::Request::builder().method(method).uri(path);
        let content = match body {
            Some(body) => {
                request = request.header("content-type", "application/json");
                Body::from(body.to_string().into_bytes())
            }
            None => Body::empty(),
        };
        let request = request.body(content).map_err(kube::Error::HttpError)?;
        let asked = async {
            let answer = self.admin.send(request).await?;
            let status = answer.status().as_u16();
            let bytes = answer.into_body().collect_bytes().await?;
            let body = serde_json::from_slice(&bytes)
                .unwrap_or_else(|_| String::from_utf8_lossy(&bytes).into_owned().into());
            Ok(Answer {
                status,
                body,
                what: format!("{method} {path}"),
            })
        };
        let late = || kube::Error::Service(format!("no answer within {DEADLINE:?}").into());
        timeout(DEADLINE, asked)
            .await
            .unwrap_or_else(|_| Err(late()))
    }

    /// The same, when all that matters is whether it is done.
    pub async fn does(
        &self,
        method: &str,
        path: &str,
        body: Option<&Value>,
    ) -> Result<Value, ExistingError> {
        match self.ask(method, path, body).await {
            Ok(answer) => answer.success(),
            Err(error) => Err(ExistingError::Answer {
                what: format!("{method} {path}"),
                why: chain(&error),
            }),
        }
    }
}

/// Without credential.
fn bare(config: &Config) -> Config {
    let mut config = config.clone();
    config.auth_info = AuthInfo::default();
    config
}
