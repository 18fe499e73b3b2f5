//! A component that several labs share, and several processes: whoever uses it holds a lock of its
//! folder, and it ends with the last of them, however they end.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs::{DirBuilder, File, TryLockError};
use std::io;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::{keeper, spawner};
use crate::folder::LABEL;
use crate::process;
use crate::state::{Process, lock_file, write_private};
use crate::wait::{Look, until};

/// Held shared by every process that uses the component.
pub const USERS: &str = "users.lock";
/// Held alone by whoever looks whether it runs, and starts it.
const START: &str = "start.lock";
/// Tells of the one that runs.
const NOTE: &str = "running.json";
/// What the component logs.
pub const LOG: &str = "component.log";

/// How long an old one may take to end, or somebody else to start one.
const TURN: Duration = Duration::from_secs(30);

/// Folders whose component this process uses. A process that has used it keeps it until it ends:
/// the next lab of a run finds it ready.
static USED: Mutex<BTreeMap<PathBuf, File>> = Mutex::new(BTreeMap::new());

/// A shared component that has been started, by this process or another.
#[derive(Debug, Clone)]
pub struct Shared<N> {
    folder: PathBuf,
    keeper: Process,
    /// What whoever started it wants the others to know.
    pub note: N,
}

#[derive(serde::Serialize, serde::Deserialize)]
struct Running<N> {
    keeper: Process,
    note: N,
}

/// How to start one.
#[derive(Debug)]
pub struct Start<N> {
    /// The executable.
    pub program: PathBuf,
    /// Its arguments.
    pub args: Vec<OsString>,
    /// All its variables but `HOME` and the label, both the component's folder.
    pub environment: Vec<(&'static str, OsString)>,
    /// What every user of it needs to know, kept in a file of mode 0600.
    pub note: N,
}

impl<N> Start<N> {
    /// Starts it beside a keeper, which ends it when nobody uses it any more.
    fn keep(self, folder: &Path) -> io::Result<(Process, N)> {
        let log = std::fs::OpenOptions::new()
            .create(true)
            .write(true)
            .truncate(true)
            .mode(0o600)
            .open(folder.join(LOG))?;
        let (lock, told) = (folder.join(USERS), folder.join(NOTE));
        let helper = spawner::helper_path();
        let mut command = keeper::command(helper, &lock, &told, &self.program, &self.args);
        command
            .env_clear()
            .env("HOME", folder)
            .env(LABEL, folder)
            .envs(self.environment)
            .current_dir(folder)
            .stdout(log.try_clone()?)
            .stderr(log);
        let mut child = command.spawn()?;
        let keeper = Process {
            pid: child.id(),
            started: process::started(child.id())?,
        };
        // So that no zombie is left should it end before this process.
        std::thread::spawn(move || child.wait());
        Ok((keeper, self.note))
    }
}

impl<N: Serialize + DeserializeOwned> Shared<N> {
    /// Uses the component of `folder` from now on, until this process ends. When none runs, one is
    /// started as `start` says.
    ///
    /// # Errors
    /// As the file system says, and when an old one or another start does not come to its end.
    pub async fn join(
        folder: &Path,
        start: impl FnOnce(&Path) -> io::Result<Start<N>>,
    ) -> io::Result<Self> {
        Self::join_with(folder, || {
            std::future::ready(start(folder).and_then(|start| start.keep(folder)))
        })
        .await
    }

    /// The same for a component that looks after itself: it ends when it can take the lock
    /// [`USERS`] of the folder alone, and keeps that until it has ended. `start` answers with its
    /// process and with what every user of it needs to know.
    ///
    /// # Errors
    /// As [`Shared::join`].
    pub async fn join_with<F>(folder: &Path, start: impl FnOnce() -> F) -> io::Result<Self>
    where
        F: Future<Output = io::Result<(Process, N)>>,
    {
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(folder)?;
        use_it(folder).await?;
        let _turn = turn(folder).await?;
        if let Some(running) = Self::running(folder) {
            return Ok(running);
        }
        let (keeper, note) = start().await?;
        let running = Running { keeper, note };
        write_private(&folder.join(NOTE), &serde_json::to_vec(&running)?)?;
        Ok(Self {
            folder: folder.to_owned(),
            keeper,
            note: running.note,
        })
    }

    /// The one that runs, if one does.
    fn running(folder: &Path) -> Option<Self> {
        let text = std::fs::read(folder.join(NOTE)).ok()?;
        let Running { keeper, note } = serde_json::from_slice(&text).ok()?;
        process::alive(keeper).then(|| Self {
            folder: folder.to_owned(),
            keeper,
            note,
        })
    }
}

impl<N> Shared<N> {
    /// The process that keeps it; the component is that one's child.
    #[must_use]
    pub fn keeper(&self) -> Process {
        self.keeper
    }

    /// What it has written since it was started.
    #[must_use]
    pub fn log(&self) -> String {
        let bytes = std::fs::read(self.folder.join(LOG)).unwrap_or_default();
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// Waits for its end, for whatever reason.
    pub async fn ended(&self) {
        let look = || {
            std::future::ready(match process::alive(self.keeper) {
                true => Look::NotYet(String::new()),
                false => Look::Ready(()),
            })
        };
        // It is no child of this process, and lives longer than any bound.
        let _ = until("the end of a shared component", Duration::MAX, look).await;
    }
}

/// Takes the users' lock for this process, unless it has it.
async fn use_it(folder: &Path) -> io::Result<()> {
    let used = |used: &mut BTreeMap<PathBuf, File>| used.contains_key(folder);
    if used(&mut USED.lock().unwrap_or_else(PoisonError::into_inner)) {
        return Ok(());
    }
    let lock = lock_file(&folder.join(USERS))?;
    let look = || lock.try_lock_shared();
    wait("the end of the server that nobody uses any more", look).await?;
    let mut used = USED.lock().unwrap_or_else(PoisonError::into_inner);
    used.insert(folder.to_owned(), lock);
    Ok(())
}

async fn turn(folder: &Path) -> io::Result<File> {
    let lock = lock_file(&folder.join(START))?;
    wait("another start of the same server", || lock.try_lock()).await?;
    Ok(lock)
}

async fn wait(what: &str, lock: impl Fn() -> Result<(), TryLockError>) -> io::Result<()> {
    let taken = until(what, TURN, || {
        std::future::ready(match lock() {
            Ok(()) => Look::Ready(()),
            Err(TryLockError::WouldBlock) => Look::NotYet("its lock is held".to_owned()),
            Err(TryLockError::Error(error)) => Look::Failed(error.to_string()),
        })
    });
    taken.await.map_err(io::Error::other)
}
