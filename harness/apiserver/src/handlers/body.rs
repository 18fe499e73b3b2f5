//! Request bodies to objects of a kind.

use serde_json::{Value, json};

use super::options::FieldValidation;
use crate::call::Call;
use crate::decode::{DecodeError, Tree};
use crate::resources::{Resource, api_version};
use crate::status::Status;

const ACCEPTED: &str = "application/json, application/yaml, application/vnd.kubernetes.protobuf";

/// What a body must be: an object of this group, version and kind.
pub(super) struct Kind<'a> {
    pub(super) group: &'a str,
    pub(super) version: &'a str,
    pub(super) kind: &'a str,
    pub(super) decode: fn(Value) -> Result<Value, DecodeError>,
}

impl<'a> Kind<'a> {
    pub(super) fn of(
        resource: &'a Resource,
        decode: fn(Value) -> Result<Value, DecodeError>,
    ) -> Self {
        Self {
            group: resource.group,
            version: resource.version,
            kind: resource.kind,
            decode,
        }
    }
}

/// The body as an object of `kind`.
pub(super) fn object(
    call: &Call,
    kind: &Kind<'_>,
    validation: FieldValidation,
) -> Result<Value, Status> {
    let (value, tree) = parse(call, kind.kind)?;
    typed(call, kind, validation, value, &tree)
}

/// The body as JSON, in whichever language it is written.
fn parse(call: &Call, kind: &str) -> Result<(Value, Tree), Status> {
    let unrecognized = |language: &str, error: &str| {
        let text = String::from_utf8_lossy(&call.body);
        let text = if text.is_empty() {
            "<empty>".into()
        } else {
            text
        };
        Status::bad_request(format!(
            "the object provided is unrecognized (must be of type {kind}): couldn't get version/kind; {language} parse error: {error} ({text})"
        ))
    };
    match call.content_type() {
        "" | "application/json" | "*/*" => {
            let value = serde_json::from_slice(&call.body)
                .map_err(|error| unrecognized("json", &go_json_error(&error)))?;
            let tree = serde_json::from_slice(&call.body)
                .map_err(|error| unrecognized("json", &go_json_error(&error)))?;
            Ok((value, tree))
        }
        "application/yaml" | "application/x-yaml" | "text/yaml" => {
            let value = serde_yaml::from_slice(&call.body)
                .map_err(|error| unrecognized("yaml", &error.to_string()))?;
            let tree = serde_json::from_value(value).unwrap_or(Tree::Leaf);
            let value = serde_yaml::from_slice(&call.body)
                .map_err(|error| unrecognized("yaml", &error.to_string()))?;
            Ok((value, tree))
        }
        _ => Err(Status::unsupported_body(ACCEPTED)),
    }
}

fn go_json_error(error: &serde_json::Error) -> String {
    if error.is_eof() {
        "unexpected end of JSON input".to_owned()
    } else {
        error.to_string()
    }
}

/// Checks the types of an object, prunes it, and treats unknown fields as asked.
pub(super) fn typed(
    call: &Call,
    kind: &Kind<'_>,
    validation: FieldValidation,
    mut value: Value,
    tree: &Tree,
) -> Result<Value, Status> {
    let expected = api_version(kind.group, kind.version);
    let given = |field: &str| value[field].as_str().unwrap_or_default().to_owned();
    let (version, name) = (given("apiVersion"), given("kind"));
    let refuse = |name: &str, version: &str, why: &str| {
        let version = version.rsplit('/').next().unwrap_or_default();
        Status::bad_request(format!(
            "{name} in version {version:?} cannot be handled as a {}: {why}",
            kind.kind
        ))
    };
    if !name.is_empty() && name != kind.kind {
        let group = kind
            .group
            .split('.')
            .next()
            .filter(|group| !group.is_empty());
        let why = format!(
            "converting ({version}.{name}) to ({}.{}): unknown conversion",
            group.unwrap_or("core"),
            kind.kind
        );
        return Err(refuse(&name, &version, &why));
    }
    if !version.is_empty() && version != expected {
        let why = format!(
            "no kind {name:?} is registered for version {version:?} in scheme \"pkg/runtime/scheme.go:111\""
        );
        return Err(refuse(kind.kind, &version, &why));
    }
    if !value.is_object() {
        value = json!({});
    }
    value["apiVersion"] = json!(expected);
    value["kind"] = json!(kind.kind);
    let object = (kind.decode)(value)
        .map_err(|error| refuse(kind.kind, kind.version, &error.to_string()))?;
    findings(call, validation, tree, &object, |why| {
        refuse(kind.kind, kind.version, why)
    })?;
    Ok(object)
}

/// Warns of, or refuses, duplicate and unknown fields.
pub(super) fn findings(
    call: &Call,
    validation: FieldValidation,
    tree: &Tree,
    object: &Value,
    refuse: impl Fn(&str) -> Status,
) -> Result<(), Status> {
    if validation == FieldValidation::Ignore {
        return Ok(());
    }
    let findings = tree.findings(object);
    match validation {
        FieldValidation::Strict if !findings.is_empty() => Err(refuse(&format!(
            "strict decoding error: {}",
            findings.join(", ")
        ))),
        _ => {
            findings.into_iter().for_each(|finding| call.warn(finding));
            Ok(())
        }
    }
}
