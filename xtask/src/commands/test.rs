//! `cargo xtask test`: every test, by nextest where it is installed.

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
    let output = cmd(&cargo, words).unchecked().run().into_diagnostic()?;
    Ok(match output.status.code() {
        Some(0) => ExitCode::SUCCESS,
        _ => ExitCode::from(1),
    })
}
