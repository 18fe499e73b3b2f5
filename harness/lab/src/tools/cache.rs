//! The cache: `$AUTHLAB_CACHE`, `$XDG_CACHE_HOME/authlab` or `~/.cache/authlab`, below it
//! `tools/<tool>/<key>/<program>`.

use std::fs::{File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use sha2::{Digest, Sha256};

use super::go::{Go, Module};
use super::{Event, Progress, Tool, ToolsError, build};
use crate::state::lock_file;
use crate::wait::{Look, until};

/// A cold build of Kubernetes takes a quarter of an hour on two cores.
const LOCK_BOUND: Duration = Duration::from_secs(60 * 60);

#[derive(Debug, Clone)]
pub(crate) struct Cache(PathBuf);

impl Cache {
    /// Where the environment says.
    pub(crate) fn find() -> Result<Self, ToolsError> {
        let set = |name| std::env::var_os(name).filter(|value| !value.is_empty());
        let base = set("AUTHLAB_CACHE")
            .map(PathBuf::from)
            .or_else(|| set("XDG_CACHE_HOME").map(|cache| Path::new(&cache).join("authlab")))
            .or_else(|| set("HOME").map(|home| Path::new(&home).join(".cache/authlab")))
            .ok_or(ToolsError::NoCache)?;
        Ok(Self::at(&base))
    }

    pub(super) fn at(base: &Path) -> Self {
        Self(base.join("tools"))
    }

    /// Where the tool lies once it is built.
    pub(super) fn folder(&self, tool: &Tool, module: &Module, go: &Go) -> PathBuf {
        self.place(tool.name, &key(tool, module, go))
    }

    /// Where what is called `name` and was made under `key` lies.
    pub(crate) fn place(&self, name: &str, key: &str) -> PathBuf {
        self.0.join(name).join(key)
    }

    /// Waits until nobody else builds the tool. The lock ends with the returned file.
    pub(crate) async fn lock(
        &self,
        name: &str,
        progress: &dyn Progress,
    ) -> Result<File, ToolsError> {
        let path = self.0.join(format!("{name}.lock"));
        let failed = |source| ToolsError::Cache {
            path: self.0.clone(),
            source,
        };
        std::fs::create_dir_all(self.0.join(name)).map_err(failed)?;
        let lock = lock_file(&path).map_err(failed)?;
        match lock.try_lock() {
            Ok(()) => return Ok(lock),
            Err(TryLockError::Error(source)) => return Err(failed(source)),
            Err(TryLockError::WouldBlock) => progress.event(&Event::Waiting { tool: name }),
        }
        let what = format!("the end of another build of {name}");
        until(&what, LOCK_BOUND, || async {
            match lock.try_lock() {
                Ok(()) => Look::Ready(()),
                Err(TryLockError::WouldBlock) => Look::NotYet("it still runs".to_owned()),
                Err(TryLockError::Error(error)) => Look::Failed(error.to_string()),
            }
        })
        .await?;
        Ok(lock)
    }
}

/// Content of the module files, build flags and Go's version: what decides about the outcome.
fn key(tool: &Tool, module: &Module, go: &Go) -> String {
    let flags = format!("{:?}{:?}{:?}", build::FLAGS, build::VARIABLES, tool);
    let digest = digest([&module.go_mod, &module.go_sum, &flags, &go.version]);
    format!("{digest}-go{}", go.version)
}

/// 16 hexadecimal digits that stand for these texts in this order.
pub(crate) fn digest<'a>(parts: impl IntoIterator<Item = &'a String>) -> String {
    let mut digest = Sha256::new();
    for part in parts {
        // Lengths keep two parts from being read as two others.
        digest.update(part.len().to_le_bytes());
        digest.update(part);
    }
    let digest = digest.finalize();
    digest.iter().take(8).map(|b| format!("{b:02x}")).collect()
}

/// Whether every program of the tool lies in the folder.
pub(super) fn is_whole(folder: &Path, tool: &Tool) -> bool {
    tool.programs
        .iter()
        .all(|(_, program)| folder.join(program).is_file())
}

/// A new folder beside `folder`, on the same disk; what builds that were killed left is removed.
/// Only for the holder of the lock.
pub(crate) fn scratch(folder: &Path) -> io::Result<tempfile::TempDir> {
    const PREFIX: &str = ".building-";
    let parent = folder.parent().unwrap_or(Path::new("."));
    for entry in std::fs::read_dir(parent)?.flatten() {
        if entry.file_name().to_string_lossy().starts_with(PREFIX) {
            std::fs::remove_dir_all(entry.path())?;
        }
    }
    tempfile::Builder::new().prefix(PREFIX).tempdir_in(parent)
}
