//! As much OpenAPI as kubectl needs: which kinds exist, and that writes take `fieldValidation`
//! and `dryRun`, so that validation is left to the server.
//!
//! Schemas are published of custom kinds only: kubectl computes patches of built-in kinds from its
//! own types then, and cannot explain them.

use axum::response::{IntoResponse, Response};
use http::{StatusCode, header};
use serde_json::{Map, Value, json};

use super::health;
use crate::call::Call;
use crate::negotiate;
use crate::object::entry;
use crate::resources::{Resource, Served, kinds::Kinds};

const PROTOBUF_V2: &str = "application/com.github.proto-openapi.spec.v2.v1.0+protobuf";

pub(super) fn serve(call: &Call) -> Option<Response> {
    let kinds = call.cluster.kinds();
    let path = call.info.path.trim_end_matches('/');
    if path == "/openapi/v2" {
        return Some(version_2(call));
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

fn document(kinds: &Kinds, group_version: &str) -> Option<Value> {
    let mut paths = Map::new();
    let mut schemas = Map::new();
    for resource in kinds
        .all()
        .iter()
        .filter(|one| prefix(one) == group_version)
    {
        if let Served::Objects(objects) = &resource.served
            && let Some(custom) = objects.rules.custom()
        {
            schemas.insert(model(resource), schema(resource, &custom.text));
        }
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
    (!paths.is_empty()).then(|| {
        json!({
            "openapi": "3.0.0",
            "info": info(),
            "paths": paths,
            "components": {"schemas": schemas},
        })
    })
}

/// A custom kind's name among the schemas: the group's labels backwards, version and kind.
fn model(resource: &Resource) -> String {
    let group: Vec<&str> = resource.group.rsplit('.').collect();
    format!("{}.{}.{}", group.join("."), resource.version, resource.kind)
}

/// The schema of a custom kind as it is published: with what every object has.
fn schema(resource: &Resource, text: &Value) -> Value {
    let mut schema = text.clone();
    let own = entry(&mut schema, "properties");
    for field in ["apiVersion", "kind"] {
        own.insert(field.to_owned(), json!({"type": "string"}));
    }
    own.insert("metadata".to_owned(), json!({"type": "object"}));
    schema["x-kubernetes-group-version-kind"] = json!([{
        "group": resource.group,
        "version": resource.version,
        "kind": resource.kind,
    }]);
    schema
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
    operation
}

fn version_2(call: &Call) -> Response {
    if call.header(header::ACCEPT).contains("protobuf") {
        return ([(header::CONTENT_TYPE, PROTOBUF_V2)], empty_protobuf()).into_response();
    }
    let document = json!({"swagger": "2.0", "info": info(), "paths": {}, "definitions": {}});
    negotiate::json(call, StatusCode::OK, &document)
}

/// The same document in the encoding that client-go asks for: `swagger` is field 1, `info` field 2
/// with `title` and `version` as its fields 1 and 2.
fn empty_protobuf() -> Vec<u8> {
    fn field(number: u8, bytes: &[u8]) -> Vec<u8> {
        let length = u8::try_from(bytes.len()).unwrap_or_default();
        [&[number << 3 | 2, length], bytes].concat()
    }
    let info = [
        field(1, b"Kubernetes"),
        field(2, health::GIT_VERSION.as_bytes()),
    ]
    .concat();
    [field(1, b"2.0"), field(2, &info)].concat()
}
