//! An unmodified kubectl against this server: what it prints and how it exits, held to a session
//! recorded with a kube-apiserver 1.36.3 and its controllers.
//!
//! `kubectl/*/session.txt` holds each command behind `$`, what it printed, and `=>` with its exit
//! code. kubectl is the one of the tool cache; without it the test is skipped and says so.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use regex::Regex;
use secrecy::ExposeSecret as _;
use serde_json::json;

use crate::lab::Lab;

/// The folder of a kubectl in the tool cache, whichever was built last.
fn kubectl() -> Option<PathBuf> {
    let set = |name| std::env::var_os(name).filter(|value| !value.is_empty());
    let base = set("AUTHLAB_CACHE")
        .map(PathBuf::from)
        .or_else(|| set("XDG_CACHE_HOME").map(|cache| Path::new(&cache).join("authlab")))
        .or_else(|| set("HOME").map(|home| Path::new(&home).join(".cache/authlab")))?;
    let built = std::fs::read_dir(base.join("tools/kubernetes")).ok()?;
    let built = built.filter_map(|entry| Some(entry.ok()?.path()));
    let built = built.filter(|folder| folder.join("kubectl").is_file());
    built.max_by_key(|folder| folder.metadata().and_then(|data| data.modified()).ok())
}

/// Writes a kubeconfig for a member of `system:masters`.
fn configure(lab: &Lab, home: &Path) {
    let certificate = lab
        .authority
        .client_certificate(
            "admin",
            &["system:masters".to_owned()],
            Duration::from_secs(600),
        )
        .unwrap();
    let file = |name: &str, text: &str| {
        std::fs::write(home.join(name), text).unwrap();
        home.join(name)
    };
    let config = json!({
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "lab", "cluster": {
            "server": lab.server.url(),
            "certificate-authority": file("ca.pem", lab.authority.certificate_pem()),
        }}],
        "users": [{"name": "admin", "user": {
            "client-certificate": file("admin.pem", &certificate.pem),
            "client-key": file("admin.key", certificate.key_pem.expose_secret()),
        }}],
        "contexts": [{"name": "lab", "context": {"cluster": "lab", "user": "admin"}}],
        "current-context": "lab",
    });
    file("kubeconfig", &config.to_string());
}

/// Blots out what no two runs have in common.
fn blot(text: &str) -> String {
    let rules = [
        (
            r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}",
            "UID",
        ),
        (r"\d{4}-\d\d-\d\dT[0-9:]{8}Z", "TIME"),
        (r#"resourceVersion: "\d+""#, r#"resourceVersion: "RV""#),
        (r"Resource Version:\s+\d+", "Resource Version: RV"),
        (r"[^ ]+/(LIVE|MERGED)-\d+", "TMP"),
        (r"\d{4}-\d\d-\d\d [0-9:.]+ \+0000", "TIME"),
        (r"\w{3}, \d\d \w{3} \d{4} [0-9:]{8} \+0000", "TIME"),
        (r"X509SHA256=[0-9a-f]+", "X509SHA256=H"),
        (r"eyJ[A-Za-z0-9_.-]+", "TOKEN"),
        (r"\b(\d+m)?\d+s\b", "AGE"),
        (r" +", " "),
        (r" \n", "\n"),
        (r"\n*=> ", "\n=> "),
    ];
    rules.iter().fold(text.to_owned(), |text, (rule, word)| {
        let rule = Regex::new(rule).unwrap();
        rule.replace_all(&text, *word).into_owned()
    })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn kubectl_sees_no_difference() {
    replay("basics").await;
}

/// Explanations, formats, patches, nodes and pods, watches.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn kubectl_sees_no_difference_on_a_tour() {
    replay("tour").await;
}

/// Deployments and the like, jobs, ingresses, claims: kept and shown, without anything acting on
/// them.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn kubectl_sees_no_difference_in_workloads() {
    replay("workloads").await;
}

/// Runs the commands of a session in its folder and compares.
#[expect(clippy::print_stderr, reason = "a test that is skipped must say so")]
async fn replay(name: &str) {
    let Some(tools) = kubectl() else {
        eprintln!("skipped: no kubectl in the tool cache (`cargo xtask tools` builds it)");
        return;
    };
    let lab = Lab::start();
    let home = tempfile::tempdir().unwrap();
    configure(&lab, home.path());
    let here = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/api/kubectl")
        .join(name);
    let recorded = std::fs::read_to_string(here.join("session.txt")).unwrap();
    let path = std::env::var("PATH").unwrap_or_default();
    let mut session = String::new();
    for line in recorded.lines().filter_map(|line| line.strip_prefix("$ ")) {
        let mut command = Command::new("sh");
        command
            .args(["-c", &format!("{line} 2>&1")])
            .current_dir(&here)
            .env("HOME", home.path())
            .env("KUBECONFIG", home.path().join("kubeconfig"))
            .env("PATH", format!("{}:{path}", tools.display()));
        let done = tokio::task::spawn_blocking(move || command.output());
        let done = done.await.unwrap().unwrap();
        let printed = String::from_utf8_lossy(&done.stdout);
        let code = done.status.code().unwrap_or(-1);
        session.push_str(&format!("$ {line}\n{printed}=> {code}\n"));
    }
    let (recorded, session) = (blot(&recorded), blot(&session));
    let (mut wanted, mut got) = (recorded.split("\n$ "), session.split("\n$ "));
    let differ: Vec<String> = std::iter::from_fn(|| Some((wanted.next()?, got.next()?)))
        .filter(|(wanted, got)| wanted.trim() != got.trim())
        .map(|(wanted, got)| format!("--- the real server\n{wanted}\n--- this one\n{got}\n"))
        .collect();
    assert!(differ.is_empty(), "{}", differ.join("\n"));
}
