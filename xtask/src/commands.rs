//! The commands, a file each (those on labs share one).

pub mod bench;
pub mod convert;
pub mod doctor;
pub mod e2e;
pub mod existing;
pub mod explain;
pub mod images;
pub mod labs;
pub mod lint;
pub mod report;
pub mod schema;
pub mod test;
pub mod tidy;
pub mod tooling;

use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use authlab_lab::backend;
use authlab_lab::checkout::Checkout;
use authlab_lab::exec::find;
use authlab_lab::images::Origin;
use authlab_lab::kubernetes::Kubernetes;
use authlab_lab::source::nearest;
use authlab_lab::state::BackendKind;
use authlab_lab::tools::{self, Terminal};
use authlab_lab::{images as containers, interrupt, lifecycle};
use clap::CommandFactory;
use miette::{IntoDiagnostic, WrapErr, miette};
use tokio_util::sync::CancellationToken;

use crate::terminal;

/// How a command ends: with an exit code, or with a report and exit code 2.
pub type Ended = miette::Result<ExitCode>;

/// How long what runs in the background may take to end when a command has ended.
const FAREWELL: Duration = Duration::from_secs(1);

/// A runtime for the commands that talk to labs.
pub fn runtime() -> miette::Result<tokio::runtime::Runtime> {
    tokio::runtime::Runtime::new().into_diagnostic()
}

/// Runs a command that Ctrl-C and SIGTERM end in good order; a second one is not waited for.
pub fn interruptible<T>(
    command: impl AsyncFnOnce(CancellationToken) -> miette::Result<T>,
) -> miette::Result<T> {
    let runtime = runtime()?;
    let ended = runtime.block_on(async {
        let cancel = interrupt::token(|| terminal::note("stopping")).into_diagnostic()?;
        command(cancel).await
    });
    runtime.shutdown_timeout(FAREWELL);
    ended
}

/// The exit code of a command that was told to stop.
pub fn interrupted() -> ExitCode {
    ExitCode::from(interrupt::INTERRUPTED)
}

/// Makes sure that what a backend starts is built; says what is under way.
pub async fn prepare_tools(
    kind: BackendKind,
    kubernetes: Kubernetes,
    origin: Origin,
) -> miette::Result<()> {
    let (checkout, progress) = (Checkout::here(), Terminal::stderr());
    let mut needed = match kind {
        BackendKind::Embedded | BackendKind::Existing => return Ok(()),
        BackendKind::Process => vec![tools::ETCD, tools::DEX, tools::kubernetes(kubernetes)],
        BackendKind::Kind => vec![tools::KIND],
    };
    // People's own programs, for scenarios that run them and for who works beside a lab.
    let missing = |program| find(checkout.root(), program).is_none();
    if missing("kubelogin") {
        needed.push(tools::KUBELOGIN);
    }
    // Official images leave nothing else to build.
    if kind == BackendKind::Kind && missing("kubectl") {
        needed.push(tools::kubernetes(kubernetes));
    }
    tools::ensure(checkout.root(), &needed, &progress).await?;
    if kind == BackendKind::Kind {
        backend::kind::runner(&progress).await?;
        let all = &containers::ALL;
        let images = containers::ensure(checkout.root(), all, kubernetes, origin, &progress);
        for image in images.await? {
            terminal::note(&format!("image {}: {}", image.kind.name(), image.origin));
        }
    }
    Ok(())
}

/// Removes what dead labs left, and says so.
pub async fn reap(checkout: &Checkout, next: BackendKind) {
    for gone in lifecycle::reap(checkout, Some(next)).await {
        terminal::note(&format!("removed what a dead {gone} had left"));
    }
}

/// Says what components take in their files and a person may not have meant.
pub fn warn(warnings: &[String]) {
    for warning in warnings {
        terminal::note(&format!("warning: {warning}"));
    }
}

/// Whether a result asked for as `FILE` goes to standard output.
pub fn is_stdout(file: Option<&Path>) -> bool {
    file == Some(Path::new("-"))
}

/// Makes sure, before anything is run, that a result can be written to `file`.
pub fn check_writable(file: Option<&Path>) -> miette::Result<()> {
    let Some(file) = file.filter(|file| !is_stdout(Some(file))) else {
        return Ok(());
    };
    let what = || format!("cannot write {}", file.display());
    if file.is_dir() {
        return Err(miette!(
            help = "name a file in it",
            "{}: it is a folder",
            what()
        ));
    }
    if let Some(folder) = file.parent() {
        std::fs::create_dir_all(folder)
            .into_diagnostic()
            .wrap_err_with(what)?;
    }
    Ok(())
}

/// Writes a result to `file`, or to standard output for `-`.
pub fn write(file: &Path, text: &str) -> miette::Result<()> {
    if is_stdout(Some(file)) {
        terminal::line(text.trim_end());
        return Ok(());
    }
    std::fs::write(file, text)
        .into_diagnostic()
        .wrap_err_with(|| format!("cannot write {}", file.display()))
}

/// Prints a completion script.
pub fn completions(shell: clap_complete::Shell) -> Ended {
    let driver = crate::cli::Cli::command();
    // Some scripts would offer hidden commands.
    let shown = driver.get_subcommands().filter(|one| !one.is_hide_set());
    let mut command = clap::Command::new("xtask")
        .subcommands(shown.cloned())
        .args(driver.get_arguments().cloned());
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut command, "xtask", &mut script);
    terminal::print(String::from_utf8_lossy(&script));
    Ok(ExitCode::SUCCESS)
}

/// What is said of a name that is not among those known.
pub fn unknown<'a>(
    message: String,
    name: &str,
    known: impl IntoIterator<Item = &'a str>,
) -> miette::Report {
    let known: Vec<&str> = known.into_iter().collect();
    let help = match nearest(name, known.iter().copied()) {
        Some(near) => format!("did you mean `{near}`?"),
        None => format!("there are: {}", known.join(", ")),
    };
    miette!(help = help, "{message}")
}
