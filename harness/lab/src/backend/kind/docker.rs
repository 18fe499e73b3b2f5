//! What is asked of Docker by its client, which kind asks by as well.

use std::collections::BTreeSet;
use std::io;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;

use tokio::process::Command;

use super::LabError;

/// How often removing is tried.
const ROUNDS: usize = 5;

/// Docker's client.
pub(super) fn program() -> Result<PathBuf, LabError> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path)
        .map(|folder| folder.join("docker"))
        .find(|program| program.is_file())
        .ok_or_else(|| LabError::Missing {
            what: "Docker is not installed: no `docker` on PATH".to_owned(),
            help: "`cargo xtask doctor` says what to do about it".to_owned(),
        })
}

/// What Docker's client answers to this.
pub(super) async fn ask(args: &[&str]) -> Result<String, LabError> {
    let failed = |why: String| LabError::Api {
        what: format!("docker {}", args[..args.len().min(2)].join(" ")),
        why,
    };
    let output = Command::new(program()?)
        .args(args)
        .process_group(0)
        .kill_on_drop(true)
        .output();
    let output = output.await.map_err(|error| failed(error.to_string()))?;
    if !output.status.success() {
        let why = String::from_utf8_lossy(&output.stderr).trim().to_owned();
        return Err(failed(why));
    }
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

/// The folders of labs by which Docker has labelled containers and networks.
pub(super) fn labelled(label: &str) -> io::Result<BTreeSet<PathBuf>> {
    let (filter, format) = (
        format!("label={label}"),
        format!("{{{{.Label \"{label}\"}}}}"),
    );
    let mut folders = now(&["ps", "--all", "--filter", &filter, "--format", &format])?;
    folders.push_str(&now(&[
        "network", "ls", "--filter", &filter, "--format", &format,
    ])?);
    Ok(folders.lines().map(PathBuf::from).collect())
}

/// Removes containers and networks that match a filter, whatever is attached to these networks, and
/// the volumes that go with it. Blocks until it is done.
pub(super) fn remove(filter: &str) -> io::Result<()> {
    let mut removed = remove_once(filter);
    for _ in 1..ROUNDS {
        if removed.is_ok() {
            break;
        }
        // A container whose making was cut off may have come to be in between.
        removed = remove_once(filter);
    }
    removed
}

fn remove_once(filter: &str) -> io::Result<()> {
    let networks = now(&["network", "ls", "--quiet", "--filter", filter])?;
    let mut containers = now(&["ps", "--all", "--quiet", "--filter", filter])?;
    for network in networks.lines() {
        let attached = format!("network={network}");
        containers.push_str(&now(&["ps", "--all", "--quiet", "--filter", &attached])?);
    }
    let mut gone = vec!["rm", "--force", "--volumes"];
    gone.extend(containers.lines());
    if !containers.is_empty() {
        now(&gone)?;
    }
    for network in networks.lines() {
        now(&["network", "rm", network])?;
    }
    Ok(())
}

/// What Docker's client answers to this, waited for.
fn now(args: &[&str]) -> io::Result<String> {
    let mut docker = std::process::Command::new("docker");
    // Ctrl-C at a terminal is for the lab's owner, who clears away by this.
    let output = docker.args(args).process_group(0).output()?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    let why = String::from_utf8_lossy(&output.stderr);
    Err(io::Error::other(format!(
        "docker {}: {}",
        args[0],
        why.trim()
    )))
}
