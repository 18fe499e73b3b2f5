//! What a realm says about itself, and paths that lead nowhere.

use crate::bench::{Bench, LAB, PLAIN, conversation};

conversation!(discovery, real_discovery, LAB, discover);
conversation!(
    discovery_of_defaults,
    real_discovery_of_defaults,
    PLAIN,
    discover
);

async fn discover(bench: &mut Bench) {
    let base = bench.issuer.clone();
    let root = base.split("/realms/").next().unwrap().to_owned();
    for (title, url) in [
        ("realm", base.clone()),
        (
            "discovery",
            format!("{base}/.well-known/openid-configuration"),
        ),
        ("unknown well-known", format!("{base}/.well-known/x")),
        (
            "unknown endpoint",
            format!("{base}/protocol/openid-connect/x"),
        ),
        ("unknown realm", format!("{root}/realms/x")),
        (
            "discovery of an unknown realm",
            format!("{root}/realms/x/.well-known/openid-configuration"),
        ),
        (
            "token of an unknown realm",
            format!("{root}/realms/x/protocol/openid-connect/token"),
        ),
        ("nothing", format!("{root}/x")),
    ] {
        let request = bench.client.get(url);
        bench.send(title, request).await;
    }
    let keys = bench.client.get(bench.url("certs")).send().await.unwrap();
    let keys: serde_json::Value = keys.json().await.unwrap();
    let all = keys["keys"].as_array().unwrap();
    // Keycloak publishes a key for encryption too, and certificates for both.
    let signing = all.iter().find(|key| key["use"] == "sig").unwrap();
    let members = ["kty", "alg", "use", "e"].map(|name| format!("{name}={}", signing[name]));
    bench.transcript.remark("signing key", &members.join(" "));
}
