//! An embedded API server and what is in force there.

use std::time::Duration;

use authlab_apiserver::{ApiServer, FrontProxy, Options, ServiceAccounts};
use tokio::sync::{Mutex, watch};

use super::listener;
use crate::backend::{FRONT_PROXY, LabError, Site, api_server, service_account_key};
use crate::control::{By, Configure, Response};
use crate::plan::Authentication;
use crate::state::DEFAULT_CLUSTER;
use crate::wait::{Look, until};

/// How long an issuer may take to answer, or to fail, for the first time: the API server's client
/// gives up after 30 seconds.
const FIRST_ATTEMPT: Duration = Duration::from_secs(40);

/// How long it may take to find an issuer that is back.
const FOUND: Duration = Duration::from_secs(15);

pub(super) struct Server {
    api: ApiServer,
    /// How many requests forges keep waiting: nothing of the sort ends by itself.
    kept: watch::Receiver<usize>,
    /// What is in force, placeholders filled; held while it changes.
    current: Mutex<Authentication>,
}

impl Server {
    /// Starts the API server of that name, and returns when it has looked for every issuer once.
    pub(super) async fn start(site: &mut Site, cluster: &str) -> Result<Self, LabError> {
        let planned = site.plan.authentication_of(cluster).cloned();
        let current = site.authentication(&planned.unwrap_or_default())?;
        let options = Options {
            listener: listener(&mut site.listeners, &api_server(cluster))?,
            authority: site.authority.clone(),
            keys: site.keys.clone(),
            authentication: for_server(&current),
            service_accounts: service_accounts(site, cluster)?,
        };
        let proxy = FrontProxy {
            ca_pem: site.authority.certificate_pem().to_owned(),
            allowed_names: vec![FRONT_PROXY.to_owned()],
        };
        let api = ApiServer::start_behind(options, &proxy).map_err(|error| LabError::Refused {
            component: match cluster {
                DEFAULT_CLUSTER => "the API server".to_owned(),
                name => format!("the API server `{name}`"),
            },
            message: error.to_string(),
        })?;
        // An issuer that cannot be reached is no fault of the lab: scenarios are about such things.
        let kept = site.kept.subscribe();
        api.issuers_attempted(kept.clone(), FIRST_ATTEMPT).await;
        Ok(Self {
            api,
            kept,
            current: Mutex::new(current),
        })
    }

    /// Brings another authentication into force.
    pub(super) async fn change(
        &self,
        site: &Site,
        wanted: &Configure,
    ) -> Result<Response, LabError> {
        let next = site.authentication(&wanted.authentication)?;
        let mut current = self.current.lock().await;
        let file_only = current.flags.is_empty() && next.flags.is_empty();
        let outcome = match (&next.config, &current.config) {
            (Some(text), Some(_)) if wanted.by == By::Auto && file_only => {
                let kept = self.kept.clone();
                self.api.reload_at_once(&text.text, kept).await
            }
            // Nothing else would change.
            _ if wanted.by == By::Auto && next == *current => Ok(()),
            _ => self.restart(&next).await,
        };
        Ok(match outcome {
            Ok(()) => {
                *current = next;
                Response::InForce
            }
            Err(message) => Response::Refused { message },
        })
    }

    async fn restart(&self, next: &Authentication) -> Result<(), String> {
        let restarted = self.api.restart(for_server(next));
        restarted.map_err(|error| error.to_string())?;
        let kept = self.kept.clone();
        self.api.issuers_attempted(kept, FIRST_ATTEMPT).await;
        Ok(())
    }

    /// Waits until an issuer was found, unless it is none of those that are trusted; gives up when
    /// that takes long.
    pub(super) async fn found(&self, issuer: &str) {
        let what = format!("the API server finds {issuer}");
        let found = until(&what, FOUND, || async {
            match self.api.issuers_ready(Duration::ZERO).await {
                Err(missing) if missing.contains(&format!("{issuer:?}")) => Look::NotYet(missing),
                _ => Look::Ready(()),
            }
        });
        if let Err(error) = found.await {
            tracing::debug!(%error, "an issuer that was mended stays unknown");
        }
    }

    pub(super) fn audit_log(&self) -> Vec<serde_json::Value> {
        let log = self.api.audit_log();
        let events = log.iter().map(|line| serde_json::from_str(line));
        events.filter_map(Result::ok).collect()
    }

    pub(super) async fn shutdown(self) {
        self.api.shutdown().await;
    }
}

/// Each cluster is a world of its own: other objects, another key.
fn service_accounts(site: &Site, cluster: &str) -> Result<ServiceAccounts, LabError> {
    let usual = ServiceAccounts::default();
    Ok(ServiceAccounts {
        issuer: site
            .service_account_issuer(cluster)?
            .unwrap_or(usual.issuer),
        key: service_account_key(cluster),
    })
}

fn for_server(wanted: &Authentication) -> authlab_apiserver::Authentication {
    authlab_apiserver::Authentication {
        config: wanted.config.as_ref().map(|text| text.text.clone()),
        flags: wanted.flags.clone(),
    }
}
