//! The server's life: start, reload, restart, end.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use authlab_pki::tls::{ClientAuthority, Listener, Peer};
use authlab_pki::{Algorithm, Authority, KeyPool, PkiError};
use axum::Router;
use thiserror::Error;
use tokio::task::JoinHandle;
use tokio::time::timeout;

use crate::chain::{Chain, service_account::TokenIssuer};
use crate::cluster::Cluster;
use crate::handlers;
use crate::resources::controllers;

/// Issuer and audience of service-account tokens, as kubeadm and kind set them.
const ISSUER: &str = "https://kubernetes.default.svc.cluster.local";
/// The key of service-account tokens in the pool.
const KEY_SLOT: &str = "service-accounts";
/// How long requests in flight may take when the server stops.
const GRACE: Duration = Duration::from_secs(2);

/// What a server is started with.
pub struct Options {
    /// A bound socket; its address is the server's.
    pub listener: std::net::TcpListener,
    /// Issues the server's certificate and vouches for those of clients.
    pub authority: Authority,
    /// Holds the key of service-account tokens.
    pub keys: KeyPool,
    /// Which tokens of other issuers are accepted.
    pub authentication: Authentication,
}

/// How the server is told about other issuers: by a file, by flags, or not at all.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Authentication {
    /// The text of an `AuthenticationConfiguration` file (`--authentication-config`).
    pub config: Option<String>,
    /// The `oidc-*` flags with their values, names without dashes in front; the value of
    /// `oidc-ca-file` is the path of a PEM file.
    pub flags: BTreeMap<String, Vec<String>>,
}

/// Why a server does not start; displays as kube-apiserver words it.
#[derive(Debug, Error)]
pub enum StartError {
    /// The socket cannot be used.
    #[error("failed to listen: {0}")]
    Listen(#[source] std::io::Error),
    /// No certificate or key can be made.
    #[error(transparent)]
    Pki(#[from] PkiError),
    /// The authentication configuration is refused.
    #[error("{0}")]
    Authentication(String),
}

/// A running API server. Dropping it ends it.
pub struct ApiServer {
    cluster: Arc<Cluster>,
    serving: Option<JoinHandle<()>>,
}

impl ApiServer {
    /// Starts serving on the given socket. Must be called within a tokio runtime.
    ///
    /// # Errors
    /// See [`StartError`]; nothing is left running then.
    pub fn start(options: Options) -> Result<Self, StartError> {
        let Options {
            listener,
            authority,
            keys,
            authentication,
        } = options;
        listener.set_nonblocking(true).map_err(StartError::Listen)?;
        let listener = tokio::net::TcpListener::from_std(listener).map_err(StartError::Listen)?;
        let address = listener.local_addr().map_err(StartError::Listen)?;
        let key = keys.key(Algorithm::RS256, KEY_SLOT)?;
        let clients = ClientAuthority::new(authority.certificate_pem())?;
        let tls = certificate(&authority, address)?.server_config_unverified(&clients)?;
        let chain = Chain::new(clients, &authentication)?;
        let ca_pem = authority.certificate_pem().to_owned();
        let tokens = TokenIssuer::new(ISSUER, key);
        let cluster = Arc::new(Cluster::new(address, ca_pem, tokens, chain));
        controllers::bootstrap(&cluster);
        let app = Router::new()
            .fallback(handlers::serve)
            .with_state(Arc::clone(&cluster));
        let app = app.into_make_service_with_connect_info::<Peer>();
        let mut stopping = cluster.stopping.subscribe();
        let serving = tokio::spawn(async move {
            let stopped = async move { _ = stopping.wait_for(|stopping| *stopping).await };
            let server = axum::serve(Listener::new(listener, tls), app);
            // The listener outlasts every error of its connections.
            _ = server.with_graceful_shutdown(stopped).await;
        });
        Ok(Self {
            cluster,
            serving: Some(serving),
        })
    }

    /// `https://ADDRESS:PORT`.
    #[must_use]
    pub fn url(&self) -> String {
        format!("https://{}", self.cluster.address)
    }

    /// The audit events so far, each a line of JSON (`audit.k8s.io/v1`); the oldest go first once
    /// there are very many.
    #[must_use]
    pub fn audit_log(&self) -> Vec<String> {
        self.cluster.audit.lines()
    }

    /// Ends watches, lets requests in flight finish for a moment, and closes the socket.
    pub async fn shutdown(mut self) {
        self.cluster.stopping.send_replace(true);
        if let Some(mut serving) = self.serving.take()
            && timeout(GRACE, &mut serving).await.is_err()
        {
            serving.abort();
        }
    }
}

impl Drop for ApiServer {
    fn drop(&mut self) {
        self.cluster.stopping.send_replace(true);
        if let Some(serving) = self.serving.take() {
            serving.abort();
        }
    }
}

fn certificate(
    authority: &Authority,
    address: SocketAddr,
) -> Result<authlab_pki::Certificate, PkiError> {
    let ip = address.ip().to_string();
    authority.server_certificate(&[
        &ip,
        "localhost",
        "kubernetes",
        "kubernetes.default",
        "kubernetes.default.svc",
        "kubernetes.default.svc.cluster.local",
    ])
}
