//! `cargo xtask tools`: the real components, built from their modules.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use authlab_lab::checkout::Checkout;
use authlab_lab::kubernetes::Kubernetes;
use authlab_lab::tools::{self, Terminal, Tool};
use serde_json::{Value, json};

use super::{Ended, interrupted, interruptible, unknown};
use crate::cli::ToolsArgs;
use crate::terminal;

/// `cargo xtask tools`
pub fn run(args: &ToolsArgs) -> Ended {
    let checkout = Checkout::here();
    let kubernetes = args.kubernetes.wanted()?;
    let Selection { wanted, keycloak } = select(&args.tools, kubernetes)?;
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
    let mut rows = Vec::new();
    for one in tools::status(checkout.root(), &wanted)? {
        let state = one.size.map(|bytes| format!("{} MB", bytes / 1_000_000));
        rows.push(Row::new(one.program, &one.version, state, &one.path));
    }
    let mut absent = None;
    match (keycloak, tools::keycloak_status(checkout.root())) {
        (Keycloak::No, _) => {}
        (_, Ok((there, whole))) => {
            let state = whole.then(|| "built".to_owned());
            rows.push(Row::new(KEYCLOAK, &there.version, state, &there.home));
        }
        (Keycloak::IfItCan, Err(why)) => absent = Some(why),
        (Keycloak::Named, Err(why)) => return Err(why.into()),
    }
    if args.json {
        terminal::json(&rows.iter().map(Row::to_json).collect::<Value>())?;
        return Ok(ExitCode::SUCCESS);
    }
    rows.iter().for_each(Row::tell);
    if let Some(why) = absent {
        terminal::line(format_args!("{KEYCLOAK:<24} {why}"));
    }
    Ok(ExitCode::SUCCESS)
}

/// A program in the tool cache, or one that could be.
struct Row {
    program: String,
    version: String,
    /// Once it is built.
    state: Option<String>,
    path: PathBuf,
}

impl Row {
    fn new(program: &str, version: &str, state: Option<String>, path: &Path) -> Self {
        Self {
            program: program.to_owned(),
            version: version.to_owned(),
            state,
            path: path.to_owned(),
        }
    }

    fn tell(&self) {
        let state = self.state.as_deref().unwrap_or("not built");
        terminal::line(format_args!(
            "{:<24} {:<40} {state:>9}  {}",
            self.program,
            self.version,
            self.path.display()
        ));
    }

    fn to_json(&self) -> Value {
        json!({
            "program": self.program, "version": self.version, "built": self.state.is_some(),
            "path": self.path,
        })
    }
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

fn select(names: &[String], kubernetes: Kubernetes) -> miette::Result<Selection> {
    if names.is_empty() {
        return Ok(Selection {
            wanted: tools::all(kubernetes).to_vec(),
            keycloak: Keycloak::IfItCan,
        });
    }
    let known = || {
        let named = tools::ALL.iter().chain(&tools::CLUSTER);
        named.map(|tool| tool.name).chain([KEYCLOAK])
    };
    let keycloak = match names.iter().any(|name| name == KEYCLOAK) {
        true => Keycloak::Named,
        false => Keycloak::No,
    };
    let wanted = names
        .iter()
        .filter(|name| *name != KEYCLOAK)
        .map(|name| {
            let labs = tools::ALL.into_iter().zip(tools::all(kubernetes));
            let clusters = tools::CLUSTER.into_iter().zip(tools::cluster(kubernetes));
            let found = labs.chain(clusters).find(|(tool, _)| tool.name == name);
            let found = found.map(|(_, of_version)| of_version);
            found.ok_or_else(|| unknown(format!("no tool `{name}`"), name, known()))
        })
        .collect::<miette::Result<_>>()?;
    Ok(Selection { wanted, keycloak })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_tool_can_be_named_and_those_of_kubernetes_are_of_the_version_meant() {
        for tool in tools::ALL.into_iter().chain(tools::CLUSTER) {
            let names = [tool.name.to_owned()];
            let wanted = select(&names, Kubernetes::default()).unwrap().wanted;
            assert_eq!(wanted, [tool]);
        }
        let names = ["kind", "kubernetes-node", "kubernetes"].map(str::to_owned);
        let wanted = select(&names, Kubernetes::V1_35).unwrap().wanted;
        let names: Vec<&str> = wanted.iter().map(|tool| tool.name).collect();
        assert_eq!(names, ["kind", "kubernetes-node-1.35", "kubernetes-1.35"]);
    }
}
