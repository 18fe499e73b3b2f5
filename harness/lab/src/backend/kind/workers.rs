//! More nodes than one.
//!
//! A node's image has a pod network of its own, for one range of addresses. A worker is given a folder
//! in the place of that, empty at first, so that it takes no pods; once the cluster has said which
//! range each node has, its network is written there, and every node is told the way to the others.

use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::Value;

use super::docker;
use crate::backend::process::write;
use crate::backend::{LabError, Site};
use crate::wait::{Look, until};

/// In a node's image: its pod network.
const NETWORK: &str = "/etc/cni/net.d/10-authlab.conflist";
/// Where the first node has the administrator's kubeconfig.
const ADMIN: &str = "/etc/kubernetes/admin.conf";
/// kind's own token, by which nodes join: known to everybody.
const TOKEN: &str = "bootstrap-token-abcdef";
/// How long nodes may take to be known to their cluster.
const KNOWN: Duration = Duration::from_secs(120);

/// A folder for each worker of a cluster.
pub(super) fn folders(site: &Site, cluster: &str) -> Result<Vec<PathBuf>, LabError> {
    let folder = |number| {
        let folder = site.folder.join(format!("{cluster}-worker{number}"));
        std::fs::create_dir_all(&folder).map_err(|cause| LabError::System {
            what: format!("cannot make {}", folder.display()),
            cause,
        })?;
        Ok(folder)
    };
    (1..=site.plan.workers).map(folder).collect()
}

/// Connects the pods of all nodes of the cluster whose first node is the container `first`; nothing
/// where there are no workers. Official nodes do that themselves.
pub(super) async fn connect(
    first: &str,
    workers: &[PathBuf],
    is_official: bool,
) -> Result<(), LabError> {
    if workers.is_empty() {
        return Ok(());
    }
    if !is_official {
        network(first, workers).await?;
    }
    let forget = ["delete", "secret", "--namespace", "kube-system", TOKEN];
    kubectl(first, &forget).await.map(drop)
}

async fn network(first: &str, workers: &[PathBuf]) -> Result<(), LabError> {
    let nodes = until("the range of each node's pods", KNOWN, || async {
        match nodes(first).await {
            Ok(nodes) if nodes.len() > workers.len() => Look::Ready(nodes),
            Ok(nodes) => Look::NotYet(format!("{} nodes have one", nodes.len())),
            Err(error) => Look::NotYet(error.to_string()),
        }
    })
    .await?;
    let network = docker::ask(&["exec", first, "cat", NETWORK]).await?;
    let pods_of = |name: &str| {
        let node = nodes.iter().find(|node| node.name == name);
        node.map(|node| node.pods.as_str())
            .ok_or_else(|| unknown(name))
    };
    for (number, folder) in workers.iter().enumerate() {
        let pods = pods_of(&worker(first, number))?;
        let network = network.replace(pods_of(first)?, pods);
        let name = Path::new(NETWORK).file_name().unwrap_or_default();
        write(folder.join(name), network.as_bytes())?;
    }
    for node in &nodes {
        for other in nodes.iter().filter(|other| other.name != node.name) {
            let way = ["ip", "route", "replace", &other.pods, "via", &other.address];
            let exec = ["exec", node.name.as_str()];
            docker::ask(&[exec.as_slice(), &way].concat()).await?;
        }
    }
    Ok(())
}

/// What kind calls a worker of the cluster of `first`, counted from 0.
fn worker(first: &str, number: usize) -> String {
    let cluster = first.strip_suffix("-control-plane").unwrap_or(first);
    match number {
        0 => format!("{cluster}-worker"),
        number => format!("{cluster}-worker{}", number + 1),
    }
}

fn unknown(name: &str) -> LabError {
    LabError::Api {
        what: "the nodes of the cluster".to_owned(),
        why: format!("`{name}` is not among them"),
    }
}

/// What a cluster says of a node.
#[derive(Debug, PartialEq, Eq)]
struct Known {
    name: String,
    /// The range of its pods' addresses: `10.244.1.0/24`.
    pods: String,
    /// Its own address.
    address: String,
}

/// The nodes that have a range.
async fn nodes(first: &str) -> Result<Vec<Known>, LabError> {
    let list = kubectl(first, &["get", "nodes", "--output", "json"]).await?;
    let list: Value = serde_json::from_str(&list).unwrap_or_default();
    Ok(known(&list))
}

fn known(list: &Value) -> Vec<Known> {
    let nodes = list["items"].as_array().into_iter().flatten();
    let known = nodes.filter_map(|node| {
        let mut addresses = node["status"]["addresses"].as_array()?.iter();
        let address = addresses.find(|address| address["type"] == "InternalIP")?;
        Some(Known {
            name: node["metadata"]["name"].as_str()?.to_owned(),
            pods: node["spec"]["podCIDR"].as_str()?.to_owned(),
            address: address["address"].as_str()?.to_owned(),
        })
    });
    known.collect()
}

async fn kubectl(first: &str, args: &[&str]) -> Result<String, LabError> {
    let kubectl = ["exec", first, "kubectl", "--kubeconfig", ADMIN];
    docker::ask(&[kubectl.as_slice(), args].concat()).await
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_node_without_a_range_is_not_known_yet() {
        let list = json!({ "items": [
            {
                "metadata": { "name": "authlab-1-control-plane" },
                "spec": { "podCIDR": "10.244.0.0/24" },
                "status": { "addresses": [
                    { "type": "Hostname", "address": "authlab-1-control-plane" },
                    { "type": "InternalIP", "address": "172.18.0.2" },
                ] },
            },
            {
                "metadata": { "name": "authlab-1-worker" },
                "status": { "addresses": [{ "type": "InternalIP", "address": "172.18.0.3" }] },
            },
        ] });
        let known = known(&list);
        assert_eq!(known.len(), 1);
        assert_eq!(known[0].address, "172.18.0.2");
        assert_eq!(super::known(&Value::Null), []);
    }

    #[test]
    fn workers_have_the_names_that_kind_gives_them() {
        let names = [0, 1, 2].map(|number| worker("authlab-1-control-plane", number));
        assert_eq!(
            names,
            ["authlab-1-worker", "authlab-1-worker2", "authlab-1-worker3"]
        );
    }
}
