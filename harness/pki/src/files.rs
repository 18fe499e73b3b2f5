//! Files that several processes may want at the same moment: whoever comes first writes, everybody reads the same.

use std::{
    fs,
    io::{self, Write as _},
    os::unix::fs::DirBuilderExt as _,
    path::Path,
};

use secrecy::{ExposeSecret as _, SecretString};

use crate::PkiError;

/// Makes a directory and its parents, readable by the owner alone.
pub(crate) fn create_dir(dir: &Path) -> Result<(), PkiError> {
    fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(dir)
        .map_err(|source| PkiError::File {
            path: dir.to_owned(),
            source,
        })
}

/// The file's text; when there is no such file, it is first written (mode 0600) with what `make` gives.
///
/// The file appears whole or not at all, and is never replaced: of two racers the first one's text is what both get.
pub(crate) fn read_or_create(
    path: &Path,
    make: impl FnOnce() -> Result<SecretString, PkiError>,
) -> Result<SecretString, PkiError> {
    let failed = |source| PkiError::File {
        path: path.to_owned(),
        source,
    };
    if let Some(text) = read(path).map_err(failed)? {
        return Ok(text);
    }
    let text = make()?;
    if create(path, text.expose_secret()).map_err(failed)? {
        return Ok(text);
    }
    read(path)
        .and_then(|found| found.ok_or_else(|| io::ErrorKind::NotFound.into()))
        .map_err(failed)
}

fn read(path: &Path) -> io::Result<Option<SecretString>> {
    match fs::read_to_string(path) {
        Ok(text) => Ok(Some(text.into())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// False when another process was first.
fn create(path: &Path, text: &str) -> io::Result<bool> {
    let dir = path.parent().unwrap_or(Path::new("."));
    let mut file = tempfile::NamedTempFile::new_in(dir)?;
    file.write_all(text.as_bytes())?;
    file.as_file().sync_all()?;
    match file.persist_noclobber(path) {
        Ok(_) => Ok(true),
        Err(refused) if refused.error.kind() == io::ErrorKind::AlreadyExists => Ok(false),
        Err(refused) => Err(refused.error),
    }
}
