//! Everything in this process, in Rust: the default, with nothing to install.

mod provider;
mod server;

use std::collections::BTreeMap;

use authlab_idp::fault::Fault;
use tokio::sync::Mutex;

use self::provider::{Provider, Unconfigured};
use self::server::Server;

use super::{
    FAULT, LabError, NEW_CONFIGURATION, NEW_KEY, Running, Site, Task, cannot, done, no_cluster,
};
use crate::control::{Configure, Response};
use crate::kubernetes::Kubernetes;
use crate::plan::Text;
use crate::render::Values;
use crate::spec::ProviderKind;
use crate::state::DEFAULT_CLUSTER;

struct Embedded {
    site: Site,
    servers: BTreeMap<String, Server>,
    providers: BTreeMap<String, Mutex<Provider>>,
    warnings: Vec<String>,
}

/// Starts the embedded providers, then the embedded API server.
///
/// # Errors
/// When a file is refused; nothing is left running.
pub async fn start(mut site: Site) -> Result<Box<dyn Running>, LabError> {
    site.values
        .extend([("lab.storage.type", "memory"), ("lab.storage.endpoint", "")].map(owned));
    let mut providers = BTreeMap::new();
    let mut warnings = Vec::new();
    let mut planned: Vec<_> = site.plan.providers.clone().into_iter().collect();
    // A Dex may want to hear of a Keycloak before it starts.
    planned.sort_by_key(|(_, provider)| provider.kind != ProviderKind::Keycloak);
    for (name, planned) in planned {
        let Some(config) = planned.config else {
            continue;
        };
        if let Some(provider) = Provider::start(&mut site, &name, planned.kind, &config).await? {
            let said = provider.warnings().iter();
            warnings.extend(said.map(|warning| format!("{}: {warning}", config.name)));
            providers.insert(name, Mutex::new(provider));
        }
    }
    let mut servers = BTreeMap::new();
    for cluster in site.plan.clusters().map(str::to_owned).collect::<Vec<_>>() {
        let server = Server::start(&mut site, &cluster).await?;
        servers.insert(cluster, server);
    }
    Ok(Box::new(Embedded {
        site,
        servers,
        providers,
        warnings,
    }))
}

fn owned((name, value): (&str, &str)) -> (String, String) {
    (name.to_owned(), value.to_owned())
}

fn listener(
    listeners: &mut BTreeMap<String, std::net::TcpListener>,
    name: &str,
) -> Result<std::net::TcpListener, LabError> {
    listeners.remove(name).ok_or_else(|| LabError::System {
        what: format!("no address for {name}"),
        cause: std::io::ErrorKind::AddrNotAvailable.into(),
    })
}

impl Running for Embedded {
    fn version(&self) -> String {
        Kubernetes::default().version().to_owned()
    }

    fn values(&self) -> &Values {
        &self.site.values
    }

    fn warnings(&self) -> Vec<String> {
        self.warnings.clone()
    }

    fn configure<'a>(&'a self, wanted: &'a Configure) -> Task<'a, Response> {
        let cluster = wanted.cluster.as_deref().unwrap_or(DEFAULT_CLUSTER);
        let Some(server) = self.servers.get(cluster) else {
            return Box::pin(std::future::ready(done(Err(no_cluster(cluster)))));
        };
        Box::pin(async move {
            let changed = server.change(&self.site, wanted).await;
            changed.unwrap_or_else(|error| done(Err(error.to_string())))
        })
    }

    fn rotate_keys<'a>(&'a self, provider: &'a str) -> Task<'a, Response> {
        let Some(known) = self.providers.get(provider) else {
            return cannot(provider, NEW_KEY);
        };
        Box::pin(async move { done(known.lock().await.rotate_keys().await) })
    }

    fn fault<'a>(&'a self, provider: &'a str, fault: Option<Fault>) -> Task<'a, Response> {
        let Some(known) = self.providers.get(provider) else {
            return cannot(provider, FAULT);
        };
        Box::pin(async move { done(known.lock().await.fault(fault).await) })
    }

    fn configure_provider<'a>(&'a self, provider: &'a str, config: &'a Text) -> Task<'a, Response> {
        let Some(known) = self.providers.get(provider) else {
            return cannot(provider, NEW_CONFIGURATION);
        };
        Box::pin(async move {
            let text = match self.site.render_for(provider, config) {
                Ok(text) => text,
                Err(error) => return done(Err(error.to_string())),
            };
            match known.lock().await.configure(&config.name, &text).await {
                Ok(()) => Response::InForce,
                Err(Unconfigured::Refused(message)) => Response::Refused { message },
                Err(Unconfigured::Cannot) => cannot(provider, NEW_CONFIGURATION).await,
            }
        })
    }

    fn issuer_is_back<'a>(&'a self, issuer: &'a str) -> Task<'a, ()> {
        Box::pin(async move {
            for server in self.servers.values() {
                server.found(issuer).await;
            }
        })
    }

    fn audit_log<'a>(
        &'a self,
        cluster: &'a str,
    ) -> Task<'a, Result<Vec<serde_json::Value>, LabError>> {
        let events = self.servers.get(cluster).map(Server::audit_log);
        Box::pin(std::future::ready(Ok(events.unwrap_or_default())))
    }

    // Nothing here can die apart from the process itself.
    fn died(&self) -> Task<'_, LabError> {
        Box::pin(std::future::pending())
    }

    fn stop(self: Box<Self>) -> Task<'static, ()> {
        Box::pin(async move {
            for server in self.servers.into_values() {
                server.shutdown().await;
            }
            for provider in self.providers.into_values() {
                provider.into_inner().shutdown().await;
            }
        })
    }
}
