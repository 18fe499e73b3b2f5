//! What an expression made of what it read.

use serde_json::Value as Json;

use super::words;
use crate::cel::{self, Output, Scope, Value};

/// Names of claims that are times.
const TIMES: [&str; 5] = ["exp", "iat", "nbf", "auth_time", "updated_at"];

/// The expression with its value, then every value that it read. The value is `None` when it failed.
pub(super) fn lines(
    source: &str,
    scope: Scope,
    input: &Json,
    now: i64,
) -> (Option<Value>, Vec<String>) {
    let shown = one_line(source);
    let program = match cel::compile(source, scope, Output::Any) {
        Ok(program) => program,
        Err(error) => return (None, vec![format!("`{shown}` does not compile: {error}")]),
    };
    let value = program.evaluate(input);
    let mut lines = vec![match &value {
        Ok(value) => format!("`{shown}` is {}.", words::cel(value)),
        Err(error) => format!("`{shown}` cannot be evaluated: {error}."),
    }];
    let parts = program.parts(input);
    if parts.len() > 1 {
        for part in parts {
            let text = one_line(&part.text);
            lines.push(match part.value {
                Ok(value) => format!("  its part `{text}` is {}", words::cel(&value)),
                Err(error) => format!("  its part `{text}` cannot be evaluated: {error}"),
            });
        }
    }
    let variable = match scope {
        Scope::Claims => "claims",
        Scope::User => "user",
    };
    for path in program.reads() {
        let name = format!("{variable}.{}", path.join("."));
        lines.push(match find(input, &path) {
            Some(found) => {
                let time = match (path.as_slice(), found.as_i64()) {
                    ([only], Some(seconds)) if TIMES.contains(&only.as_str()) => {
                        format!(" ({})", words::moment(seconds, now))
                    }
                    _ => String::new(),
                };
                format!("  {name} is {}{time}", words::json(found))
            }
            None => format!("  {name} is absent"),
        });
    }
    (value.ok(), lines)
}

/// The value at a path of names; a list's items are no names.
fn find<'a>(input: &'a Json, path: &[String]) -> Option<&'a Json> {
    path.iter().try_fold(input, |value, name| value.get(name))
}

/// An expression of several lines on one.
pub(super) fn one_line(source: &str) -> String {
    let words: Vec<&str> = source.split_whitespace().collect();
    words.join(" ")
}
