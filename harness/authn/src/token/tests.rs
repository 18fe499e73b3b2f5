//! Verdicts on tokens.

#![expect(
    clippy::print_stderr,
    reason = "tables for people, and word of skipped ones"
)]

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::Deserialize as _;
use serde_json::{Map, Value, json};

use super::{Evaluator, Verdict};
use crate::config::{self, AuthenticationConfiguration};
use crate::vectors::{cases, table};

fn at(seconds: u64) -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(seconds)
}

fn evaluator(jwt: &Value) -> Evaluator {
    let file = json!({"apiVersion": "apiserver.config.k8s.io/v1", "kind": "AuthenticationConfiguration", "jwt": jwt});
    Evaluator::new(&config::load(&file.to_string(), &[]).unwrap())
}

fn simple() -> Evaluator {
    evaluator(&json!([
        {"issuer": {"url": "https://a.test", "audiences": ["kube"]},
         "claimMappings": {"username": {"claim": "sub", "prefix": "a:"}, "groups": {"claim": "groups", "prefix": "g:"}}},
        {"issuer": {"url": "https://b.test", "audiences": ["x", "y"], "audienceMatchPolicy": "MatchAny"},
         "claimMappings": {"username": {"claim": "sub", "prefix": ""}}},
    ]))
}

fn text(verdict: &Verdict) -> String {
    match verdict {
        Verdict::Authenticated(user) => format!("{} {:?}", user.username, user.groups),
        Verdict::Rejected(text) => text.clone(),
        Verdict::Skipped => "skipped".to_owned(),
    }
}

#[test]
fn verdicts() {
    let cases = [
        r#"{"iss": "https://a.test", "aud": "kube", "exp": 2000, "sub": "jane", "groups": ["x"]}"#,
        r#"{"iss": "https://b.test", "aud": ["y", "z"], "exp": "2e3", "sub": "jane", "jti": "t"}"#,
        r#"{"iss": "https://c.test", "aud": "kube", "exp": 2000, "sub": "jane"}"#,
        r#"{"iss": "https://a.test", "aud": "kube", "exp": 999, "sub": "jane"}"#,
        r#"{"iss": "https://a.test", "aud": "kube", "sub": "jane"}"#,
        r#"{"iss": "https://a.test", "aud": "cube", "exp": 2000, "sub": "jane"}"#,
        r#"{"iss": "https://b.test", "aud": "cube", "exp": 2000, "sub": "jane"}"#,
        r#"{"iss": "https://a.test", "aud": "kube", "exp": 2000, "nbf": 1061, "sub": "jane"}"#,
        r#"{"iss": "https://a.test", "aud": "kube", "exp": 2000, "nbf": 1060, "sub": "jane"}"#,
        r#"{"iss": "https://a.test", "aud": "kube", "exp": 2000, "sub": 5}"#,
        r#"{"iss": "https://a.test", "aud": "kube", "exp": "soon", "sub": "jane"}"#,
        r#"{"iss": "https://a.test", "AUD": "kube", "exp": 2000, "sub": "jane", "groups": 5}"#,
        r#"{"iss": "https://a.test", "aud": "kube", "exp": 2000, "sub": "j", "_claim_names": {"groups": "s"}}"#,
        r#"{"iss": "https://a.test", "aud": "kube", "exp": 2000}"#,
        r#"{"iss": "https://a.test""#,
        "null",
    ];
    let evaluator = simple();
    let verdicts: Vec<String> = cases
        .iter()
        .map(|claims| text(&evaluator.evaluate(claims, at(1000))))
        .collect();
    insta::assert_snapshot!(verdicts.join("\n"));
    let verdict = evaluator.evaluate_signed(cases[0], "HS256", at(1000));
    insta::assert_snapshot!(text(&verdict));
}

/// The tables of Kubernetes' own tests, where they are at hand.
#[test]
fn agreement_with_kubernetes_own_tables() {
    let Some(table) = table("kubernetes-oidc-token.jsonl") else {
        return;
    };
    let (mut agree, mut all, mut wrong) = (0, 0, Vec::new());
    for case in cases(&table) {
        let text = |name: &str| case[name].as_str().unwrap_or_default().to_owned();
        let no_keys = case["signingKey"]["Kid"] != case["pubKeys"][0]["Kid"];
        if case["remoteKeys"] == true
            || !case["claimToResponse"].is_null()
            || case["hasClient"] == true
            || !text("wantHealthErrPrefix").is_empty()
            || no_keys
            || text("wantErr").contains("signature")
        {
            continue;
        }
        let want = if !text("wantInitErr").is_empty() {
            text("wantInitErr")
        } else if !text("wantErr").is_empty() {
            text("wantErr")
        } else if case["wantSkip"] == true {
            "skipped".to_owned()
        } else {
            user(&case["want"])
        };
        all += 1;
        let got = verdict(&case);
        if got == want {
            agree += 1;
        } else {
            wrong.push(format!("{}\n  got  {got}\n  want {want}", case["name"]));
        }
    }
    eprintln!(
        "kubernetes-oidc-token: {agree} of {all}\n{}",
        wrong.join("\n")
    );
    assert!(agree + 12 >= all);
}

fn user(user: &Value) -> String {
    let or_empty = |value: &Value, empty: Value| {
        if value.is_null() {
            empty
        } else {
            value.clone()
        }
    };
    json!({
        "username": user["Name"], "uid": user["UID"],
        "groups": or_empty(&user["Groups"], json!([])), "extra": or_empty(&user["Extra"], json!({})),
    })
    .to_string()
}

fn verdict(case: &Value) -> String {
    let jwt = external(&case["jwtAuthenticator"]);
    let mut config = AuthenticationConfiguration::deserialize(json!({"jwt": [jwt]})).unwrap();
    if let Some(algorithms) = case["algs"].as_array() {
        config.signing_algs = algorithms
            .iter()
            .map(|name| name.as_str().unwrap().to_owned())
            .collect();
    }
    let disallowed = case["disallowedIssuers"].as_array().into_iter().flatten();
    let disallowed: Vec<String> = disallowed
        .map(|issuer| issuer.as_str().unwrap().to_owned())
        .collect();
    if let Err(error) = config::validate(&config, &disallowed) {
        return error.to_string().replace("jwt[0].", "");
    }
    let algorithm = case["signingKey"]["Alg"].as_str().unwrap();
    let now = at(case["now"].as_u64().unwrap());
    let claims = case["claims"].as_str().unwrap();
    match Evaluator::new(&config).evaluate_signed(claims, algorithm, now) {
        Verdict::Authenticated(user) => json!(user).to_string(),
        other => text(&other),
    }
}

/// Names of the internal API types as the file has them, with nulls left out.
fn external(value: &Value) -> Value {
    match value {
        Value::Object(map) => {
            let fields: Map<String, Value> = map
                .iter()
                .filter(|(_, value)| !value.is_null())
                .map(|(name, value)| {
                    let name = match name.as_str() {
                        "URL" | "UID" => name.to_lowercase(),
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
