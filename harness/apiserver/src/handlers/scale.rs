//! The subresource `scale`: how many of a thing there shall be.
//!
//! Source: Kubernetes docs, "Extend the Kubernetes API with CustomResourceDefinitions", section
//! "Scale subresource".

use axum::response::Response;
use http::StatusCode;
use k8s_openapi::api::autoscaling::v1::Scale;
use serde_json::{Value, json};

use super::body::{self, Kind};
use super::options::WriteOptions;
use super::write::Place;
use super::{patch, read};
use crate::call::Call;
use crate::decode;
use crate::jsonpath::JsonPath;
use crate::negotiate;
use crate::object::Object;
use crate::request::ResourceInfo;
use crate::resources::{Objects, Resource, workloads};
use crate::status::Status;

pub(super) fn serve(
    call: &Call,
    resource: &Resource,
    objects: &Objects,
    target: &ResourceInfo,
) -> Result<Response, Status> {
    let Some(paths) = objects.rules.scale() else {
        return Err(Status::no_such_resource());
    };
    let namespace = read::scope(resource, target);
    let current = call.cluster.store.get(resource, namespace, &target.name);
    let current = current.ok_or_else(|| Status::not_found(resource, &target.name))?;
    if call.info.verb == "get" {
        return Ok(negotiate::value(
            call,
            StatusCode::OK,
            &scale(&current, paths),
        ));
    }
    let kind = match call.info.verb.as_str() {
        "patch" => "PatchOptions",
        _ => "UpdateOptions",
    };
    let options = WriteOptions::read(call, kind)?;
    let changed = if call.info.verb == "patch" {
        patch::plain(call, &scale(&current, paths))?
    } else {
        let kind = Kind {
            group: "autoscaling",
            version: "v1",
            kind: "Scale",
            decode: &decode::through::<Scale>,
            custom: false,
        };
        body::object(call, &kind, options.validation)?
    };
    let whole = ResourceInfo {
        subresource: String::new(),
        ..target.clone()
    };
    let place = Place {
        call,
        resource,
        objects,
        target: &whole,
        dry_run: options.dry_run,
        applied: false,
    };
    let made = call.cluster.write(|transaction| {
        let current = place
            .current(transaction)
            .ok_or_else(|| Status::not_found(resource, &target.name))?;
        let revision = changed.revision();
        if !revision.is_empty() && revision != current.revision() {
            return Err(Status::stale(resource, &target.name));
        }
        let mut next = (*current).clone();
        put(
            &mut next,
            &paths["specReplicasPath"],
            changed["spec"]["replicas"].clone(),
        );
        place.change(transaction, &current, next)
    })?;
    Ok(negotiate::value(call, StatusCode::OK, &scale(&made, paths)))
}

fn scale(object: &Value, paths: &Value) -> Value {
    let at = |path: &str| {
        let path = paths[path].as_str().and_then(JsonPath::parse);
        let found = path.as_ref().map(|path| path.select(object));
        found
            .unwrap_or_default()
            .first()
            .map(|value| (*value).clone())
    };
    let number = |path: &str| at(path).and_then(|value| value.as_i64());
    let mut metadata = json!({});
    for field in [
        "name",
        "namespace",
        "uid",
        "resourceVersion",
        "creationTimestamp",
    ] {
        if !object.meta(field).is_empty() {
            metadata[field] = json!(object.meta(field));
        }
    }
    let mut scale = json!({
        "kind": "Scale",
        "apiVersion": "autoscaling/v1",
        "metadata": metadata,
        "spec": {},
        "status": {"replicas": number("statusReplicasPath").unwrap_or_default()},
    });
    // The type leaves out a zero.
    if let Some(replicas) = number("specReplicasPath").filter(|&replicas| replicas != 0) {
        scale["spec"]["replicas"] = json!(replicas);
    }
    let selector = match at("labelSelectorPath") {
        Some(Value::String(text)) => text,
        Some(selector @ Value::Object(_)) => workloads::selector(&selector),
        _ => String::new(),
    };
    if !selector.is_empty() {
        scale["status"]["selector"] = json!(selector);
    }
    scale
}

fn put(object: &mut Value, path: &Value, number: Value) {
    let path = path.as_str().and_then(JsonPath::parse);
    let Some(fields) = path.as_ref().and_then(JsonPath::fields) else {
        return;
    };
    let place = fields
        .into_iter()
        .fold(object, |value, field| &mut value[field]);
    *place = number;
}
