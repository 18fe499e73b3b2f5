//! Devices without a browser (RFC 8628), and what a token is worth (RFC 7662).

use std::path::Path;

use serde_json::Value;

use super::{Talk, bench};
use crate::bench::{Bench, CONFIG, real_dex};

const DEVICE: &str = "urn:ietf:params:oauth:grant-type:device_code";

/// [`CONFIG`] with clients for devices.
fn config() -> String {
    CONFIG.replace(
        "staticClients:\n",
        "staticClients:\n\
         \x20 - {id: tv, name: A <b>TV, public: true, redirectURIs: [\"/dex/device/callback\", \"/device/callback\"]}\n\
         \x20 - {id: radio, name: Radio, secret: radio-secret, redirectURIs: [\"/dex/device/callback\"]}\n\
         \x20 - {id: bare, name: Bare, public: true}\n",
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn devices_log_in_as_with_dex() {
    insta::assert_snapshot!("devices", converse(None).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn real_devices_are_those_recorded() {
    let Some(binary) = real_dex("real_devices_are_those_recorded") else {
        return;
    };
    insta::assert_snapshot!("devices", converse(Some(&binary)).await);
}

async fn converse(real: Option<&Path>) -> String {
    let mut talk = Talk::new(bench(real, &config()).await);
    talk.device_refused().await;
    let complete = talk
        .device("tv", &[], "openid email groups profile offline_access")
        .await;
    talk.device("bare", &[], "").await;
    talk.device("radio", &[("client_secret", "wrong")], "openid")
        .await;
    talk.device("radio", &[("client_secret", "radio-secret")], "openid")
        .await;
    talk.device("nope", &[], "openid").await;
    let plain = [("code_challenge", "verifier")];
    talk.device("tv", &plain, "openid email").await;
    talk.introspect(&complete.unwrap()).await;
    // The log of this conversation has the same lines in other words.
    talk.transcript.finish()
}

impl Talk {
    async fn device_refused(&mut self) {
        for endpoint in [
            "/device",
            "/device?user_code=ABCD-EFGH",
            "/device?user_code=%3Cb%3E&invalid=true",
        ] {
            self.get(&format!("GET {endpoint}"), self.bench.url(endpoint))
                .await;
        }
        self.post("POST /device", "/device", &[]).await;
        self.get(
            "GET of the code page",
            self.bench.url("/device/auth/verify_code"),
        )
        .await;
        self.post("no user code", "/device/auth/verify_code", &[])
            .await;
        self.post(
            "unknown user code",
            "/device/auth/verify_code",
            &[("user_code", "bcdf-ghjk")],
        )
        .await;
        self.post(
            "a broken challenge",
            "/device/code",
            &[("code_challenge_method", "S512")],
        )
        .await;
        for query in [
            "",
            "?state=BCDF-GHJK",
            "?state=BCDF-GHJK&code=x",
            "?state=x&code=x&error=access_denied",
        ] {
            let url = self.bench.url(&format!("/device/callback{query}"));
            self.get(&format!("back with {query}"), url).await;
        }
        self.post("POST to the way back", "/device/callback", &[])
            .await;
        for (title, code) in [("no device code", ""), ("an unknown device code", "x")] {
            let form = [("grant_type", DEVICE), ("device_code", code)];
            self.post(title, "/token", &form).await;
        }
    }

    /// A login from the device's first question to its tokens.
    async fn device(&mut self, client: &str, more: &[(&str, &str)], scope: &str) -> Option<Value> {
        let form = [&[("client_id", client), ("scope", scope)], more].concat();
        let body = self
            .post(&format!("{client} {more:?} begins"), "/device/code", &form)
            .await;
        let begun: Value = serde_json::from_str(&body).unwrap();
        let code = begun["device_code"].as_str().unwrap();
        let ask = [("grant_type", DEVICE), ("device_code", code)];
        self.post("the device asks", "/token", &ask).await;
        self.post("the device asks at once again", "/token", &ask)
            .await;
        let complete = begun["verification_uri_complete"].as_str().unwrap();
        self.get("the user opens the page", complete).await;
        let user_code = begun["user_code"].as_str().unwrap().to_lowercase();
        let request = self
            .bench
            .client
            .post(self.bench.url("/device/auth/verify_code"));
        let request = request.form(&[("user_code", &user_code)]);
        let (headers, _) = self.send("the user enters the code", request).await;
        let (mut headers, _) = self.get("the login begins", self.next(&headers)).await;
        let mut login = None;
        // Through the choice and the connector to the form.
        while headers.get("location").is_some() {
            let url = self.next(&headers);
            login = Some(url.clone());
            headers = self.get("on the way", url).await.0;
        }
        let login = login.filter(|url| url.path().ends_with("/login"))?;
        let form = [("login", "jane@example.com"), ("password", "password")];
        let request = self.bench.client.post(login).form(&form);
        let (headers, _) = self.send("the user logs in", request).await;
        let (headers, _) = self.get("next", self.next(&headers)).await;
        let approval = self.next(&headers);
        let id = crate::browser::query(&approval, "req").unwrap();
        let form = [("req", id.as_str()), ("approval", "approve")];
        let request = self.bench.client.post(approval).form(&form);
        let (headers, _) = self.send("the user agrees", request).await;
        let (headers, _) = self.get("the answer", self.next(&headers)).await;
        let back = self.next(&headers);
        self.get("the user is back", back.clone()).await;
        self.get("the user is back again", back).await;
        if let Some((_, verifier)) = more.iter().find(|(name, _)| *name == "code_challenge") {
            self.post("the device has no verifier", "/token", &ask)
                .await;
            let form = [ask.as_slice(), &[("code_verifier", "x")]].concat();
            self.post("the device has another verifier", "/token", &form)
                .await;
            let form = [ask.as_slice(), &[("code_verifier", verifier)]].concat();
            self.post("the device has the verifier", "/token", &form)
                .await;
        }
        let body = self.post("the device asks again", "/token", &ask).await;
        self.post("and once more", "/token", &ask).await;
        serde_json::from_str(&body).ok()
    }

    async fn introspect(&mut self, tokens: &Value) {
        let text = |name: &str| tokens[name].as_str().unwrap().to_owned();
        let peer = self.bench.client.post(self.bench.url("/token")).form(&[
            ("grant_type", "password"),
            ("client_id", "peer"),
            ("client_secret", "pe:er se+cret%"),
            ("username", "plain@example.com"),
            ("password", "password"),
            (
                "scope",
                "openid email federated:id audience:server:client_id:app",
            ),
        ]);
        let peer: Value = peer.send().await.unwrap().json().await.unwrap();
        let mut other = text("access_token");
        other.truncate(other.len() - 8);
        for (title, token) in [
            ("an access token", text("access_token")),
            ("an ID token", text("id_token")),
            ("a refresh token", text("refresh_token")),
            (
                "a token for two",
                peer["access_token"].as_str().unwrap().to_owned(),
            ),
            ("a broken token", other),
            ("nonsense", "x".to_owned()),
            ("nothing", String::new()),
        ] {
            self.introspected(title, &[("token", &token)]).await;
        }
        let refresh = text("refresh_token");
        let hinted = [
            ("token", refresh.as_str()),
            ("token_type_hint", "access_token"),
        ];
        self.introspected("a wrong hint", &hinted).await;
        self.introspected("another parameter", &[("x", "y")]).await;
        self.introspected("no parameter", &[]).await;
        self.get("GET", self.bench.url("/token/introspect")).await;
    }

    /// The answer about a token, its times told relative to each other.
    async fn introspected(&mut self, title: &str, form: &[(&str, &str)]) {
        let request = self.bench.client.post(self.bench.url("/token/introspect"));
        let response = request.form(form).send().await.unwrap();
        let status = response.status().as_u16();
        let control = response.headers().get("cache-control").cloned();
        let mut body = response.text().await.unwrap();
        let value: Value = serde_json::from_str(&body).unwrap();
        if let (Some(issued), Some(expires)) = (value["iat"].as_i64(), value["exp"].as_i64()) {
            let lifetime = expires - issued;
            body = body.replace(&expires.to_string(), &format!("iat+{lifetime}"));
            body = body.replace(&issued.to_string(), "IAT");
        }
        let body = self.transcript.plain(&body);
        let text = format!("## about {title}\n{status} {control:?}\n{body}");
        self.transcript.remark(&text);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_device_that_waits_too_long_is_told() {
    let config = config().replace("expiry:\n", "expiry:\n  deviceRequests: 1ns\n");
    let bench = Bench::embedded_with(&config).await;
    let (_, begun) = bench.post("/device/code", &[("client_id", "tv")]).await;
    let code = begun["device_code"].as_str().unwrap();
    let (status, body) = bench
        .token(&[("grant_type", DEVICE), ("device_code", code)])
        .await;
    assert_eq!(
        (status, body["error"].as_str()),
        (400, Some("expired_token"))
    );
}
