//! Logins by the browser through another provider, and through the connectors that test Dex.

use std::path::Path;

use authlab_idp::dex::Dex;
use reqwest::Url;
use secrecy::ExposeSecret as _;
use serde_json::Value;

use super::{REDIRECT, Talk, socket, with_connectors};
use crate::{
    bench::{Bench, MEMORY, certificate, code_form, keys, real_dex},
    browser::{self, log_in, open, query},
};

const CONNECTORS: &str = r#"
- &upstream
  type: oidc
  id: upstream
  name: zitadel
  config: &config
    issuer: UPSTREAM
    clientID: downstream
    clientSecret: down:secret
    redirectURI: ISSUER/callback
    rootCAs: [DIR/ca.pem]
    insecureEnableGroups: true
    scopes: [profile, email, groups, offline_access]
    userIDKey: email
- {type: oidc, id: info, name: With user info, config: {<<: *config, getUserInfo: true, scopes: [profile, email], basicAuthUnsupported: true}}
- {type: oidc, id: plain, name: Plain challenge, config: {<<: *config, pkceChallenge: plain}}
- {type: oidc, id: odd, name: Odd challenge, config: {<<: *config, pkceChallenge: S512}}
- {type: oidc, id: allowed, name: allowed only, config: {<<: *config, allowedGroups: [ops]}}
- {type: oidc, id: elsewhere, name: Elsewhere, config: {<<: *config, redirectURI: "https://other.example/callback"}}
- {type: oidc, id: secret, name: Wrong secret, config: {<<: *config, clientSecret: wrong}}
- {type: oidc, id: tuned, name: Tuned, config: {<<: *config, acrValues: [a, b], promptType: "", providerDiscoveryOverrides: {authURL: "UPSTREAM/auth?x=1"}}}
- {type: oidc, id: gone, name: Gone, config: {<<: *config, issuer: "https://127.0.0.1:1"}}
- {type: mockCallback, id: mock, name: Mock, config: {}}
- {type: mockPassword, id: form, name: A "form" & more, config: {username: kilgore, password: trout}}
- {type: mockCallback, id: a b, name: Escaped, config: {}, grantTypes: [authorization_code]}
- {type: mockCallback, id: implicit, name: Implicit, config: {}, grantTypes: [implicit, refresh_token]}
"#;

/// A provider behind the one that is tried, always ours.
const UPSTREAM: &str = r#"
issuer: UPSTREAM
storage: {type: memory}
web: {https: x, tlsCert: DIR/cert.pem, tlsKey: DIR/key.pem}
oauth2: {skipApprovalScreen: true, grantTypes: [authorization_code, refresh_token, password], passwordConnector: local}
enablePasswordDB: true
staticClients:
- {id: downstream, name: Downstream, secret: "down:secret", redirectURIs: ["ISSUER/callback", "https://other.example/callback"]}
staticPasswords:
- {email: up@example.com, hash: "$2a$10$2b2cU8CPhOTaGrs1HRQuAueS7JTT5ZHsHSzYiFPm1leZck7Mc8T4W", username: up, userID: "7", preferredUsername: upper, groups: [dev, admins]}
"#;

#[tokio::test(flavor = "multi_thread")]
async fn users_of_other_providers_log_in_as_with_dex() {
    insta::assert_snapshot!("federation", converse(None).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn real_users_of_other_providers_are_those_recorded() {
    let Some(binary) = real_dex("real_users_of_other_providers_are_those_recorded") else {
        return;
    };
    insta::assert_snapshot!("federation", converse(Some(&binary)).await);
}

/// A server with a provider behind it, and that one's folder.
async fn federated(real: Option<&Path>) -> (Bench, Dex, tempfile::TempDir) {
    let (here, url) = socket();
    let (there, upstream) = socket();
    let upstream = format!("{upstream}/dex");
    let dir = tempfile::tempdir().unwrap();
    let certificate = certificate();
    std::fs::write(dir.path().join("cert.pem"), &certificate.pem).unwrap();
    let key = certificate.key_pem.expose_secret();
    std::fs::write(dir.path().join("key.pem"), key).unwrap();
    let behind = UPSTREAM
        .replace("UPSTREAM", &upstream)
        .replace("ISSUER", &format!("{url}/dex"))
        .replace("DIR", dir.path().to_str().unwrap());
    let behind = Dex::start_in_slot(there, ("config.yaml", &behind), keys(), "upstream");
    let behind = behind.await.unwrap();
    let config = with_connectors(CONNECTORS, &[("UPSTREAM", &upstream)]);
    let mut bench = match real {
        None => Bench::embedded_at(here, &config).await,
        Some(binary) => Bench::real_at(here, binary, &config, MEMORY).await,
    };
    bench.upstream = Some(upstream);
    (bench, behind, dir)
}

async fn converse(real: Option<&Path>) -> String {
    let (bench, behind, _dir) = federated(real).await;
    let upstream = bench.upstream.clone().unwrap();
    let mut talk = Talk::new(bench);
    talk.transcript.call(&upstream, "UPSTREAM");
    talk.choices().await;
    for connector in ["upstream", "info", "plain", "allowed", "secret", "tuned"] {
        talk.federated(connector).await;
    }
    talk.broken_off().await;
    // A name that has to be escaped is escaped twice, and then there is none of that name.
    for connector in ["a b", "mock"] {
        let url = talk.authorize_url("/auth", &[("connector_id", connector)]);
        let (headers, _) = talk.get(&format!("to {connector}"), url).await;
        let (headers, _) = talk.get("connector", talk.next(&headers)).await;
        if headers.get("location").is_some() {
            let (headers, _) = talk.get("there and back", talk.next(&headers)).await;
            talk.approve(connector, talk.next(&headers)).await;
        }
    }
    talk.form().await;
    drop(behind);
    talk.finish().await
}

impl Talk {
    async fn choices(&mut self) {
        for (title, more) in [
            ("the choice", vec![]),
            (
                "the choice for a device",
                vec![
                    ("client_id", "cli"),
                    ("redirect_uri", "http://localhost/device/callback"),
                ],
            ),
            (
                "the choice without a code",
                vec![("response_type", "id_token"), ("nonce", "n")],
            ),
            ("a connector by name", vec![("connector_id", "mock")]),
            (
                "a connector for other grants",
                vec![("connector_id", "implicit")],
            ),
            ("an unknown connector", vec![("connector_id", "nope")]),
        ] {
            let url = self.authorize_url("/auth", &more);
            self.get(title, url).await;
        }
        for (title, endpoint, more) in [
            (
                "another connector than asked for",
                "/auth/mock",
                vec![("connector_id", "upstream")],
            ),
            (
                "a connector asked for twice",
                "/auth/mock",
                vec![("connector_id", "mock")],
            ),
            ("a connector for other grants", "/auth/implicit", vec![]),
            ("a way back that is not ours", "/auth/elsewhere", vec![]),
            ("a challenge nobody knows", "/auth/odd", vec![]),
            ("a provider that is gone", "/auth/gone", vec![]),
            (
                "without offline access",
                "/auth/upstream",
                vec![("scope", "openid")],
            ),
        ] {
            let url = self.authorize_url(endpoint, &more);
            self.get(title, url).await;
        }
    }

    /// A login at the provider behind; its tokens, if there are.
    async fn federated(&mut self, connector: &str) -> Option<Value> {
        let url = self.authorize_url(&format!("/auth/{connector}"), &[]);
        let (headers, _) = self.get(&format!("to {connector}"), url).await;
        let back = self.at_upstream(self.next(&headers)).await;
        let (headers, _) = self.get("back", back.clone()).await;
        headers.get("location")?;
        let tokens = self.approve(connector, self.next(&headers)).await;
        let form = [
            ("grant_type", "refresh_token"),
            ("client_id", "app"),
            ("client_secret", "app-secret"),
            (
                "refresh_token",
                tokens["refresh_token"].as_str().unwrap_or_default(),
            ),
        ];
        self.post(&format!("{connector}: refresh"), "/token", &form)
            .await;
        Some(tokens)
    }

    /// Logs in at the provider behind, which is not written down; the address it sends the browser back to.
    async fn at_upstream(&self, url: Url) -> Url {
        let mut response = self.bench.client.get(url).send().await.unwrap();
        loop {
            let url = response.url().clone();
            let next = match response.headers().get("location") {
                Some(next) => url.join(next.to_str().unwrap()).unwrap(),
                None => {
                    // A form for the password, or for consent.
                    let id = query(&url, "req").unwrap_or_default();
                    let form = match id.as_str() {
                        "" => [("login", "up@example.com"), ("password", "password")],
                        id => [("req", id), ("approval", "approve")],
                    };
                    let posted = self.bench.client.post(url.clone()).form(&form);
                    let posted = posted.send().await.unwrap();
                    url.join(posted.headers()["location"].to_str().unwrap())
                        .unwrap()
                }
            };
            if next.as_str().starts_with(&self.bench.issuer) {
                return next;
            }
            response = self.bench.client.get(next).send().await.unwrap();
        }
    }

    /// From the end of a login to its tokens.
    async fn approve(&mut self, title: &str, continued: Url) -> Value {
        let (headers, _) = self.get(&format!("{title}: next"), continued).await;
        let approval = self.next(&headers);
        self.get(&format!("{title}: consent"), approval.clone())
            .await;
        let id = query(&approval, "req").unwrap();
        let form = [("req", id.as_str()), ("approval", "approve")];
        let request = self.bench.client.post(approval).form(&form);
        let (headers, _) = self.send(&format!("{title}: yes"), request).await;
        let (headers, _) = self
            .get(&format!("{title}: answer"), self.next(&headers))
            .await;
        let code = query(&self.next(&headers), "code").unwrap();
        let form = [
            ("grant_type", "authorization_code"),
            ("client_id", "app"),
            ("client_secret", "app-secret"),
            ("redirect_uri", REDIRECT),
            ("code", &code),
        ];
        let body = self
            .post(&format!("{title}: tokens"), "/token", &form)
            .await;
        serde_json::from_str(&body).unwrap()
    }

    async fn broken_off(&mut self) {
        for (title, query) in [
            ("no state", String::new()),
            ("an unknown state", "?state=x".to_owned()),
        ] {
            self.get(title, self.bench.url(&format!("/callback{query}")))
                .await;
        }
        for (title, connector, query) in [
            (
                "the provider refuses",
                "upstream",
                "&error=access_denied&error_description=no <b>",
            ),
            (
                "the provider refuses in a word",
                "upstream",
                "&error=access_denied",
            ),
            ("a code nobody gave", "upstream", "&code=x"),
            ("a connector with a form", "form", "&code=x"),
        ] {
            let url = self.authorize_url(&format!("/auth/{connector}"), &[]);
            let response = self.bench.client.get(url).send().await.unwrap();
            let away = self.next(response.headers());
            let state = browser::query(&away, "state").unwrap();
            let back = self.bench.url(&format!("/callback?state={state}{query}"));
            self.get(title, back).await;
            let other = self
                .bench
                .url(&format!("/callback/other?state={state}{query}"));
            self.get(&format!("{title}, at another connector"), other)
                .await;
            self.post(
                &format!("{title}, as SAML would"),
                "/callback",
                &[("RelayState", &state)],
            )
            .await;
            let login = self
                .bench
                .url(&format!("/auth/{connector}/login?state={state}"));
            self.get(&format!("{title}: its form"), login).await;
        }
    }

    async fn form(&mut self) {
        let url = self.authorize_url("/auth/form", &[]);
        let (headers, _) = self.get("to the form", url).await;
        let login = self.next(&headers);
        self.get("the form", login.clone()).await;
        for (name, password) in [("kilgore", "wrong"), ("kilgore", "trout")] {
            let form = [("login", name), ("password", password)];
            let request = self.bench.client.post(login.clone()).form(&form);
            let (headers, _) = self.send(&format!("{name} {password}"), request).await;
            if headers.get("location").is_some() {
                self.approve("form", self.next(&headers)).await;
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_user_chooses_a_provider_and_logs_in_there() {
    let (bench, _behind, _dir) = federated(None).await;
    let start = "/auth?response_type=code&client_id=cli&redirect_uri=http://localhost:1&scope=openid+groups+profile";
    let choice = open(&bench, &bench.url(start)).await.page();
    let page = scraper::Html::parse_document(&choice.body);
    let links = scraper::Selector::parse("a").unwrap();
    let link = page
        .select(&links)
        .find(|link| link.text().any(|text| text.contains("zitadel")));
    let link = choice
        .url
        .join(link.unwrap().attr("href").unwrap())
        .unwrap();
    let login = open(&bench, link.as_str()).await.page();
    assert!(
        login
            .url
            .as_str()
            .starts_with(bench.upstream.as_ref().unwrap()),
        "{}",
        login.url
    );
    let right = [("login", "up@example.com"), ("password", "password")];
    let back = log_in(&bench, &login, &right).await.away();
    let code = query(&back, "code").unwrap();
    let (status, tokens) = bench.token(&code_form(&code)).await;
    assert_eq!(status, 200, "{tokens}");
    let token = authlab_pki::jws::Compact::parse(tokens["id_token"].as_str().unwrap()).unwrap();
    let claims: Value = serde_json::from_slice(&token.payload).unwrap();
    assert_eq!(claims["groups"], serde_json::json!(["dev", "admins"]));
    assert_eq!(claims["name"], "up");
}
