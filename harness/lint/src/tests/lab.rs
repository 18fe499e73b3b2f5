//! Labs held against themselves: their files, providers, people and scenarios.

use std::path::Path;

use insta::assert_snapshot;

use super::PERSON;
use crate::Lint;

/// Writes a file of a checkout.
fn write(root: &Path, path: &str, text: &str) {
    let path = root.join(path);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, text).unwrap();
}

/// What is found in a lab `lab` with a Dex and these files.
fn in_lab(lab: &str, dex: &str, authentication: &str, scenario: &str) -> Vec<&'static str> {
    let root = tempfile::tempdir().unwrap();
    let write = |path: &str, text: &str| write(root.path(), path, text);
    write("fixtures/labs/lab.yaml", lab);
    write("fixtures/dex.yaml", dex);
    write("fixtures/auth.yaml", authentication);
    write("scenarios/one.yaml", scenario);
    let found = Lint::checkout(root.path()).unwrap().findings;
    found.iter().map(|finding| finding.rule.id).collect()
}

const LAB: &str = "description: a lab\nidentityProviders:\n  dex:\n    kind: dex\n    config: dex.yaml\n    client: {id: kube, \
                   secret: s, redirectUri: 'http://localhost:9/cb'}\napiServer: {authentication: auth.yaml}\n";
const LAB_DEX: &str = "issuer: \"${lab.idp.dex.issuer}\"\nstorage: {type: memory}\nweb: {http: \"${lab.idp.dex.listen}\"}\nenablePasswordDB: true\n\
                       staticClients:\n- {id: kube, name: k, secret: s, redirectURIs: ['http://localhost:9/cb']}\n";
const LAB_AUTH: &str = "apiVersion: apiserver.config.k8s.io/v1\nkind: AuthenticationConfiguration\njwt:\n- issuer: {url: \
                        \"${lab.idp.dex.issuer}\", audiences: [kube], certificateAuthority: \"${lab.ca}\"}\n  claimMappings: \
                        {username: {claim: email, prefix: 'dex:'}}\n";
const SCENARIO: &str = "name: one\nlab: lab\nsteps:\n- configure: {authentication: auth.yaml}\n";

#[test]
fn a_lab_is_held_against_itself() {
    assert_eq!(in_lab(LAB, LAB_DEX, LAB_AUTH, SCENARIO), [""; 0]);
    let wrong = LAB_AUTH.replace("${lab.ca}", "${lab.ca.other}");
    assert_eq!(in_lab(LAB, LAB_DEX, &wrong, SCENARIO), ["wrong-ca"]);
    let other = LAB.replace("id: kube", "id: cube");
    assert_eq!(
        in_lab(&other, LAB_DEX, LAB_AUTH, SCENARIO),
        ["unknown-client"]
    );
    let people = |email: &str| {
        let lab = LAB.replace(
            "    client:",
            "    users: {jane: {login: jane@b, password: p}}\n    client:",
        );
        let dex = format!("{LAB_DEX}{}", PERSON.replace("a@b", email));
        in_lab(&lab, &dex, LAB_AUTH, SCENARIO)
    };
    assert_eq!(people("Jane@b"), [""; 0]);
    assert_eq!(people("jan@b"), ["unknown-user"]);
    let more = LAB_DEX.replace("/cb']", "/cb', 'https://a.example/cb']");
    assert_eq!(in_lab(LAB, &more, LAB_AUTH, SCENARIO), ["redirect-unused"]);
    let less = LAB_DEX.replace("/cb']", "/other']");
    let found = in_lab(LAB, &less, LAB_AUTH, SCENARIO);
    assert_eq!(found, ["redirect-unused", "redirect-not-registered"]);
}

/// All that is wrong with a realm and with whom the lab wants of it, each at its place.
#[test]
fn a_realm_is_held_against_the_lab() {
    let root = tempfile::tempdir().unwrap();
    let write = |path: &str, text: &str| write(root.path(), path, text);
    let found = |members: &str| {
        write(
            "fixtures/realm.json",
            &format!(
                "{{\"realm\": \"${{lab.realm}}\", \"enabled\": true,\n{members}\n\"clients\": [{{\"clientId\": \"kube\"}}],\n\
                 \"users\": [{{\"username\": \"jane\", \"enabled\": true}}]}}"
            ),
        );
        let found = Lint::lab(root.path(), "lab").unwrap().findings;
        let told = found.iter().map(|finding| {
            let (line, column) = finding.place();
            let help = finding.help.as_deref().unwrap_or_default();
            let file = finding.source.name();
            format!(
                "{file}:{line}:{column} {}: {} [{help}]\n",
                finding.rule.id, finding.message
            )
        });
        told.collect::<String>()
    };
    write(
        "fixtures/labs/lab.yaml",
        "description: a lab\nidentityProviders:\n  kc:\n    kind: keycloak\n    config: realm.json\n    client: {id: kube}\n    \
         users:\n      jane: {login: Jane, password: p}\n      joan: {login: jaen, password: p}\n",
    );
    assert_snapshot!(found(
        "\"browserFlow\": \"acme\",\n\"organizations\": [{\"name\": \"o\"}],"
    ));
    let brokered = found("\"identityProviders\": [{\"alias\": \"x\"}],");
    assert!(brokered.contains("unknown-user"), "{brokered}");
    // They may be in a directory.
    let storage = "\"components\": {\"org.keycloak.storage.UserStorageProvider\": [{}]},";
    assert_eq!(found(storage), "");
}

/// Keycloak takes any port of the loopback, and what follows a `*`.
#[test]
fn a_redirect_uri_of_a_realm_that_nobody_uses_is_found() {
    let root = tempfile::tempdir().unwrap();
    let write = |path: &str, text: &str| write(root.path(), path, text);
    write(
        "fixtures/labs/lab.yaml",
        "description: a lab\nidentityProviders:\n  kc:\n    kind: keycloak\n    config: realm.json\n    client: {id: kube, \
         redirectUri: 'https://used.example/cb'}\n  dex: {kind: dex, config: dex.yaml}\n",
    );
    let connector = "connectors:\n- {type: oidc, id: kc, name: kc, config: {issuer: 'https://kc.example/realms/lab', clientID: \
                     kube, clientSecret: s, redirectURI: \"${lab.idp.dex.issuer}/callback\"}}\n";
    write(
        "fixtures/dex.yaml",
        &format!("{LAB_DEX}{connector}")
            .replace("'http://localhost:9/cb'", "'http://localhost:8000'"),
    );
    let found = |more: &str| {
        write(
            "fixtures/realm.json",
            &format!(
                "{{\"realm\": \"${{lab.realm}}\", \"enabled\": true, \"identityProviders\": [], \"clients\": [{{\"clientId\": \"kube\", \
                 \"description\": \"\", \"redirectUris\": [\"https://used.example/cb\"{more}]}}]}}"
            ),
        );
        let found = Lint::lab(root.path(), "lab").unwrap().findings;
        let told = found
            .iter()
            .map(|finding| format!("{}: {}", finding.rule.id, finding.message));
        told.collect::<Vec<String>>()
    };
    let taken = ", \"http://localhost/callback\", \"http://127.0.0.1/*\", \"/below\", \"https://apps.example/*\", \
                 \"${lab.idp.dex.issuer}/callback\"";
    assert_eq!(found(taken), [""; 0]);
    assert_eq!(
        found(", \"https://old.example/cb\", \"http://localhost:7/cb\""),
        [
            "redirect-unused: no login of this lab ends at https://old.example/cb (client `kube`)",
            "redirect-unused: no login of this lab ends at http://localhost:7/cb (client `kube`)"
        ]
    );
}

#[test]
fn a_client_of_a_realm_may_have_any_port_of_the_machine_itself() {
    let root = tempfile::tempdir().unwrap();
    let found = |registered: &str, used: &str| {
        let lab = format!(
            "description: a lab\nidentityProviders:\n  kc: {{kind: keycloak, config: realm.json, client: {{id: kube, \
             redirectUri: '{used}'}}}}\n"
        );
        let realm = format!(
            "{{\"realm\": \"${{lab.realm}}\", \"enabled\": true, \"clients\": [{{\"clientId\": \"kube\", \
             \"redirectUris\": [\"{registered}\"]}}]}}"
        );
        write(root.path(), "fixtures/labs/lab.yaml", &lab);
        write(root.path(), "fixtures/realm.json", &realm);
        let found = Lint::lab(root.path(), "lab").unwrap().findings;
        let ids = found.iter().map(|finding| finding.rule.id);
        ids.filter(|id| *id == "redirect-not-registered").count()
    };
    let used = "http://localhost:8000/callback";
    assert_eq!(found("http://localhost/callback", used), 0);
    assert_eq!(found("http://localhost:8000/*", used), 0);
    assert_eq!(found("/callback", used), 0);
    assert_eq!(found("http://localhost/other", used), 1);
    assert_eq!(found("http://localhost:9000/callback", used), 1);
    assert_eq!(
        found(
            "https://a.example/callback",
            "https://a.example:8000/callback"
        ),
        1
    );
}

#[test]
fn flags_are_looked_at_as_the_file_that_they_stand_for() {
    let flags = |more: &str| {
        let flags = format!(
            "flags: {{oidc-issuer-url: \"${{lab.idp.dex.issuer}}\", oidc-client-id: kube{more}}}"
        );
        in_lab(
            &LAB.replace("authentication: auth.yaml", &flags),
            LAB_DEX,
            LAB_AUTH,
            "lab: other",
        )
    };
    assert_eq!(flags(""), [""; 0]);
    assert_eq!(
        flags(", oidc-groups-claim: roles"),
        ["claim-not-sent", "system-names"]
    );
    assert_eq!(
        flags(", oidc-username-claim: name, oidc-username-prefix: '-'"),
        ["system-names"]
    );
    assert_eq!(
        flags(", oidc-username-claim: email, oidc-username-prefix: 'system:serviceaccount:'"),
        ["prefix-collision", "system-names"]
    );
    assert_eq!(
        flags(", oidc-groups-claim: email, oidc-groups-prefix: 'system:'"),
        ["prefix-collision", "system-names"]
    );
}
