//! Watches, and kube's watcher on top of them.

use futures_util::{StreamExt, TryStreamExt};
use k8s_openapi::api::core::v1::ConfigMap;
use kube::ResourceExt;
use kube::api::{Api, DeleteParams, Patch, PatchParams, PostParams, WatchEvent, WatchParams};
use kube::runtime::{WatchStreamExt, watcher};
use serde_json::json;

use crate::lab::Lab;

fn map(name: &str, label: &str) -> ConfigMap {
    let labels = json!({"watched": label});
    serde_json::from_value(json!({"metadata": {"name": name, "labels": labels}})).unwrap()
}

#[tokio::test]
async fn a_watch_tells_what_happens_after_its_start() {
    let lab = Lab::start();
    let maps: Api<ConfigMap> = Api::namespaced(lab.admin().await, "default");
    let start = maps
        .list(&Default::default())
        .await
        .unwrap()
        .metadata
        .resource_version
        .unwrap();
    let params = WatchParams::default().labels("watched=yes").timeout(10);
    let mut watch = maps.watch(&params, &start).await.unwrap().boxed();
    maps.create(&PostParams::default(), &map("other", "no"))
        .await
        .unwrap();
    maps.create(&PostParams::default(), &map("one", "yes"))
        .await
        .unwrap();
    let change = json!({"data": {"k": "v"}});
    maps.patch("one", &PatchParams::default(), &Patch::Merge(&change))
        .await
        .unwrap();
    // To a selector, an object that stops matching is gone.
    let change = json!({"metadata": {"labels": {"watched": "no"}}});
    maps.patch("one", &PatchParams::default(), &Patch::Merge(&change))
        .await
        .unwrap();
    maps.create(&PostParams::default(), &map("two", "yes"))
        .await
        .unwrap();
    maps.delete("two", &DeleteParams::default()).await.unwrap();
    let mut seen = Vec::new();
    while seen.len() < 5 {
        seen.push(match watch.try_next().await.unwrap().unwrap() {
            WatchEvent::Added(one) => format!("added {}", one.name_any()),
            WatchEvent::Modified(one) => format!("modified {}", one.name_any()),
            WatchEvent::Deleted(one) => format!("deleted {}", one.name_any()),
            other => panic!("{other:?}"),
        });
    }
    assert_eq!(
        seen,
        [
            "added one",
            "modified one",
            "deleted one",
            "added two",
            "deleted two"
        ]
    );
}

#[tokio::test]
async fn a_watch_ends_at_its_timeout() {
    let lab = Lab::start();
    let maps: Api<ConfigMap> = Api::namespaced(lab.admin().await, "default");
    let params = WatchParams::default().timeout(1);
    let watch = maps.watch(&params, "0").await.unwrap();
    let events: Vec<_> = watch.try_collect().await.unwrap();
    assert_eq!(events.len(), 1, "the root CA map is there already");
}

#[tokio::test]
async fn a_watch_from_the_distant_past_is_told_to_list_again() {
    let lab = Lab::start();
    let maps: Api<ConfigMap> = Api::namespaced(lab.admin().await, "default");
    let mut watch = maps
        .watch(&WatchParams::default(), "1")
        .await
        .unwrap()
        .boxed();
    let WatchEvent::Error(error) = watch.try_next().await.unwrap().unwrap() else {
        panic!("not refused");
    };
    assert_eq!((error.code, error.reason.as_str()), (410, "Expired"));
}

#[tokio::test]
async fn kubes_watcher_follows_by_listing_and_by_streaming() {
    for streaming in [false, true] {
        let lab = Lab::start();
        let maps: Api<ConfigMap> = Api::namespaced(lab.admin().await, "default");
        let config = watcher::Config::default();
        let config = if streaming {
            config.streaming_lists()
        } else {
            config
        };
        let mut objects = watcher(maps.clone(), config).applied_objects().boxed();
        let first = objects.try_next().await.unwrap().unwrap();
        assert_eq!(first.name_any(), "kube-root-ca.crt");
        maps.create(&PostParams::default(), &map("one", "yes"))
            .await
            .unwrap();
        let next = objects.try_next().await.unwrap().unwrap();
        assert_eq!(next.name_any(), "one");
    }
}

#[tokio::test]
async fn stopping_the_server_ends_its_watches() {
    let lab = Lab::start();
    let maps: Api<ConfigMap> = Api::namespaced(lab.admin().await, "default");
    let mut watch = maps
        .watch(&WatchParams::default(), "0")
        .await
        .unwrap()
        .boxed();
    assert!(watch.try_next().await.unwrap().is_some());
    lab.server.shutdown().await;
    assert!(!matches!(watch.try_next().await, Ok(Some(_))));
}
