//! Which labs there are.

use std::path::{Path, PathBuf};

use super::FIXTURES;
use crate::source::{Source, SourceError, nearest, yaml_files};

/// The path of a lab's file below the checkout's root.
#[must_use]
pub fn lab_path(lab: &str) -> PathBuf {
    Path::new(FIXTURES).join("labs").join(format!("{lab}.yaml"))
}

/// The names of all labs of the checkout, sorted.
#[must_use]
pub fn names(root: &Path) -> Vec<String> {
    yaml_files(&root.join(FIXTURES).join("labs"))
        .iter()
        .filter_map(|path| Some(path.file_stem()?.to_str()?.to_owned()))
        .collect()
}

/// A lab's name becomes part of its id and of the names of files.
pub(super) fn is_name(lab: &str) -> bool {
    let allowed = |c: char| c.is_alphanumeric() || matches!(c, '-' | '_' | '.');
    lab.starts_with(char::is_alphanumeric) && lab.chars().all(allowed)
}

/// What is said of a name that no lab has.
#[must_use]
pub fn no_lab(root: &Path, lab: &str) -> SourceError {
    let known = names(root);
    let file = lab_path(lab).display().to_string();
    let error = Source::new(&file, "").unread(format!("there is no lab `{lab}`"));
    match nearest(lab, known.iter().map(String::as_str)) {
        Some(near) => error.or_help(format!("did you mean `{near}`?")),
        None if known.is_empty() => error.or_help("a lab is a file `fixtures/labs/NAME.yaml`"),
        None => error.or_help(format!("labs: {}", known.join(", "))),
    }
}
