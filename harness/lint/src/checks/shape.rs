//! The form of an authentication configuration: YAML, keys, lists, and what the API server itself refuses.

use authlab_authn::{
    config::{self, ConfigError},
    tree::{Kind, Node},
    yaml11,
};
use authlab_lab::source::meant;

use crate::{
    document::{Document, Form},
    finding::Out,
    run::filled,
};

/// Whether the text is YAML, and no key stands twice.
pub(crate) fn yaml(document: &Document, out: &mut Out<'_>) {
    if let Err(error) = yaml11::parse_spanned(&document.text) {
        let offset = document.line(error.line().unwrap_or(1));
        let message = error.to_string();
        let tab = document
            .text
            .lines()
            .nth(error.line().unwrap_or(1).saturating_sub(1));
        if tab.is_some_and(|line| line.trim_start_matches(' ').starts_with('\t')) {
            let message = "this line is indented by a tab";
            out.with_help("yaml", offset, message, "YAML is indented by blanks");
        } else {
            out.add("yaml", offset, message);
        }
        return;
    }
    let Ok(Some(error)) = yaml11::duplicate_keys(&document.text) else {
        return;
    };
    for line in error.to_string().lines() {
        let Some((number, rest)) = line
            .trim()
            .strip_prefix("line ")
            .and_then(|line| line.split_once(": "))
        else {
            continue;
        };
        let line = number.parse().unwrap_or(1);
        let key = rest.split('"').nth(1).unwrap_or_default();
        let start = document.line(line);
        let within = document.text[start..].find(key).unwrap_or(0);
        out.add(
            "duplicate-key",
            start + within,
            format!("the key `{key}` stands twice in this mapping"),
        );
    }
}

/// Lists that people write as something else.
const LISTS: &[&str] = &[
    "issuer.audiences",
    "claimMappings.extra",
    "claimValidationRules",
    "userValidationRules",
];

/// Keys and lists of an authentication configuration, or of a part of one.
pub(crate) fn keys(document: &Document, out: &mut Out<'_>) {
    let authenticators = document.authenticators();
    for (_, node) in &authenticators {
        for list in LISTS {
            let Some(found) = node.at(list) else { continue };
            let noun = match &found.kind {
                Kind::Map(_) => "a mapping",
                Kind::String(_) => "a text",
                _ => continue,
            };
            let name = list.rsplit('.').next().unwrap_or(list);
            let message = format!("`{name}` is a list, and this is {noun}");
            out.add("not-a-list", node.nearest(list).0.start, message);
        }
        unknown(node, "jwt[0]", out);
    }
    if let (Form::Authentication(""), Kind::Map(entries)) = (document.form, &document.tree.kind) {
        for entry in entries.iter().filter(|entry| entry.key != "jwt") {
            if config::keys("").contains(&entry.key.as_str()) {
                unknown(&entry.value, &entry.key, out);
            } else {
                name_unknown("", &entry.key, entry.key_span.start, out);
            }
        }
    }
}

fn unknown(node: &Node, path: &str, out: &mut Out<'_>) {
    match &node.kind {
        Kind::Map(entries) => {
            let allowed = config::keys(path);
            for entry in entries {
                if allowed.contains(&entry.key.as_str()) {
                    unknown(&entry.value, &format!("{path}.{}", entry.key), out);
                } else if !allowed.is_empty() {
                    name_unknown(path, &entry.key, entry.key_span.start, out);
                }
            }
        }
        Kind::List(items) => {
            for item in items {
                unknown(item, &format!("{path}[0]"), out);
            }
        }
        _ => {}
    }
}

fn name_unknown(path: &str, key: &str, offset: usize, out: &mut Out<'_>) {
    if path.contains(".extra") && key == "expression" {
        out.add(
            "extra-expression",
            offset,
            "items of `extra` have no key `expression`",
        );
        return;
    }
    let help = meant(key, &config::keys(path));
    out.with_help(
        "unknown-key",
        offset,
        format!("there is no key `{key}` here"),
        help,
    );
}

/// What the API server says of a whole file, where nothing else has been said of it.
pub(crate) fn refused(document: &Document, out: &mut Out<'_>) {
    if document.form != Form::Authentication("") || !document.whole {
        return;
    }
    let Err(error) = config::load(&filled(&document.text), &[]) else {
        return;
    };
    match error {
        ConfigError::Invalid(violations) => {
            for violation in violations {
                let place = document.tree.nearest(&violation.path).0.start;
                let message = format!("{}: {}", violation.path, violation.message);
                if violation.message.contains("discoveryURL must be different") {
                    out.add(
                        "discovery-url",
                        place,
                        "the discoveryURL is the issuer's own URL",
                    );
                } else {
                    out.add("refused", place, first_line(&message));
                }
            }
        }
        error => {
            // Unknown keys, keys that stand twice and wrong lists have been named one by one.
            let named = out.findings.iter().any(|finding| {
                let ids = [
                    "yaml",
                    "unknown-key",
                    "duplicate-key",
                    "extra-expression",
                    "not-a-list",
                ];
                ids.contains(&finding.rule.id)
            });
            if !named {
                let key = ["kind", "apiVersion"]
                    .iter()
                    .find_map(|key| document.tree.get(key));
                let place = key.map_or(0, |node| node.span.start);
                out.add("refused", place, first_line(&error.to_string()));
            }
        }
    }
}

fn first_line(text: &str) -> String {
    let mut lines = text.lines();
    let first = lines.next().unwrap_or_default().to_owned();
    if lines.next().is_some() {
        format!("{first} ...")
    } else {
        first
    }
}
