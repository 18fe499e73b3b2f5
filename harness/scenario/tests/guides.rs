//! The guides under `docs/guides/` keep their word: the files that they print are written into a copy of the fixtures,
//! the scenarios among them are run, and what they show of a report is in it.
//!
//! A block opens with its kind and a path, "yaml scenarios/a/b.yaml"; the word `fails` behind it says that the scenario
//! must fail, and the next block of kind `text` is then part of the report.

#![expect(clippy::unwrap_used, reason = "helpers of tests")]

use std::fs;
use std::path::Path;
use std::sync::Arc;

use authlab_lab::checkout::Checkout;
use authlab_lab::images::Origin;
use authlab_lab::kubernetes::Kubernetes;
use authlab_lab::plan::Plan;
use authlab_lab::state::BackendKind;
use authlab_scenario::report::style::Style;
use authlab_scenario::report::{Outcome, ScenarioReport, terminal};
use authlab_scenario::{Silent, cases, suite};
use tokio_util::sync::CancellationToken;

/// A block of a guide.
struct Block {
    kind: String,
    path: String,
    fails: bool,
    text: String,
}

fn blocks(guide: &str) -> Vec<Block> {
    let mut blocks = Vec::new();
    let mut lines = guide.lines();
    while let Some(line) = lines.next() {
        let Some(info) = line.strip_prefix("```") else {
            continue;
        };
        let mut words = info.split_whitespace().map(str::to_owned);
        let kind = words.next().unwrap_or_default();
        let path = words.next().unwrap_or_default();
        let fails = words.next().as_deref() == Some("fails");
        let text: Vec<&str> = lines.by_ref().take_while(|line| *line != "```").collect();
        let text = text.join("\n") + "\n";
        blocks.push(Block {
            kind,
            path,
            fails,
            text,
        });
    }
    blocks
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let to = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &to);
        } else {
            fs::copy(entry.path(), to).unwrap();
        }
    }
}

fn write(root: &Path, path: &str, text: &str) {
    let path = root.join(path);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
}

async fn run(root: &Path, path: &str) -> ScenarioReport {
    let options = suite::Options {
        backend: BackendKind::Embedded,
        kubernetes: Kubernetes::default(),
        images: Origin::default(),
        existing: None,
        jobs: 1,
        keep: false,
    };
    let cancel = CancellationToken::new();
    let cases = cases(root, Path::new(path));
    assert_eq!(cases.len(), 1, "{path}");
    let mut report = suite::all(
        &Checkout::at(root),
        &cases,
        options,
        Arc::new(Silent),
        &cancel,
    )
    .await;
    report.scenarios.remove(0)
}

async fn guide(name: &str) {
    let here = Checkout::here();
    let text = fs::read_to_string(here.root().join("docs/guides").join(name)).unwrap();
    // Labs listen on sockets, whose paths are short.
    let copied = tempfile::tempdir().unwrap();
    let root = copied.path();
    copy(&here.root().join("fixtures"), &root.join("fixtures"));
    let blocks = blocks(&text);
    for block in blocks.iter().filter(|block| !block.path.is_empty()) {
        write(root, &block.path, &block.text);
    }
    let mut tried = 0;
    for (index, block) in blocks.iter().enumerate() {
        if !block.path.starts_with("scenarios/") {
            continue;
        }
        tried += 1;
        let report = run(root, &block.path).await;
        let told = terminal::failure(&report, Style::PLAIN);
        if !block.fails {
            assert_eq!(report.outcome, Outcome::Passed, "{told}");
            continue;
        }
        assert_eq!(report.outcome, Outcome::Failed, "{told}");
        let shown = blocks[index..].iter().find(|block| block.kind == "text");
        for line in shown.expect("the guide shows the report").text.lines() {
            assert!(told.contains(line), "not in the report: {line}\n{told}");
        }
    }
    assert!(tried > 0, "{name} has no scenario");
}

#[tokio::test(flavor = "multi_thread")]
async fn your_own_keycloak_export() {
    guide("keycloak-export.md").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn reading_a_refusal() {
    guide("reading-a-refusal.md").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn paletteai_sign_in() {
    guide("paletteai-sign-in.md").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn jumpstarter_sign_in() {
    guide("jumpstarter-sign-in.md").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn broken_providers() {
    guide("broken-providers.md").await;
}

/// Its scenarios are for a cluster of the reader's; its lab file is one that can be read.
#[test]
fn existing_cluster() {
    let here = Checkout::here();
    let text = fs::read_to_string(here.root().join("docs/guides/existing-cluster.md")).unwrap();
    let copied = tempfile::tempdir().unwrap();
    let root = copied.path();
    let write = |path: &str, text: &str| write(root, path, text);
    let authority = authlab_pki::Authority::generate("corp").unwrap();
    write(
        "fixtures/certificates/corp.pem",
        authority.certificate_pem(),
    );
    let blocks = blocks(&text);
    let marked: Vec<&Block> = blocks
        .iter()
        .filter(|block| !block.path.is_empty())
        .collect();
    for block in &marked {
        write(&block.path, &block.text);
    }
    assert_eq!(marked.len(), 1);
    let plan = Plan::load(root, "corp").unwrap();
    assert!(plan.providers.contains_key("corp"));
}

/// A guide about something else than this crate has no scenario; one that has is run above.
#[test]
fn every_guide_with_a_scenario_is_run() {
    let tests = include_str!("guides.rs");
    let folder = Checkout::here().root().join("docs/guides");
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let text = fs::read_to_string(&path).unwrap();
        let has = blocks(&text)
            .iter()
            .any(|block| block.path.starts_with("scenarios/"));
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        let run = tests.contains(&format!("guide(\"{name}\")"));
        assert_eq!(has, run, "{name}");
    }
}
