//! Revisions and history.

use k8s_openapi::api::core::v1::Node;
use serde_json::json;

use super::{ChangeKind, HISTORY, Store};
use crate::object::Object;
use crate::resources::{new_object, of};

#[test]
fn only_changes_count() {
    let (store, nodes) = (Store::new(), of::<Node>());
    let first = store.begin().put(nodes, new_object(nodes, "", "one"));
    let same = store.begin().put(nodes, (*first).clone());
    assert_eq!((first.revision(), same.revision()), ("1", "1"));
    let mut other = (*first).clone();
    other["spec"] = json!({"unschedulable": true});
    assert_eq!(store.begin().put(nodes, other).revision(), "2");
    store.begin().remove(nodes, "", "one");
    let (changes, reached) = store.since(nodes, 0).unwrap();
    let kinds: Vec<ChangeKind> = changes.iter().map(|change| change.kind).collect();
    assert_eq!(
        kinds,
        [ChangeKind::Added, ChangeKind::Modified, ChangeKind::Deleted]
    );
    assert_eq!(reached, 3);
    assert_eq!(store.since(nodes, 2).unwrap().0.len(), 1);
}

#[test]
fn history_is_bounded() {
    let (store, nodes) = (Store::new(), of::<Node>());
    let object = new_object(nodes, "", "one");
    for round in 0..=HISTORY {
        let mut object = object.clone();
        object["spec"] = json!({"podCIDR": round.to_string()});
        store.begin().put(nodes, object);
    }
    assert_eq!(store.since(nodes, 0).unwrap_err().0, 2);
    assert_eq!(store.since(nodes, 1).unwrap().0.len(), HISTORY);
}
