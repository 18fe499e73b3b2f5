//! Roots in which real components run, and what the tests themselves ask Docker.

use std::path::Path;
use std::process::Command;

use crate::root::Root;

impl Root {
    /// What real components are built from.
    pub fn link_components(&self) {
        let here = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
        for folder in ["ci", "harness"] {
            std::os::unix::fs::symlink(here.join(folder), self.path(folder)).unwrap();
        }
    }

    /// The driver with the machine's own tool cache.
    pub fn real_command(&self, args: &[&str]) -> Command {
        let mut driver = self.command(args);
        if let Some(home) = std::env::var_os("HOME") {
            driver.env("HOME", home).env("CARGO_TARGET_DIR", target());
        }
        driver
    }
}

/// What runs a lab's containers, which is not built by itself in a root without sources.
pub fn build_containers() {
    if target().join("debug/authlab-container").exists() {
        return;
    }
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let built = Command::new(cargo)
        .args(["build", "--package", "authlab-containers"])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .status();
    assert!(built.unwrap().success());
}

fn target() -> &'static Path {
    let driver = Path::new(env!("CARGO_BIN_EXE_xtask"));
    driver.ancestors().nth(2).unwrap()
}

/// What Docker's client prints; nothing, where there is none.
pub fn docker(args: &[&str]) -> String {
    let output = Command::new("docker").args(args).output();
    output.map_or_else(
        |_| String::new(),
        |output| String::from_utf8_lossy(&output.stdout).into_owned(),
    )
}
