//! What is asked of Docker by its client.

use std::path::Path;

use tokio::process::Command;

use super::ImagesError;
use crate::docker::{self, Answer};
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

/// The tags that Docker has of a repository.
pub(super) async fn tags(repository: &str) -> Result<Vec<String>, ImagesError> {
    let tags = ask(&["image", "ls", "--format", "{{.Tag}}", repository]).await?;
    Ok(tags
        .unwrap_or_default()
        .lines()
        .map(str::to_owned)
        .collect())
}

async fn ask(args: &[&str]) -> Result<Answer, ImagesError> {
    let answer = docker::ask(args).await;
    answer.map_err(|error| ImagesError::Docker {
        why: format!("docker: {error}"),
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
    let mut command = Command::new(docker::CLIENT);
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
