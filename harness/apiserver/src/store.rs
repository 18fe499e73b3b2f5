//! The objects, in memory, with their history for watches.
//!
//! One lock guards everything and is never held across an await: a transaction is a plain
//! closure. Watchers keep a revision of their own and are woken through a `watch` channel, so a
//! slow one costs nobody else anything.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde_json::{Value, json};
use tokio::sync::watch;

use crate::object::Object;
use crate::resources::Resource;

/// How many changes a watch can lag behind before it must list again.
const HISTORY: usize = 4096;

/// Namespace (empty for cluster scope) and name.
type Name = (String, String);

/// What happened to an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ChangeKind {
    Added,
    Modified,
    Deleted,
}

/// One entry of the history.
#[derive(Debug, Clone)]
pub(crate) struct Change {
    pub(crate) revision: u64,
    /// [`Resource::key`].
    pub(crate) resource: String,
    pub(crate) kind: ChangeKind,
    pub(crate) object: Arc<Value>,
    pub(crate) previous: Option<Arc<Value>>,
}

/// The revision asked for has left the history; holds the oldest one still known.
#[derive(Debug)]
pub(crate) struct Compacted(pub(crate) u64);

#[derive(Debug, Default)]
struct State {
    revision: u64,
    objects: HashMap<String, BTreeMap<Name, Arc<Value>>>,
    history: VecDeque<Change>,
}

/// All objects of the cluster.
#[derive(Debug)]
pub(crate) struct Store {
    state: Mutex<State>,
    revision: watch::Sender<u64>,
}

impl Store {
    pub(crate) fn new() -> Self {
        Self {
            state: Mutex::default(),
            revision: watch::Sender::new(0),
        }
    }

    /// Opens a transaction; watchers see its changes when it is dropped.
    pub(crate) fn begin(&self) -> Transaction<'_> {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        Transaction {
            state,
            revision: &self.revision,
            changes: Vec::new(),
        }
    }

    pub(crate) fn get(
        &self,
        resource: &Resource,
        namespace: &str,
        name: &str,
    ) -> Option<Arc<Value>> {
        self.begin().get(resource, namespace, name)
    }

    /// The objects of a kind (of one namespace, or of all with `""`), and the revision of that view.
    pub(crate) fn list(&self, resource: &Resource, namespace: &str) -> (Vec<Arc<Value>>, u64) {
        let view = self.begin();
        (view.list(resource, namespace), view.state.revision)
    }

    /// Told of every new revision.
    pub(crate) fn subscribe(&self) -> watch::Receiver<u64> {
        self.revision.subscribe()
    }

    /// The changes of one kind after `revision`, and the revision reached.
    pub(crate) fn since(
        &self,
        resource: &Resource,
        revision: u64,
    ) -> Result<(Vec<Change>, u64), Compacted> {
        let view = self.begin();
        let oldest = view
            .state
            .history
            .front()
            .map_or(view.state.revision + 1, |one| one.revision);
        if revision + 1 < oldest {
            return Err(Compacted(oldest));
        }
        let history = &view.state.history;
        let start = history.partition_point(|change| change.revision <= revision);
        let key = resource.key();
        let news = history
            .range(start..)
            .filter(|change| change.resource == key);
        let news = news.map(|change| Change {
            object: resource.view(&change.object),
            previous: change.previous.as_ref().map(|one| resource.view(one)),
            ..change.clone()
        });
        Ok((news.collect(), view.state.revision))
    }
}

/// Exclusive access to the objects, and what was changed through it.
pub(crate) struct Transaction<'a> {
    state: MutexGuard<'a, State>,
    revision: &'a watch::Sender<u64>,
    /// Changes in order, for controllers to react to.
    pub(crate) changes: Vec<Change>,
}

impl Transaction<'_> {
    pub(crate) fn revision(&self) -> u64 {
        self.state.revision
    }

    /// Lets the history begin here; watches from before are told to list again.
    pub(crate) fn forget(&mut self) {
        self.state.history.clear();
    }

    pub(crate) fn get(
        &self,
        resource: &Resource,
        namespace: &str,
        name: &str,
    ) -> Option<Arc<Value>> {
        let objects = self.state.objects.get(resource.key())?;
        let object = objects.get(&(namespace.to_owned(), name.to_owned()))?;
        Some(resource.view(object))
    }

    pub(crate) fn list(&self, resource: &Resource, namespace: &str) -> Vec<Arc<Value>> {
        let Some(objects) = self.state.objects.get(resource.key()) else {
            return Vec::new();
        };
        if namespace.is_empty() {
            return objects
                .values()
                .map(|object| resource.view(object))
                .collect();
        }
        let first = (namespace.to_owned(), String::new());
        let inside = objects
            .range(first..)
            .take_while(|((one, _), _)| one == namespace);
        inside.map(|(_, object)| resource.view(object)).collect()
    }

    /// Stores an object under its own name with a new resourceVersion. An object equal to the
    /// stored one is no change and keeps its version, as in etcd.
    pub(crate) fn put(&mut self, resource: &Resource, mut object: Value) -> Arc<Value> {
        let name = (object.namespace().to_owned(), object.name().to_owned());
        let previous = self
            .state
            .objects
            .get(resource.key())
            .and_then(|all| all.get(&name))
            .cloned();
        if let Some(previous) = &previous {
            object
                .metadata_mut()
                .insert("resourceVersion".to_owned(), json!(previous.revision()));
            if object == **previous {
                return Arc::clone(previous);
            }
        }
        let revision = self.advance();
        object
            .metadata_mut()
            .insert("resourceVersion".to_owned(), json!(revision.to_string()));
        let object = Arc::new(object);
        let objects = self
            .state
            .objects
            .entry(resource.key().to_owned())
            .or_default();
        objects.insert(name, Arc::clone(&object));
        let kind = if previous.is_some() {
            ChangeKind::Modified
        } else {
            ChangeKind::Added
        };
        self.record(resource, revision, kind, Arc::clone(&object), previous);
        object
    }

    /// Removes an object; the last state, with the revision of its removal, goes to watchers.
    pub(crate) fn remove(
        &mut self,
        resource: &Resource,
        namespace: &str,
        name: &str,
    ) -> Option<Arc<Value>> {
        let objects = self.state.objects.get_mut(resource.key())?;
        let previous = objects.remove(&(namespace.to_owned(), name.to_owned()))?;
        let revision = self.advance();
        let mut last = (*previous).clone();
        last.metadata_mut()
            .insert("resourceVersion".to_owned(), json!(revision.to_string()));
        let last = Arc::new(last);
        self.record(
            resource,
            revision,
            ChangeKind::Deleted,
            last,
            Some(Arc::clone(&previous)),
        );
        Some(previous)
    }

    fn advance(&mut self) -> u64 {
        self.state.revision += 1;
        self.state.revision
    }

    fn record(
        &mut self,
        resource: &Resource,
        revision: u64,
        kind: ChangeKind,
        object: Arc<Value>,
        previous: Option<Arc<Value>>,
    ) {
        let resource = resource.key().to_owned();
        let change = Change {
            revision,
            resource,
            kind,
            object,
            previous,
        };
        if self.state.history.len() == HISTORY {
            self.state.history.pop_front();
        }
        self.state.history.push_back(change.clone());
        self.changes.push(change);
    }
}

impl Drop for Transaction<'_> {
    fn drop(&mut self) {
        if !self.changes.is_empty() {
            self.revision.send_replace(self.state.revision);
        }
    }
}

#[cfg(test)]
mod tests;
