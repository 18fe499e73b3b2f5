//! The lab host: owns one lab, from its first address to its last file.

use std::collections::BTreeMap;
use std::fs::File;
use std::net::{Ipv4Addr, TcpListener};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use authlab_idp::forge::Forge;
use authlab_pki::Authority;
use secrecy::{ExposeSecret, SecretString};
use tokio::net::UnixListener;
use tokio::task::{JoinHandle, JoinSet};

use crate::backend::{self, API_SERVER, LabError, Running, Site};
use crate::checkout::Checkout;
use crate::control::{self, By, Configure, Request, Response};
use crate::kubeconfig::{self, Login};
use crate::plan::{Authentication, Plan};
use crate::process;
use crate::render::Values;
use crate::socket;
use crate::spec::ProviderKind;
use crate::state::{ApiServer, BackendKind, IdentityProvider, State, lock_file, write_private};

/// Held by the host as long as the lab lives; free means that the lab is stale.
pub const HOST_LOCK: &str = "host.lock";
/// Held shared by scenarios that only look, alone by those that change the lab.
pub const USERS_LOCK: &str = "users.lock";
const SOCKET: &str = "control.sock";
const KUBECONFIG: &str = "kubeconfig";
const CERTIFICATE_LIFETIME: Duration = Duration::from_secs(365 * 24 * 3600);
/// How often a port that somebody else took, or a folder that was reaped, is chosen anew.
const ROUNDS: usize = 5;

/// A running lab and the task that answers its control socket.
pub struct Host {
    state: State,
    shared: Arc<Shared>,
    serving: JoinHandle<()>,
    folder: Folder,
}

/// The lab's folder and its lock: both go when the lab goes, however it ends.
struct Folder {
    path: PathBuf,
    _lock: File,
}

impl Drop for Folder {
    fn drop(&mut self) {
        if let Err(error) = std::fs::remove_dir_all(&self.path) {
            tracing::warn!(folder = %self.path.display(), %error, "a lab's folder stays behind");
        }
    }
}

struct Shared {
    running: Box<dyn Running>,
    forges: BTreeMap<String, Forge>,
    authority: Authority,
    baseline: Authentication,
    stopping: tokio::sync::Notify,
}

impl Host {
    /// Starts a lab in a new folder `.authlab/labs/<id>`.
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
        let folder = occupy(&checkout.labs().join(id))?;
        let (state, shared, listener) =
            Self::start_in(checkout, kind, plan, id, &folder.path).await?;
        let serving = tokio::spawn(serve(listener, Arc::clone(&shared)));
        Ok(Self {
            state,
            shared,
            serving,
            folder,
        })
    }

    async fn start_in(
        checkout: &Checkout,
        kind: BackendKind,
        plan: Plan,
        id: &str,
        folder: &Path,
    ) -> Result<(State, Arc<Shared>, UnixListener), LabError> {
        let mut round = 1;
        let (forges, running) = loop {
            let (site, forges) = prepare(checkout, &plan, id, folder).await?;
            match backend::start(kind, site).await {
                Err(LabError::AddressInUse { .. }) if round < ROUNDS => round += 1,
                other => break (forges, other?),
            }
        };
        match publish(kind, &plan, id, folder, running.as_ref()) {
            Ok((state, listener)) => {
                let shared = Arc::new(Shared {
                    running,
                    forges,
                    authority: checkout.authority()?,
                    baseline: plan.authentication,
                    stopping: tokio::sync::Notify::new(),
                });
                Ok((state, shared, listener))
            }
            Err(error) => {
                running.stop().await;
                Err(error)
            }
        }
    }

    /// What clients of this lab see.
    #[must_use]
    pub fn state(&self) -> &State {
        &self.state
    }

    /// The lab's folder.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder.path
    }

    /// Ends when a client asked for the lab's end (`None`) or a component died.
    pub async fn over(&self) -> Option<LabError> {
        tokio::select! {
            () = self.shared.stopping.notified() => None,
            error = self.shared.running.died() => Some(error),
        }
    }

    /// Ends every component, then removes the lab's folder.
    pub async fn stop(self) {
        self.serving.abort();
        // Requests under way hold the lab: they end with their task.
        let _ = self.serving.await;
        if let Some(shared) = Arc::into_inner(self.shared) {
            shared.running.stop().await;
            for forge in shared.forges.into_values() {
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
    };
    state
        .write(folder)
        .map_err(system("cannot write the state file"))?;
    Ok((state, listener))
}

fn system(what: &str) -> impl FnOnce(std::io::Error) -> LabError {
    let what = what.to_owned();
    move |source| LabError::System { what, source }
}

fn value(values: &Values, name: &str) -> String {
    values.get(name).cloned().unwrap_or_default()
}

/// Makes the lab's folder and takes its lock. A folder that was reaped between the two is made
/// again.
fn occupy(folder: &Path) -> Result<Folder, LabError> {
    let path = folder.join(HOST_LOCK);
    let take = || -> std::io::Result<Option<File>> {
        std::fs::create_dir_all(folder)?;
        let lock = lock_file(&path)?;
        lock.try_lock()?;
        let same = std::fs::metadata(&path)
            .is_ok_and(|there| lock.metadata().is_ok_and(|ours| there.ino() == ours.ino()));
        if same {
            lock_file(&folder.join(USERS_LOCK))?;
        }
        Ok(same.then_some(lock))
    };
    for _ in 0..ROUNDS {
        match take() {
            Ok(Some(lock)) => {
                return Ok(Folder {
                    path: folder.to_owned(),
                    _lock: lock,
                });
            }
            Ok(None) => {}
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
            Err(source) => {
                return Err(LabError::System {
                    what: format!("cannot take the lab's folder {}", folder.display()),
                    source,
                });
            }
        }
    }
    Err(LabError::System {
        what: format!("somebody keeps removing {}", folder.display()),
        source: std::io::ErrorKind::NotFound.into(),
    })
}

fn bind() -> Result<TcpListener, LabError> {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).map_err(system("cannot bind a loopback port"))
}

/// Addresses before files: binds everything, starts the forges, then knows every value.
async fn prepare(
    checkout: &Checkout,
    plan: &Plan,
    id: &str,
    folder: &Path,
) -> Result<(Site, BTreeMap<String, Forge>), LabError> {
    let authority = checkout.authority()?;
    let keys = checkout.keys()?;
    let mut values = Values::new();
    let mut set = |name: String, value: &str| values.insert(name, value.to_owned());
    let mut listeners = BTreeMap::new();
    let mut forges = BTreeMap::new();

    let ca = authority.certificate_pem();
    let ca_file = folder.join("ca.pem");
    write_private(&ca_file, ca.as_bytes()).map_err(system("cannot write the CA's certificate"))?;
    set("lab.ca".to_owned(), ca);
    set(
        "lab.ca.other".to_owned(),
        checkout.other_authority()?.certificate_pem(),
    );
    set("lab.file.ca".to_owned(), &ca_file.display().to_string());

    let listener = bind()?;
    let address = listener
        .local_addr()
        .map_err(system("cannot read a bound address"))?;
    let url = format!("https://{address}");
    listeners.insert(API_SERVER.to_owned(), listener);
    set("lab.apiserver.url".to_owned(), &url);

    for (name, provider) in &plan.providers {
        let listener = bind()?;
        let address = listener
            .local_addr()
            .map_err(system("cannot read a bound address"))?;
        let certificate = authority.server_certificate(&["127.0.0.1", "localhost"])?;
        set(format!("lab.idp.{name}.listen"), &address.to_string());
        let issuer = match provider.kind {
            ProviderKind::Dex => {
                for (what, content) in [
                    ("cert", certificate.pem.as_str()),
                    ("key", certificate.key_pem.expose_secret()),
                ] {
                    let file = folder.join(format!("{name}-{what}.pem"));
                    write_private(&file, content.as_bytes())
                        .map_err(system("cannot write a certificate"))?;
                    set(
                        format!("lab.file.{name}.{what}"),
                        &file.display().to_string(),
                    );
                }
                listeners.insert(name.clone(), listener);
                format!("https://{address}/dex")
            }
            ProviderKind::Forge => {
                let issuer = format!("https://{address}");
                let forge = Forge::start(listener, issuer.clone(), certificate, keys.clone(), name)
                    .await
                    .map_err(|error| LabError::Refused {
                        component: name.clone(),
                        message: error.to_string(),
                    })?;
                forges.insert(name.clone(), forge);
                issuer
            }
        };
        set(format!("lab.idp.{name}.issuer"), &issuer);
    }
    let kubeconfig_file = folder.join(KUBECONFIG);
    set(
        "lab.file.kubeconfig".to_owned(),
        &kubeconfig_file.display().to_string(),
    );
    let text = kubeconfig_text(plan, folder, &authority, &values)?;
    write_private(&kubeconfig_file, text.expose_secret().as_bytes())
        .map_err(system("cannot write the kubeconfig"))?;
    let site = Site {
        id: id.to_owned(),
        folder: folder.to_owned(),
        plan: plan.clone(),
        values,
        authority,
        keys,
        listeners,
    };
    Ok((site, forges))
}

/// The administrator first, then a context for each provider that people log in at by kubelogin.
fn kubeconfig_text(
    plan: &Plan,
    folder: &Path,
    authority: &Authority,
    values: &Values,
) -> Result<SecretString, LabError> {
    let admin = authority.client_certificate(
        "authlab-admin",
        &["system:masters".to_owned()],
        CERTIFICATE_LIFETIME,
    )?;
    let admin = Login::Certificate {
        certificate: admin.pem,
        key: admin.key_pem,
    };
    let mut logins = vec![("admin", admin)];
    for (name, provider) in &plan.providers {
        if let Some(client) = &provider.client {
            let issuer = value(values, &format!("lab.idp.{name}.issuer"));
            let login = Login::kubelogin(&issuer, client, &folder.join("ca.pem"), folder);
            logins.push((name, login));
        }
    }
    let url = value(values, "lab.apiserver.url");
    Ok(kubeconfig::text(
        &plan.lab,
        &url,
        authority.certificate_pem(),
        &logins,
    ))
}

async fn serve(listener: UnixListener, shared: Arc<Shared>) {
    let mut clients = JoinSet::new();
    loop {
        tokio::select! {
            Some(_) = clients.join_next() => {}
            accepted = listener.accept() => {
                let Ok((stream, _)) = accepted else { continue };
                let shared = Arc::clone(&shared);
                clients.spawn(async move {
                    // A client that went away gets no answer.
                    let _ = control::answer(stream, async |request| {
                        handle(&shared, request).await
                    })
                    .await;
                });
            }
        }
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
        Request::Token { provider, token } => match shared.forges.get(&provider) {
            Some(forge) => match forge.sign(&token) {
                Ok(token) => Response::Token { token },
                Err(error) => failed(error.to_string()),
            },
            None => failed(format!(
                "no forge `{provider}` in this lab; it has: {}",
                shared.forges.keys().cloned().collect::<Vec<_>>().join(", ")
            )),
        },
        Request::ClientCertificate { user, groups } => {
            match shared
                .authority
                .client_certificate(&user, &groups, CERTIFICATE_LIFETIME)
            {
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
        Request::Shutdown => {
            shared.stopping.notify_one();
            Response::Done
        }
    }
}
