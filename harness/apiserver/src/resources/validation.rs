//! Checks that all kinds share: names, labels, annotations.
//!
//! Rules and texts: Kubernetes docs, "Object Names and IDs" and "Labels and Selectors", as the
//! server words them.

use authlab_rbac::quote;
use authlab_rbac::validation::{FieldError, FieldErrorKind, names};
use serde_json::Value;

use crate::object::Object;

/// The annotations of an object together may not exceed this many bytes.
const ANNOTATIONS: usize = 256 * 1024;

/// What is wrong with an object's metadata. `name` judges names of the kind.
pub(crate) fn metadata(
    object: &Value,
    old: Option<&Value>,
    name: impl Fn(&str) -> Vec<String>,
) -> Vec<FieldError> {
    let mut errors = Vec::new();
    match object.name() {
        "" => errors.push(FieldError::required(
            "metadata.name",
            "name or generateName is required",
        )),
        text => {
            errors.extend(
                name(text)
                    .into_iter()
                    .map(|why| FieldError::invalid("metadata.name", text, why)),
            );
        }
    }
    let pairs = |field: &str| object["metadata"][field].as_object().into_iter().flatten();
    for (key, value) in pairs("labels") {
        let value = value.as_str().unwrap_or_default();
        let field = "metadata.labels";
        let wrong = names::label_key(key);
        errors.extend(
            wrong
                .into_iter()
                .map(|why| FieldError::invalid(field, key, why)),
        );
        let wrong = names::label_value(value);
        errors.extend(
            wrong
                .into_iter()
                .map(|why| FieldError::invalid(field, value, why)),
        );
    }
    let mut total = 0;
    for (key, value) in pairs("annotations") {
        total += key.len() + value.as_str().unwrap_or_default().len();
        let wrong = names::label_key(&key.to_lowercase());
        let wrong = wrong.into_iter();
        errors.extend(wrong.map(|why| FieldError::invalid("metadata.annotations", key, why)));
    }
    if total > ANNOTATIONS {
        let why = format!("may not be more than {ANNOTATIONS} bytes");
        errors.push(too_long("metadata.annotations", &why));
    }
    for (index, finalizer) in object.finalizers().into_iter().enumerate() {
        if !finalizer.contains('/')
            && !["kubernetes", "orphan", "foregroundDeletion"].contains(&finalizer)
        {
            let why = "name is neither a standard finalizer name nor is it fully qualified";
            let field = format!("metadata.finalizers[{index}]");
            errors.push(FieldError::invalid(field, finalizer, why));
        }
    }
    if let Some(old) = old.filter(|old| old.terminating()) {
        let had = old.finalizers();
        let added = object
            .finalizers()
            .into_iter()
            .filter(|one| !had.contains(one))
            .map(quote);
        let added: Vec<String> = added.collect();
        if !added.is_empty() {
            let why = format!(
                "no new finalizers can be added if the object is being deleted, found new finalizers []string{{{}}}",
                added.join(", ")
            );
            errors.push(FieldError::forbidden("metadata.finalizers", &why));
        }
    }
    errors
}

fn too_long(field: &str, detail: &str) -> FieldError {
    FieldError {
        field: field.to_owned(),
        kind: FieldErrorKind::Invalid,
        value: None,
        detail: detail.to_owned(),
    }
}

/// An RFC 1123 subdomain, as most names are.
pub(crate) fn dns_subdomain(name: &str) -> Vec<String> {
    names::subdomain(name, "bytes")
}

/// An RFC 1123 label, as namespaces' names are.
pub(crate) fn dns_label(name: &str) -> Vec<String> {
    const LABEL: &str = "[a-z0-9]([-a-z0-9]*[a-z0-9])?";
    let mut wrong = Vec::new();
    if name.len() > 63 {
        wrong.push("must be no more than 63 bytes".to_owned());
    }
    let inner = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let ends = [name.bytes().next(), name.bytes().next_back()];
    let framed = ends.into_iter().all(|end| end.is_some_and(inner));
    if framed && name.bytes().all(|byte| inner(byte) || byte == b'-') {
        return wrong;
    }
    if dns_subdomain(name).is_empty() {
        wrong.push("must not contain dots".to_owned());
    } else {
        wrong.push(format!(
            "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is '{LABEL}')"
        ));
    }
    wrong
}

/// An RFC 1035 label, as the parts of a definition's names are.
pub(crate) fn dns_1035(name: &str) -> Vec<String> {
    const LABEL: &str = "[a-z]([-a-z0-9]*[a-z0-9])?";
    let mut wrong = Vec::new();
    if name.len() > 63 {
        wrong.push("must be no more than 63 bytes".to_owned());
    }
    let starts = name
        .bytes()
        .next()
        .is_some_and(|byte| byte.is_ascii_lowercase());
    if !starts || !dns_label(name).is_empty() {
        wrong.push(format!(
            "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an alphabetic character, and end with an alphanumeric character (e.g. 'my-name',  or 'abc-123', regex used for validation is '{LABEL}')"
        ));
    }
    wrong
}

/// The keys of config maps and secrets, below `field`.
pub(crate) fn config_keys(object: &Value, field: &str) -> Vec<FieldError> {
    let keys = object[field]
        .as_object()
        .into_iter()
        .flatten()
        .map(|(key, _)| key);
    keys.flat_map(|key| {
        let wrong = config_key(key).into_iter();
        wrong.map(move |why| FieldError::invalid(format!("{field}[{key}]"), key, why))
    })
    .collect()
}

fn config_key(key: &str) -> Vec<String> {
    let mut wrong = Vec::new();
    if key.len() > 253 {
        wrong.push("must be no more than 253 bytes".to_owned());
    }
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-._".contains(&byte);
    if key.is_empty() || !key.bytes().all(allowed) {
        wrong.push("a valid config key must consist of alphanumeric characters, '-', '_' or '.' (e.g. 'key.name',  or 'KEY_NAME',  or 'key-name', regex used for validation is '[-._a-zA-Z0-9]+')".to_owned());
    }
    match key {
        "." => wrong.push("must not be '.'".to_owned()),
        ".." => wrong.push("must not be '..'".to_owned()),
        key if key.starts_with("..") => wrong.push("must not start with '..'".to_owned()),
        _ => {}
    }
    wrong
}

/// A change to what `immutable: true` protects.
pub(crate) fn immutable(object: &Value, old: &Value, fields: &[&str]) -> Vec<FieldError> {
    if old["immutable"].as_bool() != Some(true) {
        return Vec::new();
    }
    let why = "field is immutable when `immutable` is set";
    let mut errors = Vec::new();
    if object["immutable"].as_bool() != Some(true) {
        errors.push(FieldError::forbidden("immutable", why));
    }
    let changed = fields
        .iter()
        .filter(|field| object[**field] != old[**field]);
    errors.extend(changed.map(|field| FieldError::forbidden(*field, why)));
    errors
}

/// A field that may never change.
pub(crate) fn unchanged(field: &str, new: &Value, old: &Value) -> Vec<FieldError> {
    if new == old {
        return Vec::new();
    }
    let value = new.as_str().map_or_else(|| new.to_string(), quote);
    vec![FieldError::invalid_json(field, value, "field is immutable")]
}
