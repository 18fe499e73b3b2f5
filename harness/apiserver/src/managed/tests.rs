//! Sets, and what comes of updates and applies in turn.

use k8s_openapi::api::batch::v1::CronJob;
use k8s_openapi::api::core::v1::{ConfigMap, Pod};
use serde_json::{Value, json};

use super::set::Set;
use super::{Writer, same};
use crate::resources::of;

fn maps(manager: &str) -> Writer<'_> {
    Writer {
        manager,
        resource: of::<ConfigMap>(),
        subresource: "",
    }
}

fn stored(manager: &str, data: Value) -> Value {
    let mut object = json!({"metadata": {"name": "a", "uid": "1"}, "data": data});
    maps(manager).update(None, &mut object);
    object
}

fn owners(object: &Value) -> Vec<String> {
    let entries = object["metadata"]["managedFields"]
        .as_array()
        .unwrap()
        .iter();
    entries
        .map(|one| {
            format!(
                "{} {} {}",
                one["manager"], one["operation"], one["fieldsV1"]
            )
        })
        .collect()
}

#[test]
fn a_set_survives_being_written() {
    let fields = json!({"f:spec": {"f:ports": {
        ".": {}, r#"k:{"port":80,"protocol":"TCP"}"#: {".": {}, "f:port": {}}}},
        "f:metadata": {"f:finalizers": {".": {}, r#"v:"a/b""#: {}}}});
    assert_eq!(Set::decode(&fields).encode(), fields);
}

#[test]
fn an_update_owns_what_it_changes_and_what_holds_it() {
    let object = stored("one", json!({"a": "1", "b": "2"}));
    assert_eq!(
        owners(&object),
        [r#""one" "Update" {"f:data":{".":{},"f:a":{},"f:b":{}}}"#]
    );
    let mut next = object.clone();
    next["data"]["b"] = json!("3");
    maps("two").update(Some(&object), &mut next);
    assert_eq!(
        owners(&next),
        [
            r#""one" "Update" {"f:data":{".":{},"f:a":{}}}"#,
            r#""two" "Update" {"f:data":{"f:b":{}}}"#
        ]
    );
}

#[test]
fn applying_what_another_manages_is_a_conflict() {
    let live = stored("one", json!({"a": "1", "b": "2"}));
    let config = json!({"metadata": {"name": "a"}, "data": {"a": "9"}});
    let conflicts = maps("me").apply(&live, &config, false).unwrap_err();
    let texts: Vec<String> = conflicts
        .iter()
        .map(|one| format!("{}: {}", one.manager, one.field))
        .collect();
    assert_eq!(texts, [r#""one" using v1: .data.a"#]);
    let forced = maps("me").apply(&live, &config, true).unwrap();
    assert_eq!(forced["data"], json!({"a": "9", "b": "2"}));
    assert_eq!(
        owners(&forced),
        [
            r#""me" "Apply" {"f:data":{"f:a":{}}}"#,
            r#""one" "Update" {"f:data":{".":{},"f:b":{}}}"#
        ]
    );
}

#[test]
fn what_is_no_longer_applied_goes_unless_another_manages_it() {
    let first = json!({"metadata": {"name": "a"}, "data": {"a": "1", "b": "2", "c": "3"}});
    let live = maps("me").apply(&json!({}), &first, false).unwrap();
    let shared = json!({"metadata": {"name": "a"}, "data": {"b": "2"}});
    let live = maps("other").apply(&live, &shared, false).unwrap();
    let second = json!({"metadata": {"name": "a"}, "data": {"a": "1"}});
    let live = maps("me").apply(&live, &second, false).unwrap();
    assert_eq!(live["data"], json!({"a": "1", "b": "2"}));
    // Once more the same: nothing changes but time.
    assert!(same(
        &live,
        &maps("me").apply(&live, &second, false).unwrap()
    ));
}

/// As when kubectl has taken over what it once applied from the client's side.
#[test]
fn an_annotation_that_is_no_longer_applied_does_not_take_the_metadata_along() {
    let config =
        json!({"metadata": {"name": "a", "annotations": {"note": "b"}}, "data": {"x": "1"}});
    let live = json!({"metadata": {"name": "a", "uid": "1", "resourceVersion": "7"}});
    let object = maps("me").apply(&live, &config, false).unwrap();
    assert_eq!(object["metadata"]["annotations"], json!({"note": "b"}));
    let config = json!({"metadata": {"name": "a"}, "data": {"x": "1"}});
    let mut object = maps("me").apply(&object, &config, false).unwrap();
    object["metadata"]["managedFields"].take();
    let metadata = json!({"name": "a", "uid": "1", "resourceVersion": "7", "managedFields": null});
    assert_eq!(object["metadata"], metadata);
}

#[test]
fn list_items_are_owned_by_their_keys() {
    let pods = Writer {
        manager: "me",
        resource: of::<Pod>(),
        subresource: "",
    };
    let config = |image: &str| {
        json!({"metadata": {"name": "a"}, "spec": {"containers": [
            {"name": "c", "image": image, "command": ["x"]}]}})
    };
    let live = pods.apply(&json!({}), &config("one"), false).unwrap();
    assert_eq!(
        owners(&live),
        [
            r#""me" "Apply" {"f:spec":{"f:containers":{"k:{\"name\":\"c\"}":{".":{},"f:command":{},"f:image":{},"f:name":{}}}}}"#
        ]
    );
    let other = Writer {
        manager: "other",
        ..pods
    };
    let conflicts = other.apply(&live, &config("two"), false).unwrap_err();
    assert_eq!(conflicts[0].field, r#".spec.containers[name="c"].image"#);
}

#[test]
fn a_pod_in_a_template_is_like_any_other() {
    let by = |manager, live: &Value, container: &str| {
        let jobs = Writer {
            manager,
            resource: of::<CronJob>(),
            subresource: "",
        };
        let pod = json!({"spec": {"containers": [{"name": container}]}});
        let config = json!({"metadata": {"name": "a"}, "spec": {"jobTemplate": {"spec": {"template": pod}}}});
        jobs.apply(live, &config, false).unwrap()
    };
    let live = by("one", &json!({}), "a");
    let live = by("two", &live, "b");
    let pod = &live["spec"]["jobTemplate"]["spec"]["template"]["spec"];
    assert_eq!(pod["containers"], json!([{"name": "a"}, {"name": "b"}]));
}
