//! What is asked of Docker by its client.

use std::io;
use std::os::unix::process::CommandExt;
use std::process::{Command, Output};

/// Docker's client, as it is found on PATH.
pub(crate) const CLIENT: &str = "docker";

/// What the client prints, or what it complains about.
pub(crate) type Answer = Result<String, String>;

/// Asks and waits in the background; a future that is dropped ends the client.
///
/// # Errors
/// When the client cannot be run.
pub(crate) async fn ask(args: &[&str]) -> io::Result<Answer> {
    let mut client = tokio::process::Command::from(client(args));
    client.kill_on_drop(true).output().await.map(answer)
}

/// Asks and blocks.
///
/// # Errors
/// When the client cannot be run.
pub(crate) fn ask_now(args: &[&str]) -> io::Result<Answer> {
    client(args).output().map(answer)
}

fn client(args: &[&str]) -> Command {
    let mut client = Command::new(CLIENT);
    // Ctrl-C at a terminal is for the lab's owner, who clears away by the client too.
    client.args(args).process_group(0);
    client
}

fn answer(output: Output) -> Answer {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim().to_owned();
    match output.status.success() {
        true => Ok(text(&output.stdout)),
        false => Err(text(&output.stderr)),
    }
}
