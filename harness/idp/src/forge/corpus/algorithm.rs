//! The header lies about how the token is signed (RFC 8725 section 2.1).

use authlab_pki::{Algorithm, PkiError, SigningKey};
use aws_lc_rs::hmac;
use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::json;

use super::smith::{Smith, as_if, assembled, input, signed_by};

pub(super) fn forge(smith: &mut Smith) -> Result<(), PkiError> {
    none(smith)?;
    secrets(smith);
    families(smith)?;
    names(smith)
}

/// `none` (RFC 7515 section 3.6), in spellings that a blocklist might miss.
fn none(smith: &mut Smith) -> Result<(), PkiError> {
    let payload = smith.payload(&json!({}));
    for name in [
        "none",
        "None",
        "NONE",
        "nOnE",
        "none ",
        " none",
        "n\u{43e}ne",
    ] {
        let header = smith.header(&json!({ "alg": name }));
        let label = name.replace(' ', "_").replace('\u{43e}', "(cyrillic o)");
        let input = input(&header, &payload);
        smith.keep(format!("algorithm/{label}"), assembled(&input, b""));
        let signed = smith.signed(&header, &payload)?;
        smith.keep(format!("algorithm/{label}, signed"), signed);
    }
    let bare = input(r#"{"alg":"none"}"#, &payload);
    smith.keep("algorithm/none, nothing else", assembled(&bare, b""));
    smith.keep("algorithm/none, a byte", assembled(&bare, b"\0"));
    Ok(())
}

/// `HS256` and its kin with what everybody knows for a secret: a verifier that takes its public key for the secret
/// accepts them.
fn secrets(smith: &mut Smith) {
    let pem = smith.rsa.public_key_pem().to_owned();
    let text: String = pem.lines().filter(|line| !line.starts_with('-')).collect();
    let der = STANDARD.decode(&text).unwrap_or_default();
    let jwk = smith.rsa.jwk();
    let modulus = jwk["n"].as_str().unwrap_or_default().to_owned();
    let set = json!({ "keys": [jwk] }).to_string();
    let jwk = jwk.to_string();
    let ec = (
        smith.ec.public_key_pem().to_owned(),
        smith.ec.jwk().to_string(),
    );
    let (kid, issuer) = (smith.rsa.kid().to_owned(), smith.issuer.clone());
    let rsa_secrets: [(&str, &[u8]); 11] = [
        ("public key as PEM", pem.as_bytes()),
        (
            "public key as PEM without its last line break",
            pem.trim_end().as_bytes(),
        ),
        ("public key as one line of base64", text.as_bytes()),
        ("public key as DER", &der),
        ("public key as JWK", jwk.as_bytes()),
        ("key set", set.as_bytes()),
        ("modulus", modulus.as_bytes()),
        ("key id", kid.as_bytes()),
        ("issuer", issuer.as_bytes()),
        ("nothing", b""),
        ("secret", b"secret"),
    ];
    let payload = smith.payload(&json!({}));
    let mut out = Vec::new();
    for (what, secret) in rsa_secrets {
        for (name, algorithm) in [
            ("HS256", hmac::HMAC_SHA256),
            ("HS384", hmac::HMAC_SHA384),
            ("HS512", hmac::HMAC_SHA512),
        ] {
            // The longer ones with the keys only.
            if name == "HS256" || what.starts_with("public key as") {
                let input = input(smith.header(&json!({ "alg": name })), &payload);
                out.push((
                    format!("secret/{name} by {what}"),
                    tagged(algorithm, secret, &input),
                ));
            }
        }
    }
    for (what, secret) in [("PEM", &ec.0), ("JWK", &ec.1)] {
        let input = input(smith.ec_header(&json!({ "alg": "HS256" })), &payload);
        let name = format!("secret/HS256 by elliptic public key as {what}");
        out.push((name, tagged(hmac::HMAC_SHA256, secret.as_bytes(), &input)));
    }
    for (name, token) in out {
        smith.keep(name, token);
    }
}

fn tagged(algorithm: hmac::Algorithm, secret: &[u8], input: &str) -> String {
    let tag = hmac::sign(&hmac::Key::new(algorithm, secret), input.as_bytes());
    assembled(input, tag.as_ref())
}

/// A signature of one family under the name of another.
fn families(smith: &mut Smith) -> Result<(), PkiError> {
    let payload = smith.payload(&json!({}));
    let rsa = |algorithm| as_if(&smith.rsa, algorithm);
    let (pss, longer) = (rsa(Algorithm::PS256)?, rsa(Algorithm::RS512)?);
    let mut out = Vec::new();
    let mut add = |said: &str, by: &str, key: &SigningKey, header: String| {
        let token = signed_by(key, &header, &payload)?;
        out.push((format!("family/{said}, signed by {by}"), token));
        Ok::<_, PkiError>(())
    };
    for said in [
        "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "EdDSA",
    ] {
        add(
            said,
            "RS256",
            &smith.rsa,
            smith.header(&json!({ "alg": said })),
        )?;
    }
    add("RS256", "PS256", &pss, smith.header(&json!({})))?;
    add("RS256", "RS512", &longer, smith.header(&json!({})))?;
    add("RS256", "ES256", &smith.ec, smith.header(&json!({})))?;
    add(
        "RS256 with the key of ES256",
        "ES256",
        &smith.ec,
        smith.ec_header(&json!({ "alg": "RS256" })),
    )?;
    add(
        "ES256 with the key of RS256",
        "ES256",
        &smith.ec,
        smith.header(&json!({ "alg": "ES256" })),
    )?;
    for said in ["ES384", "ES512", "ES256K", "EdDSA"] {
        add(
            said,
            "ES256",
            &smith.ec,
            smith.ec_header(&json!({ "alg": said })),
        )?;
    }
    let edwards = json!({ "alg": "EdDSA", "kid": smith.edwards.kid() });
    add("EdDSA", "EdDSA", &smith.edwards, smith.header(&edwards))?;
    for (name, token) in out {
        smith.keep(name, token);
    }
    Ok(())
}

/// Names that are no algorithm for signatures, over the honest signature.
fn names(smith: &mut Smith) -> Result<(), PkiError> {
    for (label, alg) in [
        ("RS1", json!("RS1")),
        ("RSA1_5", json!("RSA1_5")),
        ("RSA-OAEP", json!("RSA-OAEP")),
        ("dir", json!("dir")),
        ("A256GCM", json!("A256GCM")),
        ("HS1", json!("HS1")),
        ("Ed25519", json!("Ed25519")),
        ("rs256 in small letters", json!("rs256")),
        ("RS-256", json!("RS-256")),
        ("RS256 with a space", json!("RS256 ")),
        ("RS256 with NUL", json!("RS256\0")),
        ("RS256 in wide letters", json!("\u{ff32}\u{ff33}256")),
        ("SHA256withRSA", json!("SHA256withRSA")),
        ("an object identifier", json!("1.2.840.113549.1.1.11")),
        ("empty", json!("")),
        ("a number", json!(256)),
        ("a list", json!(["RS256"])),
        ("an object", json!({ "alg": "RS256" })),
        ("true", json!(true)),
        ("long", json!("R".repeat(300))),
    ] {
        let token = smith.signed(
            &smith.header(&json!({ "alg": alg })),
            smith.payload(&json!({})),
        )?;
        smith.keep(format!("algorithm/{label}"), token);
    }
    for (label, header) in [
        ("absent", smith.header(&json!({ "alg": null }))),
        (
            "null",
            smith.header(&json!({})).replace("\"RS256\"", "null"),
        ),
        (
            "in capitals",
            smith.header(&json!({})).replace("\"alg\"", "\"ALG\""),
        ),
    ] {
        let token = smith.signed(&header, smith.payload(&json!({})))?;
        smith.keep(format!("algorithm/{label}"), token);
    }
    Ok(())
}
