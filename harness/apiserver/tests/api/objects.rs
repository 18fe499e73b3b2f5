//! Objects: their life, conflicts, patches, selectors, namespaces.

use std::collections::BTreeMap;
use std::time::Duration;

use k8s_openapi::api::core::v1::{ConfigMap, Namespace, Pod, Secret, ServiceAccount};
use kube::api::{Api, DeleteParams, ListParams, LogParams, Patch, PatchParams, PostParams};
use kube::runtime::conditions::is_deleted;
use kube::runtime::wait::await_condition;
use kube::{Client, ResourceExt};
use serde_json::json;

use crate::lab::{Lab, refusal};

fn map(name: &str, value: &str) -> ConfigMap {
    serde_json::from_value(json!({"metadata": {"name": name}, "data": {"key": value}})).unwrap()
}

async fn namespace(client: &Client, name: &str) -> Api<ConfigMap> {
    let namespace = serde_json::from_value(json!({"metadata": {"name": name}})).unwrap();
    let namespaces: Api<Namespace> = Api::all(client.clone());
    namespaces
        .create(&PostParams::default(), &namespace)
        .await
        .unwrap();
    Api::namespaced(client.clone(), name)
}

#[tokio::test]
async fn an_object_can_be_made_read_changed_and_removed() {
    let lab = Lab::start();
    let maps = namespace(&lab.admin().await, "dev").await;
    let made = maps
        .create(&PostParams::default(), &map("one", "1"))
        .await
        .unwrap();
    assert_eq!(made.namespace().unwrap(), "dev");
    assert!(made.uid().is_some() && made.creation_timestamp().is_some());
    let mut read = maps.get("one").await.unwrap();
    assert_eq!(read, made);
    read.data
        .as_mut()
        .unwrap()
        .insert("key".to_owned(), "2".to_owned());
    let changed = maps
        .replace("one", &PostParams::default(), &read)
        .await
        .unwrap();
    assert_ne!(changed.resource_version(), made.resource_version());
    // The same content again is no change.
    let again = maps
        .replace("one", &PostParams::default(), &changed)
        .await
        .unwrap();
    assert_eq!(again.resource_version(), changed.resource_version());
    let deleted = maps.delete("one", &DeleteParams::default()).await.unwrap();
    assert!(deleted.right().unwrap().is_success());
    assert!(maps.get_opt("one").await.unwrap().is_none());
}

#[tokio::test]
async fn refusals_read_as_the_real_servers() {
    let lab = Lab::start();
    let client = lab.admin().await;
    let maps = namespace(&client, "dev").await;
    let post = PostParams::default();
    maps.create(&post, &map("one", "1")).await.unwrap();
    let mut stale = map("one", "2");
    stale.metadata.resource_version = Some("1".to_owned());
    let elsewhere: Api<ConfigMap> = Api::namespaced(client.clone(), "nowhere");
    let refusals = [
        refusal(maps.get("two").await),
        refusal(maps.create(&post, &map("one", "1")).await),
        refusal(maps.create(&post, &map("A b", "1")).await)
            .chars()
            .take(80)
            .collect(),
        refusal(maps.replace("one", &post, &stale).await),
        refusal(maps.replace("two", &post, &map("one", "1")).await),
        refusal(elsewhere.create(&post, &map("one", "1")).await),
        refusal(
            Api::<Namespace>::all(client)
                .delete("default", &DeleteParams::default())
                .await,
        ),
    ];
    insta::assert_snapshot!(refusals.join("\n"));
}

#[tokio::test]
async fn every_patch_language_is_spoken() {
    let lab = Lab::start();
    let maps = namespace(&lab.admin().await, "dev").await;
    maps.create(&PostParams::default(), &map("one", "1"))
        .await
        .unwrap();
    let params = PatchParams::default();
    let merge = json!({"data": {"merge": "m", "key": null}});
    maps.patch("one", &params, &Patch::Merge(&merge))
        .await
        .unwrap();
    let strategic = json!({"metadata": {"labels": {"l": "v"}}, "data": {"strategic": "s"}});
    maps.patch("one", &params, &Patch::Strategic(&strategic))
        .await
        .unwrap();
    let steps = serde_json::from_value(json!([{"op": "add", "path": "/data/json", "value": "j"}]));
    maps.patch("one", &params, &Patch::<()>::Json(steps.unwrap()))
        .await
        .unwrap();
    let applied = json!({"apiVersion": "v1", "kind": "ConfigMap", "data": {"apply": "a"}});
    let params = PatchParams::apply("test");
    let changed = maps
        .patch("one", &params, &Patch::Apply(&applied))
        .await
        .unwrap();
    let keys: Vec<String> = changed.data.clone().unwrap().into_keys().collect();
    assert_eq!(keys, ["apply", "json", "merge", "strategic"]);
    assert_eq!(changed.labels()["l"], "v");
    // What is not there yet is created by apply alone.
    let made = maps
        .patch("two", &params, &Patch::Apply(&applied))
        .await
        .unwrap();
    assert_eq!(made.name_any(), "two");
    let refused = refusal(
        maps.patch("three", &PatchParams::default(), &Patch::Merge(&merge))
            .await,
    );
    insta::assert_snapshot!(refused, @r#"404 NotFound: configmaps "three" not found"#);
}

#[tokio::test]
async fn what_another_manages_is_applied_by_force_only() {
    let lab = Lab::start();
    let maps = namespace(&lab.admin().await, "dev").await;
    let post = PostParams {
        field_manager: Some("one".to_owned()),
        ..PostParams::default()
    };
    maps.create(&post, &map("a", "1")).await.unwrap();
    let config = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}, "data": {"key": "2"}});
    let apply = PatchParams::apply("me");
    let refused = refusal(maps.patch("a", &apply, &Patch::Apply(&config)).await);
    insta::assert_snapshot!(refused, @r#"409 Conflict: Apply failed with 1 conflict: conflict with "one" using v1: .data.key"#);
    let forced = maps
        .patch("a", &apply.clone().force(), &Patch::Apply(&config))
        .await
        .unwrap();
    assert_eq!(forced.data.unwrap()["key"], "2");
    let managers = forced.metadata.managed_fields.unwrap();
    let managers: Vec<String> = managers
        .iter()
        .map(|one| format!("{:?} {:?}", one.manager, one.operation))
        .collect();
    assert_eq!(
        managers,
        [
            r#"Some("me") Some("Apply")"#,
            r#"Some("one") Some("Update")"#
        ]
    );
    let other = json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "a"}});
    let refused = refusal(maps.patch("a", &apply, &Patch::Apply(&other)).await);
    insta::assert_snapshot!(refused, @"400 BadRequest: invalid object type: /v1, Kind=Secret");
}

#[tokio::test]
async fn a_dry_run_changes_nothing_and_a_strict_one_sees_typing_errors() {
    let lab = Lab::start();
    let maps = namespace(&lab.admin().await, "dev").await;
    let dry = PostParams {
        dry_run: true,
        ..PostParams::default()
    };
    assert_eq!(
        maps.create(&dry, &map("one", "1"))
            .await
            .unwrap()
            .name_any(),
        "one"
    );
    assert!(maps.get_opt("one").await.unwrap().is_none());
    let wrong = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadat": {}, "data": {"a": "b"}});
    let params = PatchParams::apply("test").validation_strict();
    let refused = refusal(maps.patch("one", &params, &Patch::Apply(&wrong)).await);
    insta::assert_snapshot!(refused, @r#"500 : failed to create typed patch object (/; /v1, Kind=ConfigMap): .metadat: field not declared in schema"#);
}

#[tokio::test]
async fn lists_can_be_narrowed_and_paged() {
    let lab = Lab::start();
    let maps = namespace(&lab.admin().await, "dev").await;
    for name in ["a", "b", "c"] {
        let mut one = map(name, "1");
        one.metadata.labels = Some(BTreeMap::from([("name".to_owned(), name.to_owned())]));
        maps.create(&PostParams::default(), &one).await.unwrap();
    }
    let names = |list: &[ConfigMap]| list.iter().map(ResourceExt::name_any).collect::<Vec<_>>();
    let some = maps
        .list(&ListParams::default().labels("name in (a, c)"))
        .await
        .unwrap();
    assert_eq!(names(&some.items), ["a", "c"]);
    let one = maps
        .list(&ListParams::default().fields("metadata.name=b"))
        .await
        .unwrap();
    assert_eq!(names(&one.items), ["b"]);
    let first = maps.list(&ListParams::default().limit(3)).await.unwrap();
    assert_eq!(names(&first.items), ["a", "b", "c"]);
    let token = first.metadata.continue_.unwrap();
    let rest = maps
        .list(&ListParams::default().limit(3).continue_token(&token))
        .await
        .unwrap();
    assert_eq!(names(&rest.items), ["kube-root-ca.crt"]);
    assert!(rest.metadata.continue_.is_none());
    maps.delete_collection(
        &DeleteParams::default(),
        &ListParams::default().labels("name"),
    )
    .await
    .unwrap();
    assert_eq!(
        names(&maps.list(&ListParams::default()).await.unwrap().items),
        ["kube-root-ca.crt"]
    );
}

#[tokio::test]
async fn a_namespace_comes_with_its_account_and_takes_its_content_along() {
    let lab = Lab::start();
    let client = lab.admin().await;
    let maps = namespace(&client, "dev").await;
    let accounts: Api<ServiceAccount> = Api::namespaced(client.clone(), "dev");
    assert!(accounts.get_opt("default").await.unwrap().is_some());
    let root = maps.get("kube-root-ca.crt").await.unwrap();
    assert_eq!(
        root.data.unwrap()["ca.crt"],
        lab.authority.certificate_pem()
    );
    // Both come back when they are deleted.
    accounts
        .delete("default", &DeleteParams::default())
        .await
        .unwrap();
    assert!(accounts.get_opt("default").await.unwrap().is_some());

    let mut held = map("held", "1");
    held.metadata.finalizers = Some(vec!["example.com/hold".to_owned()]);
    maps.create(&PostParams::default(), &held).await.unwrap();
    let namespaces: Api<Namespace> = Api::all(client);
    namespaces
        .delete("dev", &DeleteParams::default())
        .await
        .unwrap();
    let phase = namespaces.get("dev").await.unwrap().status.unwrap().phase;
    assert_eq!(phase.unwrap(), "Terminating");
    let refused = refusal(maps.create(&PostParams::default(), &map("late", "1")).await);
    insta::assert_snapshot!(refused, @r#"403 Forbidden: configmaps "late" is forbidden: unable to create new content in namespace dev because it is being terminated"#);
    let release = json!({"metadata": {"finalizers": null}});
    maps.patch("held", &PatchParams::default(), &Patch::Merge(&release))
        .await
        .unwrap();
    let uid = namespaces.get("dev").await.map(|one| one.uid().unwrap());
    let gone = is_deleted(uid.as_deref().unwrap_or_default());
    let gone = await_condition(namespaces.clone(), "dev", gone);
    tokio::time::timeout(Duration::from_secs(10), gone)
        .await
        .unwrap()
        .unwrap();
    assert!(accounts.get_opt("default").await.unwrap().is_none());
}

#[tokio::test]
async fn plain_text_in_a_secret_is_stored_encoded() {
    let lab = Lab::start();
    let secrets: Api<Secret> = Api::namespaced(lab.admin().await, "default");
    let secret = json!({"metadata": {"generateName": "s-"}, "stringData": {"key": "value"}});
    let secret = serde_json::from_value(secret).unwrap();
    let made = secrets
        .create(&PostParams::default(), &secret)
        .await
        .unwrap();
    assert!(made.name_any().len() == 7 && made.string_data.is_none());
    assert_eq!(made.data.unwrap()["key"].0, b"value");
    assert_eq!(made.type_.unwrap(), "Opaque");
}

#[tokio::test]
async fn pods_are_kept_as_the_api_and_its_admission_would_have_them() {
    let lab = Lab::start();
    let client = lab.admin().await;
    let pods: Api<Pod> = Api::default_namespaced(client.clone());
    let post = PostParams::default();
    let pod = |name: &str, spec: serde_json::Value| -> Pod {
        serde_json::from_value(json!({"metadata": {"name": name}, "spec": spec})).unwrap()
    };
    let plain = json!({"containers": [{"name": "c", "image": "nginx"}]});
    let made = pods
        .create(&post, &pod("web", plain.clone()))
        .await
        .unwrap();
    let spec = made.spec.unwrap();
    assert_eq!(spec.service_account_name.as_deref(), Some("default"));
    let container = &spec.containers[0];
    assert_eq!(container.image_pull_policy.as_deref(), Some("Always"));
    let mount = &container.volume_mounts.as_ref().unwrap()[0];
    assert_eq!(
        mount.mount_path,
        "/var/run/secrets/kubernetes.io/serviceaccount"
    );
    assert!(spec.volumes.unwrap()[0].projected.is_some());
    let mut nobodys = plain.clone();
    nobodys["serviceAccountName"] = json!("nobody");
    let network = json!({"spec": {"hostNetwork": true}});
    let network = pods
        .patch("web", &PatchParams::default(), &Patch::Merge(&network))
        .await;
    let two = json!({"spec": {"containers": [{"name": "c"}, {"name": "d", "image": "nginx"}]}});
    let two = pods
        .patch("web", &PatchParams::default(), &Patch::Strategic(&two))
        .await;
    let why = "spec.containers: Forbidden: pod updates may not add or remove containers";
    assert!(refusal(two).contains(why));
    let mut held = plain.clone();
    held["schedulingGates"] = json!([{"name": "example.com/later"}]);
    let held = pods.create(&post, &pod("held", held)).await.unwrap();
    let conditions = held.status.unwrap().conditions.unwrap();
    assert_eq!(conditions[0].reason.as_deref(), Some("SchedulingGated"));
    let refusals = [
        refusal(pods.create(&post, &pod("a", nobodys)).await),
        refusal(
            pods.create(&post, &pod("a", json!({"containers": []})))
                .await,
        ),
        refusal(
            pods.create(&post, &pod("a", json!({"containers": [{"name": "c"}]})))
                .await,
        ),
        refusal(network).chars().take(90).collect(),
        refusal(pods.logs("nothing", &LogParams::default()).await),
    ];
    insta::assert_snapshot!(refusals.join("\n"));
    assert_eq!(pods.logs("web", &LogParams::default()).await.unwrap(), "");
}

#[tokio::test]
async fn what_is_wrong_with_a_request_is_said_as_the_real_server_says_it() {
    let lab = Lab::start();
    let client = lab.admin().await;
    let maps = namespace(&client, "dev").await;
    maps.create(&PostParams::default(), &map("a", "1"))
        .await
        .unwrap();
    let list = |query: &str| {
        let path = format!("/api/v1/namespaces/dev/configmaps?{query}");
        let client = client.clone();
        async move {
            let request = http::Request::get(path).body(Vec::new()).unwrap();
            refusal(client.request::<serde_json::Value>(request).await)
        }
    };
    let merge = PatchParams::default();
    let uid = json!({"metadata": {"uid": "abc"}});
    let answers = [
        list("resourceVersion=x").await,
        list("resourceVersionMatch=Exact").await,
        list("resourceVersionMatch=Foo&resourceVersion=1").await,
        list("labelSelector=,").await,
        refusal(maps.patch("a", &merge, &Patch::Merge(json!([1]))).await),
        refusal(maps.patch("a", &merge, &Patch::Merge(&uid)).await),
    ];
    insta::assert_snapshot!(answers.join("\n"));
    let keys = http::Request::get("/openid/v1/jwks").header("accept", "application/json");
    let keys = client.request_text(keys.body(Vec::new()).unwrap()).await;
    assert_eq!(
        refusal(keys),
        "406 NotAcceptable: 406: Not Acceptable\n\nAvailable representations: application/jwk-set+json"
    );
}
