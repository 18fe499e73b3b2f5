//! What the corpus holds.

use std::{collections::BTreeSet, time::UNIX_EPOCH};

use authlab_pki::{Algorithm, KeyPool, jws::Compact};
use secrecy::ExposeSecret as _;
use serde_json::{Map, Value, json};

use super::*;

fn forged() -> (State, Vec<Forgery>) {
    forged_at("https://127.0.0.1:12345")
}

fn forged_at(issuer: &str) -> (State, Vec<Forgery>) {
    let state = State::new(
        issuer.to_owned(),
        KeyPool::ephemeral(),
        "test",
        Default::default(),
    );
    let Value::Object(claims) = json!({"sub": "ada", "aud": "kube"}) else {
        unreachable!()
    };
    let claims: Map<String, Value> = claims;
    let tokens = corpus(&state, &claims, UNIX_EPOCH).unwrap();
    (state, tokens)
}

#[test]
fn every_token_has_a_name_and_a_text_of_its_own() {
    let (_, tokens) = forged();
    assert!(tokens.len() >= 400, "{}", tokens.len());
    let names: BTreeSet<&str> = tokens.iter().map(|token| token.name.as_str()).collect();
    assert_eq!(names.len(), tokens.len());
    let mut texts = BTreeSet::new();
    let again: Vec<&str> = tokens
        .iter()
        .filter(|token| !texts.insert(token.token.expose_secret()))
        .map(|token| token.name.as_str())
        .collect();
    assert_eq!(again, <[&str; 0]>::default(), "the same as another");
}

/// The length of an address decides nothing about a token.
#[test]
fn payloads_have_spare_bits_at_every_address() {
    for issuer in [
        "https://127.0.0.1:1",
        "https://127.0.0.1:12",
        "https://[::1]:123",
    ] {
        let (_, tokens) = forged_at(issuer);
        let honest = tokens.iter().find(|token| token.name == "shape/honest");
        let token = honest.unwrap().token.expose_secret();
        let payload = token.split('.').nth(1).unwrap();
        assert_eq!(payload.len() * 3 / 4 % 12, 8, "{issuer}");
    }
}

/// The corpus tampers with what is good, not with what is bad already.
#[test]
fn the_honest_token_verifies_and_its_twins_do_not() {
    let (state, tokens) = forged();
    let verifies = |name: &str, algorithm| {
        let token = tokens.iter().find(|token| token.name == name).unwrap();
        let key = state.keys.published(algorithm).unwrap();
        Compact::parse(token.token.expose_secret())
            .unwrap()
            .verify(&key.jwk())
            .is_ok()
    };
    for (name, algorithm, good) in [
        ("shape/honest", Algorithm::RS256, true),
        ("kid/absent", Algorithm::RS256, true),
        ("signature/a byte too long", Algorithm::RS256, false),
        (
            "stranger/under the issuer's key id",
            Algorithm::RS256,
            false,
        ),
        ("elliptic/the other of two", Algorithm::ES256, true),
        ("elliptic/both zero", Algorithm::ES256, false),
        ("elliptic/as DER", Algorithm::ES256, false),
    ] {
        assert_eq!(verifies(name, algorithm), good, "{name}");
    }
}
