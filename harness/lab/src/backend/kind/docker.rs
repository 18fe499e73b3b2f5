//! What is asked of Docker by its client, which kind asks by as well.

use std::ffi::OsString;
use std::io;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::LabError;
use crate::docker;
use crate::exec::on_path;

/// How long what is removed may take to be gone: somebody else may be removing it.
const GONE: Duration = Duration::from_secs(10);

/// Docker's client.
pub(super) fn program() -> Result<PathBuf, LabError> {
    on_path(docker::CLIENT).ok_or_else(|| LabError::Missing {
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
    program()?;
    let answer = docker::ask(args).await;
    answer
        .map_err(|error| failed(error.to_string()))?
        .map_err(failed)
}

/// Where Docker answers, by the variable that every client of it reads: those that a lab starts know
/// neither the variables of the person nor what that person has chosen by `docker context`.
///
/// # Errors
/// When there is no client.
pub(super) async fn address() -> Result<(&'static str, OsString), LabError> {
    let format = "{{.Endpoints.docker.Host}}";
    let host = ask(&["context", "inspect", "--format", format]).await?;
    Ok(("DOCKER_HOST", host.into()))
}

/// This machine's address in a network, by the gateway and the range that Docker names: one that has
/// been started for the first time names the range only, whose first address it has taken.
pub(super) fn gateway(said: &str) -> Option<Ipv4Addr> {
    said.split_whitespace()
        .find_map(|word| match word.split_once('/') {
            None => word.parse().ok(),
            Some((range, _)) => {
                let range: Ipv4Addr = range.parse().ok()?;
                Some(Ipv4Addr::from_bits(range.to_bits() + 1))
            }
        })
}

/// What Docker holds for labs.
#[derive(Debug, Default)]
pub(super) struct Held {
    /// Containers by id, and what of this machine they see.
    containers: Vec<(String, Vec<PathBuf>)>,
    /// Networks by id, and the folders of their labs.
    networks: Vec<(String, PathBuf)>,
}

impl Held {
    /// Containers are told by what they see: those of a cluster carry kind's labels only. Networks
    /// carry `label` with the folder of their lab.
    pub(super) fn look(label: &str) -> io::Result<Self> {
        let columns = "{{.ID}}\t{{.Mounts}}";
        let containers = now(&["ps", "--all", "--no-trunc", "--format", columns])?;
        let filter = format!("label={label}");
        let columns = format!("{{{{.ID}}}}\t{{{{.Label \"{label}\"}}}}");
        let networks = now(&["network", "ls", "--filter", &filter, "--format", &columns])?;
        Ok(Self {
            containers: rows(&containers, |mounts| {
                mounts.split(',').map(PathBuf::from).collect()
            }),
            networks: rows(&networks, |folder| PathBuf::from(folder)),
        })
    }

    /// What belongs to labs whose folder is among `those`.
    fn of(mut self, those: impl Fn(&Path) -> bool) -> Self {
        let sees = |path: &PathBuf| path.ancestors().any(&those);
        self.containers.retain(|(_, paths)| paths.iter().any(sees));
        self.networks.retain(|(_, folder)| those(folder));
        self
    }
}

/// Lines of an id and one more column.
fn rows<T>(text: &str, read: impl Fn(&str) -> T) -> Vec<(String, T)> {
    text.lines()
        .filter_map(|line| line.split_once('\t'))
        .map(|(id, rest)| (id.to_owned(), read(rest)))
        .collect()
}

/// Removes containers and networks of labs whose folder is among `those`, and the volumes that go
/// with them. Blocks until nothing is found any more: a container whose making was cut off may come
/// to be in between.
pub(super) fn remove(label: &str, those: impl Fn(&Path) -> bool) -> io::Result<()> {
    let begun = Instant::now();
    loop {
        let held = Held::look(label)?.of(&those);
        if held.containers.is_empty() && held.networks.is_empty() {
            return Ok(());
        }
        let mut gone = vec!["rm", "--force", "--volumes"];
        gone.extend(held.containers.iter().map(|(id, _)| id.as_str()));
        let mut failed = match held.containers.is_empty() {
            true => None,
            false => now(&gone).err(),
        };
        for (id, _) in &held.networks {
            failed = now(&["network", "rm", id]).err().or(failed);
        }
        // Docker's client takes its time: that is pause enough.
        if let Some(error) = failed
            && begun.elapsed() > GONE
        {
            return Err(error);
        }
    }
}

/// What Docker's client answers to this, waited for.
fn now(args: &[&str]) -> io::Result<String> {
    docker::ask_now(args)?.map_err(|why| io::Error::other(format!("docker {}: {why}", args[0])))
}

#[cfg(test)]
mod tests;
