//! Members of a token's header that the server's JOSE library reads before it verifies anything. A token whose header
//! brings a key or certificates along is refused for their form, and verified by the issuer's keys all the same.

use crate::{
    golang::{base64url, quote::quote},
    tree::{Entry, Kind, Node},
};

/// Checks every member that the library looks into.
///
/// # Errors
/// The library's text.
pub(super) fn check(header: &Node, text: &str) -> Result<(), String> {
    let Kind::Map(entries) = &header.kind else {
        return Ok(());
    };
    if let Some(twice) = repeated(entries) {
        return Err(format!("json: duplicate key '{twice}' in object"));
    }
    for (name, what) in [
        ("alg", "algorithm"),
        ("kid", "key ID"),
        ("nonce", "nonce"),
        ("jwk", "JWK"),
        ("x5c", "x5c header"),
    ] {
        let Some(node) = header.get(name) else {
            continue;
        };
        let problem = match name {
            "jwk" => key(node),
            "x5c" => certificates(node),
            _ => string(node, "string"),
        };
        if let Err(error) = problem {
            let raw = quote(text.get(node.span.start..node.span.end).unwrap_or_default());
            return Err(format!("failed to unmarshal {what}: {error}: {raw}"));
        }
    }
    match header.get("jwk") {
        // RFC 7515 section 4.1.3.
        Some(node) if node.kind != Kind::Null && !public(node) => {
            Err("go-jose/go-jose: invalid embedded jwk, must be public key".to_owned())
        }
        _ => Ok(()),
    }
}

/// A key that an object has twice: this library refuses what `encoding/json` lets pass.
fn repeated(entries: &[Entry]) -> Option<&str> {
    let keys = entries.iter().map(|entry| entry.key.as_str());
    let twice = |(index, key): (usize, &str)| entries[..index].iter().any(|entry| entry.key == key);
    let mut enumerated = keys.enumerate();
    let index = enumerated.find(|(index, key)| twice((*index, key)))?.0;
    Some(&entries[index].key)
}

fn string(node: &Node, wanted: &str) -> Result<(), String> {
    match node.kind {
        Kind::String(_) | Kind::Null => Ok(()),
        _ => Err(wrong(node, wanted)),
    }
}

fn wrong(node: &Node, wanted: &str) -> String {
    let noun = node.noun();
    format!("json: cannot unmarshal {noun} into Go value of type {wanted}")
}

/// A key's member, when it is a text.
fn text<'a>(key: &'a Node, name: &str) -> Option<&'a str> {
    match &key.get(name)?.kind {
        Kind::String(text) => Some(text),
        _ => None,
    }
}

/// Whether an embedded key can be read (RFC 7517, RFC 7518 section 6).
fn key(node: &Node) -> Result<(), String> {
    match node.kind {
        Kind::Map(_) => {}
        Kind::Null => return Ok(()),
        _ => return Err(wrong(node, "jose.rawJSONWebKey")),
    }
    let has = |name: &str| text(node, name).is_some();
    let fail = |why: &str| Err(format!("go-jose/go-jose: {why}"));
    match text(node, "kty").unwrap_or_default() {
        "RSA" if has("d") => match ["n", "e", "d", "p", "q"]
            .into_iter()
            .find(|name| !has(name))
        {
            Some(missing) => fail(&format!(
                "invalid RSA private key, missing {} value(s)",
                missing.to_uppercase()
            )),
            None => Ok(()),
        },
        "RSA" if has("n") && has("e") => Ok(()),
        "RSA" => fail("invalid RSA key, missing n/e values"),
        "EC" => {
            let curve = text(node, "crv").unwrap_or_default();
            let length = match curve {
                "P-256" => 32,
                "P-384" => 48,
                "P-521" => 66,
                _ => return fail(&format!("unsupported elliptic curve '{curve}'")),
            };
            let (Some(x), Some(y)) = (text(node, "x"), text(node, "y")) else {
                return fail("invalid EC key, missing x/y values");
            };
            for (name, coordinate) in [("x", x), ("y", y)] {
                if base64url::decode(coordinate)?.len() != length {
                    return fail(&format!("invalid EC public key, wrong length for {name}"));
                }
            }
            Ok(())
        }
        "oct" => Ok(()),
        "OKP" => match text(node, "crv").unwrap_or_default() {
            "Ed25519" if has("x") => Ok(()),
            curve => fail(&format!("unknown curve {curve}'")),
        },
        other => fail(&format!("unknown json web key type '{other}'")),
    }
}

/// Whether a readable key is a public one.
fn public(key: &Node) -> bool {
    text(key, "d").is_none() && text(key, "kty") != Some("oct")
}

/// Whether a certificate chain can be read (RFC 7515 section 4.1.6).
fn certificates(node: &Node) -> Result<(), String> {
    let items = match &node.kind {
        Kind::List(items) => items,
        Kind::Null => return Ok(()),
        _ => return Err(wrong(node, "[]string")),
    };
    for item in items {
        string(item, "string")?;
        let Kind::String(text) = &item.kind else {
            continue;
        };
        let der = base64url::decode_standard(text)?;
        // An ASN.1 sequence of some length; what is in it nobody looks at.
        if !matches!(der[..], [0x30, 0x82, ..]) {
            return Err("x509: malformed certificate".to_owned());
        }
    }
    Ok(())
}
