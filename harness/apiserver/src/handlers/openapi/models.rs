//! The schemas of kinds: of built-in ones out of their types, of custom ones out of their
//! definitions.
//!
//! The types know descriptions, fields and formats. What else Kubernetes publishes is added here:
//! values, what is one piece, which schema is which kind, and how strategic patches merge lists (Kubernetes docs,
//! "Kubernetes API Concepts", section "OpenAPI interface definition").

use std::collections::{BTreeMap, HashSet};
use std::sync::{Arc, LazyLock, Mutex, PoisonError};

use k8s_openapi::api::core::v1::ConfigMap;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use schemars::SchemaGenerator;
use schemars::generate::SchemaSettings;
use serde_json::value::RawValue;
use serde_json::{Map, Value, json};

use super::marks;
use crate::object::entry;
use crate::resources::Resource;
use crate::strategic::{self, List};

/// Lists whose items a patch may also replace.
const RETAINED: [&str; 3] = ["resourceClaimStatuses", "resourceClaims", "volumes"];

/// Schemas with a name that Kubernetes asks nobody for, though their types here do.
const UNNAMED: [&str; 8] = [
    "ConfigMapEnvSource",
    "ConfigMapKeySelector",
    "ConfigMapProjection",
    "ConfigMapVolumeSource",
    "LocalObjectReference",
    "SecretEnvSource",
    "SecretKeySelector",
    "SecretProjection",
];

/// Where schemas stand in a document.
pub(super) const PLACE: &str = "#/components/schemas/";

/// The schemas of some kinds and of all that they hold, by name.
pub(super) fn schemas<'a>(
    resources: impl Iterator<Item = &'a Arc<Resource>>,
) -> Map<String, Value> {
    let mut generator = generator();
    let (mut built_in, mut custom) = (Vec::new(), Map::new());
    for resource in resources {
        if let Some(model) = resource.model {
            built_in.push((model(&mut generator), resource));
        } else if let Some(definition) = resource.custom() {
            let _ = generator.subschema_for::<ObjectMeta>();
            custom.insert(name(resource), of_custom(resource, &definition.text));
        }
    }
    let mut all = generator.take_definitions(true);
    for name in UNNAMED {
        if let Some(schema) = all.get_mut(&format!("io.k8s.api.core.v1.{name}")) {
            ask_no_more(schema, "name");
        }
    }
    marks::mark(&mut all);
    for (name, resource) in built_in {
        if let Some(schema) = all.get_mut(&name) {
            mark(schema, resource);
        }
        Lists {
            all: &mut all,
            seen: HashSet::new(),
            kind: &resource.kind,
        }
        .visit(&name, "");
    }
    all.extend(custom);
    all
}

/// The schemas of built-in kinds as text, which is made once for each group and version.
pub(super) fn text<'a>(
    group_version: &str,
    resources: impl Iterator<Item = &'a Arc<Resource>> + Clone,
) -> Arc<RawValue> {
    static MADE: Mutex<BTreeMap<String, Arc<RawValue>>> = Mutex::new(BTreeMap::new());
    let make = || {
        let schemas = schemas(resources.clone());
        let text = serde_json::value::to_raw_value(&schemas).unwrap_or_default();
        Arc::<RawValue>::from(text)
    };
    if resources.clone().any(|one| one.model.is_none()) {
        return make();
    }
    let mut made = MADE.lock().unwrap_or_else(PoisonError::into_inner);
    let text = made.entry(group_version.to_owned()).or_insert_with(make);
    Arc::clone(text)
}

fn generator() -> SchemaGenerator {
    SchemaSettings::openapi3().into_generator()
}

/// A custom kind's name among the schemas: the group's labels backwards, version and kind.
fn name(resource: &Resource) -> String {
    let group: Vec<&str> = resource.group.rsplit('.').collect();
    format!("{}.{}.{}", group.join("."), resource.version, resource.kind)
}

/// The schema of a custom kind as it is published: with what every object has.
fn of_custom(resource: &Resource, text: &Value) -> Value {
    static COMMON: LazyLock<Value> = LazyLock::new(|| {
        let mut generator = generator();
        let _ = generator.subschema_for::<ConfigMap>();
        let mut all = generator.take_definitions(true);
        let name = <ConfigMap as schemars::JsonSchema>::schema_name();
        all[name.as_ref()]["properties"].take()
    });
    let mut schema = text.clone();
    let own = entry(&mut schema, "properties");
    for field in ["apiVersion", "kind", "metadata"] {
        own.insert(field.to_owned(), COMMON[field].clone());
    }
    mark(&mut schema, resource);
    schema
}

/// Says which kind a schema is of. No object needs to name its kind or to have metadata.
fn mark(schema: &mut Value, resource: &Resource) {
    schema["x-kubernetes-group-version-kind"] = json!([{
        "group": resource.group,
        "version": resource.version,
        "kind": resource.kind,
    }]);
    // Only events have none without.
    if resource.model.is_some() && resource.kind != "Event" {
        ask_no_more(schema, "metadata");
    }
}

/// Lets a schema do without a field.
fn ask_no_more(schema: &mut Value, field: &str) {
    if let Some(required) = schema["required"].as_array_mut() {
        required.retain(|one| one != field);
        if required.is_empty() {
            let _ = schema
                .as_object_mut()
                .and_then(|all| all.remove("required"));
        }
    }
}

/// Walks the schemas of a kind and says of its lists how strategic patches merge them.
struct Lists<'a> {
    all: &'a mut Map<String, Value>,
    seen: HashSet<(String, String)>,
    kind: &'a str,
}

impl Lists<'_> {
    /// `parent` is the field that holds an object of the schema.
    fn visit(&mut self, name: &str, parent: &str) {
        if !self.seen.insert((name.to_owned(), parent.to_owned())) {
            return;
        }
        let Some(properties) = self.all.get_mut(name).map(|one| entry(one, "properties")) else {
            return;
        };
        let mut below = Vec::new();
        for (field, property) in properties {
            if property["type"] == "array" {
                let (strategy, key) = match strategic::list(self.kind, parent, field) {
                    List::Atomic => (None, None),
                    List::Keyed(key) if RETAINED.contains(&field.as_str()) => {
                        (Some("merge,retainKeys"), Some(key))
                    }
                    List::Keyed(key) => (Some("merge"), Some(key)),
                    List::Set => (Some("merge"), None),
                };
                let said = [("strategy", strategy), ("merge-key", key)];
                for (word, value) in said {
                    if let Some(value) = value {
                        property[format!("x-kubernetes-patch-{word}")] = json!(value);
                    }
                }
            }
            let property = &*property;
            let places = [
                property,
                &property["allOf"][0],
                &property["items"],
                &property["additionalProperties"],
            ];
            let referred = places.into_iter().find_map(|place| place["$ref"].as_str());
            if let Some(referred) = referred.and_then(|text| text.strip_prefix(PLACE)) {
                below.push((referred.to_owned(), field.clone()));
            }
        }
        for (name, field) in below {
            self.visit(&name, &field);
        }
    }
}
