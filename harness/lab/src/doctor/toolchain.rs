//! What builds the real components, and what is built.

use std::path::Path;

use miette::Diagnostic;

use super::{Finding, KIND, Machine, PROCESS};

const MB: u64 = 1_000_000;
/// What a first build of everything writes: programs, and Go's own caches.
const BUILD: u64 = 8_000 * MB;
/// What the process backend starts.
const PROCESSES: [&str; 3] = ["dex", "etcd", "kubernetes"];

pub(super) fn look(root: &Path, machine: &dyn Machine) -> Vec<Finding> {
    let mut findings = programs(root, machine);
    findings.extend(keycloak(machine));
    findings
}

/// Only labs with Keycloak need these.
fn keycloak(machine: &dyn Machine) -> Option<Finding> {
    let java = machine.program("java").is_some() || machine.variable("JAVA_HOME").is_some();
    let missing = match (java, machine.program("mvn").is_some()) {
        (true, true) => return None,
        (true, false) => "Maven is not installed",
        (false, true) => "Java is not installed",
        (false, false) => "Java and Maven are not installed",
    };
    Some(Finding::note(
        "keycloak",
        format!("{missing}: the real Keycloak needs them, the embedded one does not"),
        "Debian: openjdk-17-jre-headless, maven",
    ))
}

fn programs(root: &Path, machine: &dyn Machine) -> Vec<Finding> {
    let status = match machine.tools(root) {
        Ok(status) => status,
        Err(error) => {
            let help = error.help().map(|help| help.to_string());
            return vec![Finding::amiss(
                "go",
                &[PROCESS, KIND],
                error.to_string(),
                help.unwrap_or_else(|| "see ci/tools/".to_owned()),
            )];
        }
    };
    let needed = |tool: &str| PROCESSES.contains(&tool);
    let missing: Vec<&str> = status
        .iter()
        .filter(|one| needed(one.tool) && one.size.is_none())
        .map(|one| one.program)
        .collect();
    if missing.is_empty() {
        let built = status.iter().filter(|one| one.size.is_some()).count();
        let all = status.len();
        return vec![Finding::good(
            "tools",
            format!("{built} of {all} programs are built, all that labs of processes need"),
        )];
    }
    let mut findings = vec![Finding::note(
        "tools-unbuilt",
        format!("not built yet: {}", missing.join(", ")),
        "`cargo xtask tools` builds them, once; so does the first lab that needs them",
    )];
    let cache = status.first().map(|one| one.path.clone());
    if let Some((cache, free)) = cache.and_then(|path| Some((path.clone(), machine.free(&path)?)))
        && free < BUILD
    {
        let folder = cache.ancestors().nth(3).unwrap_or(&cache);
        findings.push(Finding::amiss(
            "tools-disk",
            &[PROCESS, KIND],
            format!(
                "{} MB are free for the tools, in {}",
                free / MB,
                folder.display()
            ),
            format!(
                "a first build writes up to {} MB: free them, or set AUTHLAB_CACHE and GOCACHE to \
                 folders on another disk",
                BUILD / MB
            ),
        ));
    }
    findings
}
