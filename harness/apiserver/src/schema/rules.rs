//! `x-kubernetes-validations`: rules that a schema has for its objects.
//!
//! Source: Kubernetes docs, "Extend the Kubernetes API with CustomResourceDefinitions", section
//! "Validation rules"; texts and paths as a kube-apiserver 1.36 answers. What a rule costs is not
//! estimated.

use std::collections::BTreeMap;
use std::sync::Arc;

use authlab_authn::cel::{CompileError, Output, Rule, Shape, Value as Evaluated};
use authlab_rbac::quote;
use authlab_rbac::validation::{FieldError, FieldErrorKind};
use serde::Deserialize;
use serde_json::Value;

use super::Schema;
use super::validate::{below, field};

/// A rule as it is written.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct Written {
    pub(super) rule: String,
    pub(super) message: String,
    pub(super) message_expression: String,
    pub(super) reason: Option<String>,
    pub(super) field_path: String,
    pub(super) optional_old_self: Option<bool>,
}

impl Written {
    /// The rule, compiled for values of a shape.
    pub(super) fn rule(&self, shape: &Arc<Shape>) -> Result<Rule, CompileError> {
        let optional = self.optional_old_self == Some(true);
        Rule::compile(&self.rule, shape, optional, Output::Bool)
    }

    /// The expression of its message, if it has one.
    pub(super) fn message(&self, shape: &Arc<Shape>) -> Option<Result<Rule, CompileError>> {
        let source = self.message_expression.as_str();
        let compile = || Rule::compile(source, shape, false, Output::String);
        (!source.is_empty()).then(compile)
    }

    /// What stands for the rule in messages about it.
    fn shown(&self) -> &str {
        let texts = [self.message.trim(), self.rule.trim()];
        texts
            .into_iter()
            .find(|text| !text.is_empty())
            .unwrap_or_default()
    }
}

/// What expressions see of the values of a schema; `None` for what they cannot see.
pub(super) fn shape(schema: &Schema, root: bool) -> Option<Shape> {
    if schema.int_or_string || schema.nullable {
        return Some(Shape::Any);
    }
    Some(match (schema.kind.as_str(), schema.format.as_str()) {
        ("array", _) => Shape::List(Box::new(inner(schema.item()?)?)),
        ("object", _) if schema.other().is_some() => Shape::Map(Box::new(inner(schema.other()?)?)),
        ("object", _) => {
            let fields = schema.properties.iter();
            let fields = fields.filter_map(|(name, schema)| Some((name.clone(), inner(schema)?)));
            let mut fields: BTreeMap<String, Shape> = fields.collect();
            if root {
                let text = |name: &str| (name.to_owned(), Shape::String);
                let metadata = ["name", "generateName"].map(text).into();
                fields.insert("metadata".to_owned(), Shape::Object(metadata));
                fields.extend(["apiVersion", "kind"].map(text));
            }
            Shape::Object(fields)
        }
        ("string", "byte") => Shape::Bytes,
        ("string", "duration") => Shape::Duration,
        ("string", "date" | "date-time") => Shape::Timestamp,
        ("string", _) => Shape::String,
        ("boolean", _) => Shape::Bool,
        ("number", _) => Shape::Double,
        ("integer", _) => Shape::Int,
        _ => return None,
    })
}

fn inner(schema: &Schema) -> Option<Shape> {
    shape(schema, schema.embedded)
}

/// The compiled rules of a schema and of what is below it.
pub(crate) struct Rules {
    kind: String,
    own: Vec<Compiled>,
    properties: BTreeMap<String, Rules>,
    other: Option<Box<Rules>>,
    items: Option<Box<Rules>>,
    /// By what items of a list are known again.
    keys: Vec<String>,
}

struct Compiled {
    written: Written,
    rule: Rule,
    message: Option<Rule>,
}

/// What was there before: the value, and whether it, or what holds it, is the same now.
#[derive(Clone, Copy)]
struct Before<'a> {
    value: Option<&'a Value>,
    same: bool,
}

impl Before<'_> {
    fn of<'a>(self, value: Option<&'a Value>, now: &Value) -> Before<'a> {
        let same = value.map_or(self.same, |value| value == now);
        Before { value, same }
    }
}

impl Rules {
    /// The rules of a whole object; `None` if there are none. Rules that do not compile, which no
    /// definition has, are left out.
    pub(crate) fn new(schema: &Schema) -> Option<Self> {
        Self::compile(schema, true)
    }

    /// The same of a part of an object.
    pub(super) fn below(schema: &Schema) -> Option<Self> {
        Self::compile(schema, false)
    }

    fn compile(schema: &Schema, root: bool) -> Option<Self> {
        let root = root || schema.embedded;
        let mut own = Vec::new();
        if !schema.rules.is_empty() {
            let shape = Arc::new(own_shape(schema, root)?);
            own.extend(schema.rules.iter().filter_map(|written| {
                Some(Compiled {
                    rule: written.rule(&shape).ok()?,
                    message: written.message(&shape).and_then(Result::ok),
                    written: written.clone(),
                })
            }));
        }
        let boxed = |schema: Option<&Schema>| Self::compile(schema?, false).map(Box::new);
        let (list, keys) = schema.list();
        let rules = Self {
            kind: schema.kind.clone(),
            own,
            properties: schema
                .properties
                .iter()
                .filter_map(|(name, below)| Some((name.clone(), Self::compile(below, false)?)))
                .collect(),
            other: boxed(schema.other()),
            items: boxed(schema.item()),
            keys: if list == "map" {
                keys.to_vec()
            } else {
                Vec::new()
            },
        };
        let some = !rules.own.is_empty()
            || !rules.properties.is_empty()
            || rules.other.is_some()
            || rules.items.is_some();
        some.then_some(rules)
    }

    /// What the rules refuse in an object, which replaces another one if there is one.
    pub(crate) fn check(&self, object: &Value, old: Option<&Value>) -> Vec<FieldError> {
        let mut errors = Vec::new();
        let before = Before {
            value: None,
            same: false,
        };
        self.visit(object, before.of(old, object), "", &mut errors);
        errors
    }

    fn visit(&self, value: &Value, before: Before<'_>, path: &str, errors: &mut Vec<FieldError>) {
        if value.is_null() {
            return;
        }
        for one in &self.own {
            errors.extend(self.judge(one, value, before, path));
        }
        match value {
            Value::Object(map) => {
                for (key, now) in map {
                    let old = before.value.and_then(|old| old.get(key));
                    let before = before.of(old, now);
                    if let Some(rules) = &self.other {
                        rules.visit(now, before, &format!("{path}[{key}]"), errors);
                    }
                    if let Some(rules) = self.properties.get(key) {
                        rules.visit(now, before, &below(path, key), errors);
                    }
                }
            }
            Value::Array(items) => {
                let Some(rules) = &self.items else {
                    return;
                };
                for (index, now) in items.iter().enumerate() {
                    let old = before.value.and_then(|old| self.counterpart(old, now));
                    rules.visit(
                        now,
                        before.of(old, now),
                        &format!("{path}[{index}]"),
                        errors,
                    );
                }
            }
            _ => {}
        }
    }

    /// The item of a list that has the same keys as this one.
    fn counterpart<'a>(&self, old: &'a Value, item: &Value) -> Option<&'a Value> {
        let same = |other: &&Value| self.keys.iter().all(|key| other[key] == item[key]);
        let known = !self.keys.is_empty();
        known.then(|| old.as_array()?.iter().find(same)).flatten()
    }

    fn judge(
        &self,
        Compiled {
            written,
            rule,
            message,
        }: &Compiled,
        value: &Value,
        before: Before<'_>,
        path: &str,
    ) -> Option<FieldError> {
        let optional = written.optional_old_self == Some(true);
        if rule.uses_old() && before.value.is_none() && !optional {
            return None;
        }
        let verdict = match rule.evaluate(value, before.value) {
            Ok(verdict) => verdict,
            Err(error) => {
                let shown = written.shown();
                let why = if error.starts_with("no such overload") {
                    format!(
                        "'{error}': call arguments did not match a supported operator, function or macro signature for rule: {shown}"
                    )
                } else {
                    format!("{error} evaluating rule: {shown}")
                };
                return Some(FieldError::invalid(field(path), &self.kind, why));
            }
        };
        // What was there already may stay, unless the rule is about changes.
        if verdict == Evaluated::Bool(true) || before.same && !rule.uses_old() {
            return None;
        }
        let told = message
            .as_ref()
            .and_then(|message| told(message, value, before.value));
        let why = told.unwrap_or_else(|| {
            if written.message.is_empty() {
                format!("failed rule: {}", written.shown())
            } else {
                written.message.trim().to_owned()
            }
        });
        let place = match written.field_path.trim().trim_start_matches('.') {
            "" => field(path),
            deeper => below(path, deeper),
        };
        let shown = (!value.is_object() && !value.is_array()).then(|| match value {
            Value::String(text) => quote(text),
            other => other.to_string(),
        });
        Some(match written.reason.as_deref() {
            Some("FieldValueForbidden") => FieldError::forbidden(place, &why),
            Some("FieldValueRequired") => FieldError::required(place, &why),
            Some("FieldValueDuplicate") => FieldError {
                field: place,
                kind: FieldErrorKind::Duplicate,
                value: shown,
                detail: String::new(),
            },
            _ => FieldError {
                field: place,
                kind: FieldErrorKind::Invalid,
                value: shown,
                detail: why,
            },
        })
    }
}

/// What a message's expression says, if that can be used.
fn told(message: &Rule, value: &Value, old: Option<&Value>) -> Option<String> {
    let Ok(Evaluated::String(text)) = message.evaluate(value, old) else {
        return None;
    };
    let text = text.trim();
    let usable = !text.is_empty() && text.len() <= 5 * 1024 && !text.contains(['\n', '\r']);
    usable.then(|| text.to_owned())
}

/// The shape that a schema's own rules see: nothing that they judge is null.
pub(super) fn own_shape(schema: &Schema, root: bool) -> Option<Shape> {
    if schema.nullable {
        let mut schema = schema.clone();
        schema.nullable = false;
        return shape(&schema, root);
    }
    shape(schema, root)
}

#[cfg(test)]
mod tests;
