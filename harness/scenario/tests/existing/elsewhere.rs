//! A cluster that somebody else has made, with pods: `ci/elsewhere` makes one by kind, whose API
//! server trusts [`ISSUERS`] and the checkout's CA, and names it by `AUTHLAB_KUBECONFIG`.

use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

use authlab_lab::backend::existing::{Found, Target, look};
use authlab_lab::checkout::Checkout;
use authlab_lab::host::Host;
use authlab_lab::images::Origin;
use authlab_lab::kubernetes::Kubernetes;
use authlab_lab::plan::Plan;
use authlab_lab::state::BackendKind;
use authlab_scenario::report::style::Style;
use authlab_scenario::report::{Outcome, Report, terminal};
use authlab_scenario::suite::{self, Options};
use authlab_scenario::{Silent, list};
use miette::Diagnostic as _;
use reqwest::Method;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use super::{Admin, namespace};

/// Whom the cluster's API server was told to trust, by the labs that bring them.
const ISSUERS: [(&str, &str); 2] = [
    ("dex", "https://127.0.0.1:30556/dex"),
    ("keycloak", "https://127.0.0.1:30443/realms/company"),
];
/// From when a provider has ended to the end of the lab.
const SOON: Duration = Duration::from_secs(10);

fn cluster() -> Target {
    Target::named(None, None).expect("AUTHLAB_KUBECONFIG names the cluster's kubeconfig")
}

async fn found() -> Found {
    look(&cluster()).await.expect("the cluster can be used")
}

async fn run(checkout: &Checkout, part: &str) -> (Report, String) {
    let options = Options {
        backend: BackendKind::Existing,
        kubernetes: Kubernetes::default(),
        images: Origin::default(),
        existing: Some(found().await),
        jobs: 1,
        keep: false,
    };
    let cases: Vec<_> = list(checkout.root())
        .into_iter()
        .filter(|case| case.id().starts_with(part))
        .collect();
    let cancel = CancellationToken::new();
    let report = suite::all(checkout, &cases, options, Arc::new(Silent), &cancel).await;
    let text = terminal::render(&report, Style::PLAIN);
    let counts = report.counts();
    assert_eq!(
        (counts.failed, counts.broken, counts.not_run),
        (0, 0, 0),
        "{text}"
    );
    (report, text)
}

/// A lab there; its administrator.
async fn lab(checkout: &Checkout, name: &str, of: &str) -> (Host, Admin) {
    let plan = Plan::load(checkout.root(), of).expect("a lab file");
    let id = format!("{name}-{}", std::process::id());
    let plan = plan.in_cluster(cluster());
    let host = Host::start(checkout, BackendKind::Existing, plan, &id).await;
    let host = host.expect("a lab starts in the cluster");
    let admin = Admin::of(host.state());
    (host, admin)
}

/// What of any lab is there, seen through another one's gate.
async fn left(admin: &Admin) -> Vec<Value> {
    let mut left = Vec::new();
    for path in [
        "/api/v1/namespaces",
        "/apis/rbac.authorization.k8s.io/v1/clusterroles",
        "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings",
        "/apis/certificates.k8s.io/v1/certificatesigningrequests",
    ] {
        let path = format!("{path}?labelSelector=authlab.dev%2Flab");
        let (status, list) = admin.get(&path).await;
        assert_eq!(status, 200, "{list}");
        left.extend(list["items"].as_array().cloned().unwrap_or_default());
    }
    left
}

fn outcome<'a>(report: &'a Report, id: &str) -> (Outcome, &'a str) {
    let found = report.scenarios.iter().find(|one| one.id == id);
    let found = found.expect("a scenario of that name");
    (found.outcome, found.skipped.as_deref().unwrap_or_default())
}

/// The files of this checkout, its CA with them, with a lab file that says whom the cluster trusts.
fn trusting(root: &Path) -> Checkout {
    let here = Checkout::here();
    here.authority().expect("the lab's CA");
    std::fs::create_dir_all(root.join(".authlab")).expect("a folder");
    for (from, to) in [
        (here.root().join("fixtures"), root.to_owned()),
        (here.root().join("scenarios"), root.to_owned()),
        (here.private().join("pki"), root.join(".authlab")),
    ] {
        let copied = Command::new("cp").arg("-r").arg(from).arg(to).status();
        assert!(copied.expect("cp").success());
    }
    for (lab, issuer) in ISSUERS {
        let file = root.join(format!("fixtures/labs/{lab}.yaml"));
        let text = std::fs::read_to_string(&file).expect("the lab file");
        let text = text.replace("    config:", &format!("    issuer: {issuer}\n    config:"));
        let trusts = format!("apiServer:\n  trusts: [{lab}]\n");
        let text = text.replace("apiServer:\n", &trusts);
        std::fs::write(file, text).expect("a lab file");
    }
    Checkout::at(root)
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "wants a cluster: `ci/elsewhere` makes one"]
async fn what_it_trusts_signs_people_in() {
    let root = tempfile::tempdir().expect("a folder");
    let (report, text) = run(&trusting(root.path()), "dex::").await;
    for id in ["dex::dex::authorization-code", "dex::dex::refresh"] {
        assert_eq!(outcome(&report, id).0, Outcome::Passed, "{text}");
    }
    let (outcome, why) = outcome(&report, "dex::dex::rotated-keys");
    assert_eq!(outcome, Outcome::NotRun, "{text}");
    assert!(why.contains("configured anew"), "{why}");
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "wants a cluster: `ci/elsewhere` makes one"]
async fn a_keycloak_that_it_trusts_signs_people_in() {
    let root = tempfile::tempdir().expect("a folder");
    let (report, text) = run(&trusting(root.path()), "keycloak::keycloak::").await;
    for name in ["groups-become-kubernetes-groups", "direct-access-off"] {
        let id = format!("keycloak::keycloak::{name}");
        assert_eq!(outcome(&report, &id).0, Outcome::Passed, "{text}");
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "wants a cluster: `ci/elsewhere` makes one"]
async fn a_provider_that_ends_ends_its_lab() {
    let here = Checkout::here();
    let (host, admin) = lab(&here, "dies", "keycloak").await;
    let folder = host.folder().to_owned();
    let (_, pods) = admin
        .get("/api/v1/pods?labelSelector=authlab.dev%2Flab")
        .await;
    let namespace = pods["items"][0]["metadata"]["namespace"].as_str();
    let mut kubectl = Command::new("kubectl");
    kubectl.arg("--kubeconfig").arg(folder.join("kubeconfig"));
    kubectl.args(["exec", "-n", namespace.expect("a pod")]);
    kubectl.args(["providers", "-c", "keycloak", "--", "sh", "-c", "kill 1"]);
    let killed = kubectl.output().expect("kubectl");
    assert!(killed.status.success(), "{killed:?}");
    let begun = Instant::now();
    let over = tokio::time::timeout(SOON, host.over()).await;
    let why = over.expect("in time").expect("a reason");
    let said = format!("{why}\n{}", why.help().expect("what to do"));
    for words in ["keycloak ended in the cluster: exit code 143", "stopped in"] {
        assert!(said.contains(words), "after {:?}: {said}", begun.elapsed());
    }
    host.stop().await;
    let (host, admin) = lab(&here, "deleted", "dex").await;
    let (_, pods) = admin
        .get("/api/v1/pods?labelSelector=authlab.dev%2Flab")
        .await;
    let namespace = pods["items"][0]["metadata"]["namespace"].as_str();
    let pod = format!(
        "/api/v1/namespaces/{}/pods/providers",
        namespace.expect("a pod")
    );
    admin.ask(Method::DELETE, &pod, None).await;
    let over = tokio::time::timeout(SOON, host.over()).await;
    let why = over.expect("in time").expect("a reason").to_string();
    assert!(why.contains("somebody has deleted their pod"), "{why}");
    host.stop().await;
    let (last, admin) = lab(&here, "last", "plain").await;
    assert_eq!(left(&admin).await, Vec::<Value>::new());
    last.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "wants a cluster: `ci/elsewhere` makes one"]
async fn without_trust_a_provider_still_answers_for_itself() {
    let here = Checkout::here();
    let (report, text) = run(&here, "keycloak::keycloak::alone").await;
    assert_eq!(report.counts().passed, 1, "{text}");
    let (report, text) = run(&here, "dex::dex::").await;
    let alone = outcome(&report, "dex::dex::alone").0;
    assert_eq!(alone, Outcome::Passed, "{text}");
    let (outcome, why) = outcome(&report, "dex::dex::authorization-code");
    assert_eq!(outcome, Outcome::NotRun, "{text}");
    assert!(why.contains("does not trust"), "{why}");
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "wants a cluster: `ci/elsewhere` makes one"]
async fn two_labs_at_once_and_nothing_is_left_of_either() {
    let here = Checkout::here();
    let (one, two) = tokio::join!(lab(&here, "one", "dex"), lab(&here, "two", "dex"));
    let ((one, admin), (two, other)) = (one, two);
    let issuers: Vec<String> = [&one, &two]
        .iter()
        .map(|lab| lab.state().identity_providers["dex"].issuer.clone())
        .collect();
    assert_ne!(issuers[0], issuers[1]);
    let made = other
        .post("/api/v1/namespaces", namespace("of-the-second"))
        .await;
    assert_eq!(made.0, 201);
    let (status, _) = admin
        .ask(Method::DELETE, "/api/v1/namespaces/of-the-second", None)
        .await;
    assert_eq!(status, 501);
    one.stop().await;
    assert_eq!(other.get("/api/v1/namespaces/of-the-second").await.0, 200);
    let http = authlab_pki::http::client(&two.state().certificate_authority).expect("a client");
    let url = format!("{}/.well-known/openid-configuration", issuers[1]);
    let answer = http.get(url).send().await.expect("the other one answers");
    assert!(answer.status().is_success());
    // As when its host is killed.
    drop(two);
    let (last, admin) = lab(&here, "last", "plain").await;
    assert_eq!(left(&admin).await, Vec::<Value>::new());
    last.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "wants a cluster: `ci/elsewhere` makes one"]
async fn programs_run_in_the_labs_own_pods_only() {
    let (host, admin) = lab(&Checkout::here(), "exec", "dex").await;
    let folder = host.folder().to_owned();
    let pods = "/api/v1/pods?labelSelector=authlab.dev%2Flab";
    let (_, pods) = admin.get(pods).await;
    let ours = pods["items"][0]["metadata"].clone();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let exec = |namespace: String, pod: String, container: &'static str| {
        let mut kubectl = Command::new("kubectl");
        kubectl.arg("--kubeconfig").arg(folder.join("kubeconfig"));
        kubectl.args(["exec", "-n", &namespace, &pod, "-c", container, "--"]);
        kubectl
            .args(["etcd", "--version"])
            .output()
            .expect("kubectl")
    };
    let ran = exec(text(&ours["namespace"]), text(&ours["name"]), "etcd");
    let said = String::from_utf8_lossy(&ran.stdout).into_owned();
    assert!(said.contains("etcd Version"), "{ran:?}");
    let (_, pods) = admin
        .get("/api/v1/namespaces/kube-system/pods?labelSelector=component%3Detcd")
        .await;
    let theirs = text(&pods["items"][0]["metadata"]["name"]);
    let ran = exec("kube-system".to_owned(), theirs, "etcd");
    assert!(!ran.status.success(), "{ran:?}");
    host.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "wants a cluster: `ci/elsewhere` makes one"]
async fn an_image_that_is_nowhere_is_told_soon() {
    let mut target = cluster();
    target
        .images
        .insert("dex".to_owned(), "dex.invalid/dex:none".to_owned());
    let here = Checkout::here();
    let plan = Plan::load(here.root(), "dex")
        .expect("a lab file")
        .in_cluster(target);
    let id = format!("no-image-{}", std::process::id());
    let started = Host::start(&here, BackendKind::Existing, plan, &id).await;
    let error = started.err().expect("no lab").to_string();
    assert!(error.contains("dex (dex.invalid/dex:none)"), "{error}");
    let (last, admin) = lab(&here, "last", "plain").await;
    assert_eq!(left(&admin).await, Vec::<Value>::new());
    last.stop().await;
}

/// Only so that the lane's cluster is what the tests take it for.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "wants a cluster: `ci/elsewhere` makes one"]
async fn its_nodes_have_the_images() {
    let found = found().await;
    let has: Vec<&str> = found.images.keys().map(String::as_str).collect();
    assert_eq!(json!(has), json!(["dex", "etcd", "keycloak"]), "{found:?}");
}
