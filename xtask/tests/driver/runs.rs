//! Runs of scenarios: selection, results, exit codes.

use serde_json::Value;

use crate::root::Root;

fn root() -> Root {
    let root = Root::new();
    root.scenario("good", "plain", 200);
    root.scenario("bad", "plain", 404);
    root.scenario("other/good", "forge", 200);
    root.write(
        "scenarios/broken.yaml",
        "name: broken\nlab: plain\nstpes: []\n",
    );
    root
}

fn code(root: &Root, args: &[&str]) -> Option<i32> {
    root.run(args).status.code()
}

#[test]
fn exit_codes_tell_what_happened() {
    let root = root();
    assert_eq!(code(&root, &["e2e", "good"]), Some(0));
    assert_eq!(code(&root, &["e2e", "good", "bad"]), Some(1));
    assert_eq!(code(&root, &["e2e", "broken"]), Some(2));
    assert_eq!(code(&root, &["e2e"]), Some(2), "2 beats 1");
    assert_eq!(code(&root, &["e2e", "nothing-like-it"]), Some(2));
    assert_eq!(code(&root, &["e2e", "good", "nothing-like-it"]), Some(2));
    assert_eq!(code(&root, &["e2e", "--lab", "forge"]), Some(0));
    assert_eq!(code(&root, &["e2e", "--lab", "forge", "bad"]), Some(2));
    let same = ["diff", "--left", "embedded", "--right", "embedded"];
    assert_eq!(code(&root, &[&same[..], &["good"]].concat()), Some(0));
    assert_eq!(code(&root, &[&same[..], &["broken"]].concat()), Some(2));
}

#[test]
fn results_are_written_where_they_are_asked_for() {
    let root = root();
    let output = root.run(&["e2e", "plain", "--json", "-"]);
    assert_eq!(output.status.code(), Some(2));
    let json: Value = serde_json::from_slice(&output.stdout).unwrap();
    let outcomes: Vec<_> = json["scenarios"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| {
            (
                one["id"].as_str().unwrap(),
                one["outcome"].as_str().unwrap(),
            )
        })
        .collect();
    assert_eq!(
        outcomes,
        [
            ("plain::bad", "failed"),
            ("plain::broken", "broken"),
            ("plain::good", "passed")
        ]
    );

    // Folders are made; both files are written whatever the outcome.
    let (json, junit) = (root.path("out/a/r.json"), root.path("out/b/r.xml"));
    let paths = [&json, &junit].map(|path| path.to_str().unwrap());
    let args = [
        "e2e", "good", "bad", "--json", paths[0], "--junit", paths[1],
    ];
    assert_eq!(code(&root, &args), Some(1));
    let json: Value = serde_json::from_slice(&std::fs::read(json).unwrap()).unwrap();
    assert_eq!(json["scenarios"].as_array().unwrap().len(), 3);
    let junit = std::fs::read_to_string(junit).unwrap();
    assert!(junit.contains("failures=\"1\""), "{junit}");

    // A place that cannot be written is said before anything runs.
    let said = root.refused(&["e2e", "good", "--json", "/proc/nowhere/x.json"]);
    assert!(said.contains("cannot write /proc/nowhere/x.json"), "{said}");
}

#[test]
fn what_would_run_can_be_listed() {
    let root = root();
    let listed = root.done(&["e2e", "--list", "good", "broken"]);
    let expected = [
        "plain::broken        scenarios/broken.yaml  cannot be read",
        "plain::good          scenarios/good.yaml",
        "forge::other::good   scenarios/other/good.yaml",
    ];
    let words = |text: &str| {
        text.split_whitespace()
            .map(str::to_owned)
            .collect::<Vec<_>>()
    };
    assert_eq!(words(&listed), words(&expected.join("\n")));
    assert!(root.labs().is_empty());
}

#[test]
fn github_is_told_on_the_line_of_the_step() {
    let root = root();
    let error = "::error file=scenarios/bad.yaml,line=4,col=5,title=plain%3A%3Abad::request GET";
    let told = |output: &[u8]| root.plain(output).contains(error);
    assert!(!told(&root.run(&["e2e", "bad"]).stdout));
    assert!(told(&root.run(&["e2e", "bad", "--annotations"]).stdout));
    let actions = ("GITHUB_ACTIONS", "true");
    let mut command = root.command(&["e2e", "bad"]);
    assert!(told(
        &command.env(actions.0, actions.1).output().unwrap().stdout
    ));
    // A result on standard output stays whole.
    let mut command = root.command(&["e2e", "bad", "--json", "-"]);
    let output = command.env(actions.0, actions.1).output().unwrap();
    serde_json::from_slice::<Value>(&output.stdout).unwrap();
    assert!(told(&output.stderr));
}

#[test]
fn labs_stay_when_asked_to_and_are_used_again() {
    let root = root();
    root.scenario("second", "plain", 200);
    let output = root.run(&["e2e", "good", "second", "--keep"]);
    let said = root.plain(&output.stdout);
    assert_eq!(output.status.code(), Some(0), "{said}");
    let labs = root.labs();
    assert_eq!(labs.len(), 2, "one for each lab: {labs:?}");
    // Again: the same labs, whose hosts did not change.
    assert_eq!(code(&root, &["e2e", "good", "second", "--keep"]), Some(0));
    assert_eq!(root.labs(), labs);
    let said = root.done(&["down"]);
    assert_eq!(said.lines().count(), 2, "{said}");
}
