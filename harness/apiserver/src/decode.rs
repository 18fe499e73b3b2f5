//! Bodies to objects: the strictness and the complaints of the API server's decoder.
//!
//! A kind's Rust type stands in for its Go struct: reading an object as that type and writing it
//! back drops what the type does not know and refuses what it cannot hold. Comparing the result
//! with the body yields the unknown fields that `fieldValidation` is about.

use std::collections::HashSet;
use std::fmt;

use k8s_openapi::Resource;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use serde::de::{Deserialize, DeserializeOwned, Deserializer, MapAccess, SeqAccess, Visitor};
use serde::{Serialize, de};
use serde_json::{Value, json};

/// The text after `cannot be handled as a KIND: `.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[error("{0}")]
pub(crate) struct DecodeError(pub(crate) String);

/// Reads `object` as a `T` and writes it back.
pub(crate) fn through<T>(object: Value) -> Result<Value, DecodeError>
where
    T: Resource + DeserializeOwned + Serialize,
{
    let typed: T = read(object)?;
    serde_json::to_value(typed).map_err(|error| DecodeError(error.to_string()))
}

/// Reads the metadata of a custom object and writes them back.
pub(crate) fn metadata(value: Value) -> Result<Value, DecodeError> {
    let typed: ObjectMeta = read_as("ObjectMeta", value)?;
    serde_json::to_value(typed).map_err(|error| DecodeError(error.to_string()))
}

fn read<T: Resource + DeserializeOwned>(value: Value) -> Result<T, DecodeError> {
    read_as(T::KIND, value)
}

/// Reads `value` as a `T`. A null is the zero value, as Go has it: serde takes it for an absent
/// option by itself; inside string maps it is made an empty string here.
fn read_as<T: DeserializeOwned>(kind: &str, mut value: Value) -> Result<T, DecodeError> {
    loop {
        let error = match serde_path_to_error::deserialize::<_, T>(&value) {
            Ok(typed) => return Ok(typed),
            Err(error) => error,
        };
        let text = error.inner().to_string();
        let pointer = pointer(error.path());
        match value.pointer_mut(&pointer) {
            Some(null @ Value::Null) if text.ends_with("expected a string") => *null = json!(""),
            _ => return Err(explain(kind, error.path(), &text)),
        }
    }
}

fn pointer(path: &serde_path_to_error::Path) -> String {
    use serde_path_to_error::Segment;
    path.iter()
        .map(|segment| match segment {
            Segment::Map { key } => format!("/{}", key.replace('~', "~0").replace('/', "~1")),
            other => format!("/{}", other.to_string().trim_matches(['[', ']'])),
        })
        .collect()
}

/// Words serde's complaint as Go's encoding/json words it.
fn explain(kind: &str, path: &serde_path_to_error::Path, text: &str) -> DecodeError {
    if let Some(offset) = text.split("offset ").nth(1) {
        let offset = offset.trim_end_matches('.');
        return DecodeError(format!("illegal base64 data at input byte {offset}"));
    }
    let Some((got, want)) = text
        .strip_prefix("invalid type: ")
        .and_then(|text| text.split_once(", expected "))
    else {
        return DecodeError(text.to_owned());
    };
    let got = match got.split([' ', '`']).next().unwrap_or_default() {
        "boolean" => "bool",
        "integer" | "floating" => "number",
        "sequence" => "array",
        "map" => "object",
        other => other,
    };
    let want = match want {
        "a string" => "string",
        "a boolean" => "bool",
        "a map" => "map[string]string",
        "a sequence" => path
            .iter()
            .next_back()
            .and_then(|last| list_of(&last.to_string()))
            .unwrap_or("[]string"),
        other => other.strip_prefix("struct ").unwrap_or(other),
    };
    // The path of Go's text has neither list indices nor the keys of maps.
    let mut fields: Vec<String> = Vec::new();
    for segment in path.iter() {
        match segment {
            serde_path_to_error::Segment::Map { key } => fields.push(key.clone()),
            _ => continue,
        }
        if fields
            .last()
            .is_some_and(|last| MAPS.contains(&last.as_str()))
        {
            break;
        }
    }
    // Go names the innermost struct around the field.
    let inner = fields.iter().rev().skip(1).find_map(|field| {
        Some(match field.as_str() {
            "metadata" => "ObjectMeta".to_owned(),
            "spec" | "status" => format!("{kind}{}{}", field[..1].to_uppercase(), &field[1..]),
            "rules" => "PolicyRule".to_owned(),
            "subjects" => "Subject".to_owned(),
            "roleRef" => "RoleRef".to_owned(),
            "containers" | "initContainers" => "Container".to_owned(),
            "resourceAttributes" => "ResourceAttributes".to_owned(),
            "nonResourceAttributes" => "NonResourceAttributes".to_owned(),
            _ => return None,
        })
    });
    let holder = inner.unwrap_or_else(|| kind.to_owned());
    let field = fields.join(".");
    DecodeError(format!(
        "json: cannot unmarshal {got} into Go struct field {holder}.{field} of type {want}"
    ))
}

/// The Go type of a list of objects, by its field.
fn list_of(field: &str) -> Option<&'static str> {
    Some(match field {
        "containers" | "initContainers" => "[]v1.Container",
        "env" => "[]v1.EnvVar",
        "ports" => "[]v1.ContainerPort",
        "volumes" => "[]v1.Volume",
        "rules" => "[]v1.PolicyRule",
        "subjects" => "[]v1.Subject",
        "ownerReferences" => "[]v1.OwnerReference",
        _ => return None,
    })
}

/// Fields that are maps with free keys.
const MAPS: [&str; 6] = [
    "data",
    "binaryData",
    "stringData",
    "labels",
    "annotations",
    "nodeSelector",
];

/// A body's shape, in the order of its text and with repeated keys kept.
#[derive(Debug)]
pub(crate) enum Tree {
    Leaf,
    Null,
    List(Vec<Tree>),
    Map(Vec<(String, Tree)>),
}

impl Tree {
    /// The duplicate and unknown fields of a body, given what its type made of it.
    pub(crate) fn findings(&self, known: &Value) -> Vec<String> {
        let mut findings = Vec::new();
        self.compare(known, "", &mut findings);
        findings
    }

    fn compare(&self, known: &Value, path: &str, findings: &mut Vec<String>) {
        match (self, known) {
            (Tree::List(items), Value::Array(known)) => {
                for (index, (item, known)) in items.iter().zip(known).enumerate() {
                    item.compare(known, &format!("{path}[{index}]"), findings);
                }
            }
            (Tree::Map(fields), Value::Object(known)) => {
                let mut seen = HashSet::new();
                for (key, value) in fields {
                    let path = if path.is_empty() {
                        key.clone()
                    } else {
                        format!("{path}.{key}")
                    };
                    if !seen.insert(key) {
                        findings.push(format!("duplicate field {path:?}"));
                    }
                    match known.get(key) {
                        Some(known) => value.compare(known, &path, findings),
                        // A known field that is null or empty leaves no trace either.
                        None if value.is_empty() => {}
                        None => findings.push(format!("unknown field {path:?}")),
                    }
                }
            }
            _ => {}
        }
    }

    fn is_empty(&self) -> bool {
        matches!(self, Tree::Null)
    }
}

impl<'de> Deserialize<'de> for Tree {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Shape;
        impl<'de> Visitor<'de> for Shape {
            type Value = Tree;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("any value")
            }
            fn visit_bool<E: de::Error>(self, _: bool) -> Result<Tree, E> {
                Ok(Tree::Leaf)
            }
            fn visit_i64<E: de::Error>(self, _: i64) -> Result<Tree, E> {
                Ok(Tree::Leaf)
            }
            fn visit_u64<E: de::Error>(self, _: u64) -> Result<Tree, E> {
                Ok(Tree::Leaf)
            }
            fn visit_f64<E: de::Error>(self, _: f64) -> Result<Tree, E> {
                Ok(Tree::Leaf)
            }
            fn visit_str<E: de::Error>(self, _: &str) -> Result<Tree, E> {
                Ok(Tree::Leaf)
            }
            fn visit_unit<E: de::Error>(self) -> Result<Tree, E> {
                Ok(Tree::Null)
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Tree, A::Error> {
                let mut items = Vec::new();
                while let Some(item) = seq.next_element()? {
                    items.push(item);
                }
                Ok(Tree::List(items))
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Tree, A::Error> {
                let mut fields = Vec::new();
                while let Some(field) = map.next_entry()? {
                    fields.push(field);
                }
                Ok(Tree::Map(fields))
            }
        }
        deserializer.deserialize_any(Shape)
    }
}

#[cfg(test)]
mod tests;
