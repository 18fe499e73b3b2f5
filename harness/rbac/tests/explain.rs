//! What a person is told about a refusal.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use authlab_rbac::{Attributes, Policy, Target, defaults};
use serde_json::{Value, json};

/// The defaults, `dev-edit` in namespace dev for group `dev`, and `ops` for everything on nodes.
fn policy() -> Policy {
    let rbac = |mut object: Value, kind: &str| {
        object["apiVersion"] = "rbac.authorization.k8s.io/v1".into();
        object["kind"] = kind.into();
        object
    };
    let group = |name: &str| json!([{ "kind": "Group", "apiGroup": "rbac.authorization.k8s.io", "name": name }]);
    let refer = |kind: &str, name: &str| json!({ "apiGroup": "rbac.authorization.k8s.io", "kind": kind, "name": name });
    let binding = |name: &str, role: Value, subjects: Value| {
        let object = json!({ "metadata": { "name": name, "namespace": "dev" }, "roleRef": role, "subjects": subjects });
        serde_json::from_value(rbac(object, "RoleBinding")).unwrap()
    };
    let mut cluster_role_bindings = defaults::cluster_role_bindings();
    let ops = json!({
        "metadata": { "name": "ops" }, "roleRef": refer("ClusterRole", "cluster-admin"), "subjects": group("Ops"),
    });
    cluster_role_bindings.push(serde_json::from_value(rbac(ops, "ClusterRoleBinding")).unwrap());
    let one = json!({
        "metadata": { "name": "one", "namespace": "dev" },
        "rules": [{ "verbs": ["get"], "apiGroups": [""], "resources": ["secrets"], "resourceNames": ["db"] }],
    });
    Policy {
        cluster_roles: defaults::cluster_roles(),
        cluster_role_bindings,
        roles: vec![serde_json::from_value(rbac(one, "Role")).unwrap()],
        role_bindings: vec![
            binding(
                "dev-pods",
                refer("ClusterRole", "system:volume-scheduler"),
                group("dev"),
            ),
            binding("dev-secret", refer("Role", "one"), group("dev")),
            binding("qa-gone", refer("Role", "gone"), group("qa")),
            binding("nobody", refer("ClusterRole", "view"), json!([])),
        ],
    }
}

fn nearest(user: &str, groups: &[&str], verb: &str, target: Target<'_>) -> String {
    let groups: Vec<String> = groups
        .iter()
        .chain(&["system:authenticated"])
        .map(|&group| group.to_owned())
        .collect();
    let near = policy().nearest(&Attributes {
        user,
        groups: &groups,
        verb,
        target,
    });
    near.map_or_else(|| "-".to_owned(), |near| near.to_string())
}

fn resource<'a>(resource: &'a str, namespace: &'a str, name: &'a str) -> Target<'a> {
    Target::Resource {
        group: "",
        resource,
        subresource: "",
        namespace,
        name,
    }
}

#[test]
fn the_nearest_binding_is_named_with_what_it_lacks() {
    let pvs = resource("persistentvolumes", "dev", "");
    let secret = resource("secrets", "dev", "cache");
    let told = [
        ("wrong verb", nearest("jane", &["dev"], "delete", pvs)),
        ("wrong name", nearest("jane", &["dev"], "get", secret)),
        (
            "wrong namespace",
            nearest("jane", &["dev"], "get", resource("secrets", "prod", "db")),
        ),
        (
            "prefixed group",
            nearest(
                "jane",
                &["dex:dev"],
                "get",
                resource("secrets", "dev", "db"),
            ),
        ),
        (
            "other case",
            nearest("jane", &["ops"], "delete", resource("nodes", "", "n1")),
        ),
        (
            "role missing",
            nearest("jane", &["qa"], "get", resource("pods", "dev", "p")),
        ),
        (
            "path",
            nearest("jane", &[], "get", Target::Path("/metrics")),
        ),
        (
            "another's",
            nearest("jane", &[], "delete", Target::Path("/metrics/x")),
        ),
        (
            "allowed",
            nearest("jane", &["dev"], "get", resource("secrets", "dev", "db")),
        ),
    ];
    let told: Vec<String> = told
        .iter()
        .map(|(what, near)| format!("{what}: {near}"))
        .collect();
    insta::assert_snapshot!(told.join("\n"), @r#"
    wrong verb: nearest: RoleBinding "dev-pods/dev" of ClusterRole "system:volume-scheduler", rules[0]: its verbs are ["get" "list" "patch" "update" "watch"]
    wrong name: nearest: RoleBinding "dev-secret/dev" of Role "one", rules[0]: its resource names are ["db"]
    wrong namespace: nearest: RoleBinding "dev-secret/dev" of Role "one", rules[0]: it holds in namespace "dev" only
    prefixed group: nearest: RoleBinding "dev-secret/dev" of Role "one", rules[0]: it is for Group "dev"
    other case: nearest: ClusterRoleBinding "ops" of ClusterRole "cluster-admin", rules[0]: it is for Group "Ops"
    role missing: nearest: RoleBinding "qa-gone/dev" of Role "gone": that role does not exist
    path: nearest: ClusterRoleBinding "system:discovery" of ClusterRole "system:discovery", rules[0]: its paths are ["/api" "/api/*" "/apis" "/apis/*" "/healthz" "/livez" "/openapi" "/openapi/*" "/readyz" "/version" "/version/"]
    another's: nearest: ClusterRoleBinding "ops" of ClusterRole "cluster-admin", rules[1]: it is for Group "Ops"
    allowed: -
    "#);
}

#[test]
fn bindings_of_the_server_itself_are_no_news() {
    let mut policy = policy();
    policy
        .cluster_role_bindings
        .retain(|one| one.metadata.labels.is_some());
    let groups = ["system:authenticated".to_owned()];
    let target = resource("nodes", "", "n1");
    assert_eq!(
        policy.nearest(&Attributes {
            user: "jane",
            groups: &groups,
            verb: "delete",
            target
        }),
        None
    );
}
