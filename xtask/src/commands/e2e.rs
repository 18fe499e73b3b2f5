//! `cargo xtask e2e` and `cargo xtask diff`: scenarios, run and reported.

use std::io::{IsTerminal, stdout};
use std::num::NonZero;
use std::path::Path;
use std::process::ExitCode;

use authlab_lab::checkout::Checkout;
use authlab_lab::lifecycle;
use authlab_lab::source::nearest;
use authlab_lab::state::BackendKind;
use authlab_scenario::report::{Report, junit, live::Live, style::Style, terminal};
use authlab_scenario::suite::{self, Options};
use authlab_scenario::{Case, diff};
use miette::{IntoDiagnostic, WrapErr, miette};
use tokio_util::sync::CancellationToken;

use super::{Ended, prepare_tools, runtime};
use crate::cli::{DiffArgs, E2eArgs};
use crate::terminal as driver;

/// `cargo xtask e2e`
pub fn run(args: &E2eArgs) -> Ended {
    let checkout = Checkout::here();
    let cases = select(&checkout, &args.filter, args.lab.as_deref())?;
    let kind = BackendKind::from(args.backend);
    let to_stdout = args.json.as_deref() == Some(Path::new("-"));
    let report = runtime()?.block_on(async {
        let cancel = cancel_on_signal()?;
        suite_on(
            &checkout, &cases, kind, args.jobs, args.keep, to_stdout, &cancel,
        )
        .await
    })?;
    if let Some(file) = &args.junit {
        write(file, &junit::render(&report))?;
    }
    if let Some(file) = &args.json {
        if to_stdout {
            driver::line(format_args!("{}", report.json()));
        } else {
            write(file, &report.json())?;
        }
    }
    if args.keep {
        driver::note("the labs stay up: `cargo xtask status`, `cargo xtask down`");
    }
    Ok(ExitCode::from(report.exit_code()))
}

/// `cargo xtask diff`
pub fn diff(args: &DiffArgs) -> Ended {
    let checkout = Checkout::here();
    let cases = select(&checkout, &args.filter, None)?;
    let sides = [args.left, args.right].map(BackendKind::from);
    let reports = runtime()?.block_on(async {
        let cancel = cancel_on_signal()?;
        let mut reports = Vec::new();
        for kind in sides {
            driver::note(&format!("{} scenarios on {}", cases.len(), kind.name()));
            reports.push(
                suite_on(
                    &checkout, &cases, kind, args.jobs, false, args.json, &cancel,
                )
                .await?,
            );
        }
        miette::Result::<Vec<Report>>::Ok(reports)
    })?;
    if let Some(cut) = reports.iter().find(|report| report.interrupted) {
        return Ok(ExitCode::from(cut.exit_code()));
    }
    let differences = diff::compare(&reports[0], &reports[1]);
    if args.json {
        driver::line(format_args!(
            "{}",
            serde_json::to_string_pretty(&differences).into_diagnostic()?
        ));
    } else {
        for one in &differences {
            driver::line(format_args!(
                "{}\n  {}\n    {:<9} {}\n    {:<9} {}",
                one.place,
                one.what,
                sides[0].name(),
                one.left,
                sides[1].name(),
                one.right
            ));
        }
        driver::line(format_args!(
            "{} scenarios compared, {} differences",
            cases.len(),
            differences.len()
        ));
    }
    Ok(if differences.is_empty() {
        ExitCode::SUCCESS
    } else {
        ExitCode::from(1)
    })
}

/// Runs `cases`, shows them as they end (on standard error when results go to standard output).
async fn suite_on(
    checkout: &Checkout,
    cases: &[Case],
    backend: BackendKind,
    jobs: Option<usize>,
    keep: bool,
    quiet: bool,
    cancel: &CancellationToken,
) -> miette::Result<Report> {
    prepare_tools(backend).await?;
    for gone in lifecycle::reap(checkout) {
        driver::note(&format!("removed what a dead {gone} had left"));
    }
    let cores = std::thread::available_parallelism().map_or(1, NonZero::get);
    let options = Options {
        backend,
        jobs: jobs.unwrap_or(cores),
        keep,
    };
    let report = if quiet {
        suite::all(
            checkout,
            cases,
            options,
            &|_: &authlab_scenario::Event<'_>| {},
            cancel,
        )
        .await
    } else {
        let style = Style::detect(stdout().is_terminal());
        let live = Live::new(stdout(), style, std::io::stderr().is_terminal());
        let report = suite::all(checkout, cases, options, &live, cancel).await;
        driver::print(format_args!("{}", terminal::render(&report, style)));
        report
    };
    Ok(report)
}

/// A first Ctrl-C or SIGTERM ends the run in good order; a second one is not waited for.
fn cancel_on_signal() -> miette::Result<CancellationToken> {
    let cancel = CancellationToken::new();
    let first = lifecycle::stop_signal().into_diagnostic()?;
    let told = cancel.clone();
    tokio::spawn(async move {
        first.await;
        driver::note("stopping: labs are being ended");
        told.cancel();
    });
    Ok(cancel)
}

/// The cases whose file contains one of the filters, on the labs asked for.
fn select(checkout: &Checkout, filter: &[String], lab: Option<&str>) -> miette::Result<Vec<Case>> {
    let mut cases = authlab_scenario::list(checkout.root());
    let known: Vec<String> = cases
        .iter()
        .flat_map(|c| [c.file().to_owned(), c.lab().to_owned()])
        .collect();
    cases.retain(|case| {
        (filter.is_empty()
            || filter.iter().any(|part| {
                case.file().contains(part.as_str()) || case.id().contains(part.as_str())
            }))
            && lab.is_none_or(|lab| case.lab() == lab)
    });
    if cases.is_empty() {
        let asked = filter
            .iter()
            .map(String::as_str)
            .chain(lab)
            .collect::<Vec<_>>()
            .join(" ");
        let near = nearest(&asked, known.iter().map(String::as_str));
        return Err(match near {
            Some(near) => miette!(
                help = format!("did you mean `{near}`?"),
                "no scenario matches `{asked}`"
            ),
            None => miette!(
                help = "scenarios lie below scenarios/",
                "no scenario matches `{asked}`"
            ),
        });
    }
    Ok(cases)
}

fn write(file: &Path, text: &str) -> miette::Result<()> {
    if let Some(folder) = file.parent() {
        std::fs::create_dir_all(folder).into_diagnostic()?;
    }
    std::fs::write(file, text)
        .into_diagnostic()
        .wrap_err_with(|| format!("cannot write {}", file.display()))
}
