//! Named formats (`format.dns1123Label()`), and what they say of a text.

use std::sync::LazyLock;

use regex::Regex;

use crate::golang::url;

/// The formats by name.
pub(super) const NAMES: &[&str] = &[
    "byte",
    "date",
    "datetime",
    "dns1035Label",
    "dns1035LabelPrefix",
    "dns1123Label",
    "dns1123LabelPrefix",
    "dns1123Subdomain",
    "dns1123SubdomainPrefix",
    "labelValue",
    "qualifiedName",
    "uri",
    "uuid",
];

const LABEL: &str = "[a-z0-9]([-a-z0-9]*[a-z0-9])?";
const SUBDOMAIN: &str = "[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*";
const LABEL_1035: &str = "[a-z]([-a-z0-9]*[a-z0-9])?";
const NAME: &str = "([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]";
const LABEL_VALUE: &str = "(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?";

/// What is wrong with a text in a format; nothing, when it fits.
pub(super) fn validate(format: &str, text: &str) -> Vec<String> {
    // A prefix may end in a dash, behind which more will follow.
    let prefix = text.strip_suffix('-').map(|start| format!("{start}a"));
    let prefix = prefix.as_deref().unwrap_or(text);
    match format {
        "dns1123Label" => label(text),
        "dns1123LabelPrefix" => label(prefix),
        "dns1123Subdomain" => subdomain(text),
        "dns1123SubdomainPrefix" => subdomain(prefix),
        "dns1035Label" => label_1035(text),
        "dns1035LabelPrefix" => label_1035(prefix),
        "qualifiedName" => qualified(text),
        "labelValue" => with_length(
            text,
            63,
            LABEL_VALUE,
            "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character",
            &["MyValue", "my_value", "12345"],
        ),
        "uri" => url::parse_request(text).err().into_iter().collect(),
        "uuid" => one(
            r"(?i)[0-9a-f]{8}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{12}",
            text,
            "does not match the UUID format",
        ),
        "byte" => one(
            "(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=|[A-Za-z0-9+/]{4})",
            text,
            "invalid base64",
        ),
        "date" => one(
            r"\d{4}-(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])",
            text,
            "invalid date",
        ),
        _ => one(
            r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d(\.\d+)?([Zz]|[+-]\d\d:?\d\d)?",
            text,
            "invalid datetime",
        ),
    }
}

fn one(pattern: &str, text: &str, problem: &str) -> Vec<String> {
    if matches(pattern, text) {
        Vec::new()
    } else {
        vec![problem.to_owned()]
    }
}

fn matches(pattern: &str, text: &str) -> bool {
    static CACHE: LazyLock<std::sync::Mutex<std::collections::HashMap<String, Regex>>> =
        LazyLock::new(std::sync::Mutex::default);
    let mut cache = CACHE
        .lock()
        .unwrap_or_else(std::sync::PoisonError::into_inner);
    if let Some(regex) = cache.get(pattern) {
        return regex.is_match(text);
    }
    let Ok(regex) = Regex::new(&format!("^(?:{pattern})$")) else {
        return false;
    };
    let matched = regex.is_match(text);
    cache.insert(pattern.to_owned(), regex);
    matched
}

fn with_length(
    text: &str,
    most: usize,
    pattern: &str,
    rule: &str,
    examples: &[&str],
) -> Vec<String> {
    let mut problems = Vec::new();
    if text.len() > most {
        problems.push(format!("must be no more than {most} bytes"));
    }
    if !matches(pattern, text) {
        let examples: Vec<String> = examples
            .iter()
            .map(|example| format!("'{example}', "))
            .collect();
        let examples = examples.join(" or ");
        problems.push(format!(
            "{rule} (e.g. {examples}regex used for validation is '{pattern}')"
        ));
    }
    problems
}

fn label(text: &str) -> Vec<String> {
    with_length(
        text,
        63,
        LABEL,
        "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an alphanumeric character",
        &["my-name", "123-abc"],
    )
}

fn subdomain(text: &str) -> Vec<String> {
    with_length(
        text,
        253,
        SUBDOMAIN,
        "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character",
        &["example.com"],
    )
}

fn label_1035(text: &str) -> Vec<String> {
    with_length(
        text,
        63,
        LABEL_1035,
        "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an alphabetic character, and end with an alphanumeric character",
        &["my-name", "abc-123"],
    )
}

fn qualified(text: &str) -> Vec<String> {
    let (prefix, name) = text
        .rsplit_once('/')
        .map_or((None, text), |(a, b)| (Some(a), b));
    let mut problems = Vec::new();
    match prefix {
        Some("") => problems.push("prefix part must be non-empty".to_owned()),
        Some(prefix) => {
            problems.extend(
                subdomain(prefix)
                    .into_iter()
                    .map(|problem| format!("prefix part {problem}")),
            );
        }
        None => {}
    }
    if name.is_empty() {
        problems.push("name part must be non-empty".to_owned());
    }
    let rule = "must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character";
    let of_name = with_length(name, 63, NAME, rule, &["MyName", "my.name", "123-abc"]);
    problems.extend(
        of_name
            .into_iter()
            .map(|problem| format!("name part {problem}")),
    );
    problems
}
