//! The driver as a person uses it: labs that outlive it, and what is left when one is killed.

#![expect(clippy::unwrap_used, reason = "helpers of tests")]

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use authlab_lab::folder::LABEL;
use authlab_lab::process;

/// A root of its own, so that no lab of a person who works in this checkout is touched.
struct Root {
    folder: tempfile::TempDir,
}

impl Root {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let here = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
        for shared in ["fixtures", "scenarios"] {
            std::os::unix::fs::symlink(here.join(shared), folder.path().join(shared)).unwrap();
        }
        Self { folder }
    }

    fn run(&self, args: &[&str]) -> Output {
        Command::new(env!("CARGO_BIN_EXE_xtask"))
            .args(args)
            .env("AUTHLAB_ROOT", self.folder.path())
            .env_remove("AUTHLAB_STATE")
            .output()
            .unwrap()
    }

    fn done(&self, args: &[&str]) -> String {
        let output = self.run(args);
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{args:?}: {errors}");
        String::from_utf8(output.stdout).unwrap()
    }

    fn refused(&self, args: &[&str]) -> String {
        let output = self.run(args);
        assert_eq!(output.status.code(), Some(2), "{args:?}");
        String::from_utf8(output.stderr).unwrap()
    }

    fn labs(&self) -> Vec<serde_json::Value> {
        serde_json::from_str(&self.done(&["status", "--json"])).unwrap()
    }

    fn folder(&self, id: &str) -> PathBuf {
        self.folder.path().join(".authlab/labs").join(id)
    }
}

// A test that fails half-way leaves no host behind.
impl Drop for Root {
    fn drop(&mut self) {
        self.run(&["down"]);
    }
}

/// Processes that carry the label of a lab below `root`.
fn labelled(root: &Path) -> Vec<u32> {
    let label = format!("{LABEL}={}", root.display());
    std::fs::read_dir("/proc")
        .unwrap()
        .flatten()
        .filter_map(|entry| {
            let pid = entry.file_name().to_str()?.parse().ok()?;
            let environment = std::fs::read(entry.path().join("environ")).ok()?;
            let ours = String::from_utf8_lossy(&environment).contains(&label);
            (ours && process::started(pid).is_ok()).then_some(pid)
        })
        .collect()
}

#[test]
fn a_lab_goes_up_answers_and_goes_down_without_a_trace() {
    let root = Root::new();
    assert!(root.done(&["status"]).contains("no lab runs"));
    let said = root.done(&["up", "dex"]);
    assert!(said.contains("jane: jane@example.com"), "{said}");

    let state = root.folder("dex-embedded").join("state.json");
    let mode = std::fs::metadata(&state).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let shown = root.done(&["status", "--json"]);
    assert!(!shown.contains("jane-password"), "status shows a password");

    let environment = root.done(&["env"]);
    assert!(environment.contains("export KUBECONFIG='"), "{environment}");
    assert!(environment.contains("export AUTHLAB_ISSUER_DEX='https://127.0.0.1:"));

    // The same again changes nothing; another lab runs beside it.
    let host = root.labs()[0]["host"].clone();
    root.done(&["up", "dex"]);
    assert_eq!(root.labs()[0]["host"], host);
    root.done(&["up", "forge"]);
    assert_eq!(root.labs().len(), 2);
    let many = root.refused(&["env"]);
    assert!(
        many.contains("name one of: dex-embedded, forge-embedded"),
        "{many}"
    );

    root.done(&["down"]);
    assert_eq!(root.labs().len(), 0);
    assert!(!root.folder("dex-embedded").exists());
    assert_eq!(labelled(root.folder.path()), Vec::<u32>::new());
}

#[test]
fn what_a_killed_host_leaves_is_removed_by_the_next_command() {
    let root = Root::new();
    root.done(&["up", "dex"]);
    let pid = root.labs()[0]["host"]["pid"].as_u64().unwrap();
    let killed = Command::new("kill").args(["-9", &pid.to_string()]).status();
    assert!(killed.unwrap().success());
    while process::started(u32::try_from(pid).unwrap()).is_ok() {
        std::thread::yield_now();
    }
    assert!(root.folder("dex-embedded").exists());
    // A dead lab is no lab, and the name is free at once.
    assert_eq!(root.labs().len(), 0);
    root.done(&["up", "dex"]);
    assert_eq!(root.labs().len(), 1);
    root.done(&["down", "dex"]);
    assert!(!root.folder("dex-embedded").exists());
}

#[test]
fn mistakes_are_answered_with_what_was_meant() {
    let root = Root::new();
    let unknown = root.refused(&["up", "dexx"]);
    assert!(unknown.contains("did you mean"), "{unknown}");
    let nothing = root.refused(&["env"]);
    assert!(nothing.contains("no lab runs"), "{nothing}");
    let filter = root.refused(&["e2e", "no-such-scenario"]);
    assert!(filter.contains("no scenario matches"), "{filter}");
}
