//! A conversation that touches every endpoint and every kind of mistake, held with ours and with the real Dex: both
//! must say what the snapshot says.

mod paths;
mod refused;

use base64::Engine as _;
use reqwest::{Url, header::LOCATION};

use crate::{
    bench::{Bench, real_dex},
    transcript::{Transcript, left_half},
};

const REDIRECT: &str = "http://127.0.0.1:8000/cb";
const CODE: &str = "authorization_code";

#[tokio::test(flavor = "multi_thread")]
async fn answers_as_dex_does() {
    let transcript = converse(Bench::embedded().await).await;
    insta::assert_snapshot!("conversation", transcript);
}

#[tokio::test(flavor = "multi_thread")]
async fn real_answers_are_those_recorded() {
    let Some(binary) = real_dex("real_answers_are_those_recorded") else {
        return;
    };
    let transcript = converse(Bench::real(&binary).await).await;
    insta::assert_snapshot!("conversation", transcript);
}

struct Talk {
    bench: Bench,
    transcript: Transcript,
}

async fn converse(bench: Bench) -> String {
    let transcript = Transcript::new(&bench.issuer);
    let mut talk = Talk { bench, transcript };
    talk.paths().await;
    talk.cross_origin().await;
    talk.authorization_refused().await;
    talk.token_refused().await;
    talk.password_grant().await;
    talk.code_flow().await;
    talk.pkce().await;
    talk.other_responses().await;
    talk.userinfo().await;
    talk.client_credentials().await;
    talk.refresh_refused().await;
    talk.transcript.finish()
}

impl Talk {
    async fn send(
        &mut self,
        title: &str,
        request: reqwest::RequestBuilder,
    ) -> (reqwest::header::HeaderMap, String) {
        let response = request.send().await.unwrap();
        self.transcript.note(title, response).await
    }

    async fn get(&mut self, endpoint: &str) -> (reqwest::header::HeaderMap, String) {
        let request = self.bench.client.get(self.bench.url(endpoint));
        self.send(&format!("GET {endpoint}"), request).await
    }

    /// A form to the token endpoint, given as `a=b&c=d` (values are not escaped here).
    async fn token(&mut self, title: &str, form: &str) -> String {
        let fields: Vec<(&str, &str)> = form
            .split('&')
            .map(|pair| pair.split_once('=').unwrap())
            .collect();
        let request = self
            .bench
            .client
            .post(self.bench.url("/token"))
            .form(&fields);
        self.send(title, request).await.1
    }

    /// A request to `/auth/local` with these parameters on top of good ones; `name=` takes one away.
    async fn authorize(&mut self, change: &str) -> (reqwest::header::HeaderMap, String) {
        let url = self.authorize_url("/auth/local", change);
        let request = self.bench.client.get(url);
        self.send(&format!("authorize with {change}"), request)
            .await
    }

    /// `{and}` stands for `&` inside of a value.
    fn authorize_url(&self, endpoint: &str, change: &str) -> Url {
        let mut fields = vec![
            ("client_id", "app"),
            ("redirect_uri", REDIRECT),
            ("response_type", "code"),
            (
                "scope",
                "openid email groups profile offline_access federated:id",
            ),
            ("state", "st&te"),
            ("nonce", "n0nce"),
        ];
        for (name, value) in change.split('&').filter_map(|pair| pair.split_once('=')) {
            fields.retain(|(known, _)| *known != name);
            fields.push((name, value));
        }
        fields.retain(|(_, value)| !value.is_empty());
        let fields = fields
            .iter()
            .map(|(name, value)| (*name, value.replace("{and}", "&")));
        Url::parse_with_params(&self.bench.url(endpoint), fields).unwrap()
    }

    async fn password_grant(&mut self) {
        let jane = "grant_type=password&client_id=app&client_secret=app-secret&username=JANE@example.com&password=password";
        for scope in [
            "openid",
            "openid email groups profile federated:id offline_access",
            "openid audience:server:client_id:app",
        ] {
            self.token(
                &format!("password for {scope}"),
                &format!("{jane}&nonce=x&scope={scope}"),
            )
            .await;
        }
        let plain = "grant_type=password&client_id=peer&client_secret=pe:er se+cret%&username=plain@example.com&password=password";
        let scope = "openid email groups profile federated:id audience:server:client_id:app";
        self.token(
            "password of another user, for another audience",
            &format!("{plain}&scope={scope}"),
        )
        .await;
    }

    /// Logs in through the pages; the last address is the client's.
    async fn log_in(&mut self, title: &str, change: &str, consent: &str) -> Option<Url> {
        let start = self.authorize_url("/auth/local", change);
        let request = self.bench.client.get(start);
        let (headers, _) = self.send(&format!("{title}: begin"), request).await;
        let login = self.next(&headers);
        let request = self.bench.client.get(login.clone());
        self.send(&format!("{title}: login page"), request).await;
        let form = [("login", "jane@example.com"), ("password", "wrong <\"")];
        let request = self.bench.client.post(login.clone()).form(&form);
        self.send(&format!("{title}: wrong password"), request)
            .await;
        let form = [("login", "jane@example.com"), ("password", "password")];
        let request = self.bench.client.post(login).form(&form);
        let (headers, _) = self.send(&format!("{title}: password"), request).await;
        let next = self.next(&headers);
        let mut forged = next.clone();
        forged.set_path("/dex/approval");
        let request = self.bench.client.get(forged);
        self.send(&format!("{title}: a proof for another step"), request)
            .await;
        let request = self.bench.client.get(next);
        let (headers, _) = self.send(&format!("{title}: next step"), request).await;
        let approval = self.next(&headers);
        if approval.path() != "/dex/approval" {
            return Some(approval);
        }
        let request = self.bench.client.get(approval.clone());
        self.send(&format!("{title}: approval page"), request).await;
        let id = approval
            .query_pairs()
            .find(|(name, _)| name == "req")
            .unwrap()
            .1
            .into_owned();
        let form = [("req", id.as_str()), ("approval", consent)];
        let request = self.bench.client.post(approval).form(&form);
        let (headers, _) = self.send(&format!("{title}: {consent}"), request).await;
        if consent != "approve" {
            return None;
        }
        let approved = self.next(&headers);
        let request = self.bench.client.get(approved.clone());
        let (headers, _) = self.send(&format!("{title}: answer"), request).await;
        let request = self.bench.client.get(approved);
        self.send(&format!("{title}: answer again"), request).await;
        headers.get(LOCATION).map(|_| self.next(&headers))
    }

    fn next(&self, headers: &reqwest::header::HeaderMap) -> Url {
        let base = Url::parse(&self.bench.issuer).unwrap();
        base.join(headers[LOCATION].to_str().unwrap()).unwrap()
    }

    async fn code_flow(&mut self) {
        let back = self.log_in("code flow", "", "approve").await.unwrap();
        let code = back
            .query_pairs()
            .find(|(name, _)| name == "code")
            .unwrap()
            .1
            .into_owned();
        let app = format!("grant_type={CODE}&client_id=app&client_secret=app-secret&code={code}");
        let peer =
            format!("grant_type={CODE}&client_id=peer&client_secret=pe:er se+cret%&code={code}");
        self.token("another client's code", &peer).await;
        self.token("no redirect address", &app).await;
        self.token(
            "verifier without challenge",
            &format!("{app}&redirect_uri={REDIRECT}&code_verifier=x"),
        )
        .await;
        let body = self
            .token("code", &format!("{app}&redirect_uri={REDIRECT}"))
            .await;
        let body: serde_json::Value = serde_json::from_str(&body).unwrap();
        assert!(
            claims(&body["id_token"]).contains(&format!("\"c_hash\":\"{}\"", left_half(&code)))
        );
        self.token("code again", &format!("{app}&redirect_uri={REDIRECT}"))
            .await;
        self.log_in("no consent", "scope=openid", "rejected").await;
        self.log_in("silent", "prompt=none", "").await;
    }

    async fn pkce(&mut self) {
        let verifier = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
        let s256 =
            "code_challenge=E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM&code_challenge_method=S256";
        for (method, challenge) in [
            ("S256", s256),
            ("plain", &format!("code_challenge={verifier}")),
        ] {
            let local = "http://localhost:12345/x";
            let change = format!("client_id=cli&redirect_uri={local}&scope=openid&{challenge}");
            let back = self.log_in(method, &change, "approve").await.unwrap();
            let code = back
                .query_pairs()
                .find(|(name, _)| name == "code")
                .unwrap()
                .1
                .into_owned();
            let form = format!("grant_type={CODE}&client_id=cli&code={code}&redirect_uri={local}");
            self.token(&format!("{method}: no verifier"), &form).await;
            self.token(
                &format!("{method}: wrong verifier"),
                &format!("{form}&code_verifier=x"),
            )
            .await;
            self.token(
                &format!("{method}: verifier"),
                &format!("{form}&code_verifier={verifier}"),
            )
            .await;
        }
    }

    async fn other_responses(&mut self) {
        for response_type in [
            "id_token",
            "id_token token",
            "code token",
            "code id_token token",
        ] {
            let change = format!("response_type={response_type}&scope=openid&state=a{{and}}b c*~'");
            self.log_in(response_type, &change, "approve").await;
        }
        let change = "redirect_uri=urn:ietf:wg:oauth:2.0:oob&scope=openid";
        self.log_in("out of band", change, "approve").await;
    }

    async fn userinfo(&mut self) {
        let tokens = self.bench.password("openid email groups").await;
        let url = self.bench.url("/userinfo");
        for (title, header) in [
            (
                "userinfo by access token",
                format!("bearer {}", tokens["access_token"].as_str().unwrap()),
            ),
            (
                "userinfo by ID token",
                format!("Bearer {}", tokens["id_token"].as_str().unwrap()),
            ),
            ("userinfo by nonsense", "Bearer x".to_owned()),
            ("userinfo by another scheme", "Basic x".to_owned()),
            ("userinfo without a token", "Bearer".to_owned()),
        ] {
            let request = self.bench.client.get(&url).header("authorization", header);
            let response = request.send().await.unwrap();
            if response.status() == 200 {
                let (shown, body) = (
                    response.headers()["content-type"].clone(),
                    response.text().await.unwrap(),
                );
                let id = &tokens[if title.contains("ID") {
                    "id_token"
                } else {
                    "access_token"
                }];
                assert_eq!(shown, "application/json");
                assert_eq!(body, claims(id), "{title}");
            } else {
                self.transcript.note(title, response).await;
            }
        }
    }

    async fn client_credentials(&mut self) {
        let app = "grant_type=client_credentials&client_id=app&client_secret=app-secret";
        self.token("client for itself", app).await;
        for scope in [
            "openid email profile groups",
            "openid offline_access",
            "federated:id",
            "foo",
            "audience:server:client_id:peer",
        ] {
            self.token(
                &format!("client for itself with {scope}"),
                &format!("{app}&scope={scope}"),
            )
            .await;
        }
        self.token(
            "public client for itself",
            "grant_type=client_credentials&client_id=cli",
        )
        .await;
    }

    async fn refresh_refused(&mut self) {
        let first = self.bench.password("openid offline_access").await;
        let second = self.bench.password("openid offline_access").await;
        let [first, second] =
            [&first, &second].map(|tokens| tokens["refresh_token"].as_str().unwrap());
        let app = "grant_type=refresh_token&client_id=app&client_secret=app-secret";
        let peer = "grant_type=refresh_token&client_id=peer&client_secret=pe:er se+cret%";
        self.token(
            "a later login ends the earlier token",
            &format!("{app}&refresh_token={first}"),
        )
        .await;
        self.token(
            "another client's refresh token",
            &format!("{peer}&refresh_token={second}"),
        )
        .await;
        self.token(
            "more than was granted",
            &format!("{app}&refresh_token={second}&scope=openid email foo"),
        )
        .await;
    }
}

/// The text of a token's claims.
fn claims(token: &serde_json::Value) -> String {
    let payload = token.as_str().unwrap().split('.').nth(1).unwrap();
    let payload = base64::engine::general_purpose::URL_SAFE_NO_PAD
        .decode(payload)
        .unwrap();
    String::from_utf8(payload).unwrap()
}
