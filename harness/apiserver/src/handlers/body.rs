//! Request bodies to objects of a kind.

use authlab_authn::yaml11;
use authlab_rbac::validation::FieldError;
use serde::Deserialize as _;
use serde_json::{Value, json};

use super::options::FieldValidation;
use crate::call::Call;
use crate::decode::Tree;
use crate::object::Object as _;
use crate::protobuf;
use crate::resources::{Decode, Resource, api_version};
use crate::status::Status;

const ACCEPTED: &str = "application/json, application/yaml, application/vnd.kubernetes.protobuf";

/// What a body must be: an object of this group, version and kind.
pub(super) struct Kind<'a> {
    pub(super) group: &'a str,
    pub(super) version: &'a str,
    pub(super) kind: &'a str,
    pub(super) decode: &'a Decode,
    /// Custom kinds must say what they are, and say so in other words.
    pub(super) custom: bool,
}

impl<'a> Kind<'a> {
    pub(super) fn of(resource: &'a Resource, decode: &'a Decode) -> Self {
        Self {
            group: &resource.group,
            version: &resource.version,
            kind: &resource.kind,
            decode,
            custom: resource.custom().is_some(),
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
        let why = format!("couldn't get version/kind; {language} parse error: {error}");
        unrecognized(body, kind, &why)
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

fn unrecognized(body: &[u8], kind: &str, why: &str) -> Status {
    let text = String::from_utf8_lossy(body);
    let text = match text.char_indices().nth(30) {
        _ if text.is_empty() => "<empty>".to_owned(),
        Some((end, _)) => format!("{} ...", &text[..end]),
        None => text.into_owned(),
    };
    Status::bad_request(format!(
        "the object provided is unrecognized (must be of type {kind}): {why} ({text})"
    ))
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
    if kind.custom {
        let body = &call.body;
        if name.is_empty() {
            let text = String::from_utf8_lossy(body);
            return Err(unrecognized(
                body,
                kind.kind,
                &format!("Object 'Kind' is missing in '{text}'"),
            ));
        }
        if version != expected {
            return Err(Status::bad_request(format!(
                "the API version in the data ({version}) does not match the expected API version ({expected})"
            )));
        }
        if name != kind.kind {
            let error = FieldError::invalid("kind", &name, format!("must be {}", kind.kind));
            return Err(Status::invalid(kind.group, &name, value.name(), &[error]));
        }
    }
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
    findings(call, validation, tree, &object, kind.custom, |why| {
        refuse(kind.kind, kind.version, why)
    })?;
    Ok(object)
}

/// Warns of, or refuses, duplicate and unknown fields: in the order of the text, or those of
/// custom kinds sorted.
pub(super) fn findings(
    call: &Call,
    validation: FieldValidation,
    tree: &Tree,
    object: &Value,
    sorted: bool,
    refuse: impl Fn(&str) -> Status,
) -> Result<(), Status> {
    if validation == FieldValidation::Ignore {
        return Ok(());
    }
    let mut findings = tree.findings(object);
    if sorted {
        findings.sort_by_key(|finding| (finding.starts_with("unknown"), finding.clone()));
    }
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
