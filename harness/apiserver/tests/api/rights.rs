//! Roles and bindings as they are written, and what follows from them.

use k8s_openapi::api::core::v1::ConfigMap;
use k8s_openapi::api::rbac::v1::{ClusterRole, ClusterRoleBinding, Role, RoleBinding};
use kube::api::{Api, ListParams, Patch, PatchParams, PostParams};
use kube::{Client, ResourceExt};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::{Value, json};

use crate::lab::{Lab, refusal};

async fn create<T>(api: &Api<T>, object: Value) -> Result<T, kube::Error>
where
    T: kube::Resource + Clone + std::fmt::Debug + Serialize + DeserializeOwned,
    T::DynamicType: Default,
{
    api.create(
        &PostParams::default(),
        &serde_json::from_value(object).unwrap(),
    )
    .await
}

fn reader(name: &str) -> Value {
    json!({
        "metadata": {"name": name},
        "rules": [{"apiGroups": [""], "resources": ["configmaps"], "verbs": ["get", "list"]}],
    })
}

fn binding(kind: &str, role: &str, user: &str) -> Value {
    json!({
        "metadata": {"name": format!("{role}-{user}")},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": kind, "name": role},
        "subjects": [{"kind": "User", "name": user}],
    })
}

async fn may_list(client: Client) -> bool {
    let maps: Api<ConfigMap> = Api::namespaced(client, "default");
    maps.list(&ListParams::default()).await.is_ok()
}

#[tokio::test]
async fn a_binding_takes_effect_at_once_and_ends_at_once() {
    let lab = Lab::start();
    let (admin, jane) = (lab.admin().await, lab.client("jane", &[]).await);
    assert!(!may_list(jane.clone()).await);
    let bindings: Api<RoleBinding> = Api::namespaced(admin.clone(), "default");
    create(&Api::<Role>::namespaced(admin, "default"), reader("reader"))
        .await
        .unwrap();
    let made = create(&bindings, binding("Role", "reader", "jane"))
        .await
        .unwrap();
    assert_eq!(
        made.subjects.unwrap()[0].api_group.as_deref(),
        Some("rbac.authorization.k8s.io")
    );
    assert!(may_list(jane.clone()).await);
    bindings
        .delete("reader-jane", &Default::default())
        .await
        .unwrap();
    assert!(!may_list(jane).await);
}

#[tokio::test]
async fn an_aggregated_role_follows_its_parts() {
    let lab = Lab::start();
    let admin = lab.admin().await;
    let roles: Api<ClusterRole> = Api::all(admin.clone());
    let selector = json!({"clusterRoleSelectors": [{"matchLabels": {"part": "yes"}}]});
    let whole = json!({"metadata": {"name": "whole"}, "aggregationRule": selector});
    create(&roles, whole).await.unwrap();
    create(&roles, reader("part")).await.unwrap();
    create(
        &Api::<ClusterRoleBinding>::all(admin),
        binding("ClusterRole", "whole", "jane"),
    )
    .await
    .unwrap();
    let jane = lab.client("jane", &[]).await;
    assert!(!may_list(jane.clone()).await);
    let label = json!({"metadata": {"labels": {"part": "yes"}}});
    roles
        .patch("part", &PatchParams::default(), &Patch::Merge(&label))
        .await
        .unwrap();
    assert_eq!(roles.get("whole").await.unwrap().rules.unwrap().len(), 1);
    assert!(may_list(jane).await);
}

#[tokio::test]
async fn the_default_roles_are_there_and_view_has_rules() {
    let lab = Lab::start();
    let roles: Api<ClusterRole> = Api::all(lab.admin().await);
    let names: Vec<String> = roles
        .list(&ListParams::default())
        .await
        .unwrap()
        .iter()
        .map(ResourceExt::name_any)
        .collect();
    for expected in [
        "admin",
        "cluster-admin",
        "edit",
        "system:basic-user",
        "view",
    ] {
        assert!(names.iter().any(|name| name == expected), "{expected}");
    }
    assert!(!roles.get("view").await.unwrap().rules.unwrap().is_empty());
}

#[tokio::test]
async fn nobody_grants_more_than_they_hold() {
    let lab = Lab::start();
    let admin = lab.admin().await;
    let roles: Api<ClusterRole> = Api::all(admin.clone());
    create(&roles, reader("reader")).await.unwrap();
    let manager = json!({
        "metadata": {"name": "manager"},
        "rules": [{
            "apiGroups": ["rbac.authorization.k8s.io"],
            "resources": ["roles", "rolebindings"],
            "verbs": ["create"],
        }],
    });
    create(&roles, manager).await.unwrap();
    let bindings: Api<ClusterRoleBinding> = Api::all(admin);
    create(&bindings, binding("ClusterRole", "manager", "jane"))
        .await
        .unwrap();
    let jane = lab.client("jane", &["dev"]).await;
    let theirs: Api<RoleBinding> = Api::namespaced(jane.clone(), "default");
    let refusals = [
        refusal(create(&Api::<Role>::namespaced(jane, "default"), reader("mine")).await),
        refusal(create(&theirs, binding("ClusterRole", "reader", "bob")).await),
        refusal(create(&theirs, binding("ClusterRole", "nothing", "bob")).await),
    ];
    insta::assert_snapshot!(refusals.join("\n"));
}

#[tokio::test]
async fn what_is_wrong_with_a_role_is_said_in_full() {
    let lab = Lab::start();
    let admin = lab.admin().await;
    let role = json!({
        "metadata": {"name": "bad"},
        "rules": [{"verbs": ["get"]}, {"verbs": [], "nonResourceURLs": ["/x"]}],
    });
    let refused = refusal(create(&Api::<Role>::namespaced(admin.clone(), "default"), role).await);
    insta::assert_snapshot!(refused);
    let bindings: Api<RoleBinding> = Api::namespaced(admin, "default");
    create(&bindings, binding("ClusterRole", "view", "jane"))
        .await
        .unwrap();
    let other = json!({"roleRef": {"name": "edit"}});
    let patched = bindings
        .patch("view-jane", &PatchParams::default(), &Patch::Merge(&other))
        .await;
    insta::assert_snapshot!(refusal(patched));
}
