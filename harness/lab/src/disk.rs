//! How much room there is.

use std::path::Path;
use std::time::Duration;

use crate::wait::{Look, until};

/// Bytes that this user may still write on the disk of a folder, or of the nearest folder above it.
pub(crate) fn room(folder: &Path) -> Option<u64> {
    let disk = folder
        .ancestors()
        .find_map(|folder| rustix::fs::statvfs(folder).ok())?;
    Some(disk.f_bavail * disk.f_frsize)
}

/// Ends only when less than `least` bytes are left there; answers with how many are.
pub(crate) async fn full(folder: &Path, least: u64) -> u64 {
    let look = || {
        std::future::ready(match room(folder) {
            Some(room) if room < least => Look::Ready(room),
            _ => Look::NotYet(String::new()),
        })
    };
    // Longer than any lab lives.
    let full = until("the end of a disk's room", Duration::MAX, look).await;
    full.unwrap_or_default()
}
