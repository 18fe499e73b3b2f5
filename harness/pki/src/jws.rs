//! The compact serialization of JSON Web Signature (RFC 7515): writing tokens, good and bad, reading and verifying
//! them.

use aws_lc_rs::hmac;
use base64::Engine as _;
use serde_json::{Map, Value, json};

use crate::{Algorithm, PkiError, SigningKey, UnknownAlgorithm, jwk, jwk::BASE64};

/// Why a token was refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum JwsError {
    /// Not `header.payload.signature`.
    #[error("a compact token has three parts separated by dots, this has {0}")]
    Parts(usize),
    /// A part is not base64url without padding.
    #[error("the token's {part} is not base64url without padding: {reason}")]
    Base64 {
        /// `header`, `payload` or `signature`.
        part: &'static str,
        /// What the decoder said.
        reason: String,
    },
    /// The header is not a JSON object in UTF-8.
    #[error("the token's header is not a JSON object: {0}")]
    Header(String),
    /// The header names an extension that must be understood, and none is here (RFC 7515 section 4.1.11).
    #[error("the token's header has a crit member: {0}")]
    Critical(String),
    /// The header has no `alg`, or one that no public key verifies.
    #[error("the token's algorithm cannot be verified with a public key: {0}")]
    Algorithm(String),
    /// The key does not fit the header's algorithm.
    #[error("the key does not fit: {0}")]
    Key(String),
    /// The signature is not this key's over this token.
    #[error("the signature does not verify")]
    Signature,
}

/// A token signed by the key over exactly this header and payload: nothing is added, so a header may lie about both
/// algorithm and key.
///
/// # Errors
/// When the key fails to sign.
pub fn sign(
    header: &Map<String, Value>,
    payload: &[u8],
    key: &SigningKey,
) -> Result<String, PkiError> {
    let input = signing_input(header, payload);
    let signature = key.sign(input.as_bytes())?;
    Ok(assemble(&input, &signature))
}

/// An honest JSON Web Token: header `alg`, `kid` and `typ: JWT`, the claims as given.
///
/// # Errors
/// When the key fails to sign.
pub fn sign_claims(claims: &Value, key: &SigningKey) -> Result<String, PkiError> {
    let mut header = Map::new();
    header.insert("alg".to_owned(), json!(key.algorithm().name()));
    header.insert("kid".to_owned(), json!(key.kid()));
    header.insert("typ".to_owned(), json!("JWT"));
    sign(&header, claims.to_string().as_bytes(), key)
}

/// A token with an HMAC-SHA256 (`HS256`, RFC 7518 section 3.2) over exactly this header and payload: for attacks that
/// present a public key as a shared secret.
#[must_use]
pub fn sign_hs256(header: &Map<String, Value>, payload: &[u8], secret: &[u8]) -> String {
    let input = signing_input(header, payload);
    let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, secret), input.as_bytes());
    assemble(&input, tag.as_ref())
}

/// What a signature covers: both parts in base64url, joined by a dot (RFC 7515 section 5.1).
#[must_use]
pub fn signing_input(header: &Map<String, Value>, payload: &[u8]) -> String {
    let header = Value::Object(header.clone()).to_string();
    format!("{}.{}", BASE64.encode(header), BASE64.encode(payload))
}

/// A token from its signing input and whatever shall stand as its signature.
#[must_use]
pub fn assemble(signing_input: &str, signature: &[u8]) -> String {
    format!("{signing_input}.{}", BASE64.encode(signature))
}

/// A token taken apart. Nothing is verified before [`Compact::verify`].
#[derive(Clone, Debug, PartialEq)]
pub struct Compact {
    /// The header's members.
    pub header: Map<String, Value>,
    /// The header's JSON text as it was sent.
    pub header_raw: String,
    /// The payload's bytes, which need not be JSON.
    pub payload: Vec<u8>,
    /// The signature's bytes; none for `alg: none`.
    pub signature: Vec<u8>,
    /// What the signature covers: the token up to its second dot.
    pub signing_input: String,
}

impl Compact {
    /// Takes a token apart.
    ///
    /// # Errors
    /// When it is not in compact form; the payload may be anything.
    pub fn parse(token: &str) -> Result<Self, JwsError> {
        let parts: Vec<&str> = token.split('.').collect();
        let [header, payload, signature] = parts[..] else {
            return Err(JwsError::Parts(parts.len()));
        };
        let header_raw = String::from_utf8(decode("header", header)?)
            .map_err(|error| JwsError::Header(error.utf8_error().to_string()))?;
        Ok(Self {
            header: serde_json::from_str(&header_raw)
                .map_err(|error| JwsError::Header(error.to_string()))?,
            header_raw,
            payload: decode("payload", payload)?,
            signature: decode("signature", signature)?,
            signing_input: token[..header.len() + 1 + payload.len()].to_owned(),
        })
    }

    /// The header's algorithm.
    ///
    /// # Errors
    /// When there is none, or it is none of [`Algorithm::ALL`]; `none` and `HS256` are not.
    pub fn algorithm(&self) -> Result<Algorithm, JwsError> {
        let name = self.header.get("alg").and_then(Value::as_str);
        name.ok_or_else(|| JwsError::Algorithm("the header has no alg".to_owned()))?
            .parse()
            .map_err(|error: UnknownAlgorithm| JwsError::Algorithm(error.to_string()))
    }

    /// The header's key name, if it has one.
    #[must_use]
    pub fn kid(&self) -> Option<&str> {
        self.header.get("kid").and_then(Value::as_str)
    }

    /// Verifies the signature with a public JSON Web Key, by the header's algorithm. Of the key only the members of
    /// its type count: `alg`, `use` and `kid` are for whoever chooses the key, and the API server does not look at the
    /// first two.
    ///
    /// # Errors
    /// When the header asks for what is not here, the key is of another kind than the algorithm, or the signature is
    /// wrong.
    pub fn verify(&self, jwk: &Value) -> Result<(), JwsError> {
        if let Some(critical) = self.header.get("crit") {
            return Err(JwsError::Critical(critical.to_string()));
        }
        jwk::verify(
            jwk,
            self.algorithm()?,
            self.signing_input.as_bytes(),
            &self.signature,
        )
    }
}

fn decode(part: &'static str, text: &str) -> Result<Vec<u8>, JwsError> {
    BASE64.decode(text).map_err(|error| JwsError::Base64 {
        part,
        reason: error.to_string(),
    })
}
