//! The real components, built from Go modules into a cache: `ci/tools/<name>/go.mod` says which
//! version, `go.sum` what it must contain.
//!
//! A build is kept under a key made of its module files, its flags and Go's version. Nothing is
//! built twice, two runs at once wait for each other, and a folder in the cache is always whole.

mod build;
pub(crate) mod cache;
mod error;
mod go;
mod keycloak;
mod progress;
pub(crate) mod run;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Instant;

pub use error::ToolsError;
pub use keycloak::{Distribution, JAR, keycloak, keycloak_status};
pub use progress::{Event, Progress, Silent, Terminal};

use cache::Cache;
use go::{Go, Module};

use crate::kubernetes::Kubernetes;

/// A Go module of `ci/tools/` and the programs that come out of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tool {
    /// The folder's name below `ci/tools/`.
    pub name: &'static str,
    /// The programs: the name that `go build` gives, the name that they are asked for by.
    pub programs: &'static [(&'static str, &'static str)],
    /// The module whose version the programs print through these variables, when they need to be
    /// told it.
    pub stamp: Option<Stamp>,
}

/// Where the linker writes a version: `k8s.io/component-base/version` and its like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stamp {
    /// The required module whose version it is.
    pub module: &'static str,
    /// The package with the variables `gitVersion`, `gitMajor` and `gitMinor`.
    pub package: &'static str,
}

/// etcd.
pub const ETCD: Tool = Tool {
    name: "etcd",
    programs: &[("server", "etcd")],
    stamp: None,
};
/// The API server, its controllers, and kubectl, of the version that is meant where none is named.
pub const KUBERNETES: Tool = Tool {
    name: "kubernetes",
    programs: &[
        ("kube-apiserver", "kube-apiserver"),
        ("kube-controller-manager", "kube-controller-manager"),
        ("kubectl", "kubectl"),
    ],
    stamp: Some(Stamp {
        module: "k8s.io/kubernetes",
        package: "k8s.io/component-base/version",
    }),
};
/// Dex.
pub const DEX: Tool = Tool {
    name: "dex",
    programs: &[("dex", "dex")],
    stamp: None,
};
/// kubelogin, the exec plugin by which kubectl logs in.
pub const KUBELOGIN: Tool = Tool {
    name: "kubelogin",
    programs: &[("kubelogin", "kubelogin")],
    stamp: None,
};

/// What a node of a kind cluster holds beside [`KUBERNETES`].
pub const KUBERNETES_NODE: Tool = Tool {
    name: "kubernetes-node",
    programs: &[
        ("kube-proxy", "kube-proxy"),
        ("kube-scheduler", "kube-scheduler"),
        ("kubeadm", "kubeadm"),
        ("kubelet", "kubelet"),
    ],
    stamp: KUBERNETES.stamp,
};
/// The container runtime of a node.
pub const CONTAINERD: Tool = Tool {
    name: "containerd",
    programs: &[
        ("containerd", "containerd"),
        ("containerd-shim-runc-v2", "containerd-shim-runc-v2"),
        ("ctr", "ctr"),
    ],
    stamp: None,
};
/// A cluster's name server.
pub const COREDNS: Tool = Tool {
    name: "coredns",
    programs: &[("coredns", "coredns")],
    stamp: None,
};
/// kind, which makes clusters of containers.
pub const KIND: Tool = Tool {
    name: "kind",
    programs: &[("kind", "kind")],
    stamp: None,
};
/// What clusters of containers need beside [`ALL`].
pub const CLUSTER: [Tool; 4] = [KIND, CONTAINERD, COREDNS, KUBERNETES_NODE];

/// [`KUBERNETES`] of a version.
#[must_use]
pub fn kubernetes(version: Kubernetes) -> Tool {
    let name = match version {
        Kubernetes::V1_34 => "kubernetes-1.34",
        Kubernetes::V1_35 => "kubernetes-1.35",
        Kubernetes::V1_36 => KUBERNETES.name,
    };
    Tool { name, ..KUBERNETES }
}

/// [`KUBERNETES_NODE`] of a version.
#[must_use]
pub fn kubernetes_node(version: Kubernetes) -> Tool {
    let name = match version {
        Kubernetes::V1_34 => "kubernetes-node-1.34",
        Kubernetes::V1_35 => "kubernetes-node-1.35",
        Kubernetes::V1_36 => KUBERNETES_NODE.name,
    };
    Tool {
        name,
        ..KUBERNETES_NODE
    }
}

/// [`CLUSTER`] with the node's part of Kubernetes of a version.
#[must_use]
pub fn cluster(version: Kubernetes) -> [Tool; 4] {
    [KIND, CONTAINERD, COREDNS, kubernetes_node(version)]
}

/// [`ALL`] with Kubernetes of a version.
#[must_use]
pub fn all(version: Kubernetes) -> [Tool; 4] {
    [KUBELOGIN, ETCD, DEX, kubernetes(version)]
}

/// Every tool that labs of processes need, quick builds first.
pub const ALL: [Tool; 4] = [KUBELOGIN, ETCD, DEX, KUBERNETES];

/// Built programs.
#[derive(Debug, Clone)]
pub struct Tools(BTreeMap<&'static str, PathBuf>);

impl Tools {
    /// The program's path, for example that of `kube-apiserver`.
    ///
    /// # Errors
    /// When its tool was not among those asked of [`ensure`].
    pub fn path(&self, program: &str) -> Result<&Path, ToolsError> {
        self.0
            .get(program)
            .map(PathBuf::as_path)
            .ok_or_else(|| ToolsError::NotAsked {
                program: program.to_owned(),
            })
    }
}

/// What the cache holds of one program.
#[derive(Debug, Clone)]
pub struct Status {
    /// The tool that it belongs to.
    pub tool: &'static str,
    /// The program.
    pub program: &'static str,
    /// The version of its module.
    pub version: String,
    /// Where it lies, or will lie.
    pub path: PathBuf,
    /// Its size in bytes; `None` when it is not built.
    pub size: Option<u64>,
}

/// Makes sure that the tools of the checkout at `root` are built. Ends at once when they are.
///
/// Dropping the future ends a build under way.
///
/// # Errors
/// See [`ToolsError`]: each says what to do.
pub async fn ensure(
    root: &Path,
    tools: &[Tool],
    progress: &dyn Progress,
) -> Result<Tools, ToolsError> {
    ensure_in(&Cache::find()?, &Go::find()?, root, tools, progress).await
}

async fn ensure_in(
    cache: &Cache,
    go: &Go,
    root: &Path,
    tools: &[Tool],
    progress: &dyn Progress,
) -> Result<Tools, ToolsError> {
    let mut programs = BTreeMap::new();
    for tool in tools {
        let module = Module::read(root, tool)?;
        let folder = cache.folder(tool, &module, go);
        if !cache::is_whole(&folder, tool) {
            go.suits(&module)?;
            let lock = cache.lock(tool.name, progress).await?;
            // Whoever held the lock may just have built it.
            if !cache::is_whole(&folder, tool) {
                let start = Instant::now();
                progress.event(&Event::Started { tool: tool.name });
                build::build(go, &module, tool, &folder, progress).await?;
                let elapsed = start.elapsed();
                progress.event(&Event::Built {
                    tool: tool.name,
                    elapsed,
                });
            }
            drop(lock);
        }
        for (_, program) in tool.programs {
            programs.insert(*program, folder.join(program));
        }
    }
    Ok(Tools(programs))
}

/// The version of a tool of the checkout at `root`: `v1.36.3`.
///
/// # Errors
/// When its module's files cannot be read.
pub fn version(root: &Path, tool: &Tool) -> Result<String, ToolsError> {
    Ok(Module::read(root, tool)?.version(tool))
}

/// What the cache holds of tools of the checkout at `root`.
///
/// # Errors
/// When Go is missing or a module's files cannot be read.
pub fn status(root: &Path, tools: &[Tool]) -> Result<Vec<Status>, ToolsError> {
    let go = Go::find()?;
    let cache = Cache::find()?;
    let mut all = Vec::new();
    for tool in tools {
        let module = Module::read(root, tool)?;
        let folder = cache.folder(tool, &module, &go);
        for (_, program) in tool.programs {
            let path = folder.join(program);
            all.push(Status {
                tool: tool.name,
                program,
                version: module.version(tool),
                size: std::fs::metadata(&path).ok().map(|file| file.len()),
                path,
            });
        }
    }
    Ok(all)
}

#[cfg(test)]
mod tests;
