//! What a schema refuses, in the server's words.
//!
//! Texts as a kube-apiserver 1.36 answers; where it walks a map in no order, this goes by name.

use authlab_rbac::quote;
use authlab_rbac::validation::{FieldError, FieldErrorKind};
use serde_json::{Map, Number, Value};

use super::{Additional, Schema, formats};

impl Schema {
    /// Everything wrong with an object.
    pub(crate) fn validate(&self, object: &Value) -> Vec<FieldError> {
        let mut errors = Vec::new();
        self.check(object, "", &mut errors);
        if errors.is_empty() {
            self.unique(object, "", &mut errors);
        }
        errors
    }

    fn check(&self, value: &Value, path: &str, errors: &mut Vec<FieldError>) {
        let wrong = self.wrong_type(value, path);
        let fits = wrong.is_none();
        errors.extend(wrong);
        if fits {
            self.branches(value, path, errors);
        }
        if value.is_null() {
            return;
        }
        if !self.values.is_empty() && !self.values.contains(value) {
            let known: Vec<String> = self.values.iter().map(|one| quote(&plain(one))).collect();
            errors.push(FieldError {
                field: field(path),
                kind: FieldErrorKind::NotSupported,
                value: Some(printed(value)),
                detail: format!("supported values: {}", known.join(", ")),
            });
        }
        match value {
            _ if !fits => {}
            Value::String(text) => self.text(text, path, errors),
            Value::Number(number) => self.number(number, path, errors),
            Value::Array(items) => self.items(items, path, errors),
            Value::Object(map) => self.map(map, path, errors),
            _ => {}
        }
    }

    fn wrong_type(&self, value: &Value, path: &str) -> Option<FieldError> {
        let (got, fits) = match value {
            Value::Null => (
                "null",
                self.kind.is_empty() && !self.int_or_string || self.nullable,
            ),
            Value::Bool(_) => ("boolean", self.is("boolean")),
            Value::Number(number) if number.is_f64() => {
                let whole = number.as_f64().is_some_and(|number| number.fract() == 0.0);
                ("number", self.is("number") || whole && self.is("integer"))
            }
            Value::Number(_) => ("integer", self.is("integer") || self.is("number")),
            Value::String(_) => ("string", self.is("string")),
            Value::Array(_) => ("array", self.is("array")),
            Value::Object(_) => ("object", self.is("object")),
        };
        if fits {
            return None;
        }
        let wanted = if self.int_or_string {
            "integer,string"
        } else {
            &self.kind
        };
        Some(FieldError {
            field: field(path),
            kind: FieldErrorKind::TypeInvalid,
            value: Some(quote(got)),
            detail: format!("{}must be of type {wanted}: {}", inside(path), quote(got)),
        })
    }

    fn is(&self, kind: &str) -> bool {
        if self.int_or_string {
            return matches!(kind, "integer" | "string");
        }
        self.kind.is_empty() || self.kind == kind
    }

    /// Of length and pattern only the first is complained of.
    fn text(&self, text: &str, path: &str, errors: &mut Vec<FieldError>) {
        let invalid =
            |why: String| FieldError::invalid(field(path), text, format!("{}{why}", inside(path)));
        let length = text.chars().count() as u64;
        let matches =
            |pattern: &super::Pattern| pattern.regex.as_ref().is_some_and(|one| one.is_match(text));
        if let Some(most) = self.max_length.filter(|most| length > *most) {
            errors.push(FieldError::too_long(field(path), most));
        } else if let Some(least) = self.min_length.filter(|least| length < *least) {
            errors.push(invalid(format!("should be at least {least} chars long")));
        } else if let Some(pattern) = self.pattern.as_ref().filter(|one| !matches(one)) {
            errors.push(invalid(format!("should match '{}'", pattern.text)));
        }
        if !formats::fits(&self.format, text) {
            let why = format!("must be of type {}: {}", self.format, quote(text));
            errors.push(FieldError {
                kind: FieldErrorKind::TypeInvalid,
                ..invalid(why)
            });
        }
    }

    fn number(&self, number: &Number, path: &str, errors: &mut Vec<FieldError>) {
        let value = number.as_f64().unwrap_or_default();
        let mut wrong = |why: String| {
            let why = format!("{}{why}", inside(path));
            errors.push(FieldError::invalid_json(
                field(path),
                number.to_string(),
                why,
            ));
        };
        if let Some(factor) = self.multiple_of
            && (value / factor).fract() != 0.0
        {
            wrong(format!("should be a multiple of {factor}"));
        }
        if let Some(most) = self.maximum {
            if self.exclusive_maximum && value >= most {
                wrong(format!("should be less than {most}"));
            } else if value > most {
                wrong(format!("should be less than or equal to {most}"));
            }
        }
        if let Some(least) = self.minimum {
            if self.exclusive_minimum && value <= least {
                wrong(format!("should be greater than {least}"));
            } else if value < least {
                wrong(format!("should be greater than or equal to {least}"));
            }
        }
    }

    fn items(&self, items: &[Value], path: &str, errors: &mut Vec<FieldError>) {
        let count = items.len() as u64;
        if let Some(least) = self.min_items.filter(|least| count < *least) {
            let why = format!("{}should have at least {least} items", inside(path));
            errors.push(FieldError::invalid_json(
                field(path),
                count.to_string(),
                why,
            ));
        }
        if let Some(most) = self.max_items.filter(|most| count > *most) {
            errors.push(FieldError::too_many(field(path), items.len(), most));
        }
        if let Some(schema) = &self.items {
            for (index, item) in items.iter().enumerate() {
                schema.check(item, &format!("{path}[{index}]"), errors);
            }
        }
    }

    fn map(&self, map: &Map<String, Value>, path: &str, errors: &mut Vec<FieldError>) {
        let count = map.len() as u64;
        if let Some(least) = self.min_properties.filter(|least| count < *least) {
            let why = format!("{}should have at least {least} properties", inside(path));
            errors.push(FieldError::invalid_json(
                field(path),
                count.to_string(),
                why,
            ));
        }
        if let Some(most) = self.max_properties.filter(|most| count > *most) {
            errors.push(FieldError::too_many(field(path), map.len(), most));
        }
        for (key, value) in map {
            let path = below(path, key);
            match (self.properties.get(key), &self.additional_properties) {
                (Some(schema), _) => schema.check(value, &path, errors),
                (None, Additional::Like(schema)) => schema.check(value, &path, errors),
                _ => {}
            }
        }
        let missing = self.required.iter().filter(|key| !map.contains_key(*key));
        errors.extend(missing.map(|key| FieldError::required(below(path, key), "")));
    }

    /// `anyOf`, `oneOf`, `allOf` and `not`.
    fn branches(&self, value: &Value, path: &str, errors: &mut Vec<FieldError>) {
        let try_all = |schemas: &[Schema]| -> Vec<Vec<FieldError>> {
            let tries = schemas.iter().map(|schema| {
                let mut errors = Vec::new();
                schema.check(value, path, &mut errors);
                errors
            });
            tries.collect()
        };
        let wrong = |why: String| {
            let name = quote(path);
            FieldError::invalid("<nil>", "", format!("{name} must {why}"))
        };
        let any = try_all(&self.any_of);
        if !any.is_empty() && !any.iter().any(Vec::is_empty) {
            errors.push(wrong("validate at least one schema (anyOf)".to_owned()));
            errors.extend(any.into_iter().next().unwrap_or_default());
        }
        let one = try_all(&self.one_of);
        let valid = one.iter().filter(|errors| errors.is_empty()).count();
        if !one.is_empty() && valid != 1 {
            let found = if valid == 0 {
                "Found none valid".to_owned()
            } else {
                format!("Found {valid} valid alternatives")
            };
            errors.push(wrong(format!(
                "validate one and only one schema (oneOf). {found}"
            )));
            if valid == 0 {
                errors.extend(one.into_iter().next().unwrap_or_default());
            }
        }
        let all = try_all(&self.all_of);
        let failed = all.iter().filter(|errors| !errors.is_empty()).count();
        if failed > 0 {
            let none = if failed == all.len() {
                ". None validated"
            } else {
                ""
            };
            errors.extend(all.into_iter().flatten());
            errors.push(wrong(format!("validate all the schemas (allOf){none}")));
        }
        if let Some(not) = &self.not {
            let mut inner = Vec::new();
            not.check(value, path, &mut inner);
            if inner.is_empty() {
                errors.push(wrong("not validate the schema (not)".to_owned()));
            }
        }
    }

    /// Lists that are sets or maps hold nothing twice.
    fn unique(&self, value: &Value, path: &str, errors: &mut Vec<FieldError>) {
        match value {
            Value::Object(map) => {
                for (key, value) in map {
                    if let Some(schema) = self.field(key) {
                        schema.unique(value, &below(path, key), errors);
                    }
                }
            }
            Value::Array(items) => {
                let keys: Vec<Value> = match self.list_type.as_str() {
                    "set" => items.clone(),
                    "map" => items.iter().map(|item| self.key(item)).collect(),
                    _ => Vec::new(),
                };
                for (index, key) in keys.iter().enumerate() {
                    // The first repetition is named, later ones are not.
                    if keys[..index].iter().filter(|one| *one == key).count() == 1 {
                        let field = format!("{path}[{index}]");
                        errors.push(FieldError::duplicate(field, printed(key)));
                    }
                }
                for (index, item) in items.iter().enumerate() {
                    if let Some(schema) = &self.items {
                        schema.unique(item, &format!("{path}[{index}]"), errors);
                    }
                }
            }
            _ => {}
        }
    }

    fn key(&self, item: &Value) -> Value {
        let keys = self.list_map_keys.iter().filter_map(|key| {
            let value = item.get(key)?;
            Some((key.clone(), value.clone()))
        });
        Value::Object(keys.collect())
    }
}

pub(super) fn below(path: &str, key: &str) -> String {
    if path.is_empty() {
        key.to_owned()
    } else {
        format!("{path}.{key}")
    }
}

/// The path as it leads an error.
pub(super) fn field(path: &str) -> String {
    if path.is_empty() { "<nil>" } else { path }.to_owned()
}

/// The beginning of an explanation.
fn inside(path: &str) -> String {
    if path.is_empty() {
        " in body ".to_owned()
    } else {
        format!("{path} in body ")
    }
}

/// A value as an error shows it.
fn printed(value: &Value) -> String {
    match value {
        Value::String(text) => quote(text),
        other => other.to_string(),
    }
}

fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}
