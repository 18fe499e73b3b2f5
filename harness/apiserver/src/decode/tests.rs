//! Complaints about bodies, in the server's words and order.

use k8s_openapi::api::core::v1::{ConfigMap, Pod, Secret};
use k8s_openapi::api::rbac::v1::Role;
use serde_json::{Value, json};

use super::{Tree, through};

#[test]
fn what_a_type_cannot_hold_is_refused_as_go_would() {
    let refused = [
        through::<ConfigMap>(json!({"data": {"x": true}})),
        through::<ConfigMap>(json!({"data": "text"})),
        through::<ConfigMap>(json!({"metadata": {"labels": {"x": 1}}})),
        through::<Secret>(json!({"data": {"x": "!!"}})),
        through::<Role>(json!({"rules": [{"verbs": "get"}]})),
        through::<Pod>(json!({"spec": {"containers": [{"name": "a", "image": 1}]}})),
    ];
    let refused = refused.map(|refused| refused.unwrap_err().to_string());
    insta::assert_snapshot!(refused.join("\n"));
}

#[test]
fn null_is_the_zero_value() {
    let object = through::<ConfigMap>(json!({"metadata": null, "data": {"x": null}})).unwrap();
    assert_eq!(object["data"], json!({"x": ""}));
}

#[test]
fn findings_come_in_the_order_of_the_text() {
    let text = r#"{
        "metadata": {"name": "a", "nmae": "b"},
        "data": {"x": "1", "x": "2"},
        "dat": {},
        "immutable": null
    }"#;
    let tree: Tree = serde_json::from_str(text).unwrap();
    let value: Value = serde_json::from_str(text).unwrap();
    let findings = tree.findings(&through::<ConfigMap>(value).unwrap());
    insta::assert_snapshot!(findings.join("\n"));
}
