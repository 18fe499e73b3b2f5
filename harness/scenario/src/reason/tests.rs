//! Texts as real servers write them.

use proptest::prelude::*;
use serde_json::Value;

use super::{Reason, parse};

/// Each text and its reason, a line each.
fn table(texts: &[&str]) -> String {
    texts
        .iter()
        .map(|text| format!("{text}\n  -> {}\n", parse(text).describe()))
        .collect()
}

#[test]
fn a_token_that_is_bound_to_a_predecessor_is_told_from_a_stranger() {
    let why = "pod UID (b) does not match service account pod ref claim (a)";
    let seen = parse(&format!("[invalid bearer token, {why}]"));
    let message = Some(why.to_owned());
    assert_eq!(seen, Reason::ServiceAccount { message });
}

#[test]
fn refused_tokens() {
    insta::assert_snapshot!(table(&[
        "invalid bearer token",
        r#"oidc: verify token: oidc: expected audience "kube" got ["other" "more"]"#,
        r#"oidc: verify token: oidc: expected audience in ["a" "b"] got []"#,
        r#"[invalid bearer token, token audiences ["vault"] is invalid for the target audiences ["https://kubernetes.default.svc"]]"#,
        "oidc: verify token: oidc: token is expired (Token Expiry: 2026-01-02 03:04:05 +0000 UTC)",
        "[invalid bearer token, service account token has expired]",
        "oidc: verify token: oidc: current time 2026-01-02 03:04:05.6 +0000 UTC m=+1.5 before the nbf (not before) time: 2027-01-02 03:04:05 +0000 UTC",
        "oidc: verify token: failed to verify signature: failed to verify id token signature",
        "oidc: verify token: failed to verify signature: fetching keys oidc: get keys failed: 503 Service Unavailable",
        r#"oidc: verify token: oidc: id token signed with unsupported algorithm, expected ["RS256" "ES256"] got "none""#,
        "oidc: verify token: oidc: malformed jwt: square/go-jose: compact JWS format must have three parts",
        "oidc: authenticator not initialized",
        r#"oidc: authenticator for issuer "https://a" is not initialized"#,
    ]));
}

#[test]
fn refused_claims() {
    insta::assert_snapshot!(table(&[
        r#"oidc: parse username claims "email": claim not present"#,
        r#"oidc: parse uid claim "oid": claim not present"#,
        r#"oidc: parse groups claim "teams": json: cannot unmarshal bool into Go value of type string"#,
        "oidc: email not verified",
        "oidc: parse 'email_verified' claim: json: cannot unmarshal string into Go value of type bool",
        "oidc: required claim hd not present in ID token",
        "oidc: required claim hd value does not match. Got = , want = lab.test",
        "oidc: error evaluating claim validation expression: validation expression 'claims.a == 'x'' failed: not x, sorry",
        "oidc: error evaluating claim validation expression: validation expression 'claims.a' failed: ",
        "oidc: error evaluating user info validation rule: validation expression '!user.username.startsWith('system:')' failed: reserved",
        "oidc: error evaluating username claim expression: expression 'claims.foo' resulted in error: no such key: foo",
        "oidc: error evaluating group claim expression: expression must return a string or a list of strings",
        "oidc: empty username via CEL expression is not allowed",
        "oidc: could not expand distributed claims: oidc: no claim sources",
        r#"oidc: could not expand distributed claims: verify distributed claim token: oidc: expected audience "kube" got ["x"]"#,
        "[invalid bearer token, service account dev/robot has been deleted]",
        r#"[invalid bearer token, serviceaccounts "robot" not found]"#,
    ]));
}

#[test]
fn authorization() {
    insta::assert_snapshot!(table(&[
        "",
        r#"RBAC: allowed by ClusterRoleBinding "cluster-admin" of ClusterRole "cluster-admin" to Group "a/b""#,
        r#"RBAC: allowed by RoleBinding "dev/team" of Role "edit" to ServiceAccount "robot/team""#,
        r#"RBAC: clusterrole.rbac.authorization.k8s.io "gone" not found"#,
        r#"RBAC: [clusterrole.rbac.authorization.k8s.io "a" not found, role.rbac.authorization.k8s.io "b" not found]"#,
        r#"pods is forbidden: User "jane" cannot list resource "pods" in API group "" in the namespace "dev""#,
        r#"users "bob" is forbidden: User "jane" cannot impersonate resource "users" in API group "" at the cluster scope"#,
        r#"forbidden: User "system:anonymous" cannot get path "/metrics""#,
        "roles.rbac.authorization.k8s.io \"x\" is forbidden: user \"jane\" (groups=[\"a\"]) is attempting to grant RBAC permissions not currently held:\n{APIGroups:[\"\"], Resources:[\"pods\"], Verbs:[\"get\"]}",
        "no form that is known",
    ]));
}

#[test]
fn an_expected_reason_may_leave_fields_out() {
    let expected: Reason = serde_json::from_str(r#"{"audience": {"want": ["kube"]}}"#).unwrap();
    let text = r#"oidc: verify token: oidc: expected audience "kube" got ["other"]"#;
    assert!(expected.explains(text));
    assert!(!expected.explains(&text.replace("kube", "else")));
    let expected: Reason =
        serde_json::from_str(r#"{"rbac": {"binding": {"name": "dev"}}}"#).unwrap();
    assert!(expected.explains(r#"RBAC: allowed by RoleBinding "dev/ns" of Role "r" to User "u""#));
    assert!(!expected.explains("oidc: email not verified"));
    let text: Reason = serde_json::from_str(r#"{"text": {"contains": "not verified"}}"#).unwrap();
    assert!(text.explains("oidc: email not verified"));
}

#[test]
fn every_refusal_of_the_recorded_tables_has_a_form() {
    let table = include_str!("../../../authn/tests/data/authn.jsonl");
    let unknown: Vec<String> = table
        .lines()
        .filter_map(|line| {
            let case: Value = serde_json::from_str(line).unwrap();
            let text = case["expect"]["rejected"].as_str()?.to_owned();
            matches!(parse(&text), Reason::Text(_)).then_some(text)
        })
        .collect();
    assert_eq!(unknown, Vec::<String>::new());
}

proptest! {
    #[test]
    fn no_text_makes_it_panic(text in r#"(\[|oidc: |RBAC: |allowed by |expected audience (in )?|"|\\|got |, |User | cannot |path |[a-zé\[\]"' ])*"#) {
        let reason = parse(&text);
        prop_assert!(reason.explains(&text));
    }

    #[test]
    fn quoted_lists_are_read_back(items in prop::collection::vec("[a-z\"\\\\ \\]]{0,6}", 0..4)) {
        let list: Vec<String> = items.iter().map(|item| format!("{item:?}")).collect();
        let text = format!("oidc: verify token: oidc: expected audience in [] got [{}]", list.join(" "));
        let expected = Reason::Audience { got: Some(items), want: Some(Vec::new()) };
        prop_assert_eq!(parse(&text), expected);
    }
}
