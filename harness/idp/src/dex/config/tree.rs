//! YAML as Dex reads it: the scalars of YAML 1.1, anchors and merge keys, the last of two equal keys, and where in the
//! text everything stands.
//!
//! Dex hands the file to `gopkg.in/yaml.v2`, turns the result into JSON and decodes that.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

use granit_parser::{Event, Parser, ScalarStyle, Span};

use super::{ConfigError, Place};

/// A value and where it begins. Values may be secrets, hence no `Debug`.
pub(super) struct Node {
    pub place: Place,
    pub value: Value,
}

pub(super) enum Value {
    Null,
    Bool(bool),
    Number,
    Text(String),
    List(Vec<Arc<Node>>),
    /// Sorted by key, as the JSON between YAML and Dex is.
    Map(BTreeMap<String, Entry>),
}

pub(super) struct Entry {
    /// Where the key stands.
    pub place: Place,
    /// Whether an earlier equal key was given up for this one.
    pub repeated: bool,
    pub node: Arc<Node>,
}

impl Value {
    /// What Go's JSON decoder calls it.
    pub(super) fn kind(&self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Bool(_) => "bool",
            Self::Number => "number",
            Self::Text(_) => "string",
            Self::List(_) => "array",
            Self::Map(_) => "object",
        }
    }
}

/// The first document of a text; null when there is none.
pub(super) fn parse(text: &str) -> Result<Arc<Node>, ConfigError> {
    let mut builder = Builder {
        events: Parser::new_from_str(text),
        anchors: HashMap::new(),
    };
    loop {
        match builder.next()? {
            (Event::DocumentStart(..), _) => {
                let first = builder.next()?;
                return builder.node(first);
            }
            (Event::StreamEnd, span) => return Ok(leaf(place(span), Value::Null)),
            _ => {}
        }
    }
}

struct Builder<'t, I: Iterator<Item = Result<(Event<'t>, Span), granit_parser::ScanError>>> {
    events: I,
    anchors: HashMap<usize, Arc<Node>>,
}

impl<'t, I: Iterator<Item = Result<(Event<'t>, Span), granit_parser::ScanError>>> Builder<'t, I> {
    /// The next event that is not a comment.
    fn next(&mut self) -> Result<(Event<'t>, Span), ConfigError> {
        loop {
            match self.events.next() {
                Some(Ok((event, span))) if event.is_node() || structural(&event) => {
                    return Ok((event, span));
                }
                Some(Ok(_)) => {}
                Some(Err(error)) => {
                    let place = Place::new(error.marker().line(), error.marker().col());
                    return Err(unreadable(place, &error.info()));
                }
                None => return Ok((Event::StreamEnd, Span::default())),
            }
        }
    }

    fn node(&mut self, (event, span): (Event<'t>, Span)) -> Result<Arc<Node>, ConfigError> {
        let place = place(span);
        let (anchor, value) = match event {
            Event::Alias(anchor) => {
                return self
                    .anchors
                    .get(&anchor)
                    .map(Arc::clone)
                    .ok_or_else(|| unreadable(place, "anchor value contains itself"));
            }
            Event::Scalar(text, style, anchor, tag) => {
                let tag = tag.as_deref().map(|tag| tag.suffix().to_owned());
                (anchor, scalar(&text, style, tag.as_deref()))
            }
            Event::SequenceStart(_, anchor, _) => (anchor, self.list()?),
            Event::MappingStart(_, anchor, _) => (anchor, self.map()?),
            _ => return Err(unreadable(place, "did not find expected node content")),
        };
        let node = leaf(place, value);
        if anchor != 0 {
            self.anchors.insert(anchor, Arc::clone(&node));
        }
        Ok(node)
    }

    fn list(&mut self) -> Result<Value, ConfigError> {
        let mut items = Vec::new();
        loop {
            match self.next()? {
                (Event::SequenceEnd, _) => return Ok(Value::List(items)),
                event => items.push(self.node(event)?),
            }
        }
    }

    fn map(&mut self) -> Result<Value, ConfigError> {
        let mut map = BTreeMap::new();
        loop {
            let (event, span) = self.next()?;
            if matches!(event, Event::MappingEnd) {
                return Ok(Value::Map(map));
            }
            let merge =
                matches!(&event, Event::Scalar(text, ScalarStyle::Plain, _, None) if text == "<<");
            let key = match &event {
                Event::Scalar(text, ..) => text.to_string(),
                _ => return Err(unreadable(place(span), "unsupported map key")),
            };
            self.node((event, span))?;
            let next = self.next()?;
            let node = self.node(next)?;
            if merge {
                merge_into(&mut map, &node)?;
            } else {
                put(&mut map, key, place(span), node);
            }
        }
    }
}

/// Keys of a merged map stand beside those of the map itself; of a list of maps the earlier win.
fn merge_into(map: &mut BTreeMap<String, Entry>, node: &Node) -> Result<(), ConfigError> {
    match &node.value {
        Value::Map(merged) => {
            for (key, entry) in merged {
                map.insert(
                    key.clone(),
                    Entry {
                        place: entry.place,
                        repeated: false,
                        node: Arc::clone(&entry.node),
                    },
                );
            }
            Ok(())
        }
        Value::List(items) => items
            .iter()
            .rev()
            .filter(|item| matches!(item.value, Value::Map(_)))
            .try_for_each(|item| merge_into(map, item)),
        _ => Err(unreadable(
            node.place,
            "map merge requires map or sequence of maps as the value",
        )),
    }
}

fn put(map: &mut BTreeMap<String, Entry>, key: String, place: Place, node: Arc<Node>) {
    let repeated = map.contains_key(&key);
    map.insert(
        key,
        Entry {
            place,
            repeated,
            node,
        },
    );
}

fn structural(event: &Event<'_>) -> bool {
    matches!(
        event,
        Event::DocumentStart(..)
            | Event::SequenceEnd
            | Event::MappingEnd
            | Event::StreamEnd
            | Event::DocumentEnd
    )
}

fn leaf(place: Place, value: Value) -> Arc<Node> {
    Arc::new(Node { place, value })
}

fn place(span: Span) -> Place {
    Place::new(span.start.line(), span.start.col())
}

fn unreadable(place: Place, reason: &str) -> ConfigError {
    ConfigError::new(format!("yaml: line {}: {reason}", place.line), Some(place))
}

/// What a scalar is (the resolver of `gopkg.in/yaml.v2`; dates are text to Dex).
fn scalar(text: &str, style: ScalarStyle, tag: Option<&str>) -> Value {
    let plain = style == ScalarStyle::Plain;
    match tag {
        Some("bool" | "int" | "float" | "null") => {}
        None if plain => {}
        _ => return Value::Text(text.to_owned()),
    }
    match text {
        "y" | "Y" | "yes" | "Yes" | "YES" | "true" | "True" | "TRUE" | "on" | "On" | "ON" => {
            Value::Bool(true)
        }
        "n" | "N" | "no" | "No" | "NO" | "false" | "False" | "FALSE" | "off" | "Off" | "OFF" => {
            Value::Bool(false)
        }
        "" | "~" | "null" | "Null" | "NULL" => Value::Null,
        _ if is_number(text) => Value::Number,
        _ => Value::Text(text.to_owned()),
    }
}

/// Integers with a sign, underscores and the prefixes `0x`, `0o`, `0b`; floats; infinities and what is not a number.
fn is_number(text: &str) -> bool {
    if matches!(
        text.to_ascii_lowercase().trim_start_matches(['+', '-']),
        ".inf" | ".nan"
    ) {
        return true;
    }
    if !text.starts_with(|c: char| c.is_ascii_digit() || matches!(c, '+' | '-' | '.')) {
        return false;
    }
    let text = text.replace('_', "");
    let unsigned = text
        .strip_prefix(['+', '-'])
        .unwrap_or(&text)
        .to_ascii_lowercase();
    let radix = [("0x", 16), ("0o", 8), ("0b", 2)];
    match radix
        .iter()
        .find_map(|(prefix, radix)| Some((unsigned.strip_prefix(prefix)?, *radix)))
    {
        Some((digits, radix)) => {
            !digits.starts_with('+') && u64::from_str_radix(digits, radix).is_ok()
        }
        None => is_decimal(&unsigned),
    }
}

/// `12`, `1.5`, `.5`, `1.`, each with an exponent or without.
fn is_decimal(unsigned: &str) -> bool {
    let (mantissa, exponent) = match unsigned.split_once('e') {
        Some((mantissa, exponent)) => (
            mantissa,
            Some(exponent.strip_prefix(['+', '-']).unwrap_or(exponent)),
        ),
        None => (unsigned, None),
    };
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    digits(whole)
        && digits(fraction)
        && !(whole.is_empty() && fraction.is_empty())
        && exponent.is_none_or(|exponent| !exponent.is_empty() && digits(exponent))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn show(node: &Node) -> String {
        match &node.value {
            Value::Null => "null".to_owned(),
            Value::Bool(flag) => flag.to_string(),
            Value::Number => "number".to_owned(),
            Value::Text(text) => format!("{text:?}"),
            Value::List(items) => format!(
                "[{}]",
                items
                    .iter()
                    .map(|item| show(item))
                    .collect::<Vec<_>>()
                    .join(", ")
            ),
            Value::Map(map) => {
                let entries: Vec<_> = map
                    .iter()
                    .map(|(key, entry)| format!("{key}: {}", show(&entry.node)))
                    .collect();
                format!("{{{}}}", entries.join(", "))
            }
        }
    }

    fn read(text: &str) -> String {
        match parse(text) {
            Ok(node) => show(&node),
            Err(error) => error.to_string(),
        }
    }

    #[test]
    fn scalars_are_those_of_yaml_1_1() {
        assert_eq!(
            read(
                "[yes, Off, y, 'yes', ~, 0x1f, 0777, 08, 1_000, 1e3, .5, -.inf, 1.2.3, 0xg, 1h, 2001-01-01, !!str 1]"
            ),
            r#"[true, false, true, "yes", null, number, number, number, number, number, number, number, "1.2.3", "0xg", "1h", "2001-01-01", "1"]"#
        );
        assert_eq!(read(""), "null");
        assert_eq!(read("a: |\n  x\n  y\n"), r#"{a: "x\ny\n"}"#);
    }

    #[test]
    fn anchors_merges_and_repetitions() {
        assert_eq!(
            read("a: &x {k: 1, l: a}\nb: {<<: *x, k: b}\nc: *x"),
            r#"{a: {k: number, l: "a"}, b: {k: "b", l: "a"}, c: {k: number, l: "a"}}"#
        );
        assert_eq!(read("{a: 1, a: b}"), r#"{a: "b"}"#);
        assert_eq!(
            read("a: &x [*x]"),
            "yaml: line 1: anchor value contains itself"
        );
        assert_eq!(
            read("b: {<<: [{k: 1}, {k: a}]}\n---\nc: 1"),
            "{b: {k: number}}"
        );
    }
}
