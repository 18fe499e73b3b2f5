//! Flags of the commands that run scenarios and describe them.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use super::{Backend, ClusterArgs, KubernetesArgs, OriginArgs};

/// Flags of `e2e`.
#[derive(Debug, Args)]
pub struct E2eArgs {
    /// Run only scenarios whose path contains one of these texts; each must be in some path.
    pub filter: Vec<String>,
    /// Where the labs run.
    #[arg(long, default_value = "embedded")]
    pub backend: Backend,
    /// Run only scenarios of this lab.
    #[arg(long)]
    pub lab: Option<String>,
    /// Leave the labs running afterwards.
    #[arg(long)]
    pub keep: bool,
    /// Only say which scenarios would run.
    #[arg(long, conflicts_with_all = ["keep", "junit", "json", "annotations"])]
    pub list: bool,
    /// How many labs at once [default: two a core; of clusters in containers, one].
    #[arg(long)]
    pub jobs: Option<usize>,
    /// Write a JUnit XML report to this file.
    #[arg(long, value_name = "FILE")]
    pub junit: Option<PathBuf>,
    /// Write the results as JSON to this file (`-`: standard output).
    #[arg(long, value_name = "FILE")]
    pub json: Option<PathBuf>,
    /// Put results, and logs of the labs that failed, into this archive (or this folder) without
    /// secrets [default: below target/authlab/, when something fails].
    #[arg(long, value_name = "FILE", conflicts_with = "list")]
    pub bundle: Option<PathBuf>,
    /// Show every access matrix, not only those that do not hold.
    #[arg(long)]
    pub matrix: bool,
    /// Tell GitHub what did not hold, on the scenario's own line; done by itself where
    /// `GITHUB_ACTIONS=true`.
    #[arg(long)]
    pub annotations: bool,
    #[command(flatten)]
    pub kubernetes: KubernetesArgs,
    #[command(flatten)]
    pub images: OriginArgs,
    #[command(flatten)]
    pub cluster: ClusterArgs,
}

/// Flags of `diff`.
#[derive(Debug, Args)]
pub struct DiffArgs {
    /// Compare only scenarios whose path contains one of these texts; each must be in some path.
    pub filter: Vec<String>,
    /// The one backend.
    #[arg(long, default_value = "embedded")]
    pub left: Backend,
    /// The other backend.
    #[arg(long, default_value = "process")]
    pub right: Backend,
    #[command(flatten)]
    pub kubernetes: KubernetesArgs,
    /// How many labs at once [default: two a core; of clusters in containers, one].
    #[arg(long)]
    pub jobs: Option<usize>,
    /// Print the differences as JSON.
    #[arg(long)]
    pub json: bool,
    /// Write a JUnit XML report of the run on the other backend to this file.
    #[arg(long, value_name = "FILE")]
    pub junit: Option<PathBuf>,
}

/// Flags of `schema`.
#[derive(Debug, Args)]
pub struct SchemaArgs {
    /// Print one schema instead of writing both.
    #[arg(long, value_name = "KIND")]
    pub print: Option<SchemaKind>,
    /// Write docs/verbs.md instead.
    #[arg(long, conflicts_with = "print")]
    pub docs: bool,
}

/// What a schema is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum SchemaKind {
    /// Files below `scenarios/`.
    Scenario,
    /// Files below `fixtures/labs/`.
    Lab,
}
