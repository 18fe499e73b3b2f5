//! Authenticators against issuers of ours, over TLS.

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use authlab_pki::{Algorithm, Authority, KeyPool, SigningKey, jws, tls};
use axum::{Router, extract::State, http::StatusCode, response::IntoResponse, routing::get};
use serde_json::{Value, json};
use tokio::{net::TcpListener, sync::watch, task::JoinHandle};

use super::{Outcome, TokenAuthenticator};
use crate::config::{self, AuthenticationConfiguration};

const SOON: Duration = Duration::from_secs(20);
const RETRY: Duration = Duration::from_millis(20);

/// What the issuer answers, which tests change while it runs.
struct Answers {
    discovery: (StatusCode, String),
    keys: (StatusCode, String),
    cache_control: &'static str,
    /// How often the keys were asked for.
    key_requests: usize,
}

type Shared = Arc<Mutex<Answers>>;

struct Provider {
    url: String,
    authority: Authority,
    answers: Shared,
    key: Arc<SigningKey>,
    server: JoinHandle<()>,
}

impl Provider {
    async fn start() -> Self {
        let authority = Authority::generate("test").unwrap();
        let tcp = TcpListener::bind("127.0.0.1:0").await.unwrap();
        Self::start_on(tcp, authority)
    }

    fn start_on(tcp: TcpListener, authority: Authority) -> Self {
        let url = format!("https://{}", tcp.local_addr().unwrap());
        let key = KeyPool::ephemeral().key(Algorithm::ES256, "a").unwrap();
        let discovery = json!({"issuer": url, "jwks_uri": format!("{url}/keys")}).to_string();
        let answers = Arc::new(Mutex::new(Answers {
            discovery: (StatusCode::OK, discovery),
            keys: (StatusCode::OK, key_set(&[&key])),
            cache_control: "",
            key_requests: 0,
        }));
        let app = Router::new()
            .route("/.well-known/openid-configuration", get(discovery_document))
            .route("/elsewhere", get(discovery_document))
            .route("/keys", get(keys))
            .with_state(Arc::clone(&answers));
        let certificate = authority.server_certificate(&["127.0.0.1"]).unwrap();
        let listener = tls::Listener::new(tcp, certificate.server_config(None).unwrap());
        let server = tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
        Self {
            url,
            authority,
            answers,
            key,
            server,
        }
    }

    fn change(&self, change: impl FnOnce(&mut Answers)) {
        change(&mut self.answers.lock().unwrap());
    }

    fn config(&self) -> AuthenticationConfiguration {
        self.config_with(&json!({}))
    }

    /// A configuration that trusts this issuer, with fields of `issuer` changed.
    fn config_with(&self, issuer: &Value) -> AuthenticationConfiguration {
        let mut fields = json!({
            "url": self.url, "audiences": ["kube"], "certificateAuthority": self.authority.certificate_pem(),
        });
        for (name, value) in issuer.as_object().unwrap() {
            fields[name] = value.clone();
        }
        let file = json!({
            "apiVersion": "apiserver.config.k8s.io/v1", "kind": "AuthenticationConfiguration",
            "jwt": [{"issuer": fields, "claimMappings": {"username": {"claim": "sub", "prefix": ""}}}],
        });
        config::load(&file.to_string(), &[]).unwrap()
    }

    fn claims(&self) -> Value {
        let now = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap()
            .as_secs();
        json!({"iss": self.url, "aud": "kube", "sub": "jane", "exp": now + 600})
    }

    fn token(&self) -> String {
        jws::sign_claims(&self.claims(), &self.key).unwrap()
    }
}

impl Drop for Provider {
    fn drop(&mut self) {
        self.server.abort();
    }
}

async fn discovery_document(State(answers): State<Shared>) -> impl IntoResponse {
    answers.lock().unwrap().discovery.clone()
}

async fn keys(State(answers): State<Shared>) -> impl IntoResponse {
    let mut answers = answers.lock().unwrap();
    answers.key_requests += 1;
    let (status, body) = answers.keys.clone();
    (status, [("cache-control", answers.cache_control)], body)
}

fn key_set(keys: &[&SigningKey]) -> String {
    let keys: Vec<Value> = keys.iter().map(|key| key.jwk()).collect();
    json!({ "keys": keys }).to_string()
}

async fn started(config: &AuthenticationConfiguration) -> TokenAuthenticator {
    let authenticator = TokenAuthenticator::with_retry(config, RETRY);
    assert!(
        authenticator.ready(SOON).await,
        "{:?}",
        authenticator.health()
    );
    authenticator
}

fn user(outcome: &Outcome) -> &str {
    match outcome {
        Outcome::Authenticated(user) => &user.username,
        other => panic!("{other:?}"),
    }
}

fn rejected(outcome: Outcome) -> String {
    match outcome {
        Outcome::Rejected(text) => text,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_good_token_is_let_in_and_bad_ones_are_not() {
    let provider = Provider::start().await;
    let authenticator = started(&provider.config()).await;
    assert_eq!(authenticator.health(), Ok(()));
    let outcome = authenticator.authenticate(&provider.token()).await;
    assert_eq!(user(&outcome), "jane");

    let mut expired = provider.claims();
    expired["exp"] = json!(1000);
    let expired = jws::sign_claims(&expired, &provider.key).unwrap();
    let stranger = KeyPool::ephemeral().key(Algorithm::ES256, "b").unwrap();
    let unknown = jws::sign_claims(&provider.claims(), &stranger).unwrap();
    let mut header = serde_json::Map::new();
    header.insert("alg".to_owned(), json!("none"));
    let payload = provider.claims().to_string();
    let unsigned = jws::assemble(&jws::signing_input(&header, payload.as_bytes()), &[]);
    header.insert("alg".to_owned(), json!("ES256"));
    header.insert("kid".to_owned(), json!(provider.key.kid()));
    let forged = jws::sign(&header, payload.as_bytes(), &stranger).unwrap();
    header.insert("alg".to_owned(), json!(5));
    let odd = jws::sign(&header, payload.as_bytes(), &provider.key).unwrap();

    let mut texts = Vec::new();
    for token in [
        expired,
        unknown,
        unsigned,
        forged,
        odd,
        format!("{}=", provider.token()),
    ] {
        texts.push(rejected(authenticator.authenticate(&token).await));
    }
    insta::assert_snapshot!(texts.join("\n"));
    for token in ["", "a.b", "a.b.c", "x", "{}", "..", "a.e30.c"] {
        assert_eq!(
            authenticator.authenticate(token).await,
            Outcome::Skipped,
            "{token}"
        );
    }
}

#[tokio::test]
async fn keys_are_fetched_again_only_when_they_may_have_changed() {
    let provider = Provider::start().await;
    provider.change(|answers| answers.cache_control = "max-age=3600");
    let authenticator = started(&provider.config()).await;
    let requests = || provider.answers.lock().unwrap().key_requests;
    assert_eq!(requests(), 0, "keys wait for a token");
    user(&authenticator.authenticate(&provider.token()).await);
    user(&authenticator.authenticate(&provider.token()).await);
    assert_eq!(requests(), 1);

    // A new key is not looked for while the old ones are said to be good.
    let rotated = KeyPool::ephemeral().key(Algorithm::ES256, "b").unwrap();
    provider.change(|answers| answers.keys.1 = key_set(&[&rotated]));
    let token = jws::sign_claims(&provider.claims(), &rotated).unwrap();
    let text = rejected(authenticator.authenticate(&token).await);
    assert_eq!(
        text,
        "oidc: verify token: failed to verify signature: failed to verify id token signature"
    );
    assert_eq!(requests(), 1);

    provider.change(|answers| answers.cache_control = "no-cache");
    let fresh = started(&provider.config()).await;
    user(&fresh.authenticate(&token).await);
    provider.change(|answers| answers.keys.1 = key_set(&[&provider.key, &rotated]));
    user(&fresh.authenticate(&provider.token()).await);
    assert_eq!(requests(), 3);
}

#[tokio::test]
async fn failing_key_sets_are_reported() {
    let provider = Provider::start().await;
    let authenticator = started(&provider.config()).await;
    let mut texts = Vec::new();
    for keys in [
        (StatusCode::SERVICE_UNAVAILABLE, "down"),
        (StatusCode::OK, "<html>"),
        (StatusCode::OK, "{\"keys\": []}"),
        (StatusCode::OK, "{\"keys\": [{\"kty\": \"ABC\"}]}"),
    ] {
        provider.change(|answers| answers.keys = (keys.0, keys.1.to_owned()));
        texts.push(rejected(
            authenticator.authenticate(&provider.token()).await,
        ));
    }
    insta::assert_snapshot!(texts.join("\n"));
}

#[tokio::test]
async fn an_issuer_that_comes_late_is_found() {
    let tcp = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address: SocketAddr = tcp.local_addr().unwrap();
    let late = Provider::start_on(tcp, Authority::generate("test").unwrap());
    late.change(|answers| answers.discovery.0 = StatusCode::BAD_GATEWAY);
    let authenticator = TokenAuthenticator::with_retry(&late.config(), RETRY);
    assert!(authenticator.attempted(nobody(), SOON).await);
    assert!(!authenticator.ready(Duration::ZERO).await);
    let outcome = authenticator.authenticate(&late.token()).await;
    assert_eq!(
        outcome,
        Outcome::Rejected("oidc: authenticator not initialized".to_owned())
    );
    let health = authenticator.health().unwrap_err();
    assert!(health.contains("502 Bad Gateway"), "{health}");
    assert!(health.starts_with(&format!(
        "oidc: authenticator for issuer \"https://{address}\" is not healthy: "
    )));

    late.change(|answers| answers.discovery.0 = StatusCode::OK);
    assert!(authenticator.ready(SOON).await);
    user(&authenticator.authenticate(&late.token()).await);
}

fn nobody() -> watch::Receiver<usize> {
    watch::channel(0).1
}

#[tokio::test]
async fn an_attempt_that_is_kept_waiting_is_not_waited_for() {
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let (kept, number) = watch::channel(0);
    let url = format!("https://{}", silent.local_addr().unwrap());
    let answers = Provider::start().await;
    let config = answers.config_with(&json!({ "url": url }));
    let authenticator = TokenAuthenticator::with_retry(&config, RETRY);
    assert!(
        !authenticator
            .attempted(number.clone(), Duration::ZERO)
            .await
    );
    kept.send_replace(1);
    assert!(authenticator.attempted(number, SOON).await);
    authenticator.health().unwrap_err();
}

#[tokio::test]
async fn discovery_elsewhere_must_name_the_issuer() {
    let provider = Provider::start().await;
    let elsewhere =
        json!({"discoveryURL": format!("{}/elsewhere", provider.url), "url": "https://named.test"});
    let config = provider.config_with(&elsewhere);
    let authenticator = TokenAuthenticator::with_retry(&config, RETRY);
    assert!(authenticator.attempted(nobody(), SOON).await);
    let health = authenticator.health().unwrap_err();
    let want = format!(
        "oidc: authenticator for issuer \"https://named.test\" is not healthy: oidc: issuer did not match the issuer \
         returned by provider, expected \"https://named.test\" got \"{}\"",
        provider.url
    );
    assert_eq!(health, want);

    let document =
        json!({"issuer": "https://named.test", "jwks_uri": format!("{}/keys", provider.url)});
    provider.change(|answers| answers.discovery.1 = document.to_string());
    assert!(authenticator.ready(SOON).await);
}

/// The message of `health` for an issuer, with its port left out.
async fn unhealthy(config: &AuthenticationConfiguration) -> String {
    let authenticator = TokenAuthenticator::with_retry(config, RETRY);
    assert!(authenticator.attempted(nobody(), SOON).await);
    let port = config.jwt[0]
        .issuer
        .url
        .rsplit_once(':')
        .unwrap()
        .1
        .to_owned();
    authenticator.health().unwrap_err().replace(&port, "PORT")
}

#[tokio::test]
async fn what_keeps_an_issuer_from_being_reached_is_said() {
    let provider = Provider::start().await;
    let mut texts = Vec::new();
    let stranger = Authority::generate("stranger").unwrap();
    let wrong = json!({"certificateAuthority": stranger.certificate_pem()});
    texts.push(unhealthy(&provider.config_with(&wrong)).await);
    texts.push(unhealthy(&provider.config_with(&json!({"certificateAuthority": ""}))).await);
    let name = json!({"url": provider.url.replace("127.0.0.1", "localhost")});
    texts.push(unhealthy(&provider.config_with(&name)).await);
    for discovery in ["", "<html>", "[]", "{\"issuer\": 5}"] {
        provider.change(|answers| answers.discovery.1 = discovery.to_owned());
        texts.push(unhealthy(&provider.config()).await);
    }
    let keyless = json!({"issuer": provider.url}).to_string();
    provider.change(|answers| answers.discovery.1 = keyless);
    texts.push(unhealthy(&provider.config()).await);

    let nobody = TcpListener::bind("127.0.0.1:0")
        .await
        .unwrap()
        .local_addr()
        .unwrap();
    let nobody = json!({"url": format!("https://{nobody}")});
    texts.push(unhealthy(&provider.config_with(&nobody)).await);
    insta::assert_snapshot!(texts.join("\n"));
}
