//! What the driver itself writes: errors, and what is under way.
//!
//! Nobody has to listen: a reader that has gone away (`| head -1`) changes nothing.

use std::fmt::Display;
use std::io::{IsTerminal, Write, stderr, stdout};
use std::time::Duration;

use authlab_scenario::report::style::Style;
use indicatif::{ProgressBar, ProgressStyle};
use miette::IntoDiagnostic;
use serde::Serialize;
use tracing_subscriber::EnvFilter;

/// Sets up logging (`-v`, `-vv` or `AUTHLAB_LOG`).
pub fn init(verbose: u8) {
    let level = match verbose {
        // What a client of ours makes an error of is told once, by whoever asked.
        0 => "warn,kube_client=off",
        1 => "authlab=debug,info",
        _ => "trace",
    };
    let filter = EnvFilter::try_from_env("AUTHLAB_LOG").unwrap_or_else(|_| EnvFilter::new(level));
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(stderr)
        .with_ansi(Style::detect(stderr().is_terminal()) != Style::PLAIN)
        .log_internal_errors(false)
        .init();
}

/// Shows an error on standard error.
pub fn report(report: &miette::Report) {
    let _ = writeln!(stderr(), "{report:?}");
}

/// One line for people, on standard error.
pub fn note(text: &str) {
    let _ = writeln!(stderr(), "{text}");
}

/// Text on standard output.
pub fn print(text: impl Display) {
    let mut out = stdout().lock();
    let _ = write!(out, "{text}").and_then(|()| out.flush());
}

/// A line on standard output.
pub fn line(text: impl Display) {
    print(format_args!("{text}\n"));
}

/// Data on standard output, for programs.
///
/// # Errors
/// When it is no JSON.
pub fn json(data: &impl Serialize) -> miette::Result<()> {
    line(serde_json::to_string_pretty(data).into_diagnostic()?);
    Ok(())
}

/// Something that takes a while: a spinner on a terminal, a line elsewhere.
pub fn under_way(what: &str) -> ProgressBar {
    if !stderr().is_terminal() {
        note(what);
        return ProgressBar::hidden();
    }
    let bar = ProgressBar::new_spinner().with_message(what.to_owned());
    if let Ok(style) = ProgressStyle::with_template("{spinner} {msg} ({elapsed})") {
        bar.set_style(style);
    }
    bar.enable_steady_tick(Duration::from_millis(100));
    bar
}
