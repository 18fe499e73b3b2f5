//! Watches: the changes of a kind as they happen, one JSON document a line.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use authlab_rbac::validation::FieldError;
use axum::body::{Body, Bytes};
use axum::response::{IntoResponse, Response};
use futures_util::stream;
use http::{StatusCode, header};
use serde_json::{Value, json};
use tokio::sync::watch;
use tokio::time::{Instant, timeout_at};

use super::{options, read};
use crate::call::Call;
use crate::cluster::Cluster;
use crate::negotiate;
use crate::object::Object;
use crate::request::ResourceInfo;
use crate::resources::{Objects, Resource};
use crate::selector::Selector;
use crate::status::Status;
use crate::store::{Change, ChangeKind};
use crate::table;

/// How long a watch lasts that does not say (the real server: half an hour to an hour).
const LONGEST: u64 = 1800;
/// Time between bookmarks.
const BOOKMARK: Duration = Duration::from_secs(60);

pub(super) fn watch(
    call: &Call,
    resource: &Arc<Resource>,
    objects: &Objects,
    target: &ResourceInfo,
) -> Result<Response, Status> {
    let revision = options::revision(call)?;
    let initial = call.query.flag("sendInitialEvents");
    if initial && call.query.get("resourceVersionMatch") != Some("NotOlderThan") {
        let why = "sendInitialEvents requires setting resourceVersionMatch to NotOlderThan";
        let error = FieldError::forbidden("resourceVersionMatch", why);
        return options::refuse("ListOptions", &[error]).map(|()| StatusCode::OK.into_response());
    }
    let seconds = options::number(call, "timeoutSeconds")?.filter(|seconds| *seconds > 0);
    let selector = read::selector(call, objects)?;
    let shape = Shape::of(call);
    let bookmarks = call.query.flag("allowWatchBookmarks");
    let mut session = Session {
        cluster: Arc::clone(&call.cluster),
        resource: Arc::clone(resource),
        namespace: read::scope(resource, target).to_owned(),
        name: if target.named {
            target.name.clone()
        } else {
            String::new()
        },
        selector,
        shape,
        bookmarks,
        revision,
        pending: VecDeque::new(),
        defined: false,
        news: call.cluster.store.subscribe(),
        stopping: call.cluster.stopping.subscribe(),
        deadline: Instant::now() + Duration::from_secs(seconds.unwrap_or(LONGEST)),
        bookmark: Instant::now() + BOOKMARK,
        ended: false,
    };
    if initial || revision == 0 {
        session.begin(initial && bookmarks);
    }
    let body = Body::from_stream(stream::unfold(session, |mut session| async move {
        let line = session.next().await?;
        Some((Ok::<_, std::convert::Infallible>(line), session))
    }));
    Ok((
        StatusCode::OK,
        [(header::CONTENT_TYPE, "application/json")],
        body,
    )
        .into_response())
}

/// The form of the objects sent.
enum Shape {
    Full,
    Metadata,
    Table(String),
}

impl Shape {
    fn of(call: &Call) -> Self {
        let choices = negotiate::accepted(call.header(header::ACCEPT));
        let kind = choices.first().and_then(|choice| choice.shape.as_ref());
        match kind.map(|(kind, _, _)| kind.as_str()) {
            Some("Table") => Self::Table(
                call.query
                    .get("includeObject")
                    .unwrap_or("Metadata")
                    .to_owned(),
            ),
            Some("PartialObjectMetadata") => Self::Metadata,
            _ => Self::Full,
        }
    }
}

/// One client's watch.
struct Session {
    cluster: Arc<Cluster>,
    resource: Arc<Resource>,
    namespace: String,
    name: String,
    selector: Selector,
    shape: Shape,
    bookmarks: bool,
    /// Everything up to here has been sent or is pending.
    revision: u64,
    pending: VecDeque<Bytes>,
    /// A table's columns have been sent.
    defined: bool,
    news: watch::Receiver<u64>,
    stopping: watch::Receiver<bool>,
    deadline: Instant,
    bookmark: Instant,
    ended: bool,
}

impl Session {
    /// Sends what exists already, as additions.
    fn begin(&mut self, mark: bool) {
        let (objects, revision) = self.cluster.store.list(&self.resource, &self.namespace);
        for object in objects {
            if self.wants(&object) {
                self.send("ADDED", &object);
            }
        }
        self.revision = revision;
        if mark {
            self.send_bookmark(true);
        }
    }

    /// The next line, or the end of the watch.
    async fn next(&mut self) -> Option<Bytes> {
        loop {
            if let Some(line) = self.pending.pop_front() {
                return Some(line);
            }
            if self.ended || *self.stopping.borrow() {
                return None;
            }
            self.news.mark_unchanged();
            self.collect();
            if !self.pending.is_empty() {
                continue;
            }
            let until = if self.bookmarks {
                self.bookmark.min(self.deadline)
            } else {
                self.deadline
            };
            let (news, stopping) = (&mut self.news, &mut self.stopping);
            let woken = timeout_at(until, async {
                tokio::select! {
                    changed = news.changed() => changed.is_ok(),
                    _ = stopping.changed() => false,
                }
            });
            match woken.await {
                Ok(true) => {}
                Ok(false) => return None,
                Err(_) if Instant::now() >= self.deadline => return None,
                Err(_) => {
                    self.bookmark = Instant::now() + BOOKMARK;
                    self.send_bookmark(false);
                }
            }
        }
    }

    /// Takes over the changes since the last time.
    fn collect(&mut self) {
        match self.cluster.store.since(&self.resource, self.revision) {
            Ok((changes, reached)) => {
                changes.iter().for_each(|change| self.change(change));
                self.revision = self.revision.max(reached);
            }
            Err(oldest) => {
                let text = format!("too old resource version: {} ({})", self.revision, oldest.0);
                let status = json!(Status::expired(text).body());
                self.push("ERROR", &status);
                self.ended = true;
            }
        }
    }

    /// To a watcher with a selector, an object comes and goes as it starts and stops matching.
    fn change(&mut self, change: &Change) {
        let before = change
            .previous
            .as_ref()
            .is_some_and(|object| self.wants(object));
        let after = change.kind != ChangeKind::Deleted && self.wants(&change.object);
        match (before, after) {
            (false, true) => self.send("ADDED", &change.object),
            (true, true) => self.send("MODIFIED", &change.object),
            (true, false) => self.send("DELETED", &change.object),
            (false, false) => {}
        }
    }

    fn wants(&self, object: &Value) -> bool {
        (self.namespace.is_empty() || object.namespace() == self.namespace)
            && (self.name.is_empty() || object.name() == self.name)
            && self.selector.matches(object)
    }

    fn send(&mut self, kind: &str, object: &Value) {
        let object = match &self.shape {
            Shape::Full => return self.push(kind, object),
            Shape::Metadata => negotiate::metadata_only(&self.resource, object),
            Shape::Table(include) => table::table(&self.resource, object, include, !self.defined),
        };
        self.defined = true;
        self.push(kind, &object);
    }

    fn send_bookmark(&mut self, initial: bool) {
        let mut metadata = json!({"resourceVersion": self.revision.to_string()});
        if initial {
            metadata["annotations"] = json!({"k8s.io/initial-events-end": "true"});
        }
        let kind = &self.resource.kind;
        let version = self.resource.api_version();
        let object = json!({"kind": kind, "apiVersion": version, "metadata": metadata});
        self.send("BOOKMARK", &object);
    }

    fn push(&mut self, kind: &str, object: &Value) {
        let mut line = json!({"type": kind, "object": object}).to_string();
        line.push('\n');
        self.pending.push_back(line.into());
    }
}
