//! Logins through a browser: redirects, pages, forms, cookies.

use reqwest::Url;
use scraper::{Html, Selector};

use crate::bench::{Bench, LAB, conversation};

conversation!(logins, real_logins, LAB, login);
conversation!(requests, real_requests, LAB, bad_requests);
conversation!(redirects, real_redirects, LAB, redirect_uris);

const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";
const CB: &str = "http://127.0.0.1:8123/cb";

fn auth(bench: &Bench, query: &[(&str, &str)]) -> reqwest::RequestBuilder {
    let url = Url::parse_with_params(&bench.url("auth"), query).unwrap();
    bench.client.get(url)
}

/// The address that the page's form is sent to.
fn action(page: &str) -> String {
    let selector = Selector::parse("#kc-form-login").unwrap();
    let document = Html::parse_document(page);
    let form = document.select(&selector).next().unwrap();
    form.value().attr("action").unwrap().to_owned()
}

fn query(location: Option<&str>, name: &str) -> String {
    let url = Url::parse(location.unwrap()).unwrap();
    let value = url.query_pairs().find(|(key, _)| key == name);
    value.unwrap().1.into_owned()
}

async fn login(bench: &mut Bench) {
    let start = [
        ("client_id", "cli"),
        ("response_type", "code"),
        ("redirect_uri", CB),
        ("scope", "openid groups"),
        ("state", "s t"),
        ("nonce", "n"),
        ("code_challenge", CHALLENGE),
        ("code_challenge_method", "S256"),
    ];
    let request = auth(bench, &start);
    let (_, page) = bench.send("login page", request).await;
    let wrong = [
        ("username", "jane"),
        ("password", "wrong"),
        ("credentialId", ""),
    ];
    let request = bench.client.post(action(&page)).form(&wrong);
    let (_, page) = bench.send("wrong password", request).await;
    let right = [
        ("username", "jane"),
        ("password", "password"),
        ("credentialId", ""),
    ];
    let request = bench.client.post(action(&page)).form(&right);
    let (location, _) = bench.send("logged in", request).await;
    let code = query(location.as_deref(), "code");
    let form = [
        ("grant_type", "authorization_code"),
        ("client_id", "cli"),
        ("code", &code),
        ("redirect_uri", CB),
        ("code_verifier", VERIFIER),
    ];
    bench.post("code", "token", &form).await;
    bench.post("code again", "token", &form).await;

    let request = auth(bench, &start);
    let (location, _) = bench.send("single sign-on", request).await;
    let code = query(location.as_deref(), "code");
    let mut wrong = form;
    wrong[2].1 = &code;
    wrong[4].1 = "wrong-wrong-wrong-wrong-wrong-wrong-wrong-wrong";
    bench.post("wrong verifier", "token", &wrong).await;

    let request = auth(bench, &start);
    let (location, _) = bench.send("once more", request).await;
    let code = query(location.as_deref(), "code");
    let mut wrong = form;
    wrong[2].1 = &code;
    wrong[3].1 = "http://127.0.0.1:8123/other";
    bench.post("wrong redirect", "token", &wrong).await;

    let request = auth(bench, &start);
    let (location, _) = bench.send("and once more", request).await;
    let code = query(location.as_deref(), "code");
    let form = [form[0], form[1], ("code", &code), form[3]];
    bench.post("no verifier", "token", &form).await;

    let silent = [&start[..], &[("prompt", "none")]].concat();
    let request = auth(bench, &silent);
    let (location, _) = bench.send("silent", request).await;
    let code = query(location.as_deref(), "code");
    let form = [
        form[0],
        form[1],
        ("code", &code),
        form[3],
        ("code_verifier", VERIFIER),
    ];
    let tokens = bench.post("silent code", "token", &form).await;

    let again = [&start[..], &[("prompt", "login")]].concat();
    let request = auth(bench, &again);
    bench.send("asked to log in again", request).await;

    let leave =
        |query: &[(&str, &str)]| Url::parse_with_params(&bench.url("logout"), query).unwrap();
    let hint = ("id_token_hint", tokens["id_token"].as_str().unwrap());
    let wrong = leave(&[hint, ("post_logout_redirect_uri", "https://other.example/")]);
    let right = leave(&[
        hint,
        ("post_logout_redirect_uri", "https://app.example/bye"),
        ("state", "x"),
    ]);
    let request = bench.client.get(wrong);
    bench.send("leave to a wrong place", request).await;
    let request = bench.client.get(right);
    bench.send("leave", request).await;
    let request = auth(bench, &silent);
    bench.send("silent without a session", request).await;
}

async fn bad_requests(bench: &mut Bench) {
    let code = ("response_type", "code");
    let cli = ("client_id", "cli");
    let back = ("redirect_uri", CB);
    let scope = ("scope", "openid");
    for (title, query) in [
        ("no client", vec![code, back, scope]),
        (
            "unknown client",
            vec![("client_id", "x"), code, back, scope],
        ),
        (
            "disabled client",
            vec![("client_id", "off"), code, back, scope],
        ),
        (
            "bearer-only client",
            vec![("client_id", "api"), code, back, scope],
        ),
        ("no redirect", vec![cli, code, scope]),
        (
            "wrong redirect",
            vec![cli, code, scope, ("redirect_uri", "https://other.example/")],
        ),
        ("no response type", vec![cli, back, scope]),
        (
            "wrong response type",
            vec![cli, back, scope, ("response_type", "x"), ("state", "s")],
        ),
        (
            "implicit",
            vec![cli, back, scope, ("response_type", "token")],
        ),
        (
            "wrong scope",
            vec![cli, code, back, ("scope", "openid nothing")],
        ),
        (
            "wrong method",
            vec![
                cli,
                code,
                back,
                scope,
                ("code_challenge", CHALLENGE),
                ("code_challenge_method", "x"),
            ],
        ),
        (
            "short challenge",
            vec![cli, code, back, scope, ("code_challenge", "x")],
        ),
        (
            "pkce missing",
            vec![
                ("client_id", "strict"),
                code,
                ("redirect_uri", "https://strict.example/cb"),
                scope,
            ],
        ),
        (
            "standard flow off",
            vec![("client_id", "robot"), code, back, scope],
        ),
        ("silent", vec![cli, code, back, scope, ("prompt", "none")]),
    ] {
        let request = auth(bench, &query);
        bench.send(title, request).await;
    }
    let request = bench
        .client
        .get(format!("{}/login-actions/authenticate", bench.issuer));
    bench.send("form without a login", request).await;
}

async fn redirect_uris(bench: &mut Bench) {
    for (client, address) in [
        ("cli", "http://localhost/callback"),
        ("cli", "http://localhost:8123/callback"),
        ("cli", "http://localhost:8123/callback?a=b"),
        ("cli", "http://localhost:8123/callback/"),
        ("cli", "http://127.0.0.1:8123/callback"),
        ("cli", "http://[::1]:8123/callback"),
        ("cli", "https://localhost:8123/callback"),
        ("cli", "http://127.0.0.1:8123"),
        ("cli", "http://127.0.0.1/x/y?z#f"),
        ("cli", "https://app.example"),
        ("cli", "https://app.example/"),
        ("cli", "https://app.example/a/b"),
        ("cli", "https://app.example:8443/a"),
        ("cli", "https://APP.example/a"),
        ("cli", "https://app.example/a/../b"),
        ("cli", "https://app.example/a/%2e%2e/b"),
        ("cli", "https://user@app.example/a"),
        ("cli", "com.example.app:/cb"),
        ("cli", "com.example.app:/cb/x"),
        ("web", "https://web.example/cb"),
        ("web", "https://web.example/exact?x=1"),
        ("web", "https://web.example/exact"),
        ("web", "/cb"),
        ("kube", "http://localhost/"),
        ("cli", "not a uri"),
    ] {
        let query = [
            ("client_id", client),
            ("response_type", "code"),
            ("redirect_uri", address),
            ("prompt", "none"),
        ];
        let request = auth(bench, &query);
        bench.send(&format!("{client} {address}"), request).await;
    }
}
