//! What the real server's cache of good tokens would count.
//!
//! The real one keeps a success for 10 seconds and so lets a revoked token in for as long. Here
//! every token is looked at anew; only the counters of the cache are kept.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use sha2::{Digest, Sha256};

use super::Metrics;
use crate::chain::Outcome;

/// How long a success is kept (k8s.io/kubernetes `pkg/kubeapiserver/options`).
const KEPT: Duration = Duration::from_secs(10);

/// Tokens that were good a moment ago, by a hash of them and their audiences.
#[derive(Debug, Default)]
pub(crate) struct TokenCache(Mutex<HashMap<[u8; 32], Instant>>);

impl TokenCache {
    /// Whether the real server would answer from its cache.
    pub(crate) fn begin(&self, token: &str, audiences: &[String], metrics: &Metrics) -> bool {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.retain(|_, since| since.elapsed() < KEPT);
        let hit = all.contains_key(&key(token, audiences));
        metrics.cache_asked(hit);
        hit
    }

    pub(crate) fn end(
        &self,
        token: &str,
        audiences: &[String],
        outcome: &Outcome,
        hit: bool,
        metrics: &Metrics,
    ) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match outcome {
            Outcome::Accepted(..) if !hit => {
                all.insert(key(token, audiences), Instant::now());
            }
            Outcome::Accepted(..) => {}
            _ => _ = all.remove(&key(token, audiences)),
        }
        if !hit {
            metrics.cache_filled(!matches!(outcome, Outcome::Rejected(_)));
        }
    }
}

fn key(token: &str, audiences: &[String]) -> [u8; 32] {
    let mut hash = Sha256::new();
    hash.update(token);
    audiences.iter().for_each(|audience| {
        hash.update([0]);
        hash.update(audience);
    });
    hash.finalize().into()
}
