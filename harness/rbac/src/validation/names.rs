//! Syntax of names and labels, with the server's explanations.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;

use super::field::FieldError;
use crate::matching::list;

/// What is wrong with the name of an RBAC object: it must fit into one segment of a URL path.
#[must_use]
pub fn path_segment(name: &str) -> Vec<String> {
    if matches!(name, "." | "..") {
        return vec![format!("may not be '{name}'")];
    }
    let illegal = ["/", "%"].into_iter().filter(|part| name.contains(part));
    illegal
        .map(|part| format!("may not contain '{part}'"))
        .collect()
}

const LABEL: &str = "[a-z0-9]([-a-z0-9]*[a-z0-9])?";
const KEY: &str = "([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]";
const KEY_CHARACTERS: &str = "must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an \
                              alphanumeric character";

/// What is wrong with `name` as a DNS subdomain (RFC 1123): service account names, prefixes of
/// label keys. `unit` is how the length limit is counted in the message.
#[must_use]
pub fn subdomain(name: &str, unit: &str) -> Vec<String> {
    let mut wrong = Vec::new();
    if name.len() > 253 {
        wrong.push(format!("must be no more than 253 {unit}"));
    }
    let inner = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    if !name.split('.').all(|label| framed(label, inner, b"-")) {
        wrong.push(format!(
            "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must \
             start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is \
             '{LABEL}(\\.{LABEL})*')",
        ));
    }
    wrong
}

/// All that is wrong with a label selector found at `path`.
pub(super) fn label_selector(selector: &LabelSelector, path: &str) -> Vec<FieldError> {
    let mut errors = Vec::new();
    for (key, value) in selector.match_labels.iter().flatten() {
        let field = format!("{path}.matchLabels");
        errors.extend(
            label_key(key)
                .into_iter()
                .map(|wrong| FieldError::invalid(&field, key, wrong)),
        );
        errors.extend(
            label_value(value)
                .into_iter()
                .map(|wrong| FieldError::invalid(&field, value, wrong)),
        );
    }
    for (index, requirement) in selector.match_expressions.iter().flatten().enumerate() {
        let path = format!("{path}.matchExpressions[{index}]");
        let values = list(&requirement.values);
        match requirement.operator.as_str() {
            "In" | "NotIn" if values.is_empty() => errors.push(FieldError::required(
                format!("{path}.values"),
                "must be specified when `operator` is 'In' or 'NotIn'",
            )),
            "Exists" | "DoesNotExist" if !values.is_empty() => errors.push(FieldError::forbidden(
                format!("{path}.values"),
                "may not be specified when `operator` is 'Exists' or 'DoesNotExist'",
            )),
            "In" | "NotIn" | "Exists" | "DoesNotExist" => {}
            operator => {
                errors.push(FieldError::invalid(
                    format!("{path}.operator"),
                    operator,
                    "not a valid selector operator",
                ));
            }
        }
        let key = &requirement.key;
        let field = format!("{path}.key");
        errors.extend(
            label_key(key)
                .into_iter()
                .map(|wrong| FieldError::invalid(&field, key, wrong)),
        );
        for (index, value) in values.iter().enumerate() {
            let field = format!("{path}.values[{index}]");
            errors.extend(
                label_value(value)
                    .into_iter()
                    .map(|wrong| FieldError::invalid(&field, value, wrong)),
            );
        }
    }
    errors
}

/// What is wrong with the key of a label (or, written the same, of an annotation).
#[must_use]
pub fn label_key(key: &str) -> Vec<String> {
    let pattern = format!(
        "{KEY_CHARACTERS} (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is '{KEY}')"
    );
    let mut wrong = Vec::new();
    let name = match key.split('/').collect::<Vec<_>>()[..] {
        [name] => name,
        [prefix, name] => {
            if prefix.is_empty() {
                wrong.push("prefix part must be non-empty".to_owned());
            } else {
                wrong.extend(
                    subdomain(prefix, "bytes")
                        .into_iter()
                        .map(|one| format!("prefix part {one}")),
                );
            }
            name
        }
        _ => {
            return vec![format!(
                "a valid label key {pattern} with an optional DNS subdomain prefix and '/' (e.g. 'example.com/MyName')",
            )];
        }
    };
    if name.is_empty() {
        wrong.push("name part must be non-empty".to_owned());
    } else if name.len() > 63 {
        wrong.push("name part must be no more than 63 bytes".to_owned());
    }
    if !key_characters(name) {
        wrong.push(format!("name part {pattern}"));
    }
    wrong
}

/// What is wrong with the value of a label.
#[must_use]
pub fn label_value(value: &str) -> Vec<String> {
    let mut wrong = Vec::new();
    if value.len() > 63 {
        wrong.push("must be no more than 63 bytes".to_owned());
    }
    if !value.is_empty() && !key_characters(value) {
        wrong.push(format!(
            "a valid label must be an empty string or {consist} (e.g. 'MyValue',  or 'my_value',  or '12345', regex used \
             for validation is '({KEY})?')",
            consist = KEY_CHARACTERS.trim_start_matches("must "),
        ));
    }
    wrong
}

fn key_characters(text: &str) -> bool {
    framed(text, |byte| byte.is_ascii_alphanumeric(), b"-_.")
}

/// Not empty, of `outer` bytes, with those in `between` allowed except at the ends.
fn framed(text: &str, outer: impl Fn(u8) -> bool, between: &[u8]) -> bool {
    let ends = [text.bytes().next(), text.bytes().next_back()];
    ends.into_iter().all(|end| end.is_some_and(&outer))
        && text
            .bytes()
            .all(|byte| outer(byte) || between.contains(&byte))
}
