//! Walks over objects along their topology: comparing, listing, merging, taking away.
//!
//! The rules are those of sigs.k8s.io/structured-merge-diff (v6), package `typed`.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::set::{Element, Path, Set};
use super::topology::{List, Node};

/// How two states of an object differ.
#[derive(Default)]
pub(super) struct Comparison {
    pub(super) added: Set,
    pub(super) modified: Set,
    pub(super) removed: Set,
}

/// The items of a list by what tells them apart; those that nothing does are left out.
fn items<'a>(node: &Node<'_>, list: &List<'_>, items: &'a [Value]) -> BTreeMap<Element, &'a Value> {
    let mut found = BTreeMap::new();
    for item in items {
        if let Some(element) = node.element(list, item) {
            found.entry(element).or_insert(item);
        }
    }
    found
}

impl Comparison {
    pub(super) fn of(node: &Node<'_>, old: &Value, new: &Value) -> Self {
        let mut comparison = Self::default();
        comparison.compare(node, Some(old), Some(new), &mut Vec::new());
        comparison
    }

    fn leaf(&mut self, old: Option<&Value>, new: Option<&Value>, path: &Path) {
        match (old, new) {
            (None, _) => self.added.insert(path),
            (_, None) => self.removed.insert(path),
            (old, new) if old != new => self.modified.insert(path),
            _ => {}
        }
    }

    fn compare(
        &mut self,
        node: &Node<'_>,
        old: Option<&Value>,
        new: Option<&Value>,
        path: &mut Path,
    ) {
        let map = |value: Option<&Value>| value.is_none_or(Value::is_object);
        let list = |value: Option<&Value>| value.is_none_or(Value::is_array);
        if map(old) && map(new) {
            self.maps(node, old, new, path);
        } else if list(old) && list(new) {
            self.lists(node, old, new, path);
        } else {
            self.leaf(old, new, path);
        }
    }

    fn maps(&mut self, node: &Node<'_>, old: Option<&Value>, new: Option<&Value>, path: &mut Path) {
        let empty = Map::new();
        let fields = |value: Option<&Value>| value.and_then(Value::as_object).cloned();
        let (before, after) = (fields(old), fields(new));
        let (before, after) = (
            before.as_ref().unwrap_or(&empty),
            after.as_ref().unwrap_or(&empty),
        );
        if node.whole_map() || before.is_empty() && after.is_empty() {
            return self.leaf(old, new, path);
        }
        for key in before
            .keys()
            .chain(after.keys().filter(|key| !before.contains_key(*key)))
        {
            path.push(Element::Field(key.clone()));
            let (below, _) = node.field(key);
            self.compare(&below, before.get(key), after.get(key), path);
            path.pop();
        }
        self.container(old, new, path);
    }

    fn lists(
        &mut self,
        node: &Node<'_>,
        old: Option<&Value>,
        new: Option<&Value>,
        path: &mut Path,
    ) {
        let slice = |value: Option<&Value>| -> Vec<Value> {
            value.and_then(Value::as_array).cloned().unwrap_or_default()
        };
        let (before, after) = (slice(old), slice(new));
        let list = node.list();
        if matches!(list, List::Atomic) || before.is_empty() && after.is_empty() {
            return self.leaf(old, new, path);
        }
        let (before, after) = (items(node, &list, &before), items(node, &list, &after));
        let item = node.item();
        for key in before
            .keys()
            .chain(after.keys().filter(|key| !before.contains_key(*key)))
        {
            path.push(key.clone());
            self.compare(
                &item,
                before.get(key).copied(),
                after.get(key).copied(),
                path,
            );
            path.pop();
        }
        self.container(old, new, path);
    }

    fn container(&mut self, old: Option<&Value>, new: Option<&Value>, path: &Path) {
        if old.is_none() {
            self.added.insert(path);
        } else if new.is_none() {
            self.removed.insert(path);
        }
    }
}

/// The fields that an applied configuration names.
pub(super) fn fields(node: &Node<'_>, value: &Value, path: &mut Path, set: &mut Set) {
    match value {
        Value::Object(map) if !node.whole_map() => {
            for (key, value) in map {
                let (below, declared) = node.field(key);
                path.push(Element::Field(key.clone()));
                fields(&below, value, path, set);
                let empty = value.is_null() || value.as_object().is_some_and(Map::is_empty);
                if empty || !declared {
                    set.insert(path);
                }
                path.pop();
            }
        }
        Value::Array(list) if !matches!(node.list(), List::Atomic) => {
            let (shape, below) = (node.list(), node.item());
            for (element, item) in items(node, &shape, list) {
                path.push(element);
                fields(&below, item, path, set);
                set.insert(path);
                path.pop();
            }
        }
        _ => set.insert(path),
    }
}

/// Puts an applied configuration over an object.
pub(super) fn merge(node: &Node<'_>, object: &mut Value, applied: &Value) {
    match (object, applied) {
        (Value::Object(object), Value::Object(applied)) if !node.whole_map() => {
            for (key, value) in applied {
                let (below, _) = node.field(key);
                match object.get_mut(key) {
                    Some(current) => merge(&below, current, value),
                    None => _ = object.insert(key.clone(), value.clone()),
                }
            }
        }
        (Value::Array(current), Value::Array(applied)) if !matches!(node.list(), List::Atomic) => {
            let (shape, below) = (node.list(), node.item());
            for item in applied {
                let element = node.element(&shape, item);
                let place = current
                    .iter_mut()
                    .find(|one| node.element(&shape, one) == element);
                match place {
                    Some(place) => merge(&below, place, item),
                    None => current.push(item.clone()),
                }
            }
        }
        (object, applied) => *object = applied.clone(),
    }
}

/// Takes away what is at a path, if it is there; `empty`: only if nothing is in it.
pub(super) fn remove(node: &Node<'_>, object: &mut Value, path: &[Element], empty: bool) {
    let Some((first, rest)) = path.split_first() else {
        return;
    };
    let goes = |value: &Value| {
        !empty
            || value.as_object().is_some_and(Map::is_empty)
            || value.as_array().is_some_and(Vec::is_empty)
    };
    match (first, object) {
        (Element::Field(name), Value::Object(map)) => {
            if !rest.is_empty() {
                if let Some(value) = map.get_mut(name) {
                    let (below, _) = node.field(name);
                    remove(&below, value, rest, empty);
                }
            } else if map.get(name).is_some_and(goes) {
                map.remove(name);
            }
        }
        (element, Value::Array(list)) => {
            let shape = node.list();
            let wanted = |item: &Value| node.element(&shape, item).as_ref() == Some(element);
            if rest.is_empty() {
                list.retain(|item| !(wanted(item) && goes(item)));
            } else if let Some(item) = list.iter_mut().find(|item| wanted(item)) {
                remove(&node.item(), item, rest, empty);
            }
        }
        _ => {}
    }
}
