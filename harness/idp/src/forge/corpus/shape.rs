//! What is not three parts between two dots, or not these three.

use serde_json::json;

use super::smith::{Smith, base64};

pub(super) fn forge(smith: &mut Smith) {
    let Ok([header, payload, signature]) = smith.parts() else {
        return;
    };
    let honest = format!("{header}.{payload}.{signature}");
    let jwe = base64(r#"{"alg":"RSA-OAEP","enc":"A256GCM","cty":"JWT"}"#);
    let flattened = json!({ "protected": header, "payload": payload, "signature": signature });
    let one = json!({ "protected": header, "signature": signature });
    let general = json!({ "payload": payload, "signatures": [one] });
    let two = json!({ "payload": payload, "signatures": [one, one] });
    let unsigned = json!({ "payload": payload, "signatures": [] });
    let unprotected = json!({ "header": { "alg": "none" }, "payload": payload, "signature": "" });
    let encrypted = json!({ "protected": jwe, "iv": "AAAA", "ciphertext": "AAAA", "tag": "AAAA" });
    let shapes: Vec<(&str, String)> = vec![
        ("honest", honest.clone()),
        ("no dots", honest.replace('.', "")),
        ("two dots alone", "..".to_owned()),
        ("three letters", "a.b.c".to_owned()),
        ("a word", "letmein".to_owned()),
        ("header alone", header.clone()),
        ("header and payload", format!("{header}.{payload}")),
        ("without a header", format!(".{payload}.{signature}")),
        ("without a payload", format!("{header}..{signature}")),
        ("a dot before", format!(".{honest}")),
        ("a dot behind", format!("{honest}.")),
        ("four parts", format!("{honest}.{signature}")),
        ("a thousand dots", ".".repeat(1000)),
        (
            "a thousand dots behind",
            format!("{honest}{}", ".".repeat(1000)),
        ),
        ("payload first", format!("{payload}.{header}.{signature}")),
        ("signature first", format!("{signature}.{header}.{payload}")),
        ("header twice", format!("{header}.{header}.{signature}")),
        ("payload twice", format!("{payload}.{payload}.{signature}")),
        ("twice", format!("{honest}{honest}")),
        ("two with a comma", format!("{honest},{honest}")),
        ("two with a dot", format!("{honest}.{honest}")),
        ("in quotes", format!("\"{honest}\"")),
        ("in brackets", format!("<{honest}>")),
        ("named", format!("token={honest}")),
        ("Bearer and a colon", format!("Bearer:{honest}")),
        ("semicolons for dots", honest.replace('.', ";")),
        ("percent-encoded dots", honest.replace('.', "%2E")),
        ("dots of another script", honest.replace('.', "\u{3002}")),
        ("middle dots", honest.replace('.', "\u{b7}")),
        ("JWE", format!("{jwe}.AAAA.AAAA.AAAA.AAAA")),
        (
            "JWE with the honest payload",
            format!("{jwe}..AAAA.{payload}.AAAA"),
        ),
        ("JWE without a key", format!("{jwe}....")),
        ("JSON, flattened", flattened.to_string()),
        ("JSON, general", general.to_string()),
        ("JSON, two signatures", two.to_string()),
        ("JSON, no signature", unsigned.to_string()),
        ("JSON, unprotected none", unprotected.to_string()),
        ("JSON, encrypted", encrypted.to_string()),
        ("JSON in base64", base64(flattened.to_string())),
        (
            "an address",
            format!("https://attacker.example.com/{header}"),
        ),
        ("a PASETO", format!("v4.public.{payload}")),
        ("a bootstrap token", "abcdef.0123456789abcdef".to_owned()),
        (
            "a PEM certificate",
            "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----".to_owned(),
        ),
        (
            "a SAML assertion",
            "<saml:Assertion xmlns:saml=\"urn:oasis:names:tc:SAML:2.0:assertion\"/>".to_owned(),
        ),
        ("a database query", "' OR '1'='1".to_owned()),
        ("300 kB of letters", "A".repeat(300_000)),
        (
            "300 kB in three parts",
            format!("{header}.{payload}.{}", "A".repeat(300_000)),
        ),
        (
            "300 kB of header",
            format!("{}.{payload}.{signature}", "A".repeat(300_000)),
        ),
    ];
    for (label, token) in shapes {
        smith.keep(format!("shape/{label}"), token);
    }
}
