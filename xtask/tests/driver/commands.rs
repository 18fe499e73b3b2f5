//! The look of the driver: help, completions, colour, and readers that go away.

use std::io::Read;
use std::os::fd::AsFd;

use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};

use crate::root::{Root, piped};

#[test]
fn every_command_has_an_example() {
    let root = Root::new();
    let help = root.done(&["--help"]);
    let commands: Vec<&str> = help
        .lines()
        .skip_while(|line| *line != "Commands:")
        .skip(1)
        .take_while(|line| !line.is_empty())
        // Further in, a long description goes on.
        .filter(|line| !line.starts_with("   "))
        .filter_map(|line| line.split_whitespace().next())
        .filter(|command| *command != "help")
        .collect();
    assert!(commands.len() > 8, "{help}");
    for command in commands {
        let help = root.done(&[command, "--help"]);
        assert!(help.contains("Example"), "{command}: {help}");
        assert!(help.contains(&format!("cargo xtask {command}")), "{help}");
    }
}

#[test]
fn completions_know_the_commands() {
    let root = Root::new();
    for shell in ["bash", "zsh", "fish"] {
        let script = root.done(&["completions", shell]);
        for word in ["e2e", "down", "--junit", "junit"] {
            let known = script.contains(word) || word.starts_with("--");
            assert!(known, "{shell} completes no {word}");
        }
        assert!(!script.contains("__host"), "{shell} offers what is hidden");
    }
}

#[test]
fn a_reader_that_goes_away_is_no_trouble() {
    let root = Root::new();
    root.scenario("bad", "plain", 404);
    for args in [
        &["--help"][..],
        &["completions", "bash"],
        &["status"],
        &["e2e"],
        &["e2e", "--json", "-"],
        &["up", "plain"],
        &["env"],
        &["upp"],
        &["down"],
    ] {
        let mut child = piped(root.command(args));
        // Both are closed before a word is read.
        drop((child.stdout.take(), child.stderr.take()));
        let code = child.wait().unwrap().code();
        let expected = match args[0] {
            "e2e" => 1,
            "upp" => 2,
            _ => 0,
        };
        assert_eq!(code, Some(expected), "{args:?}");
    }
}

/// What the command writes to a terminal.
fn on_terminal(root: &Root, args: &[&str], no_color: bool) -> String {
    let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC).unwrap();
    grantpt(&master).unwrap();
    unlockpt(&master).unwrap();
    let name = ptsname(&master, Vec::new()).unwrap();
    let terminal = std::fs::File::options()
        .read(true)
        .write(true)
        .open(name.to_str().unwrap())
        .unwrap();
    let mut command = root.command(args);
    command
        .env("TERM", "xterm-256color")
        .stdout(terminal.try_clone().unwrap())
        .stderr(terminal);
    if no_color {
        command.env("NO_COLOR", "1");
    }
    let mut child = command.spawn().unwrap();
    // It holds the terminal's last descriptors but one.
    drop(command);
    let mut master = std::fs::File::from(master.as_fd().try_clone_to_owned().unwrap());
    let mut seen = Vec::new();
    // A terminal that nobody has open any more is read to an error, not to an end.
    let _ = master.read_to_end(&mut seen);
    child.wait().unwrap();
    String::from_utf8_lossy(&seen).into_owned()
}

#[test]
fn colour_is_for_terminals_and_for_those_who_want_it() {
    const RED: &str = "\u{1b}[31m";
    let root = Root::new();
    root.scenario("bad", "plain", 404);
    for args in [&["e2e"][..], &["up", "nowhere"]] {
        let coloured = on_terminal(&root, args, false);
        assert!(coloured.contains(RED), "{coloured:?}");
        assert!(coloured.contains("scenarios/bad.yaml") || args[0] == "up");
        let plain = on_terminal(&root, args, true);
        assert!(!plain.contains(RED), "{plain:?}");
        let output = root.run(args);
        for text in [output.stdout, output.stderr] {
            let text = String::from_utf8(text).unwrap();
            assert!(!text.contains('\u{1b}'), "{text:?}");
        }
    }
}
