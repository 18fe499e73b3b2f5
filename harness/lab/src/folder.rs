//! A lab's folder and its lock: who owns a lab, and what is removed when nobody does any more.

use std::fs::{DirBuilder, File, TryLockError};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::backend::{existing, kind};
use crate::plan::Plan;
use crate::process;
use crate::state::{STATE_FILE, State, lock_file};
use crate::wait::{Look, WaitError, until};

/// Held by a lab's owner as long as the lab lives; free means that the lab is stale.
pub const HOST_LOCK: &str = "host.lock";

/// Every process of a lab carries this variable with the path of the lab's folder, so that what a
/// killed host left behind can be found.
pub const LABEL: &str = "AUTHLAB_LAB";

/// How long a lock that is only looked at may seem taken.
const LOOKED_AT: Duration = Duration::from_secs(10);

/// A lab's folder, owned: the lock is held, and the folder goes when this is dropped.
#[derive(Debug)]
pub struct Folder {
    path: PathBuf,
    lock: Option<File>,
}

/// What became of an attempt to own a folder.
enum Attempt {
    Owned(File),
    /// A host holds the lock, or somebody who removes what a dead one left.
    Busy,
    /// Somebody looks at the lock, or has just removed the folder.
    Again(&'static str),
}

impl Folder {
    /// Makes the folder, mode 0700, and takes its lock; what a dead lab left in it is removed
    /// first. `None` when a living lab has it.
    ///
    /// # Errors
    /// As the file system says.
    pub async fn occupy(path: &Path) -> io::Result<Option<Self>> {
        let what = format!("the lab's folder {}", path.display());
        let mut failed = None;
        let taken = until(&what, LOOKED_AT, || {
            let look = match attempt(path) {
                Ok(Attempt::Owned(lock)) => Look::Ready(Some(lock)),
                Ok(Attempt::Busy) => Look::Ready(None),
                Ok(Attempt::Again(why)) => Look::NotYet(why.to_owned()),
                Err(error) => {
                    let why = error.to_string();
                    failed = Some(error);
                    Look::Failed(why)
                }
            };
            std::future::ready(look)
        })
        .await;
        match (taken, failed) {
            (_, Some(error)) => Err(error),
            (Err(late), None) => Err(io::Error::new(io::ErrorKind::TimedOut, late)),
            (Ok(lock), None) => Ok(lock.map(|lock| Self {
                path: path.to_owned(),
                lock: Some(lock),
            })),
        }
    }

    /// Takes over a folder from another process whose `lock` this one has got.
    ///
    /// # Errors
    /// When it is the lock of something else.
    pub fn adopt(path: &Path, lock: File) -> io::Result<Self> {
        if !is_lock_of(&lock, path)? {
            return Err(io::Error::other("this is not the lock of the lab"));
        }
        Ok(Self {
            path: path.to_owned(),
            lock: Some(lock),
        })
    }

    /// Leaves the folder to whom the lock was given; it is free once nobody has that open.
    pub fn leave(mut self) {
        self.lock = None;
    }

    /// The lock itself, which is also a file to write to.
    ///
    /// # Errors
    /// As the system says.
    pub fn lock(&self) -> io::Result<File> {
        match &self.lock {
            Some(lock) => lock.try_clone(),
            None => Err(io::ErrorKind::NotFound.into()),
        }
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        if self.lock.is_none() {
            return;
        }
        // A start that was broken off has cleared nothing away; and what the folder says of a cluster
        // is needed until nothing is left there.
        let reaped = kind::reap(&self.path).and_then(|()| existing::reap(&self.path));
        if let Err(error) = reaped.and_then(|()| remove(&self.path)) {
            tracing::warn!(folder = %self.path.display(), %error, "a lab's folder stays behind");
        }
    }
}

/// Whether somebody owns the folder: its host, or somebody who is removing it.
#[must_use]
pub fn owned(path: &Path) -> bool {
    // Shared: two that look do not see each other.
    File::open(path.join(HOST_LOCK))
        .is_ok_and(|lock| matches!(lock.try_lock_shared(), Err(TryLockError::WouldBlock)))
}

/// Whether the lab has a host of its own and stays until `down`, or goes with the run that started
/// it: the plan is handed to a host in the lock's file.
#[must_use]
pub fn in_background(path: &Path) -> bool {
    std::fs::metadata(path.join(HOST_LOCK)).is_ok_and(|lock| lock.len() > 0)
}

/// What the lab was started from, where it has, or had, a host of its own.
pub(crate) fn plan(path: &Path) -> Option<Plan> {
    let text = std::fs::read(path.join(HOST_LOCK)).ok()?;
    serde_json::from_slice(&text).ok()
}

/// Waits until nobody owns the folder.
///
/// # Errors
/// When somebody still does after `bound`.
pub async fn until_free(path: &Path, bound: Duration) -> Result<(), WaitError> {
    let what = format!("the end of the lab in {}", path.display());
    until(&what, bound, || {
        std::future::ready(if owned(path) {
            Look::NotYet("its host still runs".to_owned())
        } else {
            Look::Ready(())
        })
    })
    .await
}

/// Removes what a dead lab left: processes that carry its label, then the folder. `false` when the
/// lab lives or starts, or somebody else is at it.
///
/// # Errors
/// As the file system says, and when a dead host does not let go of the lock.
pub async fn reap(path: &Path) -> io::Result<bool> {
    let lock = match lock_file(&path.join(HOST_LOCK)) {
        Ok(lock) => lock,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
        Err(error) => return Err(error),
    };
    let what = format!("the lock of the dead lab in {}", path.display());
    let taken = until(&what, LOOKED_AT, || {
        std::future::ready(match lock.try_lock() {
            Ok(()) => Look::Ready(true),
            // A killed process holds its files a little longer than it can be seen to live; and
            // somebody may only look.
            Err(TryLockError::WouldBlock) if is_dead(path) || !owned(path) => {
                Look::NotYet("it is held".to_owned())
            }
            Err(TryLockError::WouldBlock) => Look::Ready(false),
            Err(TryLockError::Error(error)) => Look::Failed(error.to_string()),
        })
    });
    if !taken.await.map_err(io::Error::other)? || !is_lock_of(&lock, path)? {
        return Ok(false);
    }
    process::kill_labelled(LABEL, path);
    kind::reap(path)?;
    existing::reap(path)?;
    remove(path)?;
    Ok(true)
}

/// Whether the lab has run, and its host does no more.
fn is_dead(path: &Path) -> bool {
    State::read(&path.join(STATE_FILE)).is_ok_and(|state| !process::alive(state.host))
}

fn attempt(path: &Path) -> io::Result<Attempt> {
    DirBuilder::new().recursive(true).mode(0o700).create(path)?;
    let file = path.join(HOST_LOCK);
    let removed = Attempt::Again("somebody removes it");
    let lock = match lock_file(&file) {
        Ok(lock) => lock,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(removed),
        Err(error) => return Err(error),
    };
    match lock.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) if owned(path) => return Ok(Attempt::Busy),
        Err(TryLockError::WouldBlock) => return Ok(Attempt::Again("somebody looks at it")),
        Err(TryLockError::Error(error)) => return Err(error),
    }
    // Somebody who held the lock before may have removed the file that it is on.
    if !is_lock_of(&lock, path)? {
        return Ok(removed);
    }
    clear(path)?;
    lock.set_len(0)?;
    Ok(Attempt::Owned(lock))
}

fn is_lock_of(lock: &File, path: &Path) -> io::Result<bool> {
    let ours = lock.metadata()?.ino();
    Ok(std::fs::metadata(path.join(HOST_LOCK)).is_ok_and(|there| there.ino() == ours))
}

/// Removes what a dead lab of the same name left, the lock apart.
fn clear(path: &Path) -> io::Result<()> {
    let mut left = std::fs::read_dir(path)?.flatten().peekable();
    let lock = |entry: &std::fs::DirEntry| entry.file_name() == HOST_LOCK;
    if left.next_if(lock).is_some() && left.peek().is_none() {
        return Ok(());
    }
    process::kill_labelled(LABEL, path);
    kind::reap(path)?;
    existing::reap(path)?;
    for entry in left.filter(|entry| !lock(entry)) {
        if entry.file_type()?.is_dir() {
            std::fs::remove_dir_all(entry.path())?;
        } else {
            std::fs::remove_file(entry.path())?;
        }
    }
    Ok(())
}

/// Removes the folder, while somebody who looks may still put a file into it.
fn remove(path: &Path) -> io::Result<()> {
    for _ in 0..16 {
        match std::fs::remove_dir_all(path) {
            Err(error) if error.kind() == io::ErrorKind::DirectoryNotEmpty => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            other => return other,
        }
    }
    std::fs::remove_dir_all(path)
}
