//! `explain`, `lint` and `convert` as programs: exit codes, streams, and that no token is repeated.

use std::io::Write as _;
use std::process::{Output, Stdio};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use crate::root::Root;

const FILE: &str = "apiVersion: apiserver.config.k8s.io/v1
kind: AuthenticationConfiguration
jwt:
  - issuer: { url: https://dex.example, audiences: [kube] }
    claimMappings:
      username: { claim: name, prefix: '' }
";

/// What no output may have in it: the token's last part.
const SIGNATURE: &str = "Y2FuYXJ5LW9mLXRoZS1zaWduYXR1cmU";

fn token(claims: &Value) -> String {
    let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let header = json!({"alg": "RS256", "kid": "k1"});
    format!("{}.{}.{SIGNATURE}", part(&header), part(claims))
}

fn claims(issuer: &str, audience: &str) -> Value {
    json!({"iss": issuer, "aud": audience, "exp": 4_102_444_800_u32, "sub": "jane", "name": "jane"})
}

/// Runs the driver with a token on its standard input.
fn explained(root: &Root, token: &str, args: &[&str]) -> Output {
    let mut child = root
        .command(&[&["explain", "--token", "-"], args].concat())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut input = child.stdin.take().unwrap();
    input.write_all(token.as_bytes()).unwrap();
    drop(input);
    let output = child.wait_with_output().unwrap();
    let whole = [output.stdout.as_slice(), output.stderr.as_slice()].concat();
    assert!(!String::from_utf8_lossy(&whole).contains(SIGNATURE));
    output
}

#[test]
fn a_token_is_explained_and_not_repeated() {
    let root = Root::new();
    root.write("auth.yaml", FILE);
    let file = root.path("auth.yaml").display().to_string();
    let good = token(&claims("https://dex.example", "kube"));
    let output = explained(&root, &good, &["--config", &file]);
    assert_eq!(output.status.code(), Some(0));
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(
        text.contains("Let in. The API server knows this user as"),
        "{text}"
    );

    let other = token(&claims("https://dex.example", "web"));
    let output = explained(&root, &other, &["--config", &file]);
    assert_eq!(output.status.code(), Some(1));
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.contains("auth.yaml:4:"), "{text}");
    assert!(text.contains("audienceMatchPolicy: \"MatchAny\""), "{text}");

    let output = explained(&root, &other, &["--config", &file, "--json"]);
    let walk: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(walk["refusal"]["path"], "jwt[0].issuer.audiences");
    let edit = &walk["refusal"]["mend"]["edits"][0];
    assert_eq!(edit["after"], json!(["kube", "web"]));

    let opaque = format!("no-token-{SIGNATURE}");
    let output = explained(&root, &opaque, &["--config", &file]);
    assert_eq!(output.status.code(), Some(2));
    let flags = [
        "--flag",
        "oidc-issuer-url=https://dex.example",
        "--flag",
        "oidc-client-id=web",
    ];
    let output = explained(&root, &other, &flags);
    assert_eq!(output.status.code(), Some(0));
}

#[test]
fn a_lab_is_asked_for_its_keys_and_its_verdict() {
    let root = Root::new();
    root.done(&["up", "forge"]);
    let labs = root.labs();
    let issuer = labs[0]["identityProviders"]["forge"]["issuer"]
        .as_str()
        .unwrap();
    let forged = token(&claims(issuer, "kube"));
    let output = explained(&root, &forged, &["--lab", "forge"]);
    assert_eq!(output.status.code(), Some(1));
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.contains("failed to verify signature"), "{text}");
    assert!(text.contains("asked as well: it says the same"), "{text}");
    root.done(&["down", "forge"]);
}

#[test]
fn each_api_server_of_a_lab_has_its_own_verdict_and_flags_a_place() {
    let root = Root::new();
    root.write(
        "fixtures/labs/two.yaml",
        "description: two API servers
identityProviders:
  forge: { kind: forge }
apiServer:
  authentication: kubernetes/forge.yaml
apiServers:
  east:
    flags:
      oidc-issuer-url: \"${lab.idp.forge.issuer}\"
      oidc-ca-file: \"${lab.file.ca}\"
      oidc-client-id: other
",
    );
    root.done(&["up", "two"]);
    let labs = root.labs();
    let issuer = labs[0]["identityProviders"]["forge"]["issuer"]
        .as_str()
        .unwrap();
    let forged = token(&claims(issuer, "kube"));
    let said = |more: &[&str]| {
        let output = explained(&root, &forged, &[&["--lab", "two"], more].concat());
        assert_eq!(output.status.code(), Some(1));
        String::from_utf8(output.stdout).unwrap()
    };
    assert!(said(&[]).contains("failed to verify signature"));
    let east = said(&["--cluster", "east", "--offline"]);
    for part in [
        "fixtures/labs/two.yaml:11:",
        "oidc-client-id",
        "it says the same",
    ] {
        assert!(east.contains(part), "{part}: {east}");
    }
    let args = [
        "explain",
        "--token",
        "-",
        "--lab",
        "two",
        "--cluster",
        "esat",
    ];
    assert!(root.refused(&args).contains("did you mean `east`?"));
    root.done(&["down", "two"]);
}

#[test]
fn lint_ends_with_what_it_found() {
    let root = Root::new();
    root.write("auth.yaml", FILE);
    let file = root.path("auth.yaml").display().to_string();
    let output = root.run(&["lint", &file]);
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stdout).contains("[system-names]: "));
    let output = root.run(&["lint", &file, "--json"]);
    let findings: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(
        (&findings[0]["rule"], &findings[0]["line"]),
        (&json!("system-names"), &json!(6))
    );
    root.done(&["lint"]);
    root.done(&["lint", "forge"]);
    assert!(
        root.done(&["lint", "--explain", "bare-split"])
            .contains("map(item, item)")
    );
    assert!(
        root.refused(&["lint", "--explain", "bare-spilt"])
            .contains("bare-split")
    );
    assert!(
        root.refused(&["lint", "forgery.yaml"])
            .contains("there is no such file")
    );
}

#[test]
fn convert_prints_the_file_and_says_what_it_cannot() {
    let root = Root::new();
    root.write("ca.pem", "no certificate\n");
    let needed = [
        "convert",
        "--oidc-issuer-url=https://dex.example",
        "--oidc-client-id=kube",
    ];
    let output = root.run(
        &[
            &needed[..],
            &["--oidc-required-claim=a=b", "--oidc-required-claim=c=d"],
        ]
        .concat(),
    );
    assert_eq!(output.status.code(), Some(0));
    let file = String::from_utf8(output.stdout).unwrap();
    assert!(file.contains("prefix: \"https://dex.example#\""), "{file}");
    assert_eq!(file.matches("requiredValue").count(), 2);
    assert!(String::from_utf8_lossy(&output.stderr).contains("signing algorithms"));
    assert!(
        root.refused(&needed[..2])
            .contains("must be specified together")
    );
    let authority = format!("--oidc-ca-file={}", root.path("ca.pem").display());
    assert!(
        root.refused(&[&needed[..], &[&authority]].concat())
            .contains("<omitted>")
    );
    // The file is read where the flags are good, and stands in the result whole.
    root.done(&["up", "plain"]);
    root.done(&["down"]);
    let pem = std::fs::read_to_string(root.path(".authlab/pki/ca.pem")).unwrap();
    root.write("ca.pem", &pem);
    let file = root.done(&[&needed[..], &[&authority]].concat());
    let (_, block) = file.split_once("certificateAuthority: |\n").unwrap();
    let lines = block.lines().take(pem.lines().count()).map(str::trim);
    assert!(lines.eq(pem.lines()), "{file}");
    root.write("whole.yaml", &file);
    root.done(&["lint", &root.path("whole.yaml").display().to_string()]);
}
