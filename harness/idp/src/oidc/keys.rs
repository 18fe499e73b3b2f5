//! The keys a provider signs with and publishes, and their rotation.

use std::{
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, SystemTime},
};

use authlab_pki::{Algorithm, KeyPool, PkiError, SigningKey, jws};
use secrecy::SecretString;
use serde::Serialize;
use serde_json::{Map, Value};
use sha2::{Digest as _, Sha256};

/// A signing key and those before it, which are published until every token they signed has expired.
pub(crate) struct KeyRing {
    pool: KeyPool,
    slot: String,
    state: Mutex<State>,
}

struct State {
    generation: u32,
    /// What the next key signs by.
    algorithm: Algorithm,
    overlap: Duration,
    current: Arc<Published>,
    retired: Vec<(Arc<Published>, SystemTime)>,
}

/// A key set as it is published.
#[derive(Debug, Serialize)]
pub(crate) struct KeySet {
    pub keys: Vec<Jwk>,
}

/// A public key, its members in the order in which they are written.
#[derive(Debug, Serialize)]
pub(crate) struct Jwk {
    #[serde(rename = "use", skip_serializing_if = "Option::is_none")]
    usage: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    kty: Option<String>,
    pub kid: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    crv: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    alg: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    x: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    y: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    n: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    e: Option<String>,
}

/// A key under the name it is published by.
struct Published {
    key: Arc<SigningKey>,
    kid: String,
}

impl KeyRing {
    /// Takes the first key of `slot`. A key that has been replaced stays published for `overlap`.
    ///
    /// # Errors
    /// When the pool cannot give a key.
    pub(crate) fn open(
        pool: KeyPool,
        slot: &str,
        algorithm: Algorithm,
        overlap: Duration,
    ) -> Result<Self, PkiError> {
        let current = published(&pool, slot, algorithm, 0)?;
        Ok(Self {
            pool,
            slot: slot.to_owned(),
            state: Mutex::new(State {
                generation: 0,
                algorithm,
                overlap,
                current,
                retired: Vec::new(),
            }),
        })
    }

    /// What the key in use signs by.
    pub(crate) fn algorithm(&self) -> Algorithm {
        self.lock().current.key.algorithm()
    }

    /// From the next rotation on, keys are for another algorithm and the replaced ones stay for another time.
    pub(crate) fn follow(&self, algorithm: Algorithm, overlap: Duration) {
        let mut state = self.lock();
        (state.algorithm, state.overlap) = (algorithm, overlap);
    }

    /// Signs with a new key from now on. Blocks when the pool has to make it.
    ///
    /// # Errors
    /// When the pool cannot give a key; the old one stays.
    pub(crate) fn rotate(&self) -> Result<(), PkiError> {
        let (generation, algorithm) = {
            let state = self.lock();
            (state.generation + 1, state.algorithm)
        };
        let next = published(&self.pool, &self.slot, algorithm, generation)?;
        let now = SystemTime::now();
        let mut state = self.lock();
        state.retired.retain(|(_, expiry)| *expiry >= now);
        let replaced = std::mem::replace(&mut state.current, next);
        let expiry = now + state.overlap;
        state.retired.push((replaced, expiry));
        state.generation = generation;
        Ok(())
    }

    /// A token over `payload`, its header `alg` and `kid`.
    ///
    /// # Errors
    /// When the key fails to sign.
    pub(crate) fn sign(&self, payload: &[u8]) -> Result<SecretString, PkiError> {
        let current = Arc::clone(&self.lock().current);
        let mut header = Map::new();
        header.insert("alg".to_owned(), current.key.algorithm().name().into());
        header.insert("kid".to_owned(), current.kid.as_str().into());
        jws::sign(&header, payload, &current.key).map(SecretString::from)
    }

    /// A token over `payload` that says of itself to be one: `typ` is `JWT` (RFC 7519 section 5.1).
    ///
    /// # Errors
    /// As [`KeyRing::sign`].
    pub(crate) fn sign_jwt(&self, payload: &[u8]) -> Result<SecretString, PkiError> {
        let current = Arc::clone(&self.lock().current);
        let members = [
            ("alg", current.key.algorithm().name()),
            ("kid", &current.kid),
            ("typ", "JWT"),
        ];
        let header = members.map(|(name, value)| (name.to_owned(), value.into()));
        jws::sign(&header.into_iter().collect(), payload, &current.key).map(SecretString::from)
    }

    /// The key in use as a public key in PEM, without the lines around it.
    pub(crate) fn public_key(&self) -> String {
        let current = Arc::clone(&self.lock().current);
        let lines = current.key.public_key_pem().lines();
        lines.filter(|line| !line.starts_with("-----")).collect()
    }

    /// The public keys, the one in use first (RFC 7517 section 5).
    pub(crate) fn jwks(&self) -> KeySet {
        let state = self.lock();
        KeySet {
            keys: state.published().map(|key| key.jwk()).collect(),
        }
    }

    /// The payload of a token that one of the published keys signed.
    pub(crate) fn verify(&self, token: &str) -> Option<Vec<u8>> {
        let compact = jws::Compact::parse(token).ok()?;
        let state = self.lock();
        let verified = state
            .published()
            .filter(|key| {
                compact
                    .kid()
                    .is_none_or(|kid| kid.is_empty() || kid == key.kid)
            })
            .any(|key| compact.verify(&key.key.jwk()).is_ok());
        verified.then_some(compact.payload)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn published(&self) -> impl Iterator<Item = &Arc<Published>> {
        std::iter::once(&self.current).chain(self.retired.iter().map(|(key, _)| key))
    }
}

impl Published {
    fn jwk(&self) -> Jwk {
        let jwk = self.key.jwk();
        let member = |name: &str| jwk.get(name).and_then(Value::as_str).map(str::to_owned);
        Jwk {
            usage: member("use"),
            kty: member("kty"),
            kid: self.kid.clone(),
            crv: member("crv"),
            alg: member("alg"),
            x: member("x"),
            y: member("y"),
            n: member("n"),
            e: member("e"),
        }
    }
}

/// The key of a generation. Its name is 40 hexadecimal digits, as Dex names its keys, and as stable as the key.
fn published(
    pool: &KeyPool,
    slot: &str,
    algorithm: Algorithm,
    generation: u32,
) -> Result<Arc<Published>, PkiError> {
    let key = pool.key(algorithm, &format!("{slot}-{generation}"))?;
    let kid = Sha256::digest(key.kid().as_bytes())[..20]
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    Ok(Arc::new(Published { key, kid }))
}

impl fmt::Debug for KeyRing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeyRing")
            .field("slot", &self.slot)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret as _;

    use super::*;

    fn ring(overlap: Duration) -> KeyRing {
        KeyRing::open(KeyPool::ephemeral(), "test", Algorithm::ES256, overlap).unwrap()
    }

    #[test]
    fn a_token_outlives_the_rotation_of_its_key() {
        let ring = ring(Duration::from_secs(60));
        let token = ring.sign(b"{}").unwrap();
        ring.rotate().unwrap();
        assert_eq!(
            ring.verify(token.expose_secret()).as_deref(),
            Some(&b"{}"[..])
        );
        let keys = ring.jwks().keys;
        assert_eq!(keys.len(), 2);
        assert_ne!(keys[0].kid, keys[1].kid);
        assert_eq!(keys[0].kid.len(), 40);
    }

    #[test]
    fn a_key_is_gone_when_its_tokens_have_expired() {
        let ring = ring(Duration::ZERO);
        let token = ring.sign(b"{}").unwrap();
        ring.rotate().unwrap();
        ring.rotate().unwrap();
        assert_eq!(ring.jwks().keys.len(), 2);
        assert_eq!(ring.verify(token.expose_secret()), None);
    }

    #[test]
    fn foreign_tokens_are_refused() {
        let (ours, theirs) = (ring(Duration::ZERO), ring(Duration::ZERO));
        let token = theirs.sign(b"{}").unwrap();
        assert_eq!(ours.verify(token.expose_secret()), None);
        assert_eq!(ours.verify("a.b"), None);
    }
}
