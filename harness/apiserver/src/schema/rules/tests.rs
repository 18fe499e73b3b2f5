//! Rules against what a real server said, and what holds of any object.

use authlab_rbac::validation::FieldError;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::Rules;
use crate::schema::{Schema, structural::Walk};

/// Schema, objects and definitions.
fn recorded() -> Value {
    serde_yaml::from_str(include_str!("recorded.yaml")).unwrap()
}

fn rules(recorded: &Value) -> Rules {
    Rules::new(&Schema::parse(&recorded["schema"]).unwrap()).unwrap()
}

fn object(name: &Value, spec: &Value) -> Value {
    json!({"metadata": {"name": name}, "spec": spec})
}

fn texts(errors: &[FieldError]) -> Vec<String> {
    errors.iter().map(ToString::to_string).collect()
}

fn said(one: &Value) -> Vec<&str> {
    let errors = one["errors"].as_array().unwrap();
    errors.iter().map(|text| text.as_str().unwrap()).collect()
}

#[test]
fn objects_are_judged_as_by_a_real_server() {
    let recorded = recorded();
    let (rules, schema) = (
        rules(&recorded),
        Schema::parse(&recorded["schema"]).unwrap(),
    );
    let objects = recorded["objects"].as_array().unwrap();
    assert!(objects.len() > 30);
    for one in objects {
        let now = object(&one["name"], &one["spec"]);
        if !schema.validate(&now).is_empty() {
            // Then rules are not asked at all.
            continue;
        }
        let old = one.get("old").map(|spec| object(&one["name"], spec));
        assert_eq!(texts(&rules.check(&now, old.as_ref())), said(one), "{one}");
    }
}

#[test]
fn definitions_are_refused_in_the_words_of_a_real_server() {
    for one in recorded()["definitions"].as_array().unwrap() {
        let schema = json!({"type": "object", "properties": {"spec": one["spec"]}});
        let mut errors = Vec::new();
        Walk::new(&mut errors).root(&schema, "spec.validation.openAPIV3Schema");
        assert_eq!(texts(&errors), said(one), "{one}");
    }
}

fn text() -> impl Strategy<Value = Value> {
    "[a-zA-Z:0-9-]{0,25}".prop_map(Value::from)
}

fn number() -> impl Strategy<Value = Value> {
    prop_oneof![
        any::<i64>().prop_map(Value::from),
        (-9..9).prop_map(Value::from)
    ]
}

/// A spec whose parts may be anything that their types allow.
fn spec() -> impl Strategy<Value = Value> {
    let item = (text(), number()).prop_map(|(name, size)| json!({"name": name, "size": size}));
    let labels = prop::collection::btree_map("[a-z]{0,9}", "[a-zA-Z]{0,5}", 0..4);
    let rare = (
        prop::option::of(text()),
        prop::option::of(prop::collection::vec(number(), 0..5)),
        prop::option::of(prop::collection::vec(item, 0..4)),
        prop::option::of(labels),
    );
    let bounds = (prop::option::of(number()), prop::option::of(number()));
    (bounds, rare).prop_map(|((min, max), (kind, list, items, labels))| {
        let mut spec = json!({
            "min": min, "max": max, "kind": kind, "port": kind, "until": kind, "every": kind,
            "list": list, "items": items, "labels": labels,
        });
        if let Some(fields) = spec.as_object_mut() {
            fields.retain(|_, value| !value.is_null());
        }
        spec
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn what_is_there_already_may_stay(spec in spec()) {
        let rules = rules(&recorded());
        let now = object(&json!("name"), &spec);
        let refused = rules.check(&now, Some(&now));
        // Only a rule that cannot be evaluated, or one about changes, has a say.
        let aside = |one: &FieldError| one.detail.contains(" evaluating rule: ")
            || one.detail.starts_with('\'');
        prop_assert!(refused.iter().all(aside), "{refused:?}");
    }

    #[test]
    fn a_change_is_refused_for_no_more_than_a_new_object_or_for_changing(old in spec(), new in spec()) {
        let rules = rules(&recorded());
        let (old, new) = (object(&json!("name"), &old), object(&json!("name"), &new));
        let fresh = texts(&rules.check(&new, None));
        let about_changes = ["kind is immutable", "kind comes and goes", "once is once", "items only grow"];
        for error in texts(&rules.check(&new, Some(&old))) {
            let of_change = about_changes.iter().any(|text| error.contains(text));
            prop_assert!(of_change || fresh.contains(&error), "{error}");
        }
    }
}
