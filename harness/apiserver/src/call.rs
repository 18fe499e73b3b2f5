//! One request on its way through the server, once it is known who asks.

use std::sync::{Arc, Mutex, PoisonError};

use crate::user::UserInfo;
use authlab_rbac::{Attributes, Target};
use axum::body::Bytes;
use http::{HeaderMap, HeaderValue, header};

use crate::cluster::Cluster;
use crate::request::{Query, RequestInfo};
use crate::status::Status;

/// Everything a handler may look at.
pub(crate) struct Call {
    pub(crate) cluster: Arc<Cluster>,
    pub(crate) info: RequestInfo,
    pub(crate) query: Query,
    pub(crate) headers: HeaderMap,
    /// Who asks, after impersonation.
    pub(crate) user: UserInfo,
    pub(crate) body: Bytes,
    /// Warning texts for the response's `Warning` headers (RFC 9111 code 299).
    warnings: Mutex<Vec<String>>,
}

impl Call {
    pub(crate) fn new(
        cluster: Arc<Cluster>,
        info: RequestInfo,
        query: Query,
        headers: HeaderMap,
        user: UserInfo,
        body: Bytes,
    ) -> Self {
        Self {
            cluster,
            info,
            query,
            headers,
            user,
            body,
            warnings: Mutex::default(),
        }
    }

    /// A header's text, `""` when it is absent or not text.
    pub(crate) fn header(&self, name: header::HeaderName) -> &str {
        self.headers
            .get(name)
            .and_then(|value| value.to_str().ok())
            .unwrap_or_default()
    }

    /// The media type of the body, without parameters.
    pub(crate) fn content_type(&self) -> &str {
        self.header(header::CONTENT_TYPE)
            .split(';')
            .next()
            .unwrap_or_default()
            .trim()
    }

    pub(crate) fn warn(&self, text: impl Into<String>) {
        self.warnings
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(text.into());
    }

    /// The `Warning` headers so far.
    pub(crate) fn warning_headers(&self) -> Vec<HeaderValue> {
        let warnings = self.warnings.lock().unwrap_or_else(PoisonError::into_inner);
        let quoted = warnings.iter().map(|text| {
            format!(
                "299 - \"{}\"",
                text.replace('\\', "\\\\").replace('"', "\\\"")
            )
        });
        quoted
            .filter_map(|text| HeaderValue::from_str(&text).ok())
            .collect()
    }
}

/// The 403 answer to a request that the authorizer refused.
pub(crate) fn refusal(user: &UserInfo, verb: &str, target: Target<'_>, reason: &str) -> Status {
    let attributes = Attributes {
        user: &user.username,
        groups: &user.groups,
        verb,
        target,
    };
    let message = authlab_rbac::forbidden_message(&attributes, reason);
    match target {
        Target::Path(_) => Status::forbidden_message("", "", "", message),
        Target::Resource {
            group,
            resource,
            name,
            ..
        } => Status::forbidden_message(group, resource, name, message),
    }
}
