//! Recorded tables of which the checkout may have copies beside it.

#![expect(clippy::print_stderr, reason = "a test that is skipped says so")]

use std::path::Path;

use serde_json::Value;

/// The cases of a table, where it is at hand; a test that skips for want of it says so.
pub(crate) fn table(name: &str) -> Option<Vec<Value>> {
    let file = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../../shared/vectors")
        .join(name);
    let Ok(text) = std::fs::read_to_string(&file) else {
        eprintln!("skipped: no {}", file.display());
        return None;
    };
    let cases = text.lines().map(|line| serde_json::from_str(line).unwrap());
    Some(cases.collect())
}
