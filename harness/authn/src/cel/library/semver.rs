//! Semantic versions (`semver("1.20.3-rc.1")`), by <https://semver.org> 2.0.0.

use std::cmp::Ordering;

use crate::golang::quote::quote;

/// A version; build metadata does not count.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Semver {
    pub(super) numbers: [u64; 3],
    pre: Vec<String>,
}

/// A version from text; a lax one may begin with `v`, lack numbers at its end, and have leading zeros.
pub(super) fn parse(text: &str, lax: bool) -> Result<Semver, String> {
    if !lax {
        return strict(text);
    }
    let text = text.strip_prefix('v').unwrap_or(text);
    let mut parts: Vec<String> = text.splitn(3, '.').map(without_leading_zeros).collect();
    if parts.len() < 3 {
        if parts.last().is_some_and(|last| last.contains(['+', '-'])) {
            return Err("short version cannot contain PreRelease/Build meta data".to_owned());
        }
        parts.resize(3, "0".to_owned());
    }
    strict(&parts.join("."))
}

fn without_leading_zeros(part: &str) -> String {
    let trimmed = part.trim_start_matches('0');
    if part.len() > 1 && !trimmed.starts_with(|character: char| character.is_ascii_digit()) {
        return format!("0{trimmed}");
    }
    if part.len() > 1 { trimmed } else { part }.to_owned()
}

fn strict(text: &str) -> Result<Semver, String> {
    if text.is_empty() {
        return Err("Version string empty".to_owned());
    }
    let parts: Vec<&str> = text.splitn(3, '.').collect();
    let [major, minor, patch] = parts[..] else {
        return Err("No Major.Minor.Patch elements found".to_owned());
    };
    let major = number(major, "major", "Major")?;
    let minor = number(minor, "minor", "Minor")?;
    let (patch, build) = patch
        .split_once('+')
        .map_or((patch, None), |(a, b)| (a, Some(b)));
    let (patch, pre) = patch
        .split_once('-')
        .map_or((patch, None), |(a, b)| (a, Some(b)));
    let patch = number(patch, "patch", "Patch")?;
    let mut identifiers = Vec::new();
    for identifier in pre.into_iter().flat_map(|pre| pre.split('.')) {
        if identifier.is_empty() {
            return Err("Prerelease is empty".to_owned());
        }
        let digits = identifier.bytes().all(|byte| byte.is_ascii_digit());
        if digits && identifier.len() > 1 && identifier.starts_with('0') {
            let quoted = quote(identifier);
            return Err(format!(
                "Numeric PreRelease version must not contain leading zeroes {quoted}"
            ));
        }
        if !alphanumeric(identifier) {
            let quoted = quote(identifier);
            return Err(format!("Invalid character(s) found in prerelease {quoted}"));
        }
        identifiers.push(identifier.to_owned());
    }
    for identifier in build.into_iter().flat_map(|build| build.split('.')) {
        if identifier.is_empty() {
            return Err("Build meta data is empty".to_owned());
        }
        if !alphanumeric(identifier) {
            let quoted = quote(identifier);
            return Err(format!(
                "Invalid character(s) found in build meta data {quoted}"
            ));
        }
    }
    Ok(Semver {
        numbers: [major, minor, patch],
        pre: identifiers,
    })
}

fn alphanumeric(text: &str) -> bool {
    text.bytes()
        .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
}

fn number(text: &str, name: &str, title: &str) -> Result<u64, String> {
    let quoted = quote(text);
    if !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(format!(
            "Invalid character(s) found in {name} number {quoted}"
        ));
    }
    if text.len() > 1 && text.starts_with('0') {
        return Err(format!(
            "{title} number must not contain leading zeroes {quoted}"
        ));
    }
    let problem = if text.is_empty() {
        "invalid syntax"
    } else {
        "value out of range"
    };
    text.parse()
        .map_err(|_| format!("strconv.ParseUint: parsing {quoted}: {problem}"))
}

impl PartialOrd for Semver {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Semver {
    fn cmp(&self, other: &Self) -> Ordering {
        self.numbers.cmp(&other.numbers).then_with(|| {
            match (self.pre.is_empty(), other.pre.is_empty()) {
                // A release is later than all that lead up to it.
                (true, true) => Ordering::Equal,
                (true, false) => Ordering::Greater,
                (false, true) => Ordering::Less,
                (false, false) => self
                    .pre
                    .iter()
                    .map(|identifier| key(identifier))
                    .cmp(other.pre.iter().map(|identifier| key(identifier))),
            }
        })
    }
}

/// Numbers come before words.
fn key(identifier: &str) -> (bool, u64, &str) {
    match identifier.parse() {
        Ok(number) => (false, number, ""),
        Err(_) => (true, 0, identifier),
    }
}
