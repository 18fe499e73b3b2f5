//! Rules of custom resources: expressions about `self` and `oldSelf`, whose types a schema gives.
//!
//! Source: Kubernetes docs, "Extend the Kubernetes API with CustomResourceDefinitions", section "Validation rules", with
//! the table of types that it has.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

use base64::{Engine as _, prelude::BASE64_STANDARD};
use cel::{IdedExpr, objects::OptionalValue};
use chrono::{DateTime, NaiveDate};
use serde_json::Value as Json;

use super::{
    CompileError, Output, Value, interpreter, names,
    rewrite::RESERVED,
    types::{Object, Type},
};

const SELF: &str = "self";
const OLD: &str = "oldSelf";

/// What a schema says of a value, as far as expressions see it.
#[derive(Clone, Debug, PartialEq)]
pub enum Shape {
    /// Anything, of which evaluation shows what it is: `x-kubernetes-int-or-string`, what may be null.
    Any,
    /// `boolean`.
    Bool,
    /// `integer`.
    Int,
    /// `number`.
    Double,
    /// `string` without a format that has a type of its own.
    String,
    /// `string` in base64, with the format `byte`.
    Bytes,
    /// `string` with the format `duration`.
    Duration,
    /// `string` with the format `date` or `date-time`.
    Timestamp,
    /// `array` of items of one shape.
    List(Box<Shape>),
    /// `object` with `additionalProperties`.
    Map(Box<Shape>),
    /// `object` with `properties`; others are not seen.
    Object(BTreeMap<String, Shape>),
}

impl Shape {
    fn ty(&self, name: &str) -> Type {
        match self {
            Self::Any => Type::DYN,
            Self::Bool => Type::BOOL,
            Self::Int => Type::INT,
            Self::Double => Type::simple("double"),
            Self::String => Type::STRING,
            Self::Bytes => Type::simple("bytes"),
            Self::Duration => Type::simple("duration"),
            Self::Timestamp => Type::simple("timestamp"),
            Self::List(item) => Type::list(item.ty(&format!("{name}.@idx"))),
            Self::Map(value) => Type::map(Type::STRING, value.ty(&format!("{name}.@elem"))),
            Self::Object(fields) => {
                let fields = fields.iter().filter_map(|(field, shape)| {
                    let field = escape(field)?;
                    let ty = shape.ty(&format!("{name}.{field}"));
                    Some((field, ty))
                });
                let fields = fields.collect();
                let name = name.to_owned();
                Type::Object(Arc::new(Object { name, fields }))
            }
        }
    }

    /// The value of some JSON of this shape. What is not of it stays as it is.
    fn value(&self, json: &Json) -> cel::Value {
        match (self, json) {
            (_, Json::Null) => cel::Value::Null,
            (_, Json::Bool(value)) => cel::Value::Bool(*value),
            (Self::Double, Json::Number(number)) => {
                cel::Value::Float(number.as_f64().unwrap_or(f64::NAN))
            }
            (_, Json::Number(number)) => match number.as_i64() {
                Some(whole) => cel::Value::Int(whole),
                None => cel::Value::Float(number.as_f64().unwrap_or(f64::NAN)),
            },
            (_, Json::String(text)) => self
                .formatted(text)
                .unwrap_or_else(|| cel::Value::String(Arc::new(text.clone()))),
            (_, Json::Array(items)) => {
                let shape = match self {
                    Self::List(item) => item,
                    _ => &Self::Any,
                };
                let items = items.iter().map(|item| shape.value(item));
                cel::Value::List(Arc::new(items.collect()))
            }
            (_, Json::Object(entries)) => {
                let entries = entries.iter().filter_map(|(key, value)| {
                    let shape = match self {
                        Self::Map(shape) => shape,
                        Self::Object(fields) => fields.get(key)?,
                        _ => &Self::Any,
                    };
                    Some((key.clone(), shape.value(value)))
                });
                entries.collect::<HashMap<String, cel::Value>>().into()
            }
        }
    }

    /// The value of a text whose format has a type of its own.
    fn formatted(&self, text: &str) -> Option<cel::Value> {
        match self {
            Self::Bytes => {
                let bytes = BASE64_STANDARD.decode(text).ok()?;
                Some(cel::Value::Bytes(Arc::new(bytes)))
            }
            Self::Duration => interpreter::duration(text),
            Self::Timestamp => {
                let time = DateTime::parse_from_rfc3339(text).ok();
                let day = || {
                    let day = text.parse::<NaiveDate>().ok()?;
                    Some(day.and_hms_opt(0, 0, 0)?.and_utc().fixed_offset())
                };
                time.or_else(day).map(cel::Value::Timestamp)
            }
            _ => None,
        }
    }
}

/// The name under which expressions see a field; `None` for one that they cannot see
/// (<https://kubernetes.io/docs/reference/using-api/cel/#escaping>).
fn escape(field: &str) -> Option<String> {
    if RESERVED.contains(&field) {
        return Some(format!("__{field}__"));
    }
    let escaped = field
        .replace("__", "__underscores__")
        .replace('.', "__dot__")
        .replace('-', "__dash__")
        .replace('/', "__slash__");
    let named = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let begins = escaped.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
    (begins && escaped.chars().all(named)).then_some(escaped)
}

/// A compiled rule, or the expression of its message.
pub struct Rule {
    program: IdedExpr,
    shape: Arc<Shape>,
    uses_old: bool,
    /// Whether `oldSelf` is an optional.
    optional: bool,
}

impl Rule {
    /// Compiles an expression about values of a shape. With `optional`, `oldSelf` is an optional.
    ///
    /// # Errors
    /// When the API server would refuse it, with its text.
    pub fn compile(
        source: &str,
        shape: &Arc<Shape>,
        optional: bool,
        output: Output,
    ) -> Result<Self, CompileError> {
        let ty = shape.ty("selfType");
        let old = if optional {
            Type::optional(ty.clone())
        } else {
            ty.clone()
        };
        let variables = vec![(SELF.to_owned(), ty), (OLD.to_owned(), old)];
        let prepared = interpreter::prepare(source, variables, false, output)?;
        Ok(Self {
            uses_old: names::mentions(&prepared.expr, OLD),
            program: prepared.program,
            shape: Arc::clone(shape),
            optional,
        })
    }

    /// Whether it looks at `oldSelf`.
    #[must_use]
    pub fn uses_old(&self) -> bool {
        self.uses_old
    }

    /// Evaluates it with a value, and the one that was there before.
    ///
    /// # Errors
    /// cel-go's text.
    pub fn evaluate(&self, this: &Json, old: Option<&Json>) -> Result<Value, String> {
        let mut variables = vec![(SELF, self.shape.value(this))];
        if self.uses_old {
            let old = old.map(|old| self.shape.value(old));
            let old = if self.optional {
                Some(cel::Value::Opaque(Arc::new(
                    old.map_or_else(OptionalValue::none, OptionalValue::of),
                )))
            } else {
                old
            };
            variables.extend(old.map(|old| (OLD, old)));
        }
        interpreter::evaluate(&self.program, variables)
    }
}
