//! The file that kind makes a cluster from.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};

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
}

/// Whether this machine has control groups of version 2.
pub(super) fn cgroup_v2() -> bool {
    Path::new("/sys/fs/cgroup/cgroup.controllers").exists()
}

/// One node of an image whose Kubernetes is 1.36 or newer: kubeadm's own file (v1beta4) has lists of
/// flags where older ones have maps. The image brings its own pod network. `more_flags` are the API
/// server's, a repeated one several times.
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
    let flag = |name: &str, value: Value| json!({ "name": name, "value": value });
    let mut flags = vec![
        flag("audit-policy-file", json!(server.join("audit-policy.yaml"))),
        flag("audit-log-path", json!(server.join("audit.log"))),
    ];
    flags.extend(
        more_flags
            .iter()
            .map(|(name, value)| flag(name, json!(value))),
    );
    // There is nobody to share with, and whoever leads ends when the API server is replaced.
    let alone = json!({ "extraArgs": [flag("leader-elect", json!("false"))] });
    let cluster = json!({
        "kind": "ClusterConfiguration",
        "apiVersion": "kubeadm.k8s.io/v1beta4",
        "apiServer": {
            "extraArgs": flags,
            "extraVolumes": [
                { "name": "authlab", "hostPath": server, "mountPath": server,
                  "pathType": "Directory" },
                { "name": "authlab-ca", "hostPath": lab_ca, "mountPath": lab_ca,
                  "pathType": "File", "readOnly": true },
            ],
        },
        "controllerManager": alone,
        "scheduler": alone,
    });
    let init = json!({
        "kind": "InitConfiguration",
        "apiVersion": "kubeadm.k8s.io/v1beta4",
        "patches": { "directory": PATCHES },
    });
    let mut kubelet = json!({
        "kind": "KubeletConfiguration",
        "apiVersion": "kubelet.config.k8s.io/v1beta1",
        // The node's container runtime is told the same.
        "cgroupDriver": "cgroupfs",
    });
    if !cgroup_v2 {
        kubelet["failCgroupV1"] = false.into();
    }
    let config = json!({
        "kind": "Cluster",
        "apiVersion": "kind.x-k8s.io/v1alpha4",
        "networking": {
            "apiServerAddress": "127.0.0.1",
            "apiServerPort": port,
            "disableDefaultCNI": true,
        },
        // JSON is YAML.
        "kubeadmConfigPatches": [cluster.to_string(), init.to_string(), kubelet.to_string()],
        "nodes": [{
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
        }],
    });
    serde_yaml::to_string(&config).unwrap_or_default()
}

#[cfg(test)]
mod tests;
