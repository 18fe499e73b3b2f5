//! Deleting: one object, or all that a selector finds.

use std::sync::Arc;

use authlab_rbac::validation::FieldError;
use axum::response::Response;
use http::StatusCode;
use serde_json::{Value, json};

use super::{body, options, read};
use crate::call::Call;
use crate::negotiate;
use crate::object::{Object, entry, now};
use crate::request::ResourceInfo;
use crate::resources::owners::{self, Policy};
use crate::resources::{Objects, Resource};
use crate::status::Status;
use crate::store::Transaction;

pub(super) fn one(
    call: &Call,
    resource: &Resource,
    objects: &Objects,
    target: &ResourceInfo,
) -> Result<Response, Status> {
    let options = DeleteOptions::read(call)?;
    let namespace = read::scope(resource, target);
    let (object, gone) = call.cluster.write(|transaction| {
        let current = transaction
            .get(resource, namespace, &target.name)
            .ok_or_else(|| Status::not_found(resource, &target.name))?;
        options.check(resource, &current)?;
        let current = if options.dry_run {
            current
        } else {
            objects.rules.admit_delete(&current)?;
            owners::prepare(
                &call.cluster,
                transaction,
                resource,
                current,
                options.policy,
            )
        };
        remove(transaction, resource, objects, &current, options.dry_run)
    })?;
    if !gone || objects.rules.returns_deleted() {
        return Ok(negotiate::object(call, StatusCode::OK, resource, &object));
    }
    let mut details = json!({"name": target.name, "kind": resource.plural, "uid": object.uid()});
    if !resource.group.is_empty() {
        details["group"] = json!(resource.group);
    }
    let status = json!({
        "kind": "Status",
        "apiVersion": "v1",
        "metadata": {},
        "status": "Success",
        "details": details,
    });
    Ok(negotiate::value(call, StatusCode::OK, &status))
}

pub(super) fn collection(
    call: &Call,
    resource: &Resource,
    objects: &Objects,
    target: &ResourceInfo,
) -> Result<Response, Status> {
    let options = DeleteOptions::read(call)?;
    let selector = read::selector(call, objects)?;
    let namespace = read::scope(resource, target);
    let (items, revision) = call.cluster.write(|transaction| {
        let mut items = Vec::new();
        for object in transaction.list(resource, namespace) {
            if selector.matches(&object) {
                remove(transaction, resource, objects, &object, options.dry_run)?;
                items.push((*object).clone());
            }
        }
        Ok((items, transaction.revision()))
    })?;
    let metadata = json!({"resourceVersion": revision.to_string()});
    let list = read::list_of(resource, objects, metadata, items);
    Ok(negotiate::object(call, StatusCode::OK, resource, &list))
}

/// Removes an object, or marks it as terminating while something holds it. Returns the object and
/// whether it is gone.
pub(crate) fn remove(
    transaction: &mut Transaction<'_>,
    resource: &Resource,
    objects: &Objects,
    current: &Arc<Value>,
    dry_run: bool,
) -> Result<(Arc<Value>, bool), Status> {
    objects.rules.admit_delete(current)?;
    if objects.rules.finished(current) {
        if !dry_run && objects.rules.goes_in_steps() && !current.terminating() {
            let mut object = (**current).clone();
            let metadata = object.metadata_mut();
            metadata.insert("deletionTimestamp".to_owned(), json!(now()));
            metadata.insert("deletionGracePeriodSeconds".to_owned(), json!(0));
            let last = transaction.put(resource, object);
            transaction.remove(resource, current.namespace(), current.name());
            return Ok((last, true));
        }
        if !dry_run {
            transaction.remove(resource, current.namespace(), current.name());
        }
        return Ok((Arc::clone(current), true));
    }
    if current.terminating() {
        return Ok((Arc::clone(current), false));
    }
    let mut object = (**current).clone();
    object
        .metadata_mut()
        .insert("deletionTimestamp".to_owned(), json!(now()));
    if !object.finalizers().is_empty() {
        object
            .metadata_mut()
            .insert("deletionGracePeriodSeconds".to_owned(), json!(0));
    }
    objects.rules.begin_deletion(&mut object);
    if dry_run {
        return Ok((Arc::new(object), false));
    }
    Ok((transaction.put(resource, object), false))
}

/// What can become of dependents; the last is how the real server's message prints "unset".
const POLICIES: [&str; 4] = ["Foreground", "Background", "Orphan", "nil"];

/// The body and parameters of a delete.
struct DeleteOptions {
    dry_run: bool,
    policy: Policy,
    uid: String,
    revision: String,
}

impl DeleteOptions {
    fn read(call: &Call) -> Result<Self, Status> {
        let mut body = body::options(call)?;
        let mut errors = Vec::new();
        let mut dry_run = options::dry_run(call, &mut errors);
        dry_run |= body["dryRun"].as_array().is_some_and(|all| !all.is_empty());
        let policy = body["propagationPolicy"]
            .as_str()
            .or(call.query.get("propagationPolicy"))
            .map(str::to_owned);
        let policy = policy.as_deref();
        if let Some(policy) = policy.filter(|one| !POLICIES.contains(one)) {
            let field = "propagationPolicy";
            errors.push(FieldError::unsupported(field, policy, &POLICIES));
        }
        options::refuse("DeleteOptions", &errors)?;
        let policy = match policy {
            Some("Foreground") => Policy::Foreground,
            Some("Orphan") => Policy::Orphan,
            None if body["orphanDependents"] == true => Policy::Orphan,
            _ => Policy::Background,
        };
        let conditions = entry(&mut body, "preconditions");
        let text = |field: &str| {
            conditions
                .get(field)
                .and_then(Value::as_str)
                .unwrap_or_default()
                .to_owned()
        };
        Ok(Self {
            dry_run,
            policy,
            uid: text("uid"),
            revision: text("resourceVersion"),
        })
    }

    fn check(&self, resource: &Resource, object: &Value) -> Result<(), Status> {
        let conditions = [
            ("UID", &self.uid, object.uid(), "deleted and then recreated"),
            (
                "ResourceVersion",
                &self.revision,
                object.revision(),
                "modified",
            ),
        ];
        for (what, wanted, current, since) in conditions {
            if wanted.is_empty() || wanted == current {
                continue;
            }
            let why = format!(
                "the {what} in the precondition ({wanted}) does not match the {what} in record ({current}). The object might have been {since}"
            );
            let (group, kind) = (&resource.group, &resource.kind);
            return Err(Status::conflict(group, kind, object.name(), &why));
        }
        Ok(())
    }
}
