//! Structural schemas of custom resources: what they prune, default and refuse.
//!
//! Source: Kubernetes docs, "Extend the Kubernetes API with CustomResourceDefinitions", sections
//! "Specifying a structural schema", "Field pruning" and "Defaulting".

use std::collections::BTreeMap;

use regex::Regex;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer};
use serde_json::{Map, Value};

mod definition;
mod formats;
mod rules;
mod structural;
mod validate;
mod written;

pub(crate) use definition::check;
pub(crate) use formats::unrecognized;
pub(crate) use rules::Rules;

/// One node of a schema; the field names are those of `JSONSchemaProps`.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct Schema {
    #[serde(rename = "type")]
    kind: String,
    format: String,
    nullable: bool,
    default: Option<Value>,
    properties: BTreeMap<String, Schema>,
    #[serde(deserialize_with = "additional")]
    additional_properties: Additional,
    items: Option<Box<Schema>>,
    required: Vec<String>,
    #[serde(rename = "enum")]
    values: Vec<Value>,
    pattern: Option<Pattern>,
    minimum: Option<f64>,
    maximum: Option<f64>,
    exclusive_minimum: bool,
    exclusive_maximum: bool,
    multiple_of: Option<f64>,
    min_length: Option<u64>,
    max_length: Option<u64>,
    min_items: Option<u64>,
    max_items: Option<u64>,
    min_properties: Option<u64>,
    max_properties: Option<u64>,
    all_of: Vec<Schema>,
    any_of: Vec<Schema>,
    one_of: Vec<Schema>,
    not: Option<Box<Schema>>,
    #[serde(rename = "x-kubernetes-preserve-unknown-fields")]
    preserve: bool,
    #[serde(rename = "x-kubernetes-int-or-string")]
    int_or_string: bool,
    #[serde(rename = "x-kubernetes-embedded-resource")]
    embedded: bool,
    #[serde(rename = "x-kubernetes-list-type")]
    list_type: String,
    #[serde(rename = "x-kubernetes-list-map-keys")]
    list_map_keys: Vec<String>,
    #[serde(rename = "x-kubernetes-map-type")]
    map_type: String,
    #[serde(rename = "x-kubernetes-validations")]
    rules: Vec<rules::Written>,
}

/// What keys beside the named ones hold.
#[derive(Debug, Clone, Default)]
enum Additional {
    #[default]
    Unsaid,
    Any,
    None,
    Like(Box<Schema>),
}

/// A regular expression as it was written, and compiled if it can be.
#[derive(Debug, Clone, Deserialize)]
#[serde(from = "String")]
struct Pattern {
    text: String,
    regex: Option<Regex>,
}

impl From<String> for Pattern {
    fn from(text: String) -> Self {
        let regex = Regex::new(&text).ok();
        Self { text, regex }
    }
}

fn additional<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Additional, D::Error> {
    Ok(match Value::deserialize(deserializer)? {
        Value::Bool(true) => Additional::Any,
        Value::Bool(false) => Additional::None,
        other => Additional::Like(Box::new(
            serde_json::from_value(other).map_err(D::Error::custom)?,
        )),
    })
}

/// The fields that every object has.
const OWN: [&str; 3] = ["apiVersion", "kind", "metadata"];

impl Schema {
    /// Reads a schema of a version's `schema.openAPIV3Schema`.
    pub(crate) fn parse(value: &Value) -> Result<Self, String> {
        Self::deserialize(value).map_err(|error| error.to_string())
    }

    /// Whether a map is changed as a whole (`x-kubernetes-map-type: atomic`).
    pub(crate) fn atomic_map(&self) -> bool {
        self.map_type == "atomic"
    }

    /// `atomic`, `set` or `map`; and the keys of the last.
    pub(crate) fn list(&self) -> (&str, &[String]) {
        (&self.list_type, &self.list_map_keys)
    }

    /// What stands below a named field.
    pub(crate) fn property(&self, name: &str) -> Option<&Self> {
        self.properties.get(name)
    }

    /// What stands below all other fields.
    pub(crate) fn other(&self) -> Option<&Self> {
        match &self.additional_properties {
            Additional::Like(schema) => Some(schema),
            _ => None,
        }
    }

    pub(crate) fn default_value(&self) -> Option<&Value> {
        self.default.as_ref()
    }

    /// What a list holds.
    pub(crate) fn item(&self) -> Option<&Self> {
        self.items.as_deref()
    }

    /// What stands below a field, if the schema says it.
    fn field(&self, name: &str) -> Option<&Self> {
        self.property(name).or(self.other())
    }

    /// Takes away what no schema names and puts in the defaults, for a whole object.
    pub(crate) fn complete(&self, object: &mut Value) {
        self.prune(object, true);
        self.fill(object);
    }

    fn prune(&self, value: &mut Value, resource: bool) {
        match value {
            Value::Object(map) => self.prune_map(map, resource || self.embedded),
            Value::Array(items) => {
                if let Some(schema) = &self.items {
                    items.iter_mut().for_each(|item| schema.prune(item, false));
                } else if !self.preserve {
                    let nothing = Self::default();
                    items.iter_mut().for_each(|item| nothing.prune(item, false));
                }
            }
            _ => {}
        }
    }

    fn prune_map(&self, map: &mut Map<String, Value>, resource: bool) {
        if !self.preserve {
            let open = !matches!(
                self.additional_properties,
                Additional::Unsaid | Additional::None
            );
            map.retain(|key, _| {
                open || self.properties.contains_key(key) || resource && OWN.contains(&key.as_str())
            });
        }
        for (key, value) in map {
            if resource && OWN.contains(&key.as_str()) {
                continue;
            }
            match (self.properties.get(key), &self.additional_properties) {
                (Some(schema), _) => schema.prune(value, false),
                (None, Additional::Like(schema)) => schema.prune(value, false),
                _ => {}
            }
        }
    }

    fn fill(&self, value: &mut Value) {
        match value {
            Value::Object(map) => {
                for (name, schema) in &self.properties {
                    let absent = match map.get(name) {
                        None => true,
                        Some(value) => value.is_null() && !schema.nullable,
                    };
                    match &schema.default {
                        Some(default) if absent => {
                            map.insert(name.clone(), default.clone());
                        }
                        _ if absent => {
                            map.remove(name);
                        }
                        _ => {}
                    }
                }
                for (name, value) in map {
                    if let Some(schema) = self.field(name) {
                        schema.fill(value);
                    }
                }
            }
            Value::Array(items) => {
                if let Some(schema) = &self.items {
                    items.iter_mut().for_each(|item| schema.fill(item));
                }
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests;
