//! The one thread that starts children.
//!
//! The parent-death signal follows the thread that started the child, not its process (prctl(2)):
//! started from a worker thread of a runtime, a child would die with that thread.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::sync::mpsc::{Sender, channel};

use tokio::process::{Child, Command};
use tokio::runtime::Handle;
use tokio::sync::oneshot;

use super::helper::arguments;
use crate::process;

static HELPER_PATH: OnceLock<PathBuf> = OnceLock::new();
static SPAWNER: OnceLock<Sender<Job>> = OnceLock::new();

struct Job {
    command: Command,
    runtime: Handle,
    answer: oneshot::Sender<io::Result<Child>>,
}

/// Names the program whose `main` calls [`super::helper_main`], for a process whose own does not
/// (a test binary). The first call counts.
pub fn set_helper(path: PathBuf) {
    let _ = HELPER_PATH.set(path);
}

/// The program whose `main` calls [`super::helper_main`].
pub(super) fn helper_path() -> &'static Path {
    // Not `current_exe`: that path is gone once cargo has built the program anew.
    let this = Path::new("/proc/self/exe");
    HELPER_PATH.get().map_or(this, PathBuf::as_path)
}

/// A command that becomes `program`; what is added to its arguments is the program's.
pub(super) fn helper(program: &Path) -> io::Result<Command> {
    let mut command = Command::new(helper_path());
    command.args(arguments(process::current()?, program.as_os_str()));
    Ok(command)
}

/// Starts the command from the long-lived thread, on the caller's runtime.
pub(super) async fn spawn(command: Command) -> io::Result<Child> {
    let (answer, started) = oneshot::channel();
    let job = Job {
        command,
        runtime: Handle::current(),
        answer,
    };
    let gone = || io::Error::other("the thread that starts children is gone");
    thread()?.send(job).map_err(|_| gone())?;
    started.await.map_err(|_| gone())?
}

fn thread() -> io::Result<&'static Sender<Job>> {
    if let Some(sender) = SPAWNER.get() {
        return Ok(sender);
    }
    let (sender, jobs) = channel::<Job>();
    std::thread::Builder::new()
        .name("authlab-spawner".to_owned())
        .spawn(move || {
            for mut job in jobs {
                let _runtime = job.runtime.enter();
                // Nobody waits any more: the child is killed as it is dropped here.
                let _ = job.answer.send(job.command.spawn());
            }
        })?;
    // Whoever loses a race here drops its sender, and with it the second thread.
    Ok(SPAWNER.get_or_init(|| sender))
}
