//! `cargo xtask bench`: what takes how long, measured side by side in one run.

use std::fmt::Write as _;
use std::num::NonZero;
use std::path::Path;
use std::process::ExitCode;
use std::time::Instant;

use authlab_lab::checkout::Checkout;
use authlab_lab::control::{self, By, Configure, Request, Response};
use authlab_lab::host::Host;
use authlab_lab::plan::{self, Authentication, Plan};
use authlab_lab::state::BackendKind;
use authlab_scenario::suite::{self, Options};
use miette::{IntoDiagnostic, WrapErr, miette};
use tokio_util::sync::CancellationToken;

use super::{Ended, prepare_tools, runtime};
use crate::cli::BenchArgs;
use crate::terminal;

/// Milliseconds of several runs of one thing.
struct Series {
    what: String,
    goal: String,
    runs: Vec<f64>,
}

impl Series {
    fn new(what: &str, goal: &str) -> Self {
        Self {
            what: what.to_owned(),
            goal: goal.to_owned(),
            runs: Vec::new(),
        }
    }

    fn median(&self) -> f64 {
        let mut sorted = self.runs.clone();
        sorted.sort_by(f64::total_cmp);
        sorted.get(sorted.len() / 2).copied().unwrap_or(f64::NAN)
    }

    fn row(&self) -> String {
        let least = self.runs.iter().copied().fold(f64::INFINITY, f64::min);
        let most = self.runs.iter().copied().fold(0.0, f64::max);
        format!(
            "| {} | {} | {:.0} | {least:.0} | {most:.0} | {} |\n",
            self.what,
            self.runs.len(),
            self.median(),
            self.goal
        )
    }
}

/// `cargo xtask bench`
pub fn run(args: &BenchArgs) -> Ended {
    let checkout = Checkout::here();
    let text = runtime()?.block_on(async {
        let mut series = embedded(&checkout, args.runs).await?;
        let mut ratios = String::new();
        if args.process {
            prepare_tools(BackendKind::Process).await?;
            let (bare, dex) = process(&checkout, args.runs.min(5)).await?;
            let _ = writeln!(
                ratios,
                "\nA `process` lab with Dex takes **{:.2} x** the time of etcd, kube-apiserver and \
                 kube-controller-manager alone (goal: at most 1.5 x), both measured in turn.",
                dex.median() / bare.median()
            );
            series.extend([bare, dex]);
        }
        miette::Result::<String>::Ok(page(&series, &ratios))
    })?;
    terminal::print(&text);
    if args.write {
        let file = checkout.root().join("docs/benchmarks.md");
        std::fs::write(&file, text)
            .into_diagnostic()
            .wrap_err("cannot write docs/benchmarks.md")?;
    }
    Ok(ExitCode::SUCCESS)
}

fn page(series: &[Series], ratios: &str) -> String {
    let cores = std::thread::available_parallelism().map_or(1, NonZero::get);
    let build = if cfg!(debug_assertions) {
        "development"
    } else {
        "release"
    };
    let mut out = format!(
        "# Benchmarks\n\nWritten by `cargo xtask bench --process --write`; {cores} cores, {build} \
         build. Times depend on the machine: what counts is how they relate within one run.\n\n\
         | what | runs | median ms | least | most | goal |\n|---|---|---|---|---|---|\n"
    );
    for one in series {
        out.push_str(&one.row());
    }
    out.push_str(ratios);
    out
}

async fn embedded(checkout: &Checkout, runs: usize) -> miette::Result<Vec<Series>> {
    let mut up = Series::new("embedded lab `dex` up, key pool warm", "under 100 ms");
    let mut down = Series::new("embedded lab `dex` down", "");
    let kind = BackendKind::Embedded;
    // The first one fills the key pool.
    start(checkout, kind, "dex", "bench-warm")
        .await?
        .stop()
        .await;
    for run in 0..runs {
        let begun = Instant::now();
        let host = start(checkout, kind, "dex", &format!("bench-{run}")).await?;
        up.runs.push(milliseconds(begun));
        let begun = Instant::now();
        host.stop().await;
        down.runs.push(milliseconds(begun));
    }
    let reload = reload(checkout, runs).await?;
    let mut cases = authlab_scenario::list(checkout.root());
    cases.truncate(25);
    let mut suite = Series::new("25 scenarios, embedded, one lab each", "under 3 s");
    let options = Options {
        backend: kind,
        jobs: std::thread::available_parallelism().map_or(1, NonZero::get),
        keep: false,
    };
    for _ in 0..runs.min(5) {
        let cancel = CancellationToken::new();
        let begun = Instant::now();
        let report = suite::all(
            checkout,
            &cases,
            options,
            &|_: &authlab_scenario::Event<'_>| {},
            &cancel,
        )
        .await;
        suite.runs.push(milliseconds(begun));
        if report.exit_code() != 0 {
            return Err(miette!(
                "a scenario did not hold: run `cargo xtask e2e` first"
            ));
        }
    }
    Ok(vec![up, down, reload, suite])
}

/// The time from asking for another authentication file until it is in force.
async fn reload(checkout: &Checkout, runs: usize) -> miette::Result<Series> {
    let mut series = Series::new(
        "embedded: changed authentication file in force",
        "under 50 ms",
    );
    let host = start(checkout, BackendKind::Embedded, "forge", "bench-reload").await?;
    let files = [
        "kubernetes/forge-and-stranger.yaml",
        "kubernetes/forge.yaml",
    ];
    for run in 0..runs {
        let config = plan::fixture(checkout.root(), Path::new(files[run % 2]))?;
        let wanted = Configure {
            authentication: Authentication {
                config: Some(config),
                ..Authentication::default()
            },
            by: By::Auto,
        };
        let begun = Instant::now();
        let answer = control::call(&host.state().socket, &Request::Configure(wanted)).await;
        series.runs.push(milliseconds(begun));
        if !matches!(answer, Ok(Response::InForce)) {
            return Err(miette!("the file did not come into force: {answer:?}"));
        }
    }
    host.stop().await;
    Ok(series)
}

/// Labs of real components without and with Dex, in turn.
async fn process(checkout: &Checkout, runs: usize) -> miette::Result<(Series, Series)> {
    let mut bare = Series::new(
        "process lab `plain` up: etcd, kube-apiserver, controllers",
        "",
    );
    let mut dex = Series::new("process lab `dex` up: the same and Dex", "at most 1.5 x");
    for run in 0..runs {
        for (series, lab) in [(&mut bare, "plain"), (&mut dex, "dex")] {
            let begun = Instant::now();
            let id = format!("bench-{lab}-{run}");
            let host = start(checkout, BackendKind::Process, lab, &id).await?;
            series.runs.push(milliseconds(begun));
            host.stop().await;
        }
    }
    Ok((bare, dex))
}

async fn start(
    checkout: &Checkout,
    kind: BackendKind,
    lab: &str,
    id: &str,
) -> miette::Result<Host> {
    let plan = Plan::load(checkout.root(), lab)?;
    Ok(Host::start(checkout, kind, plan, id).await?)
}

fn milliseconds(begun: Instant) -> f64 {
    begun.elapsed().as_secs_f64() * 1000.0
}
