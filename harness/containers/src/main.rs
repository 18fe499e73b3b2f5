//! One container of a lab, run as if it were a process: `authlab-container FILE`, where FILE holds
//! the JSON of [`Spec`].
//!
//! What the container logs goes to standard output and standard error. It ends with its container
//! and takes it along: when asked to end (SIGTERM), and when its parent dies.
//!
//! A program of its own, built when the first lab of containers is started: talking to Docker takes
//! crates that nothing else here needs.

mod spec;

use std::io::{self, Write};
use std::process::ExitCode;

use rustix::process::{Signal, getppid, set_parent_process_death_signal};
use testcontainers::core::Mount;
use testcontainers::core::error::Result;
use testcontainers::core::{AccessMode, ContainerAsync};
use testcontainers::runners::AsyncRunner;
use testcontainers::{GenericImage, ImageExt};
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::signal::unix::{SignalKind, signal};

use self::spec::Spec;

#[tokio::main]
async fn main() -> ExitCode {
    let parent = getppid();
    // Instead of SIGKILL, which whoever started it may have chosen: the container has to go too.
    let _ = set_parent_process_death_signal(Some(Signal::TERM));
    // A file, since it may hold a password, and arguments are for everybody to see.
    let file = std::env::args_os().nth(1).unwrap_or_default();
    let spec = match std::fs::read_to_string(&file).map(|text| Spec::read(&text)) {
        Ok(Ok(spec)) => spec,
        Ok(Err(error)) => return complain(&format!("{}: {error}", file.display())),
        Err(error) => return complain(&format!("{}: {error}", file.display())),
    };
    let (Ok(mut term), Ok(mut int)) = (
        signal(SignalKind::terminate()),
        signal(SignalKind::interrupt()),
    ) else {
        return complain("no signals");
    };
    // It may have died before the signal was chosen.
    if parent != getppid() {
        return complain("the lab host is gone");
    }
    // Not cut off in the middle: a container that nobody knows of would stay.
    let container = match request(&spec).start().await {
        Ok(container) => container,
        Err(error) => return complain(&error.to_string()),
    };
    if spec.alone {
        std::mem::forget(container);
        return ExitCode::SUCCESS;
    }
    let ended = tokio::select! {
        ended = follow(&container) => Some(ended),
        _ = term.recv() => None,
        _ = int.recv() => None,
    };
    let removed = container.rm().await;
    match (ended, removed) {
        (Some(Ok(Some(0))) | None, Ok(())) => ExitCode::SUCCESS,
        (Some(Err(error)), _) | (_, Err(error)) => complain(&error.to_string()),
        _ => ExitCode::FAILURE,
    }
}

/// What Docker is asked for.
fn request(spec: &Spec) -> testcontainers::ContainerRequest<GenericImage> {
    let mut request = GenericImage::new(spec.image.as_str(), spec.tag.as_str())
        .with_cmd(spec.command.clone())
        .with_network(spec.network.as_str())
        .with_labels(spec.labels.clone());
    if let Some(name) = &spec.name {
        request = request.with_container_name(name);
    }
    if let Some(user) = &spec.user {
        request = request.with_user(user);
    }
    for (name, value) in &spec.environment {
        request = request.with_env_var(name, value);
    }
    let bound = |file: &String| Mount::bind_mount(file, file);
    let read = spec.read.iter().map(bound);
    let read = read.map(|mount| mount.with_access_mode(AccessMode::ReadOnly));
    for mount in read.chain(spec.write.iter().map(bound)) {
        request = request.with_mount(mount);
    }
    let alone = spec.alone;
    request.with_host_config_modifier(move |host| {
        // Nobody is there to remove it.
        host.auto_remove = Some(alone);
    })
}

/// Passes on what it logs until it ends; answers with its exit code.
async fn follow(container: &ContainerAsync<GenericImage>) -> Result<Option<i64>> {
    let (out, err) = (container.stdout(true), container.stderr(true));
    tokio::join!(pass(out, io::stdout()), pass(err, io::stderr()));
    container.exit_code().await
}

async fn pass(mut from: impl AsyncRead + Unpin, mut to: impl Write) {
    let mut part = vec![0; 8192];
    // Docker's end and the container's look the same here; its exit code tells them apart.
    while let Ok(read @ 1..) = from.read(&mut part).await {
        if to
            .write_all(&part[..read])
            .and_then(|()| to.flush())
            .is_err()
        {
            break;
        }
    }
}

/// Standard error is the component's log, where its owner looks for the reason.
fn complain(why: &str) -> ExitCode {
    let _ = writeln!(io::stderr(), "authlab: {why}");
    ExitCode::FAILURE
}
