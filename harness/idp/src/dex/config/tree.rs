//! The file as Dex's YAML reader hands it on: YAML 1.1 turned into JSON, keys sorted, the last of equal keys.
//!
//! Dex reads by `gopkg.in/yaml.v2` as the API machinery does by its copy of it, so one reader serves both.

use authlab_authn::{tree::Span, yaml11};

pub(super) use authlab_authn::tree::{Entry, Kind, Node};

use super::{ConfigError, Place, Warning};

/// The first document of a text; null when there is none.
///
/// # Errors
/// In the words of Dex's reader.
pub(super) fn parse(text: &str) -> Result<Node, ConfigError> {
    yaml11::parse_spanned(text).map_err(|error| {
        let place = error.line().map(|line| Place { line, column: 1 });
        ConfigError::new(error.to_string(), place)
    })
}

/// Keys that stand twice in a mapping.
pub(super) fn repeated_keys(text: &str) -> Vec<Warning> {
    let error = yaml11::duplicate_keys(text).ok().flatten();
    let list = error.map(|error| error.to_string()).unwrap_or_default();
    list.lines().filter_map(repeated_key).collect()
}

/// One line of the reader's list: `line 3: key "a" already set in map`.
fn repeated_key(line: &str) -> Option<Warning> {
    let (line, rest) = line.trim().strip_prefix("line ")?.split_once(": key ")?;
    let key = rest.strip_suffix(" already set in map")?.trim_matches('"');
    Some(Warning {
        path: key.to_owned(),
        place: Place {
            line: line.parse().ok()?,
            column: 1,
        },
        message: format!("{key}: the key stands here twice, and Dex takes the last"),
    })
}

/// Where a value begins.
pub(super) fn place(span: Span) -> Place {
    Place {
        line: span.line,
        column: span.column,
    }
}

/// What Go's JSON decoder calls a value.
pub(super) fn noun(node: &Node) -> &'static str {
    match node.kind {
        Kind::Null => "null",
        Kind::Bool(_) => "bool",
        Kind::Number(_) => "number",
        Kind::String(_) => "string",
        Kind::List(_) => "array",
        Kind::Map(_) => "object",
    }
}
