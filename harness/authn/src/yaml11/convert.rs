//! Turns values into what JSON can hold: keys become strings, and what has no JSON form is refused.

use super::{
    Error,
    build::{Raw, Value},
    gofmt,
    resolve::Scalar,
};
use crate::{
    golang::number,
    tree::{Entry, Kind, Node},
};

/// The value as a tree, with the keys of maps sorted by their bytes.
pub(super) fn convert(raw: &Raw) -> Result<Node, Error> {
    let node = strings_as_keys(raw)?;
    // As in the real reader, bad keys anywhere come before bad numbers.
    finite(&node)?;
    Ok(node)
}

fn strings_as_keys(raw: &Raw) -> Result<Node, Error> {
    let kind = match &raw.value {
        Value::Scalar(scalar) => scalar_kind(scalar),
        Value::List(items) => {
            let items = items.iter().map(strings_as_keys);
            Kind::List(items.collect::<Result<_, _>>()?)
        }
        Value::Map(pairs) => {
            let mut entries: Vec<Entry> = Vec::with_capacity(pairs.len());
            for (key, value) in pairs {
                let entry = Entry {
                    key: key_text(key, value)?,
                    key_span: key.span,
                    value: strings_as_keys(value)?,
                };
                match entries.iter_mut().find(|old| old.key == entry.key) {
                    Some(old) => *old = entry,
                    None => entries.push(entry),
                }
            }
            entries.sort_by(|one, other| one.key.cmp(&other.key));
            Kind::Map(entries)
        }
    };
    Ok(Node {
        span: raw.span,
        kind,
    })
}

fn scalar_kind(scalar: &Scalar) -> Kind {
    match scalar {
        Scalar::Null => Kind::Null,
        Scalar::Bool(value) => Kind::Bool(*value),
        Scalar::Int(number) => Kind::Number(number.to_string()),
        Scalar::Uint(number) => Kind::Number(number.to_string()),
        Scalar::Float(number) if number.is_finite() => Kind::Number(number::json(*number)),
        Scalar::Float(number) => Kind::Number(number::shortest(*number)),
        Scalar::String(text) => Kind::String(text.clone()),
    }
}

fn finite(node: &Node) -> Result<(), Error> {
    match &node.kind {
        Kind::Number(literal) if matches!(literal.as_str(), "NaN" | "+Inf" | "-Inf") => {
            let message = format!("json: unsupported value: {literal}");
            Err(Error::new(message, None))
        }
        Kind::List(items) => items.iter().try_for_each(finite),
        Kind::Map(entries) => entries.iter().try_for_each(|entry| finite(&entry.value)),
        _ => Ok(()),
    }
}

fn key_text(key: &Raw, value: &Raw) -> Result<String, Error> {
    let Value::Scalar(scalar) = &key.value else {
        return Ok(String::new());
    };
    let kind = match scalar {
        Scalar::String(text) => return Ok(text.clone()),
        Scalar::Int(number) => return Ok(number.to_string()),
        Scalar::Bool(value) => return Ok(value.to_string()),
        Scalar::Float(number) => {
            return Ok(match number::shortest32(*number).as_str() {
                "+Inf" => ".inf".to_owned(),
                "-Inf" => "-.inf".to_owned(),
                "NaN" => ".nan".to_owned(),
                text => text.to_owned(),
            });
        }
        Scalar::Uint(_) => "uint64",
        Scalar::Null => "%!s(<nil>)",
    };
    let (key, value) = (
        gofmt::sharp_interface(&key.value),
        gofmt::sharp_interface(&value.value),
    );
    let message = format!("unsupported map key of type: {kind}, key: {key}, value: {value}");
    Err(Error::new(message, None))
}
