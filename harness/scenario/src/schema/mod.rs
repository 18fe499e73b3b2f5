//! JSON Schemas of the files that people write, and the verb reference made from them.

mod reference;
#[cfg(test)]
mod tests;

use authlab_lab::spec::LabFile;
use schemars::{JsonSchema, SchemaGenerator};
use serde_json::{Map, Value, json};

use crate::format::File;

pub use reference::reference;

/// The schema of scenario files (JSON Schema, draft 2020-12), for editors.
#[must_use]
pub fn scenario() -> Value {
    let mut schema = raw();
    if let Some(definitions) = schema["$defs"].as_object_mut() {
        definitions.values_mut().for_each(one_of_many);
    }
    schema
}

/// With every choice as serde sees it.
fn raw() -> Value {
    of::<File>("A scenario of authlab")
}

/// A choice among maps with one key becomes one map with one of the keys: editors complete that, and
/// say of a mistake what is wrong instead of every choice that it is not.
fn one_of_many(schema: &mut Value) {
    let variants = schema["oneOf"].as_array().map_or(&[][..], Vec::as_slice);
    let mut keys = Map::new();
    for variant in variants {
        let properties = variant["properties"].as_object();
        let Some((name, inner)) = properties.and_then(|all| all.iter().next()) else {
            return;
        };
        let mut inner = inner.clone();
        describe(&mut inner, &variant["description"]);
        keys.insert(name.clone(), inner);
    }
    if keys.is_empty() {
        return;
    }
    let words = schema["description"].take();
    *schema = json!({
        "type": "object",
        "properties": keys,
        "additionalProperties": false,
        "minProperties": 1,
        "maxProperties": 1,
    });
    describe(schema, &words);
}

fn describe(schema: &mut Value, words: &Value) {
    if words.is_string() {
        schema["description"] = words.clone();
    }
}

/// The schema of lab files, `fixtures/labs/*.yaml`.
#[must_use]
pub fn lab() -> Value {
    of::<LabFile>("A lab of authlab")
}

fn of<T: JsonSchema>(title: &str) -> Value {
    let mut schema = SchemaGenerator::default().into_root_schema_for::<T>();
    schema.insert("title".to_owned(), title.into());
    schema.to_value()
}
