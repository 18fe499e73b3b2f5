//! Labs that outlive the driver: started in the background, listed, ended, and reaped when stale.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use miette::Diagnostic;
use thiserror::Error;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use crate::backend::{LabError, kind};
use crate::background::{self, Outcome};
use crate::checkout::Checkout;
use crate::control::{self, Request};
use crate::folder::{self, Folder, LABEL};
use crate::obituary;
use crate::plan::Plan;
use crate::process;
use crate::state::{BackendKind, STATE_FILE, State};
use crate::told::Told;
use crate::wait::{Look, WaitError, until};

/// How long a lab may take to end before it is killed, and after that.
const DOWN_BOUND: Duration = Duration::from_secs(30);
/// How long a host may take to say that it has heard.
const ANSWER_BOUND: Duration = Duration::from_secs(5);
/// How long somebody else may take to start the lab that is wanted.
const SHARE_BOUND: Duration = Duration::from_secs(300);

/// A lab found below `.authlab/labs`.
#[derive(Debug)]
pub struct Entry {
    /// The lab's id.
    pub id: String,
    /// Its folder.
    pub folder: PathBuf,
    /// What its state file says; `None` while it starts.
    pub state: Option<State>,
    /// It has a host of its own and stays until `down`; else it goes with the run that started it.
    pub background: bool,
}

/// A lab that did not come up in the background.
#[derive(Debug, Error, Diagnostic)]
pub enum UpError {
    /// The host said why.
    #[error(transparent)]
    #[diagnostic(transparent)]
    Told(#[from] Told),
    /// The driver could not do its part.
    #[error(transparent)]
    #[diagnostic(transparent)]
    Lab(#[from] LabError),
    /// The driver was told to stop.
    #[error("interrupted")]
    Interrupted,
    /// A lab of that name runs from other files.
    #[error("the lab {id} runs already, from other files than those that stand there now")]
    #[diagnostic(help("cargo xtask down {id}"))]
    OtherFiles {
        /// The lab's id.
        id: String,
    },
    /// A lab of that name is there, but does not come to run.
    #[error(transparent)]
    #[diagnostic(help("cargo xtask status; cargo xtask down"))]
    Stuck(#[from] WaitError),
    /// The host went away without a word of its own.
    #[error("the lab host went away ({how}) before the lab ran{log}")]
    Gone {
        /// How it ended.
        how: String,
        /// The last lines of its log, each on a line of its own.
        log: String,
    },
}

/// The labs whose owner lives, sorted by id.
#[must_use]
pub fn list(checkout: &Checkout) -> Vec<Entry> {
    let mut entries: Vec<Entry> = folders(checkout)
        .into_iter()
        .filter(|(_, folder)| folder::owned(folder))
        .map(|(id, folder)| Entry {
            state: State::read(&folder.join(STATE_FILE)).ok(),
            background: folder::in_background(&folder),
            id,
            folder,
        })
        // Owned, but its host is dead: somebody removes it.
        .filter(|entry| !matches!(&entry.state, Some(state) if !process::alive(state.host)))
        .collect();
    entries.sort_by(|a, b| a.id.cmp(&b.id));
    entries
}

/// Removes what dead hosts left: processes that carry the lab's label, then the folder; and labs whose
/// folder somebody removed under them. Returns the ids of the labs that were reaped. What stands in the
/// way is told by what comes `next`: labs on that backend, or nothing.
pub async fn reap(checkout: &Checkout, next: Option<BackendKind>) -> Vec<String> {
    let mut reaped = Vec::new();
    for (id, folder) in folders(checkout) {
        match folder::reap(&folder).await {
            Ok(true) => reaped.push(id),
            Ok(false) => {}
            Err(error) => tracing::warn!(%id, %error, "a stale lab's folder stays behind"),
        }
    }
    process::kill_strays(LABEL, &checkout.labs());
    kind::reap_strays(checkout, next);
    reaped
}

/// Starts a lab host in the background and waits until its lab runs. A lab of that id that runs
/// from the same files already, or is being started from them, is shared.
///
/// # Errors
/// When the lab does not come up, or `stop` is cancelled first: nothing of it is left then.
pub async fn up(
    checkout: &Checkout,
    kind: BackendKind,
    plan: &Plan,
    id: &str,
    stop: &CancellationToken,
) -> Result<State, UpError> {
    let path = checkout.labs().join(id);
    loop {
        let folder = Folder::occupy(&path)
            .await
            .map_err(|cause| LabError::System {
                what: format!("cannot use {}", path.display()),
                cause,
            })?;
        if let Some(folder) = folder {
            return start(checkout, kind, plan, folder, stop).await;
        }
        let state = tokio::select! {
            state = shared(&path, id) => state?,
            () = stop.cancelled() => return Err(UpError::Interrupted),
        };
        match state {
            Some(state) if state.plan == plan.identity() => return Ok(state),
            Some(_) => return Err(UpError::OtherFiles { id: id.to_owned() }),
            // Its owner is gone: the place is free.
            None => {}
        }
    }
}

/// Waits for the state of a lab that somebody else has; `None` when it goes away.
async fn shared(folder: &Path, id: &str) -> Result<Option<State>, WaitError> {
    until(&format!("the lab {id}"), SHARE_BOUND, || {
        std::future::ready(match State::read(&folder.join(STATE_FILE)) {
            _ if !folder::owned(folder) => Look::Ready(None),
            Ok(state) if process::alive(state.host) => Look::Ready(Some(state)),
            Ok(_) => Look::NotYet("what a dead one left is being removed".to_owned()),
            Err(error) if error.kind() == io::ErrorKind::InvalidData => {
                Look::Failed("it was started by another version of authlab".to_owned())
            }
            Err(_) => Look::NotYet("it is being started".to_owned()),
        })
    })
    .await
}

async fn start(
    checkout: &Checkout,
    kind: BackendKind,
    plan: &Plan,
    folder: Folder,
    stop: &CancellationToken,
) -> Result<State, UpError> {
    let path = folder.path().to_owned();
    let id = path.file_name().unwrap_or_default().to_string_lossy();
    obituary::forget(checkout, Some(&id));
    let system = |what: &str, cause| LabError::System {
        what: what.to_owned(),
        cause,
    };
    let mut child = background::spawn(checkout, kind, plan, folder)
        .map_err(|error| system("the lab host cannot be started", error))?;
    let heard = tokio::select! {
        heard = child.outcome() => heard,
        () = stop.cancelled() => {
            child.end().await;
            // A host that was not yet listening for signals has cleared nothing away.
            remove(&path).await;
            return Err(UpError::Interrupted);
        }
    };
    match heard {
        Ok(Outcome::Ready) => State::read(&path.join(STATE_FILE))
            .map_err(|error| system("the lab host left no state", error).into()),
        Ok(Outcome::Failed(told)) => Err(told.into()),
        Err(how) => {
            let log = child.log();
            remove(&path).await;
            Err(UpError::Gone { how, log })
        }
    }
}

async fn remove(folder: &Path) {
    if let Err(error) = folder::reap(folder).await {
        tracing::warn!(folder = %folder.display(), %error, "a lab's folder stays behind");
    }
}

/// Ends a lab and waits until nothing of it is left.
///
/// # Errors
/// When it is still there after half a minute, killed or not.
pub async fn down(entry: &Entry) -> Result<(), LabError> {
    let asked = match &entry.state {
        Some(state) => {
            let call = control::call(&state.socket, &Request::Shutdown);
            matches!(timeout(ANSWER_BOUND, call).await, Ok(Ok(_)))
        }
        None => false,
    };
    if !asked || folder::until_free(&entry.folder, DOWN_BOUND).await.is_err() {
        process::kill_labelled(LABEL, &entry.folder);
        folder::until_free(&entry.folder, DOWN_BOUND).await?;
    }
    remove(&entry.folder).await;
    if let (Some(state), true) = (&entry.state, entry.background) {
        // The folder goes a moment before the host itself.
        let what = format!("the end of the host of {}", entry.id);
        until(&what, DOWN_BOUND, || {
            std::future::ready(if process::alive(state.host) {
                Look::NotYet("it still runs".to_owned())
            } else {
                Look::Ready(())
            })
        })
        .await?;
    }
    Ok(())
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
