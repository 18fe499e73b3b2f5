//! What runs a program whose connection may break off before that has ended which it tells of:
//! Docker's client, beside something in a container. It runs the program again then.

use std::ffi::OsString;
use std::io::{self, Write};
use std::path::PathBuf;
use std::process::{Command, ExitCode, ExitStatus, Stdio};

use super::helper::arguments;
use super::spawner::helper_path;
use super::{FOLLOWER, Program};
use crate::process;

/// How many bytes of its output are known, in the environment of a program that runs again.
pub(crate) const TOLD: &str = "AUTHLAB_TOLD";

/// Whether `args` (without the program's own name) ask for a follower.
pub(super) fn asked(args: &[OsString]) -> bool {
    args.first().is_some_and(|first| first == FOLLOWER)
}

/// The same program, run again as often as it breaks off: when it ends well, or by a signal, which only its
/// client can do, since what it tells of has an exit code of its own. It finds how much of its output is
/// known, in bytes, in AUTHLAB_TOLD, which the first run has not.
#[must_use]
pub fn followed(program: Program) -> Program {
    let args = [FOLLOWER.into(), program.path.into()].into_iter();
    Program {
        path: PathBuf::from(helper_path()),
        args: args.chain(program.args).collect(),
        ..program
    }
}

/// Carries out `__follow PROGRAM ARGS...`; ends as the program does.
pub(super) fn follow(args: &[OsString]) -> ExitCode {
    match run(args) {
        Ok(status) => {
            let code = status.code().and_then(|code| u8::try_from(code).ok());
            code.map_or(ExitCode::FAILURE, ExitCode::from)
        }
        Err(error) => {
            // Standard error is the component's log.
            let _ = writeln!(io::stderr(), "authlab: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(args: &[OsString]) -> io::Result<ExitStatus> {
    let [_, program, rest @ ..] = args else {
        return Err(io::ErrorKind::InvalidInput.into());
    };
    // This thread starts the program and lives until that has ended.
    let once = |command: &mut Command| -> io::Result<(ExitStatus, u64)> {
        let mut child = command.stdout(Stdio::piped()).spawn()?;
        let mut out = child.stdout.take().ok_or(io::ErrorKind::BrokenPipe)?;
        let told = io::copy(&mut out, &mut io::stdout().lock())?;
        Ok((child.wait()?, told))
    };
    let mut command = Command::new("/proc/self/exe");
    command
        .args(arguments(process::current()?, program))
        .args(rest)
        .stdin(Stdio::null());
    let mut known = 0;
    loop {
        let (status, told) = once(&mut command)?;
        known += told;
        match status.code() {
            Some(1..) => return Ok(status),
            _ => command.env(TOLD, known.to_string()),
        };
    }
}
