//! Mistakes that a person makes in a lab's files, and what they read then.

use std::fmt::Write as _;

use authlab_lab::checkout::Checkout;
use authlab_lab::plan::Plan;
use insta::assert_snapshot;
use tempfile::TempDir;

use crate::root::{self, DEX, root, shown};

/// A configuration that the API server takes.
const AUTHENTICATION: &str = r#"apiVersion: apiserver.config.k8s.io/v1
kind: AuthenticationConfiguration
jwt:
- issuer:
    url: "${lab.idp.dex.issuer}"
    audiences: [kube]
    certificateAuthority: "${lab.ca}"
  claimMappings:
    username:
      claim: email
      prefix: "dex:"
"#;

/// A lab file that works.
const LAB: &str = "description: a lab
identityProviders:
  dex:
    kind: dex
    config: dex/config.yaml
    client: { id: kube }
apiServer:
  authentication: kubernetes/dex.yaml
";

/// A checkout with one lab, `lab`, some of whose files are other than they should be.
fn with(files: &[(&str, &str)]) -> (TempDir, Checkout) {
    let good = [
        ("labs/lab.yaml", LAB),
        ("dex/config.yaml", DEX),
        ("kubernetes/dex.yaml", AUTHENTICATION),
    ];
    root(good.iter().chain(files))
}

/// What loading the lab says.
fn loading(name: &str, files: &[(&str, &str)]) -> String {
    let (_root, checkout) = with(files);
    match Plan::load(checkout.root(), name) {
        Ok(_) => "it loads".to_owned(),
        Err(error) => shown(&error, &checkout),
    }
}

/// What starting it says.
async fn starting(files: &[(&str, &str)]) -> String {
    let (_root, checkout) = with(files);
    root::starting(&checkout, |state| {
        format!("it starts\n{}", state.warnings.join("\n"))
    })
    .await
}

fn lab(change: (&str, &str)) -> String {
    assert!(LAB.contains(change.0), "{}", change.0);
    LAB.replace(change.0, change.1)
}

#[test]
fn lab_files() {
    let cases = [
        (
            "unknown key",
            lab(("identityProviders:", "identityProvider:")),
        ),
        (
            "unknown key further in",
            lab((
                "    client: { id: kube }",
                "    client: { id: kube, redirectUri: x, scret: y }",
            )),
        ),
        ("unknown kind", lab(("kind: dex", "kind: dexx"))),
        ("kind of nothing like it", lab(("kind: dex", "kind: ldap"))),
        ("missing config", lab(("    config: dex/config.yaml\n", ""))),
        ("config of a forge", lab(("kind: dex", "kind: forge"))),
        ("missing kind", lab(("    kind: dex\n", ""))),
        ("missing description", lab(("description: a lab\n", ""))),
        (
            "duplicate key",
            lab(("    kind: dex\n", "    kind: dex\n    kind: dex\n")),
        ),
        (
            "two providers of one name",
            lab(("apiServer:", "  dex: { kind: forge }\napiServer:")),
        ),
        (
            "text for a mapping",
            lab(("    client: { id: kube }", "    client: kube")),
        ),
        ("list for a mapping", lab(("  dex:\n", "  - dex:\n"))),
        (
            "number for a text",
            lab(("description: a lab", "description: [1]")),
        ),
        ("absent fixture", lab(("dex/config.yaml", "dex/confg.yaml"))),
        (
            "absent fixture, nothing like it",
            lab(("dex/config.yaml", "elsewhere/x.yaml")),
        ),
        (
            "absent fixture, that name elsewhere",
            lab(("dex/config.yaml", "kubernetes/config.yaml")),
        ),
        ("fixture that is a folder", lab(("dex/config.yaml", "dex"))),
        (
            "fixture outside",
            lab(("dex/config.yaml", "../../../etc/passwd")),
        ),
        (
            "provider with a name for no file",
            lab(("  dex:\n", "  My/Dex:\n")),
        ),
        (
            "provider with a taken name",
            lab(("  dex:\n", "  admin:\n")),
        ),
        (
            "API server with the name of the usual one",
            format!("{LAB}apiServers: {{ default: {{}} }}\n"),
        ),
        (
            "API server with a name for no file",
            format!("{LAB}apiServers: {{ East/1: {{}} }}\n"),
        ),
        (
            "API server with an unknown key",
            format!("{LAB}apiServers: {{ east: {{ authenticaton: kubernetes/dex.yaml }} }}\n"),
        ),
        (
            "absent fixture of another API server",
            format!("{LAB}apiServers: {{ east: {{ authentication: kubernetes/dx.yaml }} }}\n"),
        ),
        (
            "unknown flag",
            lab((
                "  authentication: kubernetes/dex.yaml",
                "  flags:\n    oidc-isuer-url: x",
            )),
        ),
        (
            "flag of another kind",
            lab((
                "  authentication: kubernetes/dex.yaml",
                "  flags:\n    anonymous-auth: \"false\"",
            )),
        ),
        (
            "flag with dashes",
            lab((
                "  authentication: kubernetes/dex.yaml",
                "  flags:\n    --oidc-issuer-url: x",
            )),
        ),
        (
            "flag with a number",
            lab((
                "  authentication: kubernetes/dex.yaml",
                "  flags:\n    oidc-client-id: 5",
            )),
        ),
        (
            "flag with a mapping",
            lab((
                "  authentication: kubernetes/dex.yaml",
                "  flags:\n    oidc-client-id: {a: b}",
            )),
        ),
        ("empty file", String::new()),
        ("only a comment", "# nothing yet\n".to_owned()),
        ("not a mapping", "just a text\n".to_owned()),
        (
            "not YAML",
            lab(("client: { id: kube }", "client: { id: kube")),
        ),
        ("tab", lab(("    kind: dex", "\tkind: dex"))),
        ("two documents", format!("{LAB}---\n{LAB}")),
        (
            "an anchor that is nowhere",
            lab(("client: { id: kube }", "client: *kube")),
        ),
    ];
    let mut all = String::new();
    for (what, text) in cases {
        let said = loading("lab", &[("labs/lab.yaml", &text)]);
        let _ = writeln!(all, "== {what}\n{said}");
    }
    let _ = writeln!(all, "== unknown lab\n{}", loading("labb", &[]));
    let _ = writeln!(
        all,
        "== unknown lab, nothing like it\n{}",
        loading("xyz", &[])
    );
    let _ = writeln!(all, "== a path for a lab\n{}", loading("../labs/lab", &[]));
    let _ = writeln!(all, "== no name at all\n{}", loading("", &[]));
    assert_snapshot!(all);
}

/// A case for each change of `text`, with what starting a lab says when `path` has it.
async fn changes(path: &str, text: &str, cases: &[(&str, &str, &str)]) -> String {
    let mut all = String::new();
    for (what, old, new) in cases {
        assert!(text.contains(old), "{what}: {old}");
        let said = starting(&[(path, &text.replace(old, new))]).await;
        let _ = writeln!(all, "== {what}\n{said}");
    }
    all
}

#[tokio::test]
async fn placeholders() {
    let cases = [
        (
            "unknown",
            "\"${lab.idp.dex.issuer}\"",
            "\"${lab.idp.dx.issuer}\"",
        ),
        (
            "unknown, nothing like it",
            "\"${lab.idp.dex.issuer}\"",
            "\"${lab.x}\"",
        ),
        (
            "outside quotes",
            "\"${lab.idp.dex.issuer}\"",
            "${lab.idp.dex.issuer}",
        ),
        (
            "inside single quotes",
            "\"${lab.idp.dex.issuer}\"",
            "'${lab.idp.dex.issuer}'",
        ),
        (
            "not closed",
            "\"${lab.idp.dex.issuer}\"",
            "\"${lab.idp.dex.issuer\"",
        ),
        (
            "of somebody else",
            "type: memory",
            "type: memory\n  config: { x: \"${other}\" }",
        ),
    ];
    assert_snapshot!(changes("dex/config.yaml", DEX, &cases).await);
}

#[tokio::test]
async fn dex_files() {
    let cases = [
        (
            "unknown key",
            "enablePasswordDB: true",
            "enablePasswordDB: true\noauth2: { skipApprovalScren: true }",
        ),
        (
            "wrong type",
            "enablePasswordDB: true",
            "enablePasswordDB: \"yes\"",
        ),
        (
            "not YAML",
            "enablePasswordDB: true",
            "enablePasswordDB: [true",
        ),
        ("missing issuer", "issuer: \"${lab.idp.dex.issuer}\"\n", ""),
        (
            "bad duration",
            "enablePasswordDB: true",
            "enablePasswordDB: true\nexpiry: { idTokens: 1 day }",
        ),
        (
            "behind a placeholder",
            "issuer: \"${lab.idp.dex.issuer}\"",
            "{issuer: \"${lab.idp.dex.issuer}\", enablePasswordDB: 5}\n---",
        ),
        (
            "no connector",
            "enablePasswordDB: true",
            "enablePasswordDB: false",
        ),
        (
            "key that is not there",
            "${lab.file.dex.key}",
            "${lab.file.dex.cert}.nowhere",
        ),
        ("empty", DEX, ""),
    ];
    assert_snapshot!(changes("dex/config.yaml", DEX, &cases).await);
}

#[tokio::test]
async fn authentication_files() {
    let cases = [
        ("unknown key", "    url:", "    Url:"),
        (
            "unknown key, nothing like it",
            "    url:",
            "    whatever: x\n    url:",
        ),
        ("unknown key at the top", "jwt:", "jwts:"),
        ("missing audiences", "    audiences: [kube]\n", ""),
        ("empty audience", "[kube]", "[kube, \"\"]"),
        ("wrong type", "[kube]", "kube"),
        (
            "bad CEL",
            "claim: email\n      prefix: \"dex:\"",
            "expression: claims.email +",
        ),
        (
            "expression and claim",
            "claim: email",
            "claim: email\n      expression: claims.email",
        ),
        (
            "http",
            "url: \"${lab.idp.dex.issuer}\"",
            "url: http://issuer.test",
        ),
        (
            "bad CA",
            "certificateAuthority: \"${lab.ca}\"",
            "certificateAuthority: nonsense",
        ),
        ("unknown version", "config.k8s.io/v1", "config.k8s.io/v9"),
        (
            "unknown kind",
            "kind: AuthenticationConfiguration",
            "kind: AuthenticationConfig",
        ),
        (
            "duplicate key",
            "  claimMappings:",
            "  issuer: {}\n  claimMappings:",
        ),
        ("not YAML", "[kube]", "[kube"),
        ("two mistakes", "[kube]", "[]\n    discoveryURL: http://x"),
        (
            "anonymous",
            "jwt:",
            "anonymous: { enabled: false, conditions: [{ path: /livez }] }\njwt:",
        ),
        ("empty", AUTHENTICATION, ""),
    ];
    assert_snapshot!(changes("kubernetes/dex.yaml", AUTHENTICATION, &cases).await);
}

#[tokio::test]
async fn flags() {
    let good = LAB.replace(
        "  authentication: kubernetes/dex.yaml",
        "  flags:
    oidc-issuer-url: \"${lab.idp.dex.issuer}\"
    oidc-client-id: kube
    oidc-ca-file: \"${lab.file.ca}\"
    oidc-signing-algs: [RS256, ES256]",
    );
    let cases = [
        ("good", "kube", "kube"),
        ("no client", "    oidc-client-id: kube\n", ""),
        ("http", "\"${lab.idp.dex.issuer}\"", "http://issuer.test"),
        ("unknown algorithm", "ES256", "ES257"),
        (
            "CA that is not there",
            "${lab.file.ca}",
            "${lab.file.ca}.nowhere",
        ),
        ("unknown placeholder", "${lab.file.ca}", "${lab.file.caa}"),
        (
            "required claim without a value",
            "client-id: kube",
            "client-id: kube\n    oidc-required-claim: tenant",
        ),
        (
            "and a file",
            "  flags:",
            "  authentication: kubernetes/dex.yaml\n  flags:",
        ),
    ];
    assert_snapshot!(changes("labs/lab.yaml", &good, &cases).await);
}
