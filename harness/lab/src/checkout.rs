//! The checkout and the one folder in it that labs write to.

use std::path::{Path, PathBuf};

use authlab_pki::{Authority, KeyPool};

use crate::backend::LabError;

/// A checkout of the repository.
#[derive(Debug, Clone)]
pub struct Checkout {
    root: PathBuf,
}

impl Checkout {
    /// The checkout that this program was built from, or the folder that `AUTHLAB_ROOT` names: one
    /// with `fixtures/` and `scenarios/` of its own.
    #[must_use]
    pub fn here() -> Self {
        if let Some(root) = std::env::var_os("AUTHLAB_ROOT") {
            return Self::at(std::path::absolute(&root).unwrap_or_else(|_| root.into()));
        }
        let lab = Path::new(env!("CARGO_MANIFEST_DIR"));
        let root = lab.ancestors().nth(2).unwrap_or(lab);
        Self::at(root)
    }

    /// A checkout (or, in tests, any folder with `fixtures/`) at `root`.
    #[must_use]
    pub fn at(root: impl Into<PathBuf>) -> Self {
        Self { root: root.into() }
    }

    /// The folder that holds `fixtures/` and `scenarios/`.
    #[must_use]
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// `.authlab/`: labs, the CA and the key pool.
    #[must_use]
    pub fn private(&self) -> PathBuf {
        self.root.join(".authlab")
    }

    /// `.authlab/labs/`: a folder a lab.
    #[must_use]
    pub fn labs(&self) -> PathBuf {
        self.private().join("labs")
    }

    /// The checkout's CA, made at the first call.
    ///
    /// # Errors
    /// When `.authlab/pki` cannot be read or written.
    pub fn authority(&self) -> Result<Authority, LabError> {
        let folder = self.folder("pki")?;
        Ok(Authority::load_or_create(&folder, "authlab")?)
    }

    /// A CA that nobody trusts and that signs nothing: for configurations that name the wrong one.
    ///
    /// # Errors
    /// When `.authlab/pki` cannot be read or written.
    pub fn other_authority(&self) -> Result<Authority, LabError> {
        let folder = self.folder("pki/other")?;
        Ok(Authority::load_or_create(&folder, "authlab other")?)
    }

    /// The checkout's pool of signing keys.
    ///
    /// # Errors
    /// When `.authlab/keys` cannot be made.
    pub fn keys(&self) -> Result<KeyPool, LabError> {
        Ok(KeyPool::open(&self.folder("keys")?)?)
    }

    fn folder(&self, name: &str) -> Result<PathBuf, LabError> {
        let folder = self.private().join(name);
        std::fs::create_dir_all(&folder).map_err(|cause| LabError::System {
            what: format!("cannot make {}", folder.display()),
            cause,
        })?;
        Ok(folder)
    }
}
