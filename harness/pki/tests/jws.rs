//! Every algorithm signs and verifies; nothing else does.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails here")]

use std::sync::{Arc, LazyLock};

use authlab_pki::{
    Algorithm, KeyPool, SigningKey,
    jws::{self, Compact, JwsError},
};
use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use proptest::prelude::*;
use serde_json::{Value, json};

fn key(algorithm: Algorithm) -> Arc<SigningKey> {
    static POOL: LazyLock<KeyPool> = LazyLock::new(KeyPool::ephemeral);
    POOL.key(algorithm, "test").unwrap()
}

fn token(algorithm: Algorithm) -> String {
    jws::sign_claims(&json!({"sub": "jane", "groups": ["dev"]}), &key(algorithm)).unwrap()
}

#[test]
fn each_algorithm_is_verified_by_its_own_key_and_by_no_other() {
    for signed in Algorithm::ALL {
        let token = Compact::parse(&token(signed)).unwrap();
        assert_eq!(token.algorithm(), Ok(signed));
        assert_eq!(token.kid(), Some(key(signed).kid()));
        assert_eq!(token.header["typ"], "JWT");
        for other in Algorithm::ALL {
            let verdict = token.verify(&key(other).jwk());
            assert_eq!(
                verdict.is_ok(),
                signed == other,
                "{signed} by {other}: {verdict:?}"
            );
        }
    }
}

/// A key bound to one RSA algorithm, used with another by a header that lies.
#[test]
fn the_header_decides_the_algorithm_not_the_key() {
    let rsa = key(Algorithm::RS256);
    let claimed = json!({"alg": "RS512"});
    let token = jws::sign(claimed.as_object().unwrap(), b"{}", &rsa).unwrap();
    assert_eq!(
        Compact::parse(&token).unwrap().verify(&rsa.jwk()),
        Err(JwsError::Signature)
    );

    let text = rsa.private_key_pem().clone();
    let wide = SigningKey::from_pkcs8_pem(Algorithm::RS512, text).unwrap();
    let token = jws::sign(claimed.as_object().unwrap(), b"{}", &wide).unwrap();
    Compact::parse(&token).unwrap().verify(&rsa.jwk()).unwrap();
}

#[test]
fn a_public_key_used_as_a_shared_secret_is_refused() {
    let rsa = key(Algorithm::RS256);
    let header = json!({"alg": "HS256", "kid": rsa.kid()});
    let token = jws::sign_hs256(
        header.as_object().unwrap(),
        b"{}",
        rsa.public_key_pem().as_bytes(),
    );
    let refused = Compact::parse(&token)
        .unwrap()
        .verify(&rsa.jwk())
        .unwrap_err();
    assert!(matches!(refused, JwsError::Algorithm(_)), "{refused}");
}

#[test]
fn keys_that_do_not_fit_are_named() {
    let token = Compact::parse(&token(Algorithm::ES256)).unwrap();
    let mut short = key(Algorithm::ES256).jwk();
    short["x"] = json!("AAAA");
    for (jwk, reason) in [
        (json!({}), "the key does not fit: it has no kty"),
        (json!("key"), "the key does not fit: it has no kty"),
        (
            key(Algorithm::RS256).jwk(),
            "the key does not fit: kty is \"RSA\", the algorithm wants \"EC\"",
        ),
        (
            key(Algorithm::ES384).jwk(),
            "the key does not fit: crv is \"P-384\", the algorithm wants \"P-256\"",
        ),
        (
            short,
            "the key does not fit: a P-256 coordinate has 32 bytes",
        ),
    ] {
        assert_eq!(token.verify(&jwk).unwrap_err().to_string(), reason);
    }
}

#[test]
fn malformed_tokens_say_what_is_wrong() {
    let list = BASE64_URL_SAFE_NO_PAD.encode("[]");
    let header = BASE64_URL_SAFE_NO_PAD.encode(r#"{"alg":"ES256"}"#);
    let seen: Vec<String> = [
        String::new(),
        "a.b".to_owned(),
        format!("{header}.e30.e30.e30"),
        format!("{list}.e30."),
        "_w.e30.".to_owned(),
        format!("{header}.e30=."),
        format!("{header}.e30. "),
    ]
    .iter()
    .map(|token| Compact::parse(token).unwrap_err().to_string())
    .collect();
    assert_eq!(
        seen,
        [
            "a compact token has three parts separated by dots, this has 1",
            "a compact token has three parts separated by dots, this has 2",
            "a compact token has three parts separated by dots, this has 4",
            "the token's header is not a JSON object: invalid type: sequence, expected a map at line 1 column 0",
            "the token's header is not a JSON object: invalid utf-8 sequence of 1 bytes from index 0",
            "the token's payload is not base64url without padding: Invalid padding",
            "the token's signature is not base64url without padding: Invalid symbol 32, offset 0.",
        ]
    );
}

/// Written as the API server's decoder reads it: bits behind the last byte do not count.
#[test]
fn trailing_bits_do_not_count() {
    let token = format!("{}.e31.", BASE64_URL_SAFE_NO_PAD.encode("{}"));
    assert_eq!(Compact::parse(&token).unwrap().payload, b"{}");
}

fn some_algorithm() -> impl Strategy<Value = Algorithm> {
    prop::sample::select(vec![
        Algorithm::RS256,
        Algorithm::PS512,
        Algorithm::ES256,
        Algorithm::ES512,
        Algorithm::EdDSA,
    ])
}

fn some_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        "[A-Za-z0-9_=-]{0,90}".prop_map(Value::String),
        prop::sample::select(vec![
            "RSA", "EC", "OKP", "P-256", "P-521", "Ed25519", "AQAB"
        ])
        .prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
    ];
    prop::collection::hash_map("kty|crv|x|y|n|e|alg|kid|use", leaf, 0..6)
        .prop_map(|members| members.into_iter().collect())
}

proptest! {
    #[test]
    fn any_text_is_parsed_or_refused(text in r"\PC*|[A-Za-z0-9_-]*\.[A-Za-z0-9_-]*\.[A-Za-z0-9_-]*") {
        if let Ok(token) = Compact::parse(&text) {
            let _ = token.verify(&key(Algorithm::ES256).jwk());
        }
    }

    #[test]
    fn any_key_verifies_or_refuses(algorithm in some_algorithm(), jwk in some_json()) {
        prop_assert!(Compact::parse(&token(algorithm)).unwrap().verify(&jwk).is_err());
    }

    #[test]
    fn a_flipped_bit_in_payload_or_signature_is_refused(
        algorithm in some_algorithm(),
        in_signature: bool,
        position: prop::sample::Index,
        bit in 0..8_u8,
    ) {
        let mut compact = Compact::parse(&token(algorithm)).unwrap();
        let bytes = if in_signature { &mut compact.signature } else { &mut compact.payload };
        let position = position.index(bytes.len());
        bytes[position] ^= 1 << bit;
        let forged = jws::assemble(&jws::signing_input(&compact.header, &compact.payload), &compact.signature);
        let verdict = Compact::parse(&forged).unwrap().verify(&key(algorithm).jwk());
        prop_assert_eq!(verdict, Err(JwsError::Signature));
    }

    #[test]
    fn what_is_signed_is_read_back(payload: Vec<u8>, kid in r"\PC*") {
        let key = key(Algorithm::EdDSA);
        let header = json!({"alg": "EdDSA", "kid": kid});
        let token = jws::sign(header.as_object().unwrap(), &payload, &key).unwrap();
        let read = Compact::parse(&token).unwrap();
        read.verify(&key.jwk()).unwrap();
        prop_assert_eq!(read.payload, payload);
        prop_assert_eq!(&Value::Object(read.header), &header);
        prop_assert_eq!(read.header_raw, header.to_string());
    }
}
