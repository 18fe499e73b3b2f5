//! Token exchange (RFC 8693): a gateway turns a person's token into one for somebody else.

use crate::bench::{Bench, conversation};

const REALM: &str = include_str!("exchange.json");
const GRANT: &str = "urn:ietf:params:oauth:grant-type:token-exchange";
const ACCESS: &str = "urn:ietf:params:oauth:token-type:access_token";
const REFRESH: &str = "urn:ietf:params:oauth:token-type:refresh_token";
const ID: &str = "urn:ietf:params:oauth:token-type:id_token";

conversation!(exchanges, real_exchanges, REALM, exchange);
conversation!(
    refused_exchanges,
    real_refused_exchanges,
    REALM,
    refused_exchange
);

fn text<'a>(tokens: &'a serde_json::Value, name: &str) -> &'a str {
    tokens[name].as_str().unwrap_or_default()
}

/// Exchanges an access token as a confidential client whose secret is `CLIENT-secret`.
async fn ask(
    bench: &mut Bench,
    title: &str,
    client: &str,
    subject: &str,
    more: &[(&str, &str)],
) -> serde_json::Value {
    let secret = format!("{client}-secret");
    let mut form = vec![
        ("grant_type", GRANT),
        ("client_id", client),
        ("client_secret", &secret),
        ("subject_token", subject),
        ("subject_token_type", ACCESS),
    ];
    form.extend(more);
    bench.post(title, "token", &form).await
}

async fn exchange(bench: &mut Bench) {
    let login = bench.password("login", "web", "jane", "openid").await;
    let jane = text(&login, "access_token");
    ask(bench, "nothing asked for", "gateway", jane, &[]).await;
    let kubernetes = ("audience", "kubernetes");
    let narrow = ask(bench, "one audience", "gateway", jane, &[kubernetes]).await;
    let reports = ("audience", "reports");
    ask(
        bench,
        "two audiences",
        "gateway",
        jane,
        &[kubernetes, reports],
    )
    .await;
    let openid = ("scope", "openid");
    ask(bench, "openid", "gateway", jane, &[openid]).await;
    ask(bench, "scope email", "gateway", jane, &[("scope", "email")]).await;
    let id = ("requested_token_type", ID);
    ask(bench, "an ID token", "gateway", jane, &[id, openid]).await;
    let access = ("requested_token_type", ACCESS);
    ask(bench, "an access token", "gateway", jane, &[access]).await;
    let refresh = ("requested_token_type", REFRESH);
    let kept = ask(bench, "a refresh token", "keeper", jane, &[refresh]).await;
    let form = [
        ("grant_type", "refresh_token"),
        ("client_id", "keeper"),
        ("client_secret", "keeper-secret"),
        ("refresh_token", text(&kept, "refresh_token")),
    ];
    bench.post("refreshed", "token", &form).await;
    let twice = text(&narrow, "access_token");
    ask(bench, "an exchanged one again", "gateway", twice, &[]).await;
    let form = [
        ("client_id", "gateway"),
        ("client_secret", "gateway-secret"),
        ("token", twice),
    ];
    bench.post("introspected", "token/introspect", &form).await;
    let robot = [
        ("grant_type", "client_credentials"),
        ("client_id", "robot"),
        ("client_secret", "robot-secret"),
    ];
    let robot = bench.post("a service account", "token", &robot).await;
    let robot = text(&robot, "access_token");
    ask(bench, "its own token", "robot", robot, &[]).await;
    let offline = "openid offline_access";
    let offline = bench.password("offline", "web", "jane", offline).await;
    let offline = text(&offline, "access_token");
    ask(bench, "of an offline session", "gateway", offline, &[]).await;
    ask(
        bench,
        "offline, refresh token",
        "keeper",
        offline,
        &[refresh],
    )
    .await;
}

async fn refused_exchange(bench: &mut Bench) {
    let login = bench.password("login", "web", "jane", "openid").await;
    let jane = text(&login, "access_token");
    ask(bench, "not enabled", "plain", jane, &[]).await;
    ask(bench, "not in the audience", "stranger", jane, &[]).await;
    for audience in ["nobody", "elsewhere", "closed"] {
        let asked = [("audience", audience)];
        ask(bench, audience, "gateway", jane, &asked).await;
    }
    for kind in [
        REFRESH,
        "urn:ietf:params:oauth:token-type:saml2",
        "urn:ietf:params:oauth:token-type:jwt",
        "nothing",
    ] {
        let asked = [("requested_token_type", kind)];
        ask(bench, kind, "gateway", jane, &asked).await;
    }
    ask(bench, "scope", "gateway", jane, &[("scope", "nothing")]).await;
    let offline = [
        ("requested_token_type", REFRESH),
        ("scope", "openid offline_access"),
    ];
    ask(bench, "scope offline_access", "keeper", jane, &offline).await;
    for name in ["requested_subject", "requested_issuer", "subject_issuer"] {
        ask(bench, name, "gateway", jane, &[(name, "x")]).await;
    }
    ask(bench, "no token at all", "gateway", "x", &[]).await;
    let id = text(&login, "id_token");
    ask(bench, "an ID token as access token", "gateway", id, &[]).await;
    let refresh = text(&login, "refresh_token");
    ask(
        bench,
        "a refresh token as access token",
        "gateway",
        refresh,
        &[],
    )
    .await;
    ask(bench, "resource", "gateway", jane, &[("resource", "x")]).await;
    ask(
        bench,
        "twice",
        "gateway",
        jane,
        &[("scope", "a"), ("scope", "b")],
    )
    .await;
    let public = [
        ("grant_type", GRANT),
        ("client_id", "web"),
        ("subject_token", jane),
        ("subject_token_type", ACCESS),
    ];
    bench.post("a public client", "token", &public).await;
    let gateway = [
        ("grant_type", GRANT),
        ("client_id", "gateway"),
        ("client_secret", "gateway-secret"),
    ];
    bench.post("no subject token", "token", &gateway).await;
    let mut form = gateway.to_vec();
    form.push(("subject_token", jane));
    bench.post("no type", "token", &form).await;
    form.push(("subject_token_type", ID));
    bench.post("the type of ID tokens", "token", &form).await;
    let logout = [("client_id", "web"), ("refresh_token", refresh)];
    bench.post("logout", "logout", &logout).await;
    ask(bench, "logged out", "gateway", jane, &[]).await;
}
