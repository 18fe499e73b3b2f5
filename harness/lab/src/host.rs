//! The lab host: owns one lab, from its first address to its last file.

mod providers;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use authlab_pki::Authority;
use tokio::net::UnixListener;
use tokio::sync::Mutex;
use tokio::task::{JoinHandle, JoinSet};
use tokio_util::sync::{CancellationToken, DropGuard};

use self::providers::Providers;
use crate::backend::{self, LabError, Running};
use crate::checkout::Checkout;
use crate::control::{self, By, Configure, Request, Response};
use crate::folder::Folder;
use crate::plan::{Authentication, Plan, Text};
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
    /// The authentication that each API server started with.
    baseline: BTreeMap<String, Authentication>,
    /// What has come into force at API servers since.
    changed: Mutex<BTreeMap<String, Authentication>>,
    /// The lab file, where the baseline comes from it.
    file: Option<Text>,
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
        let baseline = plan.clusters().map(|name| {
            let authentication = plan.authentication_of(name).cloned();
            (name.to_owned(), authentication.unwrap_or_default())
        });
        let baseline = baseline.collect();
        let shared = Arc::new(Shared {
            running,
            providers: Providers::new(forges, plan.providers, checkout.clone()),
            authority,
            baseline,
            changed: Mutex::default(),
            file: plan.file,
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

impl Shared {
    /// The API server that a request is about.
    fn cluster<'a>(&'a self, name: Option<&'a str>) -> Result<&'a str, String> {
        let name = name.unwrap_or(DEFAULT_CLUSTER);
        if self.baseline.contains_key(name) {
            return Ok(name);
        }
        let known: Vec<&str> = self.baseline.keys().map(String::as_str).collect();
        let known = known.join(", ");
        Err(format!(
            "no API server `{name}` in this lab; it has: {known}"
        ))
    }

    /// Gives an API server another authentication.
    async fn configure(&self, wanted: &Configure) -> Response {
        let cluster = match self.cluster(wanted.cluster.as_deref()) {
            Ok(cluster) => cluster,
            Err(message) => return Response::Failed { message },
        };
        let response = self.running.configure(wanted).await;
        if matches!(response, Response::InForce) {
            let mut changed = self.changed.lock().await;
            changed.insert(cluster.to_owned(), wanted.authentication.clone());
        }
        response
    }

    /// What is in force at an API server.
    async fn in_force(&self, cluster: Option<&str>) -> Response {
        let cluster = match self.cluster(cluster) {
            Ok(cluster) => cluster,
            Err(message) => return Response::Failed { message },
        };
        let baseline = &self.baseline[cluster];
        let changed = self.changed.lock().await.get(cluster).cloned();
        let authentication = changed.unwrap_or_else(|| baseline.clone());
        Response::Authentication {
            file: match authentication == *baseline {
                true => self.file.clone(),
                false => None,
            },
            authentication,
        }
    }

    /// Brings everything back to what the lab started with.
    async fn restore(&self) -> Response {
        // Before the API servers, which look for their issuers.
        let mended = self.providers.restore(&*self.running).await;
        for (name, authentication) in &self.baseline {
            let baseline = Configure {
                authentication: authentication.clone(),
                by: *mended.as_ref().unwrap_or(&By::Restart),
                cluster: Some(name.clone()),
            };
            match self.running.bring_back(&baseline).await {
                Response::InForce => drop(self.changed.lock().await.remove(name)),
                Response::Refused { message } => return Response::Failed { message },
                other => return other,
            }
        }
        match mended {
            Ok(_) => Response::InForce,
            Err(message) => Response::Failed { message },
        }
    }
}

async fn handle(shared: &Shared, request: Request) -> Response {
    let failed = |message: String| Response::Failed { message };
    let (running, providers) = (&*shared.running, &shared.providers);
    match request {
        Request::Configure(wanted) => shared.configure(&wanted).await,
        Request::Authentication { cluster } => shared.in_force(cluster.as_deref()).await,
        Request::RotateKeys { provider } => providers.rotate(running, &provider).await,
        Request::Fault { provider, fault } => providers.fault(running, &provider, fault).await,
        Request::ConfigureProvider { provider, config } => {
            providers.configure(running, &provider, &config).await
        }
        Request::Restore => shared.restore().await,
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
        Request::AuditLog { cluster } => match shared.cluster(cluster.as_deref()) {
            Ok(cluster) => match running.audit_log(cluster).await {
                Ok(events) => Response::AuditLog { events },
                Err(error) => failed(error.to_string()),
            },
            Err(message) => failed(message),
        },
        Request::Shutdown => Response::Done,
    }
}
