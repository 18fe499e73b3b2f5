//! Which key verifies: `kid`, and keys that the token brings along or points to (RFC 7515 sections 4.1.2 to 4.1.8).

use authlab_pki::PkiError;
use serde_json::{Value, json};

use super::smith::{Smith, signed_by};

pub(super) fn forge(smith: &mut Smith) -> Result<(), PkiError> {
    named(smith)?;
    brought(smith)?;
    pointed_to(smith)
}

/// The honest signature under other names of keys.
fn named(smith: &mut Smith) -> Result<(), PkiError> {
    let payload = smith.payload(&json!({}));
    let honest = smith.rsa.kid().to_owned();
    for (label, kid) in [
        ("unknown", json!("nobody")),
        ("of another key of the issuer", json!(smith.ec.kid())),
        ("of a stranger's key", json!(smith.thief.kid())),
        ("empty", json!("")),
        ("a number", json!(0)),
        ("a list", json!(["key"])),
        ("an object", json!({ "kid": "key" })),
        ("false", json!(false)),
        ("a path", json!("../../../../dev/null")),
        ("a query", json!("' UNION SELECT 'key' --")),
        ("a command", json!("| sleep 10")),
        ("an address", json!("https://attacker.example.com/keys")),
        ("with a space", json!(format!("{honest} "))),
        ("with a line break", json!(format!("{honest}\n"))),
        ("with NUL", json!(format!("{honest}\0"))),
        ("in capitals", json!(honest.to_uppercase())),
        ("of ten thousand letters", json!("k".repeat(10_000))),
    ] {
        let token = smith.signed(&smith.header(&json!({ "kid": kid })), &payload)?;
        smith.keep(format!("kid/{label}"), token);
    }
    let absent = smith.signed(&smith.header(&json!({ "kid": null })), &payload)?;
    smith.keep("kid/absent", absent);
    for (label, first, last) in [
        ("twice, the wrong one last", honest.as_str(), "nobody"),
        ("twice, the wrong one first", "nobody", honest.as_str()),
    ] {
        let header = format!(r#"{{"alg":"RS256","kid":"{first}","kid":"{last}"}}"#);
        let token = smith.signed(&header, &payload)?;
        smith.keep(format!("kid/{label}"), token);
    }
    Ok(())
}

/// A stranger's signature, with the stranger's key in the header.
fn brought(smith: &mut Smith) -> Result<(), PkiError> {
    let (payload, honest) = (smith.payload(&json!({})), smith.rsa.kid().to_owned());
    let own = smith.thief.jwk();
    // Where the server repeats the key in its words, one that is the same in every run.
    let made_up = json!({ "kty": "RSA", "n": "oQ".repeat(170), "e": "AQAB" });
    let mut private = made_up.clone();
    private["d"] = json!("AQAB");
    let mut stripped = made_up.clone();
    stripped["n"] = Value::Null;
    let mut weak = own.clone();
    weak["e"] = json!("AQ");
    let oct = json!({ "kty": "oct", "k": "c2VjcmV0" });
    for (label, kid, jwk) in [
        ("under its own name", json!(smith.thief.kid()), own.clone()),
        ("under the issuer's name", json!(honest), own.clone()),
        ("without a name", Value::Null, own),
        ("with its private half", Value::Null, private),
        ("without a modulus", Value::Null, stripped),
        ("with the exponent 1", Value::Null, weak),
        ("as a secret", Value::Null, oct),
        ("as a text", Value::Null, json!(made_up.to_string())),
        ("as a list", Value::Null, json!([made_up])),
        ("of no kind", Value::Null, json!({})),
        ("of an unknown kind", Value::Null, json!({ "kty": "XYZ" })),
    ] {
        let header = smith.header(&json!({ "kid": kid, "jwk": jwk }));
        let token = signed_by(&smith.thief, &header, &payload)?;
        smith.keep(format!("jwk/{label}"), token);
    }
    let elliptic = json!({ "alg": "ES256", "kid": null, "jwk": smith.thief_ec.jwk() });
    let token = signed_by(&smith.thief_ec, &smith.header(&elliptic), &payload)?;
    smith.keep("jwk/elliptic", token);
    // The issuer's own key beside its own signature says nothing new, and is no sin.
    let own = smith.header(&json!({ "jwk": smith.rsa.jwk() }));
    let token = smith.signed(&own, &payload)?;
    smith.keep("jwk/of the issuer", token);
    Ok(())
}

/// A stranger's signature, with an address at which the stranger's key lies.
fn pointed_to(smith: &mut Smith) -> Result<(), PkiError> {
    let (payload, honest) = (smith.payload(&json!({})), smith.rsa.kid().to_owned());
    let evil = "https://127.0.0.1:9/keys";
    let beside = format!("{}/keys", smith.issuer);
    for (label, changes) in [
        ("jku/a stranger's", json!({ "jku": evil, "kid": null })),
        (
            "jku/a stranger's, the issuer's key id",
            json!({ "jku": evil, "kid": honest }),
        ),
        ("jku/the issuer's", json!({ "jku": beside, "kid": null })),
        (
            "jku/a file",
            json!({ "jku": "file:///dev/zero", "kid": null }),
        ),
        ("jku/a number", json!({ "jku": 7, "kid": null })),
        ("x5u/a stranger's", json!({ "x5u": evil, "kid": null })),
        (
            "x5u/plain http",
            json!({ "x5u": "http://127.0.0.1:9/", "kid": null }),
        ),
        (
            "x5c/no certificate",
            json!({ "x5c": ["bm8gY2VydGlmaWNhdGU="], "kid": null }),
        ),
        ("x5c/empty", json!({ "x5c": [], "kid": null })),
        ("x5c/a text", json!({ "x5c": "MIIB", "kid": null })),
        ("x5c/not base64", json!({ "x5c": ["***"], "kid": null })),
        (
            "x5t/made up",
            json!({ "x5t": "AAAAAAAAAAAAAAAAAAAAAAAAAAA", "kid": null }),
        ),
        (
            "x5t#S256/made up",
            json!({ "x5t#S256": "AAAA", "kid": null }),
        ),
    ] {
        let token = signed_by(&smith.thief, &smith.header(&changes), &payload)?;
        smith.keep(label, token);
    }
    Ok(())
}
