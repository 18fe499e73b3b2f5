//! Namespaces: their life, and what may be created in them.

use std::sync::Arc;
use std::time::Duration;

use authlab_rbac::validation::FieldError;
use k8s_openapi::api::core::v1::Namespace;
use serde_json::{Value, json};
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until};

use super::{Resource, Rules, Served, of, validation};
use crate::cluster::Cluster;
use crate::handlers;
use crate::object::{Object, entry, strings};
use crate::status::Status;
use crate::store::Transaction;
use crate::table::{AGE, Column, NAME};

pub(super) struct Namespaces;

/// What the server itself needs, and makes when it starts.
pub(super) const SYSTEM: [&str; 4] = ["default", "kube-node-lease", "kube-public", "kube-system"];
const PHASE: Column = Column::text("Status", |object| object["status"]["phase"].clone());
/// The finalizer in `spec` that the namespace controller takes off.
const KUBERNETES: &str = "kubernetes";

impl Rules for Namespaces {
    fn columns(&self) -> &[Column] {
        &[NAME, PHASE, AGE]
    }

    fn selectable(&self) -> Vec<&str> {
        vec!["name", "status.phase"]
    }

    fn prepare(&self, object: &mut Value, old: Option<&Value>, subresource: &str) {
        let name = object.name().to_owned();
        let metadata = entry(object, "metadata");
        let labels = metadata.entry("labels").or_insert_with(|| json!({}));
        labels["kubernetes.io/metadata.name"] = json!(name);
        match old {
            None => {
                let mut finalizers = strings(&object["spec"]["finalizers"]);
                if !finalizers.contains(&KUBERNETES) {
                    finalizers.push(KUBERNETES);
                }
                object["spec"] = json!({"finalizers": finalizers});
                object["status"] = json!({"phase": "Active"});
            }
            Some(old) if subresource != "finalize" => object["spec"] = old["spec"].clone(),
            Some(_) => {}
        }
    }

    fn validate(&self, _object: &Value, _old: Option<&Value>) -> Vec<FieldError> {
        Vec::new()
    }

    fn check_name(&self, name: &str) -> Vec<String> {
        validation::dns_label(name)
    }

    fn assigned(&self) -> &'static [&'static str] {
        &["spec"]
    }

    fn admit_delete(&self, object: &Value) -> Result<(), Status> {
        if ["default", "kube-system", "kube-public"].contains(&object.name()) {
            let why = "this namespace may not be deleted";
            return Err(Status::forbidden("", "namespaces", object.name(), why));
        }
        Ok(())
    }

    fn begin_deletion(&self, object: &mut Value) {
        object["status"]["phase"] = json!("Terminating");
    }

    fn finished(&self, object: &Value) -> bool {
        object.finalizers().is_empty() && strings(&object["spec"]["finalizers"]).is_empty()
    }
}

/// Whether an object may be created in its namespace.
pub(crate) fn admit(
    transaction: &Transaction<'_>,
    resource: &Resource,
    object: &Value,
) -> Result<(), Status> {
    let namespaces = of::<Namespace>();
    let name = object.namespace();
    match transaction.get(namespaces, "", name) {
        None => Err(Status::not_found(namespaces, name)),
        Some(namespace) if namespace.terminating() => {
            Err(Status::terminating(resource, object.name(), name))
        }
        Some(_) => Ok(()),
    }
}

/// How long a namespace is left alone before it is emptied. The real controller takes 5 s; a
/// client that deletes a namespace and then, one by one, what it made there finds it still there.
const PACE: Duration = Duration::from_millis(200);

/// Has a terminating namespace emptied in a moment.
pub(super) fn leave(cluster: &Cluster, name: &str) {
    // Nobody listens any more once the server ends.
    _ = cluster
        .leaving
        .send((name.to_owned(), Instant::now() + PACE));
}

/// Empties namespaces when their time has come, until the server stops.
pub(crate) async fn empty(
    cluster: Arc<Cluster>,
    mut leaving: mpsc::UnboundedReceiver<(String, Instant)>,
) {
    let mut stopping = cluster.stopping.subscribe();
    let work = async {
        while let Some((name, due)) = leaving.recv().await {
            sleep_until(due).await;
            let emptied: Result<(), Status> = cluster.write(|transaction| {
                terminate(&cluster, transaction, &name);
                Ok(())
            });
            debug_assert!(emptied.is_ok(), "nothing is refused here");
        }
    };
    tokio::select! {
        () = work => {}
        _ = stopping.wait_for(|stopping| *stopping) => {}
    }
}

/// Empties a terminating namespace, and lets it go once nothing is left in it.
fn terminate(cluster: &Cluster, transaction: &mut Transaction<'_>, name: &str) {
    let namespaces = of::<Namespace>();
    let Some(namespace) = transaction
        .get(namespaces, "", name)
        .filter(|one| one.terminating())
    else {
        return;
    };
    let mut held = false;
    for resource in cluster.kinds().all().iter().filter(|one| one.namespaced) {
        let Served::Objects(objects) = &resource.served else {
            continue;
        };
        for object in transaction.list(resource, name) {
            let removed = handlers::remove(transaction, resource, objects, &object, false);
            held |= !removed.is_ok_and(|(_, gone)| gone);
        }
    }
    if held {
        return;
    }
    let mut next = (*namespace).clone();
    if let Some(Value::Array(finalizers)) = next["spec"].get_mut("finalizers") {
        finalizers.retain(|one| one != KUBERNETES);
    }
    if Namespaces.finished(&next) {
        transaction.remove(namespaces, "", name);
    } else {
        transaction.put(namespaces, next);
    }
}

/// A namespace as the server makes it at start.
pub(super) fn bootstrap(transaction: &mut Transaction<'_>) {
    let resource = of::<Namespace>();
    for name in SYSTEM {
        let mut object = super::new_object(resource, "", name);
        Namespaces.prepare(&mut object, None, "");
        transaction.put(resource, object);
    }
}

/// Whether a namespace exists and stays.
pub(super) fn alive(transaction: &Transaction<'_>, name: &str) -> bool {
    let found: Option<Arc<Value>> = transaction.get(of::<Namespace>(), "", name);
    found.is_some_and(|namespace| !namespace.terminating())
}
