//! The keys of a forge: one an algorithm and generation, and which of them are in the key set.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use authlab_pki::{Algorithm, KeyPool, PkiError, SigningKey};
use serde_json::Value;

/// In the key set before anybody asked for a token.
const FIRST: [Algorithm; 2] = [Algorithm::RS256, Algorithm::ES256];

pub(super) struct Keys {
    pool: KeyPool,
    slot: String,
    published: Mutex<Published>,
    /// Held while keys are replaced, which may take a second.
    rotating: Mutex<()>,
}

#[derive(Default)]
struct Published {
    /// What signs now is of this generation.
    generation: u32,
    /// The latest generation that there was. No key is given twice: who has fetched the key set keeps its keys, even
    /// when they were taken out of it.
    latest: u32,
    /// What signs now.
    current: BTreeMap<Algorithm, Arc<SigningKey>>,
    /// What signed before: still in the key set.
    retired: Vec<Arc<SigningKey>>,
}

impl Keys {
    pub(super) fn new(pool: KeyPool, slot: &str) -> Self {
        Self {
            pool,
            slot: format!("forge/{slot}"),
            published: Mutex::default(),
            rotating: Mutex::default(),
        }
    }

    /// Back to the keys of the start, in the key set and alone there. Blocks when the pool has to make them.
    pub(super) fn reset(&self) -> Result<(), PkiError> {
        let _alone = self.rotating.lock().unwrap_or_else(PoisonError::into_inner);
        let first = FIRST.map(|algorithm| Ok((algorithm, self.key(algorithm, 0)?)));
        let current = first.into_iter().collect::<Result<_, PkiError>>()?;
        let mut published = self.lock();
        *published = Published {
            current,
            latest: published.latest,
            ..Published::default()
        };
        Ok(())
    }

    /// A new key for every algorithm in the key set; those before it stay there. Blocks as [`Keys::reset`].
    pub(super) fn rotate(&self) -> Result<(), PkiError> {
        let _alone = self.rotating.lock().unwrap_or_else(PoisonError::into_inner);
        let (generation, algorithms) = {
            let published = self.lock();
            let algorithms: Vec<Algorithm> = published.current.keys().copied().collect();
            (published.latest + 1, algorithms)
        };
        let next = algorithms
            .into_iter()
            .map(|algorithm| Ok((algorithm, self.key(algorithm, generation)?)))
            .collect::<Result<BTreeMap<_, _>, PkiError>>()?;
        let mut published = self.lock();
        (published.generation, published.latest) = (generation, generation);
        for (algorithm, key) in next {
            let replaced = published.current.insert(algorithm, key);
            published.retired.extend(replaced);
        }
        Ok(())
    }

    /// The algorithm's key, which is in the key set from now on.
    pub(super) fn published(&self, algorithm: Algorithm) -> Result<Arc<SigningKey>, PkiError> {
        let generation = {
            let published = self.lock();
            if let Some(key) = published.current.get(&algorithm) {
                return Ok(Arc::clone(key));
            }
            published.generation
        };
        let key = self.key(algorithm, generation)?;
        let mut published = self.lock();
        Ok(Arc::clone(
            published.current.entry(algorithm).or_insert(key),
        ))
    }

    /// Another key of the algorithm, which never is in the key set.
    pub(super) fn unpublished(&self, algorithm: Algorithm) -> Result<Arc<SigningKey>, PkiError> {
        let slot = format!("{}/unpublished", self.slot);
        self.pool.key(algorithm, &slot)
    }

    /// The public keys, those that sign first (RFC 7517 section 4).
    pub(super) fn set(&self) -> Vec<Value> {
        let published = self.lock();
        let current = published.current.values();
        let all = current.chain(published.retired.iter().rev());
        all.map(|key| key.jwk()).collect()
    }

    fn key(&self, algorithm: Algorithm, generation: u32) -> Result<Arc<SigningKey>, PkiError> {
        match generation {
            0 => self.pool.key(algorithm, &self.slot),
            later => self.pool.key(algorithm, &format!("{}/{later}", self.slot)),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Published> {
        self.published
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}
