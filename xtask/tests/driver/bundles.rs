//! The archive that tells what happened.

use std::path::Path;
use std::process::Command;

use rustix::process::Signal;

use crate::root::Root;
use crate::talk::{send, wait_until};

/// A file of an archive, or the names of all.
fn tar(archive: &Path, args: &[&str]) -> String {
    let mut tar = Command::new("tar");
    tar.args(args.iter().take(1)).arg(archive).args(&args[1..]);
    let output = tar.output().unwrap();
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn a_run_that_fails_leaves_one() {
    let root = Root::new();
    root.scenario("good", "forge", 200);
    root.scenario("bad", "forge", 404);
    let output = root.run(&["e2e"]);
    assert_eq!(output.status.code(), Some(1));
    let said = root.plain(&output.stderr);
    let file = root.path("target/authlab/e2e-embedded.tar.gz");
    assert!(
        said.contains("results and logs: [root]/target/authlab/e2e-embedded.tar.gz"),
        "{said}"
    );
    let names = tar(&file, &["tzf"]);
    for name in [
        "README.txt",
        "results/report.txt",
        "results/report.json",
        "results/junit.xml",
        "versions.txt",
    ] {
        assert!(names.contains(&format!("authlab/{name}\n")), "{names}");
    }
    // The one that failed, and no other.
    let labs: Vec<_> = names
        .lines()
        .filter(|name| name.ends_with("/why.txt"))
        .collect();
    assert_eq!(labs.len(), 1, "{names}");
    let why = tar(&file, &["xzOf", labs[0]]);
    assert!(why.contains("did not hold:\n  forge::bad"), "{why}");
    let contents = tar(&file, &["xzOf", "authlab/README.txt"]);
    assert!(
        contents.contains("labs/") && contents.contains("audit log"),
        "{contents}"
    );
    assert!(contents.lines().all(|line| line.len() < 200), "{contents}");

    // One that passes leaves none, unless it is asked for.
    std::fs::remove_file(&file).unwrap();
    root.run(&["e2e", "good"]);
    assert!(!file.exists());
    let asked = root.path("elsewhere");
    root.done(&["e2e", "good", "--bundle", &format!("{}/", asked.display())]);
    assert!(tar(&asked.join("e2e-embedded.tar.gz"), &["tzf"]).contains("report.json"));
    root.assert_clean();
}

#[test]
fn of_labs_that_run_and_of_those_that_a_dead_host_left() {
    let root = Root::new();
    let file = root.path("target/authlab/report.tar.gz");
    let said = root.done(&["report"]);
    assert!(said.contains("no lab, dead or alive"), "{said}");
    root.done(&["up", "forge"]);
    root.done(&["up", "plain"]);
    send(root.labelled()[0], Signal::KILL);
    wait_until("a host is dead", || root.labelled().len() == 1);
    let said = root.done(&["report", "--json"]);
    let said: serde_json::Value = serde_json::from_str(&said).unwrap();
    assert_eq!(
        said["labs"],
        serde_json::json!(["forge-embedded", "plain-embedded"])
    );
    let names = tar(&file, &["tzf"]);
    for lab in ["forge", "plain"] {
        assert!(
            names.contains(&format!("authlab/labs/{lab}-embedded/state.json\n")),
            "{names}"
        );
    }
    assert!(
        names.contains("authlab/labs/forge-embedded/configuration/kubernetes/forge.yaml\n"),
        "{names}"
    );
    // Both are told of as they are, and neither is changed by it.
    let whys = ["forge", "plain"].map(|lab| {
        tar(
            &file,
            &["xzOf", &format!("authlab/labs/{lab}-embedded/why.txt")],
        )
    });
    let dead = whys
        .iter()
        .filter(|why| why.contains("its host has died"))
        .count();
    assert_eq!(dead, 1, "{whys:?}");
    assert_eq!(root.labs().len(), 1);
    let one = root.path("one.tar.gz");
    root.done(&["report", "forge", "--output", one.to_str().unwrap()]);
    assert!(!tar(&one, &["tzf"]).contains("plain-embedded"));
    let none = root.refused(&["report", "forgey"]);
    assert!(none.contains("did you mean `forge-embedded`?"), "{none}");
    root.done(&["down"]);
    root.assert_clean();
}
