//! Processes of the machine, told apart by their number and start time.

use std::io;

use crate::state::Process;

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
