//! `cargo xtask e2e` and `cargo xtask diff`: scenarios, run and reported.

use std::io::{IsTerminal, stderr, stdout};
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;

use authlab_lab::bundle::Bundle;
use authlab_lab::checkout::Checkout;
use authlab_lab::kubernetes::Kubernetes;
use authlab_lab::state::BackendKind;
use authlab_scenario::report::{Report, annotations, junit, live::Live, style::Style, terminal};
use authlab_scenario::suite::{self, Options};
use authlab_scenario::{Case, Silent, choose, diff};
use miette::IntoDiagnostic;
use tokio_util::sync::CancellationToken;

use super::report as results;
use super::{
    Ended, check_writable, existing, interrupted, interruptible, is_stdout, prepare_tools, reap,
    runtime, warn, write,
};
use crate::cli::{DiffArgs, E2eArgs};
use crate::terminal as driver;

/// `cargo xtask e2e`
pub fn run(args: &E2eArgs) -> Ended {
    if args.list {
        return list(args);
    }
    let files = [args.junit.as_deref(), args.json.as_deref()];
    let checkout = Checkout::here();
    let mut evidence = Bundle::new(checkout.private());
    let report = interruptible(async |cancel| {
        let cases = choose(checkout.root(), &args.filter, args.lab.as_deref())?;
        for file in files {
            check_writable(file)?;
        }
        let backend = args.backend.into();
        let kubernetes = args.kubernetes.wanted_on(&[backend])?;
        let mut options = options(backend, kubernetes, args.jobs, args.keep);
        options.images = args.images.wanted();
        options.existing = tokio::select! {
            found = existing::cluster(options.backend, &args.cluster) => found?,
            () = cancel.cancelled() => None,
        };
        if options.existing.is_some() {
            // They share the cluster: one at a time, so that none sees what another does.
            options.jobs = 1;
        }
        let quiet = files.into_iter().any(is_stdout);
        suite_on(&checkout, &cases, options, quiet, &mut evidence, &cancel).await
    })?;
    warn(&report.warnings);
    let failed = matches!(report.exit_code(), 1 | 2);
    results::keep(&checkout, &report);
    if args.bundle.is_some() || failed {
        archive(&checkout, &report, evidence, args.bundle.as_deref());
    }
    let views: [fn(&Report) -> String; 2] = [junit::render, Report::json];
    for (file, view) in files.iter().zip(views) {
        if let Some(file) = file {
            write(file, &view(&report))?;
        }
    }
    if args.matrix && !files.into_iter().any(is_stdout) {
        let style = Style::detect(stdout().is_terminal());
        driver::print(terminal::matrices(&report, style));
    }
    if args.annotations || std::env::var_os("GITHUB_ACTIONS").is_some_and(|on| on == "true") {
        let commands = annotations::render(&report);
        // The runner reads both streams; a result on standard output stays whole.
        if files.into_iter().any(is_stdout) {
            driver::note(commands.trim_end());
        } else {
            driver::print(commands);
        }
    }
    if args.keep {
        driver::note("the labs stay up: `cargo xtask status`, `cargo xtask down`");
    }
    Ok(ExitCode::from(report.exit_code()))
}

/// `cargo xtask e2e --list`
fn list(args: &E2eArgs) -> Ended {
    let cases = choose(Checkout::here().root(), &args.filter, args.lab.as_deref())?;
    let backend = BackendKind::from(args.backend);
    let kubernetes = args.kubernetes.wanted_on(&[backend])?;
    let found = runtime()?.block_on(existing::cluster(backend, &args.cluster))?;
    let width = cases.iter().map(|case| case.id().len()).max().unwrap_or(0);
    for case in &cases {
        let note = match case.unfit_for(backend, kubernetes, found.as_ref()) {
            _ if case.scenario().is_err() => "  cannot be read".to_owned(),
            Some(why) => format!("  ignored: {why}"),
            None => String::new(),
        };
        driver::line(format_args!("{:<width$}  {}{note}", case.id(), case.file()));
    }
    Ok(ExitCode::SUCCESS)
}

/// `cargo xtask diff`
pub fn diff(args: &DiffArgs) -> Ended {
    let sides = [args.left, args.right].map(BackendKind::from);
    let checkout = Checkout::here();
    let mut evidence = Bundle::new(checkout.private());
    let reports = interruptible(async |cancel| {
        let cases = choose(checkout.root(), &args.filter, None)?;
        check_writable(args.junit.as_deref())?;
        let kubernetes = args.kubernetes.wanted_on(&sides)?;
        let mut reports = Vec::new();
        for kind in sides {
            let version = kind.kubernetes(kubernetes).version();
            let (number, name) = (cases.len(), kind.name());
            driver::note(&format!(
                "{number} scenarios on {name} (Kubernetes {version})"
            ));
            let options = options(kind, kubernetes, args.jobs, false);
            let report = suite_on(
                &checkout,
                &cases,
                options,
                args.json,
                &mut evidence,
                &cancel,
            )
            .await?;
            if report.interrupted {
                return Ok(None);
            }
            reports.push(report);
        }
        Ok(Some(reports))
    })?;
    let Some([left, right]) = reports.as_deref() else {
        return Ok(interrupted());
    };
    if let Some(file) = &args.junit {
        write(file, &junit::render(right))?;
    }
    let failed = |report: &&Report| matches!(report.exit_code(), 1 | 2);
    if let Some(failed) = [right, left].into_iter().find(failed) {
        archive(&checkout, failed, evidence, None);
    }
    let differences = diff::compare(left, right);
    if args.json {
        let json = serde_json::to_string_pretty(&differences).into_diagnostic()?;
        driver::line(json);
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
        let ignored = diff::ignored(left, right);
        let compared = left.scenarios.len().saturating_sub(ignored);
        let ignored = match ignored {
            0 => String::new(),
            some => format!(" ({some} are ignored on a side)"),
        };
        driver::line(format_args!(
            "{compared} scenarios compared{ignored}, {} differences",
            differences.len()
        ));
    }
    Ok(ExitCode::from(diff::exit_code(left, right, &differences)))
}

/// Leaves what was to be seen of a run. What failed is told all the same.
fn archive(checkout: &Checkout, report: &Report, seen: Bundle, file: Option<&Path>) {
    let file = results::archive(checkout, report, file);
    match results::bundle(checkout, report, seen, &file) {
        Ok(()) => driver::note(&format!("results and logs: {}", file.display())),
        Err(error) => driver::note(&format!("cannot write {}: {error}", file.display())),
    }
}

fn options(
    backend: BackendKind,
    kubernetes: Kubernetes,
    jobs: Option<usize>,
    keep: bool,
) -> Options {
    let usual = Options::of(backend);
    Options {
        kubernetes,
        jobs: jobs.unwrap_or(usual.jobs),
        keep,
        ..usual
    }
}

/// Runs `cases` and shows them as they end, unless results go to standard output.
async fn suite_on(
    checkout: &Checkout,
    cases: &[Case],
    options: Options,
    quiet: bool,
    evidence: &mut Bundle,
    cancel: &CancellationToken,
) -> miette::Result<Report> {
    tokio::select! {
        ready = prepare_tools(options.backend, options.kubernetes, options.images) => ready?,
        () = cancel.cancelled() => {}
    }
    reap(checkout, options.backend).await;
    if quiet {
        return Ok(suite::watched(
            checkout,
            cases,
            options,
            Arc::new(Silent),
            Some(evidence),
            cancel,
        )
        .await);
    }
    let style = Style::detect(stdout().is_terminal());
    let live = Arc::new(Live::new(stdout(), style, stderr().is_terminal()));
    let report = suite::watched(checkout, cases, options, live, Some(evidence), cancel).await;
    driver::print(terminal::render(&report, style));
    Ok(report)
}
