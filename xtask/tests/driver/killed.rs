//! SIGKILL, which nobody can answer: the next command removes what was left.

use std::hash::{BuildHasher, RandomState};
use std::time::Duration;

use rustix::process::Signal;

use crate::root::Root;
use crate::talk::{Talk, send, wait_until, within};

#[test]
fn a_host_that_has_run() {
    let root = Root::new();
    root.done(&["up", "forge"]);
    let host = root.labelled()[0];
    send(host, Signal::KILL);
    wait_until("the host is dead", || root.labelled().is_empty());
    assert_eq!(root.folders(), ["forge-embedded"]);
    // A dead lab is no lab, and the name is free at once.
    assert_eq!(root.labs().len(), 0);
    root.done(&["up", "forge"]);
    assert_eq!(root.labs().len(), 1);
    send(root.labelled()[0], Signal::KILL);
    wait_until("the host is dead", || root.labelled().is_empty());
    let said = root.done(&["down"]);
    assert_eq!(said, "forge-embedded  removed (its host had died)\n");
    root.assert_clean();
}

#[test]
fn a_driver_in_a_run() {
    let root = Root::new();
    let _silent = root.slow_lab();
    root.scenario("never", "slow", 200);
    let talk = Talk::start(&root, &["e2e"]);
    wait_until("a lab is being started", || !root.folders().is_empty());
    talk.signal(Signal::KILL);
    assert_eq!(talk.end().0.code(), None);
    assert_eq!(root.folders().len(), 1);
    assert!(root.done(&["down"]).contains("removed"));
    root.assert_clean();
}

#[test]
fn a_driver_that_starts_a_lab() {
    let root = Root::new();
    let silent = root.slow_lab();
    let talk = Talk::start(&root, &["up", "slow"]);
    wait_until("the host runs", || !root.labelled().is_empty());
    talk.signal(Signal::KILL);
    talk.end();
    // The host does not need it: the lab comes up all the same.
    drop(silent);
    wait_until("the lab runs", || root.labs().len() == 1);
    root.done(&["down"]);
    root.assert_clean();
}

#[test]
fn a_host_whose_folder_is_gone() {
    let root = Root::new();
    root.done(&["up", "forge"]);
    std::fs::remove_dir_all(root.path(".authlab/labs")).unwrap();
    assert_eq!(root.labelled().len(), 1);
    root.done(&["up", "plain"]);
    assert_eq!(root.labelled().len(), 1, "the other host still runs");
    assert_eq!(root.labs()[0]["id"], "plain-embedded");
}

#[test]
fn a_host_at_any_moment() {
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                let root = Root::new();
                for round in 0..5 {
                    let talk = Talk::start(&root, &["up", "forge"]);
                    // From the first moment of its host to some time after the lab runs.
                    wait_until("the host runs", || !root.labelled().is_empty());
                    let moment = RandomState::new().hash_one(round) % 150;
                    within(Duration::from_millis(moment), || false);
                    for host in root.labelled() {
                        send(host, Signal::KILL);
                    }
                    let (status, said) = talk.end();
                    assert!(matches!(status.code(), Some(0 | 2)), "{said}");
                    root.done(&["down"]);
                    root.assert_clean();
                }
            });
        }
    });
}

#[test]
fn a_host_while_its_lab_is_taken_down() {
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                let root = Root::new();
                for round in 0..5 {
                    root.done(&["up", "forge"]);
                    let host = root.labelled()[0];
                    let talk = Talk::start(&root, &["down"]);
                    let moment = RandomState::new().hash_one(round) % 10;
                    within(Duration::from_millis(moment), || false);
                    send(host, Signal::KILL);
                    let (status, said) = talk.end();
                    assert_eq!(status.code(), Some(0), "{said}");
                    root.assert_clean();
                }
            });
        }
    });
}
