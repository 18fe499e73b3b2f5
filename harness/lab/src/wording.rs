//! What the YAML reader finds wrong, in plain words.

use serde_saphyr::{Error, UserMessageFormatter};

use crate::source::meant;

/// What is said of a mistake, beside the place where it stands.
pub(crate) struct Words {
    pub(crate) message: String,
    pub(crate) label: String,
    pub(crate) help: Option<String>,
}

fn words(message: String, label: &str, help: Option<String>) -> Words {
    Words {
        message,
        label: label.to_owned(),
        help,
    }
}

/// Message, label and advice for an error.
pub(crate) fn of(error: &Error) -> Words {
    match error {
        Error::SerdeUnknownField {
            field, expected, ..
        } => words(
            format!("unknown key `{field}`"),
            "not a key that may stand here",
            Some(meant(field, expected)),
        ),
        Error::SerdeUnknownVariant {
            variant, expected, ..
        } => words(
            format!("unknown name `{variant}`"),
            "not known here",
            Some(meant(variant, expected)),
        ),
        Error::SerdeMissingField { field, .. } => words(
            format!("the key `{field}` is missing"),
            &format!("`{field}` belongs here"),
            Some(format!("add `{field}:` beside this key")),
        ),
        Error::DuplicateMappingKey { key, .. } => words(
            format!(
                "the key `{}` stands here twice",
                key.as_deref().unwrap_or("?")
            ),
            "the second one",
            Some("keep one of the two: a YAML mapping has each key once".to_owned()),
        ),
        Error::Unexpected { expected, .. } => {
            let (wanted, help) = match *expected {
                "mapping start" | "empty mapping start" => {
                    ("a mapping", Some("write `key: value`, a line each"))
                }
                "sequence start" => ("a list", Some("write `- value`, a line each")),
                "string scalar" | "scalar" => ("a text", None),
                other => (other, None),
            };
            words(
                format!("expected {wanted}"),
                "something else",
                help.map(str::to_owned),
            )
        }
        Error::Eof { .. } => words(
            "the file is empty".to_owned(),
            "here",
            Some("comments alone say nothing".to_owned()),
        ),
        Error::MultipleDocuments { .. } => words(
            "the file holds more than one YAML document".to_owned(),
            "the second one",
            Some("take out all but one; `---` divides them".to_owned()),
        ),
        Error::UnknownAnchor { .. } => words(
            "no anchor of this name stands before".to_owned(),
            "here",
            Some("a text that begins with `*` stands in quotes".to_owned()),
        ),
        other => {
            let message = first_line(&other.render_with_formatter(&UserMessageFormatter));
            let tab = message.starts_with("tabs disallowed");
            let help = tab.then(|| "YAML is indented by blanks".to_owned());
            words(message, "here", help)
        }
    }
}

/// The first line, without the place that the YAML reader adds: it is shown beside the text.
fn first_line(text: &str) -> String {
    let line = text.lines().next().unwrap_or_default();
    let message = match line.rfind(" at line ") {
        Some(at) if line[at..].contains(", column ") => &line[..at],
        _ => line,
    };
    message.to_owned()
}
