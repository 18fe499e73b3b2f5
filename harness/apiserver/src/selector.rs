//! Label and field selectors of list and watch requests.
//!
//! Grammar and texts follow k8s.io/apimachinery `labels` and `fields`.

use serde_json::Value;

use crate::object::Object;
use crate::status::Status;

/// What a list or watch is narrowed to.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Selector {
    labels: Vec<Requirement>,
    fields: Vec<(String, bool, String)>,
}

#[derive(Debug, Clone, PartialEq)]
struct Requirement {
    key: String,
    test: Test,
}

#[derive(Debug, Clone, PartialEq)]
enum Test {
    In(Vec<String>),
    NotIn(Vec<String>),
    Exists,
    Missing,
    Greater(i64),
    Less(i64),
}

impl Selector {
    /// Parses both parameters; `known` are the fields that the kind can be selected by besides
    /// its name and namespace.
    pub(crate) fn parse(
        labels: Option<&str>,
        fields: Option<&str>,
        known: &[&str],
    ) -> Result<Self, Status> {
        Ok(Self {
            labels: parse_labels(labels.unwrap_or_default()).map_err(Status::bad_request)?,
            fields: parse_fields(fields.unwrap_or_default(), known).map_err(Status::bad_request)?,
        })
    }

    pub(crate) fn matches(&self, object: &Value) -> bool {
        self.labels
            .iter()
            .all(|one| one.matches(object.label(&one.key)))
            && self
                .fields
                .iter()
                .all(|(field, equal, value)| (field_text(object, field) == *value) == *equal)
    }
}

impl Requirement {
    fn matches(&self, value: Option<&str>) -> bool {
        let number = || value.and_then(|value| value.parse::<i64>().ok());
        match &self.test {
            Test::In(values) => value.is_some_and(|value| values.iter().any(|one| one == value)),
            Test::NotIn(values) => {
                !value.is_some_and(|value| values.iter().any(|one| one == value))
            }
            Test::Exists => value.is_some(),
            Test::Missing => value.is_none(),
            Test::Greater(limit) => number().is_some_and(|number| number > *limit),
            Test::Less(limit) => number().is_some_and(|number| number < *limit),
        }
    }
}

fn field_text(object: &Value, path: &str) -> String {
    let value = path.split('.').fold(object, |value, key| &value[key]);
    match value {
        Value::String(text) => text.clone(),
        Value::Null => String::new(),
        other => other.to_string(),
    }
}

fn parse_fields(text: &str, known: &[&str]) -> Result<Vec<(String, bool, String)>, String> {
    let mut fields = Vec::new();
    for term in text.split(',').filter(|term| !term.is_empty()) {
        let (field, equal, value) = if let Some((field, value)) = term.split_once("!=") {
            (field, false, value)
        } else if let Some((field, value)) = term.split_once('=') {
            (field, true, value.strip_prefix('=').unwrap_or(value))
        } else {
            return Err(format!(
                "invalid selector: '{text}'; can't understand '{term}'"
            ));
        };
        if !["metadata.name", "metadata.namespace"].contains(&field) && !known.contains(&field) {
            return Err(if known.is_empty() {
                format!(
                    "{field:?} is not a known field selector: only \"metadata.name\", \"metadata.namespace\""
                )
            } else {
                format!("field label not supported: {field}")
            });
        }
        fields.push((field.to_owned(), equal, value.to_owned()));
    }
    Ok(fields)
}

/// The words and signs of a label selector.
fn tokens(text: &str) -> Vec<String> {
    let mut tokens: Vec<String> = Vec::new();
    let mut word = false;
    for c in text.chars() {
        let joins = matches!(
            (tokens.last().map(String::as_str), c),
            (Some("=" | "!"), '=')
        );
        match c {
            c if c.is_whitespace() => word = false,
            '=' if joins => {
                if let Some(last) = tokens.last_mut() {
                    last.push(c);
                }
            }
            '=' | '!' | ',' | '(' | ')' | '<' | '>' => {
                tokens.push(c.to_string());
                word = false;
            }
            c if word => {
                if let Some(last) = tokens.last_mut() {
                    last.push(c);
                }
            }
            c => {
                tokens.push(c.to_string());
                word = true;
            }
        }
    }
    tokens
}

fn parse_labels(text: &str) -> Result<Vec<Requirement>, String> {
    let tokens = tokens(text);
    let mut rest = tokens.iter().map(String::as_str).peekable();
    let mut requirements = Vec::new();
    while let Some(first) = rest.peek() {
        if *first != "!" && !first.starts_with(char::is_alphanumeric) {
            return Err(format!(
                "found '{first}', expected: !, identifier, or 'end of string'"
            ));
        }
        requirements.push(
            requirement(&mut rest)
                .map_err(|error| format!("unable to parse requirement: {error}"))?,
        );
        match rest.next() {
            None => break,
            Some(",") if rest.peek().is_some() => {}
            Some(",") => return Err("found '', expected: identifier after ','".to_owned()),
            Some(other) => {
                return Err(format!("found '{other}', expected: ',' or 'end of string'"));
            }
        }
    }
    Ok(requirements)
}

fn requirement<'a>(
    rest: &mut std::iter::Peekable<impl Iterator<Item = &'a str>>,
) -> Result<Requirement, String> {
    let missing = rest.next_if_eq(&"!").is_some();
    let key = rest.next().unwrap_or_default();
    if key.is_empty() || !key.starts_with(|c: char| c.is_alphanumeric()) {
        return Err(format!(
            "found '{key}', expected: !, identifier, or 'end of string'"
        ));
    }
    let key = key.to_owned();
    if missing {
        return Ok(Requirement {
            key,
            test: Test::Missing,
        });
    }
    let test = match rest.peek().copied() {
        None | Some(",") => Test::Exists,
        Some(sign) => {
            rest.next();
            match sign {
                "=" | "==" => Test::In(vec![value(rest)]),
                "!=" => Test::NotIn(vec![value(rest)]),
                "in" => Test::In(values(rest)?),
                "notin" => Test::NotIn(values(rest)?),
                ">" | "gt" => Test::Greater(number(&value(rest))?),
                "<" | "lt" => Test::Less(number(&value(rest))?),
                other => {
                    return Err(format!(
                        "found '{other}', expected: in, notin, =, ==, !=, gt, lt"
                    ));
                }
            }
        }
    };
    Ok(Requirement { key, test })
}

fn value<'a>(rest: &mut std::iter::Peekable<impl Iterator<Item = &'a str>>) -> String {
    rest.next_if(|next| *next != ",")
        .unwrap_or_default()
        .to_owned()
}

fn values<'a>(
    rest: &mut std::iter::Peekable<impl Iterator<Item = &'a str>>,
) -> Result<Vec<String>, String> {
    match rest.next().unwrap_or_default() {
        "(" => {}
        other => return Err(format!("found '{other}' expected: '('")),
    }
    let mut values = Vec::new();
    loop {
        match rest.next() {
            Some(")") => return Ok(values),
            Some(",") => {}
            Some(value) => values.push(value.to_owned()),
            None => return Err("found '', expected: ',' or ')'".to_owned()),
        }
    }
}

fn number(text: &str) -> Result<i64, String> {
    text.parse()
        .map_err(|_| "for 'Gt', 'Lt' operators, the value must be an integer".to_owned())
}

#[cfg(test)]
mod tests;
