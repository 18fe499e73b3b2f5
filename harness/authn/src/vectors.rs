//! Recorded tables of which the checkout may have copies beside it.

#![expect(clippy::print_stderr, reason = "a test that is skipped says so")]

use std::path::Path;

use serde_json::Value;

/// A table, a case a line, where it is at hand; a test that skips for want of it says so.
pub(crate) fn table(name: &str) -> Option<String> {
    let file = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../../shared/vectors")
        .join(name);
    let text = std::fs::read_to_string(&file).ok();
    if text.is_none() {
        eprintln!("skipped: no {}", file.display());
    }
    text
}

/// The cases of a table.
pub(crate) fn cases(table: &str) -> impl Iterator<Item = Value> {
    table
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
}
