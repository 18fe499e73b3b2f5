//! `cargo xtask schema`: JSON Schemas for editors, and the verb reference.

use std::process::ExitCode;

use authlab_lab::checkout::Checkout;
use authlab_scenario::schema;
use miette::IntoDiagnostic;
use serde_json::Value;

use super::{Ended, check_writable, write};
use crate::cli::{SchemaArgs, SchemaKind};
use crate::terminal;

/// Where the schemas go, below the checkout.
const FOLDER: &str = "target/schema";
/// Where the reference goes, below the checkout.
const REFERENCE: &str = "docs/verbs.md";

/// `cargo xtask schema`
pub fn run(args: &SchemaArgs) -> Ended {
    let checkout = Checkout::here();
    let root = checkout.root();
    if let Some(kind) = args.print {
        terminal::line(text(&of(kind))?);
    } else if args.docs {
        write(&root.join(REFERENCE), &schema::reference())?;
        terminal::note(&format!("wrote {REFERENCE}"));
    } else {
        for (name, kind, files) in [
            ("scenario", SchemaKind::Scenario, "scenarios/<topic>/"),
            ("lab", SchemaKind::Lab, "fixtures/labs/"),
        ] {
            let path = root.join(FOLDER).join(format!("{name}.json"));
            check_writable(Some(&path))?;
            write(&path, &text(&of(kind))?)?;
            terminal::line(format_args!(
                "{FOLDER}/{name}.json: for editors with the YAML language server, as the first line \
                 of files below {files}\n  # yaml-language-server: $schema=../../{FOLDER}/{name}.json"
            ));
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn of(kind: SchemaKind) -> Value {
    match kind {
        SchemaKind::Scenario => schema::scenario(),
        SchemaKind::Lab => schema::lab(),
    }
}

fn text(schema: &Value) -> miette::Result<String> {
    serde_json::to_string_pretty(schema).into_diagnostic()
}
