//! What runs beside a component that several labs share, in as many processes: it starts the
//! component and ends it when nobody holds the component's lock any more.
//!
//! A lock of flock(2) goes with the process that holds it, however that ends. So does the component,
//! by its parent-death signal, with its keeper.

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::{self, Write};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, ExitCode, Stdio};

use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};

use super::KEEPER;
use super::helper::arguments;
use crate::process;
use crate::state::lock_file;

/// Whether `args` (without the program's own name) ask for a keeper.
pub(super) fn asked(args: &[OsString]) -> bool {
    args.first().is_some_and(|first| first == KEEPER)
}

/// Carries out `__keep LOCK NOTE -- PROGRAM ARGS...`: runs the program until it ends or until LOCK
/// can be taken alone; then NOTE, which tells of the program, is removed first.
pub(super) fn keep(args: &[OsString]) -> ExitCode {
    let [_, lock, note, dashes, program, rest @ ..] = args else {
        return ExitCode::FAILURE;
    };
    if dashes != "--" {
        return ExitCode::FAILURE;
    }
    match run(lock.as_ref(), note.into(), program, rest) {
        Ok(code) => code,
        Err(error) => {
            // Standard error is the component's log.
            let _ = writeln!(io::stderr(), "authlab: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(
    lock: &Path,
    note: std::path::PathBuf,
    program: &OsStr,
    rest: &[OsString],
) -> io::Result<ExitCode> {
    let lock = lock_file(lock)?;
    // This thread starts the component and lives until the component has ended.
    let mut component = Command::new("/proc/self/exe")
        .args(arguments(process::current()?, program))
        .args(rest)
        .stdin(Stdio::null())
        .spawn()?;
    let raw = i32::try_from(component.id()).ok().and_then(Pid::from_raw);
    let raw = raw.ok_or(io::ErrorKind::NotFound)?;
    let handle = pidfd_open(raw, PidfdFlags::empty())?;
    std::thread::spawn(move || {
        if lock.lock().is_ok() {
            // Before the lock is free again: who comes now starts another.
            let _ = std::fs::remove_file(note);
        }
        let _ = pidfd_send_signal(&handle, Signal::KILL);
        // The lock is held until this process has ended.
        hold(lock);
    });
    let status = component.wait()?;
    // Nobody else can tell: it is no child of those who use it.
    let _ = writeln!(io::stderr(), "authlab: it ended: {status}");
    Ok(ExitCode::from(u8::from(!status.success())))
}

fn hold(lock: File) {
    std::thread::park();
    drop(lock);
}

/// A command that keeps `program` for whoever holds `lock` shared. It outlives its parent.
pub(super) fn command(
    helper: &Path,
    lock: &Path,
    note: &Path,
    program: &Path,
    args: &[OsString],
) -> Command {
    let mut command = Command::new(helper);
    command
        .arg(KEEPER)
        .args([lock, note])
        .arg("--")
        .arg(program)
        .args(args)
        .stdin(Stdio::null())
        // Ctrl-C at a terminal is for the labs that use it.
        .process_group(0);
    command
}
