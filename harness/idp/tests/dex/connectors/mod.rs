//! Logins through other providers, ours and the real Dex's.

mod device;
mod exchange;
mod federation;
mod restart;

use std::{net::TcpListener, path::Path, sync::LazyLock};

use regex::Regex;
use reqwest::{Url, header::HeaderMap, header::LOCATION};

use crate::{
    bench::{Bench, CONFIG, MEMORY},
    transcript::Transcript,
};

const REDIRECT: &str = "http://127.0.0.1:8000/cb";

/// [`CONFIG`] with connectors, in which each of `names` stands for an address.
fn with_connectors(connectors: &str, names: &[(&str, &str)]) -> String {
    let mut config = format!("{CONFIG}connectors:\n{connectors}");
    for (name, address) in names {
        config = config.replace(name, address);
    }
    config
}

/// Ours, or the real one.
async fn bench(real: Option<&Path>, config: &str) -> Bench {
    match real {
        None => Bench::embedded_with(config).await,
        Some(binary) => Bench::real_with(binary, config, MEMORY).await,
    }
}

/// A free socket and its URL.
fn socket() -> (TcpListener, String) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("https://{}", listener.local_addr().unwrap());
    (listener, url)
}

/// A server and what it says.
struct Talk {
    bench: Bench,
    transcript: Transcript,
}

impl Talk {
    fn new(bench: Bench) -> Self {
        let transcript = Transcript::new(&bench.issuer);
        Self { bench, transcript }
    }

    async fn send(&mut self, title: &str, request: reqwest::RequestBuilder) -> (HeaderMap, String) {
        let response = request.send().await.unwrap();
        self.transcript.note(title, response).await
    }

    async fn get(&mut self, title: &str, url: impl reqwest::IntoUrl) -> (HeaderMap, String) {
        let request = self.bench.client.get(url);
        self.send(title, request).await
    }

    /// A form sent to an endpoint.
    async fn post(&mut self, title: &str, endpoint: &str, form: &[(&str, &str)]) -> String {
        let request = self.bench.client.post(self.bench.url(endpoint)).form(form);
        self.send(title, request).await.1
    }

    /// A request for authorization of the client `app` with these parameters besides.
    fn authorize_url(&self, endpoint: &str, more: &[(&str, &str)]) -> Url {
        let usual = [
            ("client_id", "app"),
            ("redirect_uri", REDIRECT),
            ("response_type", "code"),
            (
                "scope",
                "openid email groups profile offline_access federated:id",
            ),
            ("state", "s"),
        ];
        let replaced = |name: &str| more.iter().any(|(given, _)| *given == name);
        let usual = usual.iter().filter(|(name, _)| !replaced(name));
        Url::parse_with_params(&self.bench.url(endpoint), usual.chain(more)).unwrap()
    }

    /// Where an answer sends the browser.
    fn next(&self, headers: &HeaderMap) -> Url {
        let base = Url::parse(&self.bench.issuer).unwrap();
        let next = headers.get(LOCATION);
        let next = next
            .unwrap_or_else(|| panic!("no redirect at the end of {}", self.transcript.so_far()));
        base.join(next.to_str().unwrap()).unwrap()
    }

    /// The conversation and, at its end, what the log says besides: once, in no order. That a failed refresh goes no
    /// further the real one says at every level.
    async fn finish(mut self) -> String {
        let errors = self.bench.errors().await;
        let mut lines: Vec<String> = errors
            .iter()
            .filter(|line| !line.contains("e refresh token: "))
            .map(|line| logged(&self.transcript.plain(line)))
            .collect();
        lines.sort();
        lines.dedup();
        self.transcript
            .remark(&format!("## log\n{}", lines.join("\n")));
        self.transcript.finish()
    }
}

/// A line of the log without what time it is.
fn logged(line: &str) -> String {
    static TIME: LazyLock<Regex> = LazyLock::new(|| {
        Regex::new(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(\.\d+)? \+0000 UTC( m=\S+)?").unwrap()
    });
    // The one message that depends on the grant.
    let line = line.replace(
        "token exchange failed to create new token",
        "failed to issue tokens",
    );
    TIME.replace_all(&line, "TIME").into_owned()
}
