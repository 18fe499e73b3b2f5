//! `cargo xtask test`: every test, by nextest where it is installed; then the examples in comments,
//! which nextest does not run.

use std::ffi::OsStr;
use std::process::ExitCode;

use duct::cmd;
use miette::IntoDiagnostic;

use super::Ended;
use crate::cli::TestArgs;
use crate::terminal;

/// Runs unit tests, integration tests and every scenario on the embedded backend.
pub fn run(args: &TestArgs) -> Ended {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let installed = cmd(&cargo, ["nextest", "--version"])
        .stdout_null()
        .stderr_null()
        .unchecked()
        .run()
        .is_ok_and(|output| output.status.success());
    let mut words = if installed {
        terminal::note("running the tests by cargo nextest");
        vec!["nextest", "run", "--workspace"]
    } else {
        terminal::note("cargo nextest is not installed: running the tests by cargo test");
        vec!["test", "--workspace", "--all-targets"]
    };
    words.extend(args.args.iter().map(String::as_str));
    let mut held = holds(&cargo, words)?;
    // Arguments choose among the tests above.
    if args.args.is_empty() {
        held &= holds(&cargo, vec!["test", "--quiet", "--workspace", "--doc"])?;
    }
    Ok(ExitCode::from(u8::from(!held)))
}

fn holds(cargo: &OsStr, words: Vec<&str>) -> miette::Result<bool> {
    let output = cmd(cargo, words).unchecked().run().into_diagnostic()?;
    Ok(output.status.success())
}
