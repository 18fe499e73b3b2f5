//! Which groups, versions and kinds there are: legacy and aggregated discovery.
//!
//! Forms: Kubernetes docs, "The Kubernetes API", section "Discovery API".

use axum::response::{IntoResponse, Response};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use http::{StatusCode, header};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::health;
use crate::call::Call;
use crate::negotiate;
use crate::resources::{self, Resource, Served, api_version};

const AGGREGATED: &str = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList";

pub(super) fn serve(call: &Call) -> Option<Response> {
    let path = call.info.path.trim_matches('/');
    let parts: Vec<&str> = path.split('/').collect();
    let found = match parts.as_slice() {
        [""] => return Some(health::root(call, paths())),
        ["api"] if wants_aggregated(call) => return Some(aggregated(&[""])),
        ["apis"] if wants_aggregated(call) => return Some(aggregated(&groups())),
        ["api"] => json!({
            "kind": "APIVersions",
            "versions": ["v1"],
            "serverAddressByClientCIDRs":
                [{"clientCIDR": "0.0.0.0/0", "serverAddress": call.cluster.address.to_string()}],
        }),
        ["apis"] => {
            let groups: Vec<Value> = groups().iter().filter_map(|name| group(name)).collect();
            json!({"kind": "APIGroupList", "apiVersion": "v1", "groups": groups})
        }
        ["api", "v1"] => resource_list("", "v1")?,
        ["apis", name] => {
            let mut found = group(name)?;
            found["kind"] = json!("APIGroup");
            found["apiVersion"] = json!("v1");
            found
        }
        ["apis", group, version] => resource_list(group, version)?,
        _ => return None,
    };
    Some(negotiate::value(call, StatusCode::OK, &found))
}

/// All named groups, in the order of discovery.
fn groups() -> Vec<&'static str> {
    let mut groups: Vec<&str> = resources::all()
        .iter()
        .map(|one| one.group)
        .filter(|group| !group.is_empty())
        .collect();
    groups.dedup();
    groups
}

/// The versions of a group.
fn versions(group: &str) -> Vec<&'static str> {
    let mut versions: Vec<&str> = resources::all()
        .iter()
        .filter(|one| one.group == group)
        .map(|one| one.version)
        .collect();
    versions.sort_unstable();
    versions.dedup();
    versions
}

fn paths() -> Vec<String> {
    let mut paths: Vec<String> = ["/api", "/api/v1", "/apis", "/apis/"]
        .map(str::to_owned)
        .into();
    for group in groups() {
        paths.push(format!("/apis/{group}"));
        paths.extend(
            versions(group)
                .iter()
                .map(|version| format!("/apis/{group}/{version}")),
        );
    }
    paths
}

fn group(name: &str) -> Option<Value> {
    let versions: Vec<Value> = versions(name)
        .iter()
        .map(|version| json!({"groupVersion": api_version(name, version), "version": version}))
        .collect();
    let preferred = versions.first()?.clone();
    Some(json!({"name": name, "versions": versions, "preferredVersion": preferred}))
}

fn resource_list(group: &str, version: &str) -> Option<Value> {
    let mut list = Vec::new();
    for one in resources::all()
        .iter()
        .filter(|one| one.group == group && one.version == version)
    {
        list.push(entry(one));
        let Served::Objects(objects) = &one.served else {
            continue;
        };
        for below in objects.subresources {
            let mut value = json!({
                "name": format!("{}/{}", one.plural, below.name),
                "singularName": "",
                "namespaced": one.namespaced,
                "kind": below.body.map_or(one.kind, |(_, _, kind)| kind),
                "verbs": below.verbs,
            });
            if let Some((group, version, _)) = below.body {
                value["group"] = json!(group);
                value["version"] = json!(version);
            }
            list.push(value);
        }
    }
    (!list.is_empty()).then(|| {
        json!({
            "kind": "APIResourceList",
            "apiVersion": "v1",
            "groupVersion": api_version(group, version),
            "resources": list,
        })
    })
}

fn entry(one: &Resource) -> Value {
    let mut value = json!({
        "name": one.plural,
        "singularName": one.singular,
        "namespaced": one.namespaced,
        "kind": one.kind,
        "verbs": one.verbs(),
    });
    if !one.short_names.is_empty() {
        value["shortNames"] = json!(one.short_names);
    }
    if !one.categories.is_empty() {
        value["categories"] = json!(one.categories);
    }
    if matches!(one.served, Served::Objects(_)) {
        let hash = Sha256::digest(format!("{}/{}/{}", one.group, one.version, one.kind));
        value["storageVersionHash"] = json!(BASE64_STANDARD.encode(&hash[..8]));
    }
    value
}

fn wants_aggregated(call: &Call) -> bool {
    negotiate::accepted(call.header(header::ACCEPT))
        .iter()
        .any(|choice| {
            choice.shape.as_ref().is_some_and(|(kind, group, version)| {
                kind == "APIGroupDiscoveryList" && group == "apidiscovery.k8s.io" && version == "v2"
            })
        })
}

fn aggregated(groups: &[&str]) -> Response {
    let items: Vec<Value> = groups
        .iter()
        .map(|group| {
            let versions: Vec<Value> = versions(group)
                .iter()
                .map(|version| {
                    let kinds = resources::all()
                        .iter()
                        .filter(|one| one.group == *group && one.version == *version);
                    json!({
                        "version": version,
                        "resources": kinds.map(aggregated_entry).collect::<Vec<_>>(),
                        "freshness": "Current",
                    })
                })
                .collect();
            let mut metadata = json!({"creationTimestamp": null});
            if !group.is_empty() {
                metadata["name"] = json!(group);
            }
            json!({"metadata": metadata, "versions": versions})
        })
        .collect();
    let list = json!({
        "kind": "APIGroupDiscoveryList",
        "apiVersion": "apidiscovery.k8s.io/v2",
        "metadata": {},
        "items": items,
    });
    ([(header::CONTENT_TYPE, AGGREGATED)], list.to_string()).into_response()
}

fn aggregated_entry(one: &Resource) -> Value {
    let kind = |group: &str, version: &str, kind: &str| json!({"group": group, "version": version, "kind": kind});
    let mut value = json!({
        "resource": one.plural,
        "responseKind": kind(one.group, one.version, one.kind),
        "scope": if one.namespaced { "Namespaced" } else { "Cluster" },
        "singularResource": one.singular,
        "verbs": one.verbs(),
    });
    if !one.short_names.is_empty() {
        value["shortNames"] = json!(one.short_names);
    }
    if !one.categories.is_empty() {
        value["categories"] = json!(one.categories);
    }
    if let Served::Objects(objects) = &one.served
        && !objects.subresources.is_empty()
    {
        let below = objects.subresources.iter().map(|below| {
            let (group, version, name) = below.body.unwrap_or((one.group, one.version, one.kind));
            json!({
                "subresource": below.name,
                "responseKind": kind(group, version, name),
                "verbs": below.verbs,
            })
        });
        value["subresources"] = below.collect();
    }
    value
}
