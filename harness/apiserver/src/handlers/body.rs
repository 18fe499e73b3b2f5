//! Request bodies to objects of a kind.

use authlab_authn::yaml11;
use serde::Deserialize as _;
use serde_json::{Value, json};

use super::options::FieldValidation;
use crate::call::Call;
use crate::decode::{DecodeError, Tree};
use crate::object::Object as _;
use crate::protobuf;
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
    call.is_about(value.name());
    typed(call, kind, validation, value, &tree)
}

/// The body as JSON, in whichever language it is written, and its shape.
fn parse(call: &Call, kind: &str) -> Result<(Value, Tree), Status> {
    let body = &call.body;
    let unrecognized = |language: &str, error: &str| {
        let text = String::from_utf8_lossy(body);
        let text = if text.is_empty() {
            "<empty>".into()
        } else {
            text
        };
        Status::bad_request(format!(
            "the object provided is unrecognized (must be of type {kind}): couldn't get version/kind; {language} parse error: {error} ({text})"
        ))
    };
    let value: Value = match call.content_type() {
        "" | "application/json" | "*/*" => {
            let json = |error: serde_json::Error| unrecognized("json", &go_json_error(&error));
            // Read twice: the shape keeps what a value cannot hold, order and repeated keys.
            let tree = serde_json::from_slice(body).map_err(json)?;
            return Ok((serde_json::from_slice(body).map_err(json)?, tree));
        }
        "application/yaml" => yaml11::parse(&String::from_utf8_lossy(body))
            .map_err(|error| unrecognized("yaml", &error.to_string()))?,
        "application/vnd.kubernetes.protobuf" => {
            protobuf::decode(body).map_err(Status::bad_request)?
        }
        _ => return Err(Status::unsupported_body(ACCEPTED)),
    };
    let tree = shape(&value);
    Ok((value, tree))
}

/// The shape of a value that did not come from JSON text.
pub(super) fn shape(value: &Value) -> Tree {
    Tree::deserialize(value).unwrap_or(Tree::Leaf)
}

/// The options in a delete's body, which need not be there.
pub(super) fn options(call: &Call) -> Result<Value, Status> {
    if call.body.is_empty() {
        return Ok(json!({}));
    }
    parse(call, "DeleteOptions").map(|(value, _)| value)
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
