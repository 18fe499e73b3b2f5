//! Tokens of other issuers: by file and by flags, reloaded and restarted.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use authlab_apiserver::Authentication;
use authlab_pki::tls::Listener;
use authlab_pki::{Algorithm, Authority, KeyPool, SigningKey, jws};
use axum::{Json, Router, routing::get};
use k8s_openapi::api::authentication::v1::TokenReview;
use kube::Client;
use kube::api::{Api, PostParams};
use serde_json::{Value, json};
use tokio::sync::watch;

use crate::lab::{Lab, refusal};

/// An issuer with one key, on a port of its own.
struct Issuer {
    url: String,
    key: Arc<SigningKey>,
    authority: Authority,
}

impl Issuer {
    async fn start() -> Self {
        let authority = Authority::generate("issuer").unwrap();
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("https://{}", listener.local_addr().unwrap());
        let key = KeyPool::ephemeral()
            .key(Algorithm::ES256, "issuer")
            .unwrap();
        let discovery = json!({
            "issuer": url,
            "jwks_uri": format!("{url}/keys"),
            "id_token_signing_alg_values_supported": ["ES256"],
        });
        let keys = json!({"keys": [key.jwk()]});
        let app = Router::new()
            .route(
                "/.well-known/openid-configuration",
                get(async move || Json(discovery)),
            )
            .route("/keys", get(async move || Json(keys)));
        let tls = authority
            .server_certificate(&["127.0.0.1"])
            .unwrap()
            .server_config(None)
            .unwrap();
        tokio::spawn(async move { axum::serve(Listener::new(listener, tls), app).await });
        Self {
            url,
            key,
            authority,
        }
    }

    fn token(&self, subject: &str) -> String {
        let now = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap()
            .as_secs();
        let claims = json!({"iss": self.url, "aud": "lab", "sub": subject, "exp": now + 600, "groups": ["dev"]});
        jws::sign_claims(&claims, &self.key).unwrap()
    }

    fn config(&self, prefix: &str) -> String {
        json!({
            "apiVersion": "apiserver.config.k8s.io/v1",
            "kind": "AuthenticationConfiguration",
            "jwt": [{
                "issuer": {
                    "url": self.url,
                    "audiences": ["lab"],
                    "certificateAuthority": self.authority.certificate_pem(),
                },
                "claimMappings": {
                    "username": {"claim": "sub", "prefix": prefix},
                    "groups": {"claim": "groups", "prefix": prefix},
                },
            }],
        })
        .to_string()
    }
}

fn file(text: &str) -> Authentication {
    Authentication {
        config: Some(text.to_owned()),
        ..Authentication::default()
    }
}

const EMPTY: &str = "apiVersion: apiserver.config.k8s.io/v1\nkind: AuthenticationConfiguration\n";

async fn status(admin: &Client, token: &str) -> Value {
    let review = serde_json::from_value(json!({"spec": {"token": token}})).unwrap();
    let reviews: Api<TokenReview> = Api::all(admin.clone());
    let review = reviews
        .create(&PostParams::default(), &review)
        .await
        .unwrap();
    serde_json::to_value(review.status.unwrap()).unwrap()
}

#[tokio::test]
async fn a_token_of_a_trusted_issuer_signs_in() {
    let issuer = Issuer::start().await;
    let lab = Lab::with(file(&issuer.config("lab:")));
    lab.server
        .issuers_ready(Duration::from_secs(10))
        .await
        .unwrap();
    let admin = lab.admin().await;
    insta::assert_json_snapshot!(status(&admin, &issuer.token("jane")).await);
    assert!(
        lab.bearer(&issuer.token("jane"))
            .await
            .apiserver_version()
            .await
            .is_ok()
    );
    let forged = format!("{}x", issuer.token("jane"));
    assert_eq!(
        refusal(lab.bearer(&forged).await.apiserver_version().await),
        "401 Unauthorized: Unauthorized"
    );
    let error = status(&admin, &forged).await["error"].clone();
    assert!(
        error
            .as_str()
            .unwrap()
            .starts_with("[invalid bearer token, oidc: "),
        "{error}"
    );
}

#[tokio::test]
async fn flags_mean_what_a_file_would() {
    let issuer = Issuer::start().await;
    let directory = tempfile::tempdir().unwrap();
    let ca = directory.path().join("ca.pem");
    std::fs::write(&ca, issuer.authority.certificate_pem()).unwrap();
    let one = |value: &str| vec![value.to_owned()];
    let lab = Lab::with(Authentication {
        config: None,
        flags: BTreeMap::from([
            ("oidc-issuer-url".to_owned(), one(&issuer.url)),
            ("oidc-client-id".to_owned(), one("lab")),
            ("oidc-groups-claim".to_owned(), one("groups")),
            ("oidc-signing-algs".to_owned(), one("ES256")),
            ("oidc-ca-file".to_owned(), one(ca.to_str().unwrap())),
        ]),
    });
    lab.server
        .issuers_ready(Duration::from_secs(10))
        .await
        .unwrap();
    let user = &status(&lab.admin().await, &issuer.token("jane")).await["user"];
    assert_eq!(user["username"], format!("{}#jane", issuer.url));
    assert_eq!(user["groups"], json!(["dev", "system:authenticated"]));
}

#[tokio::test]
async fn what_cannot_work_is_refused_at_start() {
    let lab = Lab::start();
    let flag = |name: &str, value: &str| (name.to_owned(), vec![value.to_owned()]);
    let both = Authentication {
        flags: BTreeMap::from([
            flag("oidc-issuer-url", "https://x"),
            flag("oidc-client-id", "a"),
        ]),
        ..file(EMPTY)
    };
    let half = Authentication {
        flags: BTreeMap::from([flag("oidc-issuer-url", "https://x")]),
        ..Authentication::default()
    };
    let own = "https://kubernetes.default.svc.cluster.local";
    let jwt = json!([{
        "issuer": {"url": own, "audiences": ["a"]},
        "claimMappings": {"username": {"claim": "sub", "prefix": ""}},
    }]);
    let refusals = [
        lab.server.restart(both),
        lab.server.restart(half),
        lab.server.restart(file(&format!("{EMPTY}jwtt: []\n"))),
        lab.server.restart(file(&format!("{EMPTY}jwt: {jwt}\n"))),
        lab.server.restart(Authentication {
            flags: BTreeMap::from([
                flag("oidc-issuer-url", "https://x"),
                flag("oidc-client-id", "a"),
                flag("oidc-ca-file", "/nowhere/ca.pem"),
            ]),
            ..Authentication::default()
        }),
    ];
    let refusals = refusals.map(|refused| refused.unwrap_err().to_string());
    insta::assert_snapshot!(refusals.join("\n"));
    // The server has gone on as it was.
    assert!(lab.anonymous().await.apiserver_version().await.is_ok());
}

#[tokio::test]
async fn a_reload_adds_changes_and_removes_an_issuer() {
    let issuer = Issuer::start().await;
    let lab = Lab::with(file(EMPTY));
    let admin = lab.admin().await;
    let name = async || status(&admin, &issuer.token("jane")).await["user"]["username"].clone();
    assert_eq!(name().await, Value::Null);
    lab.server.reload(&issuer.config("one:")).await.unwrap();
    assert_eq!(name().await, "one:jane");
    lab.server.reload(&issuer.config("two:")).await.unwrap();
    assert_eq!(name().await, "two:jane");
    lab.server.reload(EMPTY).await.unwrap();
    assert_eq!(name().await, Value::Null);
}

#[tokio::test]
async fn a_bad_reload_leaves_the_old_in_force_and_is_counted() {
    let issuer = Issuer::start().await;
    let lab = Lab::with(file(&issuer.config("lab:")));
    lab.server
        .issuers_ready(Duration::from_secs(10))
        .await
        .unwrap();
    let anonymous = format!("{EMPTY}anonymous: {{enabled: false}}\n");
    let dead = Issuer {
        url: "https://127.0.0.1:1".to_owned(),
        ..Issuer::start().await
    };
    let unreachable = lab
        .server
        .reload_at_once(&dead.config("x:"), watch::channel(0).1)
        .await
        .unwrap_err();
    assert!(
        unreachable.ends_with("context deadline exceeded]"),
        "{unreachable}"
    );
    assert!(
        unreachable.contains("oidc: authenticator for issuer"),
        "{unreachable}"
    );
    let refusals = [
        lab.server.reload("kind: Foo").await.unwrap_err(),
        lab.server
            .reload(&format!("{EMPTY}foo: 1\n"))
            .await
            .unwrap_err(),
        lab.server.reload(&anonymous).await.unwrap_err(),
    ];
    insta::assert_snapshot!(refusals.join("\n"));
    let admin = lab.admin().await;
    assert_eq!(
        status(&admin, &issuer.token("jane")).await["user"]["username"],
        "lab:jane"
    );
    lab.server.reload(EMPTY).await.unwrap();
    let request = http::Request::get("/metrics").body(Vec::new()).unwrap();
    let metrics = admin.request_text(request).await.unwrap();
    let count = |status: &str| {
        let mut lines = metrics.lines().filter(|line| {
            line.starts_with("apiserver_authentication_config_controller_automatic_reloads_total{")
        });
        let line = lines
            .find(|line| line.contains(&format!("status=\"{status}\"")))
            .unwrap();
        line.rsplit(' ').next().unwrap().to_owned()
    };
    assert_eq!(
        (count("success").as_str(), count("failure").as_str()),
        ("1", "4")
    );
    let hash = "hash=\"sha256:";
    assert!(
        metrics
            .lines()
            .any(|line| line.contains("last_config_info{") && line.contains(hash))
    );
}

#[tokio::test]
async fn anonymous_requests_may_be_limited_to_paths() {
    let text = format!("{EMPTY}anonymous: {{enabled: true, conditions: [{{path: /healthz}}]}}\n");
    let lab = Lab::with(file(&text));
    let anonymous = lab.anonymous().await;
    let health = http::Request::get("/healthz").body(Vec::new()).unwrap();
    assert_eq!(anonymous.request_text(health).await.unwrap(), "ok");
    assert_eq!(
        refusal(anonymous.apiserver_version().await),
        "401 Unauthorized: Unauthorized"
    );
}
