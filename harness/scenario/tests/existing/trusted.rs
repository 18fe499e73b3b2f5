//! A cluster that trusts an issuer already: the lab file says which.

use std::path::Path;
use std::sync::Arc;

use authlab_lab::backend::existing::look;
use authlab_lab::checkout::Checkout;
use authlab_lab::host::Host;
use authlab_lab::images::Origin;
use authlab_lab::kubernetes::Kubernetes;
use authlab_lab::plan::Plan;
use authlab_lab::state::{BackendKind, State};
use authlab_scenario::report::{Outcome, style::Style, terminal};
use authlab_scenario::suite::{self, Options};
use authlab_scenario::{Silent, list};
use tokio_util::sync::CancellationToken;

use super::target;

const LABS: &str = "fixtures/labs";

/// A checkout with one lab, `corp`, whose Dex is that of `there`, and a scenario for it.
fn checkout(root: &Path, there: &State, trusts: &str) -> Checkout {
    let issuer = &there.identity_providers["dex"].issuer;
    for folder in [LABS, "fixtures/manifests", "scenarios"] {
        std::fs::create_dir_all(root.join(folder)).expect("a folder");
    }
    let lab = format!(
        "description: the company's Dex and its cluster\n\
         identityProviders:\n  corp:\n    kind: dex\n    issuer: {issuer}\n    \
         certificateAuthority: corp.pem\n    client: {{ id: kube }}\n    users:\n      \
         jane: {{ login: jane@example.com, password: jane-password }}\n{trusts}"
    );
    let here = Checkout::here();
    let scenario = "name: jane of the company may edit in a namespace, and no elsewhere\nlab: corp\nsteps:\n  \
        - apply: { manifest: manifests/dev-team.yaml }\n  \
        - login: { idp: corp, grant: authorization_code, user: jane, as: jane }\n  \
        - whoami: { as: jane, expect: { username: \"dex:jane@example.com\", groups: { contains: [\"dex:dev\"] } } }\n  \
        - can: { as: jane, verb: create, resource: pods, namespace: \"${lab.namespace}\", expect: allowed }\n  \
        - can: { as: jane, verb: create, resource: pods, namespace: kube-system, expect: denied }\n";
    let manifest = std::fs::read(here.root().join("fixtures/manifests/dev-team.yaml"));
    for (path, text) in [
        ("fixtures/labs/corp.yaml", lab.into_bytes()),
        (
            "fixtures/corp.pem",
            there.certificate_authority.clone().into_bytes(),
        ),
        ("scenarios/corp.yaml", scenario.as_bytes().to_vec()),
        (
            "fixtures/manifests/dev-team.yaml",
            manifest.expect("a manifest"),
        ),
    ] {
        std::fs::write(root.join(path), text).expect("a file");
    }
    Checkout::at(root)
}

#[tokio::test(flavor = "multi_thread")]
async fn people_log_in_through_it_and_without_that_word_they_are_ignored() {
    let here = Checkout::here();
    let plan = Plan::load(here.root(), "dex").expect("a lab file");
    let id = format!("cluster-trusting-{}", std::process::id());
    let there = Host::start(&here, BackendKind::Embedded, plan, &id)
        .await
        .expect("a cluster");
    let found = look(&target(&there.state().api_server.kubeconfig))
        .await
        .expect("a look");
    for (trusts, outcome) in [
        ("apiServer: { trusts: [corp] }\n", Outcome::Passed),
        ("", Outcome::NotRun),
    ] {
        let root = tempfile::tempdir().expect("a folder");
        let checkout = checkout(root.path(), there.state(), trusts);
        let options = Options {
            backend: BackendKind::Existing,
            kubernetes: Kubernetes::default(),
            images: Origin::default(),
            existing: Some(found.clone()),
            jobs: 1,
            keep: false,
        };
        let cases = list(checkout.root());
        let report = suite::all(
            &checkout,
            &cases,
            options,
            Arc::new(Silent),
            &CancellationToken::new(),
        )
        .await;
        let text = terminal::render(&report, Style::PLAIN);
        assert_eq!(report.scenarios[0].outcome, outcome, "{text}");
        // Nothing that ran is no success.
        assert_eq!(
            report.exit_code() == 0,
            outcome == Outcome::Passed,
            "{text}"
        );
    }
    there.stop().await;
}

#[test]
fn a_lab_file_cannot_have_it_both_ways() {
    let root = tempfile::tempdir().expect("a folder");
    std::fs::create_dir_all(root.path().join(LABS)).expect("a folder");
    let mut said = String::new();
    for text in [
        "identityProviders:\n  a: { kind: dex, issuer: \"http://dex.example\" }\n",
        "identityProviders:\n  a: { kind: dex, issuer: \"https://dex.example\", config: dex/config.yaml }\n",
        "identityProviders:\n  a: { kind: keycloak, issuer: \"https://127.0.0.1:30443/company\", config: keycloak/realm.json }\n",
        "identityProviders:\n  a: { kind: forge, issuer: \"https://dex.example\" }\n",
        "identityProviders:\n  a: { kind: forge, certificateAuthority: corp.pem }\n",
        "identityProviders:\n  a: { kind: forge }\napiServer: { trusts: [a] }\n",
        "identityProviders:\n  corp: { kind: dex, issuer: \"https://dex.example\" }\napiServer: { trusts: [crop] }\n",
    ] {
        let file = root.path().join(LABS).join("a.yaml");
        std::fs::write(file, format!("description: a lab\n{text}")).expect("a file");
        let error = Plan::load(root.path(), "a").expect_err(text);
        let (line, column) = error.location().unwrap_or_default();
        let help = error.help_text().unwrap_or("-");
        said += &format!("{line}:{column} {error}\n  -> {help}\n");
    }
    insta::assert_snapshot!(said);
}
