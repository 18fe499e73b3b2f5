//! `audit`: what the API server has written down about a request.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use authlab_lab::control::{Request, Response};
use authlab_lab::state::Capability;
use authlab_lab::wait::{Look, WaitError, until};
use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Map, Value, json};
use serde_saphyr::Spanned;

use super::user::User;
use super::{Task, Verb};
use crate::api::Call;
use crate::context::Context;
use crate::fault::Fault;
use crate::format::{OneOrMany, TextMatch, Word};
use crate::seen::Seen;

/// How long an event may take to be written.
const PATIENCE: Duration = Duration::from_secs(5);

/// Looks for an event in the API server's audit log, among those of this scenario's time.
///
/// ```yaml
/// - audit:
///     event:
///       user: { username: "dex:jane@example.com" }
///       verb: list
///       resource: nodes
///       status: 403
///       annotations: { authorization.k8s.io/decision: { is: forbid } }
/// - audit: { event: { user: { username: mallory } }, expect: absent }
/// ```
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(crate) struct Audit {
    /// The API server, by its name in the lab file; `default` when left out.
    #[serde(default)]
    #[schemars(with = "Option<String>")]
    cluster: Option<Spanned<String>>,
    /// The event; fields left out may be anything.
    event: Event,
    /// `found` (when left out): within 5 seconds. `absent`: not among the events of all that was
    /// asked before this step.
    #[serde(default)]
    expect: Option<Word<Expect>>,
    /// CEL booleans over `seen`: `seen.event` is the first event that fits, as it was written.
    #[serde(default)]
    #[schemars(with = "Option<OneOrMany<String>>")]
    check: Option<Spanned<OneOrMany<String>>>,
}

/// Whether the event is there.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
enum Expect {
    /// It is.
    Found {},
    /// It is not.
    Absent {},
}

/// An event (`audit.k8s.io/v1`).
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Event {
    /// Who asked: `username`, `uid`, `groups`, `extra`.
    #[serde(default)]
    user: Option<User>,
    /// For whom, where somebody is impersonated.
    #[serde(default)]
    impersonated: Option<User>,
    /// The verb of the API, for example `create` or `list`.
    #[serde(default)]
    verb: Option<String>,
    /// Path and query.
    #[serde(default)]
    uri: Option<TextMatch>,
    /// The resource, for example `pods`.
    #[serde(default)]
    resource: Option<String>,
    /// The namespace of the object.
    #[serde(default)]
    namespace: Option<String>,
    /// The name of the object.
    #[serde(default)]
    name: Option<String>,
    /// The HTTP status of the answer.
    #[serde(default)]
    status: Option<u16>,
    /// The words of the answer where it is a failure.
    #[serde(default)]
    message: Option<TextMatch>,
    /// Annotations, for example `authorization.k8s.io/decision: forbid`; `null` for one that is not
    /// there.
    #[serde(default)]
    annotations: BTreeMap<String, Option<TextMatch>>,
}

impl Event {
    /// The rows of an event beside what is expected.
    fn compare(&self, event: &Value) -> Seen {
        let mut seen = Seen::new(json!({ "event": event }));
        for (what, user, member) in [
            ("user", &self.user, "user"),
            ("impersonated", &self.impersonated, "impersonatedUser"),
        ] {
            if let Some(user) = user {
                let mut rows = Seen::default();
                user.compare(&event[member], &mut rows);
                for row in rows.rows {
                    seen.row(
                        format!("{what} {}", row.what),
                        row.expected,
                        row.seen,
                        row.holds,
                    );
                }
            }
        }
        let object = &event["objectRef"];
        for (what, expected, found) in [
            ("verb", &self.verb, &event["verb"]),
            ("resource", &self.resource, &object["resource"]),
            ("namespace", &self.namespace, &object["namespace"]),
            ("name", &self.name, &object["name"]),
        ] {
            if let Some(expected) = expected {
                seen.equal(
                    what,
                    &json!(expected),
                    &json!(found.as_str().unwrap_or_default()),
                );
            }
        }
        let answer = &event["responseStatus"];
        if let Some(status) = self.status {
            seen.equal("status", &json!(status), &answer["code"]);
        }
        for (what, expected, found) in [
            ("uri", &self.uri, &event["requestURI"]),
            ("message", &self.message, &answer["message"]),
        ] {
            if let Some(expected) = expected {
                text(what, Some(expected), found, &mut seen);
            }
        }
        for (name, expected) in &self.annotations {
            text(
                name,
                expected.as_ref(),
                &event["annotations"][name],
                &mut seen,
            );
        }
        seen
    }
}

fn text(what: &str, expected: Option<&TextMatch>, found: &Value, seen: &mut Seen) {
    let shown = found.as_str().unwrap_or("(none)");
    match expected {
        Some(expected) => {
            let holds = found.as_str().is_some_and(|found| expected.holds(found));
            seen.row(what, expected.describe(), shown, holds);
        }
        None => seen.row(what, "(none)", shown, found.is_null()),
    }
}

/// The parts of an event that do not differ from run to run.
fn portable(event: &Value) -> Value {
    let members = [
        "user",
        "impersonatedUser",
        "verb",
        "requestURI",
        "objectRef",
        "responseStatus",
        "annotations",
        "level",
    ];
    let known = members.iter().filter_map(|name| {
        let value = event.get(*name)?;
        Some(((*name).to_owned(), value.clone()))
    });
    Value::Object(known.collect::<Map<_, _>>())
}

/// An event on one line.
fn in_words(event: &Value) -> String {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    format!(
        "{} {} by {}: {}",
        text(&event["verb"]),
        text(&event["requestURI"]),
        text(&event["user"]["username"]),
        event["responseStatus"]["code"]
    )
}

/// The events that were received since `begun`, oldest first.
async fn events(context: &Context<'_>) -> Result<Vec<Value>, Fault> {
    let cluster = context.cluster();
    let request = Request::AuditLog { cluster };
    let Response::AuditLog { mut events } = context.host(&request).await? else {
        return Err(Fault::other("the lab host answered to another question"));
    };
    events.retain(|event| {
        let received = event["requestReceivedTimestamp"]
            .as_str()
            .unwrap_or_default();
        DateTime::parse_from_rfc3339(received).is_ok_and(|received| received >= context.begun)
    });
    Ok(events)
}

/// Waits until the log has an event of a request that comes after all others.
async fn caught_up(context: &Context<'_>) -> Result<(), Fault> {
    let mark = format!("/version?authlab={}", Utc::now().timestamp_micros());
    context.api.admin_does(Call::get(&mark)).await?;
    let what = "the audit log to catch up";
    let look = async || match events(context).await {
        Ok(events) if events.iter().any(|event| event["requestURI"] == *mark) => Look::Ready(()),
        Ok(events) => Look::NotYet(format!("{} events", events.len())),
        Err(fault) => Look::Failed(fault.to_string()),
    };
    Ok(until(what, PATIENCE, look).await?)
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Audit {
    fn absent(&self) -> bool {
        matches!(self.expect.as_deref(), Some(Expect::Absent {}))
    }

    fn find(&self, events: &[Value]) -> Option<Seen> {
        let mut all = events.iter().map(|event| self.event.compare(event));
        all.find(Seen::holds)
    }

    /// The event that comes nearest, the latest of several.
    fn nearest(&self, events: &[Value]) -> Option<Seen> {
        let wrong = |seen: &Seen| seen.rows.iter().filter(|row| !row.holds).count();
        let all = events.iter().rev().map(|event| self.event.compare(event));
        all.min_by_key(wrong)
    }
}

impl Verb for Audit {
    fn summary(&self) -> String {
        let event = &self.event;
        let user = event.user.as_ref().and_then(|user| user.username.clone());
        let status = event.status.map(|status| status.to_string());
        let parts = [user, event.verb.clone(), event.resource.clone(), status];
        parts.into_iter().flatten().collect::<Vec<_>>().join(" ")
    }

    fn checks(&self) -> Option<&Spanned<OneOrMany<String>>> {
        self.check.as_ref()
    }

    fn needs(&self) -> Option<Capability> {
        Some(Capability::AuditLog)
    }

    fn cluster(&self) -> Option<&Spanned<String>> {
        self.cluster.as_ref()
    }

    fn run<'a>(&'a self, context: &'a mut Context<'_>) -> Task<'a, Result<Seen, Fault>> {
        Box::pin(async move {
            if self.absent() {
                caught_up(context).await?;
                let found = self.find(&events(context).await?);
                let mut seen = Seen::new(json!({ "event": null }));
                let shown = found
                    .as_ref()
                    .map_or("absent".to_owned(), |found| in_words(&found.data["event"]));
                seen.row("event", "absent", shown, found.is_none());
                return Ok(seen);
            }
            let last = Mutex::new(Vec::new());
            let looked = until("the audit event", PATIENCE, async || {
                match events(context).await {
                    Err(fault) => Look::Failed(fault.to_string()),
                    Ok(events) => match self.find(&events) {
                        Some(seen) => Look::Ready(seen),
                        None => {
                            *lock(&last) = events;
                            Look::NotYet(String::new())
                        }
                    },
                }
            })
            .await;
            let mut seen = match looked {
                Ok(seen) => seen,
                Err(WaitError::Late { .. }) => self.nearest(&lock(&last)).unwrap_or_else(|| {
                    let mut seen = Seen::default();
                    seen.row(
                        "event",
                        "found",
                        "the log has no event of this scenario",
                        false,
                    );
                    seen
                }),
                Err(failed) => return Err(failed.into()),
            };
            seen.data["event"] = portable(&seen.data["event"]);
            Ok(seen)
        })
    }
}
