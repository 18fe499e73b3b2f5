//! `cargo xtask bench`: what takes how long, measured side by side in one run.

mod chart;
mod cold;
mod embedded;
mod kind;
mod process;
mod series;

use std::num::NonZero;
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

use authlab_lab::checkout::Checkout;
use authlab_lab::control::{self, By, Configure, Request, Response};
use authlab_lab::host::Host;
use authlab_lab::images::Origin;
use authlab_lab::kubernetes::Kubernetes;
use authlab_lab::lifecycle;
use authlab_lab::plan::{self, Authentication, Plan};
use authlab_lab::state::BackendKind;
use authlab_scenario::report::{Outcome, ScenarioReport, StepReport};
use authlab_scenario::suite::{self, Options};
use authlab_scenario::{Case, Silent};
use miette::{IntoDiagnostic, WrapErr, miette};
use tokio_util::sync::CancellationToken;

use self::series::Series;
use super::{Ended, prepare_tools, reap, runtime};
use crate::cli::BenchArgs;
use crate::terminal;

/// How many scenarios are many.
const MANY: usize = 100;

/// `cargo xtask bench`
pub fn run(args: &BenchArgs) -> Ended {
    let checkout = Checkout::here();
    let text = runtime()?.block_on(async {
        let mut out = head();
        let embedded = embedded::measure(&checkout, args.runs).await?;
        out.push_str(&table("`embedded`", &embedded));
        for (wanted, backend) in [
            (args.process || args.kind, BackendKind::Process),
            (args.kind, BackendKind::Kind),
        ] {
            if wanted {
                prepare_tools(backend, Kubernetes::default(), Origin::default()).await?;
            }
        }
        // First of what has a Keycloak: one that this process has used stays until it ends.
        let mut kind = String::new();
        if args.kind {
            let measured = kind::measure(&checkout, args.runs.min(3)).await?;
            kind = table("`kind`", &measured.series) + &measured.text;
        }
        if args.process {
            let (series, ratio) = process::measure(&checkout, args.runs.min(5)).await?;
            out.push_str(&table("`process`", &series));
            out.push_str(&ratio);
        }
        out.push_str(&kind);
        if args.cold {
            out.push_str(&table("Compilation", &[cold::measure(&checkout).await?]));
        }
        miette::Result::<String>::Ok(out)
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

fn head() -> String {
    let cores = std::thread::available_parallelism().map_or(1, NonZero::get);
    let build = if cfg!(debug_assertions) {
        "development"
    } else {
        "release"
    };
    format!(
        "# Benchmarks\n\nWritten by `cargo xtask bench --write`, to which `--process`, `--kind` and `--cold` add their \
         parts; {cores} cores, {build} build. Times depend on the machine: what counts is how they relate \
         within one run.\n"
    )
}

fn table(title: &str, series: &[Series]) -> String {
    let mut out = format!(
        "\n## {title}\n\n| what | runs | median | least | most | goal |\n\
         |---|---|---|---|---|---|\n"
    );
    for one in series {
        out.push_str(&one.row());
    }
    out
}

/// So many of the cases, from the first on again where there are fewer.
fn some(cases: &[Case], number: usize) -> Vec<Case> {
    cases.iter().cycle().take(number).cloned().collect()
}

/// Runs the cases, which must all hold, on labs of which `jobs` run at once (as many as usual), and
/// answers with their steps.
async fn suite(
    checkout: &Checkout,
    cases: &[Case],
    backend: BackendKind,
    jobs: Option<usize>,
) -> miette::Result<Vec<StepReport>> {
    let mut options = Options::of(backend);
    options.jobs = jobs.unwrap_or(options.jobs);
    let cancel = CancellationToken::new();
    let report = suite::all(checkout, cases, options, Arc::new(Silent), &cancel).await;
    let failed = report
        .scenarios
        .iter()
        .find(|one| matches!(one.outcome, Outcome::Failed | Outcome::Broken));
    if let Some(failed) = failed {
        return Err(did_not_hold(failed, backend));
    }
    let steps = report.scenarios.into_iter().flat_map(|one| one.steps);
    Ok(steps.collect())
}

/// A time is worth nothing where a scenario did not hold: says which one, and why.
fn did_not_hold(report: &ScenarioReport, backend: BackendKind) -> miette::Report {
    let mut why: Vec<String> = report.fault.clone().into_iter().collect();
    for step in &report.steps {
        let said = [&step.fault, &step.reason].into_iter().flatten();
        why.extend(said.map(|said| format!("{}: {said}", step.summary)));
        why.extend(step.rows.iter().filter(|row| !row.holds).map(|row| {
            format!(
                "{}: {}: expected {}, seen {}",
                step.summary, row.what, row.expected, row.seen
            )
        }));
    }
    miette!(
        help = format!("cargo xtask e2e --backend {} {}", backend.name(), report.id),
        "{} did not hold, so nothing was measured\n{}",
        report.id,
        why.join("\n")
    )
}

/// Products, how steps of logins there end in words, and what a login is to take at most.
const LOGINS: [(&str, &str, &str); 2] = [
    ("Dex", " at dex by password", "under 150 ms"),
    ("Keycloak", " at keycloak by password", "under 500 ms"),
];

/// How long logins with a password took, by provider; beside something else they are held to no goal.
fn logins(runs: &[Vec<StepReport>], beside: Option<&str>) -> Vec<Series> {
    let mut all = Vec::new();
    for (product, ending, goal) in LOGINS {
        let what = format!("login by password at {product}");
        let mut series = match beside {
            Some(beside) => Series::new(&format!("{what}, beside {beside}"), ""),
            None => Series::new(&what, goal),
        };
        let steps = runs.iter().flatten().filter(|step| step.verb == "login");
        for step in steps.filter(|step| step.summary.ends_with(ending)) {
            #[expect(clippy::cast_precision_loss, reason = "a duration of a login")]
            series.push(step.milliseconds as f64);
        }
        all.push(series);
    }
    all.retain(|series| !series.is_empty());
    all
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

/// Gives the API server of a lab `forge` one of two authentication files, by turns; answers with the
/// time until it is in force.
async fn reload(checkout: &Checkout, host: &Host, turn: usize) -> miette::Result<Duration> {
    let files = [
        "kubernetes/forge-and-stranger.yaml",
        "kubernetes/forge.yaml",
    ];
    let config = plan::fixture(checkout.root(), Path::new(files[turn % 2]))?;
    let wanted = Configure {
        authentication: Authentication {
            config: Some(config),
            ..Authentication::default()
        },
        by: By::Auto,
        cluster: None,
    };
    let begun = Instant::now();
    let answer = control::call(&host.state().socket, &Request::Configure(wanted)).await;
    let elapsed = begun.elapsed();
    match answer {
        Ok(Response::InForce) => Ok(elapsed),
        other => Err(miette!("the file did not come into force: {other:?}")),
    }
}

/// Ends the lab of that id.
async fn down(checkout: &Checkout, id: &str) -> miette::Result<()> {
    for entry in lifecycle::list(checkout).iter().filter(|one| one.id == id) {
        lifecycle::down(entry).await?;
    }
    Ok(())
}
