//! What expires, and what can be used once.

use serde_json::Value;

use crate::{
    bench::{Bench, CONFIG, code_form},
    browser::{JANE, log_in, open, query},
};

/// Where a login for the client `cli` begins.
const START: &str =
    "/auth?response_type=code&client_id=cli&redirect_uri=http://localhost:1&scope=openid";

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
        let status = bench.userinfo(&tokens["access_token"]).await;
        assert_eq!(status == 200, lifetime > 0, "{expiry}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_login_that_took_too_long_is_refused() {
    let bench = Bench::embedded_with(&with_expiry("  authRequests: 1ns\n")).await;
    let login = open(&bench, &bench.url(START)).await.page();
    let expired = log_in(&bench, &login, &JANE).await.page();
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
    let login = open(&bench, &bench.url(START)).await.page();
    let back = log_in(&bench, &login, &JANE).await.away();
    let code = query(&back, "code").unwrap();
    let form = code_form(&code);
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
