//! Where labs and their files lie, and what was meant by a name that nothing has.

use std::ffi::OsStr;
use std::path::{Component, Path, PathBuf};

use super::Text;
use crate::source::{Source, SourceError, files, nearest, yaml_files};

pub(super) const BELOW: &str = "paths are below `fixtures/`";
/// `fixtures/` below the checkout's root.
const FIXTURES: &str = "fixtures";

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

/// Reads a fixture by its path below `fixtures/`.
///
/// # Errors
/// When it cannot be read, or lies elsewhere; the message names the nearest path.
pub fn fixture(root: &Path, path: &Path) -> Result<Text, SourceError> {
    let below = path
        .components()
        .all(|part| matches!(part, Component::Normal(_)));
    if !below || path.as_os_str().is_empty() {
        let name = path.display().to_string();
        let error = Source::new(&name, "").unread(format!("`{name}` lies elsewhere"));
        return Err(error.or_help(BELOW));
    }
    match Source::read(root, &Path::new(FIXTURES).join(path)) {
        Ok(source) => Ok(Text {
            name: source.name().to_owned(),
            text: source.text().to_owned(),
        }),
        Err(error) => Err(match neighbour(root, path) {
            Some(near) => error.or_help(format!("did you mean `{near}`?")),
            None => error.or_help(BELOW),
        }),
    }
}

/// The fixture that was most likely meant: one of that folder with a name like it, or one of that
/// very name in another folder, or one in the folder of that name.
fn neighbour(root: &Path, path: &Path) -> Option<String> {
    let fixtures = root.join(FIXTURES);
    let all = files(&fixtures, &["yaml", "json"]);
    let known: Vec<&Path> = all
        .iter()
        .filter_map(|file| file.strip_prefix(&fixtures).ok())
        .collect();
    let stem = |path: &'_ Path| path.file_stem().and_then(OsStr::to_str).map(str::to_owned);
    let beside = known.iter().filter(|file| file.parent() == path.parent());
    let stems: Vec<(String, &Path)> = beside
        .filter_map(|file| Some((stem(file)?, *file)))
        .collect();
    let near = nearest(&stem(path)?, stems.iter().map(|(stem, _)| stem.as_str()));
    let near = stems.iter().find(|(stem, _)| Some(stem.as_str()) == near);
    let meant = match near {
        Some((_, file)) => file.to_path_buf(),
        None => known
            .iter()
            .find(|file| file.file_name() == path.file_name() || file.starts_with(path))?
            .to_path_buf(),
    };
    Some(meant.display().to_string())
}
