//! Kinds that a custom resource definition adds, and the rules of their objects.

use std::sync::Arc;

use authlab_rbac::validation::{FieldError, FieldErrorKind};
use chrono::DateTime;
use serde_json::{Value, json};

use super::definitions::{established, versions};
use super::kinds::priority;
use super::registry::{SCALE, STATUS};
use super::{Objects, Resource, Rules, Served};
use crate::decode::{self, DecodeError};
use crate::jsonpath::JsonPath;
use crate::object::{Object, strings};
use crate::schema::Schema;
use crate::status::qualified;
use crate::table::{self, AGE, Column, NAME};

/// The rules of one version of a custom kind.
pub(crate) struct Custom {
    schema: Arc<Schema>,
    /// The rules in expressions that the schema has.
    rules: Option<crate::schema::Rules>,
    columns: Vec<Printed>,
    selectable: Vec<String>,
    has_status: bool,
    /// What the stored version knows, if it is another one.
    stored: Option<Schema>,
    /// Where a scale subresource finds its numbers, by the name in the definition.
    scale: Option<Value>,
    /// What to tell those who use a version that is on its way out.
    pub(crate) warning: Option<String>,
    /// The schema as it was written, for OpenAPI.
    pub(crate) text: Value,
}

/// A column from `additionalPrinterColumns`.
struct Printed {
    definition: Value,
    path: Option<JsonPath>,
}

/// The kinds of a definition: one a served version, if its names were accepted.
pub(super) fn kinds(definition: &Value) -> Vec<Resource> {
    if !established(definition) {
        return Vec::new();
    }
    versions(definition)
        .filter(|version| version["served"] == true)
        .map(|version| kind(definition, version))
        .collect()
}

fn kind(definition: &Value, version: &Value) -> Resource {
    let spec = &definition["spec"];
    let names = &definition["status"]["acceptedNames"];
    let name = |field: &str| names[field].as_str().unwrap_or_default().to_owned();
    let list = |field: &str| strings(&names[field]).into_iter().map(str::to_owned);
    let group = spec["group"].as_str().unwrap_or_default().to_owned();
    let text = &version["schema"]["openAPIV3Schema"];
    let schema = Arc::new(Schema::parse(text).unwrap_or_default());
    let stored = versions(definition)
        .find(|one| one["storage"] == true && one["name"] != version["name"])
        .map(|one| Schema::parse(&one["schema"]["openAPIV3Schema"]).unwrap_or_default());
    let below = &version["subresources"];
    let has_status = below["status"].is_object();
    let scale = below["scale"].is_object().then(|| below["scale"].clone());
    let mut subresources = Vec::new();
    if has_status {
        subresources.push(STATUS);
    }
    if scale.is_some() {
        subresources.push(SCALE);
    }
    let selectable = version["selectableFields"].as_array().into_iter().flatten();
    let selectable = selectable
        .filter_map(|field| field["jsonPath"].as_str())
        .map(|path| path.trim_start_matches('.').to_owned());
    let rules = Custom {
        schema: Arc::clone(&schema),
        rules: crate::schema::Rules::new(&schema),
        columns: columns(version),
        selectable: selectable.collect(),
        has_status,
        stored,
        scale,
        warning: warning(definition, version),
        text: text.clone(),
    };
    Resource {
        key: qualified(&group, &name("plural")),
        group,
        version: version["name"].as_str().unwrap_or_default().to_owned(),
        kind: name("kind"),
        plural: name("plural"),
        singular: name("singular"),
        namespaced: spec["scope"] == "Namespaced",
        short_names: list("shortNames").collect(),
        categories: list("categories").collect(),
        served: Served::Objects(Objects {
            list_kind: name("listKind"),
            decode: Box::new(move |object| decode(&schema, object)),
            subresources,
            rules: Box::new(rules),
        }),
        model: None,
    }
}

impl Custom {
    pub(crate) fn schema(&self) -> &Schema {
        &self.schema
    }
}

/// The deprecation of a version, in its own words or the usual ones.
fn warning(definition: &Value, version: &Value) -> Option<String> {
    if version["deprecated"] != true {
        return None;
    }
    if let Some(text) = version["deprecationWarning"].as_str() {
        return Some(text.to_owned());
    }
    let spec = &definition["spec"];
    let group = spec["group"].as_str().unwrap_or_default();
    let kind = spec["names"]["kind"].as_str().unwrap_or_default();
    let name = |version: &Value| version["name"].as_str().unwrap_or_default().to_owned();
    let old = name(version);
    let better = versions(definition)
        .filter(|one| one["served"] == true && one["deprecated"] != true)
        .map(name)
        .max_by_key(|name| priority(name))
        .filter(|name| priority(name) > priority(&old));
    let instead = better.map(|name| format!("; use {group}/{name} {kind}"));
    Some(format!(
        "{group}/{old} {kind} is deprecated{}",
        instead.unwrap_or_default()
    ))
}

fn columns(version: &Value) -> Vec<Printed> {
    let columns = version["additionalPrinterColumns"].as_array();
    if columns.is_none_or(Vec::is_empty) {
        let path = ".metadata.creationTimestamp";
        let definition = json!({"name": "Age", "type": "date", "jsonPath": path});
        let path = JsonPath::parse(path);
        return vec![Printed { definition, path }];
    }
    let columns = columns.into_iter().flatten().map(|column| Printed {
        definition: column.clone(),
        path: column["jsonPath"].as_str().and_then(JsonPath::parse),
    });
    columns.collect()
}

/// Reads an object: its metadata as that of every kind, the rest by the schema.
fn decode(schema: &Schema, mut object: Value) -> Result<Value, DecodeError> {
    if !object["metadata"].is_null() {
        object["metadata"] = decode::metadata(object["metadata"].take())?;
    }
    schema.complete(&mut object);
    Ok(object)
}

impl Rules for Custom {
    fn columns(&self) -> &[Column] {
        &[]
    }

    fn definitions(&self) -> Vec<Value> {
        let mut all = vec![table::definition(&NAME)];
        all.extend(self.columns.iter().map(|column| {
            let text = |field: &str| column.definition[field].as_str().unwrap_or_default();
            let description = match text("description") {
                "" => format!(
                    "Custom resource definition column (in JSONPath format): {}",
                    text("jsonPath")
                ),
                text => text.to_owned(),
            };
            json!({
                "name": text("name"),
                "type": text("type"),
                "format": text("format"),
                "description": description,
                "priority": column.definition["priority"].as_i64().unwrap_or_default(),
            })
        }));
        all
    }

    fn cells(&self, object: &Value) -> Vec<Value> {
        let mut cells = vec![json!(object.name())];
        cells.extend(self.columns.iter().map(|column| column.cell(object)));
        cells
    }

    fn selectable(&self) -> Vec<&str> {
        self.selectable.iter().map(String::as_str).collect()
    }

    fn custom(&self) -> Option<&Custom> {
        Some(self)
    }

    fn scale(&self) -> Option<&Value> {
        self.scale.as_ref()
    }

    fn prepare(&self, object: &mut Value, old: Option<&Value>, subresource: &str) {
        // Nothing survives that the stored version does not know.
        if let Some(stored) = &self.stored {
            stored.complete(object);
        }
        let Some(old) = old else {
            if let (true, Some(object)) = (self.has_status, object.as_object_mut()) {
                object.remove("status");
            }
            object["metadata"]["generation"] = json!(1);
            return;
        };
        if subresource == "status" {
            // Nothing but the status is taken over.
            let status = object["status"].take();
            let metadata = object["metadata"].take();
            *object = old.clone();
            object["metadata"]["managedFields"] = metadata["managedFields"].clone();
            match (status, object.as_object_mut()) {
                (Value::Null, Some(object)) => _ = object.remove("status"),
                (status, _) => object["status"] = status,
            }
            return;
        }
        let content = |object: &Value| {
            let mut content = object.clone();
            if let Some(fields) = content.as_object_mut() {
                fields.retain(|key, _| {
                    let aside = matches!(key.as_str(), "metadata" | "apiVersion")
                        || self.has_status && key == "status";
                    !aside
                });
            }
            content
        };
        if content(object) != content(old) {
            let generation = old["metadata"]["generation"].as_i64().unwrap_or_default();
            object["metadata"]["generation"] = json!(generation + 1);
        }
    }

    fn validate(&self, object: &Value, old: Option<&Value>) -> Vec<FieldError> {
        let mut errors = self.schema.validate(object);
        if let Some(rules) = &self.rules {
            errors.extend(if errors.iter().any(blocks) {
                let why = "some validation rules were not checked because the object was invalid; correct the existing errors to complete validation";
                vec![FieldError::invalid_json("<nil>", "null".to_owned(), why)]
            } else {
                rules.check(object, old)
            });
        }
        errors
    }

    fn needs_revision(&self) -> bool {
        true
    }
}

/// Whether an object with such an error is none that rules can be asked about.
fn blocks(error: &FieldError) -> bool {
    use FieldErrorKind::{NotSupported, Required, TooLong, TooMany, TypeInvalid};
    matches!(
        error.kind,
        NotSupported | Required | TooLong | TooMany | TypeInvalid
    )
}

impl Printed {
    fn cell(&self, object: &Value) -> Value {
        let found = self.path.as_ref().map(|path| path.select(object));
        let Some(value) = found.and_then(|found| found.into_iter().next()) else {
            return Value::Null;
        };
        let kind = self.definition["type"].as_str().unwrap_or_default();
        match (kind, value) {
            // Go prints a null that is there like this.
            ("string", Value::Null) => json!("<no value>"),
            ("string", Value::String(_)) => value.clone(),
            ("string", other) => json!(other.to_string()),
            ("integer", Value::Number(number)) => {
                #[expect(
                    clippy::cast_possible_truncation,
                    reason = "as the real server prints it"
                )]
                let whole = number
                    .as_i64()
                    .or(number.as_f64().map(|number| number as i64));
                json!(whole)
            }
            ("number", Value::Number(_)) | ("boolean", Value::Bool(_)) => value.clone(),
            ("date", Value::String(text)) => match DateTime::parse_from_rfc3339(text) {
                Ok(_) => (AGE.cell)(&json!({"metadata": {"creationTimestamp": text}})),
                Err(_) => json!("<invalid>"),
            },
            _ => Value::Null,
        }
    }
}
