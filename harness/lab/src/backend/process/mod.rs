//! The real components as plain processes: etcd, the API server, its controllers, Dex, Keycloak.
//!
//! Order of a start: etcd; every Dex, until it answers (an API server that finds its issuer silent
//! looks again only after 10 s); the API servers; their controllers as soon as they answer. A
//! Keycloak boots beside all that.

mod admin;
mod apiserver;
mod configure;
mod controllers;
mod dex;
mod etcd;
mod flags;
pub(super) mod keycloak;
mod klog;

pub(crate) use self::keycloak::folder as keycloak_folder;

use std::collections::BTreeMap;
use std::net::{SocketAddr, TcpListener};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use authlab_idp::fault::Fault;
use futures_util::future::{join_all, select_all, try_join_all};
use tokio::sync::watch;

use self::admin::Admin;
use self::apiserver::ApiServer;
use self::configure::Cluster;
use self::dex::Dexes;
use self::keycloak::Keycloaks;
use super::kind::{self, Workshop};
use super::{
    FAULT, LabError, NEW_CONFIGURATION, NEW_KEY, Running, Site, Task, cannot, done, no_cluster,
};
use crate::checkout::Checkout;
use crate::control::{Configure, Response};
use crate::disk;
use crate::exec::Child;
use crate::plan::{Authentication, Text};
use crate::render::Values;
use crate::spec::ProviderKind;
use crate::state::DEFAULT_CLUSTER;
use crate::tools::{self, Terminal, Tools};

/// How long a component may take to become ready.
const READY: Duration = Duration::from_secs(120);
/// With less room on its disk a lab is ended: its components could write no more, in bytes.
const LEAST_ROOM: u64 = 64 * 1024;
/// How long a component may take to end. What it holds goes with the lab.
const GRACE: Duration = Duration::from_millis(300);

/// The components of a running lab.
struct Processes {
    site: Site,
    version: String,
    clusters: BTreeMap<String, Cluster>,
    dexes: Dexes,
    /// Lives as long as the lab.
    etcd: Child,
    /// Whether Docker holds something of it.
    contained: bool,
    keycloaks: Option<Keycloaks>,
}

/// Starts etcd, every Dex, the API server and its controllers.
///
/// # Errors
/// When a tool is missing or a component does not start; nothing is left running.
pub async fn start(site: Site) -> Result<Box<dyn Running>, LabError> {
    start_with(site, None).await
}

/// The same, with clusters and containers of a workshop in the place of processes.
///
/// # Errors
/// As [`start`].
pub(super) async fn start_with(
    mut site: Site,
    workshop: Option<&Workshop>,
) -> Result<Box<dyn Running>, LabError> {
    let tools = tools(&site).await?;
    let keycloaks = Keycloaks::start(&mut site, workshop).await?;
    let rest = rest(site, tools, workshop, keycloaks.as_ref());
    let (started, ()) = tokio::try_join!(rest, import(keycloaks.as_ref()))?;
    Ok(Box::new(Processes {
        keycloaks,
        ..started
    }))
}

/// Starts everything but Keycloak, which boots and gets its realms meanwhile.
async fn rest(
    mut site: Site,
    tools: Tools,
    workshop: Option<&Workshop>,
    keycloaks: Option<&Keycloaks>,
) -> Result<Processes, LabError> {
    let (etcd, endpoint) = etcd::start(&site, &tools).await?;
    site.values.extend([
        ("lab.storage.type".to_owned(), "etcd".to_owned()),
        ("lab.storage.endpoint".to_owned(), endpoint.clone()),
    ]);
    let dexes = Dexes::start(&mut site, &tools, workshop).await?;
    let mut servers = Vec::new();
    for cluster in site.plan.clusters().map(str::to_owned).collect::<Vec<_>>() {
        let wanted = site.plan.authentication_of(&cluster).cloned();
        let wanted = site.authentication(&wanted.unwrap_or_default())?;
        let api = match workshop {
            Some(workshop) => {
                ApiServer::prepare_node(&mut site, workshop, &cluster, &wanted).await?
            }
            None => ApiServer::prepare(&mut site, &tools, &endpoint, &cluster)?,
        };
        servers.push((cluster, api, wanted));
    }
    let started = async {
        let planes = servers.iter().map(|(_, api, wanted)| async {
            let started = api.start(wanted).await;
            started.map_err(|unready| unready.why)
        });
        let (planes, open) = tokio::try_join!(try_join_all(planes), imported(keycloaks, &servers))?;
        if let Some(keycloaks) = keycloaks {
            for ((plane, open), (_, api, wanted)) in planes.iter().zip(open).zip(&servers) {
                api.finds(plane, wanted, open, keycloaks.issuers()).await?;
            }
        }
        Ok::<_, LabError>(planes)
    };
    let planes = tokio::select! {
        planes = started => planes?,
        error = etcd.died() => return Err(error),
        error = dexes.died() => return Err(error),
    };
    let version = servers[0].1.admin.version().await?;
    let clusters = servers.into_iter().zip(planes);
    let clusters =
        clusters.map(|((name, api, wanted), plane)| (name, Cluster::new(api, wanted, plane)));
    Ok(Processes {
        version,
        clusters: clusters.collect(),
        dexes,
        etcd,
        contained: workshop.is_some(),
        keycloaks: None,
        site,
    })
}

async fn import(keycloaks: Option<&Keycloaks>) -> Result<(), LabError> {
    match keycloaks {
        Some(keycloaks) => keycloaks.import().await,
        None => Ok(()),
    }
}

/// Waits until every realm is there; answers with how much each API server had written to its log
/// then.
async fn imported(
    keycloaks: Option<&Keycloaks>,
    servers: &[(String, ApiServer, Authentication)],
) -> Result<Vec<u64>, LabError> {
    if let Some(keycloaks) = keycloaks {
        keycloaks.imported().await;
    }
    Ok(servers.iter().map(|(_, api, _)| api.logged()).collect())
}

/// A component's name: it belongs to an API server, of which the lab may have several.
fn component(name: &str, cluster: &str) -> String {
    match cluster {
        DEFAULT_CLUSTER => name.to_owned(),
        other => format!("{name}-{other}"),
    }
}

/// The programs that the lab needs, built when they are not.
async fn tools(site: &Site) -> Result<Tools, LabError> {
    let mut needed = vec![tools::ETCD, tools::kubernetes(site.plan.kubernetes)];
    if (site.plan.providers.values()).any(|provider| provider.kind == ProviderKind::Dex) {
        needed.push(tools::DEX);
    }
    let checkout = Checkout::here();
    Ok(tools::ensure(checkout.root(), &needed, &Terminal::stderr()).await?)
}

/// Frees the address that the host bound for a component, for the component to take.
fn release(site: &mut Site, name: &str) -> Result<SocketAddr, LabError> {
    let failed = |cause| LabError::System {
        what: format!("no address for {name}"),
        cause,
    };
    let listener = site.listeners.remove(name);
    let listener = listener.ok_or_else(|| failed(std::io::ErrorKind::NotFound.into()))?;
    listener.local_addr().map_err(failed)
}

/// Two loopback ports, or more, that nobody has now.
fn free_ports<const N: usize>() -> Result<[u16; N], LabError> {
    let failed = |cause| LabError::System {
        what: "cannot choose a loopback port".to_owned(),
        cause,
    };
    let mut held = Vec::with_capacity(N);
    let mut ports = [0; N];
    for port in &mut ports {
        let listener = TcpListener::bind(("127.0.0.1", 0)).map_err(failed)?;
        *port = listener.local_addr().map_err(failed)?.port();
        held.push(listener);
    }
    Ok(ports)
}

/// Writes a file of the lab, readable by its owner only.
pub(super) fn write(path: PathBuf, content: &[u8]) -> Result<PathBuf, LabError> {
    let failed = |cause| LabError::System {
        what: format!("cannot write {}", path.display()),
        cause,
    };
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder).map_err(failed)?;
    }
    crate::state::write_private(&path, content).map_err(failed)?;
    Ok(path)
}

/// The port that a component found taken, when that is why it ended.
fn taken_port(log: &str) -> Option<u16> {
    let before = log.split(": bind: address already in use").next()?;
    if before.len() == log.len() {
        return None;
    }
    before.rsplit(':').next()?.parse().ok()
}

impl Processes {
    /// Where the provider lives, if it is a Keycloak.
    fn keycloak(&self, provider: &str) -> Option<&Keycloaks> {
        let keycloaks = self.keycloaks.as_ref();
        keycloaks.filter(|keycloaks| keycloaks.has(provider))
    }

    /// Ends when a component has ended that should live.
    async fn death(&self) -> LabError {
        let error = tokio::select! {
            error = first(self.clusters.values().map(Cluster::died)) => error,
            error = self.dexes.died() => error,
            error = self.etcd.died() => error,
            error = server_death(self.keycloaks.as_ref()) => error,
            error = self.full_disk() => error,
        };
        match self.contained {
            true => kind::cause(&self.site.folder, error).await,
            false => error,
        }
    }

    /// Ends when there is no room where etcd writes: it would hang for a while, then end, and could
    /// log nothing of either.
    async fn full_disk(&self) -> LabError {
        let folder = &self.site.folder;
        let left = disk::full(folder, LEAST_ROOM).await / 1000;
        let folder = folder.display();
        let why = format!("no space left on device ({left} kB are free in {folder})");
        self.etcd.failure(&format!("cannot go on: {why}"))
    }
}

async fn server_death(keycloaks: Option<&Keycloaks>) -> LabError {
    match keycloaks {
        Some(keycloaks) => keycloaks.died().await,
        None => std::future::pending().await,
    }
}

/// The first death of several; never, of none.
async fn first<F: Future<Output = LabError>>(deaths: impl Iterator<Item = F>) -> LabError {
    let deaths: Vec<_> = deaths.map(Box::pin).collect();
    if deaths.is_empty() {
        return std::future::pending().await;
    }
    select_all(deaths).await.0
}

/// Ends when what should live has died; what is replaced on purpose, or absent, has not.
async fn outlived<T>(
    serving: &watch::Sender<Option<Arc<T>>>,
    died: impl AsyncFn(&T) -> LabError,
) -> LabError {
    let mut serving = serving.subscribe();
    loop {
        let present = serving.borrow_and_update().clone();
        let death = async {
            match &present {
                Some(present) => died(present).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            // Whoever ends it on purpose says so first, perhaps in the same moment.
            error = death => if !serving.has_changed().unwrap_or(false) {
                return error;
            },
            changed = serving.changed() => if changed.is_err() {
                std::future::pending::<()>().await;
            },
        }
    }
}

impl Running for Processes {
    fn version(&self) -> String {
        self.version.clone()
    }

    fn values(&self) -> &Values {
        &self.site.values
    }

    fn configure<'a>(&'a self, wanted: &'a Configure) -> Task<'a, Response> {
        let name = wanted.cluster.as_deref().unwrap_or(DEFAULT_CLUSTER);
        let Some(cluster) = self.clusters.get(name) else {
            return Box::pin(std::future::ready(done(Err(no_cluster(name)))));
        };
        Box::pin(async move {
            let changed = cluster.change(&self.site, wanted).await;
            changed.unwrap_or_else(|error| done(Err(error.to_string())))
        })
    }

    fn bring_back<'a>(&'a self, wanted: &'a Configure) -> Task<'a, Response> {
        let name = wanted.cluster.as_deref().unwrap_or(DEFAULT_CLUSTER);
        let Some(cluster) = self.clusters.get(name) else {
            return Box::pin(std::future::ready(done(Err(no_cluster(name)))));
        };
        Box::pin(async move {
            let back = cluster.bring_back(&self.site, wanted).await;
            back.unwrap_or_else(|error| done(Err(error.to_string())))
        })
    }

    fn rotate_keys<'a>(&'a self, provider: &'a str) -> Task<'a, Response> {
        if self.dexes.has(provider) {
            return Box::pin(async { done(self.dexes.rotate_keys(provider).await) });
        }
        match self.keycloak(provider) {
            Some(keycloaks) => Box::pin(async { done(keycloaks.rotate_keys(provider).await) }),
            None => cannot(provider, NEW_KEY),
        }
    }

    fn unlock<'a>(&'a self, provider: &'a str) -> Task<'a, Response> {
        match self.keycloak(provider) {
            Some(keycloaks) => Box::pin(async { done(keycloaks.unlock(provider).await) }),
            None => Box::pin(std::future::ready(done(Ok(())))),
        }
    }

    fn fault<'a>(&'a self, provider: &'a str, fault: Option<Fault>) -> Task<'a, Response> {
        if self.dexes.has(provider) {
            return Box::pin(async move { done(self.dexes.fault(provider, fault).await) });
        }
        match self.keycloak(provider) {
            Some(keycloaks) => {
                Box::pin(async move { done(keycloaks.fault(provider, fault).await) })
            }
            None => cannot(provider, FAULT),
        }
    }

    fn configure_provider<'a>(&'a self, provider: &'a str, config: &'a Text) -> Task<'a, Response> {
        if !self.dexes.has(provider) {
            return cannot(provider, NEW_CONFIGURATION);
        }
        Box::pin(async move {
            let configured = match self.site.render_for(provider, config) {
                Ok(text) => self.dexes.configure(provider, config, text).await,
                Err(error) => Err(error.to_string()),
            };
            configured.unwrap_or_else(|message| Response::Failed { message })
        })
    }

    fn issuer_is_back<'a>(&'a self, issuer: &'a str) -> Task<'a, ()> {
        Box::pin(async move {
            let looks = self.clusters.values().map(|cluster| async move {
                if cluster.trusts(issuer).await {
                    cluster.api.found(issuer).await;
                }
            });
            join_all(looks).await;
        })
    }

    fn audit_log<'a>(
        &'a self,
        cluster: &'a str,
    ) -> Task<'a, Result<Vec<serde_json::Value>, LabError>> {
        let log = self.clusters.get(cluster);
        let log = log.map_or_else(|| Ok(Vec::new()), |cluster| cluster.api.audit_log());
        Box::pin(std::future::ready(log))
    }

    fn died(&self) -> Task<'_, LabError> {
        Box::pin(self.death())
    }

    fn stop(self: Box<Self>) -> Task<'static, ()> {
        Box::pin(async move {
            join_all(self.clusters.into_values().map(Cluster::stop)).await;
            if let Some(keycloaks) = self.keycloaks {
                keycloaks.stop().await;
            }
            self.dexes.stop().await;
            self.etcd.stop(GRACE).await;
            if self.contained {
                kind::clear(self.site.folder).await;
            }
        })
    }
}

/// The lab's own identity at its API server: what it does is not in the audit log.
const HOST_USER: &str = "authlab-host";

/// A client of the API server as the lab's host.
fn admin(site: &Site, port: u16) -> Result<Admin, LabError> {
    let certificate = site.authority.client_certificate(
        HOST_USER,
        &["system:masters".to_owned()],
        Duration::from_secs(365 * 24 * 3600),
    )?;
    Admin::new(&site.authority, &certificate, port)
}

#[cfg(test)]
mod tests;
