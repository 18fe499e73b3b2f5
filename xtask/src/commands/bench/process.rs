//! What the real components take.

use std::time::Instant;

use authlab_lab::checkout::Checkout;
use authlab_lab::kubernetes::Kubernetes;
use authlab_lab::state::BackendKind;
use authlab_scenario::Case;

use super::series::Series;
use super::{MANY, logins, some, start, suite};

const KIND: BackendKind = BackendKind::Process;

/// Scenarios that log people in with their passwords, and do little else.
const ALONE: [&str; 2] = [
    "dex::dex::alone",
    "jumpstarter::jumpstarter::account-audience",
];

/// Labs of real components without and with Dex, in turn; then scenarios on shared labs.
pub async fn measure(checkout: &Checkout, runs: usize) -> miette::Result<(Vec<Series>, String)> {
    let mut bare = Series::new("lab `plain` up: etcd, kube-apiserver, controllers", "");
    let mut dex = Series::new("lab `dex` up: the same and Dex", "at most 1.5 x");
    for run in 0..runs {
        for (series, lab) in [(&mut bare, "plain"), (&mut dex, "dex")] {
            let begun = Instant::now();
            let id = format!("bench-{lab}-{run}");
            let host = start(checkout, KIND, lab, &id).await?;
            series.since(begun);
            host.stop().await;
        }
    }
    let ratio = format!(
        "\nA `process` lab with Dex takes **{:.2} x** the time of etcd, kube-apiserver and \
         kube-controller-manager alone (goal: at most 1.5 x), both measured in turn.\n",
        dex.median() / bare.median()
    );
    let listed = authlab_scenario::list(checkout.root());
    let mut cases = some(&listed, MANY);
    let capabilities = KIND.capabilities();
    cases.retain(|case| {
        case.unfit(&capabilities, Kubernetes::default().version())
            .is_none()
            && case
                .scenario()
                .is_ok_and(|one| !one.changes_authentication())
    });
    let what = format!(
        "of {MANY} scenarios the {} that change no authentication, on shared labs",
        cases.len()
    );
    let mut many = Series::new(&what, "under 60 s").unit("s");
    let begun = Instant::now();
    let steps = suite(checkout, &cases, KIND, None).await?;
    many.push(begun.elapsed().as_secs_f64());
    let answers = |case: &&Case| ALONE.contains(&case.id());
    let answering: Vec<Case> = listed.iter().filter(answers).cloned().collect();
    let answering = some(&answering, ALONE.len() * runs);
    let quiet = suite(checkout, &answering, KIND, Some(1)).await?;
    let mut all = vec![bare, dex, many];
    all.extend(logins(&[quiet], None));
    all.extend(logins(&[steps], Some("three other labs")));
    Ok((all, ratio))
}
