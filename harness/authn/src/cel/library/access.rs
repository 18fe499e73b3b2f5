//! Fields and items: what `a.b`, `a[b]` and their optional forms find.
//!
//! cel-go treats a chain of them as one, in which a value that has no parts at all is a missing key.

use cel::{
    Value,
    objects::{Key, OptionalValue},
};

use super::{boolean, optional, type_name};
use crate::golang::number;

/// An access by name: `@select`, `@index`, `@optional` for both, `@has`, and `@opt` to make an optional. Arguments are the value, the key, and the key
/// as it is shown in errors, if it is another.
pub(super) fn call(name: &str, args: &[Value]) -> Option<Result<Value, String>> {
    if let ("@opt", [of]) = (name, args) {
        let held = <&OptionalValue>::try_from(of);
        return Some(Ok(
            held.map_or_else(|_| optional(Some(of.clone())), |_| of.clone())
        ));
    }
    let [of, key, shown @ ..] = args else {
        return None;
    };
    let missing = || format!("no such key: {}", key_text(shown.first().unwrap_or(key)));
    Some(match name {
        "@select" | "@index" => match <&OptionalValue>::try_from(of) {
            Ok(held) => within(held.value(), key),
            Err(_) => find(of, key).and_then(|found| found.ok_or_else(missing)),
        },
        "@optional" => match <&OptionalValue>::try_from(of) {
            Ok(held) => within(held.value(), key),
            Err(_) => within(Some(of), key),
        },
        "@has" => {
            let of = match <&OptionalValue>::try_from(of) {
                Ok(held) => held.value(),
                Err(_) => Some(of),
            };
            let found = of.map_or(Ok(None), |of| find(of, key));
            found.map(|found| boolean(found.is_some()))
        }
        _ => return None,
    })
}

fn within(of: Option<&Value>, key: &Value) -> Result<Value, String> {
    match of {
        None => Ok(optional(None)),
        Some(of) => match find(of, key) {
            Err(error) if error.starts_with("index out of bounds") => Ok(optional(None)),
            found => found.map(optional),
        },
    }
}

fn find(of: &Value, key: &Value) -> Result<Option<Value>, String> {
    match of {
        Value::List(items) => {
            let index = whole(key).ok_or_else(|| match key {
                Value::Float(_) => format!("unsupported index value '{}' in list", key_text(key)),
                _ => format!("unsupported index type '{}' in list", type_name(key)),
            })?;
            let item = usize::try_from(index)
                .ok()
                .and_then(|index| items.get(index));
            let item = item.ok_or_else(|| format!("index out of bounds: {index}"))?;
            Ok(Some(item.clone()))
        }
        Value::Map(map) => Ok(match key {
            Value::String(name) => map.map.get(&Key::String(name.clone())).cloned(),
            Value::Bool(key) => map.map.get(&Key::Bool(*key)).cloned(),
            key => whole(key).and_then(|key| map.get(&Key::Int(key)).cloned()),
        }),
        _ => Ok(None),
    }
}

/// A number without a fraction.
fn whole(key: &Value) -> Option<i64> {
    match key {
        Value::Int(number) => Some(*number),
        Value::UInt(number) => i64::try_from(*number).ok(),
        Value::Float(number) => format!("{number}").parse().ok(),
        _ => None,
    }
}

fn key_text(key: &Value) -> String {
    match key {
        Value::String(text) => text.as_str().to_owned(),
        Value::Float(number) => number::shortest(*number),
        Value::Int(number) => number.to_string(),
        Value::UInt(number) => number.to_string(),
        Value::Bool(value) => value.to_string(),
        other => type_name(other),
    }
}
