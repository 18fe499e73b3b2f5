//! Child processes of a lab: none outlives its parent, none ends unnoticed, each writes a log.
//!
//! A child is started through this very program: its hidden command [`HELPER`] asks the kernel for
//! SIGKILL at the parent's death, checks that the parent still lives, then becomes the child.

mod child;
mod client;
mod follower;
mod helper;
mod keeper;
mod log;
mod shared;
mod spawner;

use std::ffi::OsString;
use std::path::PathBuf;

pub use child::Child;
pub use client::{Client, Ended, find};
pub(crate) use follower::TOLD;
pub use follower::followed;
pub use helper::helper_main;
pub use log::Log;
pub(crate) use log::last_words;
pub use shared::{LOG, Shared, Start, USERS};
pub use spawner::set_helper;

use crate::backend::LabError;
use crate::folder::LABEL;

/// The hidden first argument under which this program starts a child; see [`helper_main`].
pub const HELPER: &str = "__exec";

/// The hidden first argument under which this program keeps a component that labs share.
pub const KEEPER: &str = "__keep";

/// The hidden first argument under which this program runs another one until what that tells of has ended.
pub const FOLLOWER: &str = "__follow";

/// Where the first program of this name lies on PATH.
#[must_use]
pub fn on_path(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path)
        .map(|folder| folder.join(name))
        .find(|program| program.is_file())
}

/// A program to start as a component of a lab.
#[derive(Debug, Clone)]
pub struct Program {
    /// The component's name, in errors and as the name of its log.
    pub name: String,
    /// The executable.
    pub path: PathBuf,
    /// Its arguments.
    pub args: Vec<OsString>,
    /// The lab's folder: working directory, home, and where `logs/` lies.
    pub folder: PathBuf,
    /// Its variables beside `HOME` and the label.
    pub environment: Vec<(&'static str, OsString)>,
}

impl Program {
    /// Where its log lies, once it has been started.
    #[must_use]
    pub fn log(&self) -> PathBuf {
        Log::place(&self.folder, &self.name)
    }

    /// Starts it. It inherits no variable of this process, so that no proxy and no kubeconfig of
    /// the machine reaches it; it carries the lab's label, and the variables that are its own.
    ///
    /// # Errors
    /// When the log or the process cannot be made. That `path` is no executable shows later: the
    /// child ends and says so in its log.
    pub async fn start(&self) -> Result<Child, LabError> {
        let failed = |cause| LabError::System {
            what: format!("cannot start {}", self.name),
            cause,
        };
        let (log, file) = Log::append(&self.folder, &self.name).map_err(failed)?;
        let mut command = spawner::helper(&self.path).map_err(failed)?;
        command
            .args(&self.args)
            .env_clear()
            .env("HOME", &self.folder)
            .env(LABEL, &self.folder)
            .envs(self.environment.iter().cloned())
            .current_dir(&self.folder)
            .stdin(std::process::Stdio::null())
            .stdout(file.try_clone().map_err(failed)?)
            .stderr(file)
            // Ctrl-C at a terminal is for the lab's owner, who ends its children in order.
            .process_group(0)
            .kill_on_drop(true);
        let child = spawner::spawn(command).await.map_err(failed)?;
        Child::supervise(self.name.clone(), child, log).map_err(failed)
    }
}
