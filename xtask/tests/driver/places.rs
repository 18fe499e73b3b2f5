//! Where a checkout may lie.

use crate::root::Root;

#[test]
fn a_checkout_may_lie_very_deep() {
    // A socket's path has room for 108 bytes.
    let deep = ["a-folder-with-a-long-name"; 8].join("/");
    let root = Root::below(deep);
    root.scenario("good", "forge", 200);
    root.done(&["e2e"]);
    root.done(&["up", "forge"]);
    let socket = root.labs()[0]["socket"].as_str().unwrap().to_owned();
    assert!(socket.len() > 200, "{socket}");
    assert_eq!(root.done(&["down"]), "forge-embedded  down\n");
}

#[test]
fn a_checkout_may_have_any_name() {
    let root = Root::below("it's a \"root\" of ${lab.ca} & mine");
    root.scenario("good", "forge", 200);
    root.done(&["e2e"]);
    root.done(&["up", "forge"]);
    // A shell reads the settings as they are.
    let script = format!("{}test -f \"$KUBECONFIG\"", root.done(&["env"]));
    let read = std::process::Command::new("sh")
        .args(["-c", &script])
        .status();
    assert!(read.unwrap().success(), "{script}");
}

#[test]
fn the_folder_of_a_call_does_not_matter() {
    let root = Root::new();
    let elsewhere = tempfile::tempdir().unwrap();
    let mut up = root.command(&["up", "plain"]);
    assert!(up.current_dir(elsewhere.path()).status().unwrap().success());
    // The host does not hold on to it.
    drop(elsewhere);
    assert_eq!(root.done(&["status"]).lines().count(), 3);
}
