//! The query parameters of writes and lists, and what is wrong with them.

use authlab_rbac::validation::{FieldError, FieldErrorKind};
use serde_json::json;

use crate::call::Call;
use crate::status::Status;

const META: &str = "meta.k8s.io";

/// Options of create, update and patch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct WriteOptions {
    pub(super) dry_run: bool,
    pub(super) validation: FieldValidation,
}

/// What becomes of fields that the kind does not know.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum FieldValidation {
    Ignore,
    Warn,
    Strict,
}

impl WriteOptions {
    /// `kind` is `CreateOptions`, `UpdateOptions` or `PatchOptions`, for the message.
    pub(super) fn read(call: &Call, kind: &str) -> Result<Self, Status> {
        let mut errors = Vec::new();
        let dry_run = dry_run(call, &mut errors);
        let validation = match call.query.get("fieldValidation") {
            None | Some("" | "Warn") => FieldValidation::Warn,
            Some("Ignore") => FieldValidation::Ignore,
            Some("Strict") => FieldValidation::Strict,
            Some(other) => {
                let known = ["", "Ignore", "Strict", "Warn"];
                errors.push(FieldError::unsupported("fieldValidation", other, &known));
                FieldValidation::Warn
            }
        };
        manager(
            call.query.get("fieldManager").unwrap_or_default(),
            &mut errors,
        );
        refuse(kind, &errors)?;
        Ok(Self {
            dry_run,
            validation,
        })
    }
}

/// The longest name of a manager of fields, in bytes.
const MANAGER: usize = 128;

/// The parameter `fieldManager`: short, and printable.
fn manager(name: &str, errors: &mut Vec<FieldError>) {
    if name.len() > MANAGER {
        errors.push(FieldError::too_long("fieldManager", MANAGER as u64));
    }
    for (at, wrong) in name.chars().enumerate().filter(|(_, c)| c.is_control()) {
        let code = u32::from(wrong);
        let why = format!("invalid character U+{code:04X} (at position {at})");
        errors.push(FieldError::invalid("fieldManager", name, why));
    }
}

/// The parameter `dryRun`, on any write.
pub(super) fn dry_run(call: &Call, errors: &mut Vec<FieldError>) -> bool {
    let all: Vec<&str> = call.query.all("dryRun").collect();
    if all.iter().any(|one| *one != "All") {
        errors.push(FieldError {
            field: "dryRun".to_owned(),
            kind: FieldErrorKind::NotSupported,
            value: Some(json!(all).to_string()),
            detail: "supported values: \"All\"".to_owned(),
        });
    }
    !all.is_empty()
}

pub(super) fn refuse(kind: &str, errors: &[FieldError]) -> Result<(), Status> {
    if errors.is_empty() {
        Ok(())
    } else {
        Err(Status::invalid(META, kind, "", errors))
    }
}

/// A numeric parameter; absent and empty are the same.
pub(super) fn number(call: &Call, name: &str) -> Result<Option<u64>, Status> {
    match call.query.get(name) {
        None | Some("") => Ok(None),
        Some(text) => text.parse().map(Some).map_err(|_| {
            Status::bad_request(format!(
                "strconv.ParseInt: parsing {text:?}: invalid syntax"
            ))
        }),
    }
}

/// The parameter `resourceVersion`; none and `0` both mean "any".
pub(super) fn revision(call: &Call) -> Result<u64, Status> {
    match call.query.get("resourceVersion") {
        None | Some("") => Ok(0),
        Some(text) => text.parse().map_err(|_| {
            Status::unexplained(format!(
                "resourceVersion: Invalid value: {text:?}: strconv.ParseUint: parsing {text:?}: invalid syntax"
            ))
        }),
    }
}
