//! Unix sockets under any path: `sun_path` holds 108 bytes, a checkout may lie deeper.

use std::io;
use std::os::fd::AsRawFd;
use std::path::{Path, PathBuf};

use tokio::net::{UnixListener, UnixStream};

/// Connects to the socket at `path`, however long the path is.
///
/// # Errors
/// As the system says: nobody listens, or the folder is gone.
pub async fn connect(path: &Path) -> io::Result<UnixStream> {
    let (_folder, short) = shorten(path)?;
    UnixStream::connect(short).await
}

/// Listens on a new socket at `path`, however long the path is.
///
/// # Errors
/// As the system says.
pub fn listen(path: &Path) -> io::Result<UnixListener> {
    let (_folder, short) = shorten(path)?;
    UnixListener::bind(short)
}

/// The same place by way of an open folder. The file must live as long as the path is used.
fn shorten(path: &Path) -> io::Result<(std::fs::File, PathBuf)> {
    let folder = std::fs::File::open(path.parent().unwrap_or(Path::new(".")))?;
    let name = path.file_name().unwrap_or_default();
    let short = PathBuf::from(format!("/proc/self/fd/{}", folder.as_raw_fd())).join(name);
    Ok((folder, short))
}
