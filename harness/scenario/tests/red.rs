//! Files that must fail, with the reports that they must give: the harness can go red.

#![expect(clippy::unwrap_used, reason = "helpers of tests")]

use std::path::{Path, PathBuf};

use authlab_lab::checkout::Checkout;
use authlab_lab::host::Host;
use authlab_lab::state::{BackendKind, STATE_FILE, State};
use authlab_pki::tls;
use authlab_scenario::report::style::Style;
use authlab_scenario::report::{Outcome, Report, terminal};
use authlab_scenario::{Case, Silent, cases, run};
use regex::Regex;
use tokio_util::sync::CancellationToken;

const FOLDER: &str = "scenarios/.red";
/// The scenario whose provider is put where nobody listens.
const UNREACHABLE: &str = "unreachable-provider";
/// The scenario whose API server answers 500 to everything.
const SERVER_ERROR: &str = "server-error";

/// Serves 500 to everything under a certificate of the checkout's CA.
async fn unwell(checkout: &Checkout) -> String {
    let certificate = checkout
        .authority()
        .unwrap()
        .server_certificate(&["127.0.0.1"])
        .unwrap();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("https://{}", listener.local_addr().unwrap());
    let listener = tls::Listener::new(listener, certificate.server_config(None).unwrap());
    let app = axum::Router::new().fallback(|| async {
        (
            axum::http::StatusCode::INTERNAL_SERVER_ERROR,
            "etcdserver: request timed out",
        )
    });
    tokio::spawn(async { axum::serve(listener, app).await });
    url
}

fn files(root: &Path) -> Vec<PathBuf> {
    let mut files: Vec<PathBuf> = std::fs::read_dir(root.join(FOLDER))
        .unwrap()
        .map(|entry| Path::new(FOLDER).join(entry.unwrap().file_name()))
        .collect();
    files.sort();
    files
}

/// What a person sees, without what differs from run to run.
fn golden(mut report: Report, root: &Path) -> String {
    report.milliseconds = 0;
    let mut text = format!(
        "exit code {}\n{}",
        report.exit_code(),
        terminal::render(&report, Style::PLAIN)
    );
    text = text.replace(&root.display().to_string(), "[checkout]");
    let lab = r"\[checkout\]/\.authlab/labs/[\w-]+";
    for (pattern, by) in [
        (lab, "[lab]"),
        (r"127\.0\.0\.1:\d{4,5}", "127.0.0.1:PORT"),
        (r"-[0-9a-f]{6}\b", "-RANDOM"),
        (r"/realms/[^/]+", "/realms/REALM"),
        (r"(result: \w+ \}) \d+", "$1 COUNT"),
        // There are more of them every week.
        (r"(?s)( help: labs:) .*?\n\n", "$1 ...\n\n"),
    ] {
        text = Regex::new(pattern)
            .unwrap()
            .replace_all(&text, by)
            .into_owned();
    }
    text
}

async fn on_a_lab(case: &Case, checkout: &Checkout) -> Report {
    let plan = case.scenario().unwrap().plan(case.lab()).unwrap();
    let stem = Path::new(case.file())
        .file_stem()
        .unwrap()
        .to_str()
        .unwrap();
    let id = format!("red-{stem}-{}", std::process::id());
    let host = Host::start(checkout, BackendKind::Embedded, plan, &id)
        .await
        .unwrap();
    let state = host.folder().join(STATE_FILE);
    if stem == SERVER_ERROR {
        let mut changed = State::read(&state).unwrap();
        changed.api_server.url = unwell(checkout).await;
        changed.write(host.folder()).unwrap();
    }
    if stem == UNREACHABLE {
        let mut changed = State::read(&state).unwrap();
        let dex = changed.identity_providers.get_mut("dex").unwrap();
        "https://127.0.0.1:1/dex".clone_into(&mut dex.issuer);
        changed.write(host.folder()).unwrap();
    }
    let cancel = CancellationToken::new();
    let report = run(case, &state, &Silent, &cancel).await;
    host.stop().await;
    Report {
        scenarios: vec![report],
        ..Report::default()
    }
}

#[tokio::test]
async fn every_red_file_fails_as_it_must() {
    let checkout = Checkout::here();
    let root = checkout.root();
    for file in files(root) {
        let case = cases(root, &file).remove(0);
        let report = match case.scenario() {
            Ok(_) => on_a_lab(&case, &checkout).await,
            Err(_) => Report {
                scenarios: vec![case.report()],
                ..Report::default()
            },
        };
        let outcome = report.scenarios[0].outcome;
        assert!(
            matches!(outcome, Outcome::Failed | Outcome::Broken),
            "{} ended {outcome:?}",
            file.display()
        );
        let stem = file.file_stem().unwrap().to_str().unwrap();
        insta::assert_snapshot!(stem, golden(report, root));
    }
}
