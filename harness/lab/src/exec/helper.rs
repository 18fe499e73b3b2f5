//! What runs between the lab host and a component: the few steps before the program takes over.

use std::ffi::{OsStr, OsString};
use std::io::{self, Write};
use std::os::unix::process::CommandExt;
use std::process::{Command, ExitCode};

use rustix::process::{Pid, Signal, getppid, set_parent_process_death_signal};

use super::{HELPER, follower, keeper};
use crate::process;
use crate::state::Process;

/// The exit code of a helper that could not become the program, as shells use it.
const NOT_STARTED: u8 = 127;

/// Handles the hidden command `__exec --parent PID --started TICKS -- PROGRAM ARGS...`: a program
/// that starts labs calls this first in `main`, with all its arguments; likewise the hidden commands
/// `__keep`, of a component that labs share, and `__follow`, of what is told of by another program. `None`
/// when they are something else; else the exit code of a keeper or follower that has ended, or of a helper
/// that failed, since one that succeeds has become the program.
pub fn helper_main(args: impl IntoIterator<Item = OsString>) -> Option<ExitCode> {
    let args: Vec<OsString> = args.into_iter().skip(1).collect();
    if keeper::asked(&args) {
        return Some(keeper::keep(&args));
    }
    if follower::asked(&args) {
        return Some(follower::follow(&args));
    }
    if args.first().is_none_or(|first| first != HELPER) {
        return None;
    }
    let error = become_program(&args[1..]);
    // Standard error is the component's log, where its owner looks for the reason.
    let _ = writeln!(io::stderr(), "authlab: {error}");
    Some(ExitCode::from(NOT_STARTED))
}

/// The arguments that make [`helper_main`] start `program` as a child of `parent`.
pub(super) fn arguments(parent: Process, program: &OsStr) -> Vec<OsString> {
    let text = |word: &str| OsString::from(word);
    vec![
        text(HELPER),
        text("--parent"),
        text(&parent.pid.to_string()),
        text("--started"),
        text(&parent.started.to_string()),
        text("--"),
        program.to_owned(),
    ]
}

/// Returns only when it failed.
fn become_program(args: &[OsString]) -> io::Error {
    let Some((parent, program, rest)) = parse(args) else {
        return io::Error::other("not a command of this version's lab host");
    };
    // First the signal, then the look: a parent that dies in between is seen by one of the two.
    if let Err(error) = set_parent_process_death_signal(Some(Signal::KILL)) {
        return error.into();
    }
    let there = getppid().map(Pid::as_raw_nonzero);
    let same = there.is_some_and(|pid| u32::try_from(pid.get()) == Ok(parent.pid));
    if !same || !process::alive(parent) {
        return io::Error::other("the lab host is gone");
    }
    let error = Command::new(program).args(rest).exec();
    io::Error::new(
        error.kind(),
        format!("cannot run {}: {error}", program.display()),
    )
}

fn parse(args: &[OsString]) -> Option<(Process, &OsStr, &[OsString])> {
    let [parent, pid, started, ticks, dashes, program, rest @ ..] = args else {
        return None;
    };
    if parent != "--parent" || started != "--started" || dashes != "--" {
        return None;
    }
    let parent = Process {
        pid: pid.to_str()?.parse().ok()?,
        started: ticks.to_str()?.parse().ok()?,
    };
    Some((parent, program, rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn other_commands_are_left_alone() {
        let args = ["xtask", "e2e"].map(OsString::from);
        assert!(helper_main(args).is_none());
        assert!(helper_main([]).is_none());
    }

    #[test]
    fn what_the_host_writes_is_what_the_helper_reads() {
        let parent = Process {
            pid: 7,
            started: 99,
        };
        let mut args = arguments(parent, OsStr::new("/bin/sleep"));
        args.push("1".into());
        let (read, program, rest) = parse(&args[1..]).unwrap();
        assert_eq!(read, parent);
        assert_eq!(program, "/bin/sleep");
        assert_eq!(rest, ["1"]);
    }

    #[test]
    fn a_helper_of_another_parent_starts_nothing() {
        // This process's own parent is not the one named here.
        let stranger = process::current().unwrap();
        let args = arguments(stranger, OsStr::new("/bin/true"));
        let error = become_program(&args[1..]);
        // The signal asked for above must not outlive the test's own thread.
        set_parent_process_death_signal(None).unwrap();
        assert_eq!(error.to_string(), "the lab host is gone");
    }
}
