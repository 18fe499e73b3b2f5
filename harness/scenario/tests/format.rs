//! The format refuses what it does not know, with its place, and never panics.

use std::path::Path;
use std::rc::Rc;

use authlab_lab::source::Source;
use authlab_lab::state::Capability;
use authlab_scenario::{Scenario, list};
use proptest::prelude::*;

/// A checkout with one lab, made once a test.
fn root() -> Rc<tempfile::TempDir> {
    thread_local!(static ROOT: Rc<tempfile::TempDir> = Rc::new(make_root()));
    ROOT.with(Rc::clone)
}

#[expect(clippy::unwrap_used, reason = "a helper of tests")]
fn make_root() -> tempfile::TempDir {
    let root = tempfile::tempdir().unwrap();
    let write = |path: &str, text: &str| {
        let path = root.path().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    };
    write(
        "fixtures/labs/dex.yaml",
        "description: a lab\n\
         identityProviders:\n  \
           dex:\n    kind: dex\n    config: dex/config.yaml\n    \
             users: { jane: { login: jane@example.com, password: secret-password } }\n\
           \x20 forge: { kind: forge }\n\
           \x20 keycloak: { kind: keycloak, config: keycloak/realm.json, client: { id: kube } }\n\
         apiServers: { other: {} }\n",
    );
    write("fixtures/keycloak/realm.json", "{}\n");
    write("fixtures/dex/config.yaml", "issuer: x\n");
    write(
        "fixtures/manifests/dev-team.yaml",
        "apiVersion: v1\nkind: Namespace\nmetadata: { name: dev }\n",
    );
    write(
        "fixtures/kubernetes/other-audience.yaml",
        "kind: AuthenticationConfiguration\n",
    );
    root
}

fn load(root: &Path, text: &str) -> Result<Scenario, authlab_lab::source::SourceError> {
    Scenario::parse(root, Source::new("scenarios/x.yaml", text))
}

/// One line for each verb, all of its keys used.
const EVERY_VERB: &str = r#"
name: every verb with every key
lab: [dex]
requires: [configure, clientCertificate, auditLog]
kubernetes: ">=1.35"
steps:
  - apply: { manifest: manifests/dev-team.yaml, expect: applied }
  - login: { idp: dex, grant: password, user: jane, scopes: [openid], token: id, as: jane, check: "seen.claims.sub != ''" }
  - login: { idp: dex, grant: authorization_code, user: jane, client: { id: kube }, as: browser }
  - login: { idp: dex, grant: refresh_token, from: jane, as: jane }
  - login: { idp: dex, grant: password, user: jane, password: wrong, expect: { refused: { error: access_denied, description: { contains: Invalid } } } }
  - login: { idp: dex, grant: device_code, user: jane, connector: local, client: { id: tv, secret: tv-secret, redirectUri: "http://127.0.0.1/" }, as: tv, expect: { accepted: { claims: { sub: x } } } }
  - login: { idp: keycloak, grant: client_credentials, token: access, as: machine }
  - login: { idp: dex, grant: token_exchange, subject: machine, subjectToken: access, requestedToken: id, connector: local, audience: [kube], as: exchanged }
  - userinfo: { idp: dex, as: jane, token: id, expect: { accepted: { claims: { sub: x } } }, check: "seen.claims.sub != ''" }
  - introspect: { idp: dex, as: jane, token: refresh, client: { id: kube }, expect: { active: { claims: { sub: x } } }, check: "seen.claims.active" }
  - introspect: { idp: dex, as: jane, expect: inactive }
  - revoke: { idp: keycloak, as: machine, token: access, client: { id: kube }, expect: revoked }
  - logout: { idp: keycloak, as: machine, hint: false, redirect: "http://127.0.0.1/", client: { id: kube }, expect: asked }
  - token: { issuer: forge, claims: { sub: ada, n: [1, true] }, header: { kid: null }, algorithm: ES384, key: unpublished, expires: -5, tamper: payload, as: ada }
  - serviceAccountToken: { name: robot, namespace: dev, audiences: [a], expirationSeconds: 600, as: robot }
  - clientCertificate: { user: eve, groups: [a], as: eve }
  - whoami: { as: jane, impersonate: { user: x, groups: [g], uid: u, extra: { k: [v] } }, expect: { username: x, uid: u, groups: { contains: [g], lacks: [h], exactly: [g] }, extra: { k: [v] } }, check: ["size(seen.groups) > 0"] }
  - whoami: { as: ada, expect: { unauthorized: { because: signature, message: { contains: [a, b] } } } }
  - whoami: { as: ada, expect: unauthorized }
  - whoami: { as: ada, expect: { forbidden: { because: { forbidden: { verb: impersonate } } } } }
  - review: { as: robot, audiences: [a], expect: { authenticated: { username: robot } }, check: "seen.authenticated" }
  - review: { as: ada, expect: { unauthenticated: { because: { audience: { got: [a], want: [b] } } } } }
  - can: { as: jane, verb: create, resource: deployments.apps, subresource: scale, name: web, namespace: dev, expect: allowed }
  - can: { user: bob, groups: [a], verb: get, path: /metrics, expect: { denied: { because: none } } }
  - access:
      namespace: dev
      expect: |
        # a comment
        can                     jane  admin
        get pods                yes   yes
        get pods/log web -A     no    yes
        get /metrics            no    yes
  - request: { as: jane, method: POST, path: /api, body: { a: 1 }, headers: { x: y }, impersonate: { user: z }, expect: { status: 403, body: { is: a }, message: { contains: b }, json: { /code: 403 } }, check: "seen.status == 403" }
  - request: { path: /livez, expect: { status: 200 } }
  - whoami: { as: admin, cluster: other, expect: { username: x } }
  - configure: { idp: dex, config: dex/config.yaml, expect: inForce }
  - rotateKeys: { idp: forge }
  - fault: { idp: forge, is: { discovery: { status: 500 } } }
  - fault: { idp: dex, is: down }
  - mend: { idp: forge }
  - metrics: {}
  - metrics: { cluster: other, expect: [{ series: a_total, labels: { code: "401" }, rises: 1 }, { series: b, atLeast: 2 }, { series: c, is: 0 }, { series: d, risesAtLeast: 1 }] }
  - audit: { cluster: other, event: { user: { username: x, uid: u, groups: { contains: [g] }, extra: { k: [v] } }, impersonated: { username: y }, verb: get, uri: { contains: api }, resource: pods, namespace: dev, name: web, status: 403, message: { is: no }, annotations: { x: { is: forbid }, a: null } }, expect: absent, check: "seen.event == null" }
  - configure: { authentication: kubernetes/other-audience.yaml, flags: { oidc-client-id: kube, oidc-required-claim: [a=b, c=d] }, by: restart, expect: { refused: { message: { is: no } } } }
"#;

const DESIGN: &str = r#"
name: a Dex group becomes a Kubernetes group
lab: dex
steps:
  - apply: { manifest: manifests/dev-team.yaml }
  - login: { idp: dex, grant: password, user: jane, as: jane }
  - whoami: { as: jane, expect: { username: "dex:jane@example.com", groups: { contains: ["dex:dev"] } } }
  - can: { as: jane, verb: create, resource: pods, namespace: dev, expect: allowed }
  - can: { as: jane, verb: delete, resource: nodes, expect: denied }
  - configure: { authentication: kubernetes/other-audience.yaml }
  - whoami: { as: jane, expect: { unauthorized: { because: { audience: { got: [kube], want: [other] } } } } }
"#;

#[test]
fn the_examples_load() {
    let root = root();
    for text in [DESIGN, EVERY_VERB] {
        let loaded = load(root.path(), text);
        assert!(
            loaded.is_ok(),
            "{:?}",
            loaded.map(|_| ()).map_err(miette::Report::new)
        );
    }
}

#[test]
fn only_a_leading_configure_that_comes_into_force_is_the_labs() {
    let root = root();
    let leading = |steps: &str| {
        let text = format!("name: x\nlab: dex\nsteps:\n{steps}");
        load(root.path(), &text).unwrap().leading().is_some()
    };
    let request = "  - request: { path: /livez, expect: { status: 200 } }\n";
    let configure = "  - configure: { authentication: kubernetes/other-audience.yaml }\n";
    let refused =
        "  - configure: { authentication: kubernetes/other-audience.yaml, expect: refused }\n";
    assert!(leading(&format!("{configure}{request}")));
    assert!(!leading(&format!("{request}{configure}")));
    assert!(!leading(&format!("{refused}{request}")));
}

/// The example with a letter added to the `key`th key of a line, and that key's name.
fn misspelt(line: usize, key: usize) -> Option<(String, String)> {
    let mut lines: Vec<String> = EVERY_VERB.lines().map(str::to_owned).collect();
    let written = lines[line].clone();
    let at = written
        .match_indices(':')
        .map(|(at, _)| at)
        .filter(|at| written[at + 1..].is_empty() || written[at + 1..].starts_with(' '))
        .filter(|at| written[..*at].ends_with(char::is_alphabetic))
        .nth(key)?;
    let word = |c: char| !(c.is_alphanumeric() || c == '-');
    let name = written[..at]
        .rsplit(word)
        .next()
        .unwrap_or_default()
        .to_owned();
    lines[line].insert(at, 'z');
    Some((lines.join("\n"), name))
}

#[test]
fn an_unknown_key_is_refused_where_it_stands() {
    let root = root();
    // Keys of claims, headers, extra, JSON bodies and flags are people's own.
    let free = [
        "code",
        "sub",
        "n",
        "kid",
        "k",
        "x",
        "a",
        "oidc-client-id",
        "oidc-required-claim",
    ];
    let mut refused = 0;
    for line in 0..EVERY_VERB.lines().count() {
        for key in 0.. {
            let Some((text, name)) = misspelt(line, key) else {
                break;
            };
            if free.contains(&name.as_str()) {
                continue;
            }
            let error = load(root.path(), &text).map(drop).expect_err(&text);
            let place = error.location().map(|(line, _)| line);
            assert_eq!(place, Some(line as u64 + 1), "{name}: {error}");
            refused += 1;
        }
    }
    assert!(refused > 100, "{refused} keys were tried");
}

/// A refusal may be a word alone; of any other the words that there are are told.
#[test]
fn words_of_whoami() {
    let root = root();
    let text = |word: &str| {
        format!(
            "name: x\nlab: dex\nsteps:\n  - whoami: {{ as: admin, expect: {{ username: a }} }}\n  - whoami: {{ as: anonymous, expect: {word} }}\n"
        )
    };
    for word in ["unauthorized", "forbidden", "{ unauthorized: {} }"] {
        assert!(load(root.path(), &text(word)).is_ok(), "{word}");
    }
    let error = |word: &str| {
        let error = load(root.path(), &text(word)).map(drop).unwrap_err();
        let place = error.location().map(|(line, _)| line);
        assert_eq!(place, Some(5));
        format!("{error}; {}", error.help_text().unwrap_or_default())
    };
    assert_eq!(
        error("unauthorised"),
        "unknown name `unauthorised`; did you mean `unauthorized`?"
    );
    assert_eq!(
        error("denied"),
        "unknown name `denied`; allowed here: unauthorized, forbidden"
    );
}

#[test]
fn a_case_fits_where_its_needs_are_met() {
    let root = root();
    let folder = root.path().join("scenarios/topic");
    std::fs::create_dir_all(&folder).unwrap();
    let write = |stem: &str, head: &str| {
        let text = format!(
            "name: x\n{head}\nsteps:\n  - request: {{ path: /livez, expect: {{ status: 200 }} }}\n"
        );
        std::fs::write(folder.join(format!("{stem}.yaml")), text).unwrap();
    };
    write("always", "lab: dex");
    write("audit", "lab: dex\nrequires: [auditLog]");
    write("broken", "lab: dex\nreqires: [auditLog]");
    write("future", "lab: dex\nkubernetes: \">=1.37\"");
    write("past", "lab: dex\nkubernetes: \"<1.37\"");
    // What the lab and a request without a credential need by themselves.
    let least = [
        Capability::Clusters,
        Capability::Products,
        Capability::Configure,
    ];
    let fits = |more: &[Capability]| -> Vec<String> {
        let capabilities = &[&least, more].concat();
        list(root.path())
            .iter()
            .filter(|case| case.fits(capabilities, "1.36.3"))
            .map(|case| case.id().to_owned())
            .collect()
    };
    let here = [
        "dex::topic::always",
        "dex::topic::broken",
        "dex::topic::past",
    ];
    assert_eq!(fits(&[]), here);
    assert_eq!(fits(&[Capability::AuditLog]).len(), 4);
    // A verb's needs need not be written.
    let text = "name: x\nlab: dex\nsteps:\n  - audit: { event: { verb: get } }\n";
    let implied: Vec<_> = load(root.path(), text).unwrap().requires("dex").collect();
    assert_eq!(implied[0], Capability::AuditLog);
}

proptest! {
    #[test]
    fn no_check_makes_it_panic(check in r#"(seen|\.|a|1|\(|\)|\[|\]|'|\\|==|&&|\?|:|!|\{|\}| |\$|size|has|exists){0,12}"#) {
        let root = root();
        let check = serde_json::Value::from(check);
        let text = format!("name: x\nlab: dex\nsteps:\n  - whoami: {{ as: admin, expect: {{ username: a }}, check: {check} }}\n");
        let _ = load(root.path(), &text);
    }

    #[test]
    fn no_text_makes_the_parser_panic(text in r#"(name: x\n|lab: dex\n|steps:\n|  - whoami: |  - access: |\{ |as: a|expect: |\||\n    |yes|no|, |\}|[a-z: \-\[\]"'&*!]){0,40}"#) {
        let root = root();
        let _ = load(root.path(), &text);
    }

    #[test]
    fn no_cut_or_changed_example_makes_it_panic(at in 0usize..EVERY_VERB.len(), with in "[ -~\\n]{0,3}") {
        let root = root();
        let mut text = EVERY_VERB.to_owned();
        text.insert_str(at, &with);
        let _ = load(root.path(), &text);
        let _ = load(root.path(), &EVERY_VERB[..at]);
    }
}

#[test]
fn another_file_for_a_provider_changes_no_authentication() {
    let root = root();
    let changes = |configure: &str| {
        let text = format!("name: x\nlab: dex\nsteps:\n  - configure: {configure}\n");
        load(root.path(), &text).unwrap().changes_authentication()
    };
    assert!(changes("{ flags: { oidc-client-id: kube } }"));
    assert!(!changes("{ idp: dex, config: dex/config.yaml }"));
}
