//! A Debian with a few packages: what other images begin with. An image of its own, since it seldom
//! changes.

use std::path::{Path, PathBuf};

use tokio::process::Command;

use super::{ImagesError, docker, error};
use crate::exec::on_path;
use crate::tools::{Progress, cache};

const RELEASE: &str = "bookworm";

/// The Debian of one image.
pub(super) struct Debian {
    /// The image that is made from it.
    image: &'static str,
    packages: String,
    /// Its own name, which holds a key of its packages.
    pub(super) reference: String,
}

impl Debian {
    /// Reads the file `packages` in the folder of an image's recipe.
    pub(super) fn read(folder: &Path, image: &'static str) -> Result<Self, ImagesError> {
        let path = folder.join("packages");
        let packages = std::fs::read_to_string(&path).map_err(error::unreadable(&path))?;
        Ok(Self {
            image,
            reference: format!("authlab/debian:{RELEASE}-{}", cache::digest([&packages])),
            packages,
        })
    }

    /// Makes it, unless it is there; answers with what names it to a Dockerfile.
    pub(super) async fn make(
        &self,
        scratch: &Path,
        progress: &dyn Progress,
    ) -> Result<String, ImagesError> {
        let argument = format!("DEBIAN={}", self.reference);
        if docker::size(&self.reference).await?.is_some() {
            return Ok(argument);
        }
        let mmdebstrap: PathBuf = on_path("mmdebstrap").ok_or(ImagesError::NoDebian)?;
        let packages: Vec<&str> = self.packages.lines().collect();
        let mut make = Command::new(mmdebstrap);
        make.args(["--variant=minbase", "--aptopt=Acquire::Languages \"none\""]);
        for left_out in ["man", "doc", "locale", "info"] {
            make.arg(format!("--dpkgopt=path-exclude=/usr/share/{left_out}/*"));
        }
        // Java's package puts links there, and fails when it cannot.
        make.arg("--essential-hook=mkdir -p \"$1/usr/share/man/man1\"");
        make.arg(format!("--include={}", packages.join(",")))
            .args([RELEASE, "debian.tar"])
            .current_dir(scratch);
        docker::run_step(self.image, "making a Debian", make, progress).await?;
        let args = ["import", "debian.tar", &self.reference];
        docker::step(self.image, "docker import", &args, scratch, progress).await?;
        let tar = scratch.join("debian.tar");
        std::fs::remove_file(&tar).map_err(error::unwritable(&tar))?;
        Ok(argument)
    }
}
