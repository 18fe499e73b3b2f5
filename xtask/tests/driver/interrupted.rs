//! Ctrl-C and SIGTERM, at any moment.

use std::process::ExitStatus;
use std::time::{Duration, Instant};

use rustix::process::Signal;
use serde_json::Value;

use crate::root::Root;
use crate::talk::{Talk, send, wait_until};

const BOTH: [Signal; 2] = [Signal::INT, Signal::TERM];

fn assert_interrupted(ended: &(ExitStatus, String)) {
    assert_eq!(ended.0.code(), Some(130), "{}", ended.1);
}

#[test]
fn at_the_very_beginning_of_any_command() {
    let root = Root::new();
    root.scenario("good", "plain", 200);
    for signal in BOTH {
        for args in [
            &["e2e"][..],
            &["up", "plain"],
            &["diff", "--right", "embedded"],
        ] {
            let talk = Talk::start(&root, args);
            talk.until_it_heeds(signal);
            talk.signal(signal);
            assert_interrupted(&talk.end());
            root.assert_clean();
        }
    }
}

#[test]
fn while_a_lab_starts() {
    let root = Root::new();
    let _silent = root.slow_lab();
    root.scenario("never", "slow", 200);
    for signal in BOTH {
        for args in [&["up", "slow"][..], &["e2e"], &["e2e", "--keep"]] {
            let talk = Talk::start(&root, args);
            wait_until("a lab is being started", || {
                let folders = root.folders();
                folders
                    .iter()
                    .any(|lab| root.path(".authlab/labs").join(lab).join("ca.pem").exists())
            });
            talk.signal(signal);
            assert_interrupted(&talk.end());
            root.assert_clean();
        }
    }
}

#[test]
fn before_the_host_of_a_lab_heeds_signals() {
    let root = Root::new();
    let _silent = root.slow_lab();
    let talk = Talk::start(&root, &["up", "slow"]);
    wait_until("there is a folder", || !root.folders().is_empty());
    talk.signal(Signal::INT);
    assert_interrupted(&talk.end());
    root.assert_clean();
}

#[test]
fn in_the_middle_of_a_run_with_all_that_is_known_by_then() {
    let root = Root::new();
    let _silent = root.slow_lab();
    root.scenario("1-good", "plain", 200);
    root.scenario("2-bad", "plain", 404);
    root.write(
        "scenarios/3-waits.yaml",
        "name: waits\nlab: forge\nsteps:\n  \
         - request: { as: admin, path: /livez, expect: { status: 200 } }\n  \
         - configure: { authentication: kubernetes/slow.yaml }\n",
    );
    root.scenario("4-never", "plain", 200);
    let (json, junit) = (root.path("r.json"), root.path("r.xml"));
    let [json, junit] = [&json, &junit].map(|path| path.to_str().unwrap());
    let mut talk = Talk::start(
        &root,
        &["e2e", "--jobs", "1", "--json", json, "--junit", junit, "-v"],
    );
    talk.until_said("FAILED plain::2-bad");
    wait_until("the third has its lab", || {
        root.folders().iter().any(|lab| lab.starts_with("forge"))
    });
    talk.signal(Signal::INT);
    let ended = talk.end();
    assert_interrupted(&ended);
    let said = ended.1;
    assert!(
        said.contains("1 passed, 1 failed, 2 not run, interrupted"),
        "{said}"
    );
    // What failed is told in full.
    assert!(said.contains("scenarios/2-bad.yaml:4:5"), "{said}");
    root.assert_clean();

    let report: Value = serde_json::from_slice(&std::fs::read(json).unwrap()).unwrap();
    assert_eq!(report["interrupted"], true);
    let outcomes: Vec<_> = report["scenarios"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| one["outcome"].as_str().unwrap())
        .collect();
    assert_eq!(outcomes, ["passed", "failed", "notRun", "notRun"]);
    let junit = std::fs::read_to_string(junit).unwrap();
    assert!(
        junit.contains("plain::4-never") || junit.contains("4-never"),
        "{junit}"
    );
}

#[test]
fn in_the_middle_of_a_step_that_hangs() {
    let root = Root::new();
    let silent = root.slow_lab();
    root.write(
        "scenarios/hangs.yaml",
        // A leading `configure` would belong to the start of the lab.
        "name: hangs\nlab: forge\nsteps:\n  \
         - request: { as: admin, path: /livez, expect: { status: 200 } }\n  \
         - configure: { authentication: kubernetes/slow.yaml }\n",
    );
    let talk = Talk::start(&root, &["e2e"]);
    // The API server asks the new issuer, which does not answer.
    let held = silent.accept().unwrap();
    let begun = Instant::now();
    talk.signal(Signal::INT);
    assert_interrupted(&talk.end());
    assert!(
        begun.elapsed() < Duration::from_secs(10),
        "an issuer is waited for"
    );
    root.assert_clean();
    drop(held);
}

#[test]
fn between_the_two_sides_of_a_comparison() {
    let root = Root::new();
    root.scenario("good", "plain", 200);
    let mut talk = Talk::start(&root, &["diff", "--right", "embedded"]);
    talk.until_said("ok     plain::good");
    talk.signal(Signal::TERM);
    let (status, said) = talk.end();
    // It may have been done by then.
    let done = said.contains("0 differences");
    assert_eq!(status.code(), Some(if done { 0 } else { 130 }), "{said}");
    root.assert_clean();
}

#[test]
fn while_a_lab_ends() {
    let root = Root::new();
    for signal in BOTH {
        root.done(&["up", "plain"]);
        // A host that does not listen: `down` waits for it.
        let host = root.labelled()[0];
        send(host, Signal::STOP);
        let talk = Talk::start(&root, &["down"]);
        talk.until_it_heeds(signal);
        talk.signal(signal);
        assert_interrupted(&talk.end());
        send(host, Signal::CONT);
        // It may or may not have been asked to end by then.
        root.run(&["down"]);
        wait_until("nothing is left", || root.folders().is_empty());
        wait_until("the host has ended", || root.labelled().is_empty());
    }
}

#[test]
fn a_second_time_is_not_waited_for() {
    let root = Root::new();
    let _silent = root.slow_lab();
    let mut talk = Talk::start(&root, &["up", "slow"]);
    wait_until("the host runs", || !root.labelled().is_empty());
    // A host that does not listen keeps the driver.
    let host = root.labelled()[0];
    send(host, Signal::STOP);
    talk.signal(Signal::INT);
    talk.until_said("stopping");
    talk.signal(Signal::INT);
    assert_interrupted(&talk.end());
    // The next command removes what was left, whether it listens or not.
    root.done(&["down"]);
    root.assert_clean();
}

#[test]
fn a_host_that_is_told_to_stop_ends_its_lab() {
    let root = Root::new();
    for signal in BOTH {
        root.done(&["up", "forge"]);
        send(root.labelled()[0], signal);
        wait_until("nothing is left", || root.folders().is_empty());
        wait_until("the host has ended", || root.labelled().is_empty());
    }
}
