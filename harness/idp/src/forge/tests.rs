//! What the tokens hold, and whether they verify.

use std::time::{Duration, UNIX_EPOCH};

use authlab_pki::jws::{Compact, JwsError};
use secrecy::ExposeSecret as _;
use serde_json::{Value, json};

use super::*;

const ISSUER: &str = "https://forge.example/realm";

fn state() -> State {
    State::new(
        ISSUER.to_owned(),
        KeyPool::ephemeral(),
        "test",
        Default::default(),
    )
}

fn request(value: Value) -> TokenRequest {
    serde_json::from_value(value).unwrap()
}

/// Signed at second 1000 after the epoch, taken apart.
fn token(state: &State, value: Value) -> Compact {
    let token = sign::sign(
        state,
        &request(value),
        UNIX_EPOCH + Duration::from_secs(1000),
    )
    .unwrap();
    Compact::parse(token.expose_secret()).unwrap()
}

fn payload(token: &Compact) -> Value {
    serde_json::from_slice(&token.payload).unwrap()
}

/// By the key of the set that the header names, as a relying party does.
fn verify(state: &State, token: &Compact) -> Result<(), JwsError> {
    let keys = state.keys.set();
    let named: Vec<&Value> = keys
        .iter()
        .filter(|key| key["kid"].as_str() == token.kid())
        .collect();
    assert_eq!(named.len(), 1, "{keys:?}");
    token.verify(named[0])
}

#[test]
fn an_empty_request_gives_a_valid_token() {
    let state = state();
    let token = token(&state, json!({}));
    assert_eq!(
        payload(&token),
        json!({"iss": ISSUER, "iat": 1000, "exp": 1600})
    );
    let kid = state
        .keys
        .published(Algorithm::RS256)
        .unwrap()
        .kid()
        .to_owned();
    assert_eq!(
        Value::from(token.header.clone()),
        json!({"alg": "RS256", "kid": kid, "typ": "JWT"})
    );
    verify(&state, &token).unwrap();
}

#[test]
fn claims_stand_as_they_are_and_null_removes_a_default() {
    let state = state();
    let asked = json!({"iss": "https://other.example", "iat": null, "exp": null, "email": null, "n": 1.5, "aud": ["a", "b"]});
    let token = token(&state, json!({"algorithm": "ES256", "claims": asked}));
    assert_eq!(
        payload(&token),
        json!({"iss": "https://other.example", "email": null, "n": 1.5, "aud": ["a", "b"]})
    );
}

#[test]
fn a_token_may_have_expired() {
    for (expires_in, exp) in [(-60, 940), (0, 1000), (i64::MAX, i64::MAX)] {
        let token = token(
            &state(),
            json!({"algorithm": "ES256", "expiresIn": expires_in}),
        );
        assert_eq!(payload(&token)["exp"], exp);
    }
}

#[test]
fn the_clock_of_the_forge_may_be_wrong() {
    for (asked, times) in [
        (json!({"clockSkew": -300}), json!([700, null, 1300])),
        (
            json!({"clockSkew": 300, "notBeforeIn": 0, "expiresIn": 60}),
            json!([1300, 1300, 1360]),
        ),
        (json!({"notBeforeIn": -30}), json!([1000, 970, 1600])),
        (
            json!({"notBeforeIn": 30, "claims": {"nbf": null, "iat": 1, "exp": 2}}),
            json!([1, null, 2]),
        ),
    ] {
        let mut request = asked.clone();
        request["algorithm"] = json!("ES256");
        let payload = payload(&token(&state(), request));
        let got = json!([payload["iat"], payload["nbf"], payload["exp"]]);
        assert_eq!(got, times, "{asked}");
    }
}

#[test]
fn a_rotated_key_stays_in_the_set_until_the_keys_are_reset() {
    let state = state();
    let kids = || -> Vec<Value> { state.keys.set().iter().map(|k| k["kid"].clone()).collect() };
    state.keys.reset().unwrap();
    let first = kids();
    let before = token(&state, json!({"algorithm": "ES256"}));
    state.keys.rotate().unwrap();
    let after = token(&state, json!({"algorithm": "ES256"}));
    assert_ne!(before.kid(), after.kid());
    for token in [&before, &after] {
        verify(&state, token).unwrap();
    }
    assert_eq!(kids().len(), 4);
    state.keys.rotate().unwrap();
    assert_eq!(kids().len(), 6);
    state.keys.reset().unwrap();
    assert_eq!(kids(), first);
    let again = token(&state, json!({"algorithm": "ES256"}));
    assert_eq!(again.kid(), before.kid());
}

/// An API server that several scenarios share has fetched the first one's new key.
#[test]
fn a_rotation_after_a_reset_brings_a_key_that_nobody_knows() {
    let state = state();
    state.keys.reset().unwrap();
    state.keys.rotate().unwrap();
    let once = token(&state, json!({"algorithm": "ES256"}));
    state.keys.reset().unwrap();
    state.keys.rotate().unwrap();
    let again = token(&state, json!({"algorithm": "ES256"}));
    assert_ne!(once.kid(), again.kid());
}

#[test]
fn header_members_are_replaced_added_and_removed() {
    let token = token(
        &state(),
        json!({"algorithm": "ES256", "header": {"alg": "RS256", "kid": null, "typ": "at+jwt", "x": [1]}}),
    );
    assert_eq!(
        Value::from(token.header),
        json!({"alg": "RS256", "typ": "at+jwt", "x": [1]})
    );
}

#[test]
fn each_algorithm_is_published_by_its_first_use() {
    let state = state();
    for (before, algorithm) in Algorithm::ALL.into_iter().enumerate() {
        assert_eq!(state.keys.set().len(), before);
        let token = token(&state, json!({"algorithm": algorithm}));
        assert_eq!(token.header["alg"], algorithm.name());
        verify(&state, &token).unwrap();
    }
}

#[test]
fn an_unpublished_key_signs_under_the_name_of_the_published_one() {
    let state = state();
    let token = token(&state, json!({"algorithm": "ES256", "key": "unpublished"}));
    assert_eq!(verify(&state, &token), Err(JwsError::Signature));
    token
        .verify(&state.keys.unpublished(Algorithm::ES256).unwrap().jwk())
        .unwrap();
}

#[test]
fn tampering_breaks_the_signature_and_keeps_the_claims() {
    let state = state();
    for algorithm in ["RS256", "ES512", "EdDSA"] {
        for tamper in ["signature", "payload"] {
            let asked =
                json!({"algorithm": algorithm, "tamper": tamper, "claims": {"sub": "jane"}});
            let token = token(&state, asked);
            assert_eq!(payload(&token)["sub"], "jane");
            assert_eq!(
                verify(&state, &token),
                Err(JwsError::Signature),
                "{algorithm} {tamper}"
            );
        }
    }
}

#[test]
fn none_has_no_signature_and_none_to_spoil() {
    let state = state();
    let token = token(
        &state,
        json!({"algorithm": "none", "claims": {"sub": "jane"}}),
    );
    assert_eq!(
        Value::from(token.header),
        json!({"alg": "none", "typ": "JWT"})
    );
    assert_eq!(token.signature, b"");
    for tamper in ["signature", "payload"] {
        let asked = request(json!({"algorithm": "none", "tamper": tamper}));
        let refused = sign::sign(&state, &asked, UNIX_EPOCH).unwrap_err();
        assert!(matches!(refused, ForgeError::NothingToTamper), "{refused}");
    }
}

/// What a verifier would compute that takes the published key's PEM text for a shared secret.
#[test]
fn hs256_is_keyed_with_the_public_key() {
    let state = state();
    let token = token(&state, json!({"algorithm": "HS256"}));
    let key = state.keys.published(Algorithm::RS256).unwrap();
    assert_eq!(token.kid(), Some(key.kid()));
    let again = authlab_pki::jws::sign_hs256(
        &token.header,
        &token.payload,
        key.public_key_pem().as_bytes(),
    );
    assert_eq!(Compact::parse(&again).unwrap(), token);
    assert!(verify(&state, &token).is_err());
}

#[test]
fn requests_are_strict_and_survive_the_way() {
    for (text, reason) in [
        (r#"{"algoritm": "none"}"#, "unknown field `algoritm`"),
        (
            r#"{"algorithm": "hs256"}"#,
            "unknown algorithm \"hs256\", expected one of RS256, RS384, RS512, PS256, PS384, PS512, ES256, ES384, ES512, \
             EdDSA, HS256, none",
        ),
        (
            r#"{"key": "stolen"}"#,
            "unknown variant `stolen`, expected `published` or `unpublished`",
        ),
        (
            r#"{"tamper": "both"}"#,
            "unknown variant `both`, expected `signature` or `payload`",
        ),
    ] {
        let refused = serde_json::from_str::<TokenRequest>(text)
            .unwrap_err()
            .to_string();
        assert!(refused.starts_with(reason), "{refused}");
    }
    let asked = request(json!({
        "claims": {"sub": "jane", "exp": null}, "header": {"kid": null}, "algorithm": "none", "key": "unpublished",
        "expiresIn": -1, "tamper": "payload",
    }));
    let sent = serde_json::to_string(&asked).unwrap();
    assert_eq!(serde_json::from_str::<TokenRequest>(&sent).unwrap(), asked);
}

#[tokio::test]
async fn an_issuer_that_is_no_https_url_is_refused() {
    let certificate = authlab_pki::Authority::generate("lab")
        .unwrap()
        .server_certificate(&["127.0.0.1"])
        .unwrap();
    for issuer in ["forge", "http://127.0.0.1:1"] {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let started = Forge::start(
            listener,
            issuer.to_owned(),
            certificate.clone(),
            KeyPool::ephemeral(),
            "x",
            Default::default(),
        )
        .await;
        assert_eq!(
            started.unwrap_err().to_string(),
            format!("issuer {issuer:?} is not an https URL")
        );
    }
}
