//! Every path, and what scripts of other sites may do with them.

use reqwest::Method;

use super::Talk;

impl Talk {
    pub(super) async fn paths(&mut self) {
        for endpoint in [
            "/.well-known/openid-configuration",
            "/keys",
            "/healthz",
            "/robots.txt",
            "/",
            "/nope",
            "/keys/",
            "//keys",
            "/auth/",
            "/auth/local/",
            "/auth/local/login/x",
            "/auth",
            "/auth?%zz",
            "/auth?req=x",
            "/auth?req=x&hmac=y",
            "/auth/local",
            "/auth/local/login",
            "/auth/local/login?state=x",
            "/approval",
            "/approval?hmac=x&req=y",
            "/callback",
            "/callback?state=x",
            "/callback/local?state=x",
            "/userinfo",
            "/token",
        ] {
            self.get(endpoint).await;
        }
        for (method, endpoint) in [
            (Method::DELETE, "/keys"),
            (Method::PUT, "/callback"),
            (Method::PUT, "/token"),
        ] {
            let request = self
                .bench
                .client
                .request(method.clone(), self.bench.url(endpoint));
            self.send(&format!("{method} {endpoint}"), request).await;
        }
        let request = self
            .bench
            .client
            .get(self.bench.issuer.trim_end_matches("dex"));
        self.send("GET outside of the issuer", request).await;
    }

    pub(super) async fn cross_origin(&mut self) {
        let url = self.bench.url("/keys");
        for (origin, method, headers) in [
            ("https://spa.example", "GET", ""),
            ("https://evil.example", "GET", ""),
            ("https://spa.example", "POST", "accept, X-Requested-With"),
            ("https://spa.example", "DELETE", ""),
            ("https://spa.example", "GET", "x-other"),
            ("https://spa.example", "", ""),
        ] {
            let mut request = self
                .bench
                .client
                .request(Method::OPTIONS, &url)
                .header("origin", origin);
            if !method.is_empty() {
                request = request.header("access-control-request-method", method);
            }
            if !headers.is_empty() {
                request = request.header("access-control-request-headers", headers);
            }
            self.send(
                &format!("preflight from {origin} for {method} {headers}"),
                request,
            )
            .await;
        }
        let request = self
            .bench
            .client
            .get(&url)
            .header("origin", "https://spa.example");
        self.send("keys for another site", request).await;
        let request = self
            .bench
            .client
            .get(self.bench.url("/auth"))
            .header("origin", "https://spa.example");
        self.send("pages are not for other sites", request).await;
    }
}
