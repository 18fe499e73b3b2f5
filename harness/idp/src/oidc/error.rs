//! Errors of the protocol endpoints, as JSON (RFC 6749 section 5.2).

use axum::{
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};
use serde::Serialize;

/// What an endpoint that answers in JSON refuses with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct OAuthError {
    status: StatusCode,
    code: &'static str,
    description: String,
}

#[derive(Serialize)]
struct Body<'a> {
    error: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    error_description: &'a str,
}

impl OAuthError {
    /// An error with status 400; an empty description is left out of the body.
    pub(crate) fn new(code: &'static str, description: impl Into<String>) -> Self {
        Self {
            status: StatusCode::BAD_REQUEST,
            code,
            description: description.into(),
        }
    }

    /// The same error under another status.
    pub(crate) fn with_status(mut self, status: StatusCode) -> Self {
        self.status = status;
        self
    }

    /// A fault of ours, which tells the client nothing.
    pub(crate) fn internal() -> Self {
        Self::new("server_error", "").with_status(StatusCode::INTERNAL_SERVER_ERROR)
    }

    /// The client named itself wrongly, or not at all.
    pub(crate) fn invalid_client(description: &str) -> Self {
        Self::new("invalid_client", description).with_status(StatusCode::UNAUTHORIZED)
    }
}

impl IntoResponse for OAuthError {
    fn into_response(self) -> Response {
        let body = Body {
            error: self.code,
            error_description: &self.description,
        };
        // Two strings always make JSON.
        let body = super::html::json(&body).unwrap_or_default();
        (
            self.status,
            [(header::CONTENT_TYPE, "application/json")],
            body,
        )
            .into_response()
    }
}
