//! Another configuration at the same address, and keys that are replaced.

use serde_json::Value;

use crate::bench::{Bench, CONFIG, keys};

async fn published(bench: &Bench) -> Vec<String> {
    let keys = bench.get("/keys").await;
    let keys = keys["keys"].as_array().unwrap().iter();
    keys.map(|key| key["kid"].as_str().unwrap().to_owned())
        .collect()
}

fn kid(token: &Value) -> String {
    let token = authlab_pki::jws::Compact::parse(token.as_str().unwrap()).unwrap();
    token.kid().unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restart_brings_the_new_file_and_keeps_keys_and_refresh_tokens() {
    let mut bench = Bench::embedded().await;
    let before = bench.password("openid offline_access").await;
    let config = bench
        .fill(CONFIG)
        .replace("  idTokens: 1h\n", "  idTokens: 2h\n");
    let config = config
        .replace("id: peer", "id: friend")
        .replace("trustedPeers: [peer]", "trustedPeers: [friend]");
    let config = config.replace("username: jane", "username: renamed");
    let mut dex = bench.dex.take().unwrap();
    dex.restart(&config).await.unwrap();
    bench.dex = Some(dex);
    assert_eq!(bench.userinfo(&before["access_token"]).await, 200);
    let after = bench.password("openid profile").await;
    assert_eq!(kid(&before["id_token"]), kid(&after["id_token"]));
    assert_eq!(
        after["expires_in"].as_i64().unwrap() / 3600,
        1,
        "an hour and nearly another"
    );
    let form = [
        ("grant_type", "refresh_token"),
        ("client_id", "app"),
        ("client_secret", "app-secret"),
        ("refresh_token", before["refresh_token"].as_str().unwrap()),
    ];
    let (status, refreshed) = bench.token(&form).await;
    assert_eq!(status, 200, "{refreshed}");
    for (client, expected) in [("peer", 404), ("friend", 302)] {
        let url = format!("/auth/local?client_id={client}&response_type=code&scope=openid");
        let redirect = "&redirect_uri=http%3A%2F%2F127.0.0.1%3A8000%2Fcb%3Fx%3D1%26a%3D2%23frag";
        let answer = bench
            .client
            .get(bench.url(&(url + redirect)))
            .send()
            .await
            .unwrap();
        assert_eq!(answer.status(), expected, "{client}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_file_leaves_the_old_one_in_force() {
    let mut bench = Bench::embedded().await;
    let config = bench.fill(CONFIG).replace("idTokens: 1h", "idTokens: soon");
    let mut dex = bench.dex.take().unwrap();
    let refused = dex.restart(&config).await.unwrap_err();
    assert!(refused.to_string().contains("id token expiry"), "{refused}");
    let no_certificate = bench.fill(CONFIG).replace("cert.pem", "none.pem");
    let refused = dex.restart(&no_certificate).await.unwrap_err();
    assert!(
        refused.to_string().contains("no such file or directory"),
        "{refused}"
    );
    bench.dex = Some(dex);
    bench.password("openid").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn another_algorithm_signs_from_the_next_rotation_on() {
    let mut bench = Bench::embedded().await;
    let mut dex = bench.dex.take().unwrap();
    let signer = "signer: {type: local, config: {keysRotationPeriod: 6h, algorithm: ES256}}\n";
    dex.restart(&format!("{}{signer}", bench.fill(CONFIG)))
        .await
        .unwrap();
    bench.dex = Some(dex);
    let algorithm = async || {
        let document = bench.get("/.well-known/openid-configuration").await;
        document["id_token_signing_alg_values_supported"][0]
            .as_str()
            .unwrap()
            .to_owned()
    };
    assert_eq!(algorithm().await, "RS256");
    bench.dex.as_ref().unwrap().rotate_keys().await.unwrap();
    assert_eq!(algorithm().await, "ES256");
    bench.password("openid").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replaced_key_is_published_as_long_as_its_tokens_live() {
    for (lifetime, kept) in [("1h", true), ("1ns", false)] {
        let config = CONFIG.replace("idTokens: 1h", &format!("idTokens: {lifetime}"));
        let bench = Bench::embedded_with(&config).await;
        let dex = bench.dex.as_ref().unwrap();
        let first = published(&bench).await;
        let old = bench.password("openid").await;
        dex.rotate_keys().await.unwrap();
        let second = published(&bench).await;
        assert_eq!(
            (second.len(), &second[1]),
            (2, &first[0]),
            "the key in use comes first"
        );
        assert_eq!(bench.userinfo(&old["access_token"]).await == 200, kept);
        let new = bench.password("openid").await;
        assert_eq!(kid(&new["id_token"]), second[0]);
        // Dex looks for what has expired when it rotates.
        dex.rotate_keys().await.unwrap();
        let third = published(&bench).await;
        assert_eq!(third.contains(&first[0]), kept, "{lifetime}");
        assert!(third.contains(&second[0]));
    }
    // The pool keeps its own, for whoever starts next.
    let _ = keys();
}
