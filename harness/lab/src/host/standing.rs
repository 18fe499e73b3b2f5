//! What the API servers of a running lab authenticate by: what the lab started with, and what has
//! come into force since.

use std::collections::BTreeMap;

use tokio::sync::Mutex;

use super::providers::Providers;
use crate::backend::{LabError, Running};
use crate::control::{By, Configure, Response};
use crate::plan::{Authentication, Plan, Text};
use crate::state::DEFAULT_CLUSTER;

pub(super) struct Standing {
    /// The names of the API servers.
    clusters: Vec<String>,
    now: Mutex<Now>,
}

struct Now {
    /// What is brought back, by API server.
    baseline: BTreeMap<String, Authentication>,
    /// What has come into force since.
    changed: BTreeMap<String, Authentication>,
    /// The lab file, where the baseline comes from it.
    file: Option<Text>,
}

impl Standing {
    pub(super) fn new(plan: &Plan) -> Self {
        let baseline = plan.clusters().map(|name| {
            let authentication = plan.authentication_of(name).cloned();
            (name.to_owned(), authentication.unwrap_or_default())
        });
        Self {
            clusters: plan.clusters().map(str::to_owned).collect(),
            now: Mutex::new(Now {
                baseline: baseline.collect(),
                changed: BTreeMap::new(),
                file: plan.file.clone(),
            }),
        }
    }

    /// The API server that a request is about.
    pub(super) fn cluster<'a>(&self, name: Option<&'a str>) -> Result<&'a str, String> {
        let name = name.unwrap_or(DEFAULT_CLUSTER);
        if self.clusters.iter().any(|known| known == name) {
            return Ok(name);
        }
        let known = self.clusters.join(", ");
        Err(format!(
            "no API server `{name}` in this lab; it has: {known}"
        ))
    }

    /// Gives an API server another authentication.
    pub(super) async fn configure(&self, running: &dyn Running, wanted: &Configure) -> Response {
        let cluster = match self.cluster(wanted.cluster.as_deref()) {
            Ok(cluster) => cluster,
            Err(message) => return Response::Failed { message },
        };
        let response = running.configure(wanted).await;
        if matches!(response, Response::InForce) {
            let changed = &mut self.now.lock().await.changed;
            changed.insert(cluster.to_owned(), wanted.authentication.clone());
        }
        response
    }

    /// What is in force at an API server.
    pub(super) async fn in_force(&self, cluster: Option<&str>) -> Response {
        let cluster = match self.cluster(cluster) {
            Ok(cluster) => cluster,
            Err(message) => return Response::Failed { message },
        };
        let now = self.now.lock().await;
        let baseline = &now.baseline[cluster];
        let authentication = now.changed.get(cluster).unwrap_or(baseline);
        Response::Authentication {
            file: match authentication == baseline {
                true => now.file.clone(),
                false => None,
            },
            authentication: authentication.clone(),
        }
    }

    /// Brings everything back to the baseline.
    pub(super) async fn restore(&self, running: &dyn Running, providers: &Providers) -> Response {
        // Before the API servers, which look for their issuers.
        let mended = providers.restore(running).await;
        let baseline = self.now.lock().await.baseline.clone();
        for (name, authentication) in baseline {
            let wanted = Configure {
                authentication,
                by: *mended.as_ref().unwrap_or(&By::Restart),
                cluster: Some(name.clone()),
            };
            match running.bring_back(&wanted).await {
                Response::InForce => drop(self.now.lock().await.changed.remove(&name)),
                Response::Refused { message } => return Response::Failed { message },
                other => return other,
            }
        }
        match mended {
            Ok(_) => Response::InForce,
            Err(message) => Response::Failed { message },
        }
    }

    /// Starts the default API server with the authentication of another plan, which becomes its
    /// baseline.
    pub(super) async fn rebase(&self, running: &dyn Running, plan: &Plan) -> Result<(), LabError> {
        let wanted = Configure {
            authentication: plan.authentication.clone(),
            by: By::Restart,
            cluster: None,
        };
        let why = match running.configure(&wanted).await {
            Response::InForce => {
                let mut now = self.now.lock().await;
                now.changed.remove(DEFAULT_CLUSTER);
                now.baseline
                    .insert(DEFAULT_CLUSTER.to_owned(), wanted.authentication);
                now.file.clone_from(&plan.file);
                return Ok(());
            }
            Response::Refused { message } => {
                return Err(LabError::Refused {
                    component: "kube-apiserver".to_owned(),
                    message,
                });
            }
            Response::Failed { message } => message,
            other => format!("{other:?}"),
        };
        Err(LabError::Api {
            what: "another authentication".to_owned(),
            why,
        })
    }
}
