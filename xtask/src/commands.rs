//! The commands, a file each (those on labs share one).

pub mod e2e;
pub mod explain;
pub mod labs;
pub mod test;
pub mod tidy;

use std::process::ExitCode;

use authlab_lab::state::BackendKind;
use clap::CommandFactory;
use miette::IntoDiagnostic;

/// How a command ends: with an exit code, or with a report and exit code 2.
pub type Ended = miette::Result<ExitCode>;

/// The exit code of a run that was interrupted (128 + SIGINT).
pub const INTERRUPTED: u8 = 130;

/// A runtime for the commands that talk to labs.
pub fn runtime() -> miette::Result<tokio::runtime::Runtime> {
    tokio::runtime::Runtime::new().into_diagnostic()
}

/// Makes sure that what a backend starts is built; says what is under way.
pub async fn prepare_tools(kind: BackendKind) -> miette::Result<()> {
    match kind {
        BackendKind::Embedded => Ok(()),
        BackendKind::Process => Ok(()),
    }
}

/// Prints a completion script.
pub fn completions(shell: clap_complete::Shell) -> Ended {
    let mut command = crate::cli::Cli::command();
    clap_complete::generate(shell, &mut command, "cargo-xtask", &mut std::io::stdout());
    Ok(ExitCode::SUCCESS)
}
