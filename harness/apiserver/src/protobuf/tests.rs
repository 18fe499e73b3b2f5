//! Typed bodies and their JSON.

use proptest::prelude::*;
use serde_json::json;

fn field(number: u8, bytes: &[u8]) -> Vec<u8> {
    [
        &[number << 3 | 2, u8::try_from(bytes.len()).unwrap()],
        bytes,
    ]
    .concat()
}

fn body(kind: &str, raw: &[u8]) -> Vec<u8> {
    let meta = [field(1, b"v1"), field(2, kind.as_bytes())].concat();
    [b"k8s\0".to_vec(), field(1, &meta), field(2, raw)].concat()
}

#[test]
fn a_typed_body_reads_as_its_json() {
    let metadata = [
        field(1, b"a"),
        field(3, b""),
        field(8, b""),
        vec![7 << 3, 0],
    ]
    .concat();
    let entry = [field(1, b"k"), field(2, b"v")].concat();
    let raw = [field(1, &metadata), field(2, &entry), vec![4 << 3, 1]].concat();
    assert_eq!(
        super::decode(&body("ConfigMap", &raw)).unwrap(),
        json!({
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {"name": "a"},
            "data": {"k": "v"},
            "immutable": true,
        })
    );
}

#[test]
fn lists_keep_their_empty_strings() {
    let rule = [field(1, b"get"), field(2, b""), field(3, b"pods")].concat();
    let role = super::decode(&body("Role", &field(2, &rule))).unwrap();
    let rule = json!({"verbs": ["get"], "apiGroups": [""], "resources": ["pods"]});
    assert_eq!(role["rules"], json!([rule]));
}

#[test]
fn what_is_cut_short_is_refused() {
    let whole = body("ConfigMap", &field(1, &field(1, b"a")));
    assert_eq!(
        super::decode(&whole[..whole.len() - 1]).unwrap_err(),
        "unexpected EOF"
    );
    assert!(
        super::decode(b"{}")
            .unwrap_err()
            .starts_with("provided data does not appear")
    );
}

proptest! {
    #[test]
    fn any_bytes_are_read_or_refused(raw in proptest::collection::vec(any::<u8>(), 0..64)) {
        let _ = super::decode(&raw);
        let _ = super::decode(&body("ConfigMap", &raw));
        let _ = super::decode(&body("ClusterRole", &raw));
    }
}
