//! `cargo xtask tidy`: house rules that the compiler does not know.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use authlab_lab::checkout::Checkout;
use duct::cmd;
use miette::IntoDiagnostic;

use super::Ended;
use crate::terminal;

/// A source file longer than this is two files.
const LONGEST: usize = 450;

/// Checks every file that git knows, or would know.
pub fn run() -> Ended {
    let checkout = Checkout::here();
    let root = checkout.root();
    let listed = cmd!(
        "git",
        "ls-files",
        "--cached",
        "--others",
        "--exclude-standard"
    )
    .dir(root)
    .read()
    .into_diagnostic()?;
    let files: Vec<PathBuf> = listed.lines().map(PathBuf::from).collect();
    let mut faults = Vec::new();
    for file in &files {
        // A file that is deleted but not yet committed is still listed; a binary is not text.
        if let Ok(text) = std::fs::read_to_string(root.join(file)) {
            check(file, &text, &mut faults);
        }
    }
    documented(root, &files, &mut faults);
    for fault in &faults {
        terminal::note(fault);
    }
    if faults.is_empty() {
        terminal::note(&format!("{} files are tidy", files.len()));
        return Ok(ExitCode::SUCCESS);
    }
    Ok(ExitCode::from(1))
}

fn check(file: &Path, text: &str, faults: &mut Vec<String>) {
    let name = file.display();
    let ending = file.extension().and_then(|e| e.to_str()).unwrap_or("");
    let generated = matches!(ending, "snap" | "lock" | "sum" | "jsonl");
    if ending == "rs" {
        if !text.starts_with("//!") {
            faults.push(format!(
                "{name}:1: a file opens with `//!` and what it is for"
            ));
        }
        let lines = text.lines().count();
        if lines > LONGEST {
            faults.push(format!(
                "{name}: {lines} lines; more than {LONGEST} are two files"
            ));
        }
    }
    if generated {
        return;
    }
    for (number, line) in text.lines().enumerate() {
        let at = number + 1;
        if line.trim_end() != line {
            faults.push(format!("{name}:{at}: blanks at the end of the line"));
        }
        if line.contains('\t') && matches!(ending, "rs" | "yaml" | "toml" | "md") {
            faults.push(format!("{name}:{at}: a tab; indent by blanks"));
        }
        if line.contains("TODO") && !name.to_string().ends_with("tidy.rs") {
            faults.push(format!(
                "{name}:{at}: a note to self; write it in docs/roadmap.md"
            ));
        }
    }
    if !text.is_empty() && !text.ends_with('\n') {
        faults.push(format!("{name}: the last line has no end"));
    }
}

/// Every crate and every lab stands in the documents that claim to list them.
fn documented(root: &Path, files: &[PathBuf], faults: &mut Vec<String>) {
    let architecture =
        std::fs::read_to_string(root.join("docs/architecture.md")).unwrap_or_default();
    for file in files {
        let mut parts = file.iter().filter_map(|part| part.to_str());
        if let (Some("harness"), Some(name), Some("Cargo.toml")) =
            (parts.next(), parts.next(), parts.next())
            && !architecture.contains(&format!("harness/{name}"))
        {
            faults.push(format!(
                "docs/architecture.md: says nothing of harness/{name}"
            ));
        }
    }
}
