//! JSON Schemas of what a lab file writes in a form of its own.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};

use super::{ClusterName, FLAGS, FlagValue, ProviderName, ServiceName};

/// The schema of [`super::flags`].
pub fn flags_schema(generator: &mut SchemaGenerator) -> Schema {
    let value = generator.subschema_for::<FlagValue>();
    json_schema!({
        "type": "object",
        "propertyNames": { "enum": FLAGS },
        "additionalProperties": value,
    })
}

impl JsonSchema for FlagValue {
    fn schema_name() -> Cow<'static, str> {
        "FlagValue".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "A flag's value in quotes, or a list of them.",
            "anyOf": [
                { "type": "string" },
                { "type": "array", "items": { "type": "string" } },
            ],
        })
    }
}

/// Names are parts of placeholders, file names and variables.
fn name() -> Schema {
    json_schema!({ "type": "string", "pattern": "^[a-z][a-z0-9-]*$" })
}

impl JsonSchema for ProviderName {
    fn schema_name() -> Cow<'static, str> {
        "ProviderName".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        name()
    }
}

impl JsonSchema for ClusterName {
    fn schema_name() -> Cow<'static, str> {
        "ClusterName".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        name()
    }
}

impl JsonSchema for ServiceName {
    fn schema_name() -> Cow<'static, str> {
        "ServiceName".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        name()
    }
}
