//! OpenAPI, as kubectl and its like read it: which kinds exist, their schemas, how they are
//! patched, and that writes take `fieldValidation` and `dryRun`.
//!
//! Nothing is made before somebody asks for it.

use std::sync::Arc;

use axum::response::Response;
use http::StatusCode;
use serde::Serialize;
use serde_json::value::RawValue;
use serde_json::{Map, Value, json};

use super::health;
use crate::call::Call;
use crate::negotiate;
use crate::resources::{Resource, Served, kinds::Kinds};

mod marks;
mod models;
mod version_2;

pub(super) fn serve(call: &Call) -> Option<Response> {
    let kinds = call.cluster.kinds();
    let path = call.info.path.trim_end_matches('/');
    if path == "/openapi/v2" {
        return Some(version_2::serve(call));
    }
    if path == "/openapi/v3" {
        return Some(negotiate::json(call, StatusCode::OK, &index(&kinds)));
    }
    let group_version = path.strip_prefix("/openapi/v3/")?;
    let document = document(&kinds, group_version)?;
    Some(negotiate::json(call, StatusCode::OK, &document))
}

/// `api/v1`, `apis/GROUP/VERSION`.
fn prefix(resource: &Resource) -> String {
    match resource.group.as_str() {
        "" => format!("api/{}", resource.version),
        group => format!("apis/{group}/{}", resource.version),
    }
}

fn index(kinds: &Kinds) -> Value {
    let mut paths = Map::new();
    for resource in kinds.all() {
        let prefix = prefix(resource);
        let url = format!("/openapi/v3/{prefix}?hash={}", health::GIT_VERSION);
        paths.insert(prefix, json!({"serverRelativeURL": url}));
    }
    json!({"paths": paths})
}

fn info() -> Value {
    json!({"title": "Kubernetes", "version": health::GIT_VERSION})
}

/// The document of one version of a group.
#[derive(Serialize)]
struct Document {
    openapi: &'static str,
    info: Value,
    paths: Map<String, Value>,
    components: Components,
}

#[derive(Serialize)]
struct Components {
    #[serde(serialize_with = "raw")]
    schemas: Arc<RawValue>,
}

fn raw<S: serde::Serializer>(text: &Arc<RawValue>, serializer: S) -> Result<S::Ok, S::Error> {
    text.as_ref().serialize(serializer)
}

fn document(kinds: &Kinds, group_version: &str) -> Option<Document> {
    let mut paths = Map::new();
    let resources = kinds
        .all()
        .iter()
        .filter(|one| prefix(one) == group_version);
    for resource in resources.clone() {
        let base = if resource.namespaced {
            format!(
                "/{group_version}/namespaces/{{namespace}}/{}",
                resource.plural
            )
        } else {
            format!("/{group_version}/{}", resource.plural)
        };
        let operation = |action: &str| operation(resource, action);
        if matches!(resource.served, Served::Review(_)) {
            paths.insert(base, json!({"post": operation("post")}));
            continue;
        }
        paths.insert(
            format!("{base}/{{name}}"),
            json!({
                "get": operation("get"),
                "put": operation("put"),
                "patch": operation("patch"),
                "delete": operation("delete"),
            }),
        );
        paths.insert(
            base,
            json!({"get": operation("list"), "post": operation("post")}),
        );
    }
    (!paths.is_empty()).then(|| Document {
        openapi: "3.0.0",
        info: info(),
        paths,
        components: Components {
            schemas: models::text(group_version, resources),
        },
    })
}

fn operation(resource: &Resource, action: &str) -> Value {
    let parameter = |name: &str| json!({"name": name, "in": "query", "schema": {"type": "string"}});
    let mut operation = json!({
        "responses": {"200": {"description": "OK"}},
        "x-kubernetes-action": action,
        "x-kubernetes-group-version-kind":
            {"group": resource.group, "version": resource.version, "kind": resource.kind},
    });
    if matches!(action, "put" | "patch" | "post") {
        operation["parameters"] = ["dryRun", "fieldManager", "fieldValidation"]
            .map(parameter)
            .into();
    }
    if action == "patch" {
        // Whether clients make strategic patches is decided by whether they are offered.
        let mut ways = vec!["apply-patch+yaml", "json-patch+json", "merge-patch+json"];
        if resource.model.is_some() {
            ways.push("strategic-merge-patch+json");
        }
        for way in ways {
            operation["requestBody"]["content"][format!("application/{way}")] = json!({});
        }
    }
    operation
}
