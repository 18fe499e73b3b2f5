//! What type a scalar has (YAML 1.1 type repository: bool, int, float, null, timestamp, binary), as the real reader
//! implements it: no base 60, no commas, and octal and binary as Go writes them.

use std::sync::LazyLock;

use base64::Engine as _;
use regex::Regex;

use super::{Error, token::error};
use crate::golang::{
    number::{self, Integer},
    pem::BASE64,
};

/// What `!!` stands for.
pub(super) const PREFIX: &str = "tag:yaml.org,2002:";

/// A scalar's value.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Scalar {
    Null,
    Bool(bool),
    Int(i64),
    Uint(u64),
    Float(f64),
    String(String),
}

impl Scalar {
    fn tag(&self) -> &'static str {
        match self {
            Self::Null => "!!null",
            Self::Bool(_) => "!!bool",
            Self::Int(_) | Self::Uint(_) => "!!int",
            Self::Float(_) => "!!float",
            Self::String(_) => "!!str",
        }
    }
}

/// The value of a scalar under its tag. An untagged quoted one is a string.
pub(super) fn resolve(tag: &str, plain: bool, text: &str) -> Result<Scalar, Error> {
    let string = || Scalar::String(text.to_owned());
    if tag.is_empty() {
        return Ok(if plain { implicit(text) } else { string() });
    }
    let short = match tag.strip_prefix(PREFIX) {
        Some("str") => return Ok(string()),
        Some("binary") => return binary(text),
        Some("timestamp") if timestamp(text) => return Ok(string()),
        Some(name @ ("bool" | "int" | "float" | "null" | "timestamp")) => format!("!!{name}"),
        _ => return Ok(string()),
    };
    let value = implicit(text);
    match (short.as_str(), value) {
        (want, value) if want == value.tag() => Ok(value),
        #[expect(clippy::cast_precision_loss, reason = "that is what a float is")]
        ("!!float", Scalar::Int(number)) => Ok(Scalar::Float(number as f64)),
        (want, value) => Err(error(&format!(
            "cannot decode {} `{text}` as a {want}",
            value.tag()
        ))),
    }
}

fn binary(text: &str) -> Result<Scalar, Error> {
    let text: String = text.chars().filter(|c| !matches!(c, '\r' | '\n')).collect();
    let Ok(bytes) = BASE64.decode(text) else {
        return Err(error("!!binary value contains invalid base64 data"));
    };
    // JSON has no bytes: each that is no part of a character is replaced.
    let mut out = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        out.push_str(chunk.valid());
        out.extend(chunk.invalid().iter().map(|_| char::REPLACEMENT_CHARACTER));
    }
    Ok(Scalar::String(out))
}

fn implicit(text: &str) -> Scalar {
    if let Some(value) = word(text) {
        return value;
    }
    let string = Scalar::String(text.to_owned());
    match text.bytes().next() {
        Some(b'.') => number::float(text).map_or(string, Scalar::Float),
        Some(b'+' | b'-' | b'0'..=b'9') => numeric(&text.replace('_', "")).unwrap_or(string),
        _ => string,
    }
}

fn word(text: &str) -> Option<Scalar> {
    Some(match text {
        "y" | "Y" | "yes" | "Yes" | "YES" | "true" | "True" | "TRUE" | "on" | "On" | "ON" => {
            Scalar::Bool(true)
        }
        "n" | "N" | "no" | "No" | "NO" | "false" | "False" | "FALSE" | "off" | "Off" | "OFF" => {
            Scalar::Bool(false)
        }
        "" | "~" | "null" | "Null" | "NULL" => Scalar::Null,
        ".nan" | ".NaN" | ".NAN" => Scalar::Float(f64::NAN),
        ".inf" | ".Inf" | ".INF" | "+.inf" | "+.Inf" | "+.INF" => Scalar::Float(f64::INFINITY),
        "-.inf" | "-.Inf" | "-.INF" => Scalar::Float(f64::NEG_INFINITY),
        _ => return None,
    })
}

fn numeric(text: &str) -> Option<Scalar> {
    static FLOAT: LazyLock<Option<Regex>> =
        LazyLock::new(|| Regex::new(r"^[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?$").ok());
    match number::integer(text) {
        Some(Integer::Signed(number)) => return Some(Scalar::Int(number)),
        Some(Integer::Unsigned(number)) => return Some(Scalar::Uint(number)),
        None => {}
    }
    if FLOAT.as_ref()?.is_match(text) {
        return number::float(text).map(Scalar::Float);
    }
    None
}

/// Only a tagged scalar is ever asked: without a tag a timestamp is a string like any other.
fn timestamp(text: &str) -> bool {
    static FORM: LazyLock<Option<Regex>> = LazyLock::new(|| {
        Regex::new(
            r"^\d{4}-(\d{1,2})-(\d{1,2})(?:[Tt](\d{1,2}):(\d{1,2}):(\d{1,2})([.,]\d+)?(?:Z|[+-]\d\d:\d\d)| (\d{1,2}):(\d{1,2}):(\d{1,2})([.,]\d+)?)?$",
        )
        .ok()
    });
    let Some(parts) = FORM.as_ref().and_then(|form| form.captures(text)) else {
        return false;
    };
    let within = |group: usize, low: u32, high: u32| {
        parts.get(group).is_none_or(|part| {
            part.as_str()
                .parse::<u32>()
                .is_ok_and(|number| (low..=high).contains(&number))
        })
    };
    within(1, 1, 12)
        && within(2, 1, 31)
        && within(3, 0, 23)
        && within(4, 0, 59)
        && within(5, 0, 59)
        && within(7, 0, 23)
        && within(8, 0, 59)
        && within(9, 0, 59)
}
