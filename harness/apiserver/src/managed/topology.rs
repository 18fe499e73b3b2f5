//! What of an object is owned as a whole, and which lists are told apart by keys.
//!
//! Source: the `x-kubernetes-list-type`, `x-kubernetes-list-map-keys` and `x-kubernetes-map-type`
//! of the published OpenAPI of Kubernetes 1.36; for custom kinds those of their schemas.

use serde_json::{Map, Value};

use super::set::Element;
use crate::schema::Schema;

/// Where a walk stands.
#[derive(Clone)]
pub(super) enum Node<'a> {
    /// In an object of a built-in kind, or in a template, which is a pod; the fields on the way, list
    /// items left out.
    Known(&'a str, Vec<&'a str>),
    Custom(&'a Schema),
    /// Where no schema says anything: lists are one piece, maps are not.
    Free,
}

/// How a list is merged.
pub(super) enum List<'a> {
    Atomic,
    Set,
    Keyed(Vec<&'a str>),
}

/// Maps with free keys, by their last field, wherever they stand.
const FREE: [&str; 12] = [
    "labels",
    "annotations",
    "data",
    "binaryData",
    "stringData",
    "matchLabels",
    "limits",
    "requests",
    "hard",
    "used",
    "capacity",
    "allocatable",
];

/// Maps that have one owner, by their last field.
const WHOLE: [&str; 15] = [
    "roleRef",
    "involvedObject",
    "related",
    "secretKeyRef",
    "configMapKeyRef",
    "fieldRef",
    "resourceFieldRef",
    "labelSelector",
    "selector",
    "nodeSelector",
    "secretRef",
    "targetRef",
    "nodeSelectorTerms",
    "ownerReferences",
    "matchFields",
];

impl<'a> Node<'a> {
    /// What stands below a field, and whether the type names that field.
    pub(super) fn field(&self, name: &'a str) -> (Self, bool) {
        match self {
            Self::Known(kind, path) => {
                let declared = !path.last().is_some_and(|last| FREE.contains(last));
                if declared && name == "template" {
                    return (Self::Known("Pod", Vec::new()), declared);
                }
                let path = path.iter().copied().chain([name]).collect();
                (Self::Known(kind, path), declared)
            }
            Self::Custom(schema) => match schema.property(name) {
                Some(below) => (Self::Custom(below), true),
                None if name == "metadata" => (Self::Known("", vec![name]), true),
                None if matches!(name, "apiVersion" | "kind") => (Self::Free, true),
                None => (schema.other().map_or(Self::Free, Self::Custom), false),
            },
            Self::Free => (Self::Free, false),
        }
    }

    pub(super) fn item(&self) -> Self {
        match self {
            Self::Known(kind, path) => Self::Known(kind, path.clone()),
            Self::Custom(schema) => schema.item().map_or(Self::Free, Self::Custom),
            Self::Free => Self::Free,
        }
    }

    pub(super) fn whole_map(&self) -> bool {
        match self {
            Self::Known("ServiceAccount", path) => {
                matches!(path.last(), Some(&"secrets" | &"imagePullSecrets"))
            }
            Self::Known(_, path) => {
                path.first() != Some(&"metadata")
                    && path.last().is_some_and(|last| WHOLE.contains(last))
                    || path == &["metadata", "ownerReferences"]
            }
            Self::Custom(schema) => schema.atomic_map(),
            Self::Free => false,
        }
    }

    pub(super) fn list(&self) -> List<'a> {
        match self {
            Self::Known(kind, path) => known(kind, path),
            Self::Custom(schema) => match schema.list() {
                ("set", _) => List::Set,
                ("map", keys) => List::Keyed(keys.iter().map(String::as_str).collect()),
                _ => List::Atomic,
            },
            Self::Free => List::Atomic,
        }
    }

    /// How an item of a list is told apart; `None` in one without keys or without values for them.
    pub(super) fn element(&self, list: &List<'_>, item: &Value) -> Option<Element> {
        let keys = match list {
            List::Atomic => return None,
            List::Set => return Some(Element::Value(item.to_string())),
            List::Keyed(keys) => keys,
        };
        let mut found = Map::new();
        for key in keys {
            let value = match (&item[key], self) {
                (Value::Null, Self::Custom(schema)) => {
                    let items = schema.item().and_then(|item| item.property(key));
                    items.and_then(Schema::default_value).cloned()
                }
                (Value::Null, _) if *key == "protocol" => Some(Value::from("TCP")),
                (Value::Null, _) => None,
                (value, _) => Some(value.clone()),
            };
            if let Some(value) = value {
                found.insert((*key).to_owned(), value);
            }
        }
        (!found.is_empty()).then(|| Element::Key(Value::Object(found).to_string()))
    }
}

fn known(kind: &str, path: &[&str]) -> List<'static> {
    let keyed = |keys: &[&'static str]| List::Keyed(keys.to_vec());
    match (kind, path) {
        (_, ["metadata", "finalizers"]) | ("Node", ["spec", "podCIDRs"]) => List::Set,
        (_, ["metadata", "ownerReferences"]) => keyed(&["uid"]),
        (_, ["status", "conditions"]) => keyed(&["type"]),
        ("Node", ["status", "addresses"]) => keyed(&["type"]),
        ("ServiceAccount", ["secrets"]) => keyed(&["name"]),
        ("Service", ["spec", "ports"]) => keyed(&["port", "protocol"]),
        ("Pod", ["status", "podIPs"]) | ("Pod", ["spec", "hostAliases"]) => keyed(&["ip"]),
        ("Pod", ["spec", "topologySpreadConstraints"]) => {
            keyed(&["topologyKey", "whenUnsatisfiable"])
        }
        (
            "Pod",
            [
                "spec",
                "containers"
                | "initContainers"
                | "ephemeralContainers"
                | "volumes"
                | "imagePullSecrets"
                | "schedulingGates"
                | "resourceClaims",
            ],
        ) => keyed(&["name"]),
        (
            "Pod",
            [
                "spec",
                "containers" | "initContainers" | "ephemeralContainers",
                below,
            ],
        ) => match *below {
            "env" => keyed(&["name"]),
            "ports" => keyed(&["containerPort", "protocol"]),
            "volumeMounts" => keyed(&["mountPath"]),
            "volumeDevices" => keyed(&["devicePath"]),
            _ => List::Atomic,
        },
        _ => List::Atomic,
    }
}
