//! Kubeconfig files: how kubectl and every other client reach a lab.

use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};

use crate::spec::{ClientSpec, ProviderKind};

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
    /// Nobody.
    Anonymous,
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
    pub fn kubelogin(
        kind: ProviderKind,
        issuer: &str,
        client: &ClientSpec,
        ca_file: &Path,
        folder: &Path,
    ) -> Self {
        let scopes = match kind {
            // It refuses a scope that the realm does not have, and sends groups by a mapper.
            ProviderKind::Keycloak => "email,profile,offline_access",
            ProviderKind::Dex | ProviderKind::Forge => "email,groups,profile,offline_access",
        };
        let mut args = vec![
            "oidc-login".to_owned(),
            "get-token".to_owned(),
            format!("--oidc-issuer-url={issuer}"),
            format!("--oidc-client-id={}", client.id),
            format!("--certificate-authority={}", ca_file.display()),
            format!("--token-cache-dir={}", folder.join("kubelogin").display()),
            format!("--oidc-extra-scope={scopes}"),
            format!("--listen-address={}", listener(client)),
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
            Self::Anonymous => json!({}),
            Self::Exec { command, args } => json!({ "exec": {
                "apiVersion": "client.authentication.k8s.io/v1beta1",
                "command": command,
                "args": args,
                "interactiveMode": "IfAvailable",
            }}),
        }
    }
}

/// Where kubelogin waits for the browser: where the client's redirect URI leads, if it is registered
/// with a port, else at any port.
fn listener(client: &ClientSpec) -> String {
    let address = client.redirect_uri.as_deref();
    let address = address.and_then(|uri| uri.strip_prefix("http://localhost:"));
    let port = address.map(|rest| rest.trim_end_matches('/'));
    let port = port.filter(|port| port.parse::<u16>().is_ok());
    format!("127.0.0.1:{}", port.unwrap_or("0"))
}

/// An API server as a kubeconfig names it.
#[derive(Debug, Clone, Copy)]
pub struct Cluster<'a> {
    /// The cluster's entry, and what its contexts end in (`admin@NAME`); those of a cluster without
    /// a name are called after the lab, and after the logins alone.
    pub name: Option<&'a str>,
    /// `https://HOST:PORT`.
    pub server: &'a str,
}

/// The text of a kubeconfig with clusters named after the lab, and a context for each login at each
/// of them. The current context is the first login at the first cluster. It holds secrets: write it
/// with mode 0600.
///
/// # Panics
/// Never: what is made here always serialises.
#[must_use]
pub fn text(
    lab: &str,
    clusters: &[Cluster<'_>],
    ca_pem: &str,
    logins: &[(&str, Login)],
) -> SecretString {
    let named = |name: Option<&str>| match name {
        Some(name) => format!("{lab}-{name}"),
        None => lab.to_owned(),
    };
    let users: Vec<Value> = logins
        .iter()
        .map(|(name, login)| json!({ "name": name, "user": login.user() }))
        .collect();
    let entries: Vec<Value> = clusters
        .iter()
        .map(|cluster| {
            json!({ "name": named(cluster.name), "cluster": {
                "server": cluster.server,
                "certificate-authority-data": STANDARD.encode(ca_pem),
            }})
        })
        .collect();
    let contexts: Vec<Value> = clusters
        .iter()
        .flat_map(|cluster| logins.iter().map(move |(login, _)| (cluster, *login)))
        .map(|(cluster, login)| {
            let name = match cluster.name {
                Some(name) => format!("{login}@{name}"),
                None => login.to_owned(),
            };
            json!({ "name": name, "context": { "cluster": named(cluster.name), "user": login } })
        })
        .collect();
    let config = json!({
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": entries,
        "users": users,
        "contexts": contexts,
        "current-context": contexts.first().map(|context| &context["name"]),
    });
    serde_yaml::to_string(&config)
        .expect("a kubeconfig serialises")
        .into()
}
