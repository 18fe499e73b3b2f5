//! Go itself, and the module files that say what to build.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::{Tool, ToolsError};
use crate::exec::on_path;

/// The Go that builds.
#[derive(Debug, Clone)]
pub(super) struct Go {
    pub(super) path: PathBuf,
    /// Without `go` in front: `1.26.8`.
    pub(super) version: String,
}

impl Go {
    /// The first `go` on PATH.
    pub(super) fn find() -> Result<Self, ToolsError> {
        let go = on_path("go").ok_or(ToolsError::GoMissing)?;
        let version = match version_file(&go) {
            Some(version) => version,
            None => ask(&go)?,
        };
        Ok(Self { path: go, version })
    }

    /// Refuses a module that asks for a newer Go. (Go itself would download one: never here.)
    pub(super) fn suits(&self, module: &Module) -> Result<(), ToolsError> {
        if numbers(&self.version) >= numbers(&module.go) {
            return Ok(());
        }
        Err(ToolsError::GoTooOld {
            tool: module.name.clone(),
            needed: module.go.clone(),
            found: self.version.clone(),
            go: self.path.clone(),
        })
    }
}

/// `GOROOT/VERSION`, whose first line is the version: reading it spares a process at each start.
fn version_file(go: &Path) -> Option<String> {
    let real = go.canonicalize().ok()?;
    let root = real.parent()?.parent()?;
    let text = std::fs::read_to_string(root.join("VERSION")).ok()?;
    Some(text.lines().next()?.strip_prefix("go")?.trim().to_owned())
}

fn ask(go: &Path) -> Result<String, ToolsError> {
    let broken = |why: String| ToolsError::GoBroken {
        go: go.to_owned(),
        why,
    };
    let output = Command::new(go)
        .args(["env", "GOVERSION"])
        .env("GOTOOLCHAIN", "local")
        .output()
        .map_err(|error| broken(error.to_string()))?;
    let text = String::from_utf8_lossy(&output.stdout);
    text.trim()
        .strip_prefix("go")
        .map(str::to_owned)
        .ok_or_else(|| broken(String::from_utf8_lossy(&output.stderr).trim().to_owned()))
}

/// The files of one tool.
#[derive(Debug, Clone)]
pub(super) struct Module {
    pub(super) name: String,
    pub(super) folder: PathBuf,
    pub(super) go_mod: String,
    pub(super) go_sum: String,
    /// The oldest Go that will do: `1.26`.
    pub(super) go: String,
}

impl Module {
    pub(super) fn read(root: &Path, tool: &Tool) -> Result<Self, ToolsError> {
        let folder = root.join("ci/tools").join(tool.name);
        let read = |name: &str| {
            let path = folder.join(name);
            std::fs::read_to_string(&path).map_err(|source| ToolsError::Module { path, source })
        };
        let go_mod = read("go.mod")?;
        let go_sum = read("go.sum")?;
        let go = directive(&go_mod, "go").ok_or_else(|| ToolsError::ModuleLacks {
            path: folder.join("go.mod"),
            what: "line `go 1.X`".to_owned(),
        })?;
        Ok(Self {
            name: tool.name.to_owned(),
            go: go.to_owned(),
            folder,
            go_mod,
            go_sum,
        })
    }

    /// The version at which another module is required: `v1.36.3`.
    pub(super) fn requires(&self, module: &str) -> Option<&str> {
        self.go_mod.lines().find_map(|line| {
            let line = line.trim();
            let mut words = line.strip_prefix("require ").unwrap_or(line).split(' ');
            (words.next() == Some(module))
                .then(|| words.next())
                .flatten()
        })
    }

    /// The version of the module that the tool's first program comes from; `?` when unknown.
    pub(super) fn version(&self, tool: &Tool) -> String {
        let package = match tool.stamp {
            Some(stamp) => Some(stamp.module),
            None => directive(&self.go_mod, "tool"),
        };
        // The package lies somewhere below its module.
        let module = package
            .into_iter()
            .flat_map(|package| Path::new(package).ancestors())
            .find_map(|module| self.requires(module.to_str()?));
        module.unwrap_or("?").to_owned()
    }

    /// What the linker is told: no symbols, and the version where the program prints one.
    pub(super) fn linker_flags(&self, tool: &Tool) -> Result<String, ToolsError> {
        let mut flags = "-s -w".to_owned();
        let Some(stamp) = tool.stamp else {
            return Ok(flags);
        };
        let version = self
            .requires(stamp.module)
            .ok_or_else(|| ToolsError::ModuleLacks {
                path: self.folder.join("go.mod"),
                what: format!("version of {}", stamp.module),
            })?;
        let mut parts = version.trim_start_matches('v').split('.');
        let mut part = || parts.next().unwrap_or("0");
        for (variable, value) in [
            ("gitVersion", version),
            ("gitMajor", part()),
            ("gitMinor", part()),
        ] {
            flags.push_str(&format!(" -X {}.{variable}={value}", stamp.package));
        }
        Ok(flags)
    }
}

/// The value of a directive that stands on a line of its own: `go 1.26`.
fn directive<'a>(go_mod: &'a str, name: &str) -> Option<&'a str> {
    go_mod.lines().find_map(|line| {
        let value = line.strip_prefix(name)?.strip_prefix(' ')?;
        value.split_whitespace().next().filter(|word| *word != "(")
    })
}

/// The numbers of a version, so that 1.9 comes before 1.26; a missing one counts as 0.
fn numbers(version: &str) -> [u32; 3] {
    let mut numbers = version.split('.').map(|part| {
        let digits = part.find(|c: char| !c.is_ascii_digit());
        part[..digits.unwrap_or(part.len())].parse().unwrap_or(0)
    });
    std::array::from_fn(|_| numbers.next().unwrap_or(0))
}
