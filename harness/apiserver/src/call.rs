//! One request on its way through the server, once it is known who asks.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use authlab_authn::UserInfo;
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
    notes: Mutex<Notes>,
}

/// What a handler has to say besides its answer.
#[derive(Debug, Default)]
pub(crate) struct Notes {
    /// Texts for `Warning` headers (RFC 9111 section 5.5, code 299).
    warnings: Vec<String>,
    /// The name of the object in the request's body, for the audit log.
    pub(crate) name: String,
    /// Annotations for the audit log.
    pub(crate) annotations: Vec<(&'static str, String)>,
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
            notes: Mutex::default(),
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

    fn notes(&self) -> MutexGuard<'_, Notes> {
        self.notes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn warn(&self, text: impl Into<String>) {
        self.notes().warnings.push(text.into());
    }

    /// Notes the name that a body gives its object.
    pub(crate) fn is_about(&self, name: &str) {
        name.clone_into(&mut self.notes().name);
    }

    pub(crate) fn annotate(&self, key: &'static str, value: impl Into<String>) {
        self.notes().annotations.push((key, value.into()));
    }

    pub(crate) fn into_notes(self) -> Notes {
        self.notes
            .into_inner()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

impl Notes {
    /// The `Warning` headers.
    pub(crate) fn headers(&self) -> Vec<HeaderValue> {
        let quoted = self.warnings.iter().map(|text| {
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
