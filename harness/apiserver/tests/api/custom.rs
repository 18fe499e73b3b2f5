//! Custom resource definitions and their objects, as a real server was seen to answer.

use k8s_openapi::api::core::v1::Namespace;
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::api::{Api, ApiResource, DeleteParams, DynamicObject, Patch, PatchParams, PostParams};
use kube::core::GroupVersionKind;
use kube::{Client, ResourceExt};
use serde_json::{Value, json};

use crate::lab::{Lab, refusal};

async fn definition(client: &Client) -> Api<CustomResourceDefinition> {
    let definitions: Api<CustomResourceDefinition> = Api::all(client.clone());
    let definition = serde_yaml::from_str(include_str!("gadgets.yaml")).unwrap();
    definitions
        .create(&PostParams::default(), &definition)
        .await
        .unwrap();
    definitions
}

fn gadgets(client: &Client, version: &str) -> Api<DynamicObject> {
    let kind = GroupVersionKind::gvk("bench.example", version, "Gadget");
    Api::default_namespaced_with(client.clone(), &ApiResource::from_gvk(&kind))
}

fn gadget(name: &str, spec: Value) -> DynamicObject {
    serde_json::from_value(json!({
        "apiVersion": "bench.example/v1", "kind": "Gadget",
        "metadata": {"name": name}, "spec": spec,
    }))
    .unwrap()
}

async fn get(client: &Client, path: &str, accept: &str) -> Value {
    let request = http::Request::get(path).header("accept", accept);
    let request = request.body(Vec::new()).unwrap();
    client.request(request).await.unwrap()
}

#[tokio::test]
async fn a_definition_is_accepted_and_serves_its_kind() {
    let lab = Lab::start();
    let client = lab.admin().await;
    let definitions = definition(&client).await;
    let made = definitions.get("gadgets.bench.example").await.unwrap();
    let status = serde_json::to_value(made.status).unwrap();
    let conditions = status["conditions"].as_array().unwrap().iter();
    let conditions: Vec<String> = conditions
        .map(|one| format!("{}={} {}", one["type"], one["status"], one["reason"]))
        .collect();
    assert_eq!(
        conditions,
        [
            r#""NamesAccepted"="True" "NoConflicts""#,
            r#""Established"="True" "InitialNamesAccepted""#
        ]
    );
    assert_eq!(status["storedVersions"], json!(["v1"]));
    let group = get(&client, "/apis/bench.example", "application/json").await;
    assert_eq!(group["preferredVersion"]["version"], "v1");
    let document = get(&client, "/openapi/v3/apis/bench.example/v1", "*/*").await;
    let schema = &document["components"]["schemas"]["example.bench.v1.Gadget"];
    assert_eq!(schema["description"], "A gadget of the bench.");
}

#[tokio::test]
async fn objects_are_pruned_defaulted_and_checked() {
    let lab = Lab::start();
    let client = lab.admin().await;
    definition(&client).await;
    let gadgets = gadgets(&client, "v1");
    let post = PostParams::default();
    let spec = json!({"size": "small", "unknown": 1, "parts": [{"name": "x"}], "free": {"z": 1}});
    let made = gadgets.create(&post, &gadget("a", spec)).await.unwrap();
    let spec = json!({"size": "small", "parts": [{"name": "x", "count": 5}], "replicas": 1, "free": {"z": 1}});
    assert_eq!(made.data["spec"], spec);
    assert_eq!(made.metadata.generation, Some(1));
    let stale = gadgets.replace("a", &post, &gadget("a", spec)).await;
    let strategic = gadgets
        .patch("a", &PatchParams::default(), &Patch::Strategic(json!({})))
        .await;
    let refusals = [
        refusal(
            gadgets
                .create(&post, &gadget("b", json!({"size": "medium"})))
                .await,
        ),
        refusal(gadgets.create(&post, &gadget("b", json!({}))).await),
        refusal(stale),
        refusal(strategic),
    ];
    insta::assert_snapshot!(refusals.join("\n"), @r#"
    422 Invalid: Gadget.bench.example "b" is invalid: spec.size: Unsupported value: "medium": supported values: "small", "large"
    422 Invalid: Gadget.bench.example "b" is invalid: spec.size: Required value
    422 Invalid: gadgets.bench.example "a" is invalid: metadata.resourceVersion: Invalid value: 0: must be specified for an update
    415 UnsupportedMediaType: the body of the request was in an unknown format - accepted media types include: application/json-patch+json, application/merge-patch+json, application/apply-patch+yaml
    "#);
}

#[tokio::test]
async fn spec_status_and_scale_are_changed_apart() {
    let lab = Lab::start();
    let client = lab.admin().await;
    definition(&client).await;
    let gadgets = gadgets(&client, "v1");
    let mut first = gadget("a", json!({"size": "small"}));
    first.data["status"] = json!({"phase": "ignored"});
    let made = gadgets
        .create(&PostParams::default(), &first)
        .await
        .unwrap();
    assert_eq!(made.data.get("status"), None);
    let params = PatchParams::default();
    let both = json!({"spec": {"size": "large"}, "status": {"phase": "Up"}});
    let changed = gadgets
        .patch_status("a", &params, &Patch::Merge(&both))
        .await
        .unwrap();
    assert_eq!(changed.data["status"], json!({"phase": "Up"}));
    assert_eq!(changed.data["spec"]["size"], "small");
    assert_eq!(changed.metadata.generation, Some(1));
    let scaled = gadgets
        .patch_scale(
            "a",
            &params,
            &Patch::Merge(json!({"spec": {"replicas": 7}})),
        )
        .await
        .unwrap();
    assert_eq!(scaled.spec.unwrap().replicas, Some(7));
    let changed = gadgets.get("a").await.unwrap();
    assert_eq!(changed.data["spec"]["replicas"], 7);
    assert_eq!(changed.metadata.generation, Some(2));
}

#[tokio::test]
async fn every_version_shows_the_same_objects() {
    let lab = Lab::start();
    let client = lab.admin().await;
    definition(&client).await;
    let made = gadgets(&client, "v1beta1")
        .create(&PostParams::default(), &{
            let mut old = gadget("old", json!({"any": 1, "size": "large"}));
            old.types.as_mut().unwrap().api_version = "bench.example/v1beta1".to_owned();
            old
        })
        .await
        .unwrap();
    assert_eq!(made.types.unwrap().api_version, "bench.example/v1beta1");
    let read = gadgets(&client, "v1").get("old").await.unwrap();
    assert_eq!(read.types.unwrap().api_version, "bench.example/v1");
    assert_eq!(read.data["spec"], json!({"size": "large", "replicas": 1}));
}

#[tokio::test]
async fn a_table_has_the_columns_of_the_definition() {
    let lab = Lab::start();
    let client = lab.admin().await;
    definition(&client).await;
    let gadgets = gadgets(&client, "v1");
    let post = PostParams::default();
    gadgets
        .create(&post, &gadget("a", json!({"size": "small"})))
        .await
        .unwrap();
    let conditions = json!({"status": {"conditions": [{"type": "Ready", "status": "True"}]}});
    gadgets
        .patch_status("a", &PatchParams::default(), &Patch::Merge(&conditions))
        .await
        .unwrap();
    let path = "/apis/bench.example/v1/namespaces/default/gadgets?fieldSelector=spec.size%3Dsmall";
    let table = get(
        &client,
        path,
        "application/json;as=Table;v=v1;g=meta.k8s.io",
    )
    .await;
    let names = table["columnDefinitions"].as_array().unwrap().iter();
    let names: Vec<&str> = names.map(|one| one["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["Name", "Size", "Replicas", "Ready", "Note", "Age"]);
    let cells = table["rows"][0]["cells"].as_array().unwrap();
    assert_eq!(
        cells[..5],
        [
            json!("a"),
            json!("small"),
            json!(1),
            json!("True"),
            Value::Null
        ]
    );
}

#[tokio::test]
async fn with_the_definition_go_its_objects() {
    let lab = Lab::start();
    let client = lab.admin().await;
    let definitions = definition(&client).await;
    let gadgets = gadgets(&client, "v1");
    let mut held = gadget("a", json!({"size": "small"}));
    held.metadata.finalizers = Some(vec!["bench.example/hold".to_owned()]);
    gadgets.create(&PostParams::default(), &held).await.unwrap();
    definitions
        .delete("gadgets.bench.example", &DeleteParams::default())
        .await
        .unwrap();
    // A finalizer holds the object, and this the definition.
    let waiting = definitions.get("gadgets.bench.example").await.unwrap();
    assert_eq!(
        waiting.finalizers(),
        ["customresourcecleanup.apiextensions.k8s.io"]
    );
    let release = json!({"metadata": {"finalizers": null}});
    gadgets
        .patch("a", &PatchParams::default(), &Patch::Merge(&release))
        .await
        .unwrap();
    assert!(
        definitions
            .get_opt("gadgets.bench.example")
            .await
            .unwrap()
            .is_none()
    );
    assert!(
        gadgets
            .list(&kube::api::ListParams::default())
            .await
            .is_err()
    );
    let spaces: Api<Namespace> = Api::all(client);
    assert!(spaces.get_opt("default").await.unwrap().is_some());
}

#[tokio::test]
async fn what_is_wrong_with_a_definition_is_said_at_its_place() {
    let lab = Lab::start();
    let client = lab.admin().await;
    let definitions: Api<CustomResourceDefinition> = Api::all(client);
    let good: Value = serde_yaml::from_str(include_str!("gadgets.yaml")).unwrap();
    let mut refusals = Vec::new();
    let mut refuse = |change: &dyn Fn(&mut Value)| {
        let mut bad = good.clone();
        change(&mut bad);
        refusals.push(bad);
    };
    let spec = "/spec/versions/0/schema/openAPIV3Schema/properties/spec/properties";
    let property =
        |bad: &mut Value, property: Value| bad.pointer_mut(spec).unwrap()["a"] = property;
    refuse(&|bad| bad["metadata"]["name"] = json!("other.bench.example"));
    refuse(&|bad| bad["spec"]["scope"] = json!("Galaxy"));
    refuse(&|bad| bad["spec"]["names"]["plural"] = json!("Gadgets"));
    refuse(&|bad| property(bad, json!({})));
    refuse(&|bad| property(bad, json!({"type": "array"})));
    refuse(&|bad| property(bad, json!({"type": "string", "default": 1})));
    refuse(&|bad| {
        let inner = json!([{"type": "string"}]);
        property(bad, json!({"type": "string", "oneOf": inner}));
    });
    refuse(&|bad| {
        let rules = json!([{"rule": "self > 3"}]);
        property(
            bad,
            json!({"type": "string", "x-kubernetes-validations": rules}),
        );
    });
    let mut texts = Vec::new();
    for bad in refusals {
        let bad: CustomResourceDefinition = serde_json::from_value(bad).unwrap();
        texts.push(refusal(
            definitions.create(&PostParams::default(), &bad).await,
        ));
    }
    insta::assert_snapshot!(texts.join("\n"));
}
