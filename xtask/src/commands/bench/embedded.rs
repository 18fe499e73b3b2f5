//! What the embedded backend takes.

use std::time::Instant;

use authlab_lab::checkout::Checkout;
use authlab_lab::lifecycle;
use authlab_lab::plan::Plan;
use authlab_lab::state::BackendKind;
use miette::{IntoDiagnostic, WrapErr, miette};
use tokio_util::sync::CancellationToken;

use super::series::Series;
use super::{MANY, down, logins, some, start, suite};

const KIND: BackendKind = BackendKind::Embedded;

pub async fn measure(checkout: &Checkout, runs: usize) -> miette::Result<Vec<Series>> {
    let mut up = Series::new("lab `dex` up, key pool warm", "under 100 ms");
    let mut down = Series::new("lab `dex` down", "");
    // The first one fills the key pool.
    start(checkout, KIND, "dex", "bench-warm")
        .await?
        .stop()
        .await;
    for run in 0..runs {
        let begun = Instant::now();
        let host = start(checkout, KIND, "dex", &format!("bench-{run}")).await?;
        up.since(begun);
        let begun = Instant::now();
        host.stop().await;
        down.since(begun);
    }
    let reload = reload(checkout, runs).await?;
    let cases = authlab_scenario::list(checkout.root());
    let mut few = Series::new("25 scenarios, one lab each", "under 3 s");
    let mut many = Series::new("100 scenarios, one lab each", "under 10 s");
    let mut steps = Vec::new();
    for _ in 0..runs.min(5) {
        for (series, number) in [(&mut few, 25), (&mut many, MANY)] {
            let begun = Instant::now();
            steps.push(suite(checkout, &some(&cases, number), KIND, None).await?);
            series.since(begun);
        }
    }
    let mut all = vec![up, down, reload, few, many];
    all.extend(logins(&steps, None));
    all.push(memory(checkout).await?);
    Ok(all)
}

/// The time from asking for another authentication file until it is in force.
async fn reload(checkout: &Checkout, runs: usize) -> miette::Result<Series> {
    let mut series = Series::new("changed authentication file in force", "under 50 ms");
    let host = start(checkout, KIND, "forge", "bench-reload").await?;
    for run in 0..runs {
        series.lasted(super::reload(checkout, &host, run).await?);
    }
    host.stop().await;
    Ok(series)
}

/// The resident memory of a lab host of its own, with everything of the lab in it.
async fn memory(checkout: &Checkout) -> miette::Result<Series> {
    let mut series = Series::new("memory of one lab host, lab `dex`", "under 60 MB").unit("MB");
    let plan = Plan::load(checkout.root(), "dex")?;
    let id = "bench-memory";
    let cancel = CancellationToken::new();
    let state = lifecycle::up(checkout, KIND, &plan, id, &cancel).await?;
    let file = format!("/proc/{}/status", state.host.pid);
    let status = std::fs::read_to_string(&file)
        .into_diagnostic()
        .wrap_err(file)?;
    down(checkout, id).await?;
    let kilobytes: Option<f64> = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))
        .and_then(|rest| rest.split_whitespace().next()?.parse().ok());
    series.push(kilobytes.ok_or_else(|| miette!("no VmRSS in the host's status"))? / 1000.0);
    Ok(series)
}
