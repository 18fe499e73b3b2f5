//! Values as Go's `%#v` prints them; some of the reader's messages show one.

use super::{build::Value, resolve::Scalar};
use crate::golang::{number, quote::quote};

/// A value inside of an interface.
pub(super) fn sharp(value: &Value) -> String {
    match value {
        Value::Scalar(scalar) => self::scalar(scalar, "interface {}(nil)"),
        Value::List(items) => {
            let items: Vec<String> = items.iter().map(|item| sharp(&item.value)).collect();
            format!("[]interface {{}}{{{}}}", items.join(", "))
        }
        Value::Map(pairs) => {
            let mut pairs: Vec<_> = pairs.iter().collect();
            pairs.sort_by_key(|(key, _)| rank(&key.value));
            let pairs: Vec<String> = pairs
                .iter()
                .map(|(key, value)| format!("{}:{}", sharp(&key.value), sharp(&value.value)))
                .collect();
            format!("map[interface {{}}]interface {{}}{{{}}}", pairs.join(", "))
        }
    }
}

/// The same when it is the argument itself: a nil has lost its type.
pub(super) fn sharp_interface(value: &Value) -> String {
    match value {
        Value::Scalar(scalar) => self::scalar(scalar, "<nil>"),
        value => sharp(value),
    }
}

fn scalar(scalar: &Scalar, nil: &str) -> String {
    match scalar {
        Scalar::Null => nil.to_owned(),
        Scalar::Bool(value) => value.to_string(),
        Scalar::Int(number) => number.to_string(),
        Scalar::Uint(number) => format!("{number:#x}"),
        Scalar::Float(number) => number::shortest(*number),
        Scalar::String(text) => quote(text),
    }
}

/// Printed maps are sorted: by type first, then by value.
fn rank(value: &Value) -> (u8, String) {
    let Value::Scalar(scalar) = value else {
        return (5, String::new());
    };
    match scalar {
        Scalar::Null => (0, String::new()),
        Scalar::Bool(value) => (1, value.to_string()),
        Scalar::Int(number) => (2, format!("{:020}", i128::from(*number) + (1 << 63))),
        Scalar::Uint(number) => (2, format!("{number:020}")),
        Scalar::Float(number) => (3, format!("{number:030.6}")),
        Scalar::String(text) => (4, text.clone()),
    }
}
