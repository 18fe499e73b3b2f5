//! The real components as plain processes: etcd, the API server, its controllers, Dex.
//!
//! Order of a start: etcd; every Dex, until it answers (an API server that finds its issuer silent
//! looks again only after 10 s); the API server; its controllers as soon as it answers.

mod admin;
mod apiserver;
mod configure;
mod controllers;
mod dex;
mod etcd;
mod klog;

use std::net::TcpListener;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Mutex, watch};

use self::admin::Admin;
use self::apiserver::{ApiServer, ControlPlane};
use super::{LabError, Running, Site, Task};
use crate::checkout::Checkout;
use crate::control::{Configure, Response};
use crate::exec::Child;
use crate::render::Values;
use crate::spec::ProviderKind;
use crate::tools::{self, Terminal, Tools};

/// How long a component may take to become ready.
const READY: Duration = Duration::from_secs(120);
/// How long a component may take to end. What it holds goes with the lab.
const GRACE: Duration = Duration::from_millis(300);

/// The components of a running lab.
struct Processes {
    site: Site,
    version: String,
    api: ApiServer,
    /// What is in force, placeholders filled; held while it changes.
    current: Mutex<configure::Current>,
    /// What should live; `None` while it is replaced on purpose.
    serving: watch::Sender<Option<Arc<ControlPlane>>>,
    /// Components that live as long as the lab: every Dex, then etcd.
    others: Vec<Child>,
}

/// Starts etcd, every Dex, the API server and its controllers.
///
/// # Errors
/// When a tool is missing or a component does not start; nothing is left running.
pub async fn start(mut site: Site) -> Result<Box<dyn Running>, LabError> {
    let tools = tools(&site).await?;
    let (etcd, endpoint) = etcd::start(&site, &tools).await?;
    site.values.extend([
        ("lab.storage.type".to_owned(), "etcd".to_owned()),
        ("lab.storage.endpoint".to_owned(), endpoint.clone()),
    ]);
    let mut others = dex::start_all(&mut site, &tools).await?;
    let api = ApiServer::prepare(&mut site, &tools, &endpoint)?;
    let wanted = site.authentication(&site.plan.authentication)?;
    others.push(etcd);
    let plane = tokio::select! {
        plane = api.start(&wanted) => plane.map_err(|unready| unready.why)?,
        error = first_death(&others) => return Err(error),
    };
    let version = api.admin.version().await?;
    Ok(Box::new(Processes {
        site,
        version,
        api,
        current: Mutex::new(configure::Current::new(wanted)),
        serving: watch::channel(Some(plane.into())).0,
        others,
    }))
}

/// The programs that the lab needs, built when they are not.
async fn tools(site: &Site) -> Result<Tools, LabError> {
    let mut needed = vec![tools::ETCD, tools::KUBERNETES];
    if (site.plan.providers.values()).any(|provider| provider.kind == ProviderKind::Dex) {
        needed.push(tools::DEX);
    }
    let checkout = Checkout::here();
    Ok(tools::ensure(checkout.root(), &needed, &Terminal::stderr()).await?)
}

/// Frees the port that the host bound for a component, for the component to take.
fn release(site: &mut Site, name: &str) -> Result<u16, LabError> {
    let failed = |cause| LabError::System {
        what: format!("no address for {name}"),
        cause,
    };
    let listener = site.listeners.remove(name);
    let listener = listener.ok_or_else(|| failed(std::io::ErrorKind::NotFound.into()))?;
    Ok(listener.local_addr().map_err(failed)?.port())
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
fn write(path: PathBuf, content: &[u8]) -> Result<PathBuf, LabError> {
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
    /// Ends when a component has ended that should live.
    async fn death(&self) -> LabError {
        let mut serving = self.serving.subscribe();
        loop {
            let plane = serving.borrow_and_update().clone();
            let plane = async {
                match &plane {
                    Some(plane) => plane.died().await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                error = plane => return error,
                error = first_death(&self.others) => return error,
                changed = serving.changed() => if changed.is_err() {
                    std::future::pending::<()>().await;
                },
            }
        }
    }
}

async fn first_death(children: &[Child]) -> LabError {
    let mut deaths: Vec<_> = children
        .iter()
        .map(|child| Box::pin(child.died()))
        .collect();
    std::future::poll_fn(|context| {
        for death in &mut deaths {
            if let std::task::Poll::Ready(error) = death.as_mut().poll(context) {
                return std::task::Poll::Ready(error);
            }
        }
        std::task::Poll::Pending
    })
    .await
}

impl Running for Processes {
    fn version(&self) -> String {
        self.version.clone()
    }

    fn values(&self) -> &Values {
        &self.site.values
    }

    fn configure<'a>(&'a self, wanted: &'a Configure) -> Task<'a, Response> {
        Box::pin(async move {
            self.change(wanted)
                .await
                .unwrap_or_else(|error| Response::Failed {
                    message: error.to_string(),
                })
        })
    }

    fn audit_log(&self) -> Task<'_, Result<Vec<serde_json::Value>, LabError>> {
        Box::pin(std::future::ready(self.api.audit_log()))
    }

    fn died(&self) -> Task<'_, LabError> {
        Box::pin(self.death())
    }

    fn stop(self: Box<Self>) -> Task<'static, ()> {
        Box::pin(async move {
            if let Some(plane) = self.serving.send_replace(None) {
                plane.stop().await;
            }
            for child in self.others {
                child.stop(GRACE).await;
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
