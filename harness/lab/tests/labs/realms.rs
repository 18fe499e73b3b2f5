//! Mistakes in the file of a Keycloak realm, and what a person reads then.

#![expect(
    clippy::unwrap_used,
    reason = "a test may stop at what it did not expect"
)]

use std::path::Path;

use authlab_lab::checkout::Checkout;
use authlab_lab::host::Host;
use authlab_lab::plan::Plan;
use authlab_lab::state::BackendKind;
use insta::assert_snapshot;
use miette::{GraphicalReportHandler, GraphicalTheme};

const LAB: &str = "description: a lab
identityProviders:
  keycloak:
    kind: keycloak
    config: keycloak/realm.json
";

/// What starting a lab with this realm says. Whatever that is, nothing is left of it.
async fn starting(lab: &str, realm: &str) -> String {
    let root = tempfile::tempdir().unwrap();
    // Keys are slow to make: every root shares them.
    let keys = Path::new(env!("CARGO_TARGET_TMPDIR")).join("keys");
    std::fs::create_dir_all(&keys).unwrap();
    std::fs::create_dir(root.path().join(".authlab")).unwrap();
    std::os::unix::fs::symlink(keys, root.path().join(".authlab/keys")).unwrap();
    for (path, text) in [("labs/lab.yaml", lab), ("keycloak/realm.json", realm)] {
        let path = root.path().join("fixtures").join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }
    let checkout = Checkout::at(root.path());
    let plan = match Plan::load(root.path(), "lab") {
        Ok(plan) => plan,
        Err(error) => return shown(&error),
    };
    let said = match Host::start(&checkout, BackendKind::Embedded, plan, "lab").await {
        Ok(host) => {
            let issuer = &host.state().identity_providers["keycloak"].issuer;
            let realm = issuer.rsplit('/').next().unwrap_or_default().to_owned();
            host.stop().await;
            format!("it starts as {realm}")
        }
        Err(error) => shown(&error),
    };
    let left = std::fs::read_dir(checkout.labs()).unwrap().count();
    assert_eq!(left, 0, "something is left after: {said}");
    said
}

fn shown(error: &dyn miette::Diagnostic) -> String {
    let mut out = String::new();
    GraphicalReportHandler::new_themed(GraphicalTheme::unicode_nocolor())
        .with_width(100)
        .render_report(&mut out, error)
        .unwrap();
    out
}

#[tokio::test(flavor = "multi_thread")]
async fn realm_files() {
    let mut all = String::new();
    for (title, realm) in [
        ("what is needed", r#"{ "realm": "${lab.realm}" }"#),
        (
            "a name of its own",
            "{\n  \"realm\": \"company\",\n  \"enabled\": true\n}",
        ),
        (
            "an unknown field",
            "{\n  \"realm\": \"${lab.realm}\", \"acessTokenLifespan\": 300\n}",
        ),
        (
            "a group that is not there",
            "{\n  \"realm\": \"${lab.realm}\", \"enabled\": true,\n  \"users\": [{ \"username\": \"jane\", \"groups\": [\"/dev\"] }]\n}",
        ),
        (
            "what the embedded Keycloak does not have",
            "{\n  \"realm\": \"${lab.realm}\",\n  \"browserFlow\": \"acme browser\",\n  \"organizations\": [{ \"name\": \"partner\" }],\n  \"acessTokenLifespan\": 300\n}",
        ),
        ("another placeholder", "{ \"realm\": \"${lab.reaml}\" }"),
        ("no JSON", "{ \"realm\": \"${lab.realm}\""),
    ] {
        let said = starting(LAB, realm).await;
        all.push_str(&format!("## {title}\n{said}\n\n"));
    }
    let missing = LAB.replace("keycloak/realm.json", "keycloak/raelm.json");
    let said = starting(&missing, "{}").await;
    all.push_str(&format!("## a file by another name\n{said}\n"));
    assert_snapshot!(all);
}

/// Keycloak takes each of these without a word, and then lets nobody in.
#[tokio::test(flavor = "multi_thread")]
async fn realms_that_import_to_nothing() {
    let lab = format!(
        "{LAB}    client: {{ id: kube }}
    users:
      jane: {{ login: jane, password: p }}
"
    );
    let realm = |members: &str| format!("{{\n  \"realm\": \"${{lab.realm}}\"{members}\n}}");
    let (enabled, clients, users) = (
        ",\n  \"enabled\": true",
        ",\n  \"clients\": [{ \"clientId\": \"kube\" }]",
        ",\n  \"users\": [{ \"username\": \"Jane\", \"enabled\": true }]",
    );
    let others = clients.replace("kube", "web");
    for (realm, message, help) in [
        (realm(""), "the realm is not enabled", "\"enabled\": true"),
        (
            realm(",\n  \"enabled\": false"),
            "the realm is not enabled",
            "\"enabled\": true",
        ),
        (
            realm(enabled),
            "the realm has no client `kube`",
            "include clients",
        ),
        (
            realm(&format!("{enabled}{others}")),
            "the realm has no client `kube`",
            "include clients",
        ),
        (
            realm(&format!("{enabled}{clients}")),
            "the realm has no user `jane`",
            "--users realm_file",
        ),
        (
            realm(&format!(
                "{enabled}{clients}{}",
                users.replace("Jane", "janne")
            )),
            "the realm has no user `jane`",
            "did you mean `janne`?",
        ),
        // The realm's own file of an export to a directory, and a broker.
        (
            realm(&format!(
                "{enabled}{clients},\n  \"identityProviders\": [{{ \"alias\": \"partner\" }}]"
            )),
            "the realm has no user `jane`",
            "the file of the realm in an export to a directory",
        ),
        // A group that is in the realm's own file.
        (
            realm(",\n  \"users\": [{ \"username\": \"jane\", \"groups\": [\"/dev\"] }]"),
            "a file of users",
            "NAME-realm.json",
        ),
    ] {
        let said = starting(&lab, &realm).await;
        // Lines as long as they were before they were broken for the screen.
        let said = said.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(
            said.contains(message) && said.contains(help),
            "{realm}\n{said}"
        );
        assert!(said.contains("fixtures/keycloak/realm.json"), "{said}");
    }
    let whole = realm(&format!("{enabled}{clients}{users}"));
    let said = starting(&lab, &whole).await;
    assert!(said.starts_with("it starts as"), "{said}");
}
