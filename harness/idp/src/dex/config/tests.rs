//! What is said about a configuration, and where.

use proptest::prelude::*;
use secrecy::ExposeSecret as _;

use super::*;

const GOOD: &str = r#"issuer: https://127.0.0.1:5556/dex
storage: {type: memory}
web: {https: 127.0.0.1:5556, tlsCert: cert.pem, tlsKey: key.pem}
enablePasswordDB: true
"#;

fn read(added: &str) -> Result<Config, ConfigError> {
    let env = |name: &str| (name == "KNOWN").then(|| "from-env".to_owned());
    Config::read_with(&format!("{GOOD}{added}"), "dex.yaml", &env)
}

fn refusal(added: &str) -> String {
    let error = read(added).unwrap_err();
    let place = error.place().map_or("-".to_owned(), |place| {
        format!("{}:{}", place.line, place.column)
    });
    format!(
        "{place} {} | {error} | {}",
        error.path().unwrap_or("-"),
        error.hint().unwrap_or("-")
    )
}

fn warnings(added: &str) -> String {
    let config = read(added).unwrap();
    config
        .warnings()
        .iter()
        .map(|warning| format!("{warning}\n"))
        .collect()
}

#[test]
fn a_small_file_has_the_defaults_of_dex() {
    let config = read("").unwrap();
    assert_eq!(config.warnings(), []);
    insta::assert_debug_snapshot!(config);
}

#[test]
fn ignored_keys_are_named_with_what_was_meant() {
    insta::assert_snapshot!(warnings(
        "expiry:
  idToken: 1h
  refreshTokens: {reuseintervall: 3s}
staticClients:
- {id: a, name: a, secret: s, redirectUris: [http://a], redirecturi: x, publik: true}
- {id: a, name: a, secret: s, nothingLikeIt: 1}
staticPasswords:
- {email: a, hash: $2a$10$2b2cU8CPhOTaGrs1HRQuAueS7JTT5ZHsHSzYiFPm1leZck7Mc8T4W, group: [x]}
- {email: A, hash: $2a$10$2b2cU8CPhOTaGrs1HRQuAueS7JTT5ZHsHSzYiFPm1leZck7Mc8T4W}
oauth2: {skipApproval: true, skipApprovalScreen: false, skipApprovalScreen: true}
frontend: {dir: /somewhere}
web: {https: a, tlsCert: b, tlsKey: c, http: d}
"
    ));
}

#[test]
fn refusals_say_where_and_what_to_do() {
    let cases = [
        "staticClients: [{id: a, name: a, secret: 1234}]",
        "oauth2:\n  skipApprovalScreen: 'yes'",
        "staticPasswords:\n- email: a\n  hash: abc",
        "expiry:\n  idTokens: 1 day",
        "staticClients:\n- {id: a, name: a}",
        "logger: {level: loud}",
        "connectors:\n- {type: ldap, id: ldap, name: LDAP, config: {host: a}}",
        "signer: {type: vault, config: {addr: a}}",
        "web: {https: a, tlsCert: a, tlsKey: b, tlsMinVersion: '1.3'}",
        "enablePasswordDB: false",
    ];
    let said: Vec<String> = cases.iter().map(|case| refusal(case)).collect();
    insta::assert_snapshot!(said.join("\n"));
}

#[test]
fn a_file_that_is_no_yaml_is_refused_with_its_name() {
    assert_eq!(
        refusal("a: b\n c: d"),
        "6:1 - | error parse config file dex.yaml: yaml: line 6: mapping values are not allowed in this context | -"
    );
}

#[test]
fn values_may_come_from_the_environment() {
    let config = read(
        "staticClients: [{idEnv: KNOWN, name: a, secretEnv: KNOWN}, {id: b, name: b, secretEnv: UNKNOWN}]",
    )
    .unwrap();
    assert_eq!(
        config.clients["from-env"].secret.expose_secret(),
        "from-env"
    );
    assert_eq!(config.clients["b"].secret.expose_secret(), "");
    assert_eq!(
        refusal("staticPasswords: [{email: a, hashFromEnv: UNKNOWN}]"),
        "5:19 staticPasswords[0].hash | error unmarshalling config file dex.yaml: no password hash provided | -"
    );
}

#[test]
fn connectors_take_variables_in_their_own_configuration_only() {
    let config = read(
        "connectors: [{type: oidc, id: $KNOWN, name: b, config: {issuer: 'a$KNOWN-${KNOWN}x$', rootCAs: ['${UNKNOWN}a$/']}}]",
    )
    .unwrap();
    let [upstream, local] = config.connectors.as_slice() else {
        panic!("the list of users comes last")
    };
    assert_eq!(
        (upstream.id.as_str(), local.id.as_str()),
        ("$KNOWN", "local")
    );
    let super::ConnectorKind::Oidc(upstream) = &upstream.kind else {
        panic!("another provider")
    };
    assert_eq!(upstream.issuer, "afrom-env-from-envx$");
    assert_eq!(upstream.root_cas, ["a$/"]);
}

#[test]
fn no_secret_is_printed() {
    let config = read("staticClients: [{id: a, name: a, secret: canary}]\nstaticPasswords: [{email: a, hash: $2a$10$2b2cU8CPhOTaGrs1HRQuAueS7JTT5ZHsHSzYiFPm1leZck7Mc8T4W}]").unwrap();
    let shown = format!("{config:?}");
    assert!(
        !shown.contains("canary") && !shown.contains("$2a$"),
        "{shown}"
    );
}

#[test]
fn endpoints_lie_under_the_issuer() {
    for (issuer, path, url) in [
        ("https://h:1/dex", "/dex/keys", "https://h:1/dex/keys"),
        ("https://h:1/dex/", "/dex/keys", "https://h:1/dex/keys"),
        ("https://h:1/a//b", "/a/b/keys", "https://h:1/a/b/keys"),
        ("https://h:1", "/keys", "https://h:1/keys"),
        ("https://h:1/", "/keys", "https://h:1/keys"),
        ("https://[::1]:1", "/keys", "https://[::1]:1/keys"),
    ] {
        let issuer = read(&format!("issuer: {issuer:?}")).unwrap().issuer;
        assert_eq!(
            (issuer.path("/keys"), issuer.url("/keys")),
            (path.to_owned(), url.to_owned())
        );
        assert_eq!(issuer.endpoint(path), Some("/keys"));
        assert_eq!(
            issuer
                .endpoint(path.trim_end_matches("/keys"))
                .or(Some("/")),
            Some("/")
        );
        assert_eq!(
            issuer
                .endpoint("/elsewhere/keys")
                .filter(|_| path != "/keys"),
            None
        );
    }
}

proptest! {
    #[test]
    fn no_text_makes_it_panic(text in "\\PC*") {
        let _ = Config::read(&text, "x");
    }

    #[test]
    fn no_change_to_a_file_makes_it_panic(at in 0usize..2000, cut in 0usize..40, put in "[-a-z0-9:{}\\[\\]'\"&*!|>~ \n]{0,8}") {
        let mut text = include_str!("../../../tests/dex/config.yaml").to_owned();
        let (start, end) = (at.min(text.len()), (at + cut).min(text.len()));
        text.replace_range(start..end, &put);
        if let Ok(config) = Config::read(&text, "x") {
            prop_assert!(!config.issuer().is_empty());
        }
    }
}
