//! A run in a cluster that is there already: here an embedded one, of a lab in another root.

use crate::root::Root;

const NEEDS_TRUST: &str = "name: the forge's token signs in
lab: forge
steps:
  - token: { issuer: forge, claims: { sub: ada, aud: kube }, as: ada }
  - whoami: { as: ada, expect: { username: \"forge:ada\" } }
";

#[test]
fn what_cannot_run_there_is_counted_and_is_no_success() {
    let cluster = Root::new();
    cluster.done(&["up", "plain"]);
    let file = cluster.path(".authlab/labs/plain-embedded/kubeconfig");
    let file = file.to_str().unwrap();
    let root = Root::new();
    root.scenario("holds", "plain", 200);
    root.scenario("fails", "plain", 201);
    root.write("scenarios/needs-trust.yaml", NEEDS_TRUST);
    let run = |filters: &[&str]| {
        let there = ["e2e", "--backend", "existing", "--kubeconfig", file];
        let run = root.run(&[there.as_slice(), filters].concat());
        let said = String::from_utf8(run.stdout).unwrap();
        (run.status.code(), said)
    };

    let (code, said) = run(&["holds", "needs-trust"]);
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("1 passed, 0 failed, 1 ignored"), "{said}");
    assert!(said.contains("\nignored 1: "), "{said}");
    let (code, said) = run(&["holds", "fails"]);
    assert_eq!(code, Some(1), "{said}");
    let (code, said) = run(&["needs-trust"]);
    assert_eq!(code, Some(2), "{said}");
}
