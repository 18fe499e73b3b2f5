//! Making values, and what they are called.

use std::sync::Arc;

use cel::{Value, objects::OptionalValue};

use super::Object;
use crate::golang::number;

/// `string(x)` for what is no string.
pub(super) fn string(value: &Value) -> Result<Value, String> {
    Ok(string_value(&match value {
        Value::Int(number) => number.to_string(),
        Value::UInt(number) => number.to_string(),
        Value::Float(number) => number::shortest(*number),
        Value::Bool(value) => value.to_string(),
        Value::Bytes(bytes) => {
            let text = std::str::from_utf8(bytes);
            text.map_err(|_| "invalid UTF-8 in bytes, cannot convert to string".to_owned())?
                .to_owned()
        }
        Value::Timestamp(time) => {
            time.to_utc().format("%Y-%m-%dT%H:%M:%S").to_string()
                + &fraction(time.timestamp_subsec_nanos())
                + "Z"
        }
        Value::Duration(duration) => {
            #[expect(clippy::cast_precision_loss, reason = "as upstream")]
            let whole = duration.num_seconds() as f64;
            let seconds = whole + f64::from(duration.subsec_nanos()) / 1e9;
            format!("{seconds}s")
        }
        other => return Err(no_overload("string", std::slice::from_ref(other))),
    }))
}

pub(super) fn no_overload(name: &str, args: &[Value]) -> String {
    let types: Vec<String> = args.iter().map(type_name).collect();
    format!("no such overload: {name}({})", types.join(", "))
}

/// Nanoseconds as a fraction of a second without zeros at the end.
fn fraction(nanos: u32) -> String {
    match format!(".{nanos:09}").trim_end_matches('0') {
        "." => String::new(),
        text => text.to_owned(),
    }
}

/// The name of a value's type as error messages have it.
pub(in crate::cel) fn type_name(value: &Value) -> String {
    match value {
        Value::Null => "null_type".to_owned(),
        Value::Float(_) => "double".to_owned(),
        Value::Duration(_) => "google.protobuf.Duration".to_owned(),
        Value::Timestamp(_) => "google.protobuf.Timestamp".to_owned(),
        Value::Opaque(opaque) => opaque.runtime_type_name().to_owned(),
        other => other.type_of().to_string(),
    }
}

/// The name of the Go type that holds a value, which some messages show.
pub(super) fn go_type(value: &Value) -> &'static str {
    match value {
        Value::Null => "types.Null",
        Value::Bool(_) => "types.Bool",
        Value::Int(_) => "types.Int",
        Value::UInt(_) => "types.Uint",
        Value::Float(_) => "types.Double",
        Value::String(_) => "types.String",
        Value::Bytes(_) => "types.Bytes",
        Value::Duration(_) => "types.Duration",
        Value::Timestamp(_) => "types.Timestamp",
        _ => "*types.Optional",
    }
}

pub(super) fn as_object(value: &Value) -> Option<&Object> {
    match value {
        Value::Opaque(opaque) => opaque.downcast_ref(),
        _ => None,
    }
}

pub(super) fn object(object: Object) -> Value {
    Value::Opaque(Arc::new(object))
}

pub(super) fn optional(value: Option<Value>) -> Value {
    let optional = value.map_or_else(OptionalValue::none, OptionalValue::of);
    Value::Opaque(Arc::new(optional))
}

pub(super) fn string_value(text: &str) -> Value {
    Value::String(Arc::new(text.to_owned()))
}

pub(super) fn boolean(value: bool) -> Value {
    Value::Bool(value)
}

pub(super) fn list(items: Vec<Value>) -> Value {
    Value::List(Arc::new(items))
}
