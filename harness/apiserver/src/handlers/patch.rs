//! Patches in their four languages.

use authlab_authn::yaml11;
use authlab_rbac::validation::FieldError;
use axum::response::Response;
use http::StatusCode;
use serde_json::{Value, json};

use super::body::{self, Kind};
use super::options::{self, WriteOptions};
use super::write::Place;
use crate::call::Call;
use crate::negotiate;
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
    let patch = language.parse(call)?;
    let place = Place {
        call,
        resource,
        objects,
        target,
        dry_run: options.dry_run,
    };
    let kind = Kind::of(resource, &objects.decode);
    let (code, made) = call.cluster.write(|transaction| {
        let Some(current) = place.current(transaction) else {
            if language != Language::Apply {
                return Err(Status::not_found(resource, &target.name));
            }
            let object = typed(call, &kind, options, patch)?;
            place.check_name(&object)?;
            return Ok((StatusCode::CREATED, place.add(transaction, object)?));
        };
        let mut patched = (*current).clone();
        language.change(&resource.kind, &mut patched, &patch)?;
        let patched = typed(call, &kind, options, patched)?;
        place.check_name(&patched)?;
        let changed = place.change(transaction, &current, patched)?;
        Ok((StatusCode::OK, changed))
    })?;
    Ok(negotiate::object(call, code, resource, &made))
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
        serde_json::from_slice(&call.body).map_err(|error| {
            let error = if error.is_eof() {
                "unexpected end of JSON input".to_owned()
            } else {
                error.to_string()
            };
            Status::bad_request(format!("error decoding patch: {error}"))
        })
    }

    /// Patches the object. Server-side apply is without ownership here: what is applied is
    /// merged in as by a strategic merge, and nothing is taken away.
    fn change(self, kind: &str, object: &mut Value, patch: &Value) -> Result<(), Status> {
        match self {
            Self::Json => {
                let patch: json_patch::Patch =
                    serde_json::from_value(patch.clone()).map_err(|error| {
                        Status::bad_request(format!("error decoding patch: {error}"))
                    })?;
                json_patch::patch(object, &patch).map_err(|_| Status::unprocessable())?;
            }
            Self::Merge => json_patch::merge(object, patch),
            Self::Strategic | Self::Apply => {
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
