//! Bodies in Kubernetes' protobuf form, which kubectl's typed commands send, to JSON.
//!
//! The envelope: Kubernetes docs, "Kubernetes API Concepts", section "Kubernetes Protobuf
//! encoding". The messages: `messages.table`. Answers stay JSON, which every client takes.

use std::collections::HashMap;
use std::sync::LazyLock;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use chrono::{DateTime, SecondsFormat};
use serde_json::{Map, Value, json};

const MAGIC: &[u8] = b"k8s\0";

/// Field number to name and type.
type Message = HashMap<u64, (&'static str, &'static str)>;
type Messages = HashMap<&'static str, Message>;

static MESSAGES: LazyLock<Messages> = LazyLock::new(|| {
    let lines = include_str!("messages.table")
        .lines()
        .filter(|line| !line.starts_with('#'));
    lines.filter_map(message).collect()
});

fn message(line: &'static str) -> Option<(&'static str, Message)> {
    let (name, fields) = line.split_once(' ')?;
    let fields = fields.split(' ').filter_map(|field| {
        let mut parts = field.splitn(3, ':');
        Some((parts.next()?.parse().ok()?, (parts.next()?, parts.next()?)))
    });
    Some((name, fields.collect()))
}

/// The object in a body, or why there is none.
pub(crate) fn decode(body: &[u8]) -> Result<Value, String> {
    let envelope = body.strip_prefix(MAGIC).ok_or(
        "provided data does not appear to be a protobuf message, expected prefix [107 56 115 0]",
    )?;
    let (mut version, mut kind, mut raw) = (String::new(), String::new(), [].as_slice());
    for field in Fields(envelope) {
        match field? {
            (1, Wire::Bytes(meta)) => {
                for field in Fields(meta) {
                    match field? {
                        (1, Wire::Bytes(text)) => version = string(text),
                        (2, Wire::Bytes(text)) => kind = string(text),
                        _ => {}
                    }
                }
            }
            (2, Wire::Bytes(bytes)) => raw = bytes,
            _ => {}
        }
    }
    if !MESSAGES.contains_key(kind.as_str()) {
        return Err(format!(
            "no protobuf form of kind {kind:?} is known here; send JSON"
        ));
    }
    let mut object = object(&kind, raw)?;
    object.insert("apiVersion".to_owned(), json!(version));
    object.insert("kind".to_owned(), json!(kind));
    Ok(Value::Object(object))
}

fn object(name: &str, bytes: &[u8]) -> Result<Map<String, Value>, String> {
    let mut object = Map::new();
    let Some(message) = MESSAGES.get(name) else {
        return Ok(object);
    };
    for field in Fields(bytes) {
        let (number, wire) = field?;
        let Some((field, kind)) = message.get(&number) else {
            continue;
        };
        let inner = kind.trim_matches(['[', ']', '{', '}']);
        if kind.starts_with('[') {
            let item = value(inner, &wire)?.unwrap_or_else(|| json!(""));
            let list = object.entry(*field).or_insert_with(|| json!([]));
            list.as_array_mut()
                .into_iter()
                .for_each(|list| list.push(item.clone()));
        } else if kind.starts_with('{') {
            let Wire::Bytes(entry) = wire else { continue };
            let (key, item) = pair(inner, entry)?;
            let map = object.entry(*field).or_insert_with(|| json!({}));
            map[key] = item;
        } else if *field == "*" {
            let Wire::Bytes(bytes) = wire else { continue };
            object.extend(self::object(kind, bytes)?);
        } else if let Some(value) = value(kind, &wire)? {
            object.insert((*field).to_owned(), value);
        }
    }
    Ok(object)
}

/// An entry of a map: field 1 is the key, field 2 the value.
fn pair(kind: &str, entry: &[u8]) -> Result<(String, Value), String> {
    let (mut key, mut item) = (String::new(), json!(""));
    for field in Fields(entry) {
        match field? {
            (1, Wire::Bytes(text)) => key = string(text),
            (2, wire) => item = value(kind, &wire)?.unwrap_or_else(|| json!("")),
            _ => {}
        }
    }
    // A named list of strings is a plain list in JSON.
    if kind == "ExtraValue" {
        item = item["items"].take();
    }
    Ok((key, item))
}

/// A value in its JSON form; `None` for those that JSON leaves out.
fn value(kind: &str, wire: &Wire<'_>) -> Result<Option<Value>, String> {
    Ok(match (kind, wire) {
        ("string", Wire::Bytes(text)) => (!text.is_empty()).then(|| json!(string(text))),
        ("bytes", Wire::Bytes(bytes)) => Some(json!(BASE64_STANDARD.encode(bytes))),
        ("bool" | "int", Wire::Number(0)) => None,
        ("bool" | "bool!", Wire::Number(number)) => Some(json!(*number != 0)),
        ("int" | "int!", Wire::Number(number)) => Some(json!(number.cast_signed())),
        ("Time", Wire::Bytes(bytes)) => time(bytes)?,
        ("IntOrString", Wire::Bytes(bytes)) => number_or_text(bytes)?,
        ("Quantity", Wire::Bytes(bytes)) => object("Quantity", bytes)?.remove("string"),
        (name, Wire::Bytes(bytes)) => {
            let object = object(name, bytes)?;
            Some(Value::Object(object))
        }
        _ => None,
    })
}

/// A port or the like: its type is field 1, a number field 2, a text field 3.
fn number_or_text(bytes: &[u8]) -> Result<Option<Value>, String> {
    let (mut number, mut text) = (json!(0), None);
    for field in Fields(bytes) {
        match field? {
            (2, Wire::Number(found)) => number = json!(found.cast_signed()),
            (3, Wire::Bytes(found)) if !found.is_empty() => text = Some(json!(string(found))),
            _ => {}
        }
    }
    Ok(text.or(Some(number)))
}

fn time(bytes: &[u8]) -> Result<Option<Value>, String> {
    let mut seconds = None;
    for field in Fields(bytes) {
        if let (1, Wire::Number(number)) = field? {
            seconds = Some(number.cast_signed());
        }
    }
    let time = seconds.and_then(|seconds| DateTime::from_timestamp(seconds, 0));
    Ok(time.map(|time| json!(time.to_rfc3339_opts(SecondsFormat::Secs, true))))
}

fn string(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// A field's content on the wire.
enum Wire<'a> {
    Number(u64),
    Bytes(&'a [u8]),
}

/// The fields of a message (protobuf.dev, "Encoding").
struct Fields<'a>(&'a [u8]);

impl<'a> Fields<'a> {
    fn varint(&mut self) -> Option<u64> {
        let mut number = 0;
        for shift in (0..64).step_by(7) {
            let (byte, rest) = self.0.split_first()?;
            self.0 = rest;
            number |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Some(number);
            }
        }
        None
    }

    fn take(&mut self, length: u64) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(usize::try_from(length).ok()?)?;
        self.0 = rest;
        Some(taken)
    }

    fn field(&mut self) -> Option<(u64, Wire<'a>)> {
        let key = self.varint()?;
        let wire = match key & 7 {
            0 => Wire::Number(self.varint()?),
            1 => Wire::Bytes(self.take(8)?),
            2 => {
                let length = self.varint()?;
                Wire::Bytes(self.take(length)?)
            }
            5 => Wire::Bytes(self.take(4)?),
            _ => return None,
        };
        Some((key >> 3, wire))
    }
}

impl<'a> Iterator for Fields<'a> {
    type Item = Result<(u64, Wire<'a>), String>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.0.is_empty() {
            return None;
        }
        let field = self.field();
        if field.is_none() {
            self.0 = &[];
        }
        Some(field.ok_or_else(|| "unexpected EOF".to_owned()))
    }
}

#[cfg(test)]
mod tests;
