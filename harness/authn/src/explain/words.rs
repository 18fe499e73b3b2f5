//! Values and times as people read them.

use chrono::DateTime;
use serde_json::Value as Json;

use crate::cel::Value;

/// A claim as text: JSON with blanks.
pub(super) fn json(value: &Json) -> String {
    match value {
        Json::Array(items) => {
            let items: Vec<String> = items.iter().map(json).collect();
            format!("[{}]", items.join(", "))
        }
        Json::Object(map) => {
            let entries: Vec<String> = map
                .iter()
                .map(|(key, value)| format!("{}: {}", key_text(key), json(value)))
                .collect();
            format!("{{{}}}", entries.join(", "))
        }
        other => other.to_string(),
    }
}

fn key_text(key: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '/' | '.');
    if key.starts_with(|c: char| c.is_ascii_alphabetic()) && key.chars().all(plain) {
        key.to_owned()
    } else {
        Json::from(key).to_string()
    }
}

/// The value of an expression; whole numbers without a fraction.
pub(super) fn cel(value: &Value) -> String {
    match value {
        Value::Null => "null".to_owned(),
        Value::Bool(value) => value.to_string(),
        Value::Int(number) => number.to_string(),
        Value::Uint(number) => number.to_string(),
        Value::Double(number) => number.to_string(),
        Value::String(text) => text_of(text),
        Value::List(items) => {
            let items: Vec<String> = items.iter().map(cel).collect();
            format!("[{}]", items.join(", "))
        }
        Value::Map(map) => {
            let entries: Vec<String> = map
                .iter()
                .map(|(key, value)| format!("{}: {}", key_text(key), cel(value)))
                .collect();
            format!("{{{}}}", entries.join(", "))
        }
        Value::Optional(None) => "nothing".to_owned(),
        Value::Optional(Some(value)) => cel(value),
        Value::Other(name) => format!("a value of type {name}"),
    }
}

/// A text in quotes.
pub(super) fn text_of(text: &str) -> String {
    Json::from(text).to_string()
}

/// Texts in quotes with `and` before the last.
pub(super) fn list<S: AsRef<str>>(texts: &[S]) -> String {
    let quoted: Vec<String> = texts.iter().map(|text| text_of(text.as_ref())).collect();
    match quoted.as_slice() {
        [] => "none".to_owned(),
        [one] => one.clone(),
        [before @ .., last] => format!("{} and {last}", before.join(", ")),
    }
}

/// A time, and how far from now it is: `2026-11-22 10:00:00 UTC, 5 minutes ago`.
pub(super) fn moment(seconds: i64, now: i64) -> String {
    let date = DateTime::from_timestamp(seconds, 0);
    let date = date.map_or_else(
        || format!("{seconds} seconds after 1970"),
        |date| date.format("%Y-%m-%d %H:%M:%S UTC").to_string(),
    );
    match seconds.saturating_sub(now) {
        0 => format!("{date}, now"),
        ahead if ahead > 0 => format!("{date}, in {}", span(ahead)),
        behind => format!("{date}, {} ago", span(behind.saturating_neg())),
    }
}

/// A span of time in its two largest units.
pub(super) fn span(seconds: i64) -> String {
    let units = [
        (86_400, "day"),
        (3600, "hour"),
        (60, "minute"),
        (1, "second"),
    ];
    let mut rest = seconds;
    let mut said = Vec::new();
    for (length, name) in units {
        let count = rest / length;
        rest %= length;
        if count > 0 {
            let plural = if count == 1 { "" } else { "s" };
            said.push(format!("{count} {name}{plural}"));
        } else if !said.is_empty() {
            break;
        }
        if said.len() == 2 {
            break;
        }
    }
    said.join(" ")
}

/// The seconds since 1970 that a time in RFC 3339 is.
#[must_use]
pub fn seconds(text: &str) -> Option<i64> {
    let time = DateTime::parse_from_rfc3339(text).ok()?;
    Some(time.timestamp())
}
