//! What a person reads who made a mistake.

use insta::assert_snapshot;

use crate::root::Root;

#[test]
fn mistakes_are_answered_with_what_was_meant() {
    let root = Root::new();
    root.scenario("one", "plain", 200);
    let mut all = String::new();
    for args in [
        &["up", "plian"][..],
        &["up", "../labs/plain"],
        &["env"],
        &["env", "forge"],
        &["render", "--only", "kubernetes/forge.yaml"],
        &["e2e", "no-such-scenario"],
        &["e2e", "--lab", "plian"],
        &["e2e", "scenarios/onee"],
        &["diff", "nothing"],
        &["down", "plain"],
        &["explain", "--batch", "nowhere.jsonl"],
        &["e2e", "--json", "fixtures"],
        &["upp"],
        &["up", "--backend", "embeded"],
        &["up", "--backend", "existing", "--image", "dx=a"],
    ] {
        let mut command = root.command(args);
        let output = command.current_dir(root.path(".")).output().unwrap();
        assert_eq!(output.status.code(), Some(2), "{args:?}");
        assert!(output.stdout.is_empty(), "{args:?}");
        all.push_str(&format!(
            "$ {}\n{}",
            args.join(" "),
            root.plain(&output.stderr)
        ));
    }
    assert_snapshot!(all);
}

#[test]
fn spoilt_files_are_named() {
    let root = Root::new();
    assert!(root.refused(&["e2e"]).contains("there are no scenarios"));
    root.write(".authlab/pki/ca.pem", "nonsense");
    let said = root.refused(&["up", "plain"]);
    assert!(said.contains("remove it to have a new one made"), "{said}");
    std::fs::remove_file(root.path(".authlab/pki/ca.pem")).unwrap();

    root.done(&["up", "plain"]);
    root.write(".authlab/labs/plain-embedded/state.json", "{");
    let said = root.refused(&["up", "plain"]);
    assert!(said.contains("started by another version"), "{said}");
    assert_eq!(root.done(&["down"]), "plain-embedded  down\n");
    // What takes the place of a folder is said and left alone.
    root.write(".authlab/labs/plain-embedded", "");
    let said = root.refused(&["up", "plain"]);
    assert_eq!(said.matches("File exists").count(), 1, "{said}");
    std::fs::remove_file(root.path(".authlab/labs/plain-embedded")).unwrap();
}

#[test]
fn a_lab_that_does_not_start_says_why_and_leaves_nothing() {
    let root = Root::new();
    let file = "fixtures/kubernetes/forge.yaml";
    let good = std::fs::read_to_string(root.path(file)).unwrap();
    root.write(file, &good.replace("audiences", "audience"));
    let output = root.run(&["up", "forge"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(output.stdout.is_empty());
    assert_snapshot!(root.plain(&output.stderr));
    root.assert_clean();

    // The same in a run, for its scenarios alone.
    root.scenario("fine", "plain", 200);
    root.scenario("not", "forge", 200);
    let output = root.run(&["e2e", "--jobs", "1"]);
    assert_eq!(output.status.code(), Some(2));
    let said = root.plain(&output.stdout);
    assert!(said.contains("ok     plain::fine"), "{said}");
    assert!(said.contains("did you mean `audiences`?"), "{said}");
    root.assert_clean();
}
