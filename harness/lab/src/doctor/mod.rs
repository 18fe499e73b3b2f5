//! What this machine can run, and what to do about the rest.
//!
//! Only looks: nothing is installed, built or changed. Everything is asked through [`Machine`], so
//! that each finding can be tried without a machine that is wanting in just that way.

mod docker;
mod machine;
mod network;
mod system;
mod toolchain;

use std::path::Path;

use serde::Serialize;

pub use machine::{Machine, Output, ThisMachine};

/// An OCI runtime for machines without CAP_SYS_RESOURCE, to be read before it is used.
pub const RUNTIME: &str = include_str!("../../../../ci/images/runc-without-sys-resource");

/// How a finding bears on what can be run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Level {
    /// As it should be.
    Good,
    /// Good to know; nothing is kept from running.
    Note,
    /// Keeps a backend from running.
    Amiss,
}

/// One thing that was looked at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// A name for scripts, for example `docker-stopped`.
    pub id: &'static str,
    /// How it bears on what can be run.
    pub level: Level,
    /// What was seen.
    pub what: String,
    /// What to do about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub help: Option<String>,
    /// The backends that cannot run because of it.
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    pub hinders: &'static [&'static str],
}

impl Finding {
    fn good(id: &'static str, what: impl Into<String>) -> Self {
        Self {
            id,
            level: Level::Good,
            what: what.into(),
            help: None,
            hinders: &[],
        }
    }

    fn note(id: &'static str, what: impl Into<String>, help: impl Into<String>) -> Self {
        Self {
            level: Level::Note,
            help: Some(help.into()),
            ..Self::good(id, what)
        }
    }

    fn amiss(
        id: &'static str,
        hinders: &'static [&'static str],
        what: impl Into<String>,
        help: impl Into<String>,
    ) -> Self {
        Self {
            level: Level::Amiss,
            hinders,
            ..Self::note(id, what, help)
        }
    }
}

/// Whether a backend can run here.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Verdict {
    /// The backend as it is written on the command line.
    pub backend: &'static str,
    /// Whether it can run.
    pub ready: bool,
    /// In few words: what it is, or the ids of the findings that keep it from running.
    pub why: String,
}

/// The backend that runs where none is named.
pub const DEFAULT: &str = "embedded";
const PROCESS: &str = "process";
const KIND: &str = "kind";
const EXISTING: &str = "existing";
const ALL: [&str; 4] = [DEFAULT, PROCESS, KIND, EXISTING];

/// What each backend is.
const BACKENDS: [(&str, &str); 4] = [
    (DEFAULT, "in process, pure Rust; the default"),
    (PROCESS, "the real components as plain processes"),
    (KIND, "a kind cluster, with containers beside it"),
    (EXISTING, "a cluster of yours, by `--kubeconfig`"),
];

/// All that was found.
#[derive(Debug, Clone, Serialize)]
pub struct Report {
    /// What can run.
    pub backends: Vec<Verdict>,
    /// What was looked at.
    pub findings: Vec<Finding>,
}

impl Report {
    /// Whether the default backend can run.
    #[must_use]
    pub fn default_runs(&self) -> bool {
        let default = |verdict: &&Verdict| verdict.backend == DEFAULT;
        self.backends
            .iter()
            .find(default)
            .is_some_and(|verdict| verdict.ready)
    }
}

/// Looks at everything that the backends need, for the checkout at `root`. Takes some seconds at
/// most, whatever does not answer.
#[must_use]
pub fn examine(root: &Path, machine: &dyn Machine) -> Report {
    let mut findings = system::look(root, machine);
    findings.extend(toolchain::look(root, machine));
    findings.extend(docker::look(machine));
    findings.extend(network::look(machine));
    let backends = BACKENDS.map(|(backend, what)| {
        let hindered = findings.iter().filter(|f| f.hinders.contains(&backend));
        let ids: Vec<&str> = hindered.map(|finding| finding.id).collect();
        Verdict {
            backend,
            ready: ids.is_empty(),
            why: if ids.is_empty() {
                what.to_owned()
            } else {
                ids.join(", ")
            },
        }
    });
    Report {
        backends: backends.into(),
        findings,
    }
}

#[cfg(test)]
mod tests;
