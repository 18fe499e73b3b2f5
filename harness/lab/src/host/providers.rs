//! What is done to the identity providers of a running lab, and undone.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use authlab_idp::fault::{Fault, TlsFault};
use authlab_idp::forge::Forge;
use authlab_pki::{Certificate, Validity};
use tokio::sync::Mutex;

use crate::backend::{LabError, Running, done};
use crate::checkout::Checkout;
use crate::control::{By, Response};
use crate::plan::{Provider, Text};
use crate::spec::ProviderKind;

const DAY: Duration = Duration::from_secs(24 * 3600);

/// The providers of a lab: forges, which the host itself runs on every backend, and those of the
/// backend.
pub(super) struct Providers {
    forges: BTreeMap<String, Arc<Forge>>,
    planned: BTreeMap<String, Provider>,
    /// Has the CA that certificates are made by.
    checkout: Checkout,
    /// Held while something changes.
    changed: Mutex<Changed>,
}

/// The names of providers that are not as they were at the start.
#[derive(Debug, Default)]
struct Changed {
    broken: BTreeSet<String>,
    rotated: BTreeSet<String>,
    configured: BTreeSet<String>,
}

impl Providers {
    pub(super) fn new(
        forges: BTreeMap<String, Forge>,
        planned: BTreeMap<String, Provider>,
        checkout: Checkout,
    ) -> Self {
        let forges = forges.into_iter();
        Self {
            forges: forges
                .map(|(name, forge)| (name, Arc::new(forge)))
                .collect(),
            planned,
            checkout,
            changed: Mutex::default(),
        }
    }

    /// The forge of that name.
    pub(super) fn forge(&self, name: &str) -> Result<Arc<Forge>, String> {
        self.forges.get(name).cloned().ok_or_else(|| {
            let known: Vec<&str> = self.forges.keys().map(String::as_str).collect();
            let known = known.join(", ");
            format!("no forge `{name}` in this lab; it has: {known}")
        })
    }

    /// Signs with a new key from now on.
    pub(super) async fn rotate(&self, running: &dyn Running, name: &str) -> Response {
        let planned = match self.planned(name) {
            Ok(planned) => planned,
            Err(message) => return Response::Failed { message },
        };
        let mut changed = self.changed.lock().await;
        changed.rotated.insert(name.to_owned());
        if planned.kind != ProviderKind::Forge {
            return running.rotate_keys(name).await;
        }
        match self.forges.get(name) {
            Some(forge) => done(forge.rotate_keys().await.map_err(|error| error.to_string())),
            None => done(Ok(())),
        }
    }

    /// Breaks a provider, or mends it.
    pub(super) async fn fault(
        &self,
        running: &dyn Running,
        name: &str,
        fault: Option<Fault>,
    ) -> Response {
        let mut changed = self.changed.lock().await;
        if let Err(message) = self.planned(name).map(drop) {
            return Response::Failed { message };
        }
        let response = self.set(running, name, fault).await;
        if matches!(response, Response::Done) {
            match fault {
                Some(_) => changed.broken.insert(name.to_owned()),
                None => changed.broken.remove(name),
            };
        }
        response
    }

    /// Starts a provider again with another file.
    pub(super) async fn configure(
        &self,
        running: &dyn Running,
        name: &str,
        config: &Text,
    ) -> Response {
        let mut changed = self.changed.lock().await;
        let failed = |message: String| Response::Failed { message };
        match self.planned(name) {
            Err(message) => return failed(message),
            Ok(planned) if planned.kind == ProviderKind::Forge => {
                return failed(format!("`{name}` is a forge, which has no configuration"));
            }
            Ok(_) if changed.broken.contains(name) => {
                return failed(format!("`{name}` is down: mend it before it is configured"));
            }
            Ok(_) => {}
        }
        let response = running.configure_provider(name, config).await;
        if matches!(response, Response::InForce) {
            changed.configured.insert(name.to_owned());
        }
        response
    }

    /// Brings every provider back to what it was at the start. The keys of a product are its own
    /// and stay: API servers must forget the old ones, which they may keep for hours, and start
    /// again when this says so.
    ///
    /// # Errors
    /// What could not be undone; the rest has been.
    pub(super) async fn restore(&self, running: &dyn Running) -> Result<By, String> {
        let mut changed = self.changed.lock().await;
        let Changed {
            broken,
            rotated,
            configured,
        } = std::mem::take(&mut *changed);
        let mut failures = Vec::new();
        let mut note = |response: Response| match response {
            Response::Failed { message } | Response::Refused { message } => failures.push(message),
            _ => {}
        };
        for name in broken {
            note(self.set(running, &name, None).await);
        }
        let mut by = By::Auto;
        for name in rotated {
            match self.forges.get(&name) {
                None => by = By::Restart,
                Some(forge) => {
                    let reset = forge.reset_keys().await;
                    note(done(reset.map_err(|error| error.to_string())));
                }
            }
        }
        for name in configured {
            let planned = self.planned.get(&name);
            if let Some(config) = planned.and_then(|planned| planned.config.as_ref()) {
                note(running.configure_provider(&name, config).await);
            }
        }
        match failures.as_slice() {
            [] => Ok(by),
            failures => Err(failures.join("\n")),
        }
    }

    pub(super) async fn shutdown(self) {
        for forge in self.forges.into_values().filter_map(Arc::into_inner) {
            forge.shutdown().await;
        }
    }

    /// Breaks or mends it, and answers when that shows.
    async fn set(&self, running: &dyn Running, name: &str, fault: Option<Fault>) -> Response {
        let response = match (self.forges.get(name), fault) {
            (Some(forge), fault) => done(self.set_forge(forge, fault).await),
            (None, None | Some(Fault::Down)) => running.fault(name, fault).await,
            (None, Some(fault)) => Response::Failed {
                message: format!("`{name}` cannot be made to fail by `{fault}`, only to be down"),
            },
        };
        if fault.is_none() && matches!(response, Response::Done) {
            let issuer = running.values().get(&format!("lab.idp.{name}.issuer"));
            running
                .issuer_is_back(issuer.map_or("", String::as_str))
                .await;
        }
        response
    }

    async fn set_forge(&self, forge: &Forge, fault: Option<Fault>) -> Result<(), String> {
        let certificate = match fault {
            Some(Fault::Tls(fault)) => {
                let made = self.certificate(fault, forge.issuer());
                Some(made.map_err(|error| error.to_string())?)
            }
            _ => None,
        };
        let failing = forge.fail(fault, certificate.as_ref()).await;
        failing.map_err(|error| error.to_string())
    }

    fn certificate(&self, fault: TlsFault, issuer: &str) -> Result<Certificate, LabError> {
        let address = issuer.trim_start_matches("https://");
        let host = address.split(':').next().unwrap_or_default();
        let names = [host, "127.0.0.1", "localhost"];
        Ok(match fault {
            TlsFault::OtherAuthority => self.checkout.other_authority()?.server_certificate(&names),
            TlsFault::Expired => {
                let yesterday = SystemTime::now() - DAY;
                let validity = Validity {
                    not_before: yesterday - DAY,
                    not_after: yesterday,
                };
                let trusted = self.checkout.authority()?;
                trusted.server_certificate_with(&names, validity)
            }
        }?)
    }

    fn planned(&self, name: &str) -> Result<&Provider, String> {
        self.planned.get(name).ok_or_else(|| {
            let known: Vec<&str> = self.planned.keys().map(String::as_str).collect();
            match known.as_slice() {
                [] => format!("no provider `{name}` in this lab; it has none"),
                known => {
                    let known = known.join(", ");
                    format!("no provider `{name}` in this lab; it has: {known}")
                }
            }
        })
    }
}
