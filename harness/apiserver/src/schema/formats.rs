//! The formats that schemas can ask of texts; one that is not known here asks nothing.
//!
//! Source: Kubernetes docs, "Extend the Kubernetes API with CustomResourceDefinitions", section
//! "Validation"; names and meanings as in OpenAPI v2 and go-openapi.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use chrono::{DateTime, NaiveDate};
use serde_json::Value;

/// Whether a text is in a format.
pub(super) fn fits(format: &str, text: &str) -> bool {
    match format {
        "date-time" => DateTime::parse_from_rfc3339(text).is_ok() && text.contains(['T', 't']),
        "date" => NaiveDate::parse_from_str(text, "%Y-%m-%d").is_ok() && text.len() == 10,
        "ipv4" => text.parse::<Ipv4Addr>().is_ok(),
        "ipv6" => text.parse::<Ipv6Addr>().is_ok(),
        "cidr" => cidr(text),
        "uuid" => uuid::Uuid::try_parse(text).is_ok(),
        "byte" => BASE64_STANDARD.decode(text).is_ok(),
        "mac" => {
            let parts: Vec<&str> = text.split([':', '-']).collect();
            let hex = |part: &&str| part.len() == 2 && u8::from_str_radix(part, 16).is_ok();
            parts.len() == 6 && parts.iter().all(hex)
        }
        "email" => text.split_once('@').is_some_and(|(name, host)| {
            !name.is_empty() && !host.is_empty() && !host.contains('@')
        }),
        "uri" => text.contains(':') && !text.contains(char::is_whitespace),
        "hostname" => crate::resources::validation::dns_subdomain(&text.to_lowercase()).is_empty(),
        "duration" => duration(text),
        _ => true,
    }
}

fn cidr(text: &str) -> bool {
    let Some((address, bits)) = text.split_once('/') else {
        return false;
    };
    match (address.parse::<IpAddr>(), bits.parse::<u8>()) {
        (Ok(IpAddr::V4(_)), Ok(bits)) => bits <= 32,
        (Ok(IpAddr::V6(_)), Ok(bits)) => bits <= 128,
        _ => false,
    }
}

/// The formats of texts that the server knows, without their dashes.
const TEXTS: [&str; 25] = [
    "bsonobjectid",
    "uri",
    "email",
    "hostname",
    "ipv4",
    "ipv6",
    "cidr",
    "mac",
    "uuid",
    "uuid3",
    "uuid4",
    "uuid5",
    "isbn",
    "isbn10",
    "isbn13",
    "creditcard",
    "ssn",
    "hexcolor",
    "rgbcolor",
    "byte",
    "password",
    "date",
    "duration",
    "datetime",
    "k8sshortname",
];

/// The formats in a schema that mean nothing to the server, which warns of them.
pub(crate) fn unrecognized(schema: &Value) -> Vec<&str> {
    let mut found = Vec::new();
    if let Some(format) = schema["format"]
        .as_str()
        .filter(|format| !format.is_empty())
    {
        let plain = format.replace('-', "");
        let known = match schema["type"].as_str().unwrap_or_default() {
            "" | "string" => TEXTS.contains(&plain.as_str()) || plain == "k8slongname",
            "integer" => matches!(format, "int32" | "int64"),
            "number" => matches!(format, "float" | "double"),
            _ => false,
        };
        if !known {
            found.push(format);
        }
    }
    let properties = schema["properties"].as_object().into_iter().flatten();
    found.extend(properties.flat_map(|(_, below)| unrecognized(below)));
    for field in ["items", "additionalProperties", "not"] {
        if schema[field].is_object() {
            found.extend(unrecognized(&schema[field]));
        }
    }
    for list in ["allOf", "anyOf", "oneOf"] {
        found.extend(
            schema[list]
                .as_array()
                .into_iter()
                .flatten()
                .flat_map(unrecognized),
        );
    }
    found
}

/// Go's durations (`1h30m`), and words as in `3 days`.
fn duration(text: &str) -> bool {
    let mut rest = text.strip_prefix('-').unwrap_or(text).trim();
    if rest == "0" {
        return true;
    }
    let units = [
        "ns", "us", "µs", "ms", "s", "m", "h", "d", "w", "day", "days", "week", "weeks", "hour",
        "hours", "minute", "minutes", "second", "seconds", "min", "sec", "hr", "wk",
    ];
    let mut parts = 0;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit() && c != '.');
        let Some(end) = digits.filter(|end| *end > 0) else {
            return false;
        };
        rest = rest[end..].trim_start();
        let end = rest
            .find(|c: char| !c.is_alphabetic())
            .unwrap_or(rest.len());
        if !units.contains(&&rest[..end]) {
            return false;
        }
        rest = rest[end..].trim_start();
        parts += 1;
    }
    parts > 0
}
