//! The keys of a realm, made here: Keycloak takes two seconds of processor time for each of RSA.
//!
//! A realm whose file names no keys gets the four that Keycloak would make for it: one that signs, one
//! for encryption, a secret and one for AES (Server Administration Guide, "Configuring realm keys").

use authlab_pki::{Algorithm, PkiError, SigningKey};
use secrecy::ExposeSecret as _;
use serde_json::{Value, json};

/// The kind of component that has keys.
pub(super) const PROVIDER: &str = "org.keycloak.keys.KeyProvider";

/// A component's `providerId` and `config`: a new key that signs by `algorithm` (a JWA name).
pub(super) fn signer(algorithm: &str, priority: usize) -> Result<(&'static str, Value), PkiError> {
    let (provider, member, value) = match algorithm {
        "ES256" => ("ecdsa-generated", "ecdsaEllipticCurveKey", "P-256"),
        "ES384" => ("ecdsa-generated", "ecdsaEllipticCurveKey", "P-384"),
        "ES512" => ("ecdsa-generated", "ecdsaEllipticCurveKey", "P-521"),
        "EdDSA" => ("eddsa-generated", "eddsaEllipticCurveKey", "Ed25519"),
        _ => return rsa("rsa", algorithm, priority),
    };
    let config = json!({
        "priority": [priority.to_string()], "enabled": ["true"], "active": ["true"], member: [value],
    });
    Ok((provider, config))
}

fn rsa(
    provider: &'static str,
    algorithm: &str,
    priority: usize,
) -> Result<(&'static str, Value), PkiError> {
    let key = SigningKey::generate(Algorithm::RS256)?;
    let pem = key.private_key_pem().expose_secret();
    let config = json!({
        "priority": [priority.to_string()], "enabled": ["true"], "active": ["true"],
        "algorithm": [algorithm], "privateKey": [pem],
    });
    Ok((provider, config))
}

/// The realm with keys; as it is when it names some, or is nothing that Keycloak would take.
pub(super) fn supplied(realm: &str) -> Result<String, PkiError> {
    let Ok(mut parsed) = serde_json::from_str::<Value>(realm) else {
        return Ok(realm.to_owned());
    };
    let components = &parsed["components"];
    let fits = parsed.is_object() && (components.is_object() || components.is_null());
    if !fits || !components[PROVIDER].is_null() || !parsed["privateKey"].is_null() {
        return Ok(realm.to_owned());
    }
    let signing = rsa("rsa", "RS256", DEFAULT)?;
    let encrypting = rsa("rsa-enc", "RSA-OAEP", DEFAULT)?;
    let priority = json!([DEFAULT.to_string()]);
    let secret = json!({ "priority": priority, "algorithm": ["HS512"] });
    let aes = json!({ "priority": priority });
    let keys = [
        ("rsa-generated", signing),
        ("rsa-enc-generated", encrypting),
        ("hmac-generated-hs512", ("hmac-generated", secret)),
        ("aes-generated", ("aes-generated", aes)),
    ];
    let keys = keys.map(|(name, (provider, config))| {
        json!({ "name": name, "providerId": provider, "subComponents": {}, "config": config })
    });
    parsed["components"][PROVIDER] = json!(keys);
    Ok(parsed.to_string())
}

/// The priority of keys that a realm is made with.
const DEFAULT: usize = 100;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_realm_without_keys_gets_four_and_one_with_keys_keeps_its_own() {
        let components = r#"{"realm":"r","components":{"x":[]}}"#;
        for realm in [r#"{"realm":"r"}"#, components] {
            let supplied: Value = serde_json::from_str(&supplied(realm).unwrap()).unwrap();
            let keys = supplied["components"][PROVIDER].as_array().unwrap();
            let kinds: Vec<_> = keys.iter().map(|key| &key["providerId"]).collect();
            assert_eq!(kinds, ["rsa", "rsa-enc", "hmac-generated", "aes-generated"]);
        }
        let own = format!(r#"{{"realm":"r","components":{{"{PROVIDER}":[]}}}}"#);
        for realm in [own.as_str(), r#"{"privateKey":"k"}"#, "[]", "no realm"] {
            assert_eq!(supplied(realm).unwrap(), realm);
        }
    }
}
