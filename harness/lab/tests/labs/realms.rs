//! Mistakes in the file of a Keycloak realm, and what a person reads then.

use insta::assert_snapshot;

use crate::root::{self, root};

const LAB: &str = "description: a lab
identityProviders:
  keycloak:
    kind: keycloak
    config: keycloak/realm.json
";

/// What starting a lab with this realm says.
async fn starting(lab: &str, realm: &str) -> String {
    let (_root, checkout) = root(&[("labs/lab.yaml", lab), ("keycloak/realm.json", realm)]);
    root::starting(&checkout, |state| {
        let issuer = &state.identity_providers["keycloak"].issuer;
        format!(
            "it starts as {}",
            issuer.rsplit('/').next().unwrap_or_default()
        )
    })
    .await
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
