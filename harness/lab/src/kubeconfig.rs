//! Kubeconfig files: how kubectl and every other client reach a lab.

use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};

use crate::spec::ClientSpec;

/// Who a kubeconfig signs in as.
#[derive(Debug, Clone)]
pub enum Login {
    /// A client certificate and its key, PEM.
    Certificate {
        /// The certificate.
        certificate: String,
        /// The private key.
        key: SecretString,
    },
    /// A bearer token.
    Token(SecretString),
    /// An exec plugin (`client.authentication.k8s.io/v1beta1`), for example kubelogin.
    Exec {
        /// The program.
        command: String,
        /// Its arguments.
        args: Vec<String>,
    },
}

impl Login {
    /// Signs in at `issuer` by kubelogin (`kubectl oidc-login get-token`), whose token cache lies in
    /// the lab's folder and goes with it.
    #[must_use]
    pub fn kubelogin(issuer: &str, client: &ClientSpec, ca_file: &Path, folder: &Path) -> Self {
        let mut args = vec![
            "oidc-login".to_owned(),
            "get-token".to_owned(),
            format!("--oidc-issuer-url={issuer}"),
            format!("--oidc-client-id={}", client.id),
            format!("--certificate-authority={}", ca_file.display()),
            format!("--token-cache-dir={}", folder.join("kubelogin").display()),
            "--oidc-extra-scope=email,groups,profile,offline_access".to_owned(),
            "--listen-address=127.0.0.1:0".to_owned(),
        ];
        if let Some(secret) = &client.secret {
            args.push(format!("--oidc-client-secret={}", secret.expose_secret()));
        }
        Self::Exec {
            command: "kubectl".to_owned(),
            args,
        }
    }

    fn user(&self) -> Value {
        match self {
            Self::Certificate { certificate, key } => json!({
                "client-certificate-data": STANDARD.encode(certificate),
                "client-key-data": STANDARD.encode(key.expose_secret()),
            }),
            Self::Token(token) => json!({ "token": token.expose_secret() }),
            Self::Exec { command, args } => json!({ "exec": {
                "apiVersion": "client.authentication.k8s.io/v1beta1",
                "command": command,
                "args": args,
                "interactiveMode": "IfAvailable",
            }}),
        }
    }
}

/// The text of a kubeconfig with one cluster, named after the lab, and a context for each login.
/// The first login is the current context. It holds secrets: write it with mode 0600.
///
/// # Panics
/// Never: what is made here always serialises.
#[must_use]
pub fn text(lab: &str, server: &str, ca_pem: &str, logins: &[(&str, Login)]) -> SecretString {
    let users: Vec<Value> = logins
        .iter()
        .map(|(name, login)| json!({ "name": name, "user": login.user() }))
        .collect();
    let contexts: Vec<Value> = logins
        .iter()
        .map(|(name, _)| json!({ "name": name, "context": { "cluster": lab, "user": name } }))
        .collect();
    let config = json!({
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{ "name": lab, "cluster": {
            "server": server,
            "certificate-authority-data": STANDARD.encode(ca_pem),
        }}],
        "users": users,
        "contexts": contexts,
        "current-context": logins.first().map(|(name, _)| *name),
    });
    serde_yaml::to_string(&config)
        .expect("a kubeconfig serialises")
        .into()
}
