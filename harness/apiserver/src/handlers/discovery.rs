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
use crate::resources::{Resource, Served, api_version, kinds::Kinds};

const AGGREGATED: &str = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList";

pub(super) fn serve(call: &Call) -> Option<Response> {
    let kinds = call.cluster.kinds();
    let path = call.info.path.trim_matches('/');
    let parts: Vec<&str> = path.split('/').collect();
    let found = match parts.as_slice() {
        [""] => return Some(health::root(call, paths(&kinds))),
        ["api"] if wants_aggregated(call) => return Some(aggregated(&kinds, &[""])),
        ["apis"] if wants_aggregated(call) => return Some(aggregated(&kinds, &kinds.groups())),
        ["api"] => json!({
            "kind": "APIVersions",
            "versions": ["v1"],
            "serverAddressByClientCIDRs":
                [{"clientCIDR": "0.0.0.0/0", "serverAddress": call.cluster.address.to_string()}],
        }),
        ["apis"] => {
            let groups = kinds.groups().into_iter();
            let groups: Vec<Value> = groups.filter_map(|name| group(&kinds, name)).collect();
            json!({"kind": "APIGroupList", "apiVersion": "v1", "groups": groups})
        }
        ["api", "v1"] => resource_list(&kinds, "", "v1")?,
        ["apis", name] => {
            let mut found = group(&kinds, name)?;
            found["kind"] = json!("APIGroup");
            found["apiVersion"] = json!("v1");
            found
        }
        ["apis", group, version] => resource_list(&kinds, group, version)?,
        _ => return None,
    };
    Some(negotiate::value(call, StatusCode::OK, &found))
}

fn paths(kinds: &Kinds) -> Vec<String> {
    let mut paths: Vec<String> = ["/api", "/api/v1", "/apis", "/apis/"]
        .map(str::to_owned)
        .into();
    for group in kinds.groups() {
        paths.push(format!("/apis/{group}"));
        let versions = kinds.versions(group).into_iter();
        paths.extend(versions.map(|version| format!("/apis/{group}/{version}")));
    }
    paths
}

fn group(kinds: &Kinds, name: &str) -> Option<Value> {
    let versions: Vec<Value> = kinds
        .versions(name)
        .iter()
        .map(|version| json!({"groupVersion": api_version(name, version), "version": version}))
        .collect();
    let preferred = versions.first()?.clone();
    Some(json!({"name": name, "versions": versions, "preferredVersion": preferred}))
}

fn resource_list(kinds: &Kinds, group: &str, version: &str) -> Option<Value> {
    let mut list = Vec::new();
    for one in kinds.in_version(group, version) {
        list.push(entry(one));
        let Served::Objects(objects) = &one.served else {
            continue;
        };
        for below in &objects.subresources {
            let mut value = json!({
                "name": format!("{}/{}", one.plural, below.name),
                "singularName": "",
                "namespaced": one.namespaced,
                "kind": below.body.map_or(one.kind.as_str(), |(_, _, kind)| kind),
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

fn aggregated(kinds: &Kinds, groups: &[&str]) -> Response {
    let items: Vec<Value> = groups
        .iter()
        .map(|group| {
            let versions: Vec<Value> = kinds
                .versions(group)
                .into_iter()
                .map(|version| {
                    let entries = kinds.in_version(group, version);
                    let entries = entries.map(|one| aggregated_entry(one));
                    json!({
                        "version": version,
                        "resources": entries.collect::<Vec<_>>(),
                        "freshness": "Current",
                    })
                })
                .collect();
            let mut metadata = json!({});
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
        "responseKind": kind(&one.group, &one.version, &one.kind),
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
            let (group, version, name) =
                below.body.unwrap_or((&one.group, &one.version, &one.kind));
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
