//! Reading: one object, or a list.

use std::sync::Arc;

use authlab_rbac::validation::FieldError;
use axum::response::Response;
use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use http::StatusCode;
use serde_json::{Value, json};

use super::options;
use crate::call::Call;
use crate::negotiate;
use crate::object::Object;
use crate::request::ResourceInfo;
use crate::resources::{Objects, Resource};
use crate::selector::Selector;
use crate::status::Status;

pub(super) fn get(
    call: &Call,
    resource: &Resource,
    target: &ResourceInfo,
) -> Result<Response, Status> {
    let namespace = scope(resource, target);
    let object = call
        .cluster
        .store
        .get(resource, namespace, &target.name)
        .ok_or_else(|| Status::not_found(resource, &target.name))?;
    Ok(negotiate::object(call, StatusCode::OK, resource, &object))
}

pub(super) fn list(
    call: &Call,
    resource: &Resource,
    objects: &Objects,
    target: &ResourceInfo,
) -> Result<Response, Status> {
    let wanted = options::revision(call).map_err(|status| status.of_list())?;
    let given = call
        .query
        .get("resourceVersion")
        .is_some_and(|one| !one.is_empty());
    match call.query.get("resourceVersionMatch") {
        None | Some("") => {}
        Some(_) if !given => {
            let why = "resourceVersionMatch is forbidden unless resourceVersion is provided";
            let error = FieldError::forbidden("resourceVersionMatch", why);
            options::refuse("ListOptions", &[error])?;
        }
        Some("Exact" | "NotOlderThan") => {}
        Some(other) => {
            let known = ["Exact", "NotOlderThan", ""];
            let error = FieldError::unsupported("resourceVersionMatch", other, &known);
            options::refuse("ListOptions", &[error])?;
        }
    }
    let limit = options::number(call, "limit")?.unwrap_or_default();
    let start = call.query.get("continue").filter(|token| !token.is_empty());
    let start = start.map(after).transpose()?;
    let selector = selector(call, objects)?;
    let (mut all, revision) = call.cluster.store.list(resource, scope(resource, target));
    if wanted > revision {
        return Err(Status::too_new(wanted, revision));
    }
    all.retain(|object| start.as_ref().is_none_or(|start| key(object) > *start));
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    let mut metadata = json!({"resourceVersion": revision.to_string()});
    let mut found: Vec<Arc<Value>> = Vec::new();
    let total = all.len();
    for (index, object) in all.into_iter().enumerate() {
        if !selector.matches(&object) {
            continue;
        }
        found.push(object);
        let rest = total - index - 1;
        // The rest is not looked at: it may hold nothing that matches.
        if limit > 0 && found.len() == limit && rest > 0 {
            if selector == Selector::default() {
                metadata["remainingItemCount"] = json!(rest);
            }
            let last = found.last().map(|object| key(object)).unwrap_or_default();
            let token = json!({"v": "meta.k8s.io/v1", "rv": revision, "start": last});
            metadata["continue"] = json!(BASE64_URL_SAFE_NO_PAD.encode(token.to_string()));
            break;
        }
    }
    let items = found.iter().map(|object| (**object).clone()).collect();
    let list = list_of(resource, objects, metadata, items);
    Ok(negotiate::object(call, StatusCode::OK, resource, &list))
}

/// A list of a kind; items of built-in kinds say nothing about their type, as in the real
/// server's answers.
pub(super) fn list_of(
    resource: &Resource,
    objects: &Objects,
    metadata: Value,
    mut items: Vec<Value>,
) -> Value {
    let mut metadata = metadata;
    if resource.custom().is_some() {
        let more = metadata["continue"].take();
        metadata["continue"] = json!(more.as_str().unwrap_or_default());
    } else {
        for item in items.iter_mut().filter_map(Value::as_object_mut) {
            item.remove("kind");
            item.remove("apiVersion");
        }
    }
    json!({
        "kind": objects.list_kind,
        "apiVersion": resource.api_version(),
        "metadata": metadata,
        "items": items,
    })
}

pub(super) fn selector(call: &Call, objects: &Objects) -> Result<Selector, Status> {
    let (labels, fields) = (
        call.query.get("labelSelector"),
        call.query.get("fieldSelector"),
    );
    Selector::parse(labels, fields, &objects.rules.selectable())
}

/// The namespace under which a kind is stored: a namespace object itself is in none.
pub(super) fn scope<'a>(resource: &Resource, target: &'a ResourceInfo) -> &'a str {
    if resource.namespaced {
        &target.namespace
    } else {
        ""
    }
}

/// An object's place in a list.
fn key(object: &Value) -> String {
    format!("{}/{}", object.namespace(), object.name())
}

/// The place that a continue token names.
fn after(token: &str) -> Result<String, Status> {
    let bad = |why: String| {
        Status::bad_request(format!(
            "invalid continue token: continue key is not valid: {why}"
        ))
    };
    let bytes = BASE64_URL_SAFE_NO_PAD
        .decode(token)
        .map_err(|_| bad("illegal base64 data at input byte 0".to_owned()))?;
    let token: Value = serde_json::from_slice(&bytes).map_err(|_| {
        let first = bytes.first().map_or('\0', |byte| char::from(*byte));
        bad(format!(
            "invalid character {first:?} looking for beginning of value"
        ))
    })?;
    token["start"]
        .as_str()
        .map(str::to_owned)
        .ok_or_else(|| bad("encoded start key empty".to_owned()))
}
