//! What expires, and what can be used once.

use serde_json::Value;

use crate::{
    bench::{Bench, CONFIG},
    browser::{open, query, submit},
};

/// [`CONFIG`] with another `expiry`.
fn with_expiry(expiry: &str) -> String {
    CONFIG.replace("  idTokens: 1h\n", expiry)
}

fn claims(token: &Value) -> Value {
    let token = authlab_pki::jws::Compact::parse(token.as_str().unwrap()).unwrap();
    serde_json::from_slice(&token.payload).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn tokens_live_as_long_as_the_file_says() {
    for (expiry, lifetime) in [
        ("  idTokens: 90s\n", 90),
        ("  idToken: 90s\n", 86400),
        ("  idTokens: -1h\n", -3600),
    ] {
        let bench = Bench::embedded_with(&with_expiry(expiry)).await;
        let tokens = bench.password("openid").await;
        let claims = claims(&tokens["id_token"]);
        let (issued, expires) = (
            claims["iat"].as_i64().unwrap(),
            claims["exp"].as_i64().unwrap(),
        );
        assert_eq!(expires - issued, lifetime, "{expiry}");
        let warnings = bench.dex.as_ref().unwrap().warnings();
        assert_eq!(
            warnings.len(),
            usize::from(expiry.contains("idToken:")),
            "{warnings:?}"
        );
        let token = tokens["access_token"].as_str().unwrap();
        let response = bench
            .client
            .get(bench.url("/userinfo"))
            .bearer_auth(token)
            .send()
            .await
            .unwrap();
        assert_eq!(response.status() == 200, lifetime > 0, "{expiry}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_login_that_took_too_long_is_refused() {
    let bench = Bench::embedded_with(&with_expiry("  authRequests: 1ns\n")).await;
    let start =
        "/auth?response_type=code&client_id=cli&redirect_uri=http://localhost:1&scope=openid";
    let login = open(&bench, &bench.url(start)).await.page();
    let right = [("login", "jane@example.com"), ("password", "password")];
    let approval = submit(&bench, &login, &right).await.page();
    let expired = submit(&bench, &approval, &[("approval", "approve")])
        .await
        .page();
    assert_eq!(expired.status, 400);
    assert!(
        expired.body.contains("User session has expired."),
        "{}",
        expired.body
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn of_many_who_redeem_a_code_one_succeeds() {
    let bench = Bench::embedded().await;
    let start =
        "/auth?response_type=code&client_id=cli&redirect_uri=http://localhost:1&scope=openid";
    let login = open(&bench, &bench.url(start)).await.page();
    let right = [("login", "jane@example.com"), ("password", "password")];
    let approval = submit(&bench, &login, &right).await.page();
    let back = submit(&bench, &approval, &[("approval", "approve")])
        .await
        .away();
    let code = query(&back, "code").unwrap();
    let form = [
        ("grant_type", "authorization_code"),
        ("client_id", "cli"),
        ("code", code.as_str()),
        ("redirect_uri", "http://localhost:1"),
    ];
    let attempts = (0..8).map(|_| bench.token(&form));
    let statuses: Vec<u16> = futures_util::future::join_all(attempts)
        .await
        .iter()
        .map(|(status, _)| *status)
        .collect();
    assert_eq!(
        statuses.iter().filter(|status| **status == 200).count(),
        1,
        "{statuses:?}"
    );
}
