//! Placeholders `${lab.*}`: values that only a running lab knows, put into files and expectations.
//!
//! Only names that begin with `lab.` are ours: every other `${...}` passes untouched, because
//! Keycloak exports are full of them.

use std::borrow::Cow;
use std::collections::BTreeMap;

use crate::source::{Source, SourceError, nearest};

/// Placeholder names without `${` and `}`, and what they stand for.
pub type Values = BTreeMap<String, String>;

const OPEN: &str = "${lab.";
/// What the names of all placeholders begin with.
const PREFIX: &str = "lab.";

/// Fills the placeholders of a file. They stand inside double quotes (YAML and JSON alike) and are
/// inserted JSON-escaped, so that a certificate of many lines keeps the file's lines.
///
/// # Errors
/// When a name is unknown, is not closed, or stands outside double quotes.
pub fn file(source: &Source, values: &Values) -> Result<String, SourceError> {
    fill(source.text(), values, true).map_err(|fault| fault.at(source))
}

/// Fills the placeholders of one value that is already parsed, without escapes.
///
/// # Errors
/// When a name is unknown or not closed; the message names it.
pub fn value<'a>(text: &'a str, values: &Values) -> Result<Cow<'a, str>, String> {
    if !text.contains(OPEN) {
        return Ok(Cow::Borrowed(text));
    }
    fill(text, values, false)
        .map(Cow::Owned)
        .map_err(|fault| match fault.help {
            Some(help) => format!("{} ({help})", fault.message),
            None => fault.message,
        })
}

struct Fault {
    offset: usize,
    len: usize,
    message: String,
    help: Option<String>,
}

impl Fault {
    fn at(self, source: &Source) -> SourceError {
        let error = source.error_at(self.offset, self.len, self.message, "this placeholder");
        match self.help {
            Some(help) => error.or_help(help),
            None => error,
        }
    }
}

fn fill(text: &str, values: &Values, quoted: bool) -> Result<String, Fault> {
    let mut out = String::with_capacity(text.len());
    let mut done = 0;
    while let Some(found) = text[done..].find(OPEN) {
        let start = done + found;
        let place = if quoted {
            stands(text, start)
        } else {
            Place::Quoted
        };
        if place == Place::Comment {
            let end = start + OPEN.len();
            out.push_str(&text[done..end]);
            done = end;
            continue;
        }
        let word = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
        let name = text[start + 2..].split(|c| !word(c)).next().unwrap_or("");
        let len = 2 + name.len();
        if !text[start + len..].starts_with('}') {
            return Err(Fault {
                offset: start,
                len,
                message: "a placeholder is not closed".to_owned(),
                help: Some(format!("write ${{{name}}}")),
            });
        }
        out.push_str(&text[done..start]);
        done = start + len + 1;
        let Some(value) = values.get(name) else {
            return Err(unknown(name, start, len + 1, values));
        };
        match place {
            Place::Quoted if quoted => {
                let escaped = serde_json::Value::from(value.as_str()).to_string();
                out.push_str(&escaped[1..escaped.len() - 1]);
            }
            Place::Quoted => out.push_str(value),
            Place::Bare | Place::Comment => {
                return Err(Fault {
                    offset: start,
                    len: len + 1,
                    message: format!("`${{{name}}}` stands outside double quotes"),
                    help: Some(format!("write \"${{{name}}}\"")),
                });
            }
        }
    }
    out.push_str(&text[done..]);
    Ok(out)
}

fn unknown(name: &str, offset: usize, len: usize, values: &Values) -> Fault {
    // What all names begin with makes no two of them alike.
    let typed = name.strip_prefix(PREFIX).unwrap_or(name);
    let known = values.keys().filter_map(|name| name.strip_prefix(PREFIX));
    let help = match nearest(typed, known) {
        Some(near) => format!("did you mean `${{{PREFIX}{near}}}`?"),
        None => format!(
            "this lab has: {}",
            values.keys().cloned().collect::<Vec<_>>().join(", ")
        ),
    };
    Fault {
        offset,
        len,
        message: format!("this lab has no value `{name}`"),
        help: Some(help),
    }
}

/// What a place on a line is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    /// Inside double quotes.
    Quoted,
    /// Behind a `#` that begins a comment.
    Comment,
    /// Anywhere else, single quotes included.
    Bare,
}

/// What the place at `offset` is, as far as its line tells: double quotes and comments are the same
/// in YAML and, comments apart, in JSON.
fn stands(text: &str, offset: usize) -> Place {
    let line = text[..offset].rsplit('\n').next().unwrap_or("");
    let mut quote = None;
    let mut before = ' ';
    let mut escaped = false;
    for c in line.chars() {
        match (quote, c) {
            (Some('"'), _) if escaped => escaped = false,
            (Some('"'), '\\') => escaped = true,
            (Some(open), _) if c == open => quote = None,
            (None, '#') if before.is_whitespace() => return Place::Comment,
            // An apostrophe within a word opens nothing.
            (None, '"' | '\'') if !before.is_alphanumeric() => quote = Some(c),
            _ => {}
        }
        before = c;
    }
    match quote {
        Some('"') => Place::Quoted,
        _ => Place::Bare,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn values() -> Values {
        [
            ("lab.ca".to_owned(), "-----BEGIN\nx\"y\n".to_owned()),
            ("lab.idp.dex.issuer".to_owned(), "https://i".to_owned()),
        ]
        .into()
    }

    #[test]
    fn a_value_of_many_lines_keeps_the_lines_of_the_file() {
        let source = Source::new("f.yaml", "a: \"${lab.ca}\"\nb: ${role_default}\n");
        assert_eq!(
            file(&source, &values()).unwrap(),
            "a: \"-----BEGIN\\nx\\\"y\\n\"\nb: ${role_default}\n"
        );
    }

    #[test]
    fn comments_are_left_alone() {
        let text =
            "# ${lab.*} is ours\na: \"# ${lab.idp.dex.issuer}\" # not ${lab.x\nb: 'it''s' # ${lab.";
        let filled = file(&Source::new("f.yaml", text), &values()).unwrap();
        assert_eq!(filled, text.replace("${lab.idp.dex.issuer}", "https://i"));
        let apostrophe = "a: it's \"${lab.idp.dex.issuer}\"";
        let filled = file(&Source::new("f.yaml", apostrophe), &values()).unwrap();
        assert_eq!(filled, "a: it's \"https://i\"");
    }

    #[test]
    fn mistakes_are_named_with_a_hint() {
        let error = file(
            &Source::new("f.yaml", "x: 1\na: \"${lab.idp.dx.issuer}\""),
            &values(),
        )
        .unwrap_err();
        assert_eq!(error.location(), Some((2, 5)));
        assert_eq!(
            error.help_text(),
            Some("did you mean `${lab.idp.dex.issuer}`?")
        );
        let error = file(&Source::new("f.yaml", "a: ${lab.ca}"), &values()).unwrap_err();
        assert!(error.to_string().contains("outside double quotes"));
        assert!(value("${lab.ca", &values()).is_err());
    }
}
