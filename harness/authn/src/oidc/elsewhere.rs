//! The issuers of tokens that hold claims of other tokens (OpenID Connect Core 1.0 section 5.6.2), each known from its
//! first token on.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, OnceLock, PoisonError},
    time::Duration,
};

use tokio::{
    task::JoinSet,
    time::{MissedTickBehavior, interval},
};

use super::{issuer::discover, keys::KeySet, transport::Transport};
use crate::golang::quote::quote;

/// What is known of those issuers. They are looked for as long as this lives.
#[derive(Default)]
pub(super) struct Verifiers {
    known: Mutex<Known>,
}

#[derive(Default)]
struct Known {
    keys: BTreeMap<String, Arc<OnceLock<Arc<KeySet>>>>,
    looking: JoinSet<()>,
}

impl Verifiers {
    /// The keys of an issuer. One that is new is looked for from now on, and nobody waits for that: its first token is
    /// always refused.
    ///
    /// # Errors
    /// The server's text, while the issuer has not been found.
    pub(super) fn keys(
        &self,
        issuer: &str,
        discovery: String,
        transport: &Transport,
        retry: Duration,
    ) -> Result<Arc<KeySet>, String> {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let found = match known.keys.get(issuer) {
            Some(keys) => keys.get().map(Arc::clone),
            None => {
                let keys = Arc::new(OnceLock::new());
                known.keys.insert(issuer.to_owned(), Arc::clone(&keys));
                let (issuer, transport) = (issuer.to_owned(), transport.clone());
                known.looking.spawn(async move {
                    let mut attempts = interval(retry);
                    attempts.set_missed_tick_behavior(MissedTickBehavior::Delay);
                    loop {
                        attempts.tick().await;
                        match discover(&transport, &issuer, &discovery).await {
                            Ok(found) => break drop(keys.set(Arc::new(found))),
                            Err(error) => tracing::debug!(issuer, error, "not found"),
                        }
                    }
                });
                None
            }
        };
        found.ok_or_else(|| format!("verifier not initialized for issuer: {}", quote(issuer)))
    }
}
