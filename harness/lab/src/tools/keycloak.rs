//! Keycloak: its distribution comes by Maven and is built once for a database in memory.
//!
//! `ci/tools/keycloak/pom.xml` says which version, and what it must contain.

use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::process::Command as Plain;
use std::time::Instant;

use sha2::{Digest, Sha256};
use tokio::process::Command;

use super::cache::{self, Cache};
use super::{Event, Progress, ToolsError, build, run};
use crate::exec::on_path;

const NAME: &str = "keycloak";
/// What `java` runs, in the distribution.
pub const JAR: &str = "lib/quarkus-run.jar";
/// The oldest Java that it runs on.
const OLDEST: u32 = 17;
/// Options that are built in; part of the key.
const BUILD: [&str; 2] = ["build", "--db=dev-mem"];
/// The names that the POM gives to what it fetches.
const ZIP: &str = "keycloak.zip";

/// A built distribution, not to be written to, and the Java that runs it.
#[derive(Debug, Clone)]
pub struct Distribution {
    /// The program `java`.
    pub java: PathBuf,
    /// The folder with `lib`, `conf`, `providers` and `themes`.
    pub home: PathBuf,
    /// Keycloak's version.
    pub version: String,
}

/// Makes sure that the Keycloak of the checkout at `root` is fetched and built. Ends at once when
/// it is. Dropping the future ends what is under way.
///
/// # Errors
/// When Java or Maven is missing, and when fetching or building fails; each says what to do.
pub async fn keycloak(root: &Path, progress: &dyn Progress) -> Result<Distribution, ToolsError> {
    let (distribution, recipe, cache) = look(root)?;
    if is_whole(&distribution.home) {
        return Ok(distribution);
    }
    let maven = on_path("mvn").ok_or(ToolsError::MavenMissing)?;
    let lock = cache.lock(NAME, progress).await?;
    // Whoever held the lock may just have built it.
    if !is_whole(&distribution.home) {
        let start = Instant::now();
        progress.event(&Event::Started { tool: NAME });
        make(&maven, &recipe, &distribution, progress).await?;
        let elapsed = start.elapsed();
        progress.event(&Event::Built {
            tool: NAME,
            elapsed,
        });
    }
    drop(lock);
    Ok(distribution)
}

/// Where the Keycloak of the checkout at `root` lies once it is built, and whether it is.
///
/// # Errors
/// When Java is missing or the POM cannot be read.
pub fn keycloak_status(root: &Path) -> Result<(Distribution, bool), ToolsError> {
    let (distribution, ..) = look(root)?;
    let whole = is_whole(&distribution.home);
    Ok((distribution, whole))
}

fn look(root: &Path) -> Result<(Distribution, Recipe, Cache), ToolsError> {
    let recipe = Recipe::read(root)?;
    let java = Java::find()?;
    let cache = Cache::find()?;
    let flags = format!("{BUILD:?}");
    let key = cache::digest([&recipe.text, &flags, &java.version]);
    let distribution = Distribution {
        home: cache.place(NAME, &format!("{key}-java{}", java.version)),
        java: java.path,
        version: recipe.version.clone(),
    };
    Ok((distribution, recipe, cache))
}

fn is_whole(home: &Path) -> bool {
    home.join(JAR).is_file()
}

/// Fetches, checks, unpacks and builds beside the place, then puts it there in one step.
async fn make(
    maven: &Path,
    recipe: &Recipe,
    wanted: &Distribution,
    progress: &dyn Progress,
) -> Result<(), ToolsError> {
    let folder = &wanted.home;
    let unwritable = |source: io::Error| match source.kind() {
        io::ErrorKind::StorageFull => build::full(NAME, folder),
        _ => ToolsError::Cache {
            path: folder.clone(),
            source,
        },
    };
    let scratch = cache::scratch(folder).map_err(unwritable)?;
    let out = format!("-Dout={}", scratch.path().display());
    let mut fetch = Command::new(maven);
    fetch
        .args(["--batch-mode", "--no-transfer-progress", "--file"])
        .arg(&recipe.path)
        .args([&out, "package"])
        .env("JAVA_HOME", home_of(&wanted.java));
    let failed = |lines: Vec<String>, command: String| ToolsError::Build {
        tool: NAME.to_owned(),
        lines: run::last(&lines),
        command,
    };
    run::run(fetch, NAME, progress).await.map_err(|lines| {
        let telling = lines.into_iter().filter(|line| line.contains("ERROR"));
        let by_hand = format!(
            "mvn --file {} -Dout=/tmp/keycloak package",
            recipe.path.display()
        );
        failed(telling.collect(), by_hand)
    })?;
    let found = sum(&scratch.path().join(ZIP)).map_err(unwritable)?;
    if found != recipe.sha256 {
        return Err(ToolsError::Checksum {
            tool: NAME.to_owned(),
            wanted: recipe.sha256.clone(),
            found,
        });
    }
    let home = scratch.path().join(format!("keycloak-{}", recipe.version));
    let mut build = Command::new("sh");
    build
        .arg(home.join("bin/kc.sh"))
        .args(BUILD)
        .env("JAVA", &wanted.java)
        .env_remove("JAVA_OPTS")
        .env_remove("JAVA_OPTS_APPEND");
    run::run(build, NAME, progress)
        .await
        .map_err(|lines| failed(lines, format!("kc.sh {}", BUILD.join(" "))))?;
    if !is_whole(&home) {
        return Err(ToolsError::NotMade {
            tool: NAME.to_owned(),
            program: JAR.to_owned(),
        });
    }
    // A folder of that name can only be what is left of a whole one.
    if folder.exists() {
        std::fs::remove_dir_all(folder).map_err(unwritable)?;
    }
    std::fs::rename(home, folder).map_err(unwritable)
}

/// What the POM says.
struct Recipe {
    path: PathBuf,
    text: String,
    version: String,
    sha256: String,
}

impl Recipe {
    fn read(root: &Path) -> Result<Self, ToolsError> {
        let path = root.join("ci/tools/keycloak/pom.xml");
        let text = std::fs::read_to_string(&path).map_err(|source| ToolsError::Module {
            path: path.clone(),
            source,
        })?;
        let property = |name: &str| {
            let value = text
                .split_once(&format!("<{name}>"))
                .and_then(|(_, rest)| rest.split_once('<'))
                .map(|(value, _)| value.trim().to_owned());
            value.ok_or_else(|| ToolsError::ModuleLacks {
                path: path.clone(),
                what: format!("property `{name}`"),
            })
        };
        Ok(Self {
            version: property("keycloak.version")?,
            sha256: property("keycloak.sha256")?,
            path,
            text,
        })
    }
}

/// The Java that runs it.
struct Java {
    path: PathBuf,
    version: String,
}

impl Java {
    /// That of `JAVA_HOME`, else the first `java` on PATH.
    fn find() -> Result<Self, ToolsError> {
        let home = std::env::var_os("JAVA_HOME").filter(|home| !home.is_empty());
        let path = home
            .map(|home| Path::new(&home).join("bin/java"))
            .filter(|java| java.is_file())
            .or_else(|| on_path("java"))
            .ok_or(ToolsError::JavaMissing)?;
        let version = match release(&path) {
            Some(version) => version,
            None => ask(&path)?,
        };
        let major = version.split(['.', '-', '+']).next();
        match major.and_then(|major| major.parse::<u32>().ok()) {
            Some(major) if major >= OLDEST => Ok(Self { path, version }),
            _ => Err(ToolsError::JavaTooOld {
                needed: OLDEST,
                found: version,
                java: path,
            }),
        }
    }
}

/// Java's own folder.
fn home_of(java: &Path) -> PathBuf {
    let real = java.canonicalize().unwrap_or_else(|_| java.to_owned());
    real.ancestors().nth(2).unwrap_or(&real).to_owned()
}

/// The version in `JAVA_HOME/release`: reading it spares a process at each start.
fn release(java: &Path) -> Option<String> {
    let text = std::fs::read_to_string(home_of(java).join("release")).ok()?;
    let line = text
        .lines()
        .find_map(|line| line.strip_prefix("JAVA_VERSION="))?;
    Some(line.trim().trim_matches('"').to_owned())
}

fn ask(java: &Path) -> Result<String, ToolsError> {
    let broken = |why: String| ToolsError::JavaBroken {
        java: java.to_owned(),
        why,
    };
    let output = Plain::new(java)
        .arg("-version")
        .output()
        .map_err(|error| broken(error.to_string()))?;
    let text = String::from_utf8_lossy(&output.stderr);
    // `openjdk version "17.0.15" 2025-04-15`
    let version = text.split('"').nth(1).map(str::to_owned);
    version.ok_or_else(|| broken(text.trim().to_owned()))
}

fn sum(file: &Path) -> io::Result<String> {
    let mut file = std::fs::File::open(file)?;
    let mut digest = Sha256::new();
    let mut part = vec![0; 1 << 20];
    loop {
        match file.read(&mut part)? {
            0 => break,
            read => digest.update(&part[..read]),
        }
    }
    let digest = digest.finalize();
    Ok(digest.iter().map(|byte| format!("{byte:02x}")).collect())
}

#[cfg(test)]
mod tests;
