//! What every group of the corpus works with: an honest token, its parts, and keys to sign others.

use std::{
    sync::Arc,
    time::{SystemTime, UNIX_EPOCH},
};

use authlab_pki::{Algorithm, PkiError, SigningKey};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::{Map, Value, json};

use super::Forgery;
use crate::forge::{ForgeError, State};

/// How long the honest token is good for, in seconds.
const LIFE: u64 = 600;

pub(super) struct Smith {
    pub(super) issuer: String,
    /// The honest claims.
    pub(super) claims: Map<String, Value>,
    /// The published RSA key, and the same key under other algorithms.
    pub(super) rsa: Arc<SigningKey>,
    /// The published P-256 key.
    pub(super) ec: Arc<SigningKey>,
    /// A published Ed25519 key.
    pub(super) edwards: Arc<SigningKey>,
    /// An RSA key that nobody published.
    pub(super) thief: Arc<SigningKey>,
    /// A P-256 key that nobody published.
    pub(super) thief_ec: Arc<SigningKey>,
    pub(super) forged: Vec<Forgery>,
}

impl Smith {
    pub(super) fn new(
        state: &State,
        claims: &Map<String, Value>,
        now: SystemTime,
    ) -> Result<Self, ForgeError> {
        let now = now.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        let mut claims = claims.clone();
        for (name, value) in [
            ("iss", json!(state.issuer)),
            ("iat", json!(now)),
            ("exp", json!(now + LIFE)),
        ] {
            claims.entry(name).or_insert(value);
        }
        pad(&mut claims);
        Ok(Self {
            issuer: state.issuer.clone(),
            claims,
            rsa: state.keys.published(Algorithm::RS256)?,
            ec: state.keys.published(Algorithm::ES256)?,
            edwards: state.keys.published(Algorithm::EdDSA)?,
            thief: state.keys.unpublished(Algorithm::RS256)?,
            thief_ec: state.keys.unpublished(Algorithm::ES256)?,
            forged: Vec::new(),
        })
    }

    /// Adds a token to the corpus.
    pub(super) fn keep(&mut self, name: impl Into<String>, token: impl Into<String>) {
        self.forged.push(Forgery {
            name: name.into(),
            token: token.into().into(),
        });
    }

    /// The honest header with changes; `null` removes a member.
    pub(super) fn header(&self, changes: &Value) -> String {
        let mut header = Map::new();
        header.insert("alg".to_owned(), json!("RS256"));
        header.insert("kid".to_owned(), json!(self.rsa.kid()));
        header.insert("typ".to_owned(), json!("JWT"));
        changed(header, changes)
    }

    /// The honest header of the P-256 key, with changes.
    pub(super) fn ec_header(&self, changes: &Value) -> String {
        let mut header = Map::new();
        header.insert("alg".to_owned(), json!("ES256"));
        header.insert("kid".to_owned(), json!(self.ec.kid()));
        header.insert("typ".to_owned(), json!("JWT"));
        changed(header, changes)
    }

    /// The honest payload with changes; `null` removes a claim.
    pub(super) fn payload(&self, changes: &Value) -> String {
        changed(self.claims.clone(), changes)
    }

    /// The honest payload with a member more at its end, as text: it may be there already.
    pub(super) fn payload_then(&self, member: &str) -> String {
        let text = self.payload(&json!({}));
        format!("{},{member}}}", &text[..text.len() - 1])
    }

    /// The same with the member at the beginning.
    pub(super) fn payload_after(&self, member: &str) -> String {
        let text = self.payload(&json!({}));
        format!("{{{member},{}", &text[1..])
    }

    /// A token that the RSA key did sign, whatever its header and payload say.
    pub(super) fn signed(
        &self,
        header: &str,
        payload: impl AsRef<[u8]>,
    ) -> Result<String, PkiError> {
        signed_by(&self.rsa, header, payload)
    }

    /// The honest token.
    pub(super) fn honest(&self) -> Result<String, PkiError> {
        self.signed(&self.header(&json!({})), self.payload(&json!({})))
    }

    /// The honest token's three parts.
    pub(super) fn parts(&self) -> Result<[String; 3], PkiError> {
        let token = self.honest()?;
        let mut parts = token.split('.').map(str::to_owned);
        Ok([(); 3].map(|()| parts.next().unwrap_or_default()))
    }
}

/// Gives the payload one length modulo 12, whatever the length of the issuer's URL: what becomes of
/// a token that is cut, or whose last letter is another, depends on it (base64 has letters of 6 bits
/// for bytes of 8), and the texts that are expected must hold at every address.
fn pad(claims: &mut Map<String, Value>) {
    const UNIT: usize = 12;
    // Two bytes in the last group of three: the last letter has bits that stand for nothing.
    const REST: usize = 8;
    claims.insert("padding".to_owned(), json!(""));
    let length = Value::Object(claims.clone()).to_string().len();
    let missing = (REST + UNIT - length % UNIT) % UNIT;
    claims.insert("padding".to_owned(), json!("x".repeat(missing)));
}

/// A token signed by a key.
pub(super) fn signed_by(
    key: &SigningKey,
    header: &str,
    payload: impl AsRef<[u8]>,
) -> Result<String, PkiError> {
    let input = input(header, payload);
    let signature = key.sign(input.as_bytes())?;
    Ok(assembled(&input, &signature))
}

/// What is signed: both parts in base64url.
pub(super) fn input(header: impl AsRef<[u8]>, payload: impl AsRef<[u8]>) -> String {
    format!("{}.{}", base64(header), base64(payload))
}

/// A token of what was signed and whatever shall be its signature.
pub(super) fn assembled(input: &str, signature: &[u8]) -> String {
    format!("{input}.{}", base64(signature))
}

pub(super) fn base64(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// The same private key, which signs by another algorithm.
pub(super) fn as_if(key: &SigningKey, algorithm: Algorithm) -> Result<SigningKey, PkiError> {
    SigningKey::from_pkcs8_pem(algorithm, key.private_key_pem().clone())
}

fn changed(mut members: Map<String, Value>, changes: &Value) -> String {
    for (name, value) in changes.as_object().into_iter().flatten() {
        match value {
            Value::Null => members.remove(name),
            value => members.insert(name.clone(), value.clone()),
        };
    }
    Value::Object(members).to_string()
}
