//! Custom resource definitions: their own life, and the kinds that they add.
//!
//! Source: Kubernetes docs, "Extend the Kubernetes API with CustomResourceDefinitions"; texts of
//! conditions as a kube-apiserver 1.36 writes them.

use authlab_rbac::validation::FieldError;
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use serde_json::{Value, json};

use super::kinds::Kinds;
use super::{Resource, Rules, Served, advance, custom, of};
use crate::cluster::Cluster;
use crate::handlers;
use crate::object::{Object, entry, now, strings};
use crate::schema;
use crate::store::{Change, ChangeKind, Transaction};
use crate::table::Column;

pub(super) struct Definitions;

const COLUMNS: &[Column] = &[
    crate::table::NAME,
    Column::text("Created At", |object| {
        json!(object.meta("creationTimestamp"))
    }),
];

/// Holds a definition until its objects are gone.
const CLEANUP: &str = "customresourcecleanup.apiextensions.k8s.io";

impl Rules for Definitions {
    fn columns(&self) -> &[Column] {
        COLUMNS
    }

    fn prepare(&self, object: &mut Value, old: Option<&Value>, subresource: &str) {
        let spec = entry(object, "spec");
        spec.entry("conversion")
            .or_insert_with(|| json!({"strategy": "None"}));
        let kind = spec["names"]["kind"]
            .as_str()
            .unwrap_or_default()
            .to_owned();
        let names = entry(&mut object["spec"], "names");
        names
            .entry("singular")
            .or_insert_with(|| json!(kind.to_lowercase()));
        names
            .entry("listKind")
            .or_insert_with(|| json!(format!("{kind}List")));
        if old.is_none() {
            object["status"] = json!({
                "acceptedNames": {"kind": "", "plural": ""},
                "conditions": null,
                "storedVersions": [],
            });
        }
        if subresource.is_empty() {
            advance(object, old);
        }
        let storage = versions(object).find(|version| version["storage"] == true);
        let storage = storage.map(|version| version["name"].clone());
        if let (Some(name), Some(stored)) =
            (storage, object["status"]["storedVersions"].as_array_mut())
            && !stored.contains(&name)
        {
            stored.push(name);
        }
    }

    fn validate(&self, object: &Value, old: Option<&Value>) -> Vec<FieldError> {
        schema::check(object, old)
    }

    fn warnings(&self, object: &Value, old: Option<&Value>) -> Vec<String> {
        let formats = |definition: &Value| -> Vec<String> {
            let schemas = versions(definition).map(|one| &one["schema"]["openAPIV3Schema"]);
            let formats = schemas.flat_map(schema::unrecognized);
            formats
                .map(|format| format!("unrecognized format {format:?}"))
                .collect()
        };
        let before = old.map(formats).unwrap_or_default();
        let mut now = formats(object);
        now.retain(|one| !before.contains(one));
        now
    }

    fn needs_revision(&self) -> bool {
        true
    }

    fn begin_deletion(&self, object: &mut Value) {
        let mut finalizers = strings(&object["metadata"]["finalizers"]);
        if !finalizers.contains(&CLEANUP) {
            finalizers.push(CLEANUP);
        }
        object["metadata"]["finalizers"] = json!(finalizers);
        let why =
            "CustomResourceDefinition marked for deletion; CustomResource deletion will begin soon";
        set_condition(
            object,
            "Terminating",
            "True",
            "InstanceDeletionPending",
            why,
        );
    }

    fn finished(&self, object: &Value) -> bool {
        object.terminating() && object.finalizers().is_empty()
    }

    fn returns_deleted(&self) -> bool {
        false
    }
}

pub(super) fn versions(definition: &Value) -> impl Iterator<Item = &Value> {
    definition["spec"]["versions"]
        .as_array()
        .into_iter()
        .flatten()
}

fn set_condition(object: &mut Value, kind: &str, status: &str, reason: &str, message: &str) {
    let conditions = &mut object["status"]["conditions"];
    if !conditions.is_array() {
        *conditions = json!([]);
    }
    let Some(conditions) = conditions.as_array_mut() else {
        return;
    };
    let mut condition = json!({
        "type": kind,
        "status": status,
        "lastTransitionTime": now(),
        "reason": reason,
        "message": message,
    });
    match conditions.iter_mut().find(|one| one["type"] == kind) {
        Some(current) => {
            if current["status"] == status {
                condition["lastTransitionTime"] = current["lastTransitionTime"].take();
            }
            *current = condition;
        }
        None => conditions.push(condition),
    }
}

/// Does what the real server's controllers do about a changed definition: accepts its names,
/// serves its kinds, and removes its objects before it goes.
pub(super) fn react(cluster: &Cluster, transaction: &mut Transaction<'_>, change: &Change) {
    let resource = of::<CustomResourceDefinition>();
    let object = &change.object;
    if change.kind != ChangeKind::Deleted {
        if object.terminating() {
            cleanup(transaction, resource, object);
        } else {
            let mut next = (**object).clone();
            accept(transaction, resource, &mut next);
            if next != **object {
                transaction.put(resource, next);
            }
        }
    }
    let definitions = transaction.list(resource, "");
    let kinds = definitions.iter().flat_map(|one| custom::kinds(one));
    cluster.replace_kinds(Kinds::with(kinds));
}

/// Decides whether the names are free, and thereby whether the kinds are served.
fn accept(transaction: &Transaction<'_>, resource: &Resource, definition: &mut Value) {
    let names = definition["spec"]["names"].clone();
    let taken = |name: &Value| {
        let others = transaction.list(resource, "");
        let mut others = others.iter().filter(|other| {
            other.name() != definition.name()
                && other["spec"]["group"] == definition["spec"]["group"]
        });
        let name = name.as_str().unwrap_or_default();
        !name.is_empty()
            && others.any(|other| {
                let accepted = &other["status"]["acceptedNames"];
                ["plural", "singular", "kind", "listKind"]
                    .iter()
                    .any(|field| accepted[field] == name)
                    || strings(&accepted["shortNames"]).contains(&name)
            })
    };
    let conflict = [
        ("plural", "PluralConflict"),
        ("singular", "SingularConflict"),
        ("kind", "KindConflict"),
        ("listKind", "ListKindConflict"),
    ];
    let conflict = conflict.iter().find(|(field, _)| taken(&names[field]));
    match conflict {
        Some((field, reason)) => {
            let why = format!("{} is already in use", names[field]);
            set_condition(definition, "NamesAccepted", "False", reason, &why);
            let why = "not all names are accepted";
            set_condition(definition, "Established", "False", "NotAccepted", why);
        }
        None => {
            definition["status"]["acceptedNames"] = names;
            let why = "no conflicts found";
            set_condition(definition, "NamesAccepted", "True", "NoConflicts", why);
            let why = "the initial names have been accepted";
            set_condition(
                definition,
                "Established",
                "True",
                "InitialNamesAccepted",
                why,
            );
        }
    }
}

/// Whether the kinds of a definition are served.
pub(super) fn established(definition: &Value) -> bool {
    let mut conditions = definition["status"]["conditions"]
        .as_array()
        .into_iter()
        .flatten();
    conditions.any(|one| one["type"] == "Established" && one["status"] == "True")
}

/// Removes the objects of a definition, and the definition once none holds out.
fn cleanup(transaction: &mut Transaction<'_>, resource: &Resource, definition: &Value) {
    let mut held = false;
    if let Some(kind) = custom::kinds(definition).first()
        && let Served::Objects(objects) = &kind.served
    {
        for object in transaction.list(kind, "") {
            let removed = handlers::remove(transaction, kind, objects, &object, false);
            held |= !removed.is_ok_and(|(_, gone)| gone);
        }
    }
    if held {
        return;
    }
    let mut next = definition.clone();
    if let Some(Value::Array(finalizers)) = next["metadata"].get_mut("finalizers") {
        finalizers.retain(|one| one != CLEANUP);
    }
    if next.finalizers().is_empty() {
        transaction.remove(resource, "", definition.name());
    } else if next != *definition {
        transaction.put(resource, next);
    }
}

/// Lets definitions go whose last object has gone.
pub(super) fn object_gone(transaction: &mut Transaction<'_>, key: &str) {
    let resource = of::<CustomResourceDefinition>();
    let definition = transaction
        .get(resource, "", key)
        .filter(|definition| definition.terminating());
    if let Some(definition) = definition {
        cleanup(transaction, resource, &definition);
    }
}
