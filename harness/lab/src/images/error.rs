//! Why an image is not there, and what to do about it.

use std::io;
use std::path::{Path, PathBuf};

use miette::Diagnostic;
use thiserror::Error;

/// An image that could not be made.
#[derive(Debug, Error, Diagnostic)]
pub enum ImagesError {
    /// Docker is not there, or does not answer.
    #[error("Docker does not answer: {why}")]
    #[diagnostic(help("`cargo xtask doctor` says what to do about it"))]
    Docker {
        /// The words of Docker's client.
        why: String,
    },
    /// A program that an image is made of could not be built.
    #[error(transparent)]
    #[diagnostic(transparent)]
    Tools(#[from] crate::tools::ToolsError),
    /// Built programs run on Linux only.
    #[error("images are built on Linux only")]
    #[diagnostic(help("run this where Docker itself runs"))]
    NotLinux,
    /// There is nothing that makes a Debian.
    #[error("mmdebstrap is not installed: no `mmdebstrap` on PATH")]
    #[diagnostic(help("it makes the Debian in a node's image (Debian, Ubuntu: mmdebstrap)"))]
    NoDebian,
    /// A recipe cannot be read.
    #[error("cannot read {}: {source}", path.display())]
    Recipe {
        /// The file.
        path: PathBuf,
        /// The system's words.
        source: io::Error,
    },
    /// Something cannot be written.
    #[error("cannot write {}: {source}", path.display())]
    #[diagnostic(help(
        "a node's image is built in the tool cache and takes about 2 GB there: set AUTHLAB_CACHE to a folder on another disk"
    ))]
    Write {
        /// The file.
        path: PathBuf,
        /// The system's words.
        source: io::Error,
    },
    /// A step failed.
    #[error("the image of {image}: {step} failed\n{lines}")]
    Step {
        /// Which image.
        image: &'static str,
        /// What was tried.
        step: &'static str,
        /// The last lines of it.
        lines: String,
    },
    /// The file of official images is at fault.
    #[error(transparent)]
    #[diagnostic(transparent)]
    Pins(#[from] crate::source::SourceError),
    /// An official image was asked for by name, and is not to be had.
    #[error("the official image {image} cannot be pulled: {why}")]
    #[diagnostic(help(
        "`auto` in the place of `official` builds one here where the registry does not answer"
    ))]
    NotPulled {
        /// The image, by its digest.
        image: String,
        /// Why, in the words of Docker's client.
        why: String,
    },
    /// Everything ended well, and still it is not there.
    #[error("Docker has no image {reference} after its build")]
    NotMade {
        /// The image.
        reference: String,
    },
}

pub(super) fn unwritable(path: &Path) -> impl FnOnce(io::Error) -> ImagesError {
    let path = path.to_owned();
    move |source| ImagesError::Write { path, source }
}

pub(super) fn unreadable(path: &Path) -> impl FnOnce(io::Error) -> ImagesError {
    let path = path.to_owned();
    move |source| ImagesError::Recipe { path, source }
}
