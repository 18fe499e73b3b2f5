//! One `go build`.

use std::io;
use std::path::Path;

use tokio::process::Command;

use super::go::{Go, Module};
use super::{Progress, Tool, ToolsError, cache, run};

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

/// Builds into a folder beside `folder`, then puts it there in one step.
pub(super) async fn build(
    go: &Go,
    module: &Module,
    tool: &Tool,
    folder: &Path,
    progress: &dyn Progress,
) -> Result<(), ToolsError> {
    let unwritable = |source: io::Error| match source.kind() {
        io::ErrorKind::StorageFull => full(tool.name, folder),
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
    let mut command = Command::new(&go.path);
    command
        .args(FLAGS)
        .args(["-ldflags", &flags, "-o", &out_folder, "tool"])
        .current_dir(&module.folder)
        .envs(VARIABLES);
    let Err(lines) = run::run(command, tool.name, progress).await else {
        return Ok(());
    };
    let full_disk = |line: &String| line.contains("no space left on device");
    if lines.iter().any(full_disk) {
        return Err(full(tool.name, out.parent().unwrap_or(out)));
    }
    Err(failed(last_lines(&lines)))
}

pub(super) fn full(tool: &str, path: &Path) -> ToolsError {
    ToolsError::DiskFull {
        tool: tool.to_owned(),
        path: path.to_owned(),
    }
}

/// The last lines that say more than the name of a package that was compiled.
fn last_lines(lines: &[String]) -> String {
    let telling = |line: &&String| line.contains(' ') && !line.starts_with("go: downloading");
    run::last(lines.iter().filter(telling))
}

fn by_hand(module: &Module, flags: &str) -> String {
    format!(
        "cd {} && CGO_ENABLED=0 GOFLAGS=-mod=readonly GOTOOLCHAIN=local go build -trimpath -ldflags '{flags}' -o /tmp/ tool",
        module.folder.display()
    )
}
