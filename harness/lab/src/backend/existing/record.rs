//! What a lab writes down before it writes to a cluster, so that it can be cleared away without it.

use std::hash::{BuildHasher, RandomState};
use std::io;
use std::path::Path;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::error::chain;
use super::{ExistingError, Target, look, sweep};
use crate::state::write_private;

/// Carried by everything that a lab makes in a cluster.
pub(super) const LABEL: &str = "authlab.dev/lab";
/// In the lab's folder.
const RECORD: &str = "existing.json";
/// How long what a dead lab left may take to be gone.
const REAPED: Duration = Duration::from_secs(60);
/// A label's value has at most 63 characters.
const LONGEST: usize = 63;

/// The value of a lab's label: its id and a random number, since others may use the cluster from
/// other machines.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Label(String);

impl Label {
    pub fn new(id: &str) -> Self {
        // A hash under fresh random keys is a random number.
        let random = format!("{:08x}", RandomState::new().hash_one(id) & 0xffff_ffff);
        let plain = |c: char| {
            if c.is_ascii_alphanumeric() || "-_.".contains(c) {
                c
            } else {
                '-'
            }
        };
        let id: String = id
            .chars()
            .map(plain)
            .take(LONGEST - random.len() - 1)
            .collect();
        let id = id.trim_start_matches(|c: char| !c.is_ascii_alphanumeric());
        Self(format!("{id}.{random}"))
    }

    /// The random number alone.
    pub fn random(&self) -> &str {
        self.0.rsplit('.').next().unwrap_or(&self.0)
    }

    /// As it stands in `metadata.labels`.
    pub fn text(&self) -> &str {
        &self.0
    }

    /// The `labelSelector` that finds what carries it.
    pub fn selector(&self) -> String {
        format!("labelSelector=authlab.dev%2Flab%3D{}", self.0)
    }

    /// Whether an object carries it.
    pub fn is_on(&self, object: &serde_json::Value) -> bool {
        object["metadata"]["labels"][LABEL] == self.0
    }
}

/// What is written down.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Record {
    pub target: Target,
    pub label: Label,
}

impl Record {
    pub fn write(&self, folder: &Path) -> Result<(), ExistingError> {
        let written = serde_json::to_vec(self).map_err(io::Error::from);
        let written = written.and_then(|text| write_private(&folder.join(RECORD), &text));
        written.map_err(|cause| ExistingError::File {
            what: "cannot write down which cluster the lab is in".to_owned(),
            cause,
        })
    }

    /// Nothing is left in the cluster.
    pub fn forget(folder: &Path) {
        // Its folder goes next.
        let _ = std::fs::remove_file(folder.join(RECORD));
    }
}

/// Removes what the lab of this folder left in a cluster, at once where it never wrote to one.
///
/// # Errors
/// With what to do, when the cluster cannot be reached or does not let go.
pub(crate) fn reap(folder: &Path) -> io::Result<()> {
    let text = match std::fs::read(folder.join(RECORD)) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error),
    };
    let record: Record = serde_json::from_slice(&text)?;
    // Whoever asks may be in a runtime of its own, and may be dropping things there.
    let cleared = std::thread::scope(|scope| scope.spawn(|| clear(&record)).join());
    match cleared {
        Ok(Ok(())) => {
            Record::forget(folder);
            Ok(())
        }
        Ok(Err(why)) => Err(io::Error::other(format!(
            "{why}; what the lab left in that cluster carries the label {LABEL}={}: once that is \
             removed, or the cluster is no more, remove the folder too",
            record.label.text()
        ))),
        Err(_) => Err(io::Error::other("the clearing of a cluster has panicked")),
    }
}

fn clear(record: &Record) -> Result<(), String> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| error.to_string())?;
    runtime.block_on(async {
        let opened = look::open(&record.target).await;
        let (cluster, _) = opened.map_err(|error| chain(&error))?;
        sweep::sweep(&cluster, &record.label, REAPED).await
    })
}
