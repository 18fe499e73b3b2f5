//! Public keys as JSON Web Keys (RFC 7517): written, named by thumbprint (RFC 7638), and verified with.

#[cfg(test)]
mod tests;

use aws_lc_rs::{
    digest,
    signature::{
        self, RsaParameters, RsaPublicKeyComponents, UnparsedPublicKey, VerificationAlgorithm,
    },
};
use base64::{
    Engine as _, alphabet, engine::general_purpose::GeneralPurpose, engine::general_purpose::NO_PAD,
};
use serde_json::{Value, json};

use crate::{Algorithm, jws::JwsError};

/// base64url without padding (RFC 7515 section 2). As Go's `RawURLEncoding`, and so as the real API server, it does not
/// mind non-zero bits behind the last byte.
pub(crate) const BASE64: GeneralPurpose = GeneralPurpose::new(
    &alphabet::URL_SAFE,
    NO_PAD.with_decode_allow_trailing_bits(true),
);

/// The members that make up the key itself: RFC 7518 section 6.3.1 for RSA.
pub(crate) fn rsa(modulus: &[u8], exponent: &[u8]) -> Value {
    json!({"kty": "RSA", "n": BASE64.encode(modulus), "e": BASE64.encode(exponent)})
}

/// The same for an uncompressed point `4 || x || y` of a curve: RFC 7518 section 6.2.1.
pub(crate) fn ec(curve: &str, point: &[u8]) -> Value {
    let coordinates = point.get(1..).unwrap_or_default();
    let (x, y) = coordinates.split_at(coordinates.len() / 2);
    json!({"kty": "EC", "crv": curve, "x": BASE64.encode(x), "y": BASE64.encode(y)})
}

/// The same for an Ed25519 key: RFC 8037 section 2.
pub(crate) fn ed25519(public: &[u8]) -> Value {
    json!({"kty": "OKP", "crv": "Ed25519", "x": BASE64.encode(public)})
}

/// The base64url SHA-256 thumbprint of such members (RFC 7638 section 3).
pub(crate) fn thumbprint(members: &Value) -> String {
    // The canonical form: members sorted by name, no white space.
    let mut sorted: Vec<(&String, &Value)> = members.as_object().into_iter().flatten().collect();
    sorted.sort_by_key(|(name, _)| *name);
    let text: Vec<String> = sorted
        .iter()
        .map(|(name, value)| format!("\"{name}\":{value}"))
        .collect();
    let text = format!("{{{}}}", text.join(","));
    BASE64.encode(digest::digest(&digest::SHA256, text.as_bytes()))
}

/// Verifies with the key's own members; its `alg`, `use` and `kid` are not looked at.
pub(crate) fn verify(
    jwk: &Value,
    algorithm: Algorithm,
    input: &[u8],
    signature: &[u8],
) -> Result<(), JwsError> {
    let valid = match algorithm {
        Algorithm::RS256 => verify_rsa(
            jwk,
            &signature::RSA_PKCS1_2048_8192_SHA256,
            input,
            signature,
        )?,
        Algorithm::RS384 => verify_rsa(
            jwk,
            &signature::RSA_PKCS1_2048_8192_SHA384,
            input,
            signature,
        )?,
        Algorithm::RS512 => verify_rsa(
            jwk,
            &signature::RSA_PKCS1_2048_8192_SHA512,
            input,
            signature,
        )?,
        Algorithm::PS256 => {
            verify_rsa(jwk, &signature::RSA_PSS_2048_8192_SHA256, input, signature)?
        }
        Algorithm::PS384 => {
            verify_rsa(jwk, &signature::RSA_PSS_2048_8192_SHA384, input, signature)?
        }
        Algorithm::PS512 => {
            verify_rsa(jwk, &signature::RSA_PSS_2048_8192_SHA512, input, signature)?
        }
        Algorithm::ES256 => unparsed(
            &signature::ECDSA_P256_SHA256_FIXED,
            &point(jwk, "P-256", 32)?,
            input,
            signature,
        ),
        Algorithm::ES384 => unparsed(
            &signature::ECDSA_P384_SHA384_FIXED,
            &point(jwk, "P-384", 48)?,
            input,
            signature,
        ),
        Algorithm::ES512 => unparsed(
            &signature::ECDSA_P521_SHA512_FIXED,
            &point(jwk, "P-521", 66)?,
            input,
            signature,
        ),
        Algorithm::EdDSA => {
            expect(jwk, "kty", "OKP")?;
            expect(jwk, "crv", "Ed25519")?;
            unparsed(&signature::ED25519, &bytes(jwk, "x")?, input, signature)
        }
    };
    if valid {
        Ok(())
    } else {
        Err(JwsError::Signature)
    }
}

fn verify_rsa(
    jwk: &Value,
    parameters: &RsaParameters,
    input: &[u8],
    signature: &[u8],
) -> Result<bool, JwsError> {
    expect(jwk, "kty", "RSA")?;
    let (n, e) = (bytes(jwk, "n")?, bytes(jwk, "e")?);
    let key = RsaPublicKeyComponents {
        n: without_leading_zeros(&n),
        e: without_leading_zeros(&e),
    };
    Ok(key.verify(parameters, input, signature).is_ok())
}

fn unparsed(
    algorithm: &'static dyn VerificationAlgorithm,
    key: &[u8],
    input: &[u8],
    signature: &[u8],
) -> bool {
    UnparsedPublicKey::new(algorithm, key)
        .verify(input, signature)
        .is_ok()
}

fn point(jwk: &Value, curve: &str, length: usize) -> Result<Vec<u8>, JwsError> {
    expect(jwk, "kty", "EC")?;
    expect(jwk, "crv", curve)?;
    let (x, y) = (bytes(jwk, "x")?, bytes(jwk, "y")?);
    if x.len() != length || y.len() != length {
        return Err(JwsError::Key(format!(
            "a {curve} coordinate has {length} bytes"
        )));
    }
    Ok([&[4], x.as_slice(), &y].concat())
}

fn expect(jwk: &Value, member: &str, want: &str) -> Result<(), JwsError> {
    let got = text(jwk, member)?;
    if got == want {
        return Ok(());
    }
    Err(JwsError::Key(format!(
        "{member} is {got:?}, the algorithm wants {want:?}"
    )))
}

fn text<'a>(jwk: &'a Value, member: &str) -> Result<&'a str, JwsError> {
    jwk.get(member)
        .and_then(Value::as_str)
        .ok_or_else(|| JwsError::Key(format!("it has no {member}")))
}

fn bytes(jwk: &Value, member: &str) -> Result<Vec<u8>, JwsError> {
    BASE64
        .decode(text(jwk, member)?)
        .map_err(|error| JwsError::Key(format!("{member}: {error}")))
}

fn without_leading_zeros(number: &[u8]) -> &[u8] {
    let start = number
        .iter()
        .position(|byte| *byte != 0)
        .unwrap_or(number.len());
    &number[start..]
}
