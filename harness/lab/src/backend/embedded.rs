//! Everything in this process, in Rust: the default, with nothing to install.

use std::time::Duration;

use authlab_apiserver::{ApiServer, Options};
use authlab_idp::dex::Dex;
use tokio::sync::Mutex;

use super::{API_SERVER, LabError, Running, Site, Task};
use crate::control::{By, Configure, Response};
use crate::plan::Authentication;
use crate::refusal;
use crate::render::Values;
use crate::spec::ProviderKind;
use crate::state::Capability;

/// The version that the embedded API server models.
const VERSION: &str = "1.36.3";

/// How long an issuer may take to answer, or to fail, for the first time.
const FIRST_ATTEMPT: Duration = Duration::from_secs(10);

struct Embedded {
    site: Site,
    server: ApiServer,
    providers: Vec<Dex>,
    warnings: Vec<String>,
    /// What is in force, placeholders filled; held while it changes.
    current: Mutex<Authentication>,
}

/// Starts the embedded providers, then the embedded API server.
///
/// # Errors
/// When a file is refused; nothing is left running.
pub async fn start(mut site: Site) -> Result<Box<dyn Running>, LabError> {
    site.values
        .extend([("lab.storage.type", "memory"), ("lab.storage.endpoint", "")].map(owned));
    let mut providers = Vec::new();
    let mut warnings = Vec::new();
    for (name, provider) in &site.plan.providers {
        if let (ProviderKind::Dex, Some(config)) = (provider.kind, &provider.config) {
            let text = site.render(config)?;
            let listener = listener(&mut site.listeners, name)?;
            let dex = Dex::start_in_slot(listener, &text, site.keys.clone(), name)
                .await
                .map_err(|error| refusal::of_dex(name, config, &error))?;
            let said = dex.warnings().iter();
            warnings.extend(said.map(|warning| format!("{}: {warning}", config.name)));
            providers.push(dex);
        }
    }
    let current = site.authentication(&site.plan.authentication)?;
    let server = ApiServer::start(Options {
        listener: listener(&mut site.listeners, API_SERVER)?,
        authority: site.authority.clone(),
        keys: site.keys.clone(),
        authentication: for_server(&current),
    })
    .map_err(|error| LabError::Refused {
        component: "the API server".to_owned(),
        message: error.to_string(),
    })?;
    // An issuer that cannot be reached is no fault of the lab: scenarios are about such things.
    server.issuers_attempted(FIRST_ATTEMPT).await;
    Ok(Box::new(Embedded {
        site,
        server,
        providers,
        warnings,
        current: Mutex::new(current),
    }))
}

fn owned((name, value): (&str, &str)) -> (String, String) {
    (name.to_owned(), value.to_owned())
}

fn listener(
    listeners: &mut std::collections::BTreeMap<String, std::net::TcpListener>,
    name: &str,
) -> Result<std::net::TcpListener, LabError> {
    listeners.remove(name).ok_or_else(|| LabError::System {
        what: format!("no address for {name}"),
        cause: std::io::ErrorKind::AddrNotAvailable.into(),
    })
}

fn for_server(wanted: &Authentication) -> authlab_apiserver::Authentication {
    authlab_apiserver::Authentication {
        config: wanted.config.as_ref().map(|text| text.text.clone()),
        flags: wanted.flags.clone(),
    }
}

impl Embedded {
    async fn restart(&self, next: authlab_apiserver::Authentication) -> Result<(), String> {
        self.server
            .restart(next)
            .map_err(|error| error.to_string())?;
        self.server.issuers_attempted(FIRST_ATTEMPT).await;
        Ok(())
    }

    async fn change(&self, wanted: &Configure) -> Result<Response, LabError> {
        let next = self.site.authentication(&wanted.authentication)?;
        let mut current = self.current.lock().await;
        let file_only = current.flags.is_empty() && next.flags.is_empty();
        let outcome = match (&next.config, &current.config) {
            (Some(text), Some(_)) if wanted.by == By::Auto && file_only => {
                self.server.reload(&text.text).await
            }
            _ => self.restart(for_server(&next)).await,
        };
        Ok(match outcome {
            Ok(()) => {
                *current = next;
                Response::InForce
            }
            Err(message) => Response::Refused { message },
        })
    }
}

impl Running for Embedded {
    fn version(&self) -> String {
        VERSION.to_owned()
    }

    fn capabilities(&self) -> Vec<Capability> {
        vec![
            Capability::Configure,
            Capability::ClientCertificate,
            Capability::AuditLog,
        ]
    }

    fn values(&self) -> &Values {
        &self.site.values
    }

    fn warnings(&self) -> Vec<String> {
        self.warnings.clone()
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
        Box::pin(async move {
            Ok(self
                .server
                .audit_log()
                .iter()
                .filter_map(|line| serde_json::from_str(line).ok())
                .collect())
        })
    }

    // Nothing here can die apart from the process itself.
    fn died(&self) -> Task<'_, LabError> {
        Box::pin(std::future::pending())
    }

    fn stop(self: Box<Self>) -> Task<'static, ()> {
        Box::pin(async move {
            self.server.shutdown().await;
            for provider in self.providers {
                provider.shutdown().await;
            }
        })
    }
}
