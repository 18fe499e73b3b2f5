//! The default objects against those of a running kube-apiserver 1.36.3 (`tests/data/README.md`).
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use authlab_rbac::{Attributes, Policy, Target, defaults};
use serde::Serialize;
use serde_json::Value;
use sha2::{Digest, Sha256};

#[test]
fn defaults_are_those_of_a_real_server() {
    let mut ours = Vec::new();
    ours.extend(defaults::cluster_roles().iter().map(line));
    ours.extend(defaults::cluster_role_bindings().iter().map(line));
    ours.extend(defaults::roles().iter().map(line));
    ours.extend(defaults::role_bindings().iter().map(line));
    let recorded = include_str!("data/defaults.digests");
    let different: Vec<&String> = ours
        .iter()
        .filter(|line| !recorded.lines().any(|one| one == *line))
        .collect();
    assert!(different.is_empty(), "{different:#?}");
    let known: Vec<&str> = recorded
        .lines()
        .filter(|line| !ours.iter().any(|one| one == line))
        .collect();
    assert!(known.is_empty(), "{known:#?}");
    assert_eq!(ours.len(), 133);
}

#[test]
fn defaults_let_everybody_discover_and_nobody_read() {
    let policy = Policy {
        cluster_roles: defaults::cluster_roles(),
        cluster_role_bindings: defaults::cluster_role_bindings(),
        roles: defaults::roles(),
        role_bindings: defaults::role_bindings(),
    };
    let ask = |groups: &[&str], target| {
        let groups: Vec<String> = groups.iter().map(|&group| group.to_owned()).collect();
        let decision = policy.authorize(&Attributes {
            user: "jane",
            groups: &groups,
            verb: "get",
            target,
        });
        (decision.allowed, decision.reason)
    };
    let pods = Target::Resource {
        group: "",
        resource: "pods",
        subresource: "",
        namespace: "default",
        name: "p",
    };
    assert_eq!(ask(&["system:authenticated"], pods), (false, String::new()));
    assert_eq!(ask(&["system:masters"], pods), (true, String::new()));
    assert_eq!(
        ask(&["system:authenticated"], Target::Path("/apis/apps/v1")),
        (
            true,
            "RBAC: allowed by ClusterRoleBinding \"system:discovery\" of ClusterRole \"system:discovery\" to Group \
             \"system:authenticated\""
                .to_owned()
        )
    );
    assert!(ask(&["system:unauthenticated"], Target::Path("/healthz")).0);
    assert!(!ask(&["system:unauthenticated"], Target::Path("/apis")).0);
}

/// `KIND NAME DIGEST`, of the object as compact JSON with sorted keys.
fn line(object: &impl Serialize) -> String {
    let value = serde_json::to_value(object).unwrap();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let namespace = text(&value["metadata"]["namespace"]);
    let slash = if namespace.is_empty() { "" } else { "/" };
    let digest = Sha256::digest(canonical(&value));
    let short: String = digest
        .iter()
        .take(8)
        .map(|byte| format!("{byte:02x}"))
        .collect();
    format!(
        "{} {namespace}{slash}{} {short}",
        text(&value["kind"]),
        text(&value["metadata"]["name"])
    )
}

fn canonical(value: &Value) -> String {
    match value {
        Value::Object(map) => {
            let mut entries: Vec<String> = map
                .iter()
                .map(|(key, value)| format!("{}:{}", Value::from(key.as_str()), canonical(value)))
                .collect();
            entries.sort();
            format!("{{{}}}", entries.join(","))
        }
        Value::Array(list) => format!(
            "[{}]",
            list.iter().map(canonical).collect::<Vec<_>>().join(",")
        ),
        other => other.to_string(),
    }
}
