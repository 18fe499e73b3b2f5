//! Which images the lab's providers are run from in the cluster.
//!
//! A cluster seldom reaches the Docker of this machine, and this machine seldom the cluster's
//! registry: so an image is one that somebody has named, or one that the nodes say they have.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::spec::ProviderKind;

/// What an image is of, and how the last part of its name begins on a node that has it.
const KNOWN: [(&str, &str); 3] = [
    (DEX, "authlab/dex"),
    (KEYCLOAK, "authlab/keycloak"),
    // kubeadm's.
    (ETCD, "/etcd"),
];

/// Dex.
pub(super) const DEX: &str = "dex";
/// Keycloak.
pub(super) const KEYCLOAK: &str = "keycloak";
/// Where a Dex keeps its state.
pub(super) const ETCD: &str = "etcd";

/// The names that `--image` takes.
pub const IMAGES: [&str; 3] = [DEX, KEYCLOAK, ETCD];

/// What a provider is run from in the cluster; a forge runs here.
pub(super) fn of(kind: ProviderKind) -> Option<&'static str> {
    match kind {
        ProviderKind::Dex => Some(DEX),
        ProviderKind::Keycloak => Some(KEYCLOAK),
        ProviderKind::Forge => None,
    }
}

/// The images that pods can be run from: those that are `named`, and those that every node has on
/// which pods run. `nodes` is the API's list of them.
///
/// Source: Kubernetes API, `v1.Node`, `status.images`: the largest 50 of a node, by all their names.
pub(super) fn usable(named: &BTreeMap<String, String>, nodes: &Value) -> BTreeMap<String, String> {
    let on_each = nodes["items"].as_array().into_iter().flatten();
    let on_each = on_each.filter(|node| runs_pods(node)).map(|node| {
        let images = node["status"]["images"].as_array().into_iter().flatten();
        let names = images.flat_map(|image| image["names"].as_array().into_iter().flatten());
        names.filter_map(Value::as_str).collect::<BTreeSet<_>>()
    });
    let there = on_each.reduce(|all, one| all.intersection(&one).copied().collect());
    let there = there.unwrap_or_default();
    let found = KNOWN.iter().filter_map(|(of, ending)| {
        let mut names = there.iter();
        let name = names.find(|name| {
            let repository = name.rsplit_once(':').map_or(**name, |(name, _)| name);
            repository.ends_with(ending)
        })?;
        Some(((*of).to_owned(), (*name).to_owned()))
    });
    let mut usable: BTreeMap<String, String> = found.collect();
    usable.extend(named.clone());
    usable
}

/// Whether a pod without wishes of its own may be put there.
pub(super) fn runs_pods(node: &Value) -> bool {
    let taints = node["spec"]["taints"].as_array();
    let mut taints = taints.into_iter().flatten();
    node["spec"]["unschedulable"] != true
        && is_ready(node)
        && !taints.any(|one| one["effect"] == "NoSchedule" || one["effect"] == "NoExecute")
}

/// Whether a node or a pod says that it is ready.
pub(super) fn is_ready(object: &Value) -> bool {
    let conditions = object["status"]["conditions"].as_array();
    let mut conditions = conditions.into_iter().flatten();
    conditions.any(|one| one["type"] == "Ready" && one["status"] == "True")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn node(images: &[&str], ready: &str) -> Value {
        json!({
            "status": {
                "conditions": [{ "type": "Ready", "status": ready }],
                "images": images.iter().map(|name| json!({ "names": [name] })).collect::<Vec<_>>(),
            },
        })
    }

    #[test]
    fn an_image_is_named_or_on_every_node_that_runs_pods() {
        let dex = "docker.io/authlab/dex:1";
        let etcd = "registry.example/etcd:3.6";
        let nodes = json!({ "items": [
            node(&[dex, etcd, "docker.io/somebody/dex:2"], "True"),
            node(&[dex], "True"),
            node(&[], "Unknown"),
        ]});
        let found = usable(&BTreeMap::new(), &nodes);
        assert_eq!(found, [("dex".to_owned(), dex.to_owned())].into());
        let named = [("dex".to_owned(), "mine".to_owned())].into();
        assert_eq!(usable(&named, &nodes)["dex"], "mine");
        assert!(usable(&BTreeMap::new(), &json!({ "items": [] })).is_empty());
    }
}
