//! The lab host: owns one lab, from its first address to its last file.

mod providers;
mod standing;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use authlab_pki::Authority;
use tokio::net::UnixListener;
use tokio::task::{JoinHandle, JoinSet};
use tokio_util::sync::{CancellationToken, DropGuard};

use self::providers::Providers;
use self::standing::Standing;
use crate::backend::{self, LabError, Running};
use crate::checkout::Checkout;
use crate::control::{self, Request, Response};
use crate::folder::Folder;
use crate::plan::Plan;
use crate::prepare::{self, CERTIFICATE_LIFETIME, kubeconfig_file};
use crate::process;
use crate::refusal;
use crate::render::Values;
use crate::socket;
use crate::state::{ApiServer, BackendKind, DEFAULT_CLUSTER, IdentityProvider, State, lock_file};

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
    providers: Providers,
    authority: Authority,
    standing: Standing,
    /// Somebody asked for the lab's end.
    over: CancellationToken,
}

/// A lab that did not come to run.
#[derive(Debug)]
pub struct Unstarted {
    /// Why.
    pub why: LabError,
    /// What it has left to be looked at: goes with the value.
    pub folder: Option<Folder>,
}

impl Host {
    /// Starts a lab in a new folder `.authlab/labs/<id>`, for this process to use and to end.
    ///
    /// # Errors
    /// When something cannot be started: then nothing of it is left.
    pub async fn start(
        checkout: &Checkout,
        kind: BackendKind,
        plan: Plan,
        id: &str,
    ) -> Result<Self, LabError> {
        let started = Self::attempt(checkout, kind, plan, id).await;
        started.map_err(|unstarted| unstarted.why)
    }

    /// The same; a failure leaves the folder to be looked at.
    ///
    /// # Errors
    /// As [`Host::start`]: nothing runs then.
    pub async fn attempt(
        checkout: &Checkout,
        kind: BackendKind,
        plan: Plan,
        id: &str,
    ) -> Result<Self, Unstarted> {
        let path = checkout.labs().join(id);
        let nowhere = |why| Unstarted { why, folder: None };
        let folder = Folder::occupy(&path)
            .await
            .map_err(system(&format!("cannot use {}", path.display())))
            .map_err(nowhere)?;
        let taken = || nowhere(LabError::Taken { id: id.to_owned() });
        Self::start_in(folder.ok_or_else(taken)?, checkout, kind, plan).await
    }

    /// The same in a folder that is already owned and whose name is the lab's id.
    ///
    /// # Errors
    /// As [`Host::attempt`].
    pub async fn start_in(
        folder: Folder,
        checkout: &Checkout,
        kind: BackendKind,
        plan: Plan,
    ) -> Result<Self, Unstarted> {
        match Self::build(folder.path(), checkout, kind, plan).await {
            Ok(begun) => Ok(begun(folder)),
            Err(why) => Err(Unstarted {
                why,
                folder: Some(folder),
            }),
        }
    }

    /// Everything but the owning of the folder.
    async fn build(
        path: &Path,
        checkout: &Checkout,
        kind: BackendKind,
        plan: Plan,
    ) -> Result<impl FnOnce(Folder) -> Self + use<>, LabError> {
        let id = path.file_name().unwrap_or_default().to_string_lossy();
        let authority = checkout.authority()?;
        let mut round = 1;
        let (forges, running) = loop {
            let address = backend::address(kind, path).await?;
            let (site, forges) = prepare::site(checkout, &plan, &id, path, address).await?;
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
        let (state, listener) = match publish(kind, &plan, &id, path, &*running) {
            Ok(published) => published,
            Err(error) => {
                running.stop().await;
                return Err(error);
            }
        };
        let shared = Arc::new(Shared {
            running,
            standing: Standing::new(&plan),
            providers: Providers::new(forges, plan.providers, checkout.clone()),
            authority,
            over: CancellationToken::new(),
        });
        let closing = CancellationToken::new();
        let closed = closing.clone();
        let serving = tokio::spawn(serve(listener, Arc::clone(&shared), closed));
        let closing = closing.drop_guard();
        Ok(move |folder| Self {
            state,
            shared,
            serving,
            closing,
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

    /// Starts the default API server again with the authentication of another plan, from now on the
    /// lab's own, in all else the same: quicker than another lab.
    ///
    /// # Errors
    /// When the API server refuses it, or does not start: then the lab is good for nothing more.
    pub async fn rebase(&mut self, plan: &Plan) -> Result<(), LabError> {
        let rebased = tokio::select! {
            rebased = self.shared.standing.rebase(&*self.shared.running, plan) => rebased,
            error = self.shared.running.died() => Err(error),
        };
        rebased.map_err(|error| refusal::placed(plan, error))?;
        self.state.authentication = plan.authentication.clone();
        self.state.plan = plan.identity();
        let written = self.state.write(self.folder.path());
        written
            .map(drop)
            .map_err(system("cannot write the state file"))
    }

    /// Ends every component, then removes the lab's folder.
    pub async fn stop(self) {
        drop(self.closing);
        // A panic in it has been reported where it happened.
        let _ = self.serving.await;
        // Requests are over, and with them whoever else held the lab.
        if let Some(shared) = Arc::into_inner(self.shared) {
            shared.running.stop().await;
            shared.providers.shutdown().await;
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
    let api_server = |cluster: &str| ApiServer {
        url: value(
            &values,
            &format!("lab.{}.url", backend::api_server(cluster)),
        ),
        version: running.version(),
        kubeconfig: kubeconfig_file(folder, cluster),
    };
    let state = State {
        lab: plan.lab.clone(),
        id: id.to_owned(),
        backend: kind,
        host: process::current().map_err(system("cannot read this process's start time"))?,
        api_server: api_server(DEFAULT_CLUSTER),
        api_servers: plan
            .api_servers
            .keys()
            .map(|name| (name.clone(), api_server(name)))
            .collect(),
        identity_providers,
        certificate_authority: plan.authorities(&value(&values, "lab.ca")),
        capabilities: running
            .capabilities()
            .unwrap_or_else(|| kind.capabilities()),
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
    let (running, providers) = (&*shared.running, &shared.providers);
    let standing = &shared.standing;
    match request {
        Request::Configure(wanted) => standing.configure(running, &wanted).await,
        Request::Authentication { cluster } => standing.in_force(cluster.as_deref()).await,
        Request::RotateKeys { provider } => providers.rotate(running, &provider).await,
        Request::Unlock { provider } => running.unlock(&provider).await,
        Request::Fault { provider, fault } => providers.fault(running, &provider, fault).await,
        Request::ConfigureProvider { provider, config } => {
            providers.configure(running, &provider, &config).await
        }
        Request::Restore => standing.restore(running, providers).await,
        Request::Token { provider, token } => {
            let forge = match providers.forge(&provider) {
                Ok(forge) => forge,
                Err(message) => return failed(message),
            };
            // A key that is not in the pool yet takes a while to make.
            match tokio::task::spawn_blocking(move || forge.sign(&token)).await {
                Ok(Ok(token)) => Response::Token { token },
                Ok(Err(error)) => failed(error.to_string()),
                Err(error) => failed(error.to_string()),
            }
        }
        Request::Forgeries { provider, claims } => {
            let forge = match providers.forge(&provider) {
                Ok(forge) => forge,
                Err(message) => return failed(message),
            };
            match tokio::task::spawn_blocking(move || forge.forgeries(&claims)).await {
                Ok(Ok(tokens)) => Response::Forgeries { tokens },
                Ok(Err(error)) => failed(error.to_string()),
                Err(error) => failed(error.to_string()),
            }
        }
        Request::ClientCertificate { user, groups } => {
            let issued = match running.client_certificate(&user, &groups).await {
                Some(issued) => issued,
                None => (shared.authority)
                    .client_certificate(&user, &groups, CERTIFICATE_LIFETIME)
                    .map_err(LabError::from),
            };
            match issued {
                Ok(issued) => Response::ClientCertificate {
                    certificate: issued.pem,
                    key: issued.key_pem,
                },
                Err(error) => failed(error.to_string()),
            }
        }
        Request::AuditLog { cluster } => match standing.cluster(cluster.as_deref()) {
            Ok(cluster) => match running.audit_log(cluster).await {
                Ok(events) => Response::AuditLog { events },
                Err(error) => failed(error.to_string()),
            },
            Err(message) => failed(message),
        },
        Request::Shutdown => Response::Done,
    }
}
