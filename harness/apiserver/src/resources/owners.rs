//! Owners and their dependents: what goes with the last of its owners, and what outlives them.
//!
//! Source: Kubernetes docs, "Garbage Collection" and "Owners and Dependents". The real collector
//! takes up to a second; here it is done before anybody sees the deletion.

use std::collections::HashSet;
use std::sync::Arc;

use serde_json::{Value, json};

use super::{Resource, Served};
use crate::cluster::Cluster;
use crate::handlers;
use crate::object::Object;
use crate::store::Transaction;

/// What becomes of the dependents of an object that is deleted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Policy {
    /// They go after it.
    Background,
    /// They go before it.
    Foreground,
    /// They stay, and do not depend on it any more.
    Orphan,
}

/// Holds an owner until its dependents are gone.
const FOREGROUND: &str = "foregroundDeletion";

/// Does what a policy asks for before an object is deleted, and returns the object.
pub(crate) fn prepare(
    cluster: &Cluster,
    transaction: &mut Transaction<'_>,
    resource: &Resource,
    owner: Arc<Value>,
    policy: Policy,
) -> Arc<Value> {
    match policy {
        Policy::Background => return owner,
        Policy::Orphan => {
            for (resource, object) in dependents(cluster, transaction, &owner) {
                release(transaction, &resource, &object, &owner);
            }
            return owner;
        }
        Policy::Foreground => collect(cluster, transaction, &owner),
    }
    if !held(cluster, transaction, &owner) {
        return owner;
    }
    let mut object = (*owner).clone();
    let mut finalizers = owner.finalizers();
    finalizers.push(FOREGROUND);
    object
        .metadata_mut()
        .insert("finalizers".to_owned(), json!(finalizers));
    transaction.put(resource, object)
}

/// Takes along what depended on an object that is gone, and lets go of what waited for its end.
pub(super) fn gone(cluster: &Cluster, transaction: &mut Transaction<'_>, object: &Value) {
    collect(cluster, transaction, object);
    for reference in references(object) {
        let Some((resource, owner)) = owner(cluster, transaction, object, reference) else {
            continue;
        };
        let waits = owner.terminating() && owner.finalizers().contains(&FOREGROUND);
        if !waits || held(cluster, transaction, &owner) {
            continue;
        }
        let mut free = (*owner).clone();
        let mut finalizers = owner.finalizers();
        finalizers.retain(|one| *one != FOREGROUND);
        free.metadata_mut()
            .insert("finalizers".to_owned(), json!(finalizers));
        let free = transaction.put(&resource, free);
        delete(transaction, &resource, &free);
    }
}

/// An object whose owners are all gone already does not stay either.
pub(super) fn appeared(cluster: &Cluster, transaction: &mut Transaction<'_>, object: &Value) {
    let mut all = references(object).peekable();
    if all.peek().is_none() || all.any(|one| exists(cluster, transaction, object, one)) {
        return;
    }
    let kinds = cluster.kinds();
    let resource = kinds
        .all()
        .iter()
        .find(|one| object["kind"] == *one.kind && object["apiVersion"] == *one.api_version());
    let current =
        resource.and_then(|resource| transaction.get(resource, object.namespace(), object.name()));
    if let (Some(resource), Some(current)) = (resource, current) {
        delete(transaction, resource, &current);
    }
}

/// Deletes the dependents of an owner, or parts them from it while they have others.
fn collect(cluster: &Cluster, transaction: &mut Transaction<'_>, owner: &Value) {
    for (resource, object) in dependents(cluster, transaction, owner) {
        let others = references(&object).filter(|one| one["uid"] != owner.uid());
        let mut others = others.filter(|one| exists(cluster, transaction, &object, one));
        if others.next().is_some() {
            release(transaction, &resource, &object, owner);
        } else {
            delete(transaction, &resource, &object);
        }
    }
}

/// Whether a dependent that is still there keeps its owner from going first.
fn held(cluster: &Cluster, transaction: &Transaction<'_>, owner: &Value) -> bool {
    let blocks = |object: &Value| {
        let mut all = references(object);
        all.any(|one| one["uid"] == owner.uid() && one["blockOwnerDeletion"] == true)
    };
    let all = dependents(cluster, transaction, owner);
    all.iter().any(|(_, object)| blocks(object))
}

fn delete(transaction: &mut Transaction<'_>, resource: &Resource, object: &Arc<Value>) {
    if let Served::Objects(objects) = &resource.served {
        // What may not be deleted stays: nobody asks for it to be.
        let _ = handlers::remove(transaction, resource, objects, object, false);
    }
}

fn release(transaction: &mut Transaction<'_>, resource: &Resource, object: &Value, owner: &Value) {
    let mut object = object.clone();
    let mut kept: Vec<Value> = references(&object).cloned().collect();
    kept.retain(|one| one["uid"] != owner.uid());
    let metadata = object.metadata_mut();
    if kept.is_empty() {
        metadata.remove("ownerReferences");
    } else {
        metadata.insert("ownerReferences".to_owned(), json!(kept));
    }
    transaction.put(resource, object);
}

fn references(object: &Value) -> impl Iterator<Item = &Value> {
    let all = object["metadata"]["ownerReferences"].as_array();
    all.into_iter().flatten()
}

/// What names an object as its owner.
fn dependents(
    cluster: &Cluster,
    transaction: &Transaction<'_>,
    owner: &Value,
) -> Vec<(Arc<Resource>, Arc<Value>)> {
    let (kinds, mut seen) = (cluster.kinds(), HashSet::new());
    // The versions of a custom kind have the same objects.
    let kinds = kinds
        .all()
        .iter()
        .filter(|one| seen.insert(one.key().to_owned()));
    let mut found = Vec::new();
    for resource in kinds {
        let mine = |object: &Value| references(object).any(|one| one["uid"] == owner.uid());
        let all = transaction.list(resource, owner.namespace()).into_iter();
        found.extend(
            all.filter(|one| mine(one))
                .map(|one| (Arc::clone(resource), one)),
        );
    }
    found
}

/// The object that a reference means; the namespace is that of the dependent.
fn owner(
    cluster: &Cluster,
    transaction: &Transaction<'_>,
    dependent: &Value,
    reference: &Value,
) -> Option<(Arc<Resource>, Arc<Value>)> {
    let kinds = cluster.kinds();
    let resource = kinds.all().iter().find(|one| {
        reference["kind"] == *one.kind && reference["apiVersion"] == *one.api_version()
    })?;
    let namespace = if resource.namespaced {
        dependent.namespace()
    } else {
        ""
    };
    let name = reference["name"].as_str().unwrap_or_default();
    let found = transaction.get(resource, namespace, name)?;
    (reference["uid"] == found.uid()).then(|| (Arc::clone(resource), found))
}

/// Whether the owner is there. Of kinds that nobody knows, nobody knows either.
fn exists(
    cluster: &Cluster,
    transaction: &Transaction<'_>,
    dependent: &Value,
    reference: &Value,
) -> bool {
    let kinds = cluster.kinds();
    let known = kinds
        .all()
        .iter()
        .any(|one| reference["kind"] == *one.kind && reference["apiVersion"] == *one.api_version());
    !known || owner(cluster, transaction, dependent, reference).is_some()
}
