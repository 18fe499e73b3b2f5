//! Labs that outlive the driver: started in the background, listed, ended, and reaped when stale.

use std::fs::{File, TryLockError};
use std::io::{self, BufRead, BufReader, Read, Write};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use serde::{Deserialize, Serialize};

use crate::backend::LabError;
use crate::checkout::Checkout;
use crate::control::{self, Request};
use crate::host::{HOST_LOCK, Host};
use crate::plan::Plan;
use crate::process;
use crate::state::{BackendKind, STATE_FILE, State, lock_file};
use crate::wait::{Look, until};

/// Every process of a lab carries this variable with the path of the lab's folder, so that what a
/// killed host left behind can be found.
pub const LABEL: &str = "AUTHLAB_LAB";

/// The hidden subcommand by which the driver starts itself again as a lab host.
pub const HOST_COMMAND: &str = "__host";

const DOWN_BOUND: Duration = Duration::from_secs(30);

/// A lab found below `.authlab/labs`.
#[derive(Debug)]
pub struct Entry {
    /// The lab's id.
    pub id: String,
    /// Its folder.
    pub folder: PathBuf,
    /// What its state file says; `None` while it starts.
    pub state: Option<State>,
}

/// What the lab host tells the driver on its standard output: one line, once.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
enum Outcome {
    Ready,
    Failed { report: String },
}

/// A lab that did not come up in the background.
#[derive(Debug, thiserror::Error)]
pub enum UpError {
    /// The host said why, as a report for people.
    #[error("{0}")]
    Failed(String),
    /// The driver was told to stop.
    #[error("interrupted")]
    Interrupted,
    /// The host could not be started or went away.
    #[error("the lab host {what}: {source}")]
    Host {
        /// What happened.
        what: &'static str,
        /// The system's words.
        source: io::Error,
    },
}

/// The labs whose host lives, sorted by id.
#[must_use]
pub fn list(checkout: &Checkout) -> Vec<Entry> {
    let mut entries: Vec<Entry> = folders(checkout)
        .into_iter()
        .filter(|(_, folder)| vacant(folder).is_none())
        .map(|(id, folder)| Entry {
            state: State::read(&folder.join(STATE_FILE)).ok(),
            id,
            folder,
        })
        .collect();
    entries.sort_by(|a, b| a.id.cmp(&b.id));
    entries
}

/// Removes what dead hosts left: processes that carry the lab's label, then the folder. Returns
/// the ids of the labs that were reaped.
pub fn reap(checkout: &Checkout) -> Vec<String> {
    let mut reaped = Vec::new();
    for (id, folder) in folders(checkout) {
        let Some(_lock) = vacant(&folder) else {
            continue;
        };
        kill_labelled(&folder);
        match std::fs::remove_dir_all(&folder) {
            Ok(()) => reaped.push(id),
            Err(error) => tracing::warn!(%id, %error, "a stale lab's folder stays behind"),
        }
    }
    reaped
}

/// Starts a lab host in the background and waits until its lab runs.
///
/// # Errors
/// When the lab does not come up (with the host's own report), or `stop` ends first: in each case
/// the host has cleaned up behind itself.
pub async fn up(
    checkout: &Checkout,
    kind: BackendKind,
    plan: &Plan,
    id: &str,
    stop: impl Future<Output = ()>,
) -> Result<State, UpError> {
    let host = |what| move |source| UpError::Host { what, source };
    let folder = checkout.labs().join(id);
    let mut child = spawn(checkout, kind, plan, id).map_err(host("cannot be started"))?;
    let pid = child.id();
    let told = tokio::task::spawn_blocking(move || hear(&mut child));
    tokio::pin!(told, stop);
    let heard = tokio::select! {
        heard = &mut told => heard,
        () = &mut stop => {
            signal(pid, Signal::TERM);
            let _ = told.await;
            return Err(UpError::Interrupted);
        }
    };
    match heard.map_err(|error| host("cannot be heard")(io::Error::other(error)))? {
        Ok(Outcome::Ready) => State::read(&folder.join(STATE_FILE)).map_err(host("left no state")),
        Ok(Outcome::Failed { report }) => Err(UpError::Failed(report)),
        Err(source) => Err(host("went away")(source)),
    }
}

/// Ends a lab and waits until nothing of it is left.
///
/// # Errors
/// When it is still there after half a minute, killed or not.
pub async fn down(checkout: &Checkout, entry: &Entry) -> Result<(), LabError> {
    let asked = match &entry.state {
        Some(state) => control::call(&state.socket, &Request::Shutdown)
            .await
            .is_ok(),
        None => false,
    };
    let gone = || async {
        match vacant(&entry.folder) {
            Some(_) => Look::Ready(()),
            None => Look::NotYet("its host still runs".to_owned()),
        }
    };
    let what = format!("the end of the lab {}", entry.id);
    if !asked || until(&what, DOWN_BOUND, gone).await.is_err() {
        kill_labelled(&entry.folder);
        until(&what, DOWN_BOUND, gone).await?;
    }
    reap(checkout);
    Ok(())
}

/// The lab host itself: reads a plan from standard input, runs its lab until asked to stop, told
/// by a signal, or a component dies.
///
/// # Errors
/// When the lab cannot be started or a component dies.
pub async fn host_main(checkout: &Checkout, kind: BackendKind, id: &str) -> Result<(), LabError> {
    let mut text = Vec::new();
    io::stdin()
        .read_to_end(&mut text)
        .map_err(system("cannot read the plan"))?;
    let plan: Plan = serde_json::from_slice(&text)
        .map_err(|error| system("cannot read the plan")(io::Error::other(error)))?;
    let stop = stop_signal().map_err(system("cannot listen for signals"))?;
    tokio::pin!(stop);
    let started = tokio::select! {
        started = Host::start(checkout, kind, plan, id) => started,
        () = &mut stop => return Ok(()),
    };
    let host = match started {
        Ok(host) => host,
        Err(error) => {
            let report = format!("{:?}", miette::Report::new(error));
            tell(&Outcome::Failed { report });
            return Ok(());
        }
    };
    tell(&Outcome::Ready);
    let over = tokio::select! {
        over = host.over() => over,
        () = &mut stop => None,
    };
    host.stop().await;
    over.map_or(Ok(()), Err)
}

/// Ends with the first SIGINT or SIGTERM.
///
/// # Errors
/// When the handlers cannot be installed.
pub fn stop_signal() -> io::Result<impl Future<Output = ()>> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    })
}

fn system(what: &str) -> impl FnOnce(io::Error) -> LabError {
    let what = what.to_owned();
    move |source| LabError::System { what, source }
}

fn spawn(checkout: &Checkout, kind: BackendKind, plan: &Plan, id: &str) -> io::Result<Child> {
    let folder = checkout.labs().join(id);
    let logs = folder.join("logs");
    std::fs::create_dir_all(&logs)?;
    let log = File::create(logs.join("host.log"))?;
    let kind = serde_json::to_value(kind)?;
    let mut child = Command::new(std::env::current_exe()?)
        .args([HOST_COMMAND, "--id", id, "--backend"])
        .arg(kind.as_str().unwrap_or_default())
        .env(LABEL, &folder)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(log)
        // Ctrl-C at the driver's terminal is for the driver.
        .process_group(0)
        .spawn()?;
    if let Some(mut stdin) = child.stdin.take() {
        stdin.write_all(&serde_json::to_vec(plan)?)?;
    }
    Ok(child)
}

/// Waits for the host's one line; a host that ends without it failed.
fn hear(child: &mut Child) -> io::Result<Outcome> {
    let mut line = String::new();
    if let Some(stdout) = child.stdout.take() {
        BufReader::new(stdout).read_line(&mut line)?;
    }
    if line.is_empty() {
        let status = child.wait()?;
        return Err(io::Error::other(format!("it ended with {status}")));
    }
    let outcome = serde_json::from_str(&line)?;
    if matches!(outcome, Outcome::Failed { .. }) {
        child.wait()?;
    }
    Ok(outcome)
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

fn folders(checkout: &Checkout) -> Vec<(String, PathBuf)> {
    std::fs::read_dir(checkout.labs())
        .into_iter()
        .flatten()
        .flatten()
        .map(|entry| {
            (
                entry.file_name().to_string_lossy().into_owned(),
                entry.path(),
            )
        })
        .filter(|(_, path)| path.is_dir())
        .collect()
}

/// The lock of a lab whose host is gone; `None` while the host lives.
fn vacant(folder: &Path) -> Option<Option<File>> {
    match lock_file(&folder.join(HOST_LOCK)) {
        Ok(lock) => match lock.try_lock() {
            Ok(()) => Some(Some(lock)),
            Err(TryLockError::WouldBlock) => None,
            Err(TryLockError::Error(_)) => Some(None),
        },
        // The folder itself is gone.
        Err(_) => Some(None),
    }
}

fn kill_labelled(folder: &Path) {
    let label = format!("{LABEL}={}", folder.display());
    for entry in std::fs::read_dir("/proc").into_iter().flatten().flatten() {
        let Some(pid) = entry
            .file_name()
            .to_str()
            .and_then(|name| name.parse::<u32>().ok())
        else {
            continue;
        };
        let Ok(environment) = std::fs::read(entry.path().join("environ")) else {
            continue;
        };
        let ours = environment
            .split(|byte| *byte == 0)
            .any(|variable| variable == label.as_bytes());
        if ours && pid != std::process::id() && process::started(pid).is_ok() {
            signal(pid, Signal::KILL);
        }
    }
}

fn signal(pid: u32, signal: Signal) {
    if let Some(pid) = i32::try_from(pid).ok().and_then(Pid::from_raw) {
        // It may have ended in the meantime.
        let _ = kill_process(pid, signal);
    }
}
