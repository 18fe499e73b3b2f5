//! The grants without a browser, and the endpoints that take what they gave.

use base64::{Engine as _, engine::general_purpose::STANDARD};

use crate::bench::{Bench, LAB, PLAIN, conversation};

conversation!(passwords, real_passwords, LAB, passwords_and_claims);
conversation!(clients, real_clients, LAB, clients_and_refusals);
conversation!(refreshing, real_refreshing, LAB, refresh);
conversation!(rotation, real_rotation, PLAIN, rotate);
conversation!(asking, real_asking, LAB, ask);

fn text<'a>(tokens: &'a serde_json::Value, name: &str) -> &'a str {
    tokens[name].as_str().unwrap_or_default()
}

async fn passwords_and_claims(bench: &mut Bench) {
    bench
        .password("everything", "cli", "jane", "openid groups kube")
        .await;
    bench.password("empty scope", "cli", "jane", "").await;
    bench.password("no openid", "cli", "jane", "profile").await;
    bench
        .password(
            "offline with the role",
            "cli",
            "bob",
            "openid offline_access",
        )
        .await;
    bench
        .password(
            "a client with narrow scope",
            "strict",
            "jane",
            "openid profile",
        )
        .await;
    bench
        .password("default roles", "cli", "bob", "openid")
        .await;
    bench
        .password("by email", "cli", "Jane@Example.com", "openid")
        .await;
    bench
        .password("offline", "cli", "jane", "openid offline_access")
        .await;
    bench
        .password("wrong scope", "cli", "jane", "openid nothing")
        .await;
    bench.password("not set up", "cli", "bare", "openid").await;
    bench
        .password("temporary password", "cli", "fresh", "openid")
        .await;
    bench
        .password("disabled user", "cli", "gone", "openid")
        .await;
    bench
        .password("unknown user", "cli", "nobody", "openid")
        .await;
    let grant = ("grant_type", "password");
    let cli = ("client_id", "cli");
    for (title, form) in [
        (
            "wrong password",
            vec![grant, cli, ("username", "jane"), ("password", "x")],
        ),
        ("no password", vec![grant, cli, ("username", "jane")]),
        ("no user", vec![grant, cli, ("password", "x")]),
        (
            "wrong password of a disabled user",
            vec![grant, cli, ("username", "gone"), ("password", "x")],
        ),
        (
            "twice",
            vec![
                grant,
                cli,
                ("username", "jane"),
                ("username", "jane"),
                ("password", "password"),
            ],
        ),
    ] {
        bench.post(title, "token", &form).await;
    }
}

async fn clients_and_refusals(bench: &mut Bench) {
    let credentials = ("grant_type", "client_credentials");
    let password = ("grant_type", "password");
    for (title, form) in [
        (
            "robot",
            vec![
                credentials,
                ("client_id", "robot"),
                ("client_secret", "robot-secret"),
            ],
        ),
        (
            "robot with openid",
            vec![
                credentials,
                ("client_id", "robot"),
                ("client_secret", "robot-secret"),
                ("scope", "openid kube groups"),
            ],
        ),
        (
            "web",
            vec![
                credentials,
                ("client_id", "web"),
                ("client_secret", "web-secret"),
            ],
        ),
        (
            "wrong secret",
            vec![credentials, ("client_id", "robot"), ("client_secret", "x")],
        ),
        ("no secret", vec![credentials, ("client_id", "robot")]),
        (
            "no such client",
            vec![credentials, ("client_id", "x"), ("client_secret", "x")],
        ),
        ("no client", vec![credentials]),
        (
            "no grant",
            vec![("client_id", "robot"), ("client_secret", "robot-secret")],
        ),
        (
            "unknown grant",
            vec![
                ("grant_type", "x"),
                ("client_id", "robot"),
                ("client_secret", "robot-secret"),
            ],
        ),
        ("public", vec![credentials, ("client_id", "cli")]),
        (
            "no service account",
            vec![credentials, ("client_id", "kube"), ("client_secret", "x")],
        ),
        (
            "bearer only",
            vec![
                credentials,
                ("client_id", "api"),
                ("client_secret", "api-secret"),
            ],
        ),
        (
            "disabled",
            vec![
                credentials,
                ("client_id", "off"),
                ("client_secret", "off-secret"),
            ],
        ),
        (
            "direct grants off",
            vec![
                password,
                ("client_id", "web"),
                ("client_secret", "web-secret"),
                ("username", "jane"),
                ("password", "password"),
            ],
        ),
        (
            "direct grants not said",
            vec![
                password,
                ("client_id", "kube"),
                ("username", "jane"),
                ("password", "password"),
            ],
        ),
        (
            "public with a secret",
            vec![
                password,
                ("client_id", "cli"),
                ("client_secret", "x"),
                ("username", "jane"),
                ("password", "password"),
            ],
        ),
        (
            "no code",
            vec![("grant_type", "authorization_code"), ("client_id", "cli")],
        ),
        (
            "wrong code",
            vec![
                ("grant_type", "authorization_code"),
                ("client_id", "cli"),
                ("code", "x"),
            ],
        ),
        (
            "no refresh token",
            vec![("grant_type", "refresh_token"), ("client_id", "cli")],
        ),
        (
            "wrong refresh token",
            vec![
                ("grant_type", "refresh_token"),
                ("client_id", "cli"),
                ("refresh_token", "x"),
            ],
        ),
    ] {
        bench.post(title, "token", &form).await;
    }
    for (title, header) in [
        (
            "basic",
            format!("Basic {}", STANDARD.encode("robot:robot-secret")),
        ),
        (
            "basic, wrong secret",
            format!("Basic {}", STANDARD.encode("robot:x")),
        ),
        (
            "basic, no such client",
            format!("Basic {}", STANDARD.encode("x:x")),
        ),
        ("not basic", "Bearer x".to_owned()),
    ] {
        let request = bench
            .client
            .post(bench.url("token"))
            .header("authorization", header)
            .form(&[credentials]);
        bench.send(title, request).await;
    }
    let request = bench.client.get(bench.url("token"));
    bench.send("get", request).await;
    let request = bench
        .client
        .post(bench.url("token"))
        .json(&serde_json::json!({}));
    bench.send("no form", request).await;
}

async fn refresh(bench: &mut Bench) {
    let refresh = ("grant_type", "refresh_token");
    let cli = ("client_id", "cli");
    let tokens = bench
        .password("login", "cli", "jane", "openid groups kube")
        .await;
    let token = ("refresh_token", text(&tokens, "refresh_token"));
    bench
        .post("refreshed", "token", &[refresh, cli, token])
        .await;
    bench.post("again", "token", &[refresh, cli, token]).await;
    bench
        .post(
            "fewer scopes",
            "token",
            &[refresh, cli, token, ("scope", "openid groups")],
        )
        .await;
    bench
        .post(
            "other scopes",
            "token",
            &[refresh, cli, token, ("scope", "openid offline_access")],
        )
        .await;
    bench
        .post(
            "of another client",
            "token",
            &[refresh, ("client_id", "strict"), token],
        )
        .await;
    let access = ("refresh_token", text(&tokens, "access_token"));
    bench
        .post("an access token", "token", &[refresh, cli, access])
        .await;
    bench
        .post(
            "revoke",
            "revoke",
            &[cli, ("token", text(&tokens, "refresh_token"))],
        )
        .await;
    bench
        .post("after revocation", "token", &[refresh, cli, token])
        .await;
    let tokens = bench
        .password("login for offline", "cli", "bob", "openid offline_access")
        .await;
    let token = ("refresh_token", text(&tokens, "refresh_token"));
    bench
        .post("offline refreshed", "token", &[refresh, cli, token])
        .await;
    let tokens = bench
        .password("login to leave", "cli", "jane", "openid")
        .await;
    let token = ("refresh_token", text(&tokens, "refresh_token"));
    bench.post("leave", "logout", &[cli, token]).await;
    bench
        .post("after leaving", "token", &[refresh, cli, token])
        .await;
    bench.post("leave with nothing", "logout", &[cli]).await;
}

async fn rotate(bench: &mut Bench) {
    let refresh = ("grant_type", "refresh_token");
    let cli = ("client_id", "cli");
    let first = bench.password("login", "cli", "jane", "openid").await;
    let token = ("refresh_token", text(&first, "refresh_token"));
    let second = bench.post("once", "token", &[refresh, cli, token]).await;
    bench.post("twice", "token", &[refresh, cli, token]).await;
    bench
        .post("three times", "token", &[refresh, cli, token])
        .await;
    let token = ("refresh_token", text(&second, "refresh_token"));
    bench
        .post("the new one", "token", &[refresh, cli, token])
        .await;
    let credentials = ("grant_type", "client_credentials");
    let form = [
        credentials,
        ("client_id", "robot"),
        ("client_secret", "robot-secret"),
    ];
    bench.post("service account", "token", &form).await;
}

async fn ask(bench: &mut Bench) {
    let tokens = bench
        .password("login", "cli", "jane", "openid groups kube")
        .await;
    let access = text(&tokens, "access_token");
    let with =
        |bench: &Bench, token: &str| bench.client.get(bench.url("userinfo")).bearer_auth(token);
    let request = with(bench, access);
    bench.send("userinfo", request).await;
    let request = with(bench, "x");
    bench.send("userinfo, wrong token", request).await;
    let request = with(bench, text(&tokens, "refresh_token"));
    bench.send("userinfo, refresh token", request).await;
    let request = bench.client.get(bench.url("userinfo"));
    bench.send("userinfo, no token", request).await;
    let other = bench
        .password("login without openid", "cli", "jane", "")
        .await;
    let request = with(bench, text(&other, "access_token"));
    bench.send("userinfo without openid", request).await;

    let (web, secret) = (("client_id", "web"), ("client_secret", "web-secret"));
    bench
        .post(
            "introspect",
            "token/introspect",
            &[web, secret, ("token", access)],
        )
        .await;
    bench
        .post(
            "introspect a refresh token",
            "token/introspect",
            &[web, secret, ("token", text(&tokens, "refresh_token"))],
        )
        .await;
    bench
        .post(
            "introspect nonsense",
            "token/introspect",
            &[web, secret, ("token", "x")],
        )
        .await;
    bench
        .post("introspect nothing", "token/introspect", &[web, secret])
        .await;
    bench
        .post(
            "introspect as nobody",
            "token/introspect",
            &[("token", access)],
        )
        .await;
    bench
        .post(
            "introspect as public",
            "token/introspect",
            &[("client_id", "cli"), ("token", access)],
        )
        .await;
    bench
        .post(
            "introspect with wrong secret",
            "token/introspect",
            &[web, ("client_secret", "x"), ("token", access)],
        )
        .await;

    bench
        .post(
            "revoke of another",
            "revoke",
            &[web, secret, ("token", access)],
        )
        .await;
    bench
        .post("revoke nothing", "revoke", &[("client_id", "cli")])
        .await;
    bench
        .post(
            "revoke nonsense",
            "revoke",
            &[("client_id", "cli"), ("token", "x")],
        )
        .await;
    bench
        .post(
            "revoke",
            "revoke",
            &[("client_id", "cli"), ("token", access)],
        )
        .await;
    let request = with(bench, access);
    bench.send("userinfo after revocation", request).await;
    bench
        .post(
            "introspect after revocation",
            "token/introspect",
            &[web, secret, ("token", access)],
        )
        .await;
    let leave = bench.url("logout");
    let form = [
        ("client_id", "cli"),
        ("refresh_token", text(&tokens, "refresh_token")),
    ];
    let request = bench.client.post(leave).form(&form);
    bench.send("leave", request).await;
    let request = with(bench, text(&other, "access_token"));
    bench.send("userinfo of the other session", request).await;
}
