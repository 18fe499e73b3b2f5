//! Why a tool is not there, and what to do about it.

use std::path::PathBuf;

use miette::Diagnostic;
use thiserror::Error;

/// A tool that could not be built or found.
#[derive(Debug, Error, Diagnostic)]
pub enum ToolsError {
    /// There is no Go.
    #[error("Go is not installed: no `go` on PATH")]
    #[diagnostic(help(
        "the process backend builds the real components from source: install Go from https://go.dev/dl/, or stay with the embedded backend, which needs only Rust"
    ))]
    GoMissing,
    /// Go is there but does not answer.
    #[error("cannot tell the version of {}: {why}", go.display())]
    #[diagnostic(help("does `go version` work in this shell?"))]
    GoBroken {
        /// The program.
        go: PathBuf,
        /// What went wrong.
        why: String,
    },
    /// Go is older than a module asks for.
    #[error("{tool} needs Go {needed}, this is Go {found} ({})", go.display())]
    #[diagnostic(help("install Go {needed} or newer from https://go.dev/dl/"))]
    GoTooOld {
        /// The tool.
        tool: String,
        /// What its `go.mod` says.
        needed: String,
        /// The version that is there.
        found: String,
        /// The program.
        go: PathBuf,
    },
    /// There is no Java.
    #[error("Java is not installed: JAVA_HOME is not set and no `java` is on PATH")]
    #[diagnostic(help(
        "the real Keycloak needs Java 17 or newer: install it (Debian: openjdk-17-jre-headless), or run the lab on the embedded backend"
    ))]
    JavaMissing,
    /// Java is there but does not answer.
    #[error("cannot tell the version of {}: {why}", java.display())]
    #[diagnostic(help("does `java -version` work in this shell?"))]
    JavaBroken {
        /// The program.
        java: PathBuf,
        /// What went wrong.
        why: String,
    },
    /// Java is older than Keycloak asks for.
    #[error("keycloak needs Java {needed}, this is Java {found} ({})", java.display())]
    #[diagnostic(help("install Java {needed} or newer, or name it by JAVA_HOME"))]
    JavaTooOld {
        /// The oldest that will do.
        needed: u32,
        /// The version that is there.
        found: String,
        /// The program.
        java: PathBuf,
    },
    /// There is no Maven.
    #[error("Maven is not installed: no `mvn` on PATH")]
    #[diagnostic(help(
        "the real Keycloak is fetched by Maven, once: install it (Debian: maven), or run the lab on the embedded backend"
    ))]
    MavenMissing,
    /// What was fetched is not what was meant.
    #[error("{tool}: what was fetched has the SHA-256 sum {found}, not {wanted}")]
    #[diagnostic(help(
        "remove it from Maven's repository (~/.m2/repository/org/keycloak) and try again; if that does not help, somebody has changed it"
    ))]
    Checksum {
        /// The tool.
        tool: String,
        /// The sum in `ci/tools/`.
        wanted: String,
        /// That of what came.
        found: String,
    },
    /// The files that say what to build are not there.
    #[error("cannot read {}: {source}", path.display())]
    #[diagnostic(help(
        "tools are described by `go.mod` and `go.sum`, or `pom.xml`, below `ci/tools/`"
    ))]
    Module {
        /// The file.
        path: PathBuf,
        /// The system's words.
        source: std::io::Error,
    },
    /// A `go.mod` lacks a line that is needed.
    #[error("{} has no {what}", path.display())]
    ModuleLacks {
        /// The file.
        path: PathBuf,
        /// What it lacks.
        what: String,
    },
    /// The build failed.
    #[error("building {tool} failed\n{lines}")]
    #[diagnostic(help("try it by hand: {command}"))]
    Build {
        /// The tool.
        tool: String,
        /// The last lines of the build.
        lines: String,
        /// The command, for a shell.
        command: String,
    },
    /// A program did not come out of a build that succeeded.
    #[error("the build of {tool} made no `{program}`")]
    NotMade {
        /// The tool.
        tool: String,
        /// The name that `go build` should have given.
        program: String,
    },
    /// No home folder, so no cache.
    #[error(
        "there is no place for the tool cache: neither AUTHLAB_CACHE, XDG_CACHE_HOME nor HOME is set"
    )]
    #[diagnostic(help("set AUTHLAB_CACHE to a folder that may hold about 1 GB"))]
    NoCache,
    /// The cache cannot be written.
    #[error("the tool cache {} cannot be written: {source}", path.display())]
    #[diagnostic(help("set AUTHLAB_CACHE to a folder of yours that may hold about 1 GB"))]
    Cache {
        /// The folder or file.
        path: PathBuf,
        /// The system's words.
        source: std::io::Error,
    },
    /// The disk is full.
    #[error("the disk is full: {tool} does not fit into {}", path.display())]
    #[diagnostic(help(
        "free about 2 GB there, or set AUTHLAB_CACHE (programs) and GOCACHE (Go's own) to folders on another disk"
    ))]
    DiskFull {
        /// The tool.
        tool: String,
        /// The folder.
        path: PathBuf,
    },
    /// Somebody else has been building for too long.
    #[error(transparent)]
    Wait(#[from] crate::wait::WaitError),
    /// A program was asked for whose tool was not.
    #[error("`{program}` is not among the tools that were asked for")]
    NotAsked {
        /// The program.
        program: String,
    },
}
