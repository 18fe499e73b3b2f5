//! Container images: built from the programs of `ci/tools/` by the recipes of `ci/images/`, or
//! official ones.
//!
//! An image is tagged with a key made of its recipe and its programs: what is there under its tag
//! is never built again. Docker's own store is the cache.

mod client;
mod debian;
mod dex;
mod docker;
mod error;
mod keycloak;
mod node;
mod official;

use std::path::{Path, PathBuf};
use std::time::Instant;

use tokio::process::Command;

pub use error::ImagesError;
pub use official::Origin;
pub(crate) use official::is_official;

use official::{Pin, take};

use crate::kubernetes::Kubernetes;
use crate::tools::cache::Cache;
use crate::tools::{Event, Progress};

/// An image that labs of containers use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A node of a kind cluster, with everything that its Kubernetes version asks for.
    Node,
    /// Dex.
    Dex,
    /// Keycloak, with Java.
    Keycloak,
    /// A pod that logs in with its service account's token.
    Client,
}

/// Every image there is, quick builds first.
pub const ALL: [Kind; 4] = [Kind::Client, Kind::Dex, Kind::Keycloak, Kind::Node];

impl Kind {
    /// As it is written on the command line.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Node => "node",
            Self::Dex => "dex",
            Self::Keycloak => "keycloak",
            Self::Client => "client",
        }
    }
}

/// An image in Docker's store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Image {
    /// What it is.
    pub kind: Kind,
    /// The name by which Docker knows it: `authlab/node:v1.36.3-<key>`.
    pub reference: String,
    /// Its size in bytes, layers shared with others included.
    pub size: u64,
    /// Where it comes from and why from there, for people.
    pub origin: String,
}

impl Image {
    /// Whether its makers have published it, by the name in `ci/images`. A node of ours brings a
    /// network for pods, and wants the kubelet's `cgroupDriver` to be `cgroupfs`.
    #[must_use]
    pub fn is_official(&self) -> bool {
        is_official(&self.reference)
    }
}

/// Makes sure that Docker has these images, a node being of that version of Kubernetes, and that the
/// programs of those that are built are there. Ends soon when that is so. Dropping the future ends
/// what is under way.
///
/// # Errors
/// See [`ImagesError`]: each says what to do.
pub async fn ensure(
    root: &Path,
    wanted: &[Kind],
    kubernetes: Kubernetes,
    origin: Origin,
    progress: &dyn Progress,
) -> Result<Vec<Image>, ImagesError> {
    docker::answers().await?;
    let mut images = Vec::new();
    for kind in wanted {
        let pin = match origin {
            Origin::Built => None,
            Origin::Official | Origin::Auto => Pin::of(root, *kind, kubernetes)?,
        };
        let why = match take(*kind, kubernetes, pin.as_ref(), origin, progress).await? {
            Ok(image) => {
                images.push(image);
                continue;
            }
            Err(why) => why,
        };
        let mut image = match kind {
            Kind::Node => {
                one(
                    &node::Recipe::read(root, kubernetes, progress).await?,
                    progress,
                )
                .await?
            }
            Kind::Client => one(&client::Recipe::read(root)?, progress).await?,
            Kind::Dex => one(&dex::Recipe::read(root, progress).await?, progress).await?,
            Kind::Keycloak => one(&keycloak::Recipe::read(root, progress).await?, progress).await?,
        };
        image.origin.push_str(&why);
        images.push(image);
    }
    Ok(images)
}

/// Said of an image that a recipe has made.
const BUILT: &str = "built here from ci/tools";

/// How one image is made.
trait Recipe {
    fn kind(&self) -> Kind;
    /// The image's name with its tag.
    fn reference(&self) -> &str;
    /// Builds it; `scratch` is an empty folder on the disk of the tool cache.
    async fn build(&self, scratch: &Path, progress: &dyn Progress) -> Result<(), ImagesError>;
}

async fn one(recipe: &impl Recipe, progress: &dyn Progress) -> Result<Image, ImagesError> {
    let (kind, reference) = (recipe.kind(), recipe.reference());
    let found = |size| Image {
        kind,
        reference: reference.to_owned(),
        size,
        origin: BUILT.to_owned(),
    };
    if let Some(size) = docker::size(reference).await? {
        return Ok(found(size));
    }
    let name = format!("image-{}", kind.name());
    let cache = Cache::find()?;
    let lock = cache.lock(&name, progress).await?;
    // Whoever held the lock may just have built it.
    if docker::size(reference).await?.is_none() {
        let tool = format!("the image of {}", kind.name());
        let start = Instant::now();
        if !cfg!(target_os = "linux") {
            return Err(ImagesError::NotLinux);
        }
        progress.event(&Event::Started { tool: &tool });
        let place = cache.place(&name, "new");
        let scratch = crate::tools::cache::scratch(&place).map_err(error::unwritable(&place))?;
        recipe.build(scratch.path(), progress).await?;
        let elapsed = start.elapsed();
        progress.event(&Event::Built {
            tool: &tool,
            elapsed,
        });
    }
    drop(lock);
    match docker::size(reference).await? {
        Some(size) => Ok(found(size)),
        None => Err(ImagesError::NotMade {
            reference: reference.to_owned(),
        }),
    }
}

/// Builds a Go program of ours that needs nothing beside it.
fn static_program(folder: &Path, to: &Path) -> Command {
    let mut build = Command::new("go");
    build
        .args(["build", "-trimpath", "-ldflags", "-s -w", "-o"])
        .arg(to)
        .arg(".")
        .env("CGO_ENABLED", "0")
        .current_dir(folder);
    build
}

/// Puts a program into a folder: as another name of the same file where the disk allows it.
fn put(program: &Path, folder: &Path) -> Result<(), ImagesError> {
    let name = program.file_name().unwrap_or_default();
    let to = folder.join(name);
    std::fs::create_dir_all(folder)
        .and_then(|()| std::fs::hard_link(program, &to))
        .or_else(|_| std::fs::copy(program, &to).map(drop))
        .map_err(error::unwritable(&to))
}

/// Every file below a folder, name and content, in a fixed order.
fn read(folder: &Path, texts: &mut Vec<String>) -> Result<(), ImagesError> {
    let mut entries: Vec<PathBuf> = std::fs::read_dir(folder)
        .and_then(|entries| entries.map(|entry| Ok(entry?.path())).collect())
        .map_err(error::unreadable(folder))?;
    entries.sort();
    for entry in entries {
        if entry.is_dir() {
            read(&entry, texts)?;
        } else {
            let name = entry.file_name().unwrap_or_default();
            texts.push(name.to_string_lossy().into_owned());
            texts.push(std::fs::read_to_string(&entry).map_err(error::unreadable(&entry))?);
        }
    }
    Ok(())
}

/// Copies a folder with the modes of its files.
fn copy(from: &Path, to: &Path) -> Result<(), ImagesError> {
    std::fs::create_dir_all(to).map_err(error::unwritable(to))?;
    let entries = std::fs::read_dir(from).map_err(error::unreadable(from))?;
    for entry in entries.flatten() {
        let (from, to) = (entry.path(), to.join(entry.file_name()));
        if from.is_dir() {
            copy(&from, &to)?;
        } else {
            std::fs::copy(&from, &to).map_err(error::unwritable(&to))?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
