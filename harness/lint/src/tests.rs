//! Each rule at work, and at rest.

use std::path::Path;

use authlab_pki::Authority;
use insta::assert_snapshot;
use proptest::prelude::*;

use super::*;
use authlab_lab::source::Source;

mod lab;

/// A file by its name and its text.
type File = (&'static str, String);

fn ids(files: &[File]) -> Vec<&'static str> {
    let sources = files
        .iter()
        .map(|(name, text)| Source::new(*name, text.clone()));
    let lint = Lint::files(sources.collect());
    lint.findings
        .iter()
        .map(|finding| finding.rule.id)
        .collect()
}

/// A whole configuration with these lines for its authenticators.
fn auth(authenticators: &str) -> File {
    let head = "apiVersion: apiserver.config.k8s.io/v1\nkind: AuthenticationConfiguration\njwt:\n";
    ("auth.yaml", format!("{head}{authenticators}\n"))
}

/// One authenticator with these lines behind its issuer.
fn one(below: &str) -> File {
    auth(&format!(
        "- issuer: {{url: https://dex.example/dex, audiences: [kube]}}\n{below}"
    ))
}

const PLAIN: &str = "  claimMappings: {username: {claim: sub, prefix: 'dex:'}}";

fn rule_of(expression: &str) -> File {
    one(&format!(
        "{PLAIN}\n  claimValidationRules:\n  - expression: {expression}"
    ))
}

fn groups(expression: &str) -> File {
    one(&format!(
        "  claimMappings: {{username: {{claim: sub, prefix: 'dex:'}}, groups: {{expression: \"{expression}\"}}}}"
    ))
}

fn issued(issuer: &str, audience: &str, mappings: &str) -> File {
    auth(&format!(
        "- issuer: {{url: {issuer}, audiences: [{audience}]}}\n  claimMappings: {mappings}"
    ))
}

const PREFIXED: &str = "{username: {claim: sub, prefix: 'x:'}}";
const GROUPED: &str =
    "{username: {claim: sub, prefix: 'x:'}, groups: {claim: groups, prefix: 'x:'}}";

fn dex(below: &str) -> File {
    let head = "issuer: https://dex.example/dex\nstorage: {type: memory}\nweb: {http: 127.0.0.1:5556}\nenablePasswordDB: true\n";
    ("dex.yaml", format!("{head}{below}\n"))
}

fn realm(client: &str) -> File {
    (
        "realm.json",
        format!(
            r#"{{"realm": "lab", "enabled": true, "identityProviders": [], "clients": [{{"clientId": "kube", "publicClient": true{client}}}]}}"#
        ),
    )
}

fn config_map(config: &str) -> File {
    let config: String = config.lines().map(|line| format!("    {line}\n")).collect();
    (
        "cm.yaml",
        format!("apiVersion: v1\nkind: ConfigMap\ndata:\n  config: |\n{config}"),
    )
}

const KEYCLOAK: &str = "https://kc.example/realms/lab";
const CLIENTS: &str = "staticClients: [{id: kube, name: k, public: true}]";
const PERSON: &str = "staticPasswords:\n- email: a@b\n  username: a\n  userID: x\n  hash: $2b$10$mBdSuAPt2e.K/L26cLCJHeR5l3y6Ae9ofYreS7aEmv.3DiDaBRk5C\n";

/// A rule, files that break it, and files that do not.
fn cases() -> Vec<(&'static str, Vec<File>, Vec<File>)> {
    let samples = |text: &str| vec![("guide.md", format!("# Guide\n\n```yaml\n{text}\n```\n"))];
    let jumpstarter = |prefix: &str, internal: &str| {
        config_map(&format!(
            "authentication:\n  internal: {{prefix: '{internal}'}}\n  jwt:\n  - issuer: {{url: https://kc.example/realms/lab, \
             audiences: [kube]}}\n    claimMappings: {{username: {{claim: preferred_username, prefix: '{prefix}'}}}}"
        ))
    };
    vec![
        ("yaml", vec![one("\tclaimMappings: {}")], vec![one(PLAIN)]),
        ("duplicate-key", vec![one(&format!("{PLAIN}\n{PLAIN}"))], vec![one(PLAIN)]),
        ("unknown-key", vec![one("  claimMapping: {}")], vec![one(PLAIN)]),
        (
            "extra-expression",
            samples("claimMappings:\n  extra:\n  - key: a.io/b\n    expression: claims.sub"),
            samples("claimMappings:\n  extra:\n  - key: a.io/b\n    valueExpression: claims.sub"),
        ),
        (
            "not-a-list",
            samples("claimValidationRules:\n  expression: claims.a == 'b'"),
            samples("claimValidationRules:\n- expression: claims.a == 'b'"),
        ),
        ("refused", vec![one("  claimMappings: {username: {claim: sub}}")], vec![one(PLAIN)]),
        ("bare-split", vec![groups("claims.roles.split(',')")], vec![groups("claims.roles.split(',').map(r, 'x:' + r)")]),
        ("nbf-may-be-absent", vec![rule_of("claims.exp - claims.nbf <= 86400")], vec![rule_of("claims.exp - claims.iat <= 86400")]),
        ("number-arithmetic", vec![rule_of("claims.exp - 60 > claims.iat")], vec![rule_of("claims.exp - 60.0 > claims.iat")]),
        (
            "audience-nobody-issues",
            vec![issued("https://dex.example/dex", "kubernetes", PREFIXED), dex(CLIENTS)],
            vec![issued("https://dex.example/dex", "kube", PREFIXED), dex(CLIENTS)],
        ),
        (
            "account-audience",
            vec![issued(KEYCLOAK, "account", PREFIXED), realm("")],
            vec![issued(KEYCLOAK, "kube", PREFIXED), realm("")],
        ),
        (
            "issuer-mismatch",
            vec![issued("https://dex.example/dex/", "kube", PREFIXED), dex(CLIENTS)],
            vec![issued("https://dex.example/dex", "kube", PREFIXED), dex(CLIENTS)],
        ),
        (
            "discovery-url",
            vec![auth(&format!("- issuer: {{url: https://a.example, discoveryURL: https://b.example, audiences: [k]}}\n{PLAIN}"))],
            vec![auth(&format!("- issuer: {{url: https://a.example, discoveryURL: https://b.example/.well-known/openid-configuration, audiences: [k]}}\n{PLAIN}"))],
        ),
        (
            "claim-not-sent",
            vec![issued("https://dex.example/dex", "kube", GROUPED), dex(&format!("{CLIENTS}\n{PERSON}"))],
            vec![issued("https://dex.example/dex", "kube", GROUPED), dex(&format!("{CLIENTS}\n{PERSON}  groups: [dev]"))],
        ),
        (
            "claim-not-sent",
            vec![issued(KEYCLOAK, "kube", GROUPED), realm("")],
            vec![issued(KEYCLOAK, "kube", GROUPED), realm(r#", "protocolMappers": [{"name": "g", "protocol": "openid-connect", "protocolMapper": "oidc-group-membership-mapper", "config": {"claim.name": "groups"}}]"#)],
        ),
        (
            "prefix-collision",
            vec![auth(&format!("- issuer: {{url: https://a.example, audiences: [k]}}\n{PLAIN}\n- issuer: {{url: https://b.example, audiences: [k]}}\n{PLAIN}"))],
            vec![auth(&format!("- issuer: {{url: https://a.example, audiences: [k]}}\n{PLAIN}\n- issuer: {{url: https://b.example, audiences: [k]}}\n  claimMappings: {{username: {{expression: \"'kc:' + claims.sub\"}}}}"))],
        ),
        (
            "system-names",
            vec![one("  claimMappings: {username: {claim: name, prefix: ''}}")],
            vec![one("  claimMappings: {username: {claim: name, prefix: ''}}\n  userValidationRules: [{expression: \"!user.username.startsWith('system:')\"}]")],
        ),
        (
            "unverified-email",
            vec![one("  claimMappings: {username: {expression: 'dyn(claims).email'}}"), one("  claimMappings: {username: {expression: \"claims['email']\"}}")],
            vec![rule_of("claims.email_verified == true"), one("  claimMappings: {username: {expression: \"claims['email']\"}}\n  claimValidationRules: [{expression: claims.email_verified == true}]")],
        ),
        (
            "email-may-be-unverified",
            vec![one("  claimMappings: {username: {claim: email, prefix: ''}}")],
            vec![one("  claimMappings: {username: {claim: email, prefix: ''}}"), dex(CLIENTS)],
        ),
        ("ignored-key", vec![dex("expiry: {idToken: 1h}")], vec![dex("expiry: {idTokens: 1h}")]),
        (
            "redirect-without-port",
            vec![dex("staticClients: [{id: a, name: a, public: true, redirectURIs: ['http://localhost/callback']}]")],
            vec![dex("staticClients: [{id: a, name: a, public: true, redirectURIs: ['http://localhost:8000/callback']}]")],
        ),
        ("jumpstarter-internal-prefix", vec![jumpstarter("kc:", "own:")], vec![jumpstarter("kc:", "internal:")]),
        ("jumpstarter-internal-names", vec![jumpstarter("", "internal:")], vec![jumpstarter("kc:", "internal:")]),
        (
            "jumpstarter-two-configurations",
            vec![("cm.yaml", "kind: ConfigMap\ndata:\n  config: |\n    provisioning: {enabled: true}\n  authentication: |\n    jwt: []\n".to_owned())],
            vec![jumpstarter("kc:", "internal:")],
        ),
        (
            "allow-without-reason",
            vec![one(&format!("{PLAIN} # authlab: allow(system-names)"))],
            vec![one(&format!("{PLAIN} # authlab: allow(system-names): nobody writes names there"))],
        ),
    ]
}

#[test]
fn each_rule_finds_what_it_is_for_and_nothing_else() {
    for (rule, bad, good) in cases() {
        let found = ids(&bad);
        assert!(
            found.contains(&rule),
            "{rule} is not among {found:?} in\n{bad:?}"
        );
        let found = ids(&good);
        assert!(
            !found.contains(&rule),
            "{rule} is among {found:?} in\n{good:?}"
        );
    }
}

#[test]
fn every_rule_has_a_case() {
    let in_labs = [
        "wrong-ca",
        "redirect-not-registered",
        "redirect-unused",
        "unknown-client",
        "unknown-user",
    ];
    for rule in RULES {
        let tried = cases().iter().any(|(id, ..)| *id == rule.id);
        assert!(
            tried || in_labs.contains(&rule.id),
            "{} is not tried",
            rule.id
        );
    }
}

#[test]
fn the_book_has_every_rule() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/lint.md");
    if std::env::var("INSTA_UPDATE").is_ok_and(|update| update == "always") {
        std::fs::write(&file, book()).unwrap();
    }
    assert_eq!(
        std::fs::read_to_string(&file).unwrap(),
        book(),
        "INSTA_UPDATE=always writes it anew"
    );
}

#[test]
fn an_authority_that_did_not_sign_is_found() {
    let (right, wrong) = (
        Authority::generate("right").unwrap(),
        Authority::generate("wrong").unwrap(),
    );
    let certificate = right.server_certificate(&["dex.example"]).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("tls.pem");
    std::fs::write(&file, &certificate.pem).unwrap();
    let with = |authority: &Authority, host: &str| {
        let authority: String = authority
            .certificate_pem()
            .lines()
            .map(|line| format!("      {line}\n"))
            .collect();
        let issuer = format!(
            "- issuer:\n    url: https://{host}/dex\n    audiences: [kube]\n    certificateAuthority: |\n{authority}{PLAIN}"
        );
        let dex = format!(
            "issuer: https://{host}/dex\nstorage: {{type: memory}}\nweb: {{https: 127.0.0.1:5556, tlsCert: {}, tlsKey: k}}\n{CLIENTS}",
            file.display()
        );
        ids(&[auth(&issuer), ("dex.yaml", dex)])
    };
    assert!(!with(&right, "dex.example").contains(&"wrong-ca"));
    assert!(with(&wrong, "dex.example").contains(&"wrong-ca"));
    assert!(with(&right, "other.example").contains(&"wrong-ca"));
}

#[test]
fn places_are_those_of_the_file() {
    let markdown = "# Guide\n\n1. Write\n\n   ```yaml\n   jwt:\n   - issuer:\n       url: https://a.example\n       audience: [k]\n   ```\n\
                    \n```yaml\n{{ template }}: x\n```\n\n```sh\nclaimMappings: {\n```\n";
    let map = config_map("authentication:\n  jwt:\n  - issuer:\n      url: https://a.example\n      audiences: k\n    claimMappings: {}").1;
    let files = vec![
        Source::new("guide.md", markdown),
        Source::new("cm.yaml", map),
    ];
    let lint = Lint::files(files);
    let shown: Vec<String> = lint
        .findings
        .iter()
        .map(|finding| format!("{:?}", miette::Report::new(finding.report())))
        .collect();
    assert_snapshot!(shown.join("\n"));
    assert_eq!(lint.findings[1].to_json()["line"], 9);
}

#[test]
fn what_lacks_its_dash_is_looked_at_all_the_same() {
    let rules = |rules: &str| {
        let sample =
            format!("claimMappings: {{username: {{claim: sub, prefix: 'x:'}}}}\n{rules}\n");
        ids(&[("guide.md", format!("```yaml\n{sample}```\n"))])
    };
    assert_eq!(
        rules("claimValidationRules:\n  expression: claims.exp - claims.nbf <= 86400"),
        ["not-a-list", "nbf-may-be-absent"]
    );
    let empty = "claimMappings: {username: {claim: name, prefix: ''}}";
    let user = "userValidationRules:\n  expression: \"!user.username.startsWith('system:')\"";
    assert_eq!(ids(&[one(&format!("  {empty}"))]), ["system-names"]);
    let sample = format!("```yaml\n{empty}\n{user}\n```\n");
    assert_eq!(ids(&[("guide.md", sample)]), ["not-a-list"]);
}

/// The API server itself keeps no token from a name of the system.
#[test]
fn names_of_the_system_are_found_behind_any_prefix() {
    let both = ["prefix-collision", "system-names"];
    let user = |by: &str| {
        let mut found = ids(&[one(&format!("  claimMappings: {{username: {{{by}}}}}"))]);
        found.sort_unstable();
        found
    };
    let group = |by: &str| {
        let username = "username: {claim: sub, prefix: 'dex:'}";
        let mut found = ids(&[one(&format!(
            "  claimMappings: {{{username}, groups: {{{by}}}}}"
        ))]);
        found.sort_unstable();
        found
    };
    for prefix in ["system:serviceaccount:", "system:node:", "system:"] {
        assert_eq!(user(&format!("claim: sub, prefix: '{prefix}'")), both);
        let joined = format!("expression: \"'{prefix}' + claims.sub\"");
        assert_eq!(user(&joined), both);
    }
    assert_eq!(user("claim: sub, prefix: 'system:lab:'"), ["system-names"]);
    assert_eq!(user("claim: sub, prefix: 'system'"), ["system-names"]);
    assert_eq!(group("claim: groups, prefix: 'system:'"), both);
    assert_eq!(group("claim: groups, prefix: 'system:nodes'"), both);
    let each = |prefix: &str| {
        group(&format!(
            "expression: \"claims.groups.split(',').map(g, '{prefix}' + g)\""
        ))
    };
    assert_eq!(each("system:"), both);
    assert_eq!(each("kc:"), [""; 0]);
    // A `+` alone is no prefix.
    let joined = "expression: \"claims.kind + ':' + claims.sub\"";
    assert_eq!(user(joined), ["system-names"]);
    let address = "expression: \"claims.sub + '@lab.example'\"";
    assert_eq!(user(address), [""; 0]);
    let ruled = "  claimMappings: {username: {claim: sub, prefix: 'system:lab:'}}\n  \
                 userValidationRules: [{expression: \"user.username != 'system:lab:admin'\"}]";
    assert_eq!(ids(&[one(ruled)]), [""; 0]);
}

#[test]
fn what_is_meant_is_not_told() {
    let plain = "  claimMappings: {username: {claim: name, prefix: ''}}";
    assert_eq!(ids(&[one(plain)]), ["system-names"]);
    let allowed = format!("{plain}\n# authlab: allow(system-names): a scenario shows it");
    assert_eq!(ids(&[one(&allowed)]), [""; 0]);
    assert_eq!(
        ids(&[one(&format!("{plain}\n# authlab: allow(sytem-names): a"))]).len(),
        2
    );
}

proptest! {
    #[test]
    fn any_file_is_answered(cut in 0..400_usize, put in "[ \\n:\\[\\]{}'\"|&*!a0`-]{0,6}", which in 0..24_usize) {
        for (name, text) in &cases()[which].1 {
            let at = (0..=cut.min(text.len())).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
            let changed = format!("{}{put}{}", &text[..at], &text[at..]);
            let _ = ids(&[(name, changed.clone())]);
            let _ = ids(&[("x.md", format!("```yaml\n{changed}\n```\n"))]);
        }
    }
}

#[test]
fn the_checkout_says_of_every_finding_that_it_is_meant() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let lint = Lint::checkout(&root).unwrap();
    let findings = lint.findings.iter();
    let told: Vec<String> = findings
        .filter(|finding| finding.rule.severity > Severity::Note)
        .map(|finding| {
            let (line, _) = finding.place();
            let file = finding.source.name();
            format!("{file}:{line}: {} [{}]", finding.message, finding.rule.id)
        })
        .collect();
    assert_eq!(
        told, [""; 0],
        "mend them, or write `# authlab: allow(RULE): why`"
    );
    assert!(lint.documents > 20);
}
