//! Requests with a mistake in them.

use base64::{Engine as _, engine::general_purpose::STANDARD};

use super::Talk;

impl Talk {
    pub(super) async fn authorization_refused(&mut self) {
        for change in [
            "client_id=nope",
            "client_id=",
            "redirect_uri=http://127.0.0.1:8001/cb",
            "redirect_uri=",
            "client_id=cli&redirect_uri=http://10.0.0.1/",
            "client_id=cli&redirect_uri=https://localhost/",
            "client_id=cli&redirect_uri=http://localhost:x/",
            "client_id=spa&redirect_uri=http://127.0.0.1:8000/cb",
            "client_id=narrow",
            "connector_id=nope",
            "client_id=narrow&connector_id=local",
            "request=x",
            "code_challenge=x&code_challenge_method=S512",
            "code_challenge=x&code_challenge_method=s256",
            "scope=email",
            "scope=",
            "scope=openid foo \"b\"",
            "scope=openid audience:server:client_id:nope",
            "scope=openid audience:server:client_id:peer",
            "response_type=",
            "response_type=foo",
            "response_type=token",
            "response_type=id_token&nonce=",
            "response_type=code token&redirect_uri=urn:ietf:wg:oauth:2.0:oob",
            "prompt=foo",
            "prompt=none login",
            "max_age=x",
            "max_age=-1",
            "id_token_hint=x",
            "client_id=peer&redirect_uri=http://127.0.0.1:8000/cb?x=1&scope=email",
        ] {
            self.authorize(change).await;
        }
        let peer = "http://127.0.0.1:8000/cb?x=1&a=2#frag";
        let url = self.authorize_url("/auth/local", "client_id=peer&scope=email");
        let mut url = url;
        let others: Vec<(String, String)> = url
            .query_pairs()
            .filter(|(name, _)| name != "redirect_uri")
            .map(|(name, value)| (name.into_owned(), value.into_owned()))
            .collect();
        url.query_pairs_mut()
            .clear()
            .extend_pairs(others)
            .append_pair("redirect_uri", peer);
        let request = self.bench.client.get(url);
        self.send("an error joins the query that is there", request)
            .await;
        for (title, endpoint, change) in [
            (
                "a client that may not use the connector",
                "/auth",
                "client_id=narrow",
            ),
            ("an unknown connector by its path", "/auth/nope", ""),
            (
                "an unknown connector by parameter",
                "/auth",
                "connector_id=nope",
            ),
            (
                "a known connector by parameter",
                "/auth",
                "connector_id=local",
            ),
            ("the only connector", "/auth", "scope=a b+c~*'"),
        ] {
            let request = self.bench.client.get(self.authorize_url(endpoint, change));
            self.send(title, request).await;
        }
        let request = self
            .bench
            .client
            .post(self.authorize_url("/auth/local", ""));
        self.send("POST to a connector", request).await;
        let url = self.authorize_url("/auth", "");
        let request = self.bench.client.post(self.bench.url("/auth"));
        let form: Vec<(String, String)> = url.query_pairs().into_owned().collect();
        self.send("parameters in a form", request.form(&form)).await;
    }

    pub(super) async fn token_refused(&mut self) {
        for (title, form) in [
            ("no grant", "x=y"),
            ("unknown grant", "grant_type=foo"),
            ("implicit grant", "grant_type=implicit"),
            ("no client", "grant_type=password"),
            (
                "unknown client",
                "grant_type=password&client_id=nope&client_secret=x",
            ),
            (
                "wrong secret",
                "grant_type=password&client_id=app&client_secret=x",
            ),
            ("no secret", "grant_type=password&client_id=app"),
            (
                "secret of a public client",
                "grant_type=password&client_id=cli&client_secret=x",
            ),
            (
                "no scope",
                "grant_type=password&client_id=app&client_secret=app-secret",
            ),
            (
                "unknown scope",
                "grant_type=password&client_id=app&client_secret=app-secret&scope=openid foo bar",
            ),
            (
                "audience of a stranger",
                "grant_type=password&client_id=app&client_secret=app-secret&scope=openid audience:server:client_id:peer",
            ),
            (
                "connector not allowed",
                "grant_type=password&client_id=narrow&client_secret=narrow-secret&scope=openid",
            ),
            (
                "no user",
                "grant_type=password&client_id=app&client_secret=app-secret&scope=openid",
            ),
            (
                "wrong password",
                "grant_type=password&client_id=app&client_secret=app-secret&scope=openid&username=jane@example.com&password=x",
            ),
            (
                "hash too cheap",
                "grant_type=password&client_id=app&client_secret=app-secret&scope=openid&username=weak@example.com&password=x",
            ),
            (
                "no code",
                "grant_type=authorization_code&client_id=app&client_secret=app-secret",
            ),
            (
                "unknown code",
                "grant_type=authorization_code&client_id=app&client_secret=app-secret&code=x",
            ),
            (
                "no refresh token",
                "grant_type=refresh_token&client_id=app&client_secret=app-secret",
            ),
            (
                "unknown refresh token",
                "grant_type=refresh_token&client_id=app&client_secret=app-secret&refresh_token=x",
            ),
            (
                "exchange without a type",
                "grant_type=urn:ietf:params:oauth:grant-type:token-exchange&client_id=app&client_secret=app-secret",
            ),
            (
                "exchange with an unknown connector",
                "grant_type=urn:ietf:params:oauth:grant-type:token-exchange&client_id=app&client_secret=app-secret&connector_id=x",
            ),
            (
                "exchange without a token",
                "grant_type=urn:ietf:params:oauth:grant-type:token-exchange&client_id=app&client_secret=app-secret&subject_token_type=urn:ietf:params:oauth:token-type:id_token",
            ),
            (
                "exchange with a connector that has none",
                "grant_type=urn:ietf:params:oauth:grant-type:token-exchange&client_id=app&client_secret=app-secret&connector_id=local&subject_token=x&subject_token_type=urn:ietf:params:oauth:token-type:id_token",
            ),
            (
                "no device code",
                "grant_type=urn:ietf:params:oauth:grant-type:device_code",
            ),
            (
                "unknown device code",
                "grant_type=urn:ietf:params:oauth:grant-type:device_code&device_code=x",
            ),
        ] {
            self.token(title, form).await;
        }
        let token = self.bench.url("/token");
        let form = "application/x-www-form-urlencoded";
        for (title, authorization, kind, body) in [
            ("broken escape", "", form, "grant_type=%zz"),
            ("semicolon", "", form, "grant_type=password;client_id=app"),
            (
                "no form",
                "",
                "application/json",
                "{\"grant_type\":\"password\"}",
            ),
            (
                "no base64",
                "Basic !",
                form,
                "grant_type=password&client_id=app&client_secret=app-secret",
            ),
            (
                "broken escape of the name",
                "%zz:x",
                form,
                "grant_type=password",
            ),
            (
                "broken escape of the secret",
                "x:%zz",
                form,
                "grant_type=password",
            ),
            (
                "escaped secret, no scope",
                "peer:pe%3Aer+se%2Bcret%25",
                form,
                "grant_type=password",
            ),
            (
                "unescaped secret",
                "peer:pe:er se+cret%",
                form,
                "grant_type=password",
            ),
        ] {
            let mut request = self
                .bench
                .client
                .post(&token)
                .header("content-type", kind)
                .body(body);
            if !authorization.is_empty() {
                let value = match authorization.strip_prefix("Basic ") {
                    Some(_) => authorization.to_owned(),
                    None => format!("bAsic {}", STANDARD.encode(authorization)),
                };
                request = request.header("authorization", value);
            }
            self.send(title, request).await;
        }
    }
}
