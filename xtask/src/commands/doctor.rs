//! `cargo xtask doctor`: what this machine can run, on one screen.

use std::io::{IsTerminal, stdout};
use std::process::ExitCode;

use authlab_lab::checkout::Checkout;
use authlab_lab::doctor::{self, Level, Report, ThisMachine};
use authlab_scenario::report::style::Style;
use miette::IntoDiagnostic;

use super::Ended;
use crate::cli::DoctorArgs;
use crate::terminal;

/// `cargo xtask doctor`
pub fn run(args: &DoctorArgs) -> Ended {
    if args.runtime {
        terminal::print(doctor::RUNTIME);
        return Ok(ExitCode::SUCCESS);
    }
    let report = doctor::examine(Checkout::here().root(), &ThisMachine);
    if args.json {
        terminal::line(serde_json::to_string_pretty(&report).into_diagnostic()?);
    } else {
        terminal::print(text(&report, Style::detect(stdout().is_terminal())));
    }
    Ok(ExitCode::from(if report.default_runs() { 0 } else { 2 }))
}

/// What can run first, then what was found, what keeps something from running last: nearest to the
/// prompt.
fn text(report: &Report, style: Style) -> String {
    let mut text = String::from("this machine can run\n");
    for verdict in &report.backends {
        let (answer, why) = match verdict.ready {
            true => (style.good("yes"), verdict.why.clone()),
            false => (style.bad("no "), format!("see {}", verdict.why)),
        };
        text.push_str(&format!("  {:<10} {answer}  {why}\n", verdict.backend));
    }
    text.push_str("\nit has\n");
    for level in [Level::Good, Level::Note, Level::Amiss] {
        for finding in report.findings.iter().filter(|one| one.level == level) {
            let (mark, id) = match level {
                Level::Good => (style.good("+"), String::new()),
                Level::Note => (style.strange("?"), String::new()),
                Level::Amiss => (style.bad("!"), format!("{}: ", finding.id)),
            };
            text.push_str(&format!("  {mark} {id}{}\n", finding.what));
            if let Some(help) = &finding.help {
                text.push_str(&format!("      {}\n", style.faint(help)));
            }
        }
    }
    text
}
