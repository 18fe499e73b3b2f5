//! One command of a build, line by line.

use std::ffi::{OsStr, OsString};
use std::io;
use std::process::Stdio;
use std::sync::Mutex;

use rustix::process::{Pid, Signal, kill_process_group};
use tokio::io::{AsyncBufReadExt, AsyncRead, BufReader};
use tokio::process::{Child, Command};

use super::{Event, Progress};

const LAST_LINES: usize = 20;

/// Runs it to its end, each line that it writes being a step. Dropping the future ends it.
///
/// # Errors
/// With all its lines when it fails or cannot be started.
pub(crate) async fn run(
    mut command: Command,
    tool: &str,
    progress: &dyn Progress,
) -> Result<(), Vec<String>> {
    let (child, program) = start(&mut command)?;
    let mut group = Group(child);
    follow(&mut group.0, &program, tool, progress).await
}

/// The same, but dropping the future ends the program alone, and what it has started comes to its
/// end by itself: Docker may not be left with half a request.
///
/// # Errors
/// As [`run`].
pub(crate) async fn lead(
    mut command: Command,
    tool: &str,
    progress: &dyn Progress,
) -> Result<(), Vec<String>> {
    let (mut child, program) = start(command.kill_on_drop(true))?;
    follow(&mut child, &program, tool, progress).await
}

fn start(command: &mut Command) -> Result<(Child, OsString), Vec<String>> {
    let program = command.as_std().get_program().to_owned();
    let started = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .process_group(0)
        .spawn();
    match started {
        Ok(child) => Ok((child, program)),
        Err(error) => Err(vec![format!("{}: {error}", program.display())]),
    }
}

async fn follow(
    child: &mut Child,
    program: &OsStr,
    tool: &str,
    progress: &dyn Progress,
) -> Result<(), Vec<String>> {
    let system = |error: io::Error| vec![format!("{}: {error}", program.display())];
    let lines = Mutex::new(Vec::new());
    let (out, err) = (child.stdout.take(), child.stderr.take());
    let follow = tokio::try_join!(
        steps(out, &lines, tool, progress),
        steps(err, &lines, tool, progress),
    );
    follow.map_err(system)?;
    let status = child.wait().await.map_err(system)?;
    if status.success() {
        return Ok(());
    }
    Err(lines.into_inner().unwrap_or_default())
}

async fn steps(
    stream: Option<impl AsyncRead + Unpin>,
    lines: &Mutex<Vec<String>>,
    tool: &str,
    progress: &dyn Progress,
) -> io::Result<()> {
    let Some(stream) = stream else { return Ok(()) };
    let mut reader = BufReader::new(stream).lines();
    while let Some(line) = reader.next_line().await? {
        let Ok(mut lines) = lines.lock() else { break };
        lines.push(line);
        progress.event(&Event::Step {
            tool,
            count: lines.len(),
            line: lines.last().map_or("", String::as_str),
        });
    }
    Ok(())
}

/// The last of these lines.
pub(crate) fn last<'a>(lines: impl IntoIterator<Item = &'a String>) -> String {
    let lines: Vec<&str> = lines.into_iter().map(String::as_str).collect();
    lines[lines.len().saturating_sub(LAST_LINES)..].join("\n")
}

/// A command and what it starts: they end together, also when the caller goes away.
pub(crate) struct Group(pub(crate) Child);

impl Drop for Group {
    fn drop(&mut self) {
        let pid = self.0.id().and_then(|pid| i32::try_from(pid).ok());
        if let Some(pid) = pid.and_then(Pid::from_raw) {
            let _ = kill_process_group(pid, Signal::KILL);
        }
    }
}
