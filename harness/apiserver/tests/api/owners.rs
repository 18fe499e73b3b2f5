//! Objects that other objects own.

use k8s_openapi::api::core::v1::ConfigMap;
use kube::api::{Api, DeleteParams, Patch, PatchParams, PostParams, PropagationPolicy};
use kube::{Client, ResourceExt};
use serde_json::{Value, json};

use crate::lab::Lab;

async fn make(maps: &Api<ConfigMap>, name: &str, owners: &[&ConfigMap]) -> ConfigMap {
    let owners: Vec<Value> = owners
        .iter()
        .map(|owner| {
            json!({
                "apiVersion": "v1", "kind": "ConfigMap", "blockOwnerDeletion": true,
                "name": owner.name_any(), "uid": owner.uid(),
            })
        })
        .collect();
    let object = json!({"metadata": {"name": name, "ownerReferences": owners}});
    let object = serde_json::from_value(object).unwrap();
    maps.create(&PostParams::default(), &object).await.unwrap()
}

async fn names(maps: &Api<ConfigMap>) -> Vec<String> {
    let all = maps.list(&Default::default()).await.unwrap();
    let names = all.iter().map(ResourceExt::name_any);
    names.filter(|name| name != "kube-root-ca.crt").collect()
}

fn maps(client: Client) -> Api<ConfigMap> {
    Api::namespaced(client, "default")
}

#[tokio::test]
async fn dependents_go_with_the_last_of_their_owners() {
    let lab = Lab::start();
    let maps = maps(lab.admin().await);
    let (one, two) = (make(&maps, "one", &[]).await, make(&maps, "two", &[]).await);
    let child = make(&maps, "child", &[&one]).await;
    make(&maps, "grandchild", &[&child]).await;
    make(&maps, "shared", &[&one, &two]).await;
    maps.delete("one", &DeleteParams::default()).await.unwrap();
    assert_eq!(names(&maps).await, ["shared", "two"]);
    let shared = maps.get("shared").await.unwrap();
    assert_eq!(shared.owner_references().len(), 1);
    maps.delete("two", &DeleteParams::default()).await.unwrap();
    assert!(names(&maps).await.is_empty());
}

#[tokio::test]
async fn orphans_stay() {
    let lab = Lab::start();
    let maps = maps(lab.admin().await);
    let one = make(&maps, "one", &[]).await;
    make(&maps, "child", &[&one]).await;
    let orphan = DeleteParams {
        propagation_policy: Some(PropagationPolicy::Orphan),
        ..DeleteParams::default()
    };
    maps.delete("one", &orphan).await.unwrap();
    let child = maps.get("child").await.unwrap();
    assert!(child.owner_references().is_empty());
}

#[tokio::test]
async fn an_owner_waits_for_dependents_that_something_holds() {
    let lab = Lab::start();
    let maps = maps(lab.admin().await);
    let one = make(&maps, "one", &[]).await;
    make(&maps, "child", &[&one]).await;
    let hold = |finalizers: Value| Patch::Merge(json!({"metadata": {"finalizers": finalizers}}));
    let params = PatchParams::default();
    let held = hold(json!(["bench.example/hold"]));
    maps.patch("child", &params, &held).await.unwrap();
    maps.delete("one", &DeleteParams::foreground())
        .await
        .unwrap();
    let one = maps.get("one").await.unwrap();
    assert_eq!(one.finalizers(), ["foregroundDeletion"]);
    assert!(one.metadata.deletion_timestamp.is_some());
    maps.patch("child", &params, &hold(json!(null)))
        .await
        .unwrap();
    assert!(names(&maps).await.is_empty());
}

#[tokio::test]
async fn what_depends_on_nothing_that_is_there_does_not_stay() {
    let lab = Lab::start();
    let maps = maps(lab.admin().await);
    let one = make(&maps, "one", &[]).await;
    maps.delete("one", &DeleteParams::default()).await.unwrap();
    make(&maps, "late", &[&one]).await;
    assert!(names(&maps).await.is_empty());
}
