//! Token exchange (RFC 8693) through connectors to an issuer such as a cluster's.

use std::path::Path;

use authlab_idp::forge::{Forge, TokenRequest};
use authlab_pki::tls;
use secrecy::ExposeSecret as _;
use serde_json::json;

use super::{Talk, bench, socket, with_connectors};
use crate::bench::{Bench, certificate, keys, real_dex};

const EXCHANGE: &str = "urn:ietf:params:oauth:grant-type:token-exchange";
const ID_TOKEN: &str = "urn:ietf:params:oauth:token-type:id_token";
const ACCESS_TOKEN: &str = "urn:ietf:params:oauth:token-type:access_token";
/// What an API server says to who may not see its issuer's documents.
const STATUS: &str = r#"{"kind":"Status","apiVersion":"v1","metadata":{},"status":"Failure","message":"forbidden: User \"system:anonymous\" cannot get path \"/.well-known/openid-configuration\"","reason":"Forbidden","details":{},"code":403}"#;

#[tokio::test(flavor = "multi_thread")]
async fn tokens_are_exchanged_as_dex_does() {
    insta::assert_snapshot!("exchange", converse(None).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn real_exchanges_are_those_recorded() {
    let Some(binary) = real_dex("real_exchanges_are_those_recorded") else {
        return;
    };
    insta::assert_snapshot!("exchange", converse(Some(&binary)).await);
}

/// An issuer that keeps its documents to itself.
async fn forbidden(listener: std::net::TcpListener) -> tokio::task::JoinHandle<()> {
    listener.set_nonblocking(true).unwrap();
    let listener = tokio::net::TcpListener::from_std(listener).unwrap();
    let listener = tls::Listener::new(listener, certificate().server_config(None).unwrap());
    let kind = [(axum::http::header::CONTENT_TYPE, "application/json")];
    let app = axum::Router::new()
        .fallback(move || async move { (axum::http::StatusCode::FORBIDDEN, kind, STATUS) });
    tokio::spawn(async move { axum::serve(listener, app).await.unwrap() })
}

async fn forge() -> Forge {
    let (listener, issuer) = socket();
    Forge::start(
        listener,
        issuer,
        certificate(),
        keys(),
        "exchange",
        Default::default(),
    )
    .await
    .unwrap()
}

/// A token of the forge; `change` is made to the request for it.
fn token(forge: &Forge, change: serde_json::Value) -> String {
    let mut request = json!({"claims": {
        "sub": "system:serviceaccount:dev:robot",
        "aud": ["https://kubernetes.default.svc"],
        "kubernetes.io": {"namespace": "dev"},
    }});
    for (name, value) in change.as_object().unwrap() {
        match (name.as_str(), value) {
            ("claims", value) => {
                let claims = request["claims"].as_object_mut().unwrap();
                claims.extend(value.as_object().unwrap().clone());
            }
            _ => request[name] = value.clone(),
        }
    }
    let request: TokenRequest = serde_json::from_value(request).unwrap();
    forge.sign(&request).unwrap().expose_secret().to_owned()
}

async fn converse(real: Option<&Path>) -> String {
    let forge = forge().await;
    let (listener, forbidden_url) = socket();
    let forbidden = forbidden(listener).await;
    let (unused, nobody) = socket();
    drop(unused);
    let config = with_connectors(
        include_str!("exchange.yaml"),
        &[
            ("FORGE", forge.issuer()),
            ("FORBIDDEN", &forbidden_url),
            ("NOBODY", &nobody),
        ],
    );
    let mut talk = Talk::new(bench(real, &config).await);
    talk.transcript.call(forge.issuer(), "FORGE");
    talk.transcript.call(&forbidden_url, "FORBIDDEN");
    talk.transcript.call(&nobody, "NOBODY");
    talk.transcript
        .call(nobody.trim_start_matches("https://"), "NOBODY-ADDRESS");
    talk.each_connector(&forge).await;
    talk.each_token(&forge).await;
    talk.each_form(&forge).await;
    forbidden.abort();
    talk.finish().await
}

impl Talk {
    async fn exchange(&mut self, title: &str, more: &[(&str, &str)]) {
        let usual = [
            ("grant_type", EXCHANGE),
            ("client_id", "app"),
            ("client_secret", "app-secret"),
            ("connector_id", "kubernetes"),
            ("subject_token_type", ID_TOKEN),
            ("scope", "openid profile groups email federated:id"),
        ];
        let replaced = |name: &str| more.iter().any(|(given, _)| *given == name);
        let usual = usual.iter().filter(|(name, _)| !replaced(name));
        let form: Vec<(&str, &str)> = usual.chain(more).copied().collect();
        self.post(title, "/token", &form).await;
    }

    async fn each_connector(&mut self, forge: &Forge) {
        let plain = token(forge, json!({}));
        let rich = token(
            forge,
            json!({"claims": {
                "uid": "u-1", "nick": "r0b::ot", "mail": "robot@example.com", "count": 3, "email_verified": false,
                "name": "Robot", "roles": ["ops", "dev-1", {"name": "admins"}, {"name": 1}],
            }}),
        );
        let full = token(
            forge,
            json!({"claims": {
                "uid": "u-1", "nick": "robot", "mail": "other@example.com", "email": "robot@example.com",
                "preferred_username": "preferred", "groups": ["usual"], "roles": ["other"], "name": "Robot",
            }}),
        );
        let odd = token(
            forge,
            json!({"claims": {
                "uid": "u-1", "nick": "robot", "mail": "m", "groups": "alone", "roles": [1],
            }}),
        );
        for connector in [
            "kubernetes",
            "trap",
            "unverified",
            "lenient",
            "named",
            "info",
            "foreign",
            "careless",
            "forbidden",
            "slash",
            "alias",
            "own",
            "nobody",
            "paper",
            "hosted",
            "narrow",
            "mock",
            "secret",
            "incomplete",
            "local",
            "nope",
        ] {
            self.exchange(
                connector,
                &[("connector_id", connector), ("subject_token", &plain)],
            )
            .await;
        }
        for connector in [
            "trap",
            "unverified",
            "mapped",
            "overriding",
            "modified",
            "allowed",
        ] {
            for (title, token) in [("rich", &rich), ("full", &full), ("odd", &odd)] {
                let form = [
                    ("connector_id", connector),
                    ("subject_token", token.as_str()),
                ];
                self.exchange(&format!("{connector} {title}"), &form).await;
            }
        }
    }

    async fn each_token(&mut self, forge: &Forge) {
        for (title, change) in [
            (
                "for somebody else",
                json!({"claims": {"aud": "somebody-else"}}),
            ),
            ("expired", json!({"expiresIn": -60})),
            ("without an end", json!({"claims": {"exp": null}})),
            ("not yet", json!({"claims": {"nbf": 4_102_444_800_u64}})),
            (
                "of another issuer",
                json!({"claims": {"iss": "https://other.example"}}),
            ),
            ("of no issuer", json!({"claims": {"iss": null}})),
            ("about nobody", json!({"claims": {"sub": null}})),
            ("by another algorithm", json!({"algorithm": "ES256"})),
            ("by a shared secret", json!({"algorithm": "HS256"})),
            ("unsigned", json!({"algorithm": "none"})),
            ("by an unpublished key", json!({"key": "unpublished"})),
            (
                "with an unknown key's name",
                json!({"header": {"kid": "other"}}),
            ),
            ("without a key's name", json!({"header": {"kid": null}})),
            ("tampered with", json!({"tamper": "payload"})),
        ] {
            let token = token(forge, change);
            self.exchange(&format!("a token {title}"), &[("subject_token", &token)])
                .await;
        }
        self.exchange("no token", &[("subject_token", "")]).await;
        self.exchange("nonsense", &[("subject_token", "x")]).await;
    }

    async fn each_form(&mut self, forge: &Forge) {
        let token = token(forge, json!({}));
        for (title, change) in [
            ("no connector", [("connector_id", ""), ("x", "")]),
            (
                "a kind nobody knows",
                [
                    ("subject_token_type", "urn:ietf:params:oauth:token-type:jwt"),
                    ("x", ""),
                ],
            ),
            ("no kind", [("subject_token_type", ""), ("x", "")]),
            (
                "an access token without user info",
                [("subject_token_type", ACCESS_TOKEN), ("x", "")],
            ),
            (
                "an ID token is asked for",
                [("requested_token_type", ID_TOKEN), ("x", "")],
            ),
            (
                "an access token is asked for",
                [("requested_token_type", ACCESS_TOKEN), ("x", "")],
            ),
            (
                "something else is asked for",
                [("requested_token_type", "x"), ("x", "")],
            ),
            ("no scope", [("scope", ""), ("x", "")]),
            ("any scope", [("scope", "foo"), ("x", "")]),
            (
                "another audience",
                [
                    ("scope", "openid audience:server:client_id:peer"),
                    ("x", ""),
                ],
            ),
            (
                "a refresh token is not given",
                [("scope", "openid offline_access"), ("x", "")],
            ),
            (
                "a client that may not use the connector",
                [("client_id", "narrow"), ("client_secret", "narrow-secret")],
            ),
            ("a wrong secret", [("client_secret", "x"), ("x", "")]),
            (
                "a public client",
                [("client_id", "cli"), ("client_secret", "")],
            ),
        ] {
            let form = [change.as_slice(), &[("subject_token", &token)]].concat();
            self.exchange(title, &form).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_issuer_that_comes_up_later_is_found() {
    let (listener, issuer) = socket();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let connectors = "- {type: oidc, id: kubernetes, name: K, config: {issuer: FORGE, rootCAs: [DIR/ca.pem], userNameKey: sub, scopes: [profile]}}\n";
    let bench = Bench::embedded_with(&with_connectors(connectors, &[("FORGE", &issuer)])).await;
    let other = forge().await;
    let exchange = async |subject: &str| {
        let form = [
            ("grant_type", EXCHANGE),
            ("client_id", "app"),
            ("client_secret", "app-secret"),
            ("connector_id", "kubernetes"),
            ("subject_token_type", ID_TOKEN),
            ("subject_token", subject),
        ];
        bench.token(&form).await
    };
    let (status, body) = exchange(&token(&other, json!({}))).await;
    assert_eq!(
        (status, &body["error_description"]),
        (400, &json!("Requested connector does not exist."))
    );
    let log = bench.dex.as_ref().unwrap().log();
    assert!(
        log.last().unwrap().contains("connection refused"),
        "{log:?}"
    );
    let listener = std::net::TcpListener::bind(address).unwrap();
    let late = Forge::start(
        listener,
        issuer,
        certificate(),
        keys(),
        "late",
        Default::default(),
    )
    .await
    .unwrap();
    let (status, body) = exchange(&token(&late, json!({}))).await;
    assert_eq!(status, 200, "{body}");
    assert_eq!(body["issued_token_type"], ACCESS_TOKEN);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_with_no_connector_that_opens_does_not_start() {
    let (listener, issuer) = socket();
    drop(listener);
    let connectors = "- {type: oidc, id: kubernetes, name: K, config: {issuer: FORGE}}\n";
    let config = with_connectors(connectors, &[("FORGE", &issuer)]);
    let config = config.split("staticPasswords:").next().unwrap().to_owned()
        + "connectors:\n"
        + &connectors.replace("FORGE", &issuer);
    let config = config.replace("enablePasswordDB: true", "enablePasswordDB: false");
    let (listener, _) = socket();
    let config = config
        .replace("STORAGE", "{type: memory}")
        .replace("ISSUER", "https://127.0.0.1/dex")
        .replace("https: ADDRESS", "http: 127.0.0.1:0");
    let refused = authlab_idp::dex::Dex::start(listener, &config, keys())
        .await
        .unwrap_err();
    assert_eq!(
        refused.to_string(),
        "failed to initialize server: server: failed to open all connectors (1/1)"
    );
}
