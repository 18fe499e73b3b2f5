//! A cluster that somebody else made, reached by a kubeconfig.
//!
//! What a lab writes there goes through a [`gate`] of its own on the loopback: whatever comes is
//! handed on as it is, but what is made carries the lab's label, and what is not of the lab cannot be
//! changed. So runner, kubectl and every other client see an API server as on any other backend,
//! and the kubeconfig's credential stays with the lab's host.

mod certificate;
mod cluster;
mod deploy;
mod error;
mod gate;
mod images;
mod look;
mod record;
mod rights;
mod sweep;
mod target;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use authlab_pki::Certificate;

use self::cluster::Cluster;
use self::deploy::Deployed;
use self::gate::Gate;
use self::record::{Label, Record};
use super::{API_SERVER, LabError, Running, Site, Task, done};
use crate::control::{Configure, Response};
use crate::render::Values;
use crate::state::Capability;

pub use error::ExistingError;
pub use images::IMAGES;
pub use look::{Found, look};
pub(crate) use record::reap;
pub use target::{KUBECONFIG_VARIABLE, Target};

/// How long what the lab wrote may take to be gone.
const CLEARED: Duration = Duration::from_secs(90);

struct Existing {
    site: Site,
    found: Found,
    cluster: Arc<Cluster>,
    label: Label,
    gate: Gate,
    deployed: Option<Deployed>,
}

/// Looks at the cluster, and opens the lab's gate to it.
///
/// # Errors
/// When the cluster cannot be used, before anything is written there.
pub(super) async fn start(mut site: Site) -> Result<Box<dyn Running>, LabError> {
    let target = site.plan.existing.clone().ok_or(ExistingError::NoTarget)?;
    let (cluster, found) = look::open(&target).await?;
    found.allowed()?;
    let label = Label::new(&site.id);
    let record = Record {
        target,
        label: label.clone(),
    };
    record.write(&site.folder)?;
    let listener = site.listeners.remove(API_SERVER);
    let listener = listener.ok_or(ExistingError::NoTarget)?;
    let cluster = Arc::new(cluster);
    let gate = Gate::open(listener, &site, Arc::clone(&cluster), label.clone())?;
    let mut lab = Existing {
        site,
        found,
        cluster,
        label,
        gate,
        deployed: None,
    };
    let images = &lab.found.images;
    match deploy::start(&mut lab.site, &lab.cluster, &lab.label, images).await {
        Ok(deployed) => {
            lab.deployed = deployed;
            Ok(Box::new(lab))
        }
        Err(error) => {
            Box::new(lab).stop().await;
            Err(error)
        }
    }
}

impl Running for Existing {
    fn version(&self) -> String {
        self.found.version.clone()
    }

    fn values(&self) -> &Values {
        &self.site.values
    }

    fn capabilities(&self) -> Option<BTreeSet<Capability>> {
        Some(self.found.capabilities(&self.site.plan))
    }

    fn configure<'a>(&'a self, _: &'a Configure) -> Task<'a, Response> {
        let why = "the authentication of a cluster that exists already is not the lab's to change";
        Box::pin(std::future::ready(done(Err(why.to_owned()))))
    }

    // What cannot be changed is as it was.
    fn bring_back<'a>(&'a self, _: &'a Configure) -> Task<'a, Response> {
        Box::pin(std::future::ready(Response::InForce))
    }

    fn unlock<'a>(&'a self, provider: &'a str) -> Task<'a, Response> {
        Box::pin(async move {
            let unlocked = match &self.deployed {
                Some(deployed) => deployed.unlock(provider).await,
                None => Ok(()),
            };
            done(unlocked.map_err(|error| error.to_string()))
        })
    }

    fn client_certificate<'a>(
        &'a self,
        user: &'a str,
        groups: &'a [String],
    ) -> Task<'a, Option<Result<Certificate, LabError>>> {
        Box::pin(async move {
            let issued = certificate::issue(&self.cluster, &self.label, user, groups).await;
            Some(match issued {
                Ok(issued) => {
                    let admitted = self.gate.admit(&self.cluster, &issued);
                    admitted.map(|()| issued).map_err(LabError::from)
                }
                Err(error) => Err(error.into()),
            })
        })
    }

    fn audit_log<'a>(&'a self, _: &'a str) -> Task<'a, Result<Vec<serde_json::Value>, LabError>> {
        let why = LabError::Api {
            what: "the audit log".to_owned(),
            why: "that of a cluster that exists already is not to be had".to_owned(),
        };
        Box::pin(std::future::ready(Err(why)))
    }

    // A cluster that goes away shows in every step.
    fn died(&self) -> Task<'_, LabError> {
        match &self.deployed {
            Some(deployed) => Box::pin(deployed.died(&self.cluster)),
            None => Box::pin(std::future::pending()),
        }
    }

    fn stop(self: Box<Self>) -> Task<'static, ()> {
        Box::pin(async move {
            drop(self.deployed);
            self.gate.close().await;
            match sweep::sweep(&self.cluster, &self.label, CLEARED).await {
                Ok(()) => Record::forget(&self.site.folder),
                Err(error) => tracing::warn!(
                    lab = self.site.id, label = self.label.text(), %error,
                    "something of the lab stays behind in the cluster"
                ),
            }
        })
    }
}
