//! What the driver itself writes: errors, and what is under way.

#![expect(clippy::print_stderr, reason = "this is the driver's own voice")]

use std::io::IsTerminal;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};
use tracing_subscriber::EnvFilter;

/// Sets up logging (`-v`, `-vv` or `AUTHLAB_LOG`) and the look of error reports.
pub fn init(verbose: u8) {
    let level = match verbose {
        0 => "warn",
        1 => "authlab=debug,info",
        _ => "trace",
    };
    let filter = EnvFilter::try_from_env("AUTHLAB_LOG").unwrap_or_else(|_| EnvFilter::new(level));
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal())
        .init();
}

/// Shows an error on standard error.
pub fn report(report: &miette::Report) {
    eprintln!("{report:?}");
}

/// One line for people, on standard error.
pub fn note(text: &str) {
    eprintln!("{text}");
}

/// Text on standard output. A reader that has gone away (`| head`) ends the program in good order.
pub fn print(text: impl std::fmt::Display) {
    use std::io::Write;
    let mut out = std::io::stdout().lock();
    if write!(out, "{text}").and_then(|()| out.flush()).is_err() {
        std::process::exit(0);
    }
}

/// A line on standard output.
pub fn line(text: impl std::fmt::Display) {
    print(format_args!("{text}\n"));
}

/// Something that takes a while: a spinner on a terminal, a line elsewhere.
pub fn under_way(what: &str) -> ProgressBar {
    if !std::io::stderr().is_terminal() {
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
