//! Strategic merges, list by list.

use proptest::prelude::*;
use serde_json::{Value, json};

fn merged(kind: &str, mut object: Value, patch: Value) -> Value {
    super::merge(kind, &mut object, &patch).unwrap();
    object
}

#[test]
fn keyed_lists_merge_and_others_are_replaced() {
    let pod = json!({"spec": {"containers": [{"name": "a", "image": "1", "args": ["x"]}, {"name": "b"}]}});
    let patch = json!({"spec": {"containers": [
        {"name": "a", "image": "2", "args": ["y"]},
        {"name": "c"},
        {"name": "b", "$patch": "delete"},
    ]}});
    assert_eq!(
        merged("Pod", pod, patch),
        json!({"spec": {"containers": [{"name": "a", "image": "2", "args": ["y"]}, {"name": "c"}]}})
    );
}

#[test]
fn directives_do_what_they_say() {
    let object = json!({"metadata": {"finalizers": ["a", "b"]}, "data": {"x": "1", "y": "2"}});
    let patch = json!({
        "metadata": {
            "$deleteFromPrimitiveList/finalizers": ["a"],
            "$setElementOrder/finalizers": ["c", "b"],
            "finalizers": ["c"],
        },
        "data": {"$retainKeys": ["x"], "x": null, "z": "3"},
    });
    assert_eq!(
        merged("ConfigMap", object, patch),
        json!({"metadata": {"finalizers": ["c", "b"]}, "data": {"z": "3"}})
    );
    let replaced = merged(
        "ConfigMap",
        json!({"data": {"x": "1"}}),
        json!({"data": {"$patch": "replace", "y": "2"}}),
    );
    assert_eq!(replaced, json!({"data": {"y": "2"}}));
}

fn container() -> impl Strategy<Value = Value> {
    ("[a-c]", "[x-z]").prop_map(|(name, image)| json!({"name": name, "image": image}))
}

fn pod() -> impl Strategy<Value = Value> {
    proptest::collection::vec(container(), 0..4).prop_map(|mut containers| {
        containers.sort_by_key(|one| one["name"].to_string());
        containers.dedup_by_key(|one| one["name"].to_string());
        json!({"spec": {"containers": containers}})
    })
}

proptest! {
    #[test]
    fn a_patch_applied_twice_is_a_patch_applied_once(object in pod(), patch in pod()) {
        let once = merged("Pod", object, patch.clone());
        prop_assert_eq!(merged("Pod", once.clone(), patch), once);
    }

    #[test]
    fn what_is_merged_is_there_and_no_name_is_there_twice(object in pod(), patch in pod()) {
        let merged = merged("Pod", object, patch.clone());
        let all = merged["spec"]["containers"].as_array().unwrap();
        for wanted in patch["spec"]["containers"].as_array().unwrap() {
            prop_assert_eq!(all.iter().filter(|one| one["name"] == wanted["name"]).count(), 1);
            prop_assert!(all.contains(wanted));
        }
    }
}
