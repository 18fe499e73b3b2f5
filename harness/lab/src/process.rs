//! Processes of the machine, told apart by their number and start time.

use std::ffi::OsStr;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};

use crate::backend::kind;
use crate::docker;
use crate::state::Process;

/// How long a killed process may take to be gone.
const DEATH: Duration = Duration::from_secs(10);
/// How long somebody who asks Docker for something may take to be done.
const MAKING: Duration = Duration::from_secs(30);
/// How often more are looked for: one that is killed may have just started another.
const ROUNDS: usize = 5;

/// This process.
///
/// # Errors
/// When `/proc` cannot be read.
pub fn current() -> io::Result<Process> {
    let pid = std::process::id();
    Ok(Process {
        pid,
        started: started(pid)?,
    })
}

/// Whether that very process (not a later one with its number) still runs.
#[must_use]
pub fn alive(process: Process) -> bool {
    started(process.pid).is_ok_and(|started| started == process.started)
}

/// When the process started, in clock ticks since boot: field 22 of `/proc/<pid>/stat` (proc(5)).
///
/// # Errors
/// When there is no such process, or it is a zombie.
pub fn started(pid: u32) -> io::Result<u64> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat"))?;
    // The second field is the program's name in parentheses and may itself hold anything.
    let fields: Vec<&str> = stat
        .rsplit_once(')')
        .map_or("", |(_, rest)| rest)
        .split_whitespace()
        .collect();
    if fields.first() == Some(&"Z") {
        return Err(io::ErrorKind::NotFound.into());
    }
    fields
        .get(19)
        .and_then(|field| field.parse().ok())
        .ok_or_else(|| io::ErrorKind::InvalidData.into())
}

/// Kills every process whose variable `label` names `folder`, this one apart, and waits until they
/// are gone.
pub(crate) fn kill_labelled(label: &str, folder: &Path) {
    kill(label, |named| named == folder);
}

/// The same for processes whose folder below `folders` is gone.
pub(crate) fn kill_strays(label: &str, folders: &Path) {
    kill(label, |named| {
        named.parent() == Some(folders) && !named.exists()
    });
}

/// Docker goes on with a request whose client was killed, and what it makes then nobody finds: those
/// who make something are waited for instead. They do not need those who have started them.
fn kill(label: &str, wanted: impl Fn(&Path) -> bool) {
    for _ in 0..ROUNDS {
        let found = labelled(label, &wanted);
        if found.is_empty() {
            return;
        }
        let (makers, others): (Vec<_>, Vec<_>) = found.into_iter().partition(|(_, makes)| *makes);
        for (process, _) in others {
            end(&process);
        }
        for (process, _) in makers {
            if !has_ended(&process, MAKING) {
                end(&process);
            }
        }
    }
}

fn end(process: &OwnedFd) {
    // It may have ended in the meantime.
    let _ = pidfd_send_signal(process, Signal::KILL);
    if !has_ended(process, DEATH) {
        tracing::warn!("a killed process of a dead lab does not end");
    }
}

/// Whether a process ends within `bound`.
fn has_ended(process: &OwnedFd, bound: Duration) -> bool {
    // A process's descriptor becomes readable when it ends (pidfd_open(2)).
    let end = [PollFd::new(process, PollFlags::IN)];
    let bound = Timespec::try_from(bound).ok();
    matches!(poll(&mut { end }, bound.as_ref()), Ok(1))
}

/// Whether a command line, its words ended by zeros, is one of somebody who makes something of
/// Docker's and then ends.
fn makes(command: &[u8]) -> bool {
    let mut words = command.split(|byte| *byte == 0);
    let program = words.next().unwrap_or_default();
    let program = Path::new(OsStr::from_bytes(program));
    match program.file_name().and_then(OsStr::to_str) {
        Some(docker::CLIENT) => matches!(
            (words.next(), words.next()),
            (Some(b"run" | b"create"), _) | (Some(b"network"), Some(b"create"))
        ),
        // It sees its parent's death, and takes its container along.
        Some(kind::RUNNER) => true,
        _ => false,
    }
}

/// Processes by descriptors: unlike a number, one never comes to mean another process. And whether
/// each [`makes`] something.
fn labelled(label: &str, wanted: impl Fn(&Path) -> bool) -> Vec<(OwnedFd, bool)> {
    let label = format!("{label}=");
    std::fs::read_dir("/proc")
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|entry| {
            let number: u32 = entry.file_name().to_str()?.parse().ok()?;
            if number == std::process::id() {
                return None;
            }
            let pid = Pid::from_raw(i32::try_from(number).ok()?)?;
            // First the descriptor, then the look: both are of the same process, or it is gone.
            let process = pidfd_open(pid, PidfdFlags::empty()).ok()?;
            let environment = std::fs::read(entry.path().join("environ")).ok()?;
            let command = std::fs::read(entry.path().join("cmdline")).unwrap_or_default();
            environment
                .split(|byte| *byte == 0)
                .filter_map(|variable| variable.strip_prefix(label.as_bytes()))
                .any(|value| wanted(Path::new(OsStr::from_bytes(value))))
                .then_some((process, makes(&command)))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    #[test]
    fn who_makes_something_is_known_by_the_command() {
        let makes = |line: &str| super::makes(line.replace(' ', "\0").as_bytes());
        assert!(makes("docker run --name n --detach image"));
        assert!(makes("/usr/bin/docker network create n"));
        assert!(makes("/checkout/target/debug/authlab-container file"));
        assert!(!makes("docker exec n kubeadm init"));
        assert!(!makes("docker network inspect n"));
        assert!(!makes("kind create cluster"));
        assert!(!makes(""));
    }
}
