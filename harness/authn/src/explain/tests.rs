//! What is said of tokens, and that it is what the engine says.

#![expect(clippy::print_stderr, reason = "tests say when they are skipped")]

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use insta::assert_snapshot;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::{config::OidcFlags, golang::base64url, vectors::cases};

const NOW: u64 = 1_795_348_800;

const FILE: &str = r#"apiVersion: apiserver.config.k8s.io/v1
kind: AuthenticationConfiguration
jwt:
  - issuer:
      url: https://dex.example/dex
      audiences: [kube]
    claimMappings:
      username:
        claim: email
        prefix: "dex:"
      groups:
        claim: groups
        prefix: "dex:"
    claimValidationRules:
      - claim: tenant
        requiredValue: north
      - expression: "claims.exp - claims.iat <= 3600 && claims.amr == 'otp'"
        message: tokens live for an hour at most
    userValidationRules:
      - expression: "!user.groups.exists(group, group.startsWith('dex:system:'))"
  - issuer:
      url: https://other.example
      audiences: [kube]
    claimMappings:
      username: {claim: sub, prefix: "other:"}
"#;

fn at(seconds: u64) -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(seconds)
}

/// A token that is let in, with some of its claims changed; null takes one away.
fn token(changes: &Value) -> Token {
    let mut claims = json!({
        "iss": "https://dex.example/dex", "aud": "kube", "exp": NOW + 1800, "iat": NOW - 600, "sub": "CgQx",
        "email": "jane@example.com", "email_verified": true, "groups": ["dev"], "tenant": "north", "amr": "otp",
    });
    for (name, value) in changes.as_object().unwrap() {
        let claims = claims.as_object_mut().unwrap();
        match value {
            Value::Null => drop(claims.remove(name)),
            value => drop(claims.insert(name.clone(), value.clone())),
        }
    }
    Token {
        header: json!({"alg": "RS256", "kid": "k1"}),
        payload: claims.to_string(),
    }
}

fn offline() -> Signature {
    Signature::Unchecked("the issuer was not asked".to_owned())
}

fn told(subject: &Subject, token: &Token) -> String {
    let walk = walk(subject, token, &offline(), at(NOW));
    let refusal = walk.refusal.as_ref();
    let path = refusal.and_then(|refusal| refusal.path.as_deref());
    let place = path.and_then(|path| subject.place(path));
    let place = place.map_or(String::new(), |span| {
        format!(
            "at {}, line {}, column {}\n",
            path.unwrap_or_default(),
            span.line,
            span.column
        )
    });
    let refusal = refusal.map_or(String::new(), ToString::to_string);
    format!("{walk}{place}{refusal}")
}

/// Only what concerns the refusal.
fn refused(file: &str, changes: &Value) -> String {
    let subject = Subject::file(file).unwrap();
    let text = told(&subject, &token(changes));
    text[text.find("\nRefused").unwrap_or(0)..]
        .trim_start()
        .to_owned()
}

#[test]
fn a_token_that_is_let_in() {
    let subject = Subject::file(FILE).unwrap();
    assert_snapshot!(told(&subject, &token(&json!({}))));
}

#[test]
fn a_rule_that_refuses() {
    let subject = Subject::file(FILE).unwrap();
    assert_snapshot!(told(&subject, &token(&json!({"iat": NOW - 7200}))));
}

#[test]
fn every_stage_names_its_place_and_its_mend() {
    let cases = [
        json!({"iss": "https://dex.example/dex/"}),
        json!({"iss": "https://unknown.example:8443/realms/x"}),
        json!({"aud": ["account", "web"]}),
        json!({"exp": NOW - 300}),
        json!({"nbf": NOW + 300, "email": null}),
        json!({"email": null, "e-mail": "jane@example.com"}),
        json!({"email_verified": false}),
        json!({"groups": 7}),
        json!({"tenant": null}),
        json!({"tenant": "south", "amr": "password"}),
        json!({"amr": null}),
        json!({"groups": ["system:masters"]}),
        json!({"groups": null, "_claim_names": {"groups": "s"}, "_claim_sources": {"s": {"endpoint": "https://x", "access_token": "secret"}}}),
        json!({"sub": 5}),
    ];
    let texts: Vec<String> = cases
        .iter()
        .map(|case| format!("==== {case}\n{}", refused(FILE, case)))
        .collect();
    assert_snapshot!(texts.join("\n"));
}

/// A file with one authenticator and these mappings and rules.
fn with(below: &str) -> String {
    let head = "apiVersion: apiserver.config.k8s.io/v1\nkind: AuthenticationConfiguration\njwt:\n- issuer: {url: \
                https://dex.example/dex, audiences: [kube]}\n";
    format!("{head}{below}\n")
}

#[test]
fn expressions_that_fail_are_mended_in_place() {
    let cases = [
        (
            "  claimMappings: {username: {expression: 'claims.preferred_username'}}",
            json!({"preferredUsername": "jane"}),
        ),
        (
            "  claimMappings: {username: {claim: sub, prefix: ''}, groups: {expression: 'claims.roles.split(\",\")'}}",
            json!({"roles": "a,b"}),
        ),
        (
            "  claimMappings: {username: {claim: sub, prefix: ''}, groups: {expression: 'claims.teams'}}",
            json!({}),
        ),
        (
            "  claimMappings: {username: {claim: sub, prefix: ''}, uid: {claim: oid}}",
            json!({}),
        ),
        (
            "  claimMappings: {username: {expression: 'claims.number'}}",
            json!({"number": 12}),
        ),
        (
            "  claimMappings: {username: {claim: sub, prefix: ''}, extra: [{key: a.io/b, valueExpression: 'claims.dept'}]}",
            json!({"department": "x"}),
        ),
        (
            "  claimMappings: {username: {claim: sub, prefix: ''}}\n  claimValidationRules: [{expression: 'claims.exp - claims.nbf <= 86400'}]",
            json!({}),
        ),
        (
            "  claimMappings: {username: {claim: sub, prefix: ''}}\n  claimValidationRules: [{expression: \"claims.hd in ['a.com', 'b.com']\"}]",
            json!({"hd": "c.com"}),
        ),
        (
            "  claimMappings: {username: {claim: sub, prefix: ''}}\n  userValidationRules: [{expression: \"!user.username.startsWith('system:')\"}]",
            json!({"sub": "system:admin"}),
        ),
    ];
    let texts: Vec<String> = cases
        .iter()
        .map(|(below, case)| format!("==== {}\n{}", below.trim(), refused(&with(below), case)))
        .collect();
    assert_snapshot!(texts.join("\n"));
}

#[test]
fn flags_are_mended_as_flags() {
    let text = |text: &str| Some(text.to_owned());
    let flags = OidcFlags {
        issuer_url: text("https://dex.example/dex"),
        client_id: text("other"),
        username_claim: text("mail"),
        required_claims: [("tenant".to_owned(), "south".to_owned())].into(),
        ..OidcFlags::default()
    };
    let subject = Subject::flags(flags).unwrap();
    let mut token = token(&json!({}));
    token.header = json!({"alg": "ES384"});
    let told = told(&subject, &token);
    assert_snapshot!(&told[told.find("\nRefused").unwrap()..]);
}

#[test]
fn what_the_issuer_says_of_the_signature() {
    use crate::oidc::{Found, Probe};
    let subject = Subject::file(FILE).unwrap();
    let keys = |ids: &[&str], signature| Found::Keys {
        url: "https://dex.example/dex/keys".to_owned(),
        ids: ids.iter().map(|id| (*id).to_owned()).collect(),
        signature,
    };
    let bad = || {
        Err(
            "oidc: verify token: failed to verify signature: failed to verify id token signature"
                .to_owned(),
        )
    };
    let cases = [
        keys(&["k1"], Ok(())),
        keys(&["k1", "k2"], bad()),
        keys(&["k2"], bad()),
        Found::Unreachable("Get \"https://dex.example/dex/.well-known/openid-configuration\": tls: failed to verify certificate: x509: certificate signed by unknown authority".to_owned()),
    ];
    let texts: Vec<String> = cases
        .into_iter()
        .map(|found| {
            let probe = Probe {
                discovery: "https://dex.example/dex/.well-known/openid-configuration".to_owned(),
                found,
            };
            let walk = walk(
                &subject,
                &token(&json!({})),
                &Signature::Probed(probe),
                at(NOW),
            );
            let (step, refusal) = (&walk.steps[1], walk.refusal.as_ref());
            let refusal = refusal.map_or(String::new(), ToString::to_string);
            format!("{:?}\n{}\n{refusal}", step.answer, step.lines.join("\n"))
        })
        .collect();
    assert_snapshot!(texts.join("\n"));
}

#[test]
fn a_token_is_taken_apart_but_never_repeated() {
    let claims = json!({"iss": "https://a", "_claim_sources": {"s": {"access_token": "secret"}}});
    let part = |value: &Value| {
        use base64::Engine as _;
        base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(value.to_string())
    };
    let text = format!(
        "{}.{}.c2lnbmF0dXJl",
        part(&json!({"alg": "ES256"})),
        part(&claims)
    );
    assert!(base64url::decode(&part(&claims)).is_ok());
    for wrapped in [
        text.clone(),
        format!(" Bearer {text}\n"),
        json!({"kind": "ExecCredential", "status": {"token": text}}).to_string(),
        json!({"id_token": text, "token_type": "bearer"}).to_string(),
    ] {
        assert_eq!(Token::find(&wrapped), text);
    }
    let token = Token::parse(&text).unwrap();
    assert_eq!(token.header("alg"), "ES256");
    let shown = format!("{token:?} {}", token.claims());
    assert!(!shown.contains("c2lnbmF0dXJl"));
    assert!(!token.claims().to_string().contains("secret"));
    let errors: Vec<String> = ["", "opaque", "a.b.c.d.e", "!.!.!", "e30.W10.", "e30.bm8."]
        .iter()
        .map(|text| Token::parse(text).unwrap_err().to_string())
        .collect();
    assert_snapshot!(errors.join("\n"));
}

/// The engine's verdict is the walk's, and every mend that is offered lets the token in.
fn agrees(file: &str, payload: &str, algorithm: &str, now: SystemTime) {
    let Ok(subject) = Subject::file(file) else {
        return;
    };
    let token = Token {
        header: json!({"alg": algorithm}),
        payload: payload.to_owned(),
    };
    let walk = walk(&subject, &token, &offline(), now);
    let evaluator = Evaluator::new(subject.config());
    assert_eq!(
        walk.verdict,
        evaluator.evaluate_signed(payload, algorithm, now),
        "{file}\n{payload}"
    );
    let refusing = walk.steps.iter().any(|step| step.answer == Answer::No);
    let let_in = matches!(walk.verdict, Verdict::Authenticated(_));
    assert_eq!(refusing, !let_in, "{walk}");
    let _ = (walk.to_string(), walk.to_json());
}

#[test]
fn agreement_with_the_engine_on_recorded_cases() {
    let mut walked = 0;
    for case in cases(include_str!("../../tests/data/authn.jsonl")) {
        let claims = match (&case["claims_raw"], &case["claims"]) {
            (Value::String(raw), _) => raw.clone(),
            (_, Value::Null) => continue,
            (_, claims) => claims.to_string(),
        };
        let now = case["now"].as_u64().map_or_else(SystemTime::now, at);
        let algorithm = case["alg"]
            .as_str()
            .filter(|name| !name.is_empty())
            .unwrap_or("RS256");
        agrees(case["config"].as_str().unwrap(), &claims, algorithm, now);
        walked += 1;
    }
    eprintln!("{walked} cases walked");
    assert!(walked > 100);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn agreement_with_the_engine(
        email in prop_oneof![Just(json!(null)), Just(json!("a@b")), Just(json!(1))],
        groups in crate::golang::tests::any_json(),
        tenant in prop_oneof![Just(json!("north")), Just(json!("south")), Just(json!(true))],
        amr in prop_oneof![Just(json!("otp")), Just(json!(null)), Just(json!(["otp"]))],
        lives in -100_i64..8000,
    ) {
        let exp = i64::try_from(NOW).unwrap() + lives;
        let token = token(&json!({"email": email, "groups": serde_json::from_str::<Value>(&groups.to_string()).unwrap_or_default(), "tenant": tenant, "amr": amr, "exp": exp}));
        agrees(FILE, &token.payload, "RS256", at(NOW));
    }
}
