//! The lab's gate to a cluster: a TLS server of the lab's own that hands requests on.
//!
//! What comes with the lab's administrator's certificate goes on with the kubeconfig's credential;
//! everything else with what it brought. Answers come back as they are. Between the two stands
//! [`guard`]: what is not of the lab cannot be changed through here, by nobody.

mod guard;
mod path;

use std::collections::{BTreeMap, BTreeSet};
use std::net::TcpListener;
use std::sync::{Arc, Mutex, PoisonError};

use authlab_pki::Certificate;
use authlab_pki::tls::{ClientAuthority, Listener, Peer};
use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::{ConnectInfo, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, Request, Response, StatusCode, header};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;
use kube::Client;
use kube::config::Kubeconfig;
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject as _;
use serde_json::json;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::cluster::Cluster;
use super::error::chain;
use super::record::Label;
use super::{ExistingError, Site};
use crate::prepare::kubeconfig_file;
use crate::state::DEFAULT_CLUSTER;

/// The largest body: more than an API server takes.
const LARGEST: usize = 16 << 20;

/// An open gate.
pub(super) struct Gate {
    way: Arc<Way>,
    closing: CancellationToken,
    serving: JoinHandle<()>,
}

/// What requests go through.
struct Way {
    cluster: Arc<Cluster>,
    label: Label,
    /// As whom a request goes on, by the certificate (DER) that it came with.
    bearers: Mutex<BTreeMap<Vec<u8>, Client>>,
    /// Namespaces that are known to be the lab's.
    ours: Mutex<BTreeSet<String>>,
}

impl Gate {
    /// Opens it at the address that the lab has for its API server.
    pub fn open(
        listener: TcpListener,
        site: &Site,
        cluster: Arc<Cluster>,
        label: Label,
    ) -> Result<Self, ExistingError> {
        let failed = |cause| ExistingError::File {
            what: "cannot open the lab's gate to the cluster".to_owned(),
            cause,
        };
        listener.set_nonblocking(true).map_err(failed)?;
        let listener = tokio::net::TcpListener::from_std(listener).map_err(failed)?;
        let certificate = site
            .authority
            .server_certificate(&["127.0.0.1", "localhost"])?;
        // As with a real API server, a certificate that it does not know is no fault of TLS.
        let clients = ClientAuthority::new(site.authority.certificate_pem())?;
        let tls = certificate.server_config_unverified(&clients)?;
        let admin = administrator(site).ok_or_else(|| {
            failed(std::io::Error::other(
                "the lab's kubeconfig has no certificate",
            ))
        })?;
        let way = Arc::new(Way {
            bearers: Mutex::new([(admin, cluster.admin.clone())].into()),
            ours: Mutex::default(),
            cluster,
            label,
        });
        let app = Router::new().fallback(serve).with_state(Arc::clone(&way));
        let app = app.into_make_service_with_connect_info::<Peer>();
        let closing = CancellationToken::new();
        let closed = closing.clone();
        let serving = tokio::spawn(async move {
            tokio::select! {
                // The listener outlasts every error of its connections.
                _ = async { axum::serve(Listener::new(listener, tls), app).await } => {}
                () = closed.cancelled() => {}
            }
        });
        Ok(Self {
            way,
            closing,
            serving,
        })
    }

    /// Lets a certificate of the cluster's own through, as whom it names.
    pub fn admit(&self, cluster: &Cluster, issued: &Certificate) -> Result<(), ExistingError> {
        let bad = |why: String| ExistingError::Answer {
            what: "a certificate of the cluster's".to_owned(),
            why,
        };
        let client = cluster
            .showing(issued)
            .map_err(|error| bad(chain(&error)))?;
        let der = der(issued.pem.as_bytes()).ok_or_else(|| bad("it is none".to_owned()))?;
        locked(&self.way.bearers).insert(der, client);
        Ok(())
    }

    /// Nothing gets through any more.
    pub async fn close(&self) {
        self.closing.cancel();
        self.serving.abort();
    }
}

impl Drop for Gate {
    fn drop(&mut self) {
        self.closing.cancel();
    }
}

fn locked<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The administrator's certificate, as the lab's own kubeconfig has it.
fn administrator(site: &Site) -> Option<Vec<u8>> {
    let file = kubeconfig_file(&site.folder, DEFAULT_CLUSTER);
    let login = Kubeconfig::read_from(file)
        .ok()?
        .auth_infos
        .into_iter()
        .next()?;
    let data = login.auth_info?.client_certificate_data?;
    der(&STANDARD.decode(data).ok()?)
}

/// The first certificate of a PEM text.
fn der(pem: &[u8]) -> Option<Vec<u8>> {
    let found = CertificateDer::from_pem_slice(pem).ok()?;
    Some(found.to_vec())
}

/// A request on its way.
struct Passing {
    parts: Parts,
    body: Vec<u8>,
    bearer: Client,
    /// The connection, where it is to speak another protocol from then on.
    upgrade: Option<OnUpgrade>,
}

async fn serve(
    State(way): State<Arc<Way>>,
    ConnectInfo(peer): ConnectInfo<Peer>,
    mut request: Request<Body>,
) -> Response<Body> {
    let bearer = match peer.certificates.first() {
        None => way.cluster.nobody.clone(),
        Some(shown) => match locked(&way.bearers).get(shown.as_ref()) {
            Some(known) => known.clone(),
            None => return status(StatusCode::UNAUTHORIZED, "Unauthorized", "Unauthorized"),
        },
    };
    let protocol = request.headers().get(header::UPGRADE).cloned();
    let upgrade = protocol.is_some().then(|| hyper::upgrade::on(&mut request));
    let (mut parts, body) = request.into_parts();
    let body = match to_bytes(body, LARGEST).await {
        Ok(body) => body.to_vec(),
        Err(error) => return broken(&format!("the request cannot be read: {error}")),
    };
    for name in [header::HOST, header::CONTENT_LENGTH] {
        parts.headers.remove(name);
    }
    hop_by_hop(&mut parts.headers);
    if let Some(protocol) = protocol {
        let upgrade = header::HeaderValue::from_static("Upgrade");
        parts.headers.insert(header::CONNECTION, upgrade);
        parts.headers.insert(header::UPGRADE, protocol);
    }
    let passing = Passing {
        parts,
        body,
        bearer,
        upgrade,
    };
    guard::through(&way, passing).await
}

/// Hands a request on as it is.
async fn forward(passing: Passing) -> Response<Body> {
    let Passing {
        parts,
        body,
        bearer,
        upgrade,
    } = passing;
    // The URL of a request over HTTP/2 names the gate; the version is that of its own connection.
    let path = parts.uri.path_and_query().map_or("/", |path| path.as_str());
    let mut onward = Request::builder().method(parts.method).uri(path);
    if let Some(headers) = onward.headers_mut() {
        *headers = parts.headers;
    }
    let sent = match onward.body(kube::client::Body::from(body)) {
        Ok(onward) => bearer.send(onward).await,
        Err(error) => return broken(&error.to_string()),
    };
    match sent {
        Ok(mut answer) if answer.status() == StatusCode::SWITCHING_PROTOCOLS => {
            if let Some(here) = upgrade {
                let there = hyper::upgrade::on(&mut answer);
                tokio::spawn(carry(here, there));
            }
            let (parts, _) = answer.into_parts();
            Response::from_parts(parts, Body::empty())
        }
        Ok(answer) => {
            let (mut parts, body) = answer.into_parts();
            hop_by_hop(&mut parts.headers);
            parts.version = axum::http::Version::default();
            Response::from_parts(parts, Body::new(body))
        }
        Err(error) => broken(&format!("the cluster does not answer: {}", chain(&error))),
    }
}

/// Carries what two connections say to each other, whatever they speak.
async fn carry(here: OnUpgrade, there: OnUpgrade) {
    if let (Ok(here), Ok(there)) = tokio::join!(here, there) {
        let (mut here, mut there) = (TokioIo::new(here), TokioIo::new(there));
        // However it ends, it has ended.
        let _ = tokio::io::copy_bidirectional(&mut here, &mut there).await;
    }
}

/// Headers that are about one connection only. Source: RFC 9110 section 7.6.1.
fn hop_by_hop(headers: &mut HeaderMap) {
    for name in [
        "connection",
        "keep-alive",
        "proxy-connection",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    ] {
        headers.remove(name);
    }
}

/// What is neither a yes nor a no: nothing that a scenario could take for a denial.
fn broken(message: &str) -> Response<Body> {
    status(StatusCode::NOT_IMPLEMENTED, "AuthlabGate", message)
}

/// An answer of the gate's own, in the API's form.
fn status(code: StatusCode, reason: &str, message: &str) -> Response<Body> {
    let body = json!({
        "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
        "message": message, "reason": reason, "code": code.as_u16(),
    });
    let mut response = Response::new(Body::from(body.to_string()));
    *response.status_mut() = code;
    let json = header::HeaderValue::from_static("application/json");
    response.headers_mut().insert(header::CONTENT_TYPE, json);
    response
}
