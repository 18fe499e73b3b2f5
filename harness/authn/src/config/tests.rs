//! Messages and defaults of configurations.

#![expect(
    clippy::print_stderr,
    reason = "tables for people, and word of skipped ones"
)]

use std::collections::BTreeMap;

use insta::assert_snapshot;
use proptest::prelude::*;
use serde::Deserialize as _;
use serde_json::{Map, Value};

use super::{
    AuthenticationConfiguration, ClaimMappings, ClaimValidationRule, ConfigError, Issuer,
    OidcFlags, UserValidationRule, field, from_flags, issuer, keys, load, mappings, validate,
};
use crate::vectors::{cases, table};

const GOOD: &str = r#"apiVersion: apiserver.config.k8s.io/v1
kind: AuthenticationConfiguration
jwt:
- issuer:
    url: https://login.test
    audiences: [kube]
  claimValidationRules:
  - {expression: 'claims.hd == "x"', message: hd must be x}
  claimMappings:
    username: {claim: sub, prefix: "dex:"}
    groups: {expression: claims.groups}
    extra:
    - {key: lab.test/bench, valueExpression: claims.bench}
anonymous:
  enabled: true
  conditions: [{path: /healthz}]
"#;

fn refused(text: &str) -> String {
    load(text, &[]).unwrap_err().to_string()
}

#[test]
fn a_file_is_read() {
    let config = load(GOOD, &[]).unwrap();
    assert_eq!(config.jwt[0].issuer.audiences, ["kube"]);
    assert_eq!(
        config.jwt[0].claim_mappings.username.prefix.as_deref(),
        Some("dex:")
    );
    assert_eq!(config.signing_algs.len(), 9);
    assert!(config.anonymous_for("/healthz"));
    assert!(!config.anonymous_for("/healthz/"));
    for version in ["v1beta1", "v1alpha1"] {
        assert_eq!(
            load(&GOOD.replace("/v1\n", &format!("/{version}\n")), &[]).unwrap(),
            config
        );
    }
}

#[test]
fn anonymous_requests_are_taken_unless_said_otherwise() {
    let with = |section: &str| {
        load(&format!("apiVersion: apiserver.config.k8s.io/v1\nkind: AuthenticationConfiguration\n{section}"), &[])
            .unwrap()
            .anonymous_for("/api")
    };
    assert!(with(""));
    assert!(with("anonymous: {enabled: true}"));
    assert!(!with("anonymous: {enabled: false}"));
    assert!(!with("anonymous: {}"));
}

#[test]
fn broken_files_are_refused_in_the_servers_words() {
    let cases = [
        GOOD.replace("url:", "Url:"),
        GOOD.replace("[kube]", "kube"),
        GOOD.replace("kind: A", "kind: B"),
        GOOD.replace("/v1\n", "/v3\n"),
        GOOD.replace("AuthenticationConfiguration", "AuthorizationConfiguration")
            .split("jwt:")
            .next()
            .unwrap()
            .to_owned(),
        GOOD.replace("anonymous:", "anonymous:\nanonymous:"),
        GOOD.replace("\n    audiences", "\n   audiences"),
        GOOD.replace("https://login.test", "http://login.test?x"),
        GOOD.replace("enabled: true", "enabled: false"),
        GOOD.replace("claims.groups", "claims.groups +"),
        GOOD.replace("lab.test/bench", "bench"),
        GOOD.replace("'claims.hd == \"x\"'", "claims.hd"),
        "{\"kind\": \"AuthenticationConfiguration\", \"kind\": 5}".to_owned(),
        "{\"apiVersion\": \"apiserver.config.k8s.io/v1\" \"kind\"".to_owned(),
        String::new(),
    ];
    let errors: Vec<String> = cases.iter().map(|text| refused(text)).collect();
    assert_snapshot!(errors.join("\n--\n"));
}

#[test]
fn an_issuer_of_service_accounts_is_refused() {
    let error = load(
        GOOD,
        &["https://login.test".to_owned(), "https://a".to_owned()],
    )
    .unwrap_err();
    assert_snapshot!(error.to_string());
    let ConfigError::Invalid(violations) = error else {
        panic!("{error:?}")
    };
    assert_eq!(violations[0].path, "jwt[0].issuer.url");
}

#[test]
fn flags_stand_for_a_file() {
    let set = |text: &str| Some(text.to_owned());
    let base = OidcFlags {
        issuer_url: set("https://i.test"),
        client_id: set("kube"),
        ..OidcFlags::default()
    };
    let prefix = |flags: &OidcFlags| {
        from_flags(flags).unwrap().jwt[0]
            .claim_mappings
            .username
            .prefix
            .clone()
            .unwrap()
    };
    assert_eq!(prefix(&base), "https://i.test#");
    assert_eq!(
        prefix(&OidcFlags {
            username_claim: set("email"),
            ..base.clone()
        }),
        ""
    );
    assert_eq!(
        prefix(&OidcFlags {
            username_prefix: set("-"),
            ..base.clone()
        }),
        ""
    );
    assert_eq!(
        prefix(&OidcFlags {
            username_prefix: set("x:"),
            ..base.clone()
        }),
        "x:"
    );

    let full = OidcFlags {
        groups_claim: set("groups"),
        required_claims: BTreeMap::from([("hd".to_owned(), "x".to_owned())]),
        ..base.clone()
    };
    let config = from_flags(&full).unwrap();
    assert_eq!(config.signing_algs, ["RS256"]);
    assert_eq!(config.jwt[0].claim_mappings.username.claim, "sub");
    assert_eq!(
        config.jwt[0].claim_mappings.groups.prefix.as_deref(),
        Some("")
    );
    assert_eq!(config.jwt[0].claim_validation_rules[0].required_value, "x");
    assert!(from_flags(&OidcFlags::default()).unwrap().jwt.is_empty());

    let cases = [
        OidcFlags {
            groups_claim: set("groups"),
            ..OidcFlags::default()
        },
        OidcFlags {
            issuer_url: set("http://i.test"),
            ..base.clone()
        },
        OidcFlags {
            signing_algs: vec!["HS256".to_owned()],
            ..base.clone()
        },
        OidcFlags {
            username_claim: set(""),
            ..base.clone()
        },
        OidcFlags {
            ca_file: set("nothing"),
            ..base
        },
    ];
    let errors: Vec<String> = cases
        .iter()
        .map(|flags| from_flags(flags).unwrap_err().to_string())
        .collect();
    assert_snapshot!(errors.join("\n"));
}

/// Names of the internal API types as the file has them, with nulls left out.
fn external(value: &Value) -> Value {
    match value {
        Value::Object(map) => {
            let fields: Map<String, Value> = map
                .iter()
                .filter(|(_, value)| !value.is_null())
                .map(|(name, value)| {
                    let upper = name.chars().take_while(char::is_ascii_uppercase).count();
                    let name = match name.as_str() {
                        "DiscoveryURL" => "discoveryURL".to_owned(),
                        name if upper == name.len() => name.to_lowercase(),
                        name => name[..1].to_lowercase() + &name[1..],
                    };
                    (name, external(value))
                })
                .collect();
            Value::Object(fields)
        }
        Value::Array(items) => items.iter().map(external).collect(),
        other => other.clone(),
    }
}

fn strings(value: &Value) -> Vec<String> {
    let items = value.as_array().into_iter().flatten();
    items
        .map(|item| item.as_str().unwrap().to_owned())
        .collect()
}

/// The tables of Kubernetes' own tests, where they are at hand.
#[test]
fn agreement_with_kubernetes_own_tables() {
    let Some(table) = table("kubernetes-authn-validation.jsonl") else {
        return;
    };
    let (mut agree, mut all, mut wrong) = (0, 0, Vec::new());
    for case in cases(&table) {
        // A server with the feature off is none of ours, nor is a certificate that only the test's code knows.
        let off = |name: &str| {
            case.get(name)
                .is_some_and(|value| *value == Value::Bool(false))
        };
        if off("structuredAuthnFeatureEnabled") && case["test"] != "TestValidateAudiences"
            || off("structuredAuthnFeatureOverride")
            || off("structuredAuthnEgressSelectorFeatureOverride")
            || case["gaOnly"] == Value::Bool(true)
            || case.get("in_func").is_some()
        {
            continue;
        }
        let got = check(&case);
        let want = case["want"].as_str().unwrap();
        all += 1;
        if got == want {
            agree += 1;
        } else {
            wrong.push(format!("{}\n  got  {got}\n  want {want}", case["name"]));
        }
    }
    eprintln!(
        "kubernetes-authn-validation: {agree} of {all}\n{}",
        wrong.join("\n")
    );
    assert!(agree + 3 >= all);
}

fn check(case: &Value) -> String {
    let input = external(&case["in"]);
    let disallowed = strings(&case["disallowedIssuers"]);
    let root = field::Path::new("issuer");
    let mut out = Vec::new();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let fine = Issuer {
        url: "https://fine.test".to_owned(),
        audiences: vec!["a".to_owned()],
        ..Issuer::default()
    };
    match case["test"].as_str().unwrap() {
        "TestValidateAuthenticationConfiguration" => {
            let config = AuthenticationConfiguration::deserialize(input).unwrap();
            out = validate::configuration(&config, &disallowed);
        }
        "TestValidateIssuerURL" => {
            issuer::check(
                &Issuer {
                    url: text(&case["in"]),
                    ..fine
                },
                &disallowed,
                &root,
                &mut out,
            );
        }
        "TestValidateIssuerDiscoveryURL" => {
            let url = text(&case["issuerURL"]);
            issuer::check(
                &Issuer {
                    url,
                    discovery_url: text(&case["in"]),
                    ..fine
                },
                &[],
                &root,
                &mut out,
            );
            out.retain(|violation| violation.path != "issuer.url");
        }
        "TestValidateAudiences" => {
            let audience_match_policy = text(&case["matchPolicy"]);
            issuer::check(
                &Issuer {
                    audiences: strings(&case["in"]),
                    audience_match_policy,
                    ..fine
                },
                &[],
                &root,
                &mut out,
            );
        }
        "TestValidateCertificateAuthority" => {
            issuer::check(
                &Issuer {
                    certificate_authority: text(&case["in"]),
                    ..fine
                },
                &[],
                &root,
                &mut out,
            );
        }
        "TestValidateClaimValidationRules" => {
            let rules = Vec::<ClaimValidationRule>::deserialize(input).unwrap();
            validate::claim_rules(&rules, &root.child("claimValidationRules"), &mut out);
        }
        "TestValidateClaimMappings" => {
            let verified = case["usesEmailVerifiedClaim"] == Value::Bool(true);
            let mappings = ClaimMappings::deserialize(input).unwrap();
            mappings::check(&mappings, verified, &root.child("claimMappings"), &mut out);
        }
        "TestValidateUserValidationRules" => {
            let rules = Vec::<UserValidationRule>::deserialize(input).unwrap();
            validate::user_rules(&rules, &root.child("userValidationRules"), &mut out);
        }
        other => panic!("{other}"),
    }
    if out.is_empty() {
        String::new()
    } else {
        field::aggregate(&out)
    }
}

proptest! {
    #[test]
    fn mutated_files_never_panic(at in 0..GOOD.len(), cut in 0..8_usize, put in "[ \\n:\\[\\]{}'\"|&*!a0-]{0,4}") {
        let end = (at + cut).min(GOOD.len());
        let text = format!("{}{put}{}", &GOOD[..at], &GOOD[end..]);
        let _ = load(&text, &[]);
    }

    #[test]
    fn json_files_never_panic(value in crate::golang::tests::any_json()) {
        let text = format!("{{\"apiVersion\":\"apiserver.config.k8s.io/v1\",\"kind\":\"AuthenticationConfiguration\",\"jwt\":{value}}}");
        let _ = load(&text, &[]);
    }
}

#[test]
fn the_keys_of_a_place_are_known() {
    assert_eq!(keys(""), ["kind", "apiVersion", "jwt", "anonymous"]);
    assert_eq!(keys("jwt[0].claimMappings.uid"), ["claim", "expression"]);
    assert_eq!(
        keys("jwt[3].claimMappings.extra[1]"),
        ["key", "valueExpression"]
    );
    assert!(keys("jwt[0].issuer.url").is_empty());
}

#[test]
fn a_way_out_needs_an_egress_configuration() {
    let config = |way: &str| super::AuthenticationConfiguration {
        jwt: vec![super::JwtAuthenticator {
            issuer: super::Issuer {
                egress_selector_type: way.to_owned(),
                ..super::Issuer::default()
            },
            ..super::JwtAuthenticator::default()
        }],
        ..super::AuthenticationConfiguration::default()
    };
    assert_eq!(super::reachable(&config("")), Ok(()));
    assert_eq!(
        super::reachable(&config("cluster"))
            .unwrap_err()
            .to_string(),
        r#"oidc: egress lookup required with egress selector type "cluster""#
    );
}
