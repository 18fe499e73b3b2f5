//! What is asked of Docker by its client.

use std::path::Path;

use tokio::process::Command;

use super::ImagesError;
use crate::tools::{Progress, run};

/// Makes sure that Docker is there and answers.
pub(super) async fn answers() -> Result<(), ImagesError> {
    ask(&["version", "--format", "{{.Server.Version}}"])
        .await?
        .map(drop)
        .map_err(|why| ImagesError::Docker { why })
}

/// The size of an image; `None` when Docker does not have it.
pub(super) async fn size(reference: &str) -> Result<Option<u64>, ImagesError> {
    let size = ask(&["image", "inspect", "--format", "{{.Size}}", reference]).await?;
    Ok(size.ok().and_then(|size| size.parse().ok()))
}

/// What Docker's client answers: its output, or its complaint.
async fn ask(args: &[&str]) -> Result<Result<String, String>, ImagesError> {
    let output = Command::new("docker")
        .args(args)
        .kill_on_drop(true)
        .output();
    let output = output.await.map_err(|error| ImagesError::Docker {
        why: format!("docker: {error}"),
    })?;
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim().to_owned();
    Ok(match output.status.success() {
        true => Ok(text(&output.stdout)),
        false => Err(text(&output.stderr)),
    })
}

/// A step of a build, by Docker's client.
pub(super) async fn step(
    image: &'static str,
    step: &'static str,
    args: &[&str],
    folder: &Path,
    progress: &dyn Progress,
) -> Result<(), ImagesError> {
    let mut command = Command::new("docker");
    command.args(args).current_dir(folder);
    run_step(image, step, command, progress).await
}

/// A step of a build.
pub(super) async fn run_step(
    image: &'static str,
    step: &'static str,
    command: Command,
    progress: &dyn Progress,
) -> Result<(), ImagesError> {
    let done = run::run(command, image, progress).await;
    done.map_err(|lines| ImagesError::Step {
        image,
        step,
        lines: run::last(&lines),
    })
}
