//! The state file: all that a client of a running lab may know.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::kubernetes::Kubernetes;
use crate::plan::Authentication;
use crate::render::Values;
use crate::spec::{ClientSpec, ProviderKind, UserSpec};

/// File name of the state inside a lab's folder.
pub const STATE_FILE: &str = "state.json";

/// Where a lab runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum BackendKind {
    /// In process, pure Rust.
    Embedded,
    /// The real components as plain processes.
    Process,
    /// A kind cluster, with containers beside it.
    Kind,
    /// A cluster that somebody else made.
    Existing,
}

impl BackendKind {
    /// As it is written on the command line.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Embedded => "embedded",
            Self::Process => "process",
            Self::Kind => "kind",
            Self::Existing => "existing",
        }
    }

    /// What every lab there can do beyond answering on the network: listing knows it without a lab.
    /// Of a cluster that exists already only a look at it says: [`Found::capabilities`].
    ///
    /// [`Found::capabilities`]: crate::backend::existing::Found::capabilities
    #[must_use]
    pub fn capabilities(self) -> BTreeSet<Capability> {
        let of_ours = [
            Capability::Configure,
            Capability::ClientCertificate,
            Capability::AuditLog,
            Capability::Providers,
            Capability::Trust,
            Capability::Products,
            Capability::Clusters,
            Capability::AnyCertificate,
        ];
        match self {
            Self::Embedded | Self::Process => of_ours.into(),
            Self::Kind => of_ours.into_iter().chain([Capability::Pods]).collect(),
            Self::Existing => BTreeSet::new(),
        }
    }

    /// The version of Kubernetes of labs there when `wanted` is asked for: real components are of
    /// every version, the embedded servers model one.
    #[must_use]
    pub fn kubernetes(self, wanted: Kubernetes) -> Kubernetes {
        match self {
            Self::Process | Self::Kind => wanted,
            Self::Embedded | Self::Existing => Kubernetes::default(),
        }
    }
}

/// What a lab can do beyond answering on the network.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "camelCase")]
pub enum Capability {
    /// The API server's authentication can be changed.
    Configure,
    /// Client certificates can be issued.
    ClientCertificate,
    /// The audit log can be read.
    AuditLog,
    /// Identity providers can be broken, configured anew and given new keys.
    Providers,
    /// Pods run: nodes are there, and programs in them.
    Pods,
    /// The program kubectl is on this machine: in the tool cache or on PATH.
    Kubectl,
    /// The program kubelogin is on this machine: in the tool cache or on PATH.
    Kubelogin,
    /// The API server takes the tokens of the lab's identity providers.
    Trust,
    /// Dex and Keycloak can be run.
    Products,
    /// There can be several API servers.
    Clusters,
    /// Client certificates can be issued that no cluster signs on request: for `system:masters`, and
    /// the front proxy's.
    AnyCertificate,
}

impl Capability {
    /// The program that it is about, which is this machine's and not the lab's.
    #[must_use]
    pub fn program(self) -> Option<&'static str> {
        match self {
            Self::Kubectl => Some("kubectl"),
            Self::Kubelogin => Some("kubelogin"),
            _ => None,
        }
    }

    /// Why a scenario that needs it is left out where it is not.
    #[must_use]
    pub fn lacking(self) -> &'static str {
        match self {
            Self::Configure => "the API server's authentication cannot be changed",
            Self::ClientCertificate => "no client certificates can be issued",
            Self::AuditLog => "the audit log cannot be read",
            Self::Providers => "identity providers cannot be broken or configured anew",
            Self::Pods => "no pods run there",
            Self::Kubectl => {
                "kubectl is neither in the tool cache nor on PATH: `cargo xtask tools kubernetes` builds it"
            }
            Self::Kubelogin => {
                "kubelogin is neither in the tool cache nor on PATH: `cargo xtask tools kubelogin` builds it"
            }
            Self::Trust => "the API server does not trust the lab's identity providers",
            Self::Products => "an identity provider of the lab cannot be run",
            Self::Clusters => "there is one API server only",
            Self::AnyCertificate => {
                "no client certificates can be issued for `system:masters` or a front proxy"
            }
        }
    }
}

/// A running lab, as `state.json` (mode 0600) describes it.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct State {
    /// The lab file's stem.
    pub lab: String,
    /// Unique in this checkout; every process and folder of the lab carries it.
    pub id: String,
    /// Where it runs.
    pub backend: BackendKind,
    /// The lab host's process.
    pub host: Process,
    /// The API server that steps mean which name none: the default one.
    pub api_server: ApiServer,
    /// The other API servers by name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub api_servers: BTreeMap<String, ApiServer>,
    /// Identity providers by name.
    pub identity_providers: BTreeMap<String, IdentityProvider>,
    /// The CA that signed every certificate of the lab, PEM.
    pub certificate_authority: String,
    /// What this lab can do.
    pub capabilities: BTreeSet<Capability>,
    /// The control socket.
    pub socket: PathBuf,
    /// Placeholders and their values.
    pub values: Values,
    /// The authentication that the lab started with.
    pub authentication: Authentication,
    /// The identity of the plan that it was started from.
    pub plan: String,
    /// What its components take in their files and a person may not have meant, file first.
    pub warnings: Vec<String>,
}

/// A process, told apart from a later one with the same number by its start time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Process {
    /// Process id.
    pub pid: u32,
    /// Start time in clock ticks since boot (`/proc/<pid>/stat`, field 22).
    pub started: u64,
}

/// The name of the API server that a lab file's `apiServer` describes.
pub const DEFAULT_CLUSTER: &str = "default";

/// An API server of a running lab.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct ApiServer {
    /// `https://127.0.0.1:PORT`.
    pub url: String,
    /// Kubernetes version without `v`, for example `1.36.3`.
    pub version: String,
    /// Kubeconfig whose current context is that of the administrator (`system:masters`) at this API
    /// server; mode 0600.
    pub kubeconfig: PathBuf,
}

/// One identity provider of a running lab.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct IdentityProvider {
    /// The product.
    pub kind: ProviderKind,
    /// The issuer URL.
    pub issuer: String,
    /// The client of logins that name none.
    pub client: Option<ClientSpec>,
    /// People by short name.
    pub users: BTreeMap<String, UserSpec>,
}

impl State {
    /// Reads a state file.
    ///
    /// # Errors
    /// When there is none, or a version of authlab wrote it that this one does not know.
    pub fn read(path: &Path) -> io::Result<Self> {
        let text = std::fs::read(path)?;
        serde_json::from_slice(&text)
            .map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))
    }

    /// An API server by its name: the default one for `None` and for [`DEFAULT_CLUSTER`].
    #[must_use]
    pub fn cluster(&self, name: Option<&str>) -> Option<&ApiServer> {
        match name {
            None | Some(DEFAULT_CLUSTER) => Some(&self.api_server),
            Some(name) => self.api_servers.get(name),
        }
    }

    /// Variables for a shell: where the lab and its issuers are. File paths, no secrets.
    #[must_use]
    pub fn environment(&self) -> Vec<(String, String)> {
        let folder = self.folder();
        let path = |file: &Path| file.display().to_string();
        let mut variables = vec![
            ("KUBECONFIG".to_owned(), path(&self.api_server.kubeconfig)),
            ("KUBECACHEDIR".to_owned(), path(&folder.join("kubectl"))),
            ("AUTHLAB_STATE".to_owned(), path(&folder.join(STATE_FILE))),
            ("AUTHLAB_CA".to_owned(), path(&folder.join("ca.pem"))),
            ("AUTHLAB_API_SERVER".to_owned(), self.api_server.url.clone()),
        ];
        let upper = |name: &str| name.to_uppercase().replace('-', "_");
        for (name, server) in &self.api_servers {
            let name = format!("AUTHLAB_API_SERVER_{}", upper(name));
            variables.push((name, server.url.clone()));
        }
        for (name, provider) in &self.identity_providers {
            let name = upper(name);
            variables.push((format!("AUTHLAB_ISSUER_{name}"), provider.issuer.clone()));
        }
        variables
    }

    /// What may be shown to anybody: no passwords, no client secrets.
    #[must_use]
    pub fn public(&self) -> serde_json::Value {
        let issuers: BTreeMap<_, _> = self
            .identity_providers
            .iter()
            .map(|(name, provider)| {
                let users: BTreeMap<_, _> = provider
                    .users
                    .iter()
                    .map(|(name, user)| (name, &user.login))
                    .collect();
                let client = provider.client.as_ref().map(|client| &client.id);
                let shown = serde_json::json!({
                    "kind": provider.kind, "issuer": provider.issuer,
                    "client": client, "users": users,
                });
                (name, shown)
            })
            .collect();
        serde_json::json!({
            "id": self.id, "lab": self.lab, "backend": self.backend, "host": self.host,
            "warnings": self.warnings,
            "apiServer": self.api_server, "apiServers": self.api_servers,
            "identityProviders": issuers,
            "capabilities": self.capabilities, "socket": self.socket,
        })
    }

    /// The lab's own folder.
    #[must_use]
    pub fn folder(&self) -> &Path {
        self.socket.parent().unwrap_or(Path::new("."))
    }

    /// Writes it whole or not at all, mode 0600, into the lab's folder.
    ///
    /// # Errors
    /// As the file system says.
    pub fn write(&self, folder: &Path) -> io::Result<PathBuf> {
        let path = folder.join(STATE_FILE);
        write_private(&path, &serde_json::to_vec_pretty(self)?)?;
        Ok(path)
    }
}

/// Writes a file whole or not at all (by rename), readable by its owner only.
///
/// # Errors
/// As the file system says.
pub fn write_private(path: &Path, content: &[u8]) -> io::Result<()> {
    let folder = path.parent().unwrap_or(Path::new("."));
    let mut file = tempfile::Builder::new()
        .permissions(std::os::unix::fs::PermissionsExt::from_mode(0o600))
        .tempfile_in(folder)?;
    io::Write::write_all(&mut file, content)?;
    file.persist(path)?;
    Ok(())
}

/// Opens (and makes) a lock file, mode 0600.
///
/// # Errors
/// As the file system says.
pub fn lock_file(path: &Path) -> io::Result<std::fs::File> {
    std::fs::OpenOptions::new()
        .create(true)
        .truncate(false)
        .read(true)
        .write(true)
        .mode(0o600)
        .open(path)
}
