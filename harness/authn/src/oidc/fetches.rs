//! What became of the fetches of key sets, by issuer, for those who count them.

use std::{
    collections::BTreeMap,
    sync::{Mutex, PoisonError},
    time::SystemTime,
};

/// The last fetches of one issuer's key set.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Fetch {
    /// When a key set was fetched last.
    pub success: Option<SystemTime>,
    /// When a fetch failed last.
    pub failure: Option<SystemTime>,
    /// The key set that was fetched last, as the issuer wrote it.
    pub keys: Option<String>,
}

/// The last fetches of the key sets of all issuers. It outlives a configuration: issuers that stay trusted keep
/// theirs.
#[derive(Debug, Default)]
pub struct Fetches(Mutex<BTreeMap<String, Fetch>>);

impl Fetches {
    /// The issuers whose keys were looked for, with what came of it.
    #[must_use]
    pub fn all(&self) -> BTreeMap<String, Fetch> {
        self.lock().clone()
    }

    pub(super) fn note(&self, issuer: &str, keys: Option<String>) {
        let (mut all, now) = (self.lock(), SystemTime::now());
        let fetch = all.entry(issuer.to_owned()).or_default();
        match keys {
            Some(keys) => (fetch.success, fetch.keys) = (Some(now), Some(keys)),
            None => fetch.failure = Some(now),
        }
    }

    pub(super) fn keep(&self, issuers: &[&str]) {
        self.lock()
            .retain(|issuer, _| issuers.contains(&issuer.as_str()));
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, BTreeMap<String, Fetch>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
