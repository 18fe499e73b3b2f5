//! From a request to a token.

use std::{
    sync::Arc,
    time::{SystemTime, UNIX_EPOCH},
};

use authlab_pki::{
    Algorithm, PkiError, SigningKey,
    jws::{self, Compact},
};
use secrecy::SecretString;
use serde_json::{Map, Value, json};

use super::{ForgeError, KeyChoice, State, Tamper, TokenAlgorithm, TokenRequest};

/// The payload that is signed when another one shall take its place.
const OTHER: &[u8] = b"{}";

pub(super) fn sign(
    state: &State,
    request: &TokenRequest,
    now: SystemTime,
) -> Result<SecretString, ForgeError> {
    if request.algorithm == TokenAlgorithm::None && request.tamper.is_some() {
        return Err(ForgeError::NothingToTamper);
    }
    let mut claims = claims(request, &state.issuer, now);
    if !request.elsewhere.is_empty() {
        claims.extend(elsewhere(state, request, &claims)?);
    }
    let payload = Value::Object(claims).to_string();
    let signed = match request.tamper {
        Some(Tamper::Payload) => OTHER,
        _ => payload.as_bytes(),
    };
    let (header, token) = match request.algorithm {
        TokenAlgorithm::Key(algorithm) => {
            let (key, kid) = keys(state, algorithm, request.key)?;
            let header = header(request, Some(kid.kid()));
            let token = jws::sign(&header, signed, &key)?;
            (header, token)
        }
        TokenAlgorithm::Hs256 => {
            let (key, kid) = keys(state, Algorithm::RS256, request.key)?;
            let header = header(request, Some(kid.kid()));
            let token = jws::sign_hs256(&header, signed, key.public_key_pem().as_bytes());
            (header, token)
        }
        TokenAlgorithm::None => {
            let header = header(request, None);
            let token = jws::assemble(&jws::signing_input(&header, signed), b"");
            (header, token)
        }
    };
    let token = match request.tamper {
        None => token,
        Some(tamper) => {
            let mut token = Compact::parse(&token).map_err(PkiError::from)?;
            match tamper {
                Tamper::Payload => {
                    token.signing_input = jws::signing_input(&header, payload.as_bytes());
                }
                Tamper::Signature => {
                    let middle = token.signature.len() / 2;
                    token.signature[middle] ^= 1;
                }
            }
            jws::assemble(&token.signing_input, &token.signature)
        }
    };
    Ok(token.into())
}

/// The key that signs and the key that is named.
fn keys(
    state: &State,
    algorithm: Algorithm,
    choice: KeyChoice,
) -> Result<(Arc<SigningKey>, Arc<SigningKey>), PkiError> {
    let published = state.keys.published(algorithm)?;
    let signing = match choice {
        KeyChoice::Published => Arc::clone(&published),
        KeyChoice::Unpublished => state.keys.unpublished(algorithm)?,
    };
    Ok((signing, published))
}

fn header(request: &TokenRequest, kid: Option<&str>) -> Map<String, Value> {
    let mut header = Map::new();
    header.insert("alg".to_owned(), json!(request.algorithm));
    if let Some(kid) = kid {
        header.insert("kid".to_owned(), json!(kid));
    }
    header.insert("typ".to_owned(), json!("JWT"));
    for (name, value) in &request.header {
        match value {
            Value::Null => header.remove(name),
            value => header.insert(name.clone(), value.clone()),
        };
    }
    header
}

fn claims(request: &TokenRequest, issuer: &str, now: SystemTime) -> Map<String, Value> {
    let now = now.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    let now = i64::try_from(now).unwrap_or(i64::MAX);
    let now = now.saturating_add(request.clock_skew);
    let after = |seconds: i64| Some(json!(now.saturating_add(seconds)));
    let mut claims = request.claims.clone();
    for (name, value) in [
        ("iss", Some(json!(issuer))),
        ("iat", after(0)),
        ("exp", after(request.expires_in)),
        ("nbf", request.not_before_in.and_then(after)),
    ] {
        let Some(value) = value else { continue };
        match claims.get(name) {
            None => claims.insert(name.to_owned(), value),
            Some(Value::Null) => claims.remove(name),
            Some(_) => None,
        };
    }
    claims
}

/// Signs the token that is to be fetched, and says how the other one refers to it.
fn elsewhere(
    state: &State,
    request: &TokenRequest,
    claims: &Map<String, Value>,
) -> Result<Map<String, Value>, ForgeError> {
    let mut other = request.elsewhere.clone();
    for name in ["iss", "aud", "iat", "exp"] {
        if let (false, Some(value)) = (other.contains_key(name), claims.get(name)) {
            other.insert(name.to_owned(), value.clone());
        }
    }
    let key = state.keys.published(Algorithm::RS256)?;
    let token = jws::sign_claims(&Value::Object(other), &key)?;
    Ok(state
        .elsewhere
        .keep(&state.issuer, &request.elsewhere, token.into()))
}
