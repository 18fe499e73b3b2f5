//! Which cluster is meant: said by whoever runs the lab, never guessed.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// Names the kubeconfig where no flag does.
pub const KUBECONFIG_VARIABLE: &str = "AUTHLAB_KUBECONFIG";

/// A cluster that exists already, as somebody names it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Target {
    /// The kubeconfig.
    pub kubeconfig: PathBuf,
    /// The context in it; the current one when absent.
    #[serde(default)]
    pub context: Option<String>,
    /// Images by component (`dex`, `keycloak`, `etcd`) in the place of the official ones.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub images: BTreeMap<String, String>,
}

impl Target {
    /// The cluster of a kubeconfig, or of the one that the environment names for this. The
    /// kubeconfig that kubectl would take is never meant by silence.
    #[must_use]
    pub fn named(kubeconfig: Option<PathBuf>, context: Option<String>) -> Option<Self> {
        let variable = || {
            let value = std::env::var_os(KUBECONFIG_VARIABLE)?;
            (!value.is_empty()).then(|| PathBuf::from(value))
        };
        let kubeconfig = kubeconfig.or_else(variable)?;
        // The host runs in another folder than the driver may.
        let kubeconfig = std::path::absolute(&kubeconfig).unwrap_or(kubeconfig);
        Some(Self {
            kubeconfig,
            context,
            images: BTreeMap::new(),
        })
    }
}
