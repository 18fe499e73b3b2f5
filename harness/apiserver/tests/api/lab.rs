//! A server of its own for each test, and clients for its users.
#![expect(
    clippy::unwrap_used,
    reason = "a lab that does not start fails the test"
)]

use std::time::Duration;

use authlab_apiserver::{ApiServer, Authentication, Options, ServiceAccounts};
use authlab_pki::{Authority, KeyPool};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use kube::Client;
use kube::config::{Config, KubeConfigOptions, Kubeconfig};
use secrecy::ExposeSecret as _;
use serde_json::{Value, json};

pub struct Lab {
    pub server: ApiServer,
    pub authority: Authority,
}

impl Lab {
    pub fn start() -> Self {
        Self::with(Authentication::default())
    }

    pub fn with(authentication: Authentication) -> Self {
        authlab_pki::tls::install_provider();
        let authority = Authority::generate("lab").unwrap();
        let server = ApiServer::start(Options {
            listener: std::net::TcpListener::bind("127.0.0.1:0").unwrap(),
            authority: authority.clone(),
            keys: keys(),
            authentication,
            service_accounts: ServiceAccounts::default(),
        })
        .unwrap();
        Self { server, authority }
    }

    /// A client with a certificate of this name and these groups.
    pub async fn client(&self, user: &str, groups: &[&str]) -> Client {
        let groups: Vec<String> = groups.iter().map(ToString::to_string).collect();
        let certificate = self
            .authority
            .client_certificate(user, &groups, Duration::from_secs(600))
            .unwrap();
        let encode = |text: &str| BASE64_STANDARD.encode(text);
        self.connect(json!({
            "client-certificate-data": encode(&certificate.pem),
            "client-key-data": encode(certificate.key_pem.expose_secret()),
        }))
        .await
    }

    pub async fn admin(&self) -> Client {
        self.client("admin", &["system:masters"]).await
    }

    pub async fn bearer(&self, token: &str) -> Client {
        self.connect(json!({"token": token})).await
    }

    pub async fn anonymous(&self) -> Client {
        self.connect(json!({})).await
    }

    async fn connect(&self, user: Value) -> Client {
        let ca = BASE64_STANDARD.encode(self.authority.certificate_pem());
        let kubeconfig: Kubeconfig = serde_json::from_value(json!({
            "clusters": [{"name": "lab", "cluster": {
                "server": self.server.url(),
                "certificate-authority-data": ca,
            }}],
            "users": [{"name": "user", "user": user}],
            "contexts": [{"name": "lab", "context": {"cluster": "lab", "user": "user"}}],
            "current-context": "lab",
        }))
        .unwrap();
        let options = KubeConfigOptions::default();
        let config = Config::from_custom_kubeconfig(kubeconfig, &options)
            .await
            .unwrap();
        Client::try_from(config).unwrap()
    }
}

/// One pool for all tests of a file: RSA keys take long to make.
fn keys() -> KeyPool {
    static KEYS: std::sync::LazyLock<KeyPool> = std::sync::LazyLock::new(KeyPool::ephemeral);
    KEYS.clone()
}

/// The message of the API error in a failed answer.
pub fn refusal<T: std::fmt::Debug>(answer: Result<T, kube::Error>) -> String {
    match answer.unwrap_err() {
        kube::Error::Api(status) => {
            format!("{} {}: {}", status.code, status.reason, status.message)
        }
        other => panic!("not an answer of the API: {other}"),
    }
}
