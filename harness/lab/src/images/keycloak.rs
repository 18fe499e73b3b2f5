//! Keycloak: a Debian with Java, and the distribution that labs of processes use.

use std::path::{Path, PathBuf};

use super::debian::Debian;
use super::{ImagesError, Kind, copy, docker, error, read};
use crate::tools::{self, Progress, cache};

const RECIPE: &str = "ci/images/keycloak";
const IMAGE: &str = "keycloak";
/// What of the distribution is used: what starts it elsewhere is not.
const PARTS: [&str; 4] = ["lib", "conf", "providers", "themes"];
/// What of the recipe Docker is given.
const FILES: [&str; 2] = ["Dockerfile", "entrypoint"];

pub(super) struct Recipe {
    debian: Debian,
    folder: PathBuf,
    distribution: PathBuf,
    reference: String,
}

impl Recipe {
    pub(super) async fn read(root: &Path, progress: &dyn Progress) -> Result<Self, ImagesError> {
        let folder = root.join(RECIPE);
        let mut texts = Vec::new();
        read(&folder, &mut texts)?;
        let distribution = tools::keycloak(root, progress).await?;
        // The path of the distribution holds the key of its build.
        texts.push(distribution.home.display().to_string());
        let key = cache::digest(&texts);
        Ok(Self {
            debian: Debian::read(&folder, IMAGE)?,
            folder,
            distribution: distribution.home,
            reference: format!("authlab/keycloak:{}-{key}", distribution.version),
        })
    }
}

impl super::Recipe for Recipe {
    fn kind(&self) -> Kind {
        Kind::Keycloak
    }

    fn reference(&self) -> &str {
        &self.reference
    }

    async fn build(&self, scratch: &Path, progress: &dyn Progress) -> Result<(), ImagesError> {
        let debian = self.debian.make(scratch, progress).await?;
        let context = scratch.join("context");
        for part in PARTS {
            copy(
                &self.distribution.join(part),
                &context.join(IMAGE).join(part),
            )?;
        }
        for file in FILES {
            let to = context.join(file);
            std::fs::copy(self.folder.join(file), &to).map_err(error::unwritable(&to))?;
        }
        let args = [
            "build",
            "--build-arg",
            &debian,
            "--tag",
            &self.reference,
            ".",
        ];
        docker::step(IMAGE, "docker build", &args, &context, progress).await
    }
}
