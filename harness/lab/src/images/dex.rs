//! Dex alone in an image: the program brings its pages with it.

use std::path::{Path, PathBuf};

use super::{ImagesError, Kind, docker, error, put};
use crate::tools::{self, Progress, cache};

const RECIPE: &str = "ci/images/dex/Dockerfile";

pub(super) struct Recipe {
    program: PathBuf,
    dockerfile: String,
    reference: String,
}

impl Recipe {
    pub(super) async fn read(root: &Path, progress: &dyn Progress) -> Result<Self, ImagesError> {
        let path = root.join(RECIPE);
        let dockerfile = std::fs::read_to_string(&path).map_err(error::unreadable(&path))?;
        let tools = tools::ensure(root, &[tools::DEX], progress).await?;
        let program = tools.path("dex")?.to_owned();
        let key = cache::digest([&dockerfile, &program.display().to_string()]);
        Ok(Self {
            program,
            dockerfile,
            reference: format!("authlab/dex:{key}"),
        })
    }
}

impl super::Recipe for Recipe {
    fn kind(&self) -> Kind {
        Kind::Dex
    }

    fn reference(&self) -> &str {
        &self.reference
    }

    async fn build(&self, scratch: &Path, progress: &dyn Progress) -> Result<(), ImagesError> {
        put(&self.program, scratch)?;
        let dockerfile = scratch.join("Dockerfile");
        std::fs::write(&dockerfile, &self.dockerfile).map_err(error::unwritable(&dockerfile))?;
        let args = ["build", "--tag", &self.reference, "."];
        docker::step("dex", "docker build", &args, scratch, progress).await
    }
}
