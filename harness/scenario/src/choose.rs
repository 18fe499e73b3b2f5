//! Choosing among the scenarios of a checkout, with words about a choice that leaves none.

use std::collections::BTreeSet;
use std::path::Path;

use authlab_lab::plan;
use authlab_lab::source::nearest;
use miette::Diagnostic;
use thiserror::Error;

use crate::listing::{Case, list};

/// Nothing was chosen.
#[derive(Debug, Error, Diagnostic)]
#[error("{message}")]
pub struct NoneChosen {
    message: String,
    #[help]
    help: String,
}

fn none(message: impl Into<String>, help: impl Into<String>) -> NoneChosen {
    NoneChosen {
        message: message.into(),
        help: help.into(),
    }
}

/// The cases of the checkout at `root` whose file or id contains one of `parts` (any, where there are
/// none), for `lab` where one is named.
///
/// # Errors
/// When there are none, of a single part even: what was misspelled would not be run, and nobody would know.
pub fn choose(root: &Path, parts: &[String], lab: Option<&str>) -> Result<Vec<Case>, NoneChosen> {
    let all = list(root);
    if all.is_empty() {
        let help = "a scenario is a file below scenarios/";
        return Err(none("there are no scenarios", help));
    }
    if let Some(lab) = lab.filter(|lab| !all.iter().any(|case| case.lab() == *lab)) {
        return Err(no_lab(root, lab));
    }
    let has = |case: &Case, part: &String| case.file().contains(part) || case.id().contains(part);
    let for_lab = |case: &Case| lab.is_none_or(|lab| case.lab() == lab);
    for part in parts {
        let named: Vec<&Case> = all.iter().filter(|case| has(case, part)).collect();
        if named.iter().any(|case| for_lab(case)) {
            continue;
        }
        let asked = format!("no scenario matches `{part}`");
        let Some(lab) = lab.filter(|_| !named.is_empty()) else {
            return Err(none(asked, meant(&all, part)));
        };
        let labs: BTreeSet<&str> = named.iter().map(|case| case.lab()).collect();
        let labs: Vec<&str> = labs.into_iter().collect();
        return Err(none(
            format!("{asked} in the lab `{lab}`"),
            format!("what matches is for: {}", labs.join(", ")),
        ));
    }
    let mut chosen = all;
    chosen.retain(|case| {
        for_lab(case) && (parts.is_empty() || parts.iter().any(|part| has(case, part)))
    });
    Ok(chosen)
}

fn no_lab(root: &Path, lab: &str) -> NoneChosen {
    let labs = plan::names(root);
    if labs.iter().any(|known| known == lab) {
        let help = format!("write one: a file below scenarios/ that says `lab: {lab}`");
        return none(format!("no scenario is for the lab `{lab}`"), help);
    }
    let help = match nearest(lab, labs.iter().map(String::as_str)) {
        Some(near) => format!("did you mean `{near}`?"),
        None => format!("labs: {}", labs.join(", ")),
    };
    none(format!("there is no lab `{lab}`"), help)
}

/// What was likely meant: a file, or a part of its path.
fn meant(all: &[Case], part: &str) -> String {
    let mut known = BTreeSet::new();
    let mut topics = BTreeSet::new();
    for case in all {
        let file = case.file();
        let path = file.strip_prefix("scenarios/").unwrap_or(file);
        let path = path.strip_suffix(".yaml").unwrap_or(path);
        known.extend([file, path, case.lab()]);
        known.extend(path.split('/'));
        if let Some((topic, _)) = path.split_once('/') {
            topics.insert(topic);
        }
    }
    if let Some(near) = nearest(part, known.iter().copied()) {
        return format!("did you mean `{near}`?");
    }
    let topics: Vec<&str> = topics.into_iter().collect();
    match topics.is_empty() {
        true => "any part of a file's path below scenarios/ will do".to_owned(),
        false => format!(
            "any part of a file's path below scenarios/ will do, such as: {}",
            topics.join(", ")
        ),
    }
}

#[cfg(test)]
mod tests;
