//! Signing keys by name, kept between runs because RSA keys are slow to make.

use std::{
    collections::HashMap,
    fmt,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
};

use crate::{Algorithm, PkiError, SigningKey, files};

/// Signing keys by algorithm and slot. A clone is the same pool.
#[derive(Clone)]
pub struct KeyPool(Arc<Inner>);

struct Inner {
    dir: Option<PathBuf>,
    keys: Mutex<HashMap<(Algorithm, String), Slot>>,
}

/// Its own lock, so that a key being made holds up only those who want this one.
type Slot = Arc<Mutex<Option<Arc<SigningKey>>>>;

impl KeyPool {
    /// The pool kept in `dir`, a PKCS#8 PEM file (mode 0600) a key; the directory is made when there is none. No key
    /// is read before it is asked for.
    ///
    /// # Errors
    /// When the directory cannot be made.
    pub fn open(dir: &Path) -> Result<Self, PkiError> {
        files::create_dir(dir)?;
        Ok(Self::new(Some(dir.to_owned())))
    }

    /// A pool kept in memory only.
    #[must_use]
    pub fn ephemeral() -> Self {
        Self::new(None)
    }

    fn new(dir: Option<PathBuf>) -> Self {
        Self(Arc::new(Inner {
            dir,
            keys: Mutex::default(),
        }))
    }

    /// The key of a slot, made when there is none. The same slot gives the same key, in every process that opens the
    /// directory; slots of one name under two algorithms are two keys.
    ///
    /// Blocks for up to a second when an RSA key has to be made, for a millisecond when a key is first read.
    ///
    /// # Errors
    /// When the key's file cannot be read, written or understood.
    pub fn key(&self, algorithm: Algorithm, slot: &str) -> Result<Arc<SigningKey>, PkiError> {
        let entry = {
            let mut keys = self.0.keys.lock().unwrap_or_else(PoisonError::into_inner);
            Arc::clone(keys.entry((algorithm, slot.to_owned())).or_default())
        };
        let mut entry = entry.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(key) = &*entry {
            return Ok(Arc::clone(key));
        }
        let key = Arc::new(match &self.0.dir {
            None => SigningKey::generate(algorithm)?,
            Some(dir) => load_or_create(&dir.join(file_name(algorithm, slot)), algorithm)?,
        });
        *entry = Some(Arc::clone(&key));
        Ok(key)
    }
}

fn load_or_create(path: &Path, algorithm: Algorithm) -> Result<SigningKey, PkiError> {
    let pem = files::read_or_create(path, || {
        Ok(SigningKey::generate(algorithm)?.private_key_pem().clone())
    })?;
    SigningKey::from_pkcs8_pem(algorithm, pem).map_err(|error| PkiError::Content {
        path: path.to_owned(),
        reason: error.to_string(),
    })
}

/// A slot may be any text: what is not plain in a file name is written as `%` and two hexadecimal digits.
fn file_name(algorithm: Algorithm, slot: &str) -> String {
    let mut name = format!("{algorithm}-");
    for byte in slot.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' => name.push(byte.into()),
            _ => name.push_str(&format!("%{byte:02x}")),
        }
    }
    name + ".pem"
}

impl fmt::Debug for KeyPool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeyPool")
            .field("dir", &self.0.dir)
            .finish_non_exhaustive()
    }
}
