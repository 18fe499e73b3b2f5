//! The command line: every command, its flags and its examples.

mod components;
mod scenarios;

use std::path::PathBuf;

use authlab_lab::backend::existing::IMAGES;
use authlab_lab::state::BackendKind;
use clap::{Args, Parser, Subcommand, ValueEnum};

pub use components::{ImagesArgs, KubernetesArgs, OriginArgs, ToolsArgs};
pub use scenarios::{DiffArgs, E2eArgs, SchemaArgs, SchemaKind};

/// The test bench for Kubernetes authentication.
#[derive(Debug, Parser)]
#[command(
    name = "cargo xtask",
    bin_name = "cargo xtask",
    version,
    propagate_version = true
)]
#[command(
    after_help = "Exit codes: 0 all held; 1 an expectation failed; 2 the lab or a file is at \
                        fault, or nothing was selected; 130 interrupted."
)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
    /// Show what the harness does (twice: show more).
    #[arg(short, long, action = clap::ArgAction::Count, global = true)]
    pub verbose: u8,
}

/// Every command of the driver.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run scenarios end to end: start their labs, run them, report, stop the labs.
    #[command(
        after_help = "Examples:\n  cargo xtask e2e\n  cargo xtask e2e rbac/ dex/refresh\n  \
                            cargo xtask e2e --backend process --junit target/junit.xml\n  \
                            cargo xtask e2e --backend kind --kubernetes 1.34 dex/"
    )]
    E2e(E2eArgs),
    /// Run scenarios on two backends and print every difference in verdict, user info and message.
    #[command(
        after_help = "Examples:\n  cargo xtask diff rbac/\n  cargo xtask diff --kubernetes 1.34"
    )]
    Diff(DiffArgs),
    /// Start a lab and leave it running.
    #[command(
        after_help = "Examples:\n  cargo xtask up\n  cargo xtask up forge --backend process --kubernetes 1.35\n  \
                            eval \"$(cargo xtask env)\" && kubectl auth whoami"
    )]
    Up(UpArgs),
    /// Stop labs and remove everything that they left.
    #[command(after_help = "Examples:\n  cargo xtask down\n  cargo xtask down dex-process")]
    Down(DownArgs),
    /// Show the labs that run.
    #[command(after_help = "Examples:\n  cargo xtask status\n  cargo xtask status --json")]
    Status(StatusArgs),
    /// Print shell settings (KUBECONFIG, issuers) for a running lab.
    #[command(after_help = "Example:\n  eval \"$(cargo xtask env dex)\"")]
    Env(EnvArgs),
    /// Print the configuration files of a running lab with every placeholder filled.
    #[command(
        after_help = "Examples:\n  cargo xtask render dex\n  cargo xtask render dex --only dex/config.yaml"
    )]
    Render(RenderArgs),
    /// Put everything that tells what happened into one archive without secrets: logs, configurations, results.
    #[command(
        after_help = "Examples:\n  cargo xtask report\n  cargo xtask report dex-process --output dex.tar.gz\n  \
                            cargo xtask report dex-kind --kind-export\n\n\
                            Labs that have died can be told of until the next `up` or `down`."
    )]
    Report(ReportArgs),
    /// Say step by step what an authentication configuration makes of a token, and how to mend a refusal.
    #[command(
        after_help = "Examples:\n  cargo xtask explain --token token.jwt --config authentication.yaml\n  \
                            kubelogin get-token ... | cargo xtask explain --token - --lab dex --can get,pods,dev\n  \
                            cargo xtask explain --token token.jwt --flag oidc-issuer-url=https://dex.example \\\n      \
                            --flag oidc-client-id=kube --now 2026-11-22T10:00:00Z\n  \
                            cargo xtask explain --batch cases.jsonl\n\n\
                            The token is a secret: its header and claims are shown, never the token itself.\n\
                            Exit codes: 0 let in; 1 refused; 2 the token or the configuration cannot be read."
    )]
    Explain(ExplainArgs),
    /// Find what an API server or a provider accepts and a person did not mean: in files, labs, documentation.
    #[command(
        after_help = "Examples:\n  cargo xtask lint\n  cargo xtask lint authentication.yaml dex.yaml\n  \
                            cargo xtask lint dex keycloak\n  cargo xtask lint docs/ --json\n  \
                            cargo xtask lint --explain system-names\n\n\
                            Files that are named together are held against each other: whether the provider that one\n\
                            configures issues what the other asks for. A name without `.` and `/` is a lab.\n\
                            A file says that it means it: `# authlab: allow(RULE): why`.\n\
                            Exit codes: 0 nothing found but notes; 1 errors or warnings; 2 nothing could be looked at."
    )]
    Lint(LintArgs),
    /// Turn the API server's `--oidc-*` flags into the configuration file that says the same.
    #[command(
        after_help = "Examples:\n  cargo xtask convert --oidc-issuer-url=https://dex.example --oidc-client-id=kube\n  \
                            cargo xtask convert --oidc-issuer-url=https://dex.example --oidc-client-id=kube \\\n      \
                            --oidc-ca-file=ca.pem --oidc-required-claim=hd=example.com > authentication.yaml\n  \
                            cargo xtask convert --manifest /etc/kubernetes/manifests/kube-apiserver.yaml\n\n\
                            What a file cannot say is told on standard error."
    )]
    Convert(ConvertArgs),
    /// Build the real components (needs Go; Keycloak needs Java and Maven) and say where they are.
    #[command(
        after_help = "Examples:\n  cargo xtask tools\n  cargo xtask tools --kubernetes 1.35\n  cargo xtask tools --list --json"
    )]
    Tools(ToolsArgs),
    /// Write JSON Schemas of scenario and lab files, for editors, or the verb reference.
    #[command(
        after_help = "Examples:\n  cargo xtask schema\n  cargo xtask schema --print scenario\n  \
                            cargo xtask schema --docs"
    )]
    Schema(SchemaArgs),
    /// Pull or build the container images of clusters (needs Docker; to build them Go, and for Keycloak's Java and Maven)
    /// and say what they are called.
    #[command(
        after_help = "Examples:\n  cargo xtask images\n  cargo xtask images node --kubernetes 1.35\n  cargo xtask images --from auto"
    )]
    Images(ImagesArgs),
    /// Say what this machine can run, and what to do about the rest; changes nothing.
    #[command(
        after_help = "Examples:\n  cargo xtask doctor\n  cargo xtask doctor --json\n\nExit codes: \
                            0 the default backend can run; 2 it cannot."
    )]
    Doctor(DoctorArgs),
    /// Measure what takes how long, side by side in one run.
    #[command(after_help = "Example:\n  cargo xtask bench --process --kind --cold --write")]
    Bench(BenchArgs),
    /// Run all tests: unit, integration, and every scenario on the embedded backend.
    #[command(after_help = "Examples:\n  cargo xtask test\n  cargo xtask test dex::")]
    Test(TestArgs),
    /// Check the house rules that the compiler does not know.
    #[command(after_help = "Example:\n  cargo xtask tidy")]
    Tidy,
    /// Print a completion script for a shell.
    #[command(
        after_help = "Examples, for the word `xtask`:\n  alias xtask='cargo xtask'\n  \
                            source <(cargo xtask completions bash)\n  \
                            cargo xtask completions fish | source"
    )]
    Completions {
        /// The shell.
        shell: clap_complete::Shell,
    },
    /// The lab host, started by `up`.
    #[command(name = "__host", hide = true)]
    Host {
        /// The lab's id.
        #[arg(long)]
        id: String,
        /// Where it runs.
        #[arg(long)]
        backend: Backend,
    },
}

/// Where labs run.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum Backend {
    /// In process, in pure Rust: nothing to install.
    #[default]
    Embedded,
    /// The real kube-apiserver, etcd, Dex and Keycloak as plain processes; builds first what the lab
    /// has of them (needs Go; Keycloak needs Java and Maven).
    Process,
    /// A kind cluster, with containers beside it; pulls or builds their images first (needs Docker, and Go to build kind
    /// and what is not pulled).
    Kind,
    /// A cluster that is there already: see `--kubeconfig`.
    Existing,
}

impl From<Backend> for BackendKind {
    fn from(backend: Backend) -> Self {
        match backend {
            Backend::Embedded => Self::Embedded,
            Backend::Process => Self::Process,
            Backend::Kind => Self::Kind,
            Backend::Existing => Self::Existing,
        }
    }
}

/// Which cluster the backend `existing` means.
#[derive(Debug, Args)]
#[command(next_help_heading = "A cluster that is there already")]
pub struct ClusterArgs {
    /// Its kubeconfig [default: AUTHLAB_KUBECONFIG; never kubectl's own].
    #[arg(long, value_name = "FILE")]
    pub kubeconfig: Option<PathBuf>,
    /// The context in the kubeconfig [default: its current one].
    #[arg(long, value_name = "NAME")]
    pub context: Option<String>,
    /// What a lab's own providers are run from there, `dex=IMAGE`, `etcd=IMAGE` (Dex's storage) or `keycloak=IMAGE`,
    /// once for each
    /// [default: those of `cargo xtask images`, if the nodes have them].
    #[arg(long = "image", value_name = "NAME=IMAGE", value_parser = image)]
    pub images: Vec<(String, String)>,
}

/// One that can be named.
fn image(text: &str) -> Result<(String, String), String> {
    let named = text.split_once('=');
    let named = named.filter(|(name, image)| IMAGES.contains(name) && !image.is_empty());
    let (name, image) = named.ok_or("write `dex=IMAGE`, `etcd=IMAGE` or `keycloak=IMAGE`")?;
    Ok((name.to_owned(), image.to_owned()))
}

/// Flags of `up`.
#[derive(Debug, Args)]
pub struct UpArgs {
    /// The lab: a file of `fixtures/labs/` without its ending.
    #[arg(default_value = "dex")]
    pub lab: String,
    /// Where it runs.
    #[arg(long, default_value = "embedded")]
    pub backend: Backend,
    #[command(flatten)]
    pub kubernetes: KubernetesArgs,
    #[command(flatten)]
    pub images: OriginArgs,
    #[command(flatten)]
    pub cluster: ClusterArgs,
}

/// Flags of `down`.
#[derive(Debug, Args)]
pub struct DownArgs {
    /// Labs by name or id [default: all].
    pub labs: Vec<String>,
    /// All labs of this checkout: what is done without a name, too.
    #[arg(long, conflicts_with = "labs")]
    pub all: bool,
}

/// Flags of `status`.
#[derive(Debug, Args)]
pub struct StatusArgs {
    /// As JSON, without secrets.
    #[arg(long)]
    pub json: bool,
}

/// Flags of `env`.
#[derive(Debug, Args)]
pub struct EnvArgs {
    /// The lab by name or id [default: the only one that runs].
    pub lab: Option<String>,
    /// For which shell.
    #[arg(long, default_value = "posix")]
    pub shell: Shell,
}

/// How `env` writes a setting.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Shell {
    /// `export NAME='value'`
    Posix,
    /// `set -gx NAME 'value'`
    Fish,
}

/// Flags of `render`.
#[derive(Debug, Args)]
pub struct RenderArgs {
    /// The lab by name or id [default: the only one that runs].
    pub lab: Option<String>,
    /// Only this file, by its path below `fixtures/`; any fixture may be named.
    #[arg(long, value_name = "PATH")]
    pub only: Option<PathBuf>,
}

/// Flags of `report`.
#[derive(Debug, Args)]
pub struct ReportArgs {
    /// The lab by name or id, dead or alive [default: all].
    pub lab: Option<String>,
    /// Write the archive to this file [default: target/authlab/report.tar.gz].
    #[arg(long, value_name = "FILE")]
    pub output: Option<PathBuf>,
    /// Add what kind exports of a running lab's nodes (kubelet, containers, journal), without secrets, too: takes some
    /// seconds more.
    #[arg(long)]
    pub kind_export: bool,
    /// What was written, as JSON.
    #[arg(long)]
    pub json: bool,
}

/// Flags of `explain`.
#[derive(Debug, Args)]
pub struct ExplainArgs {
    /// The token, in a file (`-`: standard input): as it is, or in the JSON that kubelogin or a token endpoint gives.
    #[arg(long, value_name = "FILE")]
    pub token: Option<PathBuf>,
    /// The AuthenticationConfiguration file of the API server.
    #[arg(long, value_name = "FILE", conflicts_with = "lab")]
    pub config: Option<PathBuf>,
    /// A flag of the API server instead of a file, `oidc-username-claim=email`; once for each.
    #[arg(long = "flag", value_name = "NAME=VALUE", conflicts_with_all = ["config", "lab"])]
    pub flags: Vec<String>,
    /// A running lab by name or id: what is in force there now, and its issuers' keys.
    #[arg(long, value_name = "LAB")]
    pub lab: Option<String>,
    /// Which API server of the lab [default: default].
    #[arg(long, value_name = "NAME", requires = "lab")]
    pub cluster: Option<String>,
    /// Judge as at this time: `2026-11-22T10:00:00Z`, or seconds since 1970 [default: now].
    #[arg(long, value_name = "TIME")]
    pub now: Option<crate::commands::explain::Moment>,
    /// Whether the user that comes out may do this in the lab: `get,pods,dev`; and by which binding.
    #[arg(long, value_name = "VERB,RESOURCE[,NAMESPACE]", requires = "lab")]
    pub can: Option<authlab_scenario::ask::Request>,
    /// Do not ask the issuer for its keys.
    #[arg(long)]
    pub offline: bool,
    /// The walk as JSON.
    #[arg(long)]
    pub json: bool,
    /// One case a line (`id`, `config`, `claims`, `now`, ...); one verdict a line out.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["token", "config", "flags", "lab", "can", "now", "offline", "json"])]
    pub batch: Option<PathBuf>,
}

/// Flags of `lint`.
#[derive(Debug, Args)]
pub struct LintArgs {
    /// Files, folders, or labs by name [default: every lab and scenario].
    pub targets: Vec<String>,
    /// The findings, or the rules, as JSON.
    #[arg(long)]
    pub json: bool,
    /// Say what a rule is about.
    #[arg(long, value_name = "RULE")]
    pub explain: Option<String>,
    /// List the rules.
    #[arg(long)]
    pub rules: bool,
}

/// Flags of `convert`: those of kube-apiserver, and where to find them.
#[derive(Debug, Args)]
pub struct ConvertArgs {
    /// The URL of the issuer.
    #[arg(long, value_name = "URL")]
    pub oidc_issuer_url: Vec<String>,
    /// The audience that tokens must have.
    #[arg(long, value_name = "ID")]
    pub oidc_client_id: Vec<String>,
    /// The claim that is the user name.
    #[arg(long, value_name = "CLAIM")]
    pub oidc_username_claim: Vec<String>,
    /// What goes before the user name; `-` for nothing.
    #[arg(long, value_name = "PREFIX", allow_hyphen_values = true)]
    pub oidc_username_prefix: Vec<String>,
    /// The claim that has the groups.
    #[arg(long, value_name = "CLAIM")]
    pub oidc_groups_claim: Vec<String>,
    /// What goes before every group.
    #[arg(long, value_name = "PREFIX")]
    pub oidc_groups_prefix: Vec<String>,
    /// A claim that must have a value; may be repeated.
    #[arg(long, value_name = "CLAIM=VALUE")]
    pub oidc_required_claim: Vec<String>,
    /// The algorithms that are taken.
    #[arg(long, value_name = "ALGS")]
    pub oidc_signing_algs: Vec<String>,
    /// The file with the issuer's authority.
    #[arg(long, value_name = "FILE")]
    pub oidc_ca_file: Vec<String>,
    /// Take the flags from this Pod manifest of kube-apiserver; those given here count more.
    #[arg(long, value_name = "FILE")]
    pub manifest: Option<PathBuf>,
    /// Look for the API server's files below this folder.
    #[arg(long, value_name = "FOLDER")]
    pub root: Option<PathBuf>,
}

impl ConvertArgs {
    /// The flags of the API server that were given, by name.
    pub fn given(&self) -> impl Iterator<Item = (&'static str, &[String])> {
        [
            ("oidc-issuer-url", &self.oidc_issuer_url),
            ("oidc-client-id", &self.oidc_client_id),
            ("oidc-username-claim", &self.oidc_username_claim),
            ("oidc-username-prefix", &self.oidc_username_prefix),
            ("oidc-groups-claim", &self.oidc_groups_claim),
            ("oidc-groups-prefix", &self.oidc_groups_prefix),
            ("oidc-required-claim", &self.oidc_required_claim),
            ("oidc-signing-algs", &self.oidc_signing_algs),
            ("oidc-ca-file", &self.oidc_ca_file),
        ]
        .into_iter()
        .filter(|(_, values)| !values.is_empty())
        .map(|(name, values)| (name, values.as_slice()))
    }
}

/// Flags of `doctor`.
#[derive(Debug, Args)]
pub struct DoctorArgs {
    /// As JSON.
    #[arg(long)]
    pub json: bool,
    /// Print an OCI runtime for machines without CAP_SYS_RESOURCE, to be read before it is used.
    #[arg(long, conflicts_with = "json")]
    pub runtime: bool,
}

/// Flags of `bench`.
#[derive(Debug, Args)]
pub struct BenchArgs {
    /// How often each thing is measured (slow ones at most five times).
    #[arg(long, default_value = "20")]
    pub runs: usize,
    /// Measure labs of real components too.
    #[arg(long)]
    pub process: bool,
    /// Measure kind clusters too, beside bare ones; with a chart of what ran when.
    #[arg(long)]
    pub kind: bool,
    /// Measure the compilation of the driver from nothing too (some minutes, one core or more).
    #[arg(long)]
    pub cold: bool,
    /// Write docs/benchmarks.md.
    #[arg(long)]
    pub write: bool,
}

/// Flags of `test`.
#[derive(Debug, Args)]
pub struct TestArgs {
    /// Passed on to the test runner: name filters and its own flags.
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    pub args: Vec<String>,
}
