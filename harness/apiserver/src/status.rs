//! Failures as the API server words them: `v1.Status` bodies and field errors.
//!
//! Texts and codes follow k8s.io/apimachinery `api/errors` and `util/validation/field` (v0.36).

use authlab_rbac::{quote, validation::FieldError};
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, HeaderValue, StatusCode, header};
use k8s_openapi::apimachinery::pkg::apis::meta::v1 as meta;

use crate::managed::Conflict;
use crate::resources::Resource;

/// What a handler answers instead of an object.
#[derive(Debug, Clone)]
pub(crate) struct Status(Box<meta::Status>);

pub(crate) const METHOD_NOT_ALLOWED: &str =
    "the server does not allow this method on the requested resource";
const MODIFIED: &str =
    "the object has been modified; please apply your changes to the latest version and try again";

impl Status {
    fn new(code: StatusCode, reason: &str, message: impl Into<String>) -> Self {
        Self(Box::new(meta::Status {
            code: Some(i32::from(code.as_u16())),
            message: Some(message.into()),
            reason: (!reason.is_empty()).then(|| reason.to_owned()),
            status: Some("Failure".to_owned()),
            ..meta::Status::default()
        }))
    }

    fn about(mut self, group: &str, kind: &str, name: &str) -> Self {
        let set = |text: &str| (!text.is_empty()).then(|| text.to_owned());
        self.0.details = Some(meta::StatusDetails {
            group: set(group),
            kind: set(kind),
            name: set(name),
            ..meta::StatusDetails::default()
        });
        self
    }

    fn because(mut self, reason: &str, message: String, field: &str) -> Self {
        let details = self.0.details.get_or_insert_default();
        let set = |text: &str| (!text.is_empty()).then(|| text.to_owned());
        details
            .causes
            .get_or_insert_default()
            .push(meta::StatusCause {
                field: set(field),
                message: Some(message),
                reason: set(reason),
            });
        self
    }

    pub(crate) fn code(&self) -> StatusCode {
        self.0
            .code
            .and_then(|code| u16::try_from(code).ok())
            .and_then(|code| StatusCode::from_u16(code).ok())
            .unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
    }

    pub(crate) fn body(&self) -> &meta::Status {
        &self.0
    }

    #[cfg(test)]
    pub(crate) fn message(&self) -> &str {
        self.0.message.as_deref().unwrap_or_default()
    }

    pub(crate) fn unauthorized() -> Self {
        Self::new(StatusCode::UNAUTHORIZED, "Unauthorized", "Unauthorized")
    }

    pub(crate) fn bad_request(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "BadRequest", message)
    }

    /// What a list makes of a bad resource version, where a watch has no code for it.
    pub(crate) fn of_list(self) -> Self {
        let why = self.0.message.unwrap_or_default();
        Self::bad_request(format!("invalid resource version: {why}"))
    }

    /// A failure that the real server never gave a reason: code 500 and the bare text.
    pub(crate) fn unexplained(message: impl Into<String>) -> Self {
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "", message)
    }

    pub(crate) fn internal(message: &str) -> Self {
        Self::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            "InternalError",
            format!("Internal error occurred: {message}"),
        )
        .because("", message.to_owned(), "")
    }

    /// An unknown resource below a known API.
    pub(crate) fn no_such_resource() -> Self {
        let message = "the server could not find the requested resource";
        Self::new(StatusCode::NOT_FOUND, "NotFound", message).about("", "", "")
    }

    pub(crate) fn method_not_allowed() -> Self {
        Self::new(
            StatusCode::METHOD_NOT_ALLOWED,
            "MethodNotAllowed",
            METHOD_NOT_ALLOWED,
        )
        .about("", "", "")
    }

    /// A patch that does not apply; the real server does not say why.
    pub(crate) fn unprocessable() -> Self {
        let message = "the server rejected our request due to an error in our request";
        Self::new(StatusCode::UNPROCESSABLE_ENTITY, "Invalid", message).about("", "", "")
    }

    pub(crate) fn not_acceptable(known: &str) -> Self {
        let message = format!("406: Not Acceptable\n\nAvailable representations: {known}");
        Self::new(StatusCode::NOT_ACCEPTABLE, "NotAcceptable", message).about("", "", "")
    }

    /// A body whose media type no decoder takes.
    pub(crate) fn unsupported_body(accepted: &str) -> Self {
        Self::new(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "UnsupportedMediaType",
            format!(
                "the body of the request was in an unknown format - accepted media types include: {accepted}"
            ),
        )
    }

    /// A media type that the route itself does not take (patches).
    pub(crate) fn unsupported_route() -> Self {
        let message = "415: Unsupported Media Type";
        Self::new(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "UnsupportedMediaType",
            message,
        )
        .about("", "", "")
    }

    pub(crate) fn too_large() -> Self {
        let message = "Request entity too large: limit is 3145728";
        Self::new(
            StatusCode::PAYLOAD_TOO_LARGE,
            "RequestEntityTooLarge",
            message,
        )
    }

    /// A list as of a revision that is not there yet; the real server waits a moment for it.
    pub(crate) fn too_new(wanted: u64, current: u64) -> Self {
        let message = format!("Timeout: Too large resource version: {wanted}, current: {current}");
        let mut status = Self::new(StatusCode::GATEWAY_TIMEOUT, "Timeout", message)
            .about("", "", "")
            .because(
                "ResourceVersionTooLarge",
                "Too large resource version".to_owned(),
                "",
            );
        status.0.details.get_or_insert_default().retry_after_seconds = Some(1);
        status
    }

    pub(crate) fn expired(message: impl Into<String>) -> Self {
        Self::new(StatusCode::GONE, "Expired", message)
    }

    pub(crate) fn not_found(resource: &Resource, name: &str) -> Self {
        let message = format!("{} {} not found", resource.qualified(), quote(name));
        Self::new(StatusCode::NOT_FOUND, "NotFound", message).about(
            &resource.group,
            &resource.plural,
            name,
        )
    }

    /// Something missing that no served kind stands for by this name.
    pub(crate) fn missing(group: &str, kind: &str, name: &str, message: String) -> Self {
        Self::new(StatusCode::NOT_FOUND, "NotFound", message).about(group, kind, name)
    }

    pub(crate) fn already_exists(resource: &Resource, name: &str, leaving: bool) -> Self {
        let leaving = if leaving {
            "object is being deleted: "
        } else {
            ""
        };
        let message = format!(
            "{leaving}{} {} already exists",
            resource.qualified(),
            quote(name)
        );
        Self::new(StatusCode::CONFLICT, "AlreadyExists", message).about(
            &resource.group,
            &resource.plural,
            name,
        )
    }

    pub(crate) fn conflict(group: &str, kind: &str, name: &str, why: &str) -> Self {
        let (kind_text, name_text) = (qualified(group, kind), quote(name));
        let message = format!("Operation cannot be fulfilled on {kind_text} {name_text}: {why}");
        Self::new(StatusCode::CONFLICT, "Conflict", message).about(group, kind, name)
    }

    /// An update or patch that names a resourceVersion other than the current one.
    pub(crate) fn stale(resource: &Resource, name: &str) -> Self {
        Self::conflict(&resource.group, &resource.plural, name, MODIFIED)
    }

    /// Applied fields that others manage (Kubernetes docs, "Server-Side Apply", "Conflicts").
    pub(crate) fn owned(conflicts: &[Conflict]) -> Self {
        let message = match conflicts {
            [Conflict { manager, field }] => {
                format!("Apply failed with 1 conflict: conflict with {manager}: {field}")
            }
            many => {
                let mut managers: Vec<&str> = many.iter().map(|one| one.manager.as_str()).collect();
                managers.sort_unstable();
                managers.dedup();
                let parts = managers.into_iter().map(|manager| {
                    let fields = many.iter().filter(|one| one.manager == manager);
                    let fields = fields.map(|one| format!("\n- {}", one.field));
                    format!("conflicts with {manager}:{}", fields.collect::<String>())
                });
                let parts = parts.collect::<Vec<_>>().join("\n");
                format!("Apply failed with {} conflicts: {parts}", many.len())
            }
        };
        let status = Self::new(StatusCode::CONFLICT, "Conflict", message).about("", "", "");
        conflicts.iter().fold(status, |status, conflict| {
            let message = format!("conflict with {}", conflict.manager);
            status.because("FieldManagerConflict", message, &conflict.field)
        })
    }

    /// `why` is the part after `is forbidden: `; everything empty means a non-resource request.
    pub(crate) fn forbidden(group: &str, resource: &str, name: &str, why: &str) -> Self {
        let message = match (resource, name) {
            ("", _) => format!("forbidden: {why}"),
            (_, "") => format!("{} is forbidden: {why}", qualified(group, resource)),
            _ => format!(
                "{} {} is forbidden: {why}",
                qualified(group, resource),
                quote(name)
            ),
        };
        Self::forbidden_message(group, resource, name, message)
    }

    /// A refusal whose whole message is at hand.
    pub(crate) fn forbidden_message(
        group: &str,
        resource: &str,
        name: &str,
        message: String,
    ) -> Self {
        Self::new(StatusCode::FORBIDDEN, "Forbidden", message).about(group, resource, name)
    }

    /// Content for a namespace that is going away (admission plugin NamespaceLifecycle).
    pub(crate) fn terminating(resource: &Resource, name: &str, namespace: &str) -> Self {
        let why = format!(
            "unable to create new content in namespace {namespace} because it is being terminated"
        );
        Self::forbidden(&resource.group, &resource.plural, name, &why).because(
            "NamespaceTerminating",
            format!("namespace {namespace} is being terminated"),
            "metadata.namespace",
        )
    }

    pub(crate) fn invalid(group: &str, kind: &str, name: &str, errors: &[FieldError]) -> Self {
        let mut texts: Vec<String> = Vec::new();
        for text in errors.iter().map(ToString::to_string) {
            if !texts.contains(&text) {
                texts.push(text);
            }
        }
        let all = match texts.as_slice() {
            [one] => one.clone(),
            many => format!("[{}]", many.join(", ")),
        };
        let message = format!(
            "{} {} is invalid: {all}",
            qualified(group, kind),
            quote(name)
        );
        let status = Self::new(StatusCode::UNPROCESSABLE_ENTITY, "Invalid", message)
            .about(group, kind, name);
        errors.iter().fold(status, |status, error| {
            status.because(error.kind.reason(), error.body(), &error.field)
        })
    }
}

impl IntoResponse for Status {
    fn into_response(self) -> Response {
        let mut headers = HeaderMap::new();
        headers.insert(
            header::CONTENT_TYPE,
            HeaderValue::from_static("application/json"),
        );
        if self.code() == StatusCode::FORBIDDEN {
            headers.insert(
                header::X_CONTENT_TYPE_OPTIONS,
                HeaderValue::from_static("nosniff"),
            );
        }
        let body = serde_json::to_vec(self.body()).unwrap_or_default();
        (self.code(), headers, body).into_response()
    }
}

/// `resource.group`, or the bare name in the core group.
pub(crate) fn qualified(group: &str, name: &str) -> String {
    if group.is_empty() {
        name.to_owned()
    } else {
        format!("{name}.{group}")
    }
}
