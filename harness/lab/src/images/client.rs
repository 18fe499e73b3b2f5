//! A pod that logs in: one small program of ours.

use std::path::{Path, PathBuf};

use tokio::process::Command;

use super::{ImagesError, Kind, docker, error, read};
use crate::tools::{Progress, cache};

const RECIPE: &str = "ci/images/client";
const IMAGE: &str = "client";

pub(super) struct Recipe {
    folder: PathBuf,
    reference: String,
}

impl Recipe {
    pub(super) fn read(root: &Path) -> Result<Self, ImagesError> {
        let folder = root.join(RECIPE);
        let mut texts = Vec::new();
        read(&folder, &mut texts)?;
        Ok(Self {
            reference: format!("authlab/client:{}", cache::digest(&texts)),
            folder,
        })
    }
}

impl super::Recipe for Recipe {
    fn kind(&self) -> Kind {
        Kind::Client
    }

    fn reference(&self) -> &str {
        &self.reference
    }

    async fn build(&self, scratch: &Path, progress: &dyn Progress) -> Result<(), ImagesError> {
        if !cfg!(target_os = "linux") {
            return Err(ImagesError::NotLinux);
        }
        let mut build = Command::new("go");
        build
            .args(["build", "-trimpath", "-ldflags", "-s -w", "-o"])
            .arg(scratch.join(IMAGE))
            .arg(".")
            .env("CGO_ENABLED", "0")
            .current_dir(&self.folder);
        docker::run_step(IMAGE, "building the program", build, progress).await?;
        let dockerfile = scratch.join("Dockerfile");
        std::fs::copy(self.folder.join("Dockerfile"), &dockerfile)
            .map_err(error::unwritable(&dockerfile))?;
        let args = ["build", "--tag", &self.reference, "."];
        docker::step(IMAGE, "docker build", &args, scratch, progress).await
    }
}
