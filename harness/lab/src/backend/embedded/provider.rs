//! Embedded identity providers, product by product.

use authlab_idp::dex::Dex;
use authlab_idp::fault::Fault;
use authlab_idp::keycloak::Keycloak;

use super::listener;
use crate::backend::{LabError, ONLY_DOWN, Site};
use crate::plan::Text;
use crate::realm;
use crate::refusal;
use crate::spec::ProviderKind;

/// A provider that runs in this process.
pub(super) enum Provider {
    Dex(Dex),
    Keycloak(Keycloak),
}

/// Why a provider did not start again with another file.
pub(super) enum Unconfigured {
    /// In the product's words.
    Refused(String),
    /// The product reads its file once, at its first start.
    Cannot,
}

fn words(error: impl std::fmt::Display) -> String {
    error.to_string()
}

impl Provider {
    /// Starts what the lab file calls `name` from its own file.
    pub(super) async fn start(
        site: &mut Site,
        name: &str,
        kind: ProviderKind,
        config: &Text,
    ) -> Result<Option<Self>, LabError> {
        let text = site.render_for(name, config)?;
        let keys = site.keys.clone();
        Ok(Some(match kind {
            ProviderKind::Dex => {
                let listener = listener(&mut site.listeners, name)?;
                let dex = Dex::start_in_slot(listener, (&config.name, &text), keys, name).await;
                Self::Dex(dex.map_err(|error| refusal::of_dex(name, config, &error))?)
            }
            ProviderKind::Keycloak => {
                let realm = site.values.get(&format!("lab.idp.{name}.realm"));
                let realm = realm.map_or("", String::as_str);
                realm::fits(config, &text, realm, site.plan.providers.get(name))?;
                let listener = listener(&mut site.listeners, name)?;
                let tls = site
                    .authority
                    .server_certificate(&["127.0.0.1", "localhost"])?;
                let keycloak = Keycloak::start(listener, tls, &text, keys, name).await;
                Self::Keycloak(
                    keycloak.map_err(|error| refusal::of_keycloak(name, config, &error))?,
                )
            }
            // Forges run in the lab's host on every backend.
            ProviderKind::Forge => return Ok(None),
        }))
    }

    /// What it takes in its file and a person may not have meant.
    pub(super) fn warnings(&self) -> &[String] {
        match self {
            Self::Dex(dex) => dex.warnings(),
            Self::Keycloak(keycloak) => keycloak.warnings(),
        }
    }

    /// Signs with a new key from now on.
    pub(super) async fn rotate_keys(&self) -> Result<(), String> {
        match self {
            Self::Dex(dex) => dex.rotate_keys().await.map_err(words),
            Self::Keycloak(keycloak) => keycloak.rotate_keys().await.map_err(words),
        }
    }

    /// Breaks it in one way, or mends it.
    pub(super) async fn fault(&mut self, fault: Option<Fault>) -> Result<(), String> {
        match (self, fault) {
            (Self::Dex(dex), Some(Fault::Down)) => dex.down().await.map_err(words),
            (Self::Dex(dex), None) => dex.up().await.map_err(words),
            (Self::Keycloak(keycloak), Some(Fault::Down)) => keycloak.down().await.map_err(words),
            (Self::Keycloak(keycloak), None) => keycloak.up().await.map_err(words),
            (_, Some(_)) => Err(ONLY_DOWN.to_owned()),
        }
    }

    /// Starts again with another file, its placeholders filled; the message is the product's own.
    pub(super) async fn configure(&mut self, name: &str, text: &str) -> Result<(), Unconfigured> {
        match self {
            Self::Dex(dex) => dex
                .restart_with((name, text))
                .await
                .map_err(|error| Unconfigured::Refused(error.to_string())),
            Self::Keycloak(_) => Err(Unconfigured::Cannot),
        }
    }

    /// Ends it.
    pub(super) async fn shutdown(self) {
        match self {
            Self::Dex(dex) => dex.shutdown().await,
            Self::Keycloak(keycloak) => keycloak.shutdown().await,
        }
    }
}
