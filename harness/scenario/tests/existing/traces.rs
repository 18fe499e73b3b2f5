//! What a lab leaves in the cluster: nothing, however it ends.

use std::sync::Arc;

use authlab_lab::checkout::Checkout;
use authlab_lab::images::Origin;
use authlab_lab::kubernetes::Kubernetes;
use authlab_lab::state::BackendKind;
use authlab_scenario::report::style::Style;
use authlab_scenario::report::{Outcome, terminal};
use authlab_scenario::suite::{self, Options};
use authlab_scenario::{Silent, list};
use tokio_util::sync::CancellationToken;

use super::{Admin, ROLES, cluster, cluster_role, found, lab, namespace};

#[tokio::test(flavor = "multi_thread")]
async fn what_can_run_passes_the_rest_is_counted_with_its_reason_and_nothing_is_left() {
    let there = cluster("suite").await;
    let admin = Admin::of(there.state());
    let before = admin.everything().await;
    let checkout = Checkout::here();
    let cases: Vec<_> = list(checkout.root())
        .into_iter()
        .filter(|case| {
            [
                "scenarios/rbac/",
                "scenarios/dex/",
                "scenarios/tokens/",
                "scenarios/reload/",
            ]
            .iter()
            .any(|part| case.file().starts_with(part))
        })
        // The driver runs programs by itself as a helper, which this test is not.
        .filter(|case| {
            let text = std::fs::read_to_string(checkout.root().join(case.file()));
            !text.expect("a file").contains("- exec:")
        })
        .collect();
    let options = Options {
        backend: BackendKind::Existing,
        kubernetes: Kubernetes::default(),
        images: Origin::default(),
        existing: Some(found(&there).await),
        jobs: 1,
        keep: false,
    };
    let cancel = CancellationToken::new();
    let report = suite::all(&checkout, &cases, options, Arc::new(Silent), &cancel).await;
    let text = terminal::render(&report, Style::PLAIN);
    let counts = report.counts();
    assert!(counts.passed >= 5, "{text}");
    assert_eq!(
        (counts.failed, counts.broken, counts.not_run),
        (0, 0, 0),
        "{text}"
    );
    assert_eq!(counts.passed + counts.ignored, cases.len(), "{text}");
    let of = |id: &str| {
        let found = report.scenarios.iter().find(|one| one.id == id);
        found.expect("a scenario of that name")
    };
    for (id, why) in [
        ("dex::dex::authorization-code", "does not trust"),
        ("forge::reload::metrics", "authentication cannot be changed"),
        ("plain::rbac::system-masters", "`system:masters`"),
        ("plain::rbac::groups", "no client certificates"),
    ] {
        let one = of(id);
        assert_eq!(one.outcome, Outcome::NotRun, "{id}");
        let said = one.skipped.as_deref().unwrap_or_default();
        assert!(said.contains(why), "{id}: {said}");
    }
    assert_eq!(of("plain::rbac::who-may-ask").outcome, Outcome::Passed);
    let after = admin.everything().await;
    for place in after.keys() {
        assert!(before.contains_key(place), "{place} is left");
    }
    for (place, object) in &before {
        assert_eq!(Some(object), after.get(place), "{place} is not as it was");
    }
    there.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lab_that_was_not_ended_is_cleared_away_with_its_folder() {
    let there = cluster("dropped").await;
    let admin = Admin::of(there.state());
    let before = admin.everything().await;
    let dying = lab("dropped", &there).await;
    let through = Admin::of(dying.state());
    assert_eq!(
        through
            .post("/api/v1/namespaces", namespace("of-the-lab"))
            .await
            .0,
        201
    );
    assert_eq!(through.post(ROLES, cluster_role("of-the-lab")).await.0, 201);
    let (_, made) = admin.get(&format!("{ROLES}/of-the-lab")).await;
    let label = made["metadata"]["labels"]["authlab.dev/lab"]
        .as_str()
        .expect("a label");
    assert!(label.starts_with("existing-dropped-"), "{label}");
    let folder = dying.folder().to_owned();
    // As when the host panics.
    drop(dying);
    assert!(!folder.exists());
    assert_eq!(before, admin.everything().await);
    there.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cluster_that_is_gone_does_not_lose_what_is_to_be_cleared_away() {
    let there = cluster("gone").await;
    let dying = lab("gone", &there).await;
    let through = Admin::of(dying.state());
    assert_eq!(
        through
            .post("/api/v1/namespaces", namespace("of-the-lab"))
            .await
            .0,
        201
    );
    let folder = dying.folder().to_owned();
    there.stop().await;
    drop(dying);
    assert!(folder.join("existing.json").exists());
    std::fs::remove_dir_all(folder).expect("as the message says");
}

#[tokio::test(flavor = "multi_thread")]
async fn two_labs_in_one_cluster_leave_each_other_alone() {
    let there = cluster("two").await;
    let admin = Admin::of(there.state());
    let before = admin.everything().await;
    let (first, second) = tokio::join!(lab("first", &there), lab("second", &there));
    let of = |host: &authlab_lab::host::Host| Admin::of(host.state());
    for (lab, name) in [(&first, "of-the-first"), (&second, "of-the-second")] {
        let made = of(lab).post("/api/v1/namespaces", namespace(name)).await;
        assert_eq!(made.0, 201);
        assert_eq!(of(lab).post(ROLES, cluster_role(name)).await.0, 201);
    }
    // What is another lab's is nobody's.
    let theirs = "/api/v1/namespaces/of-the-second";
    let (status, _) = of(&first).ask(reqwest::Method::DELETE, theirs, None).await;
    assert_eq!(status, 501);
    first.stop().await;
    assert_eq!(admin.get("/api/v1/namespaces/of-the-first").await.0, 404);
    assert_eq!(admin.get(&format!("{ROLES}/of-the-first")).await.0, 404);
    assert_eq!(admin.get(theirs).await.0, 200);
    assert_eq!(admin.get(&format!("{ROLES}/of-the-second")).await.0, 200);
    second.stop().await;
    assert_eq!(before, admin.everything().await);
    there.stop().await;
}
