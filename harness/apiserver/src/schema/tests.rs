//! Pruning, defaults and refusals, as a real server was seen to answer.

use serde_json::{Value, json};

use super::Schema;

fn schema() -> Schema {
    let schema = json!({
        "type": "object",
        "required": ["spec"],
        "properties": {"spec": {"type": "object", "required": ["size"], "properties": {
            "size": {"type": "string", "enum": ["small", "large"]},
            "replicas": {"type": "integer", "minimum": 1, "maximum": 10, "default": 1},
            "code": {"type": "string", "pattern": "^[a-z]+$", "minLength": 2, "maxLength": 5},
            "when": {"type": "string", "format": "date-time"},
            "note": {"type": "string", "nullable": true},
            "port": {"x-kubernetes-int-or-string": true},
            "tags": {"type": "array", "items": {"type": "string"}, "maxItems": 3,
                "x-kubernetes-list-type": "set"},
            "parts": {"type": "array", "x-kubernetes-list-type": "map",
                "x-kubernetes-list-map-keys": ["name"],
                "items": {"type": "object", "required": ["name"], "properties": {
                    "name": {"type": "string"}, "count": {"type": "integer", "default": 5}}}},
            "free": {"type": "object", "x-kubernetes-preserve-unknown-fields": true},
            "labels": {"type": "object", "additionalProperties": {"type": "string"}},
            "one": {"type": "object",
                "properties": {"a": {"type": "string"}, "b": {"type": "string"}},
                "oneOf": [{"required": ["a"]}, {"required": ["b"]}]},
        }}},
    });
    Schema::parse(&schema).unwrap()
}

#[test]
fn what_is_unknown_goes_and_what_is_missing_comes() {
    let mut object = json!({
        "apiVersion": "a/v1", "kind": "A", "metadata": {"name": "a"}, "unknown": 1,
        "spec": {"size": "small", "unknown": 1, "parts": [{"name": "x", "y": 2}],
            "free": {"z": {"deep": 1}}, "labels": {"k": "v"}, "note": null, "code": null},
    });
    schema().complete(&mut object);
    assert_eq!(
        object,
        json!({
            "apiVersion": "a/v1", "kind": "A", "metadata": {"name": "a"},
            "spec": {"size": "small", "parts": [{"name": "x", "count": 5}], "replicas": 1,
                "free": {"z": {"deep": 1}}, "labels": {"k": "v"}, "note": null},
        })
    );
}

#[test]
fn refusals_read_as_the_real_servers() {
    let refuse = |spec: Value| {
        let errors = schema().validate(&json!({"spec": spec}));
        let errors: Vec<String> = errors.iter().map(ToString::to_string).collect();
        errors.join("; ")
    };
    let refusals = [
        refuse(json!({"size": "medium"})),
        refuse(json!({})),
        refuse(json!({"size": 1})),
        refuse(json!({"size": "small", "replicas": 0})),
        refuse(json!({"size": "small", "replicas": 11})),
        refuse(json!({"size": "small", "code": "a"})),
        refuse(json!({"size": "small", "code": "ABC"})),
        refuse(json!({"size": "small", "code": "abcdefg"})),
        refuse(json!({"size": "small", "when": "yesterday"})),
        refuse(json!({"size": "small", "port": 1.5})),
        refuse(json!({"size": "small", "tags": ["a", "b", "a"]})),
        refuse(json!({"size": "small", "tags": ["a", "b", "c", "d"]})),
        refuse(json!({"size": "small", "tags": "a"})),
        refuse(json!({"size": "small", "parts": [{"name": "a"}, {"name": "a"}]})),
        refuse(json!({"size": "small", "parts": [{"count": 1}]})),
        refuse(json!({"size": "small", "labels": {"a": 1}})),
        refuse(json!({"size": "small", "one": {}})),
        refuse(json!({"size": "small", "one": {"a": "1", "b": "2"}})),
    ];
    insta::assert_snapshot!(refusals.join("\n"));
}

#[test]
fn formats_that_mean_nothing_are_found() {
    let schema = json!({"type": "object", "properties": {
        "a": {"type": "string", "format": "date-time"},
        "b": {"type": "string", "format": "funny"},
        "c": {"type": "array", "items": {"type": "integer", "format": "int16"}},
        "d": {"type": "integer", "format": "int64"},
    }});
    assert_eq!(super::unrecognized(&schema), ["funny", "int16"]);
}
