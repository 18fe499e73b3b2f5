//! Whole logins, as an application and a browser go through them.

use authlab_pki::jws;
use serde_json::Value;

use crate::{
    bench::{Bench, CONFIG},
    browser::{JANE, approve, log_in, open, query, submit},
};

const REDIRECT: &str = "http://127.0.0.1:8000/cb";

fn start(bench: &Bench, parameters: &str) -> String {
    bench.url(&format!("/auth?response_type=code&state=s&{parameters}"))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_user_logs_in_by_the_forms_on_the_pages() {
    let bench = Bench::embedded().await;
    let parameters =
        format!("client_id=app&redirect_uri={REDIRECT}&scope=openid+email+groups&nonce=n");
    let login = open(&bench, &start(&bench, &parameters)).await.page();
    let again = submit(
        &bench,
        &login,
        &[("login", "jane@example.com"), ("password", "wrong")],
    )
    .await
    .page();
    assert_eq!(again.status, 401);
    assert!(
        again.body.contains("Invalid Email Address and password."),
        "{}",
        again.body
    );
    let approval = submit(&bench, &again, &JANE).await.page();
    assert!(
        approval.body.contains("The App asks for"),
        "{}",
        approval.body
    );
    let back = approve(&bench, &approval).await.away();
    assert!(back.as_str().starts_with(REDIRECT), "{back}");
    assert_eq!(query(&back, "state").as_deref(), Some("s"));

    let code = query(&back, "code").unwrap();
    let form = [
        ("grant_type", "authorization_code"),
        ("code", code.as_str()),
        ("redirect_uri", REDIRECT),
        ("client_id", "app"),
        ("client_secret", "app-secret"),
    ];
    let (status, tokens) = bench.token(&form).await;
    assert_eq!(status, 200, "{tokens}");
    let claims = verified(&bench, &tokens["id_token"]).await;
    assert_eq!(claims["email"], "Jane@example.com");
    assert_eq!(claims["groups"], serde_json::json!(["dev", "a<b>&c"]));
    assert_eq!(claims["nonce"], "n");
    assert_eq!(claims["sub"], "CgQxMjM0EgVsb2NhbA");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_user_who_says_no_gives_nothing_away() {
    let bench = Bench::embedded().await;
    let parameters = format!("client_id=app&redirect_uri={REDIRECT}&scope=openid");
    let login = open(&bench, &start(&bench, &parameters)).await.page();
    let approval = submit(&bench, &login, &JANE).await.page();
    let refused = submit(&bench, &approval, &[("approval", "rejected")])
        .await
        .page();
    assert_eq!(refused.status, 500);
    assert!(
        refused.body.contains("Approval rejected."),
        "{}",
        refused.body
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn consent_is_not_asked_for_where_the_file_says_so() {
    let config = CONFIG.replace("oauth2:\n", "oauth2:\n  skipApprovalScreen: true\n");
    let bench = Bench::embedded_with(&config).await;
    let parameters = format!("client_id=app&redirect_uri={REDIRECT}&scope=openid");
    let login = open(&bench, &start(&bench, &parameters)).await.page();
    submit(&bench, &login, &JANE).await.away();
    // Unless the client insists.
    let login = open(
        &bench,
        &start(&bench, &format!("{parameters}&approval_prompt=force")),
    )
    .await
    .page();
    log_in(&bench, &login, &JANE).await.away();
}

#[tokio::test(flavor = "multi_thread")]
async fn the_choice_of_connectors_is_shown_where_the_file_says_so() {
    let config = CONFIG.replace("oauth2:\n", "oauth2:\n  alwaysShowLoginScreen: true\n");
    let bench = Bench::embedded_with(&config).await;
    let parameters = format!("client_id=app&redirect_uri={REDIRECT}&scope=openid");
    let choice = open(&bench, &start(&bench, &parameters)).await.page();
    assert!(choice.body.contains("Log in with Email"), "{}", choice.body);
    assert!(
        choice.body.contains("/dex/auth/local?client_id=app&amp;"),
        "{}",
        choice.body
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn tokens_outlive_a_rotation_of_the_keys() {
    let bench = Bench::embedded().await;
    let before = bench.password("openid").await;
    bench.dex.as_ref().unwrap().rotate_keys().await.unwrap();
    let after = bench.password("openid").await;
    for tokens in [before, after] {
        verified(&bench, &tokens["id_token"]).await;
        assert_eq!(bench.userinfo(&tokens["access_token"]).await, 200);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn tokens_are_signed_by_the_algorithm_the_file_names() {
    let config = CONFIG.replace(
        "oauth2:\n",
        "signer: {type: local, config: {keysRotationPeriod: 1h, algorithm: ES256}}\noauth2:\n",
    );
    let bench = Bench::embedded_with(&config).await;
    let tokens = bench.password("openid").await;
    verified(&bench, &tokens["id_token"]).await;
    // As the real one, which checks bearers for RS256 only.
    assert_eq!(bench.userinfo(&tokens["access_token"]).await, 403);
}

#[tokio::test(flavor = "multi_thread")]
async fn after_shutdown_nobody_answers() {
    let mut bench = Bench::embedded().await;
    bench.password("openid").await;
    bench.dex.take().unwrap().shutdown().await;
    let error = bench
        .client
        .get(bench.url("/healthz"))
        .send()
        .await
        .unwrap_err();
    assert!(error.is_connect(), "{error}");
}

/// The claims of a token, its signature checked with the published keys.
async fn verified(bench: &Bench, token: &Value) -> Value {
    let keys = bench.get("/keys").await;
    let token = jws::Compact::parse(token.as_str().unwrap()).unwrap();
    let key = keys["keys"]
        .as_array()
        .unwrap()
        .iter()
        .find(|key| key["kid"].as_str() == token.kid());
    token.verify(key.expect("the key is published")).unwrap();
    serde_json::from_slice(&token.payload).unwrap()
}
