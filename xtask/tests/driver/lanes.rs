//! What the workflow for GitHub and the lanes call is there: scripts, commands, flags.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use crate::root::Root;

fn checkout() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn files(folder: &str) -> Vec<(PathBuf, String)> {
    let entries = std::fs::read_dir(checkout().join(folder)).unwrap();
    let paths = entries.map(|entry| entry.unwrap().path());
    paths
        .map(|path| (path.clone(), std::fs::read_to_string(path).unwrap()))
        .collect()
}

/// The words behind each `cargo xtask` of a text, up to the end of that command.
fn calls(text: &str) -> Vec<Vec<&str>> {
    let ends = |word: &&str| !word.contains(['|', ';', ')', '&', '`', '>']);
    text.lines()
        .filter(|line| !line.trim_start().starts_with('#'))
        .flat_map(|line| line.split("cargo xtask ").skip(1))
        .map(|rest| rest.split_whitespace().take_while(ends).collect())
        .collect()
}

#[test]
fn every_command_and_flag_that_lanes_call_exists() {
    let root = Root::new();
    let mut tried = 0;
    let all = [files("ci/lanes"), files("ci/github"), files(".ci")].concat();
    for (path, text) in all {
        for words in calls(&text) {
            let [command, args @ ..] = words.as_slice() else {
                panic!("{}: `cargo xtask` alone", path.display());
            };
            let help = root.done(&[command, "--help"]);
            // What follows `test` is its runner's.
            let flags = args
                .iter()
                .filter(|arg| arg.starts_with("--") && *command != "test");
            for flag in flags {
                let flag = flag.split('=').next().unwrap();
                assert!(help.contains(flag), "{}: {command} {flag}", path.display());
            }
            tried += 1;
        }
    }
    assert!(tried >= 8, "{tried}");
}

#[test]
fn every_script_that_the_workflow_calls_can_be_run() {
    let mut tried = 0;
    for (path, text) in files("ci/github") {
        let steps = text.split("- run: ").skip(1);
        let scripts = steps.filter_map(|step| step.split_whitespace().next());
        for script in scripts {
            let mode = std::fs::metadata(checkout().join(script)).map(|file| file.permissions());
            let mode = mode.unwrap_or_else(|error| panic!("{}: {script}: {error}", path.display()));
            assert_eq!(mode.mode() & 0o111, 0o111, "{script}");
            tried += 1;
        }
    }
    assert!(tried >= 4, "{tried}");
}
