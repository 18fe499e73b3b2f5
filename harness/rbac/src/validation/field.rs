//! Field errors: what is wrong with an object, and where, in the server's words.

use std::fmt;

use crate::policy::join_errors;
use authlab_pki::quote::quote;

/// One thing wrong with an object. Displays as the server prints it:
/// `rules[0].verbs: Required value: verbs must contain at least one value`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FieldError {
    /// The path, as in `subjects[0].name`.
    pub field: String,
    /// The kind of error.
    pub kind: FieldErrorKind,
    /// The offending value as it is printed, `None` for kinds that print none.
    pub value: Option<String>,
    /// The explanation, may be empty.
    pub detail: String,
}

/// The kinds of field errors.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FieldErrorKind {
    /// Nothing where something must be.
    Required,
    /// Malformed.
    Invalid,
    /// Not one of the values that are known.
    NotSupported,
    /// Something where nothing may be.
    Forbidden,
    /// Of another type than asked for.
    TypeInvalid,
    /// There already.
    Duplicate,
    /// A text with too many bytes.
    TooLong,
    /// A list or map with too many entries.
    TooMany,
    /// Nothing that the sender can help.
    Internal,
}

impl FieldErrorKind {
    /// The `reason` of the cause in a Status (`details.causes[].reason`).
    #[must_use]
    pub fn reason(self) -> &'static str {
        match self {
            Self::Required => "FieldValueRequired",
            Self::Invalid => "FieldValueInvalid",
            Self::NotSupported => "FieldValueNotSupported",
            Self::Forbidden => "FieldValueForbidden",
            Self::TypeInvalid => "FieldValueTypeInvalid",
            Self::Duplicate => "FieldValueDuplicate",
            Self::TooLong => "FieldValueTooLong",
            Self::TooMany => "FieldValueTooMany",
            Self::Internal => "InternalError",
        }
    }
}

impl FieldError {
    /// The text without the path: the `message` of the cause in a Status.
    #[must_use]
    pub fn body(&self) -> String {
        let kind = match self.kind {
            FieldErrorKind::Required => "Required value",
            FieldErrorKind::Invalid | FieldErrorKind::TypeInvalid => "Invalid value",
            FieldErrorKind::NotSupported => "Unsupported value",
            FieldErrorKind::Forbidden => "Forbidden",
            FieldErrorKind::Duplicate => "Duplicate value",
            FieldErrorKind::TooLong => "Too long",
            FieldErrorKind::TooMany => "Too many",
            FieldErrorKind::Internal => "Internal error",
        };
        let parts = [
            Some(kind),
            self.value.as_deref(),
            Some(self.detail.as_str()).filter(|detail| !detail.is_empty()),
        ];
        parts.into_iter().flatten().collect::<Vec<_>>().join(": ")
    }

    /// Something is missing.
    #[must_use]
    pub fn required(field: impl Into<String>, detail: &str) -> Self {
        Self {
            field: field.into(),
            kind: FieldErrorKind::Required,
            value: None,
            detail: detail.to_owned(),
        }
    }

    /// Something is there that may not be.
    #[must_use]
    pub fn forbidden(field: impl Into<String>, detail: &str) -> Self {
        Self {
            field: field.into(),
            kind: FieldErrorKind::Forbidden,
            value: None,
            detail: detail.to_owned(),
        }
    }

    /// A malformed text.
    #[must_use]
    pub fn invalid(field: impl Into<String>, value: &str, detail: impl Into<String>) -> Self {
        Self::invalid_json(field, quote(value), detail)
    }

    /// A malformed value, printed as it is.
    #[must_use]
    pub fn invalid_json(
        field: impl Into<String>,
        value: String,
        detail: impl Into<String>,
    ) -> Self {
        Self {
            field: field.into(),
            kind: FieldErrorKind::Invalid,
            value: Some(value),
            detail: detail.into(),
        }
    }

    /// A value that is there already, printed as it is.
    #[must_use]
    pub fn duplicate(field: impl Into<String>, value: String) -> Self {
        Self {
            field: field.into(),
            kind: FieldErrorKind::Duplicate,
            value: Some(value),
            detail: String::new(),
        }
    }

    /// A text of more than `most` bytes.
    #[must_use]
    pub fn too_long(field: impl Into<String>, most: u64) -> Self {
        Self {
            field: field.into(),
            kind: FieldErrorKind::TooLong,
            value: None,
            detail: format!("may not be more than {most} bytes"),
        }
    }

    /// More than `most` entries.
    #[must_use]
    pub fn too_many(field: impl Into<String>, count: usize, most: u64) -> Self {
        Self {
            field: field.into(),
            kind: FieldErrorKind::TooMany,
            value: Some(count.to_string()),
            detail: format!("must have at most {most} items"),
        }
    }

    /// A text that is none of those known.
    #[must_use]
    pub fn unsupported(field: impl Into<String>, value: &str, supported: &[&str]) -> Self {
        let supported: Vec<String> = supported.iter().map(|one| quote(one)).collect();
        let detail = format!("supported values: {}", supported.join(", "));
        Self {
            field: field.into(),
            kind: FieldErrorKind::NotSupported,
            value: Some(quote(value)),
            detail,
        }
    }
}

impl fmt::Display for FieldError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}: {}", self.field, self.body())
    }
}

/// The `message` of the 422 Status, as in
/// `Role.rbac.authorization.k8s.io "x" is invalid: rules[0].verbs: Required value: ...`.
#[must_use]
pub fn invalid_message(kind: &str, name: &str, errors: &[FieldError]) -> String {
    let errors = join_errors(errors.iter().map(ToString::to_string).collect()).unwrap_or_default();
    format!(
        "{kind}.rbac.authorization.k8s.io {} is invalid: {errors}",
        quote(name)
    )
}
