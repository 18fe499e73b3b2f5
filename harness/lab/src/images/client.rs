//! A pod that logs in: one small program of ours.

use std::path::{Path, PathBuf};

use super::{ImagesError, Kind, docker, error, read, static_program};
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
        let build = static_program(&self.folder, &scratch.join(IMAGE));
        docker::run_step(IMAGE, "building the program", build, progress).await?;
        let dockerfile = scratch.join("Dockerfile");
        std::fs::copy(self.folder.join("Dockerfile"), &dockerfile)
            .map_err(error::unwritable(&dockerfile))?;
        let args = ["build", "--tag", &self.reference, "."];
        docker::step(IMAGE, "docker build", &args, scratch, progress).await
    }
}
