//! Sets of fields, and how `managedFields` writes them.
//!
//! Form: Kubernetes API reference, `FieldsV1`; order as in sigs.k8s.io/structured-merge-diff.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use serde_json::{Map, Value, json};

/// One step of a path.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Element {
    Field(String),
    /// A list item by its keys, as JSON with sorted keys.
    Key(String),
    /// A list item by its value, as JSON.
    Value(String),
    Index(usize),
}

pub(super) type Path = Vec<Element>;

/// Paths; each stands for itself, not for what is below it.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Set(pub(super) BTreeSet<Path>);

impl Set {
    pub(super) fn insert(&mut self, path: &[Element]) {
        self.0.insert(path.to_vec());
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn union(&self, other: &Self) -> Self {
        Self(self.0.union(&other.0).cloned().collect())
    }

    pub(super) fn minus(&self, other: &Self) -> Self {
        Self(self.0.difference(&other.0).cloned().collect())
    }

    pub(super) fn common(&self, other: &Self) -> Self {
        Self(self.0.intersection(&other.0).cloned().collect())
    }

    /// Whether a path or anything below it is in the set.
    pub(super) fn touches(&self, path: &[Element]) -> bool {
        let first = self.0.range(path.to_vec()..).next();
        first.is_some_and(|found| found.starts_with(path))
    }

    /// Without everything at or below these fields.
    pub(super) fn without(mut self, fields: &[Vec<&str>]) -> Self {
        self.0.retain(|path| {
            !fields.iter().any(|field| {
                path.len() >= field.len()
                    && path
                        .iter()
                        .zip(field)
                        .all(|(one, name)| matches!(one, Element::Field(field) if field == name))
            })
        });
        self
    }

    /// Only what is at or below one field.
    pub(super) fn only(mut self, field: &str) -> Self {
        self.0
            .retain(|path| matches!(path.first(), Some(Element::Field(name)) if name == field));
        self
    }

    pub(super) fn encode(&self) -> Value {
        let mut root = json!({});
        for path in &self.0 {
            let mut place = &mut root;
            for element in path {
                place = &mut place[element.encode()];
                if place.is_null() {
                    *place = json!({});
                }
            }
            place["."] = json!({});
        }
        simplify(&mut root);
        root
    }

    pub(super) fn decode(value: &Value) -> Self {
        let mut set = Self::default();
        if let Value::Object(map) = value {
            set.read(map, &mut Vec::new());
        }
        set
    }

    fn read(&mut self, map: &Map<String, Value>, path: &mut Path) {
        for (key, below) in map {
            if key == "." {
                self.insert(path);
                continue;
            }
            let Some(element) = Element::decode(key) else {
                continue;
            };
            path.push(element);
            match below.as_object() {
                Some(below) if !below.is_empty() => self.read(below, path),
                _ => self.insert(path),
            }
            path.pop();
        }
    }
}

/// A member without members below it is written as an empty map.
fn simplify(value: &mut Value) {
    if let Value::Object(map) = value {
        if map.len() == 1 {
            map.remove(".");
        }
        map.values_mut().for_each(simplify);
    }
}

impl Element {
    fn encode(&self) -> String {
        match self {
            Self::Field(name) => format!("f:{name}"),
            Self::Key(keys) => format!("k:{keys}"),
            Self::Value(value) => format!("v:{value}"),
            Self::Index(index) => format!("i:{index}"),
        }
    }

    fn decode(text: &str) -> Option<Self> {
        let (kind, rest) = text.split_once(':')?;
        match kind {
            "f" => Some(Self::Field(rest.to_owned())),
            "k" => Some(Self::Key(canonical(rest)?)),
            "v" => Some(Self::Value(canonical(rest)?)),
            "i" => rest.parse().ok().map(Self::Index),
            _ => None,
        }
    }
}

fn canonical(text: &str) -> Option<String> {
    let value: Value = serde_json::from_str(text).ok()?;
    Some(value.to_string())
}

/// A path as conflicts name it: `.spec.ports[port=80,protocol="TCP"].name`.
pub(super) fn print(path: &[Element]) -> String {
    let mut text = String::new();
    for element in path {
        let _ = match element {
            Element::Field(name) => write!(text, ".{name}"),
            Element::Index(index) => write!(text, "[{index}]"),
            Element::Value(value) => write!(text, "[={value}]"),
            Element::Key(keys) => {
                let keys: Map<String, Value> = serde_json::from_str(keys).unwrap_or_default();
                let keys = keys.iter().map(|(key, value)| format!("{key}={value}"));
                write!(text, "[{}]", keys.collect::<Vec<_>>().join(","))
            }
        };
    }
    text
}
