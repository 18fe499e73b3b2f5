//! The lab host: owns one lab, from its first address to its last file.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use authlab_idp::forge::Forge;
use authlab_pki::Authority;
use tokio::net::UnixListener;
use tokio::task::{JoinHandle, JoinSet};
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::backend::{self, LabError, Running};
use crate::checkout::Checkout;
use crate::control::{self, By, Configure, Request, Response};
use crate::folder::Folder;
use crate::plan::{Authentication, Plan};
use crate::prepare::{self, CERTIFICATE_LIFETIME, KUBECONFIG};
use crate::process;
use crate::refusal;
use crate::render::Values;
use crate::socket;
use crate::state::{ApiServer, BackendKind, IdentityProvider, State, lock_file};

/// Held shared by scenarios that only look, alone by those that change the lab.
pub const USERS_LOCK: &str = "users.lock";
const SOCKET: &str = "control.sock";
/// How often ports that somebody else took are chosen anew.
const ROUNDS: usize = 5;
/// How long the host waits when it cannot take a connection: for want of descriptors, mostly.
const OUT_OF_DESCRIPTORS: Duration = Duration::from_millis(100);

/// A running lab and the task that answers its control socket.
pub struct Host {
    state: State,
    shared: Arc<Shared>,
    serving: JoinHandle<()>,
    /// Dropped, it ends the serving, and with it the lab.
    closing: DropGuard,
    folder: Folder,
}

struct Shared {
    running: Box<dyn Running>,
    forges: BTreeMap<String, Arc<Forge>>,
    authority: Authority,
    baseline: Authentication,
    /// Somebody asked for the lab's end.
    over: CancellationToken,
}

impl Host {
    /// Starts a lab in a new folder `.authlab/labs/<id>`, for this process to use and to end.
    ///
    /// # Errors
    /// When something cannot be started: then nothing of it is left, the folder's logs included in
    /// the error.
    pub async fn start(
        checkout: &Checkout,
        kind: BackendKind,
        plan: Plan,
        id: &str,
    ) -> Result<Self, LabError> {
        let path = checkout.labs().join(id);
        let folder = Folder::occupy(&path)
            .await
            .map_err(system(&format!("cannot use {}", path.display())))?;
        let taken = || LabError::Taken { id: id.to_owned() };
        Self::start_in(folder.ok_or_else(taken)?, checkout, kind, plan).await
    }

    /// The same in a folder that is already owned and whose name is the lab's id.
    ///
    /// # Errors
    /// As [`Host::start`].
    pub async fn start_in(
        folder: Folder,
        checkout: &Checkout,
        kind: BackendKind,
        plan: Plan,
    ) -> Result<Self, LabError> {
        let path = folder.path().to_owned();
        let id = path.file_name().unwrap_or_default().to_string_lossy();
        let authority = checkout.authority()?;
        let mut round = 1;
        let (forges, running) = loop {
            let (site, forges) = prepare::site(checkout, &plan, &id, &path).await?;
            match backend::start(kind, site).await {
                Err(LabError::AddressInUse { .. }) if round < ROUNDS => round += 1,
                other => {
                    break (
                        forges,
                        other.map_err(|error| refusal::placed(&plan, error))?,
                    );
                }
            }
        };
        let (state, listener) = match publish(kind, &plan, &id, &path, &*running) {
            Ok(published) => published,
            Err(error) => {
                running.stop().await;
                return Err(error);
            }
        };
        let shared = Arc::new(Shared {
            running,
            forges: forges.into_iter().map(|(k, v)| (k, Arc::new(v))).collect(),
            authority,
            baseline: plan.authentication,
            over: CancellationToken::new(),
        });
        let closing = CancellationToken::new();
        let closed = closing.clone();
        Ok(Self {
            state,
            serving: tokio::spawn(serve(listener, Arc::clone(&shared), closed)),
            shared,
            closing: closing.drop_guard(),
            folder,
        })
    }

    /// What clients of this lab see.
    #[must_use]
    pub fn state(&self) -> &State {
        &self.state
    }

    /// The lab's folder.
    #[must_use]
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Ends when a client asked for the lab's end (`None`) or a component died.
    pub async fn over(&self) -> Option<LabError> {
        tokio::select! {
            () = self.shared.over.cancelled() => None,
            error = self.shared.running.died() => Some(error),
        }
    }

    /// Ends every component, then removes the lab's folder.
    pub async fn stop(self) {
        drop(self.closing);
        // A panic in it has been reported where it happened.
        let _ = self.serving.await;
        // Requests are over, and with them whoever else held the lab.
        if let Some(shared) = Arc::into_inner(self.shared) {
            shared.running.stop().await;
            for forge in shared.forges.into_values().filter_map(Arc::into_inner) {
                forge.shutdown().await;
            }
        }
    }
}

/// Opens the control socket, then writes the state file: whoever sees the file can call.
fn publish(
    kind: BackendKind,
    plan: &Plan,
    id: &str,
    folder: &Path,
    running: &dyn Running,
) -> Result<(State, UnixListener), LabError> {
    let socket = folder.join(SOCKET);
    let listener =
        socket::listen(&socket).map_err(system("cannot listen on the control socket"))?;
    lock_file(&folder.join(USERS_LOCK)).map_err(system("cannot make the users' lock"))?;
    let values = running.values().clone();
    let identity_providers = plan
        .providers
        .iter()
        .map(|(name, provider)| {
            let provider = IdentityProvider {
                kind: provider.kind,
                issuer: value(&values, &format!("lab.idp.{name}.issuer")),
                client: provider.client.clone(),
                users: provider.users.clone(),
            };
            (name.clone(), provider)
        })
        .collect();
    let state = State {
        lab: plan.lab.clone(),
        id: id.to_owned(),
        backend: kind,
        host: process::current().map_err(system("cannot read this process's start time"))?,
        api_server: ApiServer {
            url: value(&values, "lab.apiserver.url"),
            version: running.version(),
            kubeconfig: folder.join(KUBECONFIG),
        },
        identity_providers,
        certificate_authority: value(&values, "lab.ca"),
        capabilities: running.capabilities().into_iter().collect(),
        socket,
        values,
        authentication: plan.authentication.clone(),
        plan: plan.identity(),
        warnings: running.warnings(),
    };
    state
        .write(folder)
        .map_err(system("cannot write the state file"))?;
    Ok((state, listener))
}

/// The operating system's refusal of `what`.
pub(crate) fn system(what: &str) -> impl FnOnce(std::io::Error) -> LabError {
    let what = what.to_owned();
    move |cause| LabError::System { what, cause }
}

fn value(values: &Values, name: &str) -> String {
    values.get(name).cloned().unwrap_or_default()
}

async fn serve(listener: UnixListener, shared: Arc<Shared>, closed: CancellationToken) {
    let mut clients = JoinSet::new();
    loop {
        tokio::select! {
            () = closed.cancelled() => break,
            Some(_) = clients.join_next() => {}
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => {
                    clients.spawn(client(stream, Arc::clone(&shared)));
                }
                Err(error) => {
                    tracing::warn!(%error, "the control socket takes no connection");
                    tokio::time::sleep(OUT_OF_DESCRIPTORS).await;
                }
            },
        }
    }
    clients.shutdown().await;
}

async fn client(stream: tokio::net::UnixStream, shared: Arc<Shared>) {
    let mut last = false;
    // A client that went away gets no answer.
    let _ = control::answer(stream, async |request| {
        last = matches!(request, Request::Shutdown);
        handle(&shared, request).await
    })
    .await;
    // Only now: the end of the lab would cut the answer off.
    if last {
        shared.over.cancel();
    }
}

async fn handle(shared: &Shared, request: Request) -> Response {
    let failed = |message: String| Response::Failed { message };
    match request {
        Request::Configure(wanted) => shared.running.configure(&wanted).await,
        Request::Restore => {
            let baseline = Configure {
                authentication: shared.baseline.clone(),
                by: By::Auto,
            };
            match shared.running.configure(&baseline).await {
                Response::Refused { message } => failed(message),
                other => other,
            }
        }
        Request::Token { provider, token } => {
            let Some(forge) = shared.forges.get(&provider).cloned() else {
                let known: Vec<&str> = shared.forges.keys().map(String::as_str).collect();
                let known = known.join(", ");
                return failed(format!(
                    "no forge `{provider}` in this lab; it has: {known}"
                ));
            };
            // A key that is not in the pool yet takes a while to make.
            match tokio::task::spawn_blocking(move || forge.sign(&token)).await {
                Ok(Ok(token)) => Response::Token { token },
                Ok(Err(error)) => failed(error.to_string()),
                Err(error) => failed(error.to_string()),
            }
        }
        Request::ClientCertificate { user, groups } => {
            let authority = &shared.authority;
            match authority.client_certificate(&user, &groups, CERTIFICATE_LIFETIME) {
                Ok(issued) => Response::ClientCertificate {
                    certificate: issued.pem,
                    key: issued.key_pem,
                },
                Err(error) => failed(error.to_string()),
            }
        }
        Request::AuditLog => match shared.running.audit_log().await {
            Ok(events) => Response::AuditLog { events },
            Err(error) => failed(error.to_string()),
        },
        Request::Shutdown => Response::Done,
    }
}
