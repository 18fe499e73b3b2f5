//! What ran, and on what: versions, processors, memory.

use std::fmt::Write as _;
use std::path::Path;

use crate::doctor::Machine;
use crate::tools;

/// Versions of everything that takes part, a line each.
#[must_use]
pub fn machine(root: &Path, on: &dyn Machine) -> String {
    let mut out = format!("authlab {}\n", env!("CARGO_PKG_VERSION"));
    let git = root.display().to_string();
    let mut line = |what: &str, text: &str| {
        let text = text.trim();
        if !text.is_empty() {
            let _ = writeln!(out, "{what:<24} {}", text.replace('\n', "; "));
        }
    };
    let mut ask = |what: &str, program: &str, args: &[&str]| {
        let said = on.run(program, args).unwrap_or_default();
        // Java tells its version where others complain.
        line(
            what,
            if said.out.is_empty() {
                &said.err
            } else {
                &said.out
            },
        );
    };
    ask(
        "commit",
        "git",
        &["-C", &git, "describe", "--always", "--dirty"],
    );
    ask("system", "uname", &["-srvm"]);
    ask("Java", "java", &["-version"]);
    ask(
        "Docker",
        "docker",
        &["version", "--format", "{{.Server.Version}}"],
    );
    for tool in tools::ALL.iter().chain(&tools::CLUSTER) {
        if let Ok(version) = tools::version(root, tool) {
            line(tool.name, &version);
        }
    }
    let read = |file: &str| std::fs::read_to_string(file).unwrap_or_default();
    let cores = std::thread::available_parallelism().map_or(0, std::num::NonZero::get);
    line("processors", &cores.to_string());
    let memory = read("/proc/meminfo");
    line(
        "memory",
        &memory.lines().take(3).collect::<Vec<_>>().join("; "),
    );
    line("load", &read("/proc/loadavg"));
    out
}
