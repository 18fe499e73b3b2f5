//! The forge as a relying party sees it: over TLS, from the discovery document to a verified token.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails here")]

use std::net::TcpListener;

use authlab_idp::forge::{Forge, TokenRequest};
use authlab_pki::{Authority, KeyPool, http, jws::Compact};
use secrecy::ExposeSecret as _;
use serde_json::{Value, json};

async fn start(authority: &Authority, pool: KeyPool, path: &str) -> Forge {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let issuer = format!("https://{}{path}", listener.local_addr().unwrap());
    let tls = authority.server_certificate(&["127.0.0.1"]).unwrap();
    Forge::start(listener, issuer, tls, pool, "forge", Default::default())
        .await
        .unwrap()
}

async fn fetch(client: &reqwest::Client, url: &str) -> Value {
    let answer = client
        .get(url)
        .send()
        .await
        .unwrap()
        .error_for_status()
        .unwrap();
    assert_eq!(answer.headers()["content-type"], "application/json");
    assert_eq!(answer.headers()["cache-control"], "no-store");
    answer.json().await.unwrap()
}

fn sign(forge: &Forge, request: Value) -> Compact {
    let request: TokenRequest = serde_json::from_value(request).unwrap();
    Compact::parse(forge.sign(&request).unwrap().expose_secret()).unwrap()
}

/// Discovers, fetches the keys and verifies with the one that the token names.
async fn accepts(client: &reqwest::Client, issuer: &str, token: &Compact) -> bool {
    let url = format!(
        "{}/.well-known/openid-configuration",
        issuer.trim_end_matches('/')
    );
    let discovery = fetch(client, &url).await;
    assert_eq!(discovery["issuer"], issuer);
    let keys = fetch(client, discovery["jwks_uri"].as_str().unwrap()).await;
    keys["keys"]
        .as_array()
        .unwrap()
        .iter()
        .any(|key| key["kid"].as_str() == token.kid() && token.verify(key).is_ok())
}

#[tokio::test]
async fn good_tokens_are_accepted_and_bad_ones_refused() {
    let authority = Authority::generate("lab").unwrap();
    let client = http::client(authority.certificate_pem()).unwrap();
    let pool = KeyPool::ephemeral();
    for path in ["", "/", "/some/path", "/some/path/"] {
        let forge = start(&authority, pool.clone(), path).await;
        let issuer = forge.issuer().to_owned();
        for (request, accepted) in [
            (json!({"claims": {"sub": "jane"}}), true),
            (json!({"algorithm": "PS384"}), true),
            (json!({"algorithm": "EdDSA"}), true),
            (json!({"expiresIn": -5}), true),
            (json!({"key": "unpublished"}), false),
            (json!({"tamper": "signature"}), false),
            (json!({"tamper": "payload"}), false),
            (json!({"algorithm": "HS256"}), false),
            (json!({"algorithm": "none"}), false),
            (json!({"header": {"kid": "nobody"}}), false),
        ] {
            let token = sign(&forge, request.clone());
            assert_eq!(
                accepts(&client, &issuer, &token).await,
                accepted,
                "{path:?} {request}"
            );
        }
        forge.shutdown().await;
    }
}

#[tokio::test]
async fn discovery_says_what_a_relying_party_needs() {
    let authority = Authority::generate("lab").unwrap();
    let client = http::client(authority.certificate_pem()).unwrap();
    let forge = start(&authority, KeyPool::ephemeral(), "").await;
    let issuer = forge.issuer();
    let discovery = fetch(
        &client,
        &format!("{issuer}/.well-known/openid-configuration"),
    )
    .await;
    assert_eq!(
        discovery,
        json!({
            "issuer": issuer,
            "jwks_uri": format!("{issuer}/keys"),
            "response_types_supported": ["id_token"],
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": [
                "RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA",
            ],
        })
    );
    let keys = fetch(&client, &format!("{issuer}/keys")).await;
    let published: Vec<&str> = keys["keys"]
        .as_array()
        .unwrap()
        .iter()
        .map(|key| {
            assert_eq!(key["use"], "sig");
            assert!(key.get("d").is_none() && key.get("p").is_none());
            key["alg"].as_str().unwrap()
        })
        .collect();
    assert_eq!(published, ["RS256", "ES256"]);
    let missing = client.get(format!("{issuer}/token")).send().await.unwrap();
    assert_eq!(missing.status(), 404);
}

/// Also on a connection that was open before.
#[tokio::test]
async fn nothing_is_served_after_a_shutdown() {
    let authority = Authority::generate("lab").unwrap();
    let client = http::client(authority.certificate_pem()).unwrap();
    let forge = start(&authority, KeyPool::ephemeral(), "").await;
    let url = format!("{}/keys", forge.issuer());
    fetch(&client, &url).await;
    forge.shutdown().await;
    client.get(&url).send().await.unwrap_err();
}
