//! The server's life: start, reload, restart, end.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use authlab_pki::tls::{ClientAuthority, Listener, Peer};
use authlab_pki::{Algorithm, Authority, KeyPool, PkiError};
use axum::Router;
use thiserror::Error;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;
use tokio::time::timeout;

use crate::chain::front_proxy::{FrontProxy, Trusted};
use crate::chain::{Chain, configuration::Configuration, service_account::TokenIssuer};
use crate::cluster::Cluster;
use crate::handlers;
use crate::resources::{controllers, namespaces};

/// How long requests in flight may take when the server stops.
const GRACE: Duration = Duration::from_secs(2);

/// How long the issuers of a changed configuration may take to answer, as in the real server.
const RELOAD_DEADLINE: Duration = Duration::from_secs(60);

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
    /// Who issues its own.
    pub service_accounts: ServiceAccounts,
}

/// How service-account tokens are issued.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServiceAccounts {
    /// Their issuer and audience (`--service-account-issuer`); as kubeadm and kind set it, unless
    /// told otherwise.
    pub issuer: String,
    /// The name of their key in the pool.
    pub key: String,
}

impl Default for ServiceAccounts {
    fn default() -> Self {
        Self {
            issuer: "https://kubernetes.default.svc.cluster.local".to_owned(),
            key: "service-accounts".to_owned(),
        }
    }
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
    reloading: tokio::sync::Mutex<()>,
}

impl ApiServer {
    /// Starts serving on the given socket. Must be called within a tokio runtime.
    ///
    /// # Errors
    /// See [`StartError`]; nothing is left running then.
    pub fn start(options: Options) -> Result<Self, StartError> {
        Self::launch(options, None)
    }

    /// As [`ApiServer::start`], believing a front proxy who its users are.
    ///
    /// # Errors
    /// As [`ApiServer::start`].
    pub fn start_behind(options: Options, proxy: &FrontProxy) -> Result<Self, StartError> {
        Self::launch(options, Some(Trusted::new(proxy)?))
    }

    fn launch(options: Options, front_proxy: Option<Trusted>) -> Result<Self, StartError> {
        let Options {
            listener,
            authority,
            keys,
            authentication,
            service_accounts: ServiceAccounts { issuer, key },
        } = options;
        listener.set_nonblocking(true).map_err(StartError::Listen)?;
        let listener = tokio::net::TcpListener::from_std(listener).map_err(StartError::Listen)?;
        let address = listener.local_addr().map_err(StartError::Listen)?;
        let key = keys.key(Algorithm::RS256, &key)?;
        let clients = ClientAuthority::new(authority.certificate_pem())?;
        // Clients are told of all authorities whose certificates they may show.
        let proxies = front_proxy.as_ref().map(|one| one.proxy.ca_pem.as_str());
        let shown = [authority.certificate_pem(), proxies.unwrap_or_default()].join("\n");
        let shown = ClientAuthority::new(&shown)?;
        let tls = certificate(&authority, address)?.server_config_unverified(&shown)?;
        let configuration = Configuration::new(&authentication, &issuer)?;
        let chain = Chain {
            clients,
            front_proxy,
            configuration,
        };
        let ca_pem = authority.certificate_pem().to_owned();
        let tokens = TokenIssuer::new(&issuer, key);
        let (leave, leaving) = mpsc::unbounded_channel();
        let cluster = Arc::new(Cluster::new(address, ca_pem, tokens, chain, leave));
        tokio::spawn(namespaces::empty(Arc::clone(&cluster), leaving));
        controllers::bootstrap(&cluster);
        note_configuration(&cluster, &authentication);
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
            reloading: tokio::sync::Mutex::default(),
        })
    }

    /// `https://ADDRESS:PORT`.
    #[must_use]
    pub fn url(&self) -> String {
        format!("https://{}", self.cluster.address)
    }

    /// Waits until every issuer of the authentication configuration was reached; tokens of the
    /// others are refused as "not initialized" until then. The real server does not wait either.
    ///
    /// # Errors
    /// What stood in the way after `at_most`.
    pub async fn issuers_ready(&self, at_most: Duration) -> Result<(), String> {
        self.cluster.chain().configuration.ready(at_most).await
    }

    /// Waits until the first attempt to reach each issuer has ended, well or badly, for at most so
    /// long. `kept` counts the requests that somebody keeps waiting on purpose: so many attempts
    /// are not waited for.
    pub async fn issuers_attempted(&self, kept: watch::Receiver<usize>, at_most: Duration) {
        let chain = self.cluster.chain();
        chain.configuration.attempted(kept, at_most).await;
    }

    /// Takes over a changed authentication configuration file: when this returns `Ok` the new one
    /// is in force, otherwise the old one still is. Waits up to a minute for the new issuers.
    ///
    /// # Errors
    /// In the words of the real server's log.
    pub async fn reload(&self, text: &str) -> Result<(), String> {
        self.replace(text, None).await
    }

    /// As [`ApiServer::reload`], for where nothing changes meanwhile: gives up as soon as each issuer
    /// was looked for once, or is kept waiting as in [`ApiServer::issuers_attempted`].
    ///
    /// # Errors
    /// As [`ApiServer::reload`].
    pub async fn reload_at_once(
        &self,
        text: &str,
        kept: watch::Receiver<usize>,
    ) -> Result<(), String> {
        self.replace(text, Some(kept)).await
    }

    async fn replace(
        &self,
        text: &str,
        kept: Option<watch::Receiver<usize>>,
    ) -> Result<(), String> {
        let _one_at_a_time = self.reloading.lock().await;
        let chain = self.cluster.chain();
        match &chain.configuration.text {
            None => {
                return Err("there is no authentication configuration file to reload".to_owned());
            }
            Some(current) if current == text => return Ok(()),
            Some(_) => {}
        }
        let result = self.replace_configuration(&chain, text, kept).await;
        self.cluster.metrics.reload(&self.url(), result.is_ok());
        result
    }

    async fn replace_configuration(
        &self,
        chain: &Chain,
        text: &str,
        kept: Option<watch::Receiver<usize>>,
    ) -> Result<(), String> {
        let configuration = chain
            .configuration
            .successor(text, self.cluster.tokens.issuer())
            .map_err(|error| error.to_string())?;
        match kept {
            None => configuration.ready(RELOAD_DEADLINE).await?,
            Some(kept) => {
                configuration.attempted(kept, RELOAD_DEADLINE).await;
                configuration.ready(Duration::ZERO).await?;
            }
        }
        configuration.issuers.took_over();
        self.cluster.replace_chain(chain.with(configuration));
        self.cluster.metrics.configuration(&self.url(), text);
        Ok(())
    }

    /// Starts the server anew with other settings: objects and address stay, counters begin at
    /// zero. Must be called within a tokio runtime.
    ///
    /// # Errors
    /// See [`StartError`]; the server then goes on as it was.
    pub fn restart(&self, authentication: Authentication) -> Result<(), StartError> {
        let configuration = Configuration::new(&authentication, self.cluster.tokens.issuer())?;
        let chain = self.cluster.chain().with(configuration);
        self.cluster.replace_chain(chain);
        self.cluster.metrics.reset();
        note_configuration(&self.cluster, &authentication);
        Ok(())
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

fn note_configuration(cluster: &Cluster, authentication: &Authentication) {
    if let Some(text) = &authentication.config {
        let url = format!("https://{}", cluster.address);
        cluster.metrics.configuration(&url, text);
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
