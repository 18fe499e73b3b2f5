//! Why labs ended that nobody ended: kept until the next `up` or `down`, since their logs are gone.

use std::io;
use std::path::PathBuf;

use crate::bundle::Bundle;
use crate::checkout::Checkout;
use crate::state::write_private;
use crate::told::Told;

/// What the folder of a lab's files ends with, beside its obituary.
const EVIDENCE: &str = ".files";

/// A lab that ended because a component of it died.
#[derive(Debug)]
pub struct Obituary {
    /// The lab's id.
    pub id: String,
    /// What happened, with the component's last lines.
    pub told: Told,
}

fn folder(checkout: &Checkout) -> PathBuf {
    checkout.private().join("died")
}

/// Keeps why the lab ended.
///
/// # Errors
/// As the file system says.
pub(crate) fn write(checkout: &Checkout, id: &str, told: &Told) -> io::Result<()> {
    let folder = folder(checkout);
    std::fs::create_dir_all(&folder)?;
    write_private(&folder.join(id), &serde_json::to_vec(told)?)
}

/// Keeps what was to be seen of a lab.
pub(crate) fn keep(checkout: &Checkout, id: &str, bundle: Bundle) -> io::Result<()> {
    bundle.write_to(&evidence(checkout, id))
}

/// The folder with what was to be seen of a lab that is gone, if it is there.
#[must_use]
pub fn evidence(checkout: &Checkout, id: &str) -> PathBuf {
    folder(checkout).join(format!("{id}{EVIDENCE}"))
}

/// The ids of labs that are gone and have left something to be seen.
#[must_use]
pub fn with_evidence(checkout: &Checkout) -> Vec<String> {
    let entries = std::fs::read_dir(folder(checkout)).into_iter().flatten();
    let names = entries.flatten().map(|entry| entry.file_name());
    let ids = names.filter_map(|name| Some(name.to_str()?.strip_suffix(EVIDENCE)?.to_owned()));
    let mut ids: Vec<String> = ids.collect();
    ids.sort();
    ids
}

/// What is kept, sorted by id. What cannot be read is left out.
#[must_use]
pub fn all(checkout: &Checkout) -> Vec<Obituary> {
    let mut all: Vec<Obituary> = std::fs::read_dir(folder(checkout))
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|entry| {
            let told = std::fs::read(entry.path()).ok()?;
            Some(Obituary {
                id: entry.file_name().into_string().ok()?,
                told: serde_json::from_slice(&told).ok()?,
            })
        })
        .collect();
    all.sort_by(|a, b| a.id.cmp(&b.id));
    all
}

/// Forgets about one lab, or about all.
pub fn forget(checkout: &Checkout, id: Option<&str>) {
    let folder = folder(checkout);
    // There may be nothing to forget.
    let _ = match id {
        Some(id) => {
            let _ = std::fs::remove_dir_all(evidence(checkout, id));
            std::fs::remove_file(folder.join(id))
        }
        None => std::fs::remove_dir_all(folder),
    };
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::Source;

    #[test]
    fn a_death_is_told_until_it_is_forgotten() {
        let root = tempfile::tempdir().unwrap();
        let checkout = Checkout::at(root.path());
        assert!(all(&checkout).is_empty());
        for id in ["b", "a"] {
            let why = Source::new("f", "").unread(format!("{id} ended"));
            write(&checkout, id, &Told::of(&why)).unwrap();
        }
        let told: Vec<_> = all(&checkout)
            .into_iter()
            .map(|one| format!("{}: {}", one.id, one.told))
            .collect();
        assert_eq!(told, ["a: a ended", "b: b ended"]);
        forget(&checkout, Some("a"));
        assert_eq!(all(&checkout).len(), 1);
        forget(&checkout, None);
        assert!(all(&checkout).is_empty());
        forget(&checkout, None);
    }
}
