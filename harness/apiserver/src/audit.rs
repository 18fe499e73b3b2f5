//! The audit log: one `audit.k8s.io/v1` Event a request, at level Metadata.
//!
//! Form: Kubernetes docs, "kube-apiserver Audit Configuration (v1)".

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Mutex, PoisonError};

use authlab_authn::UserInfo;
use chrono::{DateTime, SecondsFormat, Utc};
use http::{StatusCode, header, request};
use serde_json::{Value, json};

use crate::call::Notes;
use crate::chain::impersonation::Impersonated;
use crate::request::RequestInfo;
use crate::status::Status;

/// How many events are kept; the oldest go first.
const KEPT: usize = 10_000;

/// The events so far, as lines of JSON.
#[derive(Debug, Default)]
pub(crate) struct AuditLog(Mutex<VecDeque<String>>);

impl AuditLog {
    pub(crate) fn push(&self, line: String) {
        let mut lines = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if lines.len() == KEPT {
            lines.pop_front();
        }
        lines.push_back(line);
    }

    pub(crate) fn lines(&self) -> Vec<String> {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .iter()
            .cloned()
            .collect()
    }
}

/// An event as it grows while its request is served.
#[derive(Debug)]
pub(crate) struct Event {
    pub(crate) id: String,
    received: DateTime<Utc>,
    uri: String,
    agent: Option<String>,
    source: String,
    pub(crate) user: UserInfo,
    pub(crate) impersonated: Option<Impersonated>,
    name: String,
    annotations: BTreeMap<String, String>,
}

impl Event {
    pub(crate) fn new(parts: &request::Parts, source: std::net::IpAddr) -> Self {
        let agent = parts.headers.get(header::USER_AGENT);
        Self {
            id: uuid::Uuid::new_v4().to_string(),
            received: Utc::now(),
            uri: parts
                .uri
                .path_and_query()
                .map(ToString::to_string)
                .unwrap_or_default(),
            agent: agent
                .and_then(|agent| agent.to_str().ok())
                .map(str::to_owned),
            source: source.to_string(),
            user: UserInfo::default(),
            impersonated: None,
            name: String::new(),
            annotations: BTreeMap::new(),
        }
    }

    pub(crate) fn annotate(&mut self, key: &str, value: impl Into<String>) {
        self.annotations.insert(key.to_owned(), value.into());
    }

    /// Takes over what the handler noted.
    pub(crate) fn add(&mut self, notes: &Notes) {
        self.name.clone_from(&notes.name);
        for (key, value) in &notes.annotations {
            self.annotate(key, value);
        }
    }

    /// The event's line once the answer is known. A watch has only begun then; and the real
    /// server writes of a request without a user that its response has started, no more.
    pub(crate) fn line(
        &self,
        info: &RequestInfo,
        code: StatusCode,
        failure: Option<&Status>,
    ) -> String {
        let time = |at: DateTime<Utc>| at.to_rfc3339_opts(SecondsFormat::Micros, true);
        let unfinished = info.verb == "watch" || code == StatusCode::UNAUTHORIZED;
        let stage = if unfinished {
            "ResponseStarted"
        } else {
            "ResponseComplete"
        };
        let mut event = json!({
            "kind": "Event",
            "apiVersion": "audit.k8s.io/v1",
            "level": "Metadata",
            "auditID": self.id,
            "stage": stage,
            "requestURI": self.uri,
            "verb": info.verb,
            "user": user(&self.user),
            "sourceIPs": [self.source],
            "responseStatus": response(code, failure),
            "requestReceivedTimestamp": time(self.received),
            "stageTimestamp": time(Utc::now()),
        });
        if let Some(agent) = &self.agent {
            event["userAgent"] = json!(agent);
        }
        if let Some(impersonated) = &self.impersonated {
            event["impersonatedUser"] = user(&impersonated.user);
            if let Some(constraint) = &impersonated.constraint {
                event["authenticationMetadata"] = json!({"impersonationConstraint": constraint});
            }
        }
        if let Some(target) = &info.resource {
            event["objectRef"] = filled([
                ("resource", &target.resource),
                ("namespace", &target.namespace),
                (
                    "name",
                    if target.name.is_empty() {
                        &self.name
                    } else {
                        &target.name
                    },
                ),
                ("apiGroup", &target.group),
                ("apiVersion", &target.version),
                ("subresource", &target.subresource),
            ]);
        }
        if !self.annotations.is_empty() {
            event["annotations"] = json!(self.annotations);
        }
        event.to_string()
    }
}

fn response(code: StatusCode, failure: Option<&Status>) -> Value {
    let mut status = json!({"metadata": {}, "code": code.as_u16()});
    if let Some(failure) = failure {
        let body = failure.body();
        status["status"] = json!("Failure");
        status["message"] = json!(body.message);
        if body.reason.is_some() {
            status["reason"] = json!(body.reason);
        }
        if body.details.is_some() {
            status["details"] = json!(body.details);
        }
    }
    status
}

fn user(user: &UserInfo) -> Value {
    let mut value = filled([("username", &user.username), ("uid", &user.uid)]);
    if !user.groups.is_empty() {
        value["groups"] = json!(user.groups);
    }
    if !user.extra.is_empty() {
        value["extra"] = json!(user.extra);
    }
    value
}

/// An object of the fields that are not empty.
fn filled<const N: usize>(fields: [(&str, &String); N]) -> Value {
    let some = fields.into_iter().filter(|(_, value)| !value.is_empty());
    some.map(|(key, value)| (key.to_owned(), json!(value)))
        .collect::<serde_json::Map<_, _>>()
        .into()
}
