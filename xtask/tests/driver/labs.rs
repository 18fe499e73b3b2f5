//! Labs that outlive the driver.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Stdio;

use crate::root::Root;

#[test]
fn a_lab_goes_up_answers_and_goes_down_without_a_trace() {
    let root = Root::real();
    assert!(root.done(&["status"]).contains("no lab runs"));
    let said = root.done(&["up", "dex"]);
    assert!(said.contains("jane: jane@example.com"), "{said}");

    let folder = root.path(".authlab/labs/dex-embedded");
    let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&folder), 0o700);
    assert_eq!(mode(&folder.join("state.json")), 0o600);
    assert_eq!(mode(&folder.join("host.lock")), 0o600);
    let shown = root.done(&["status", "--json"]);
    assert!(!shown.contains("jane-password"), "status shows a password");

    let environment = root.done(&["env"]);
    assert!(environment.contains("export KUBECONFIG='"), "{environment}");
    assert!(environment.contains("export AUTHLAB_ISSUER_DEX='https://127.0.0.1:"));
    let fish = root.done(&["env", "--shell", "fish", "dex"]);
    assert!(fish.contains("set -gx KUBECONFIG '"), "{fish}");
    let rendered = root.done(&["render", "--only", "dex/config.yaml"]);
    assert!(!rendered.contains("\"${lab."), "{rendered}");

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
    root.assert_clean();
}

#[test]
fn kubectl_finds_the_kubelogin_that_is_here() {
    let root = Root::real();
    root.done(&["up", "dex"]);
    let env = |path: &Path| {
        let output = root.command(&["env"]).env("PATH", path).output().unwrap();
        let said = root.plain(&output.stderr);
        assert!(output.status.success(), "{said}");
        (String::from_utf8(output.stdout).unwrap(), said)
    };
    let empty = root.path("empty");
    let (variables, said) = env(&empty);
    assert!(!variables.contains("PATH="), "{variables}");
    assert!(
        said.contains("`cargo xtask tools kubelogin` builds it"),
        "{said}"
    );

    root.write("programs/kubelogin", "");
    let folder = root.path(".authlab/labs/dex-embedded/bin");
    for _ in 0..2 {
        let (variables, said) = env(&root.path("programs"));
        let first = format!("export PATH='{}':\"$PATH\"\n", folder.display());
        assert!(variables.ends_with(&first), "{variables}");
        assert_eq!(said, "");
    }
    let plugin = std::fs::read_link(folder.join("kubectl-oidc_login")).unwrap();
    assert_eq!(plugin, root.path("programs/kubelogin"));
    let (variables, said) = env(&folder);
    assert!(!variables.contains("export PATH="), "{variables}");
    assert_eq!(said, "");
}

#[test]
fn two_that_start_the_same_lab_at_once_share_it() {
    let root = Root::new();
    let ups: Vec<_> = (0..3)
        .map(|_| {
            let mut up = root.command(&["up", "forge"]);
            up.stdout(Stdio::piped()).stderr(Stdio::piped());
            up.spawn().unwrap()
        })
        .collect();
    for up in ups {
        let output = up.wait_with_output().unwrap();
        let errors = root.plain(&output.stderr);
        assert_eq!(output.status.code(), Some(0), "{errors}");
    }
    assert_eq!(root.labs().len(), 1);
    assert_eq!(root.labelled().len(), 1);
}

#[test]
fn different_labs_that_start_at_once_do_not_reap_each_other() {
    let root = Root::new();
    let labs = ["forge", "plain", "one", "two"];
    for lab in &labs[2..] {
        root.write(&format!("fixtures/labs/{lab}.yaml"), "description: more\n");
    }
    let ups: Vec<_> = labs
        .iter()
        .map(|lab| {
            let mut up = root.command(&["up", lab]);
            up.stdout(Stdio::null()).stderr(Stdio::piped());
            up.spawn().unwrap()
        })
        .collect();
    // Every one of them, and every `status`, looks at the locks of the others.
    for _ in 0..5 {
        root.done(&["status"]);
    }
    for up in ups {
        let output = up.wait_with_output().unwrap();
        let errors = root.plain(&output.stderr);
        assert_eq!(output.status.code(), Some(0), "{errors}");
    }
    assert_eq!(root.labs().len(), labs.len());
}

#[test]
fn a_lab_of_other_files_is_not_taken_for_this_one() {
    let root = Root::new();
    root.done(&["up", "plain"]);
    root.write("fixtures/labs/plain.yaml", "description: another one\n");
    insta::assert_snapshot!(root.refused(&["up", "plain"]), @r"
    bringing up the lab plain-embedded
      × the lab plain-embedded runs already, from other files than those that
      │ stand there now
      help: cargo xtask down plain-embedded
    ");
    root.done(&["down", "plain"]);
    root.done(&["up", "plain"]);
    // Layout and comments make no other lab.
    root.write(
        "fixtures/labs/plain.yaml",
        "# so\ndescription:   another one\n",
    );
    root.done(&["up", "plain"]);
}

#[test]
fn two_checkouts_run_at_once() {
    let (one, other) = (Root::new(), Root::new());
    one.done(&["up", "forge"]);
    other.done(&["up", "forge"]);
    one.done(&["down"]);
    assert_eq!(one.labs().len(), 0);
    assert_eq!(other.labs().len(), 1);
}

#[test]
fn down_without_a_name_leaves_the_labs_of_a_run_alone() {
    let root = Root::new();
    let silent = root.slow_lab();
    root.scenario("waits", "slow", 200);
    let mut run = crate::talk::Talk::start(&root, &["e2e"]);
    crate::talk::wait_until("the run has a lab", || !root.folders().is_empty());
    assert!(root.done(&["down"]).contains("no lab runs"));
    drop(silent);
    run.until_said("ok     slow::waits");
    let (status, said) = run.end();
    assert_eq!(status.code(), Some(0), "{said}");
}

#[test]
fn warnings_of_a_component_are_shown_once() {
    let root = Root::real();
    let dex = std::fs::read_to_string(root.path("fixtures/dex/config.yaml")).unwrap();
    let place = format!("line {}", dex.lines().count() + 1);
    std::fs::remove_file(root.path("fixtures")).unwrap();
    root.write(
        "fixtures/dex/config.yaml",
        &format!("{dex}logger: {{ levle: info }}\n"),
    );
    root.write(
        "fixtures/labs/dex.yaml",
        "description: a Dex\nidentityProviders:\n  dex: { kind: dex, config: dex/config.yaml }\n",
    );
    for name in ["one", "two"] {
        root.scenario(name, "dex", 200);
    }
    for args in [["up", "dex"], ["e2e", "-q"]] {
        let args = if args[0] == "e2e" {
            &args[..1]
        } else {
            &args[..]
        };
        let output = root.run(args);
        assert_eq!(output.status.code(), Some(0));
        let said = root.plain(&output.stderr);
        let warnings: Vec<&str> = said
            .lines()
            .filter(|line| line.contains("warning"))
            .collect();
        assert_eq!(warnings.len(), 1, "{said}");
        insta::allow_duplicates! {
            insta::assert_snapshot!(warnings[0].replace(&place, "line N"), @r#"warning: fixtures/dex/config.yaml: line N, column 11: logger.levle: unknown key, ignored as Dex ignores it; did you mean "level"?"#);
        }
    }
}

#[test]
fn a_lab_without_files_says_that_it_renders_none() {
    let root = Root::new();
    root.done(&["up", "plain"]);
    let output = root.run(&["render", "plain"]);
    assert!(output.status.success() && output.stdout.is_empty());
    let said = root.plain(&output.stderr);
    assert_eq!(said, "the lab `plain` has no files to render\n");
    root.done(&["down"]);
}

/// A checkout whose labs have used Docker asks it what is left there, before labs of any kind.
#[test]
fn a_docker_that_does_not_answer_is_no_news_to_labs_without_it() {
    let root = Root::new();
    root.scenario("good", "plain", 200);
    root.write(".authlab/docker", "");
    let said = |args: &[&str], script: &str| {
        let script = format!("#!/bin/sh\n{script}\necho Cannot connect >&2\nexit 1\n");
        let path = root.path_with("docker", &script);
        let output = root.command(args).env("PATH", path).output().unwrap();
        assert!(output.status.success(), "{args:?}");
        root.plain(&output.stderr)
    };
    let run = said(&["e2e"], "");
    assert!(!run.contains("Cannot connect"), "{run}");
    // Who wants everything gone hears that it may not be, and so does everybody where it answers otherwise.
    let mend = "`cargo xtask down` removes them";
    let down = said(&["down"], "");
    assert!(
        down.contains("docker ps: Cannot connect") && down.contains(mend),
        "{down}"
    );
    let run = said(&["e2e"], "[ $1 = version ] && exit");
    assert!(
        run.contains("docker ps: Cannot connect") && run.contains(mend),
        "{run}"
    );
}
