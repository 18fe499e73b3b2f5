//! `cargo xtask explain`: what a configuration makes of tokens.

use std::fs::File;
use std::io::{BufReader, BufWriter, stdout};
use std::process::ExitCode;

use miette::{IntoDiagnostic, WrapErr};

use super::Ended;
use crate::cli::ExplainArgs;

/// Answers a batch of cases, one line each.
pub fn run(args: &ExplainArgs) -> Ended {
    let file = File::open(&args.batch)
        .into_diagnostic()
        .wrap_err_with(|| format!("cannot read {}", args.batch.display()))?;
    let out = BufWriter::new(stdout().lock());
    authlab_authn::batch::run(BufReader::new(file), out).into_diagnostic()?;
    Ok(ExitCode::SUCCESS)
}
