//! `cargo xtask tools`: the real components, built from their modules.

use std::path::Path;
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
    let Selection { wanted, keycloak } = select(&args.tools)?;
    if !args.list {
        let built = interruptible(async |cancel| {
            let progress = Terminal::stderr();
            let build = async {
                let built = tools::ensure(checkout.root(), &wanted, &progress).await?;
                match keycloak {
                    Keycloak::Named => drop(tools::keycloak(checkout.root(), &progress).await?),
                    Keycloak::IfItCan if tools::keycloak_status(checkout.root()).is_ok() => {
                        tools::keycloak(checkout.root(), &progress).await?;
                    }
                    Keycloak::IfItCan | Keycloak::No => {}
                }
                Ok(Some(built))
            };
            tokio::select! {
                built = build => built,
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
        let size = one.size.map(|bytes| format!("{} MB", bytes / 1_000_000));
        line(one.program, &one.version, size, &one.path);
    }
    match (keycloak, tools::keycloak_status(checkout.root())) {
        (Keycloak::No, _) => {}
        (_, Ok((there, whole))) => {
            let built = whole.then(|| "built".to_owned());
            line(KEYCLOAK, &there.version, built, &there.home);
        }
        (Keycloak::IfItCan, Err(why)) => terminal::line(format_args!("{KEYCLOAK:<24} {why}")),
        (Keycloak::Named, Err(why)) => return Err(why.into()),
    }
    Ok(ExitCode::SUCCESS)
}

fn line(program: &str, version: &str, state: Option<String>, path: &Path) {
    let state = state.unwrap_or_else(|| "not built".to_owned());
    terminal::line(format_args!(
        "{program:<24} {version:<40} {state:>9}  {}",
        path.display()
    ));
}

/// It comes by Maven and runs on Java, which not everybody has.
const KEYCLOAK: &str = "keycloak";

/// What was asked for.
struct Selection {
    wanted: Vec<Tool>,
    keycloak: Keycloak,
}

/// Whether Keycloak was asked for, too.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Keycloak {
    No,
    /// Everything was, and this machine may lack what it needs.
    IfItCan,
    Named,
}

fn select(names: &[String]) -> miette::Result<Selection> {
    if names.is_empty() {
        return Ok(Selection {
            wanted: tools::ALL.to_vec(),
            keycloak: Keycloak::IfItCan,
        });
    }
    let known = || tools::ALL.iter().map(|tool| tool.name).chain([KEYCLOAK]);
    let keycloak = match names.iter().any(|name| name == KEYCLOAK) {
        true => Keycloak::Named,
        false => Keycloak::No,
    };
    let wanted = names
        .iter()
        .filter(|name| *name != KEYCLOAK)
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
        .collect::<miette::Result<_>>()?;
    Ok(Selection { wanted, keycloak })
}
