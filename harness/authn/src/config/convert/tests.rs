//! Files that stand for flags.

use std::time::{Duration, UNIX_EPOCH};

use insta::assert_snapshot;
use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::{config::load, token::Evaluator};

fn text(text: &str) -> Option<String> {
    Some(text.to_owned())
}

#[test]
fn defaults_are_written_out() {
    let least = OidcFlags {
        issuer_url: text("https://dex.example/dex"),
        client_id: text("kube"),
        ..OidcFlags::default()
    };
    let all = OidcFlags {
        username_claim: text("email"),
        groups_claim: text("groups"),
        signing_algs: vec!["ES256".to_owned(), "RS256".to_owned()],
        required_claims: [("hd", "a.com"), ("tenant", "x: \"y\"")]
            .map(|(claim, value)| (claim.to_owned(), value.to_owned()))
            .into(),
        ..least.clone()
    };
    let none = OidcFlags {
        username_prefix: text("-"),
        ..least.clone()
    };
    let shown: Vec<String> = [&least, &all, &none]
        .map(|flags| {
            let Converted { text, warnings } = convert(flags).unwrap();
            load(&text, &[]).unwrap();
            format!("{text}# {}\n", warnings.join("\n# "))
        })
        .into();
    assert_snapshot!(shown.join("\n"));
    assert!(convert(&OidcFlags::default()).is_err());
}

#[test]
fn a_manifest_says_where_its_files_are() {
    let manifest = Manifest::read(
        r#"
        kind: Pod
        spec:
          containers:
          - name: sidecar
            command: [sleep, "1"]
          - name: kube-apiserver
            command: [kube-apiserver, --oidc-issuer-url=https://dex.example, --oidc-client-id, kube]
            args: ["--oidc-required-claim=a=b", "--oidc-required-claim=c=d", "--oidc-ca-file=/etc/dex/tls/ca.pem"]
            volumeMounts: [{mountPath: /etc/dex, name: dex}, {mountPath: /etc, name: etc}]
          volumes: [{name: dex, hostPath: {path: /opt/dex/}}, {name: etc, hostPath: {path: /e}}]
        "#,
    )
    .unwrap();
    assert_eq!(manifest.flags["oidc-required-claim"], ["a=b", "c=d"]);
    assert_eq!(manifest.flags["oidc-client-id"], ["kube"]);
    assert_eq!(
        manifest.on_host("/etc/dex/tls/ca.pem"),
        "/opt/dex/tls/ca.pem"
    );
    assert_eq!(manifest.on_host("/etc/dexter"), "/e/dexter");
    assert_eq!(manifest.on_host("/srv/ca.pem"), "/srv/ca.pem");
    let error = Manifest::read("kind: Pod").unwrap_err();
    assert_eq!(error, "no container of this manifest runs kube-apiserver");
}

fn maybe(values: &'static [&'static str]) -> impl Strategy<Value = Option<String>> {
    proptest::option::of(proptest::sample::select(values).prop_map(str::to_owned))
}

proptest! {
    #[test]
    fn flags_and_file_give_the_same_verdict(
        username_claim in maybe(&["sub", "email", "name", "", "odd \"claim\"\u{85}"]),
        username_prefix in maybe(&["-", "", "dex:", "a # b", "é\n\t'\u{2028}"]),
        groups_claim in maybe(&["groups", "name", ""]),
        groups_prefix in maybe(&["dex:", ""]),
        required in proptest::collection::btree_map("(name|tenant|a b)", "(x|jane|'|\"|: )", 0..3),
        audience in prop_oneof![Just(json!("kube")), Just(json!(["a", "kube"])), Just(json!("no"))],
        name in prop_oneof![Just(json!("jane")), Just(json!(null)), Just(json!(["x"]))],
        verified in prop_oneof![Just(json!(true)), Just(json!(false)), Just(json!("yes"))],
    ) {
        let flags = OidcFlags {
            issuer_url: text("https://dex.example/dex"),
            client_id: text("kube"),
            username_claim, username_prefix, groups_claim, groups_prefix,
            required_claims: required,
            ..OidcFlags::default()
        };
        let claims = json!({
            "iss": "https://dex.example/dex", "aud": audience, "exp": 2000, "sub": "CgQx", "name": name,
            "email": "jane@example.com", "email_verified": verified, "groups": ["dev"], "tenant": "x",
            "odd \"claim\"\u{85}": "odd",
        });
        match (from_flags(&flags), convert(&flags)) {
            (Ok(by_flags), Ok(converted)) => {
                let by_file = load(&converted.text, &[]).unwrap();
                let now = UNIX_EPOCH + Duration::from_secs(1000);
                let verdict = |config| Evaluator::new(config).evaluate(&claims.to_string(), now);
                prop_assert_eq!(verdict(&by_flags), verdict(&by_file));
                prop_assert_eq!(by_flags.jwt, by_file.jwt);
            }
            (by_flags, converted) => prop_assert_eq!(by_flags.is_err(), converted.is_err()),
        }
    }

    #[test]
    fn any_authority_comes_through(text in "(-----BEGIN X-----\n|[ -~]{0,9}\n|\t|\n|é){0,6}") {
        let shown = format!("a: {}", block(&text));
        prop_assert_eq!(&yaml11::parse(&shown).unwrap()["a"], &Json::from(text));
    }
}
