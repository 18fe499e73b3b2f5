//! `cargo xtask tools`: the real components, built from their modules.

use std::process::ExitCode;

use authlab_lab::checkout::Checkout;
use authlab_lab::source::nearest;
use authlab_lab::tools::{self, Terminal, Tool};
use miette::miette;

use super::{Ended, interrupted, interruptible};
use crate::cli::ToolsArgs;
use crate::terminal;

/// `cargo xtask tools`
pub fn run(args: &ToolsArgs) -> Ended {
    let checkout = Checkout::here();
    let wanted = select(&args.tools)?;
    if !args.list {
        let built = interruptible(async |cancel| {
            let progress = Terminal::stderr();
            tokio::select! {
                built = tools::ensure(checkout.root(), &wanted, &progress) => Ok(Some(built?)),
                () = cancel.cancelled() => Ok(None),
            }
        })?;
        if built.is_none() {
            return Ok(interrupted());
        }
    }
    for one in tools::status(checkout.root())? {
        if !wanted.iter().any(|tool| tool.name == one.tool) {
            continue;
        }
        let size = match one.size {
            Some(bytes) => format!("{} MB", bytes / 1_000_000),
            None => "not built".to_owned(),
        };
        terminal::line(format_args!(
            "{:<24} {:<40} {size:>9}  {}",
            one.program,
            one.version,
            one.path.display()
        ));
    }
    Ok(ExitCode::SUCCESS)
}

fn select(names: &[String]) -> miette::Result<Vec<Tool>> {
    if names.is_empty() {
        return Ok(tools::ALL.to_vec());
    }
    let known = || tools::ALL.iter().map(|tool| tool.name);
    names
        .iter()
        .map(|name| {
            let found = tools::ALL.into_iter().find(|tool| tool.name == name);
            found.ok_or_else(|| match nearest(name, known()) {
                Some(near) => miette!(help = format!("did you mean `{near}`?"), "no tool `{name}`"),
                None => miette!(
                    help = format!("tools: {}", known().collect::<Vec<_>>().join(", ")),
                    "no tool `{name}`"
                ),
            })
        })
        .collect()
}
