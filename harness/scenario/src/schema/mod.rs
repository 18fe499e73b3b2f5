//! JSON Schemas of the files that people write, and the verb reference made from them.

mod reference;
#[cfg(test)]
mod tests;

use authlab_lab::spec::LabFile;
use schemars::{JsonSchema, SchemaGenerator};
use serde_json::Value;

use crate::format::File;

pub use reference::reference;

/// The schema of scenario files (JSON Schema, draft 2020-12), for editors.
#[must_use]
pub fn scenario() -> Value {
    of::<File>("A scenario of authlab")
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
