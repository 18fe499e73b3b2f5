//! Refresh tokens, ours and the real Dex's. That one stops answering at its first refresh of a local user when it
//! keeps them in memory, so here it keeps them in etcd.

use std::{
    net::TcpListener,
    path::{Path, PathBuf},
    process::Stdio,
};

use serde_json::Value;
use tempfile::TempDir;
use tokio::process::{Child, Command};

use crate::{
    bench::{Bench, CONFIG, listening, real_dex},
    transcript::Transcript,
};

const POLICIES: [&str; 5] = [
    "",
    "disableRotation: true",
    "reuseInterval: 1h",
    "absoluteLifetime: 1ns",
    "validIfNotUsedFor: 1ns",
];

fn config(policy: &str) -> String {
    CONFIG.replace(
        "expiry:\n",
        &format!("expiry:\n  refreshTokens: {{{policy}}}\n"),
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn refreshes_as_dex_does() {
    let mut transcript = String::new();
    for policy in POLICIES {
        transcript += &converse(policy, Bench::embedded_with(&config(policy)).await).await;
    }
    insta::assert_snapshot!("refreshes", transcript);
}

#[tokio::test(flavor = "multi_thread")]
async fn real_refreshes_are_those_recorded() {
    let Some(binary) = real_dex("real_refreshes_are_those_recorded") else {
        return;
    };
    let Some(etcd) = std::env::var_os("AUTHLAB_REAL_ETCD").map(PathBuf::from) else {
        #[expect(clippy::print_stderr, reason = "a skipped test says so")]
        {
            eprintln!(
                "real_refreshes_are_those_recorded: skipped, AUTHLAB_REAL_ETCD does not name an etcd binary"
            );
        }
        return;
    };
    let mut transcript = String::new();
    for policy in POLICIES {
        let etcd = Etcd::start(&etcd).await;
        let storage = format!("{{type: etcd, config: {{endpoints: [\"{}\"]}}}}", etcd.url);
        let bench = Bench::real_with(&binary, &config(policy), &storage).await;
        transcript += &converse(policy, bench).await;
    }
    insta::assert_snapshot!("refreshes", transcript);
}

async fn converse(policy: &str, bench: Bench) -> String {
    let mut transcript = Transcript::new(&bench.issuer);
    let scope = "openid email groups profile offline_access";
    let first = bench.password(scope).await;
    let used = refresh(
        &bench,
        &mut transcript,
        &format!("{policy}: first use"),
        &first,
        "",
    )
    .await;
    refresh(
        &bench,
        &mut transcript,
        &format!("{policy}: the first one again"),
        &first,
        "",
    )
    .await;
    if let Some(used) = used {
        let kept = used["refresh_token"] == first["refresh_token"];
        transcript.remark(&format!("the token stays: {kept}"));
        refresh(
            &bench,
            &mut transcript,
            &format!("{policy}: the next one, less asked for"),
            &used,
            "groups",
        )
        .await;
    }
    transcript.finish()
}

/// Uses the refresh token among these tokens; new ones, if there are.
async fn refresh(
    bench: &Bench,
    transcript: &mut Transcript,
    title: &str,
    tokens: &Value,
    scope: &str,
) -> Option<Value> {
    let form = [
        ("grant_type", "refresh_token"),
        ("client_id", "app"),
        ("client_secret", "app-secret"),
        ("refresh_token", tokens["refresh_token"].as_str().unwrap()),
        ("scope", scope),
    ];
    let response = bench
        .client
        .post(bench.url("/token"))
        .form(&form)
        .send()
        .await
        .unwrap();
    let (_, body) = transcript.note(title, response).await;
    let body: Value = serde_json::from_str(&body).unwrap();
    body.get("access_token").is_some().then_some(body)
}

struct Etcd {
    url: String,
    _process: Child,
    _dir: TempDir,
}

impl Etcd {
    async fn start(binary: &Path) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let [client, peer] = [(); 2].map(|()| {
            let listener = TcpListener::bind("127.0.0.1:0").unwrap();
            listener.local_addr().unwrap()
        });
        let url = format!("http://{client}");
        let peer = format!("http://{peer}");
        let process = Command::new(binary)
            .args([
                "--data-dir",
                dir.path().to_str().unwrap(),
                "--unsafe-no-fsync",
            ])
            .args([
                "--listen-client-urls",
                &url,
                "--advertise-client-urls",
                &url,
            ])
            .args([
                "--listen-peer-urls",
                &peer,
                "--initial-advertise-peer-urls",
                &peer,
            ])
            .args(["--initial-cluster", &format!("default={peer}")])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        listening(&client.to_string()).await;
        Self {
            url,
            _process: process,
            _dir: dir,
        }
    }
}
