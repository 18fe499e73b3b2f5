//! Patches in their four languages.

use authlab_authn::yaml11;
use authlab_rbac::validation::FieldError;
use axum::response::Response;
use http::StatusCode;
use serde_json::{Value, json};

use super::body::{self, Kind};
use super::options::{self, FieldValidation, WriteOptions};
use super::write::Place;
use crate::call::Call;
use crate::negotiate;
use crate::object::Object as _;
use crate::request::ResourceInfo;
use crate::resources::{Objects, Resource};
use crate::status::Status;
use crate::strategic;

pub(super) fn patch(
    call: &Call,
    resource: &Resource,
    objects: &Objects,
    target: &ResourceInfo,
) -> Result<Response, Status> {
    let language = Language::of(call, resource)?;
    let options = WriteOptions::read(call, "PatchOptions")?;
    if language == Language::Apply && call.query.get("fieldManager").is_none_or(str::is_empty) {
        let error = FieldError::required("fieldManager", "is required for apply patch");
        options::refuse("PatchOptions", &[error])?;
    }
    if language != Language::Apply && call.query.get("force").is_some_and(|one| !one.is_empty()) {
        let why = "may not be specified for non-apply patch";
        options::refuse("PatchOptions", &[FieldError::forbidden("force", why)])?;
    }
    let patch = language.parse(call)?;
    let place = Place {
        call,
        resource,
        objects,
        target,
        dry_run: options.dry_run,
        applied: language == Language::Apply,
    };
    if language == Language::Apply {
        return apply(&place, options, &patch);
    }
    let kind = Kind::of(resource, &objects.decode);
    let made = call.cluster.write(|transaction| {
        let current = place
            .current(transaction)
            .ok_or_else(|| Status::not_found(resource, &target.name))?;
        let mut patched = (*current).clone();
        language.change(&resource.kind, &mut patched, &patch)?;
        let patched = typed(call, &kind, options, patched)?;
        place.check_name(&patched)?;
        place.change(transaction, &current, patched)
    })?;
    Ok(negotiate::object(call, StatusCode::OK, resource, &made))
}

/// Server-side apply: creates what is not there, and leaves to others what is theirs.
fn apply(place: &Place<'_>, options: WriteOptions, config: &Value) -> Result<Response, Status> {
    let (call, resource) = (place.call, place.resource);
    if !config["metadata"]["managedFields"].is_null() {
        return Err(Status::bad_request("metadata.managedFields must be nil"));
    }
    let kind = Kind::of(resource, &place.objects.decode);
    let text = |field: &str| config[field].as_str().unwrap_or_default();
    let (version, name) = (text("apiVersion"), text("kind"));
    if (version, name) != (resource.api_version().as_str(), resource.kind.as_str()) {
        let (group, version) = version.split_once('/').unwrap_or(("", version));
        return Err(Status::bad_request(format!(
            "invalid object type: {group}/{version}, Kind={name}"
        )));
    }
    let force = call.query.flag("force");
    let (code, made) = call.cluster.write(|transaction| {
        let current = place.current(transaction);
        let live = current.as_deref().cloned().unwrap_or_else(|| json!({}));
        declared(resource, &kind, config)?;
        let uid = config.uid();
        if current.is_none() && !uid.is_empty() {
            let why = format!(
                "uid mismatch: the provided object specified uid {uid}, and no existing object was found"
            );
            let (group, plural) = (&resource.group, &resource.plural);
            return Err(Status::conflict(group, plural, &place.target.name, &why));
        }
        let next = place.writer().apply(&live, config, force);
        let next = next.map_err(|conflicts| Status::owned(&conflicts))?;
        let quiet = WriteOptions {
            validation: FieldValidation::Ignore,
            ..options
        };
        let next = typed(call, &kind, quiet, next)?;
        place.check_name(&next)?;
        match current {
            None => Ok((StatusCode::CREATED, place.add(transaction, next)?)),
            Some(current) => Ok((StatusCode::OK, place.change(transaction, &current, next)?)),
        }
    })?;
    Ok(negotiate::object(call, code, resource, &made))
}

/// Nothing may be applied that the kind does not know, however lenient the request.
fn declared(resource: &Resource, kind: &Kind<'_>, config: &Value) -> Result<(), Status> {
    let refuse = |why: String| {
        let (namespace, name) = (config.namespace(), config.name());
        let (group, version, kind) = (&resource.group, &resource.version, &resource.kind);
        Status::unexplained(format!(
            "failed to create typed patch object ({namespace}/{name}; {}, Kind={kind}): {why}",
            format_args!("{group}/{version}")
        ))
    };
    let known = (kind.decode)(config.clone()).map_err(|error| refuse(error.to_string()))?;
    let findings = body::shape(config).findings(&known);
    let unknown = findings
        .iter()
        .find_map(|one| one.strip_prefix("unknown field "));
    unknown.map_or(Ok(()), |field| {
        let field = field.trim_matches('"');
        Err(refuse(format!(".{field}: field not declared in schema")))
    })
}

/// A patch of something that is not stored as such: by merging or step by step.
pub(super) fn plain(call: &Call, current: &Value) -> Result<Value, Status> {
    let mut object = current.clone();
    let patch = Language::Merge.parse(call)?;
    match call.content_type() {
        "application/json-patch+json" => Language::Json.change("", &mut object, &patch)?,
        "application/merge-patch+json" => Language::Merge.change("", &mut object, &patch)?,
        _ => return Err(Status::unsupported_route()),
    }
    Ok(object)
}

/// Checks what came of a patch; complaints are about the patch.
fn typed(
    call: &Call,
    kind: &Kind<'_>,
    options: WriteOptions,
    patched: Value,
) -> Result<Value, Status> {
    let invalid = |why: &str| {
        let error = FieldError::invalid("patch", &patched.to_string(), why);
        Status::invalid("", "", "", &[error])
    };
    let tree = body::shape(&patched);
    let object = (kind.decode)(patched.clone()).map_err(|error| invalid(&error.to_string()))?;
    body::findings(
        call,
        options.validation,
        &tree,
        &object,
        kind.custom,
        invalid,
    )?;
    Ok(object)
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Language {
    Json,
    Merge,
    Strategic,
    Apply,
}

impl Language {
    fn of(call: &Call, resource: &Resource) -> Result<Self, Status> {
        match call.content_type() {
            "application/json-patch+json" => Ok(Self::Json),
            "application/merge-patch+json" => Ok(Self::Merge),
            "application/strategic-merge-patch+json" if resource.custom().is_none() => {
                Ok(Self::Strategic)
            }
            "application/apply-patch+yaml" => Ok(Self::Apply),
            _ if resource.custom().is_some() => Err(Status::unsupported_body(
                "application/json-patch+json, application/merge-patch+json, application/apply-patch+yaml",
            )),
            _ => Err(Status::unsupported_route()),
        }
    }

    fn parse(self, call: &Call) -> Result<Value, Status> {
        if self == Self::Apply {
            return yaml11::parse(&String::from_utf8_lossy(&call.body))
                .map_err(|error| Status::bad_request(format!("error decoding YAML: {error}")));
        }
        let refuse = |why: &str| match self {
            Self::Strategic => Status::bad_request(why),
            _ => Status::bad_request(format!("error decoding patch: {why}")),
        };
        let patch: Value = serde_json::from_slice(&call.body).map_err(|error| {
            if error.is_eof() {
                refuse("unexpected end of JSON input")
            } else {
                refuse(&error.to_string())
            }
        })?;
        // Go's decoder says what it cannot put where.
        let (fits, wanted) = match self {
            Self::Json => (patch.is_array(), "[]handlers.jsonPatchOp"),
            _ => (patch.is_object(), "map[string]interface {}"),
        };
        if fits || patch.is_null() {
            return Ok(patch);
        }
        let got = match patch {
            Value::Array(_) => "array",
            Value::Object(_) => "object",
            Value::String(_) => "string",
            Value::Number(_) => "number",
            _ => "bool",
        };
        Err(refuse(&format!(
            "json: cannot unmarshal {got} into Go value of type {wanted}"
        )))
    }

    /// Patches the object; applying is not done here.
    fn change(self, kind: &str, object: &mut Value, patch: &Value) -> Result<(), Status> {
        match self {
            Self::Json => {
                let patch: json_patch::Patch =
                    serde_json::from_value(patch.clone()).map_err(|_| Status::unprocessable())?;
                json_patch::patch(object, &patch).map_err(|_| Status::unprocessable())?;
            }
            Self::Merge => json_patch::merge(object, patch),
            Self::Apply => {}
            Self::Strategic => {
                strategic::merge(kind, object, patch).map_err(|why| {
                    let error = FieldError::invalid("patch", &patch.to_string(), why);
                    Status::invalid("", "", "", &[error])
                })?;
            }
        }
        if !object.is_object() {
            *object = json!({});
        }
        Ok(())
    }
}
