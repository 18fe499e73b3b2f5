//! Who manages which field: `metadata.managedFields`, and server-side apply upon it.
//!
//! Source: Kubernetes docs, "Server-Side Apply"; rules of k8s.io/apimachinery
//! `util/managedfields` (v0.36) and sigs.k8s.io/structured-merge-diff (v6), package `merge`.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::object::{Object, now};
use crate::resources::Resource;
use set::{Element, Set};
use topology::Node;
use walk::Comparison;

mod set;
mod topology;
mod walk;

/// What kubectl keeps its last configuration in.
const LAST_APPLIED: &str = "kubectl.kubernetes.io/last-applied-configuration";

/// Who writes, and where.
pub(crate) struct Writer<'a> {
    pub(crate) manager: &'a str,
    pub(crate) resource: &'a Resource,
    pub(crate) subresource: &'a str,
}

/// What tells managers apart: name, operation, version (of updates only), subresource.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Id {
    applied: bool,
    manager: String,
    version: String,
    subresource: String,
}

#[derive(Debug, Clone, PartialEq)]
struct Owned {
    /// The version under which the fields were written.
    version: String,
    time: Option<String>,
    set: Set,
}

type Managers = BTreeMap<Id, Owned>;

/// A field that another manager owns, and its manager as messages name it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Conflict {
    pub(crate) manager: String,
    pub(crate) field: String,
}

impl Writer<'_> {
    fn root(&self) -> Node<'_> {
        match self.resource.custom() {
            Some(custom) => Node::Custom(custom.schema()),
            None => Node::Known(&self.resource.kind, Vec::new()),
        }
    }

    fn id(&self, applied: bool) -> Id {
        Id {
            applied,
            manager: if self.manager.is_empty() {
                "unknown"
            } else {
                self.manager
            }
            .to_owned(),
            version: if applied {
                String::new()
            } else {
                self.resource.api_version()
            },
            subresource: self.subresource.to_owned(),
        }
    }

    /// What counts of a change here: nothing of what the server sets itself.
    fn relevant(&self, set: Set) -> Set {
        let set = match self.subresource {
            "" if self.resource.has_status() => set.without(&[vec!["status"]]),
            "status" => set.only("status"),
            _ => set,
        };
        let assigned = self.resource.assigned().iter();
        set.without(
            &assigned
                .map(|path| path.split('.').collect())
                .collect::<Vec<_>>(),
        )
    }

    /// What an object is before it is made: of a built-in kind some parts are always there.
    fn nothing(&self, new: &Value) -> Value {
        if self.resource.custom().is_some() {
            return json!({});
        }
        let mut nothing = json!({});
        for part in ["spec", "status"]
            .iter()
            .filter(|part| new[**part].is_object())
        {
            nothing[*part] = json!({});
        }
        match self.resource.kind.as_str() {
            "Pod" => nothing["spec"]["containers"] = json!([]),
            "CustomResourceDefinition" => nothing["spec"]["names"] = json!({}),
            _ => {}
        }
        nothing
    }

    /// Notes who manages what after a create, update or patch. `new` is what will be stored.
    pub(crate) fn update(&self, old: Option<&Value>, new: &mut Value) {
        let given = new["metadata"]["managedFields"].take();
        let mut managers = match (given.as_array().map(Vec::as_slice), self.subresource) {
            // An empty list, or one empty entry, begins anew.
            (Some([]), "") => Managers::new(),
            (Some([one]), "") if one.as_object().is_none_or(serde_json::Map::is_empty) => {
                Managers::new()
            }
            (Some(_), "") => decode(&given),
            _ => old
                .map(|old| decode(&old["metadata"]["managedFields"]))
                .unwrap_or_default(),
        };
        let after = bare(new);
        let before = old.map_or_else(|| self.nothing(&after), bare);
        let change = Comparison::of(&self.root(), &before, &after);
        let touched = self.relevant(change.added.union(&change.modified));
        let removed = self.relevant(change.removed);
        for owned in managers.values_mut() {
            owned.set = owned.set.minus(&touched).minus(&removed);
        }
        let mine = strip(touched);
        if !mine.is_empty() {
            let owned = managers.entry(self.id(false)).or_insert_with(|| Owned {
                version: self.resource.api_version(),
                time: None,
                set: Set::default(),
            });
            owned.set = owned.set.union(&mine);
            owned.time = Some(now());
        }
        encode(new, managers);
    }

    /// Applies a configuration to an object; the result says who manages what.
    pub(crate) fn apply(
        &self,
        live: &Value,
        config: &Value,
        force: bool,
    ) -> Result<Value, Vec<Conflict>> {
        let root = self.root();
        let mut managers = decode(&live["metadata"]["managedFields"]);
        let before = bare(live);
        if managers.is_empty() && !live.uid().is_empty() {
            // Whatever was there before anybody applied is somebody's.
            let first = Writer {
                manager: "before-first-apply",
                ..*self
            };
            let all = Comparison::of(&root, &json!({}), &before).added;
            let owned = Owned {
                version: self.resource.api_version(),
                time: Some(now()),
                set: strip(first.relevant(all)),
            };
            managers.insert(first.id(false), owned);
        }
        let id = self.id(true);
        let last = managers.remove(&id);
        let mut set = Set::default();
        walk::fields(&root, config, &mut Vec::new(), &mut set);
        let mine = Owned {
            version: self.resource.api_version(),
            time: last.as_ref().and_then(|last| last.time.clone()),
            set: strip(self.relevant(set)),
        };
        managers.insert(id.clone(), mine);
        let mut next = before.clone();
        walk::merge(&root, &mut next, config);
        if let Some(last) = last {
            prune(&root, &mut next, &last.set, &managers);
        }
        let change = Comparison::of(&root, &before, &next);
        let touched = self.relevant(change.added.union(&change.modified));
        let removed = self.relevant(change.removed);
        let mut conflicts = Vec::new();
        for (other, owned) in managers.iter_mut().filter(|(other, _)| **other != id) {
            let common = owned.set.common(&touched);
            conflicts.extend(common.0.iter().map(|path| Conflict {
                manager: other.print(),
                field: set::print(path),
            }));
            owned.set = owned.set.minus(&common).minus(&removed);
        }
        if !force && !conflicts.is_empty() {
            return Err(conflicts);
        }
        if next != before
            && let Some(mine) = managers.get_mut(&id)
        {
            mine.time = Some(now());
        }
        if self.manager == "kubectl" && !live["metadata"]["annotations"][LAST_APPLIED].is_null() {
            next["metadata"]["annotations"][LAST_APPLIED] = json!(format!("{config}\n"));
        }
        encode(&mut next, managers);
        Ok(next)
    }
}

/// Takes away what was applied last time and is not now, unless somebody else manages it.
fn prune(root: &Node<'_>, next: &mut Value, last: &Set, managers: &Managers) {
    let kept = managers
        .values()
        .fold(Set::default(), |kept, owned| kept.union(&owned.set));
    let gone = |path: &&set::Path| !kept.touches(path);
    for path in last.0.iter().filter(gone) {
        walk::remove(root, next, path, false);
    }
    // What only held these goes with them, from the inside out; what others put there stays.
    let mut around = Set::default();
    for path in &last.0 {
        for length in 1..path.len() {
            if matches!(path[length - 1], Element::Field(_)) {
                around.insert(&path[..length]);
            }
        }
    }
    for path in around.0.iter().rev().filter(gone) {
        walk::remove(root, next, path, true);
    }
}

/// The object without the notes of who manages it.
fn bare(object: &Value) -> Value {
    let mut object = object.clone();
    if let Some(metadata) = object["metadata"].as_object_mut() {
        metadata.remove("managedFields");
    }
    if object["metadata"].is_null()
        && let Some(object) = object.as_object_mut()
    {
        object.remove("metadata");
    }
    object
}

/// Without what every object has.
fn strip(mut set: Set) -> Set {
    const OWN: [&str; 9] = [
        "name",
        "namespace",
        "creationTimestamp",
        "selfLink",
        "uid",
        "clusterName",
        "generation",
        "managedFields",
        "resourceVersion",
    ];
    set.0.retain(|path| match path.as_slice() {
        [Element::Field(one)] => !matches!(one.as_str(), "apiVersion" | "kind" | "metadata"),
        [Element::Field(one), Element::Field(two)] if one == "metadata" => {
            !OWN.contains(&two.as_str())
        }
        _ => true,
    });
    set
}

impl Id {
    fn print(&self) -> String {
        let mut text = authlab_rbac::quote(&self.manager);
        if !self.subresource.is_empty() {
            text.push_str(&format!(" with subresource {:?}", self.subresource));
        }
        if !self.applied {
            text.push_str(&format!(" using {}", self.version));
        }
        text
    }
}

fn decode(entries: &Value) -> Managers {
    let mut managers = Managers::new();
    for entry in entries.as_array().into_iter().flatten() {
        let text = |field: &str| entry[field].as_str().unwrap_or_default().to_owned();
        let applied = entry["operation"] == "Apply";
        let id = Id {
            applied,
            manager: text("manager"),
            version: if applied {
                String::new()
            } else {
                text("apiVersion")
            },
            subresource: text("subresource"),
        };
        let owned = Owned {
            version: text("apiVersion"),
            time: entry["time"].as_str().map(str::to_owned),
            set: Set::decode(&entry["fieldsV1"]),
        };
        managers.insert(id, owned);
    }
    managers
}

/// Writes the managers into an object: those who apply first, then by time and name.
fn encode(object: &mut Value, managers: Managers) {
    let mut managers: Vec<(Id, Owned)> = managers
        .into_iter()
        .filter(|(_, owned)| !owned.set.is_empty())
        .collect();
    managers.sort_by(|(a, x), (b, y)| {
        let key = |id: &Id, owned: &Owned| {
            (
                !id.applied,
                owned.time.clone(),
                id.manager.clone(),
                owned.version.clone(),
            )
        };
        key(a, x)
            .cmp(&key(b, y))
            .then(a.subresource.cmp(&b.subresource))
    });
    let entries: Vec<Value> = managers
        .iter()
        .map(|(id, owned)| {
            let mut entry = json!({
                "manager": id.manager,
                "operation": if id.applied { "Apply" } else { "Update" },
                "apiVersion": owned.version,
                "fieldsType": "FieldsV1",
                "fieldsV1": owned.set.encode(),
            });
            if let Some(time) = &owned.time {
                entry["time"] = json!(time);
            }
            if !id.subresource.is_empty() {
                entry["subresource"] = json!(id.subresource);
            }
            entry
        })
        .collect();
    let metadata = object.metadata_mut();
    if entries.is_empty() {
        metadata.remove("managedFields");
    } else {
        metadata.insert("managedFields".to_owned(), json!(entries));
    }
}

/// Whether two states differ in nothing but the times at which fields were written.
pub(crate) fn same(old: &Value, new: &Value) -> bool {
    let timeless = |object: &Value| {
        let mut object = object.clone();
        if let Some(entries) = object["metadata"]["managedFields"].as_array_mut() {
            entries
                .iter_mut()
                .filter_map(Value::as_object_mut)
                .for_each(|entry| {
                    entry.remove("time");
                });
        }
        object
    };
    timeless(old) == timeless(new)
}

#[cfg(test)]
mod tests;
