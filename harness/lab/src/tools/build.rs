//! One `go build`.

use std::io;
use std::path::Path;
use std::process::Stdio;

use rustix::process::{Pid, Signal, kill_process_group};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};

use super::go::{Go, Module};
use super::{Event, Progress, Tool, ToolsError, cache};

/// Flags of every build; part of the key.
pub(super) const FLAGS: [&str; 3] = ["build", "-v", "-trimpath"];

/// Variables that decide about the outcome, whatever the machine's own are; part of the key.
pub(super) const VARIABLES: [(&str, &str); 10] = [
    ("CGO_ENABLED", "0"),
    ("GO111MODULE", ""),
    ("GOAMD64", ""),
    ("GOARCH", ""),
    ("GOARM64", ""),
    ("GOEXPERIMENT", ""),
    ("GOFLAGS", "-mod=readonly"),
    ("GOOS", ""),
    ("GOTOOLCHAIN", "local"),
    ("GOWORK", "off"),
];

const LAST_LINES: usize = 20;

/// Builds into a folder beside `folder`, then puts it there in one step.
pub(super) async fn build(
    go: &Go,
    module: &Module,
    tool: &Tool,
    folder: &Path,
    progress: &dyn Progress,
) -> Result<(), ToolsError> {
    let unwritable = |source: io::Error| match source.kind() {
        io::ErrorKind::StorageFull => full(tool, folder),
        _ => ToolsError::Cache {
            path: folder.to_owned(),
            source,
        },
    };
    let scratch = cache::scratch(folder).map_err(unwritable)?;
    compile(go, module, tool, scratch.path(), progress).await?;
    for (made, program) in tool.programs {
        let made_path = scratch.path().join(made);
        if !made_path.is_file() {
            return Err(ToolsError::NotMade {
                tool: tool.name.to_owned(),
                program: (*made).to_owned(),
            });
        }
        std::fs::rename(made_path, scratch.path().join(program)).map_err(unwritable)?;
    }
    // A folder of that name can only be what is left of a whole one: a program was removed by hand.
    if folder.exists() {
        std::fs::remove_dir_all(folder).map_err(unwritable)?;
    }
    std::fs::rename(scratch.keep(), folder).map_err(unwritable)
}

async fn compile(
    go: &Go,
    module: &Module,
    tool: &Tool,
    out: &Path,
    progress: &dyn Progress,
) -> Result<(), ToolsError> {
    let flags = module.linker_flags(tool)?;
    // The slash at the end makes `go build` treat it as a folder for all programs.
    let out_folder = format!("{}/", out.display());
    let failed = |lines: String| ToolsError::Build {
        tool: tool.name.to_owned(),
        lines,
        command: by_hand(module, &flags),
    };
    let system = |error: io::Error| failed(format!("{}: {error}", go.path.display()));
    let child = Command::new(&go.path)
        .args(FLAGS)
        .args(["-ldflags", &flags, "-o", &out_folder, "tool"])
        .current_dir(&module.folder)
        .envs(VARIABLES)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .process_group(0)
        .spawn()
        .map_err(system)?;
    let mut group = Group(child);
    let mut lines = Vec::new();
    if let Some(stderr) = group.0.stderr.take() {
        let mut reader = BufReader::new(stderr).lines();
        let mut count = 0;
        while let Some(line) = reader.next_line().await.map_err(system)? {
            count += 1;
            progress.event(&Event::Step {
                tool: tool.name,
                count,
                line: &line,
            });
            lines.push(line);
        }
    }
    let status = group.0.wait().await.map_err(system)?;
    if status.success() {
        return Ok(());
    }
    if lines
        .iter()
        .any(|line| line.contains("no space left on device"))
    {
        return Err(full(tool, out.parent().unwrap_or(out)));
    }
    Err(failed(last_lines(&lines)))
}

fn full(tool: &Tool, path: &Path) -> ToolsError {
    ToolsError::DiskFull {
        tool: tool.name.to_owned(),
        path: path.to_owned(),
    }
}

/// The last lines that say more than the name of a package that was compiled.
fn last_lines(lines: &[String]) -> String {
    let telling: Vec<&str> = lines
        .iter()
        .map(String::as_str)
        .filter(|line| line.contains(' ') && !line.starts_with("go: downloading"))
        .collect();
    telling[telling.len().saturating_sub(LAST_LINES)..].join("\n")
}

fn by_hand(module: &Module, flags: &str) -> String {
    format!(
        "cd {} && CGO_ENABLED=0 GOFLAGS=-mod=readonly GOTOOLCHAIN=local go build -trimpath -ldflags '{flags}' -o /tmp/ tool",
        module.folder.display()
    )
}

/// `go build` and the compilers it starts: they end together, also when the caller goes away.
struct Group(Child);

impl Drop for Group {
    fn drop(&mut self) {
        let pid = self.0.id().and_then(|pid| i32::try_from(pid).ok());
        if let Some(pid) = pid.and_then(Pid::from_raw) {
            let _ = kill_process_group(pid, Signal::KILL);
        }
    }
}
