//! Whether a schema is structural: each node typed, nothing said that cannot be kept.

use authlab_rbac::validation::FieldError;
use regex::Regex;
use serde_json::Value;

use super::{OWN, Rules, Schema, written};
use crate::object::strings;

const TYPES: [&str; 6] = ["array", "boolean", "integer", "number", "object", "string"];

/// Where a schema has rules in expressions.
const RULES: &str = "x-kubernetes-validations";

/// A walk over a schema that collects what is wrong with it.
pub(super) struct Walk<'a> {
    errors: &'a mut Vec<FieldError>,
}

impl<'a> Walk<'a> {
    pub(super) fn new(errors: &'a mut Vec<FieldError>) -> Self {
        Self { errors }
    }

    /// The schema of a whole object.
    pub(super) fn root(&mut self, schema: &Value, path: &str) {
        match schema["type"].as_str().unwrap_or_default() {
            "" => {
                let why = "must not be empty at the root";
                self.errors
                    .push(FieldError::required(format!("{path}.type"), why));
            }
            "object" => {}
            other => {
                let why = "must be object at the root";
                self.errors
                    .push(FieldError::invalid(format!("{path}.type"), other, why));
            }
        }
        let metadata = &schema["properties"]["metadata"];
        let says = metadata["properties"].as_object().into_iter().flatten();
        if says
            .into_iter()
            .any(|(key, _)| !matches!(key.as_str(), "name" | "generateName"))
        {
            let why = "must not specify anything other than name and generateName, but metadata is implicitly specified";
            let field = format!("{path}.properties[metadata]");
            self.errors.push(FieldError::forbidden(field, why));
        }
        let before = self.errors.len();
        self.node(schema, path, true);
        // What rules mean is looked at only where the rest is in order.
        if self.errors.len() == before
            && let Ok(schema) = Schema::parse(schema)
        {
            self.rules(&schema, path, true, None);
        }
    }

    /// What the rules of a schema and of all below it mean. `lost` as [`written::meaning`] has it.
    fn rules(&mut self, schema: &Schema, path: &str, root: bool, lost: Option<&str>) {
        self.errors.extend(written::meaning(
            schema,
            path,
            root || schema.embedded,
            lost,
        ));
        for (name, below) in &schema.properties {
            if !(root && OWN.contains(&name.as_str())) {
                self.rules(below, &format!("{path}.properties[{name}]"), false, lost);
            }
        }
        if let Some(below) = schema.other() {
            self.rules(below, &format!("{path}.additionalProperties"), false, lost);
        }
        if let Some(below) = schema.item() {
            let lost = lost.or_else(|| (schema.list().0 != "map").then_some(path));
            self.rules(below, &format!("{path}.items"), false, lost);
        }
    }

    fn node(&mut self, schema: &Value, path: &str, root: bool) {
        let at = |field: &str| format!("{path}.{field}");
        let flag = |name: &str| schema[name] == true;
        let kind = schema["type"].as_str().unwrap_or_default();
        let free =
            flag("x-kubernetes-int-or-string") || flag("x-kubernetes-preserve-unknown-fields");
        if kind.is_empty() && !free && !root {
            let why = if path.ends_with(".items") {
                "must not be empty for specified array items"
            } else {
                "must not be empty for specified object fields"
            };
            self.errors.push(FieldError::required(at("type"), why));
        }
        if !kind.is_empty() && !TYPES.contains(&kind) {
            self.errors
                .push(FieldError::unsupported(at("type"), kind, &TYPES));
        }
        if kind == "array" && !schema["items"].is_object() {
            self.errors
                .push(FieldError::required(at("items"), "must be specified"));
        }
        if schema["additionalProperties"].is_object() && schema["properties"].is_object() {
            let why = "additionalProperties and properties are mutual exclusive";
            self.errors
                .push(FieldError::forbidden(at("additionalProperties"), why));
        }
        if schema["$ref"].is_string() {
            self.errors
                .push(FieldError::forbidden(at("$ref"), "$ref is not supported"));
        }
        if flag("uniqueItems") {
            let why =
                "uniqueItems cannot be set to true since the runtime complexity becomes quadratic";
            self.errors
                .push(FieldError::forbidden(at("uniqueItems"), why));
        }
        if schema["x-kubernetes-preserve-unknown-fields"] == false {
            let field = at("x-kubernetes-preserve-unknown-fields");
            let why = "must be true or undefined";
            self.errors
                .push(FieldError::invalid_json(field, "false".to_owned(), why));
        }
        if !schema[RULES].is_null()
            && let Ok(schema) = Schema::parse(schema)
        {
            self.errors.extend(written::form(&schema, path));
        }
        self.pattern(schema, path);
        self.list(schema, path);
        self.default(schema, path);
        self.branches(schema, path);
        for (name, below) in schema["properties"].as_object().into_iter().flatten() {
            if !(root && OWN.contains(&name.as_str())) {
                self.node(below, &format!("{path}.properties[{name}]"), false);
            }
        }
        for field in ["items", "additionalProperties"] {
            if schema[field].is_object() {
                self.node(&schema[field], &at(field), false);
            }
        }
    }

    fn pattern(&mut self, schema: &Value, path: &str) {
        let Some(pattern) = schema["pattern"].as_str() else {
            return;
        };
        if let Err(error) = Regex::new(pattern) {
            // Go's words for the commonest mistakes; this crate's for all others.
            let why = if error.to_string().contains("unclosed character class") {
                format!("missing closing ]: `{pattern}`")
            } else {
                error.to_string()
            };
            let why = format!(
                "must be a valid regular expression, but isn't: error parsing regexp: {why}"
            );
            let field = format!("{path}.pattern");
            self.errors.push(FieldError::invalid(field, pattern, why));
        }
    }

    fn list(&mut self, schema: &Value, path: &str) {
        const KIND: &str = "x-kubernetes-list-type";
        const KEYS: &str = "x-kubernetes-list-map-keys";
        let (kind, items) = (schema[KIND].as_str().unwrap_or_default(), &schema["items"]);
        match kind {
            "" | "atomic" => {}
            "set" => {
                let compound = matches!(items["type"].as_str(), Some("object"));
                if compound && items["x-kubernetes-map-type"] != "atomic" {
                    let field = format!("{path}.items.x-kubernetes-map-type");
                    let why = "must be atomic as item of a list with x-kubernetes-list-type=set";
                    let value = items["x-kubernetes-map-type"].to_string();
                    self.errors
                        .push(FieldError::invalid_json(field, value, why));
                }
            }
            "map" => {
                let keys = strings(&schema[KEYS]);
                let field = format!("{path}.{KEYS}");
                if keys.is_empty() {
                    let why = "must not be empty if x-kubernetes-list-type is map";
                    self.errors.push(FieldError::required(field, why));
                } else if keys.iter().any(|key| items["properties"][key].is_null()) {
                    let why = "entries must all be names of item properties";
                    let value = schema[KEYS].to_string();
                    self.errors
                        .push(FieldError::invalid_json(field, value, why));
                }
                let required = strings(&items["required"]);
                let loose = |key: &&str| {
                    let property = &items["properties"][*key];
                    property.is_object() && property["default"].is_null() && !required.contains(key)
                };
                for key in keys.iter().filter(|key| loose(key)) {
                    let why = "this property is in x-kubernetes-list-map-keys, so it must have a default or be a required property";
                    let field = format!("{path}.items.properties[{key}].default");
                    self.errors.push(FieldError::required(field, why));
                }
            }
            other => {
                let field = format!("{path}.{KIND}");
                let known = ["atomic", "set", "map"];
                self.errors
                    .push(FieldError::unsupported(field, other, &known));
            }
        }
    }

    /// A default must be valid itself.
    fn default(&mut self, schema: &Value, path: &str) {
        if schema["default"].is_null() {
            return;
        }
        if let Ok(parsed) = Schema::parse(schema) {
            let mut errors = parsed.validate(&schema["default"]);
            if let (true, Some(rules)) = (errors.is_empty(), Rules::below(&parsed)) {
                errors = rules.check(&schema["default"], None);
            }
            for mut error in errors {
                error.field = match error.field.as_str() {
                    "<nil>" => format!("{path}.default"),
                    below => format!("{path}.default.{below}"),
                };
                self.errors.push(error);
            }
        }
    }

    /// Inside `allOf` and its like nothing may be said that shapes the object.
    fn branches(&mut self, schema: &Value, path: &str) {
        let shaping = [
            "type",
            "nullable",
            "description",
            "title",
            "default",
            "additionalProperties",
        ];
        for list in ["allOf", "anyOf", "oneOf"] {
            let all = schema[list].as_array().into_iter().flatten().enumerate();
            for (index, one) in all {
                let free = schema["x-kubernetes-int-or-string"] == true;
                for field in shaping.iter().filter(|field| !one[**field].is_null()) {
                    if free && *field == "type" {
                        continue;
                    }
                    let field = format!("{path}.{list}[{index}].{field}");
                    self.errors.push(FieldError::forbidden(
                        field,
                        "must be empty to be structural",
                    ));
                }
                if !one[RULES].is_null() {
                    // Only this server lacks them in `allOf`.
                    let why = match list {
                        "allOf" => {
                            "the embedded API server evaluates no rules in allOf: write them beside it, or use a real API server"
                        }
                        _ => "must be empty to be structural",
                    };
                    let field = format!("{path}.{list}[{index}].{RULES}");
                    self.errors.push(FieldError::forbidden(field, why));
                }
            }
        }
    }
}
