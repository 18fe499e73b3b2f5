//! A document as a tree that remembers where in the text each part stands.

use serde_json::{Map, Number, Value};

/// A stretch of the text: byte offsets, and the line and column (in characters) it starts at, both counted from 1.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Span {
    /// Offset of its first byte.
    pub start: usize,
    /// Offset of the byte after its last.
    pub end: usize,
    /// Line of its first character.
    pub line: usize,
    /// Column of its first character.
    pub column: usize,
}

/// A value and where it stands.
#[derive(Clone, Debug, PartialEq)]
pub struct Node {
    /// Where the value stands; for a value that came through an alias, where the anchored one stands.
    pub span: Span,
    /// What it is.
    pub kind: Kind,
}

/// What a [`Node`] is: the JSON data model, entries in order, nothing merged.
#[derive(Clone, Debug, PartialEq)]
pub enum Kind {
    /// `null`.
    Null,
    /// A boolean.
    Bool(bool),
    /// A number, as a JSON literal.
    Number(String),
    /// A string.
    String(String),
    /// A list.
    List(Vec<Node>),
    /// A map; a key may occur twice.
    Map(Vec<Entry>),
}

/// One entry of a map.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    /// The key as a string.
    pub key: String,
    /// Where the key stands.
    pub key_span: Span,
    /// Its value.
    pub value: Node,
}

impl Node {
    /// The value without positions. The last of equal keys counts; a number beyond the range of a double is `null`.
    #[must_use]
    pub fn to_json(&self) -> Value {
        match &self.kind {
            Kind::Null => Value::Null,
            Kind::Bool(value) => Value::Bool(*value),
            Kind::Number(literal) => number(literal),
            Kind::String(text) => Value::String(text.clone()),
            Kind::List(items) => items.iter().map(Self::to_json).collect(),
            Kind::Map(entries) => Value::Object(
                entries
                    .iter()
                    .map(|entry| (entry.key.clone(), entry.value.to_json()))
                    .collect::<Map<_, _>>(),
            ),
        }
    }

    /// The last entry of that exact key, when this is a map that has one.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&Self> {
        match &self.kind {
            Kind::Map(entries) => entries
                .iter()
                .rfind(|entry| entry.key == key)
                .map(|entry| &entry.value),
            _ => None,
        }
    }

    /// The node at a path as validation messages write it, `jwt[0].issuer.url`; `None` when there is none.
    #[must_use]
    pub fn at(&self, path: &str) -> Option<&Self> {
        let mut node = self;
        for segment in path.split(['.', '[']).filter(|segment| !segment.is_empty()) {
            node = match (segment.strip_suffix(']'), &node.kind) {
                (Some(index), Kind::List(items)) => items.get(index.parse::<usize>().ok()?)?,
                (None, Kind::Map(_)) => node.get(segment)?,
                _ => return None,
            };
        }
        Some(node)
    }

    /// Where the value at a path stands: the key that it belongs to, or the item of a list; else the deepest part of the
    /// way there. Says with it whether it is the value's own place. Where a path has no index, the first item counts.
    #[must_use]
    pub fn nearest(&self, path: &str) -> (Span, bool) {
        let (mut node, mut span) = (self, self.span);
        for part in path.split(['.', '[']).filter(|part| !part.is_empty()) {
            let index = part.strip_suffix(']').and_then(|index| index.parse().ok());
            if let (None, Kind::List(items)) = (index, &node.kind) {
                match items.first() {
                    Some(first) => node = first,
                    None => return (span, false),
                }
            }
            match (index, &node.kind) {
                (Some(index), Kind::List(items)) if items.len() > index => {
                    node = &items[index];
                    span = node.span;
                }
                (None, Kind::Map(entries)) => {
                    match entries.iter().rfind(|entry| entry.key == part) {
                        Some(entry) => (node, span) = (&entry.value, entry.key_span),
                        None => return (span, false),
                    }
                }
                _ => return (span, false),
            }
        }
        (span, true)
    }

    /// The word with which the server's JSON decoder names what it found.
    pub(crate) fn noun(&self) -> &'static str {
        match self.kind {
            Kind::Null => "null",
            Kind::Bool(_) => "bool",
            Kind::Number(_) => "number",
            Kind::String(_) => "string",
            Kind::List(_) => "array",
            Kind::Map(_) => "object",
        }
    }
}

fn number(literal: &str) -> Value {
    if let Ok(number) = literal.parse::<i64>() {
        return number.into();
    }
    if let Ok(number) = literal.parse::<u64>() {
        return number.into();
    }
    literal
        .parse::<f64>()
        .ok()
        .and_then(Number::from_f64)
        .map_or(Value::Null, Value::Number)
}
