//! The realm that labs use, and keys that change under its tokens.

use crate::bench::{Bench, LAB, conversation};

conversation!(fixture_logins, real_fixture_logins, &fixture(), people);

fn fixture() -> String {
    include_str!("../../../../fixtures/keycloak/realm.json").replace("${lab.realm}", "fixture")
}

async fn people(bench: &mut Bench) {
    bench.password("jane", "kubernetes", "jane", "openid").await;
    bench
        .password("olga, full paths", "full-paths", "olga", "openid")
        .await;
    bench.password("gone", "kubernetes", "gone", "openid").await;
    bench
        .password("browser only", "browser-only", "jane", "openid")
        .await;
    let robot = [
        ("grant_type", "client_credentials"),
        ("client_id", "robot"),
        ("client_secret", "robot-secret"),
    ];
    bench.post("robot", "token", &robot).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_fixture_is_what_its_writer_means() {
    let bench = Bench::embedded(&fixture()).await;
    assert_eq!(bench.keycloak.unwrap().warnings(), [""; 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn tokens_outlive_the_rotation_of_their_key() {
    let mut bench = Bench::embedded(LAB).await;
    let tokens = bench.password("before", "cli", "jane", "openid").await;
    let keycloak = bench.keycloak.take().unwrap();
    keycloak.rotate_keys().await.unwrap();
    let keys = bench.client.get(bench.url("certs")).send().await.unwrap();
    let keys: serde_json::Value = keys.json().await.unwrap();
    let kids: Vec<_> = keys["keys"]
        .as_array()
        .unwrap()
        .iter()
        .map(|key| &key["kid"])
        .collect();
    assert_eq!(kids.len(), 2);
    assert_ne!(kids[0], kids[1]);
    let token = tokens["access_token"].as_str().unwrap();
    let answer = bench
        .client
        .get(bench.url("userinfo"))
        .bearer_auth(token)
        .send()
        .await
        .unwrap();
    assert_eq!(answer.status(), 200);
    keycloak.shutdown().await;
    let gone = bench.client.get(bench.url("certs")).send().await;
    assert!(gone.unwrap_err().is_connect());
}
