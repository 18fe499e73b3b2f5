//! The verb reference: the doc comments of the verbs, as the schema carries them.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use serde_json::Value;

/// Where the schema keeps what it names.
const DEFINITIONS: &str = "#/$defs/";

/// The reference of all verbs, in Markdown.
///
/// # Panics
/// Never: the schema has steps.
#[must_use]
pub fn reference() -> String {
    let schema = super::raw();
    let book = Book::new(&schema);
    let mut out = String::from(
        "# The verbs\n\n\
         <!-- Made from the doc comments of harness/scenario by `cargo xtask schema --docs`. -->\n\n\
         A step of a scenario is a map with one key, the verb. Of the keys below those that are not\n\
         `required` may be left out.\n\n| Verb | |\n|---|---|\n",
    );
    for verb in &book.verbs {
        let _ = writeln!(
            out,
            "| [`{0}`](#{1}) | {2} |",
            verb.name,
            verb.name.to_lowercase(),
            verb.line
        );
    }
    for verb in &book.verbs {
        let _ = write!(out, "\n## {}\n\n{}\n\n", verb.name, text(verb.schema));
        book.keys(verb.schema, 0, &mut out);
    }
    out.push_str("\n# Forms that several verbs share\n");
    for name in &book.shared {
        let schema = &book.definitions[name];
        let _ = write!(out, "\n## {}\n\n{}\n\n", title(name), text(schema));
        book.keys(schema, 0, &mut out);
    }
    out
}

struct Verb<'a> {
    name: &'a str,
    line: &'a str,
    schema: &'a Value,
}

struct Book<'a> {
    verbs: Vec<Verb<'a>>,
    definitions: BTreeMap<&'a str, &'a Value>,
    /// Definitions that more than one verb uses.
    shared: BTreeSet<&'a str>,
}

/// The name of the definition that a schema refers to.
fn target(schema: &Value) -> Option<&str> {
    schema["$ref"].as_str()?.strip_prefix(DEFINITIONS)
}

fn list<'a>(schema: &'a Value, member: &str) -> &'a [Value] {
    schema[member].as_array().map_or(&[], Vec::as_slice)
}

/// The one property of a variant of an enum, and what it holds.
fn variant(schema: &Value) -> Option<(&str, &Value)> {
    let (name, inner) = schema["properties"].as_object()?.iter().next()?;
    Some((name, inner))
}

/// A description on one line, behind a colon; nothing where there is none.
fn line(schema: &Value) -> String {
    let Some(words) = schema["description"].as_str() else {
        return String::new();
    };
    let words: Vec<&str> = words.split_whitespace().collect();
    format!(": {}", words.join(" "))
}

/// A description as it was written.
fn text(schema: &Value) -> &str {
    schema["description"]
        .as_str()
        .unwrap_or_default()
        .trim_end()
}

/// `TextMatch` as a heading: `text match`.
fn title(name: &str) -> String {
    let mut out = String::new();
    for c in name.chars() {
        if c.is_uppercase() && !out.is_empty() {
            out.push(' ');
        }
        out.extend(c.to_lowercase());
    }
    out
}

impl<'a> Book<'a> {
    fn new(schema: &'a Value) -> Self {
        let definitions: BTreeMap<&str, &Value> = schema["$defs"]
            .as_object()
            .into_iter()
            .flatten()
            .map(|(name, schema)| (name.as_str(), schema))
            .collect();
        let mut book = Self {
            verbs: Vec::new(),
            definitions,
            shared: BTreeSet::new(),
        };
        let step = book.follow(&schema["properties"]["steps"]["items"]);
        let mut users: BTreeMap<&str, usize> = BTreeMap::new();
        for one in list(step, "oneOf") {
            let Some((name, inner)) = variant(one) else {
                continue;
            };
            let mut met = BTreeSet::new();
            book.meet(inner, &mut met);
            for name in met {
                *users.entry(name).or_default() += 1;
            }
            book.verbs.push(Verb {
                name,
                line: one["description"].as_str().unwrap_or_default(),
                schema: book.follow(inner),
            });
        }
        let several = users.into_iter().filter(|(_, count)| *count > 1);
        // Plain words are told where they are used.
        book.shared = several
            .map(|(name, _)| name)
            .filter(|name| !book.is_words(book.definitions[name]))
            .collect();
        book
    }

    fn follow(&self, schema: &'a Value) -> &'a Value {
        let found = target(schema).and_then(|name| self.definitions.get(name));
        found.copied().unwrap_or(schema)
    }

    /// Every definition that a schema leads to.
    fn meet(&self, schema: &'a Value, met: &mut BTreeSet<&'a str>) {
        if let Some(name) = target(schema) {
            if met.insert(name) {
                self.meet(self.definitions[name], met);
            }
            return;
        }
        match schema {
            Value::Array(items) => items.iter().for_each(|item| self.meet(item, met)),
            Value::Object(map) => map.values().for_each(|item| self.meet(item, met)),
            _ => {}
        }
    }

    /// Whether a schema is a choice among words and nothing else.
    fn is_words(&self, schema: &Value) -> bool {
        let words = list(schema, "oneOf");
        schema["enum"].is_array()
            || (!words.is_empty()
                && words
                    .iter()
                    .all(|word| word["const"].is_string() || word["enum"].is_array()))
    }

    /// The keys of a schema, or the words of an enum, as a nested list.
    fn keys(&self, schema: &'a Value, depth: usize, out: &mut String) {
        let pad = "  ".repeat(depth);
        let required: Vec<&str> = list(schema, "required")
            .iter()
            .filter_map(Value::as_str)
            .collect();
        for (name, inner) in schema["properties"].as_object().into_iter().flatten() {
            let must = if required.contains(&name.as_str()) {
                ", required"
            } else {
                ""
            };
            let _ = writeln!(
                out,
                "{pad}- `{name}` ({}{must}){}",
                self.kind(inner),
                line(inner)
            );
            self.below(inner, depth + 1, out);
        }
        for word in list(schema, "oneOf") {
            if let Some(name) = word["const"].as_str() {
                let _ = writeln!(out, "{pad}- `{name}`{}", line(word));
            }
            for name in list(word, "enum").iter().filter_map(Value::as_str) {
                let _ = writeln!(out, "{pad}- `{name}`");
            }
            if let Some((name, inner)) = variant(word) {
                let kind = match self.kind(inner).as_str() {
                    "map" => String::new(),
                    kind => format!(" ({kind})"),
                };
                let _ = writeln!(out, "{pad}- `{name}`{kind}{}", line(word));
                self.below(inner, depth + 1, out);
            }
        }
    }

    /// What stands below a key: the keys of what it holds, where no other verb has them.
    fn below(&self, schema: &'a Value, depth: usize, out: &mut String) {
        if let Some(name) = target(schema) {
            if !self.shared.contains(name) {
                self.keys(self.definitions[name], depth, out);
            }
            return;
        }
        if schema["properties"].is_object() {
            self.keys(schema, depth, out);
        }
        for inner in list(schema, "anyOf") {
            self.below(inner, depth, out);
        }
        for member in ["items", "additionalProperties"] {
            if schema[member].is_object() {
                self.below(&schema[member], depth, out);
            }
        }
    }

    /// What a key holds, in a few words.
    fn kind(&self, schema: &Value) -> String {
        if let Some(name) = target(schema) {
            return match self.shared.contains(name) {
                true => format!("[{0}](#{1})", title(name), title(name).replace(' ', "-")),
                false if self.is_words(self.definitions[name]) => "word".to_owned(),
                false => self.kind(self.definitions[name]),
            };
        }
        if !list(schema, "anyOf").is_empty() {
            let mut kinds: Vec<String> = Vec::new();
            for inner in list(schema, "anyOf") {
                let kind = self.kind(inner);
                if kind != "nothing" && !kinds.contains(&kind) {
                    kinds.push(kind);
                }
            }
            return kinds.join(" or ");
        }
        if schema["enum"].is_array() || self.is_words(schema) {
            return "word".to_owned();
        }
        let named = match &schema["type"] {
            Value::String(name) => vec![name.as_str()],
            Value::Array(names) => names.iter().filter_map(Value::as_str).collect(),
            _ if !list(schema, "oneOf").is_empty() => vec!["object"],
            _ => Vec::new(),
        };
        let kinds: Vec<String> = named
            .into_iter()
            .filter(|name| *name != "null")
            .map(|name| match name {
                "string" => "text".to_owned(),
                "integer" | "number" => "number".to_owned(),
                "boolean" => "true or false".to_owned(),
                "null" => "nothing".to_owned(),
                "array" => format!("list of {}", self.kind(&schema["items"])),
                _ => "map".to_owned(),
            })
            .collect();
        match kinds.is_empty() {
            true if schema["type"] == "null" => "nothing".to_owned(),
            true => "anything".to_owned(),
            false => kinds.join(" or "),
        }
    }
}
