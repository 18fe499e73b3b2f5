//! The lab host as a process in the background: how the driver starts one, and what it runs.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, Write};
use std::os::fd::AsFd;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};
use tokio::time::timeout;

use crate::backend::LabError;
use crate::bundle::{self, Bundle, Subject};
use crate::checkout::Checkout;
use crate::folder::{Folder, LABEL};
use crate::host::{Host, Unstarted, system};
use crate::interrupt::Signals;
use crate::obituary;
use crate::plan::Plan;
use crate::state::BackendKind;
use crate::told::Told;

/// The hidden subcommand by which the driver starts itself again as a lab host.
pub const HOST_COMMAND: &str = "__host";
/// How long a host may take to end what it has started so far.
const END_BOUND: Duration = Duration::from_secs(20);
/// How many lines of a host's log are shown when it goes away without a word.
const LAST_LINES: usize = 12;

/// What the lab host tells the driver on its standard output: one line, once.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) enum Outcome {
    /// The lab runs.
    Ready,
    /// It does not, and nothing of it is left.
    Failed(Told),
}

/// A host whose lab does not run yet.
pub(crate) struct Starting {
    child: Child,
    log: File,
}

/// Starts a host that takes over the folder: its standard input is the folder's lock, with the plan
/// in it, so that there is no moment at which nobody holds the lock.
///
/// # Errors
/// As the system says; the folder is gone then.
pub(crate) fn spawn(
    checkout: &Checkout,
    kind: BackendKind,
    plan: &Plan,
    folder: Folder,
) -> io::Result<Starting> {
    let path = folder.path().to_owned();
    let logs = path.join("logs");
    std::fs::create_dir_all(&logs)?;
    let log = OpenOptions::new()
        .read(true)
        .append(true)
        .create(true)
        .mode(0o600)
        .open(logs.join("host.log"))?;
    let mut lock = folder.lock()?;
    lock.set_len(0)?;
    lock.write_all(&serde_json::to_vec(plan)?)?;
    let id = path.file_name().unwrap_or_default();
    // Not `current_exe`: that path is gone once cargo has built the program anew.
    let child = Command::new("/proc/self/exe")
        .arg0("authlab-host")
        .args([HOST_COMMAND, "--backend", kind.name(), "--id"])
        .arg(id)
        .env(LABEL, &path)
        // Else glibc keeps an arena for nearly every thread, and more and more of what was freed
        // (mallopt(3): setting the threshold keeps it from growing).
        .env("MALLOC_ARENA_MAX", "2")
        .env("MALLOC_TRIM_THRESHOLD_", "131072")
        .current_dir(checkout.root())
        .stdin(lock)
        .stdout(Stdio::piped())
        .stderr(log.try_clone()?)
        // Ctrl-C at the driver's terminal is for the driver.
        .process_group(0)
        .spawn()?;
    folder.leave();
    Ok(Starting { child, log })
}

impl Starting {
    /// Waits for the host's one line; `Err` tells how a host ended that said nothing.
    pub(crate) async fn outcome(&mut self) -> Result<Outcome, String> {
        let mut line = String::new();
        if let Some(stdout) = self.child.stdout.take() {
            // A host that cannot be read has gone away.
            let _ = BufReader::new(stdout).read_line(&mut line).await;
        }
        let outcome = serde_json::from_str(&line).map_err(|error| error.to_string());
        if matches!(outcome, Ok(Outcome::Ready)) {
            return outcome;
        }
        let ended = self.child.wait().await;
        outcome.map_err(|error| match (line.is_empty(), ended) {
            (true, Ok(status)) => status.to_string(),
            (true, Err(error)) => error.to_string(),
            (false, _) => format!("it said what this version does not know: {error}"),
        })
    }

    /// Asks the host to end what it has started, and kills one that does not.
    pub(crate) async fn end(&mut self) {
        let pid = self.child.id().and_then(|pid| i32::try_from(pid).ok());
        if let Some(pid) = pid.and_then(Pid::from_raw) {
            // It may have ended in the meantime.
            let _ = kill_process(pid, Signal::TERM);
        }
        if timeout(END_BOUND, self.child.wait()).await.is_err() {
            // Nothing is left to be done about one that cannot be killed.
            let _ = self.child.kill().await;
        }
    }

    /// The last lines of the host's log, each after a line break.
    pub(crate) fn log(&mut self) -> String {
        let mut text = String::new();
        let read = self
            .log
            .rewind()
            .and_then(|()| self.log.read_to_string(&mut text));
        let lines: Vec<&str> = text.lines().filter(|_| read.is_ok()).collect();
        lines[lines.len().saturating_sub(LAST_LINES)..]
            .iter()
            .map(|line| format!("\n{line}"))
            .collect()
    }
}

/// The lab host itself: takes over folder and plan from standard input, runs its lab until asked to
/// stop, told by a signal, or a component dies.
///
/// # Errors
/// When the driver is not the one that started it; a component's death is kept as an [`obituary`].
pub async fn host_main(checkout: &Checkout, kind: BackendKind, id: &str) -> Result<(), LabError> {
    // First, so that from here on a signal ends this in good order.
    let mut signals = Signals::listen().map_err(system("cannot listen for signals"))?;
    let (folder, plan) = take_over(checkout, id).map_err(system("cannot take over the lab"))?;
    let started = tokio::select! {
        started = Host::start_in(folder, checkout, kind, plan) => started,
        () = signals.next() => return Ok(()),
    };
    let host = match started {
        Ok(host) => host,
        Err(Unstarted { why, folder }) => {
            if let (Some(folder), true) = (&folder, why.is_of_the_machine()) {
                let bundle = evidence(folder.path(), &why).await;
                keep(checkout, id, bundle);
            }
            drop(folder);
            tell(&Outcome::Failed(Told::of(&why)));
            return Ok(());
        }
    };
    tell(&Outcome::Ready);
    let over = tokio::select! {
        over = host.over() => over,
        () = signals.next() => None,
    };
    let Some(error) = over else {
        host.stop().await;
        return Ok(());
    };
    // First: it has to be known of a lab that is gone why it went.
    let told = Told::of(&error);
    let written = obituary::write(checkout, id, &told);
    let bundle = evidence(host.folder(), &error).await;
    host.stop().await;
    // Where the disk was full, the lab has just made room.
    let written = written.or_else(|_| obituary::write(checkout, id, &told));
    keep(checkout, id, bundle);
    written.map_err(system("cannot write why the lab ended"))
}

async fn evidence(folder: &Path, why: &LabError) -> Bundle {
    bundle::lab(Subject {
        folder: folder.to_owned(),
        plan: None,
        why: why.to_string(),
    })
    .await
}

/// Keeps what was to be seen of a lab that is gone. It is told of all the same when that fails.
fn keep(checkout: &Checkout, id: &str, bundle: Bundle) {
    if let Err(error) = obituary::keep(checkout, id, bundle) {
        tracing::warn!(%id, %error, "what the lab has left cannot be kept");
    }
}

fn take_over(checkout: &Checkout, id: &str) -> io::Result<(Folder, Plan)> {
    let mut lock = File::from(io::stdin().as_fd().try_clone_to_owned()?);
    // Nobody that this process starts may come to hold the lock.
    rustix::stdio::dup2_stdin(File::open("/dev/null")?)?;
    lock.rewind()?;
    let mut text = Vec::new();
    lock.read_to_end(&mut text)?;
    let plan = serde_json::from_slice(&text)?;
    Ok((Folder::adopt(&checkout.labs().join(id), lock)?, plan))
}

/// One line to the driver, which may be gone; later output goes to the log.
fn tell(outcome: &Outcome) {
    let mut out = io::stdout();
    if let Ok(mut line) = serde_json::to_vec(outcome) {
        line.push(b'\n');
        let _ = out.write_all(&line).and_then(|()| out.flush());
    }
    let _ = rustix::stdio::dup2_stdout(rustix::stdio::stderr());
}
