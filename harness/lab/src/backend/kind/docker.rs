//! What is asked of Docker by its client, which kind asks by as well.

use std::io;
use std::path::PathBuf;

use tokio::process::Command;

use super::LabError;

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
        .kill_on_drop(true)
        .output();
    let output = output.await.map_err(|error| failed(error.to_string()))?;
    if !output.status.success() {
        let why = String::from_utf8_lossy(&output.stderr).trim().to_owned();
        return Err(failed(why));
    }
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

/// Removes containers and networks that match a filter, whatever is attached to these networks, and
/// the volumes that go with it. Blocks until it is done.
pub(super) fn remove(filter: &str) -> io::Result<()> {
    let run = |args: &[&str]| {
        let output = std::process::Command::new("docker").args(args).output()?;
        if output.status.success() {
            return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
        }
        let why = String::from_utf8_lossy(&output.stderr);
        Err(io::Error::other(format!(
            "docker {}: {}",
            args[0],
            why.trim()
        )))
    };
    let networks = run(&["network", "ls", "--quiet", "--filter", filter])?;
    let mut containers = run(&["ps", "--all", "--quiet", "--filter", filter])?;
    for network in networks.lines() {
        let attached = format!("network={network}");
        containers.push_str(&run(&["ps", "--all", "--quiet", "--filter", &attached])?);
    }
    let mut gone = vec!["rm", "--force", "--volumes"];
    gone.extend(containers.lines());
    if !containers.is_empty() {
        run(&gone)?;
    }
    for network in networks.lines() {
        run(&["network", "rm", network])?;
    }
    Ok(())
}
