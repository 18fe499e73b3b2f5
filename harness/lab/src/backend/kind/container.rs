//! Containers of providers, each run by a small program of ours as if it were a process: see
//! `harness/containers`.

use std::io;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use serde_json::{Value, json};
use tokio::process::Command;

use super::{LabError, Site, docker, write};
use crate::checkout::Checkout;
use crate::docker::ask;
use crate::exec::{Program, Start, USERS};
use crate::folder::LABEL;
use crate::process;
use crate::state::{Process, write_private};
use crate::tools::{Event, Progress, ToolsError};

/// The package of the program.
const PACKAGE: &str = "authlab-containers";
/// What it is called.
pub(crate) const PROGRAM: &str = "authlab-container";
/// What it is made of, below the checkout's root.
const SOURCES: [&str; 3] = [
    "harness/containers/Cargo.toml",
    "harness/containers/src/main.rs",
    "harness/containers/src/spec.rs",
];
/// Describes a container, beside what it runs from.
const SPEC: &str = "container.json";

/// The program that runs a container, built when it is not: most labs need no containers, and it takes a
/// minute. Cargo is left alone where it has nothing to do: it waits for every other build of the checkout.
///
/// # Errors
/// When it does not compile.
pub async fn runner(progress: &dyn Progress) -> Result<PathBuf, ToolsError> {
    let root = Checkout::here().root().to_owned();
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or(root.join("target"), PathBuf::from);
    let program = target.join("debug").join(PROGRAM);
    let written = |path: &Path| std::fs::metadata(path).and_then(|there| there.modified());
    let sources = SOURCES.iter().map(|source| written(&root.join(source)));
    if let (Ok(built), Ok(sources)) = (written(&program), sources.collect::<io::Result<Vec<_>>>())
        && let Some(changed) = sources.into_iter().max()
        && built > changed
    {
        return Ok(program);
    }
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let failed = |lines: String| ToolsError::Build {
        tool: PACKAGE.to_owned(),
        lines,
        command: format!("cargo build --package {PACKAGE}"),
    };
    progress.event(&Event::Step {
        tool: PACKAGE,
        count: 1,
        line: "cargo build",
    });
    let built = Command::new(cargo)
        .args(["build", "--package", PACKAGE, "--message-format=json"])
        .current_dir(&root)
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .output()
        .await
        .map_err(|error| failed(error.to_string()))?;
    let messages = String::from_utf8_lossy(&built.stdout);
    let messages = messages
        .lines()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let made = messages
        .filter(|message| message["reason"] == "compiler-artifact")
        .find_map(|message| message["executable"].as_str().map(PathBuf::from));
    match made {
        Some(program) if built.status.success() => Ok(program),
        _ => Err(failed(String::from_utf8_lossy(&built.stderr).into_owned())),
    }
}

/// What every container of ours has; on this machine's own network, since the address of a provider
/// stands in its file, and as the lab's owner, whose files it reads.
fn spec(image: &str, folder: &Path) -> Value {
    let (image, tag) = image.rsplit_once(':').unwrap_or((image, "latest"));
    let (user, group) = (rustix::process::getuid(), rustix::process::getgid());
    json!({
        "image": image, "tag": tag, "network": "host",
        "user": format!("{}:{}", user.as_raw(), group.as_raw()),
        "labels": { LABEL: folder },
    })
}

/// A container that lives as long as its program.
pub(super) fn program(
    site: &Site,
    runner: &Path,
    name: &str,
    (image, command, files): (&str, &[String], &[String]),
) -> Result<Program, LabError> {
    let mut spec = spec(image, &site.folder);
    spec["command"] = json!(command);
    spec["read"] = json!(files);
    let file = site.folder.join(format!("{name}-{SPEC}"));
    Ok(Program {
        name: name.to_owned(),
        path: runner.to_owned(),
        args: vec![write(file, spec.to_string().as_bytes())?.into()],
        folder: site.folder.clone(),
        environment: Vec::new(),
    })
}

/// Starts, by a runner, a container that labs share: it ends by itself when nobody holds the lock of `folder` any
/// more, which its image has to see to.
pub(super) async fn shared<N>(
    mut run: Command,
    image: &str,
    folder: &Path,
    start: Start<N>,
) -> io::Result<(Process, N)> {
    let mut spec = spec(image, folder);
    let name = format!("{}-keycloak", super::name(folder));
    // Docker gives a name once: what is left of another is in the way.
    let _ = ask(&["rm", "--force", &name]).await?;
    let words = [folder.as_os_str(), start.program.as_os_str()]
        .into_iter()
        .chain(start.args.iter().map(AsRef::as_ref));
    let words = words.map(|word| word.to_string_lossy());
    spec["command"] = json!(words.collect::<Vec<_>>());
    let environment = start.environment.iter();
    let environment = environment.map(|(name, value)| (*name, value.to_string_lossy()));
    spec["environment"] = environment
        .chain([("HOME", folder.to_string_lossy())])
        .map(|(name, value)| (name.to_owned(), json!(value)))
        .collect();
    spec["write"] = json!([folder]);
    spec["alone"] = json!(true);
    spec["name"] = json!(name);
    debug_assert!(folder.join(USERS).exists(), "what it waits for");
    let file = folder.join(SPEC);
    write_private(&file, spec.to_string().as_bytes())?;
    run.arg(&file).stdin(Stdio::null()).kill_on_drop(true);
    let ran = run.output().await?;
    if !ran.status.success() {
        let why = String::from_utf8_lossy(&ran.stderr).trim().to_owned();
        return Err(io::Error::other(why));
    }
    let pid = docker::ask(&["inspect", "--format", "{{.State.Pid}}", &name]).await;
    let pid = pid.map_err(io::Error::other)?;
    let pid = pid.parse().map_err(io::Error::other)?;
    let keeper = Process {
        pid,
        started: process::started(pid)?,
    };
    Ok((keeper, start.note))
}
