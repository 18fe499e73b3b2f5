//! Removes everything that carries a lab's label, and waits until it is gone.
//!
//! A lab writes into namespaces of its own and objects that have no namespace, nowhere else: see
//! [`super::gate`].

use std::time::Duration;

use futures_util::{StreamExt as _, stream};
use serde_json::Value;

use super::cluster::Cluster;
use super::error::chain;
use super::record::Label;
use crate::wait::{Look, until};

const NAMESPACES: &str = "/api/v1/namespaces";
/// How many requests at once.
const AT_ONCE: usize = 8;

/// Removes all of it.
///
/// # Errors
/// With what is still there after `bound`, or cannot be removed.
pub(super) async fn sweep(cluster: &Cluster, label: &Label, bound: Duration) -> Result<(), String> {
    let mut kinds = cluster_wide(cluster).await?;
    // Rights go first, then what they were for.
    kinds.push(NAMESPACES.to_owned());
    let mut ours = Vec::new();
    for kind in &kinds {
        ours.extend(labelled(cluster, kind, label).await?);
    }
    let removed = stream::iter(ours.clone()).map(|path| remove(cluster, path));
    let removed: Vec<_> = removed.buffered(AT_ONCE).collect().await;
    removed.into_iter().collect::<Result<(), String>>()?;
    let gone = ours.into_iter().map(|path| async move {
        until(&format!("{path} to be gone"), bound, || async {
            match cluster.ask("GET", &path, None).await {
                Ok(answer) if answer.status == 404 => Look::Ready(()),
                Ok(answer) if label.is_on(&answer.body) => Look::NotYet(remains(&answer.body)),
                // Somebody else has made another of that name.
                Ok(answer) if answer.status == 200 => Look::Ready(()),
                Ok(answer) => Look::NotYet(answer.message()),
                Err(error) => Look::NotYet(chain(&error)),
            }
        })
        .await
        .map_err(|error| error.to_string())
    });
    let gone: Vec<_> = stream::iter(gone).buffered(AT_ONCE).collect().await;
    gone.into_iter().collect()
}

/// What a namespace that does not go says of itself.
fn remains(object: &Value) -> String {
    let conditions = object["status"]["conditions"].as_array();
    let mut words = conditions
        .into_iter()
        .flatten()
        .filter(|one| one["status"] == "True")
        .map(|one| one["message"].as_str().unwrap_or_default().to_owned());
    words
        .next()
        .unwrap_or_else(|| "it is still there".to_owned())
}

/// The paths of the collections of kinds without namespace that can be listed and removed.
async fn cluster_wide(cluster: &Cluster) -> Result<Vec<String>, String> {
    let groups = read(cluster, "/apis").await?;
    let groups = groups["groups"].as_array();
    let versions = groups.into_iter().flatten().filter_map(|group| {
        let version = group["preferredVersion"]["groupVersion"].as_str()?;
        Some(format!("/apis/{version}"))
    });
    let versions: Vec<String> = std::iter::once("/api/v1".to_owned())
        .chain(versions)
        .collect();
    let lists = stream::iter(versions).map(|version| async move {
        // An aggregated API whose server is away is none that the lab has written to.
        let list = read(cluster, &version).await.unwrap_or_default();
        let resources = list["resources"].as_array();
        let resources = resources.into_iter().flatten().filter_map(|one| {
            let name = one["name"].as_str().filter(|name| !name.contains('/'))?;
            let can = |verb: &str| {
                let verbs = one["verbs"].as_array();
                verbs.is_some_and(|verbs| verbs.iter().any(|known| known == verb))
            };
            let path = format!("{version}/{name}");
            let ours = one["namespaced"] == false && can("list") && can("delete");
            (ours && path != NAMESPACES).then_some(path)
        });
        resources.collect::<Vec<_>>()
    });
    let lists: Vec<_> = lists.buffered(AT_ONCE).collect().await;
    Ok(lists.into_iter().flatten().collect())
}

/// The paths of the objects that carry the label.
async fn labelled(
    cluster: &Cluster,
    collection: &str,
    label: &Label,
) -> Result<Vec<String>, String> {
    let path = format!("{collection}?{}", label.selector());
    let answer = cluster.ask("GET", &path, None).await;
    let answer = answer.map_err(|error| chain(&error))?;
    // Who may not read a kind has not written it.
    if matches!(answer.status, 403..=405) {
        return Ok(Vec::new());
    }
    let list = answer.success().map_err(|error| error.to_string())?;
    let items = list["items"].as_array();
    let ours = items.into_iter().flatten().filter(|one| label.is_on(one));
    let names = ours.filter_map(|one| one["metadata"]["name"].as_str());
    Ok(names.map(|name| format!("{collection}/{name}")).collect())
}

async fn remove(cluster: &Cluster, path: String) -> Result<(), String> {
    let path = format!("{path}?propagationPolicy=Background");
    let answer = cluster.ask("DELETE", &path, None).await;
    let answer = answer.map_err(|error| chain(&error))?;
    // Gone, or on its way.
    if matches!(answer.status, 404 | 409) {
        return Ok(());
    }
    answer
        .success()
        .map(drop)
        .map_err(|error| error.to_string())
}

async fn read(cluster: &Cluster, path: &str) -> Result<Value, String> {
    cluster
        .does("GET", path, None)
        .await
        .map_err(|error| error.to_string())
}
