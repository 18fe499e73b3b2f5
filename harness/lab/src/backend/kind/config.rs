//! The file that kind makes a cluster from.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::images::is_official;

/// What of this machine is seen in a node. What the API server reads is there under the same path.
#[derive(Debug)]
pub(super) struct Mounts {
    /// The lab's CA, which becomes the cluster's: certificate and key.
    pub(super) authority: (PathBuf, PathBuf),
    /// The key of service-account tokens: public and private.
    pub(super) service_accounts: (PathBuf, PathBuf),
    /// The folder of the API server's own files: a folder, so that a file in it can be replaced.
    pub(super) server: PathBuf,
    /// What is changed in the manifests that kubeadm writes.
    pub(super) patches: PathBuf,
    /// The file that flags name the lab's CA by.
    pub(super) lab_ca: PathBuf,
    /// A folder for each node beside the first: what is to say there how its pods are connected.
    pub(super) workers: Vec<PathBuf>,
}

/// Whether this machine has control groups of version 2.
pub(super) fn cgroup_v2() -> bool {
    Path::new("/sys/fs/cgroup/cgroup.controllers").exists()
}

/// The version of kubeadm's own file that kind writes for the Kubernetes of a node's image; a patch of
/// another version would be left out without a word.
///
/// Source: kind v0.33.0, `pkg/cluster/internal/kubeadm/config.go`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kubeadm {
    /// Before 1.36: flags are a map.
    V1Beta3,
    /// Flags are a list of names and values.
    V1Beta4,
}

impl Kubeadm {
    /// By the image's tag, `v1.36.3-<key>`; the newer one where that says nothing.
    fn of(image: &str) -> Self {
        let tag = image.rsplit_once(":v").map_or("", |(_, tag)| tag);
        let mut numbers = tag.split(['.', '-']).map_while(|part| part.parse().ok());
        match (numbers.next(), numbers.next()) {
            (Some(major), Some(minor)) if (major, minor) < (1_u32, 36_u32) => Self::V1Beta3,
            _ => Self::V1Beta4,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::V1Beta3 => "kubeadm.k8s.io/v1beta3",
            Self::V1Beta4 => "kubeadm.k8s.io/v1beta4",
        }
    }

    /// Flags in its form: a map has each once, its values side by side, as every flag that can be
    /// repeated takes them too.
    fn flags(self, flags: &[(String, String)]) -> Value {
        match self {
            Self::V1Beta4 => {
                let flag =
                    |(name, value): &(String, String)| json!({ "name": name, "value": value });
                flags.iter().map(flag).collect()
            }
            Self::V1Beta3 => {
                let mut map = BTreeMap::<&str, String>::new();
                for (name, value) in flags {
                    let values = map.entry(name).or_default();
                    if !values.is_empty() {
                        values.push(',');
                    }
                    values.push_str(value);
                }
                json!(map)
            }
        }
    }
}

/// One node, whose image brings its own pod network, and workers, which get theirs later (see
/// `workers.rs`). `more_flags` are the API server's, a repeated one several times.
pub(super) fn text(
    image: &str,
    port: u16,
    mounts: &Mounts,
    more_flags: &[(String, String)],
    cgroup_v2: bool,
) -> String {
    const PKI: &str = "/etc/kubernetes/pki";
    const PATCHES: &str = "/authlab/patches";
    let mount = |host: &Path, inside: &str| json!({ "hostPath": host, "containerPath": inside });
    let (server, lab_ca) = (&mounts.server, &mounts.lab_ca);
    let same = |path: &Path| json!({ "hostPath": path, "containerPath": path });
    let (kubeadm, official) = (Kubeadm::of(image), is_official(image));
    let flag = |name: &str, value: String| (name.to_owned(), value);
    let file = |name: &str| server.join(name).display().to_string();
    let mut flags = vec![
        flag("audit-policy-file", file("audit-policy.yaml")),
        flag("audit-log-path", file("audit.log")),
    ];
    flags.extend(more_flags.iter().cloned());
    // There is nobody to share with, and whoever leads ends when the API server is replaced.
    let alone = flag("leader-elect", "false".to_owned());
    // Controllers ask for much before they begin, and by their own rule no quicker than 20 times a second.
    let quick = [
        flag("kube-api-burst", "1000".to_owned()),
        flag("kube-api-qps", "1000".to_owned()),
    ];
    let controllers: Vec<_> = quick.into_iter().chain([alone.clone()]).collect();
    let cluster = json!({
        "kind": "ClusterConfiguration",
        "apiVersion": kubeadm.name(),
        "apiServer": {
            "extraArgs": kubeadm.flags(&flags),
            "extraVolumes": [
                { "name": "authlab", "hostPath": server, "mountPath": server,
                  "pathType": "Directory" },
                { "name": "authlab-ca", "hostPath": lab_ca, "mountPath": lab_ca,
                  "pathType": "File", "readOnly": true },
            ],
        },
        "controllerManager": { "extraArgs": kubeadm.flags(&controllers) },
        "scheduler": { "extraArgs": kubeadm.flags(&[alone]) },
    });
    let init = json!({
        "kind": "InitConfiguration",
        "apiVersion": kubeadm.name(),
        "patches": { "directory": PATCHES },
    });
    let mut kubelet = json!({
        "kind": "KubeletConfiguration",
        "apiVersion": "kubelet.config.k8s.io/v1beta1",
    });
    if !official {
        // The node's container runtime is told the same.
        kubelet["cgroupDriver"] = "cgroupfs".into();
    }
    if !cgroup_v2 {
        kubelet["failCgroupV1"] = false.into();
    }
    let mut nodes = vec![json!({
        "role": "control-plane",
        "image": image,
        "extraMounts": [
            mount(&mounts.authority.0, &format!("{PKI}/ca.crt")),
            mount(&mounts.authority.1, &format!("{PKI}/ca.key")),
            mount(&mounts.authority.0, &format!("{PKI}/front-proxy-ca.crt")),
            mount(&mounts.authority.1, &format!("{PKI}/front-proxy-ca.key")),
            mount(&mounts.service_accounts.0, &format!("{PKI}/sa.pub")),
            mount(&mounts.service_accounts.1, &format!("{PKI}/sa.key")),
            same(server),
            same(lab_ca),
            mount(&mounts.patches, PATCHES),
        ],
    })];
    let worker = |network: &PathBuf| {
        json!({
            "role": "worker",
            "image": image,
            "extraMounts": match official {
                // By which it is known to be the lab's.
                true => vec![same(lab_ca)],
                false => vec![mount(network, "/etc/cni/net.d"), same(lab_ca)],
            },
        })
    };
    nodes.extend(mounts.workers.iter().map(worker));
    let config = json!({
        "kind": "Cluster",
        "apiVersion": "kind.x-k8s.io/v1alpha4",
        "networking": {
            "apiServerAddress": "127.0.0.1",
            "apiServerPort": port,
            // An image of ours brings its own.
            "disableDefaultCNI": !official,
        },
        // JSON is YAML.
        "kubeadmConfigPatches": [cluster.to_string(), init.to_string(), kubelet.to_string()],
        "nodes": nodes,
    });
    serde_yaml::to_string(&config).unwrap_or_default()
}

#[cfg(test)]
mod tests;
