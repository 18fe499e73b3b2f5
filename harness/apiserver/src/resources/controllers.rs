//! What a real cluster's controllers do, done before anybody sees the change that calls for it:
//! aggregation, default service accounts, the root CA's config map, the end of namespaces.

use k8s_openapi::Resource as _;
use k8s_openapi::api::core::v1::{ConfigMap, Namespace, Secret, ServiceAccount};
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;

use super::{config_maps, definitions, namespaces, owners, rbac, records, service_accounts};
use crate::chain::legacy;
use crate::cluster::Cluster;
use crate::object::Object;
use crate::store::{Change, ChangeKind, Transaction};

/// Stores what a server holds at its first start.
pub(crate) fn bootstrap(cluster: &Cluster) {
    let mut transaction = cluster.store.begin();
    rbac::bootstrap(cluster, &mut transaction);
    // The policy is complete already: nothing to react to.
    let quiet = transaction.changes.len();
    namespaces::bootstrap(&mut transaction);
    records::kubernetes_service(&mut transaction);
    records::api_services(&mut transaction);
    config_maps::publish_authentication(cluster, &mut transaction);
    react_from(cluster, &mut transaction, quiet);
    transaction.forget();
}

/// Reacts to the changes of a transaction, and to those that this makes.
pub(crate) fn settle(cluster: &Cluster, transaction: &mut Transaction<'_>) {
    react_from(cluster, transaction, 0);
}

fn react_from(cluster: &Cluster, transaction: &mut Transaction<'_>, start: usize) {
    let mut next = start;
    while let Some(change) = transaction.changes.get(next).cloned() {
        next += 1;
        react(cluster, transaction, &change);
    }
}

fn react(cluster: &Cluster, transaction: &mut Transaction<'_>, change: &Change) {
    if change.resource.ends_with(".rbac.authorization.k8s.io") {
        rbac::react(cluster, transaction, change);
    }
    let (name, namespace) = (change.object.name(), change.object.namespace());
    let deleted = change.kind == ChangeKind::Deleted;
    match change.object["kind"].as_str() {
        Some(Namespace::KIND) if change.object.terminating() && !deleted => {
            namespaces::leave(cluster, name);
        }
        Some(CustomResourceDefinition::KIND) => definitions::react(cluster, transaction, change),
        Some(Namespace::KIND) if change.kind == ChangeKind::Added => {
            service_accounts::ensure_default(transaction, name);
            config_maps::publish_root_ca(cluster, transaction, name);
        }
        Some(ServiceAccount::KIND)
            if deleted
                && name == service_accounts::DEFAULT
                && namespaces::alive(transaction, namespace) =>
        {
            legacy::account_gone(transaction, &change.object);
            service_accounts::ensure_default(transaction, namespace);
        }
        Some(ServiceAccount::KIND) if deleted => {
            legacy::account_gone(transaction, &change.object);
        }
        Some(Secret::KIND) if !deleted && change.object["type"] == legacy::TYPE => {
            legacy::react(cluster, transaction, &change.object);
        }
        Some(ConfigMap::KIND)
            if name == config_maps::ROOT_CA && namespaces::alive(transaction, namespace) =>
        {
            config_maps::publish_root_ca(cluster, transaction, namespace);
        }
        _ => {}
    }
    match change.kind {
        ChangeKind::Added => owners::appeared(cluster, transaction, &change.object),
        ChangeKind::Modified => {}
        ChangeKind::Deleted => owners::gone(cluster, transaction, &change.object),
    }
    // With its last object gone, a terminating namespace can go too.
    if deleted {
        definitions::object_gone(transaction, &change.resource);
        if !namespace.is_empty() && !namespaces::alive(transaction, namespace) {
            namespaces::leave(cluster, namespace);
        }
    }
}
