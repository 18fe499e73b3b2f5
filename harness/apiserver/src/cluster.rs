//! What the whole server shares: objects, policy, authenticators, keys, records.

use std::net::SocketAddr;
use std::sync::{Arc, PoisonError, RwLock};

use authlab_authn::UserInfo;
use authlab_rbac::{Attributes, Decision, Policy, Target};
use tokio::sync::{mpsc, watch};
use tokio::time::Instant;

use crate::audit::AuditLog;
use crate::chain::{Chain, impersonation::Successes, service_account::TokenIssuer};
use crate::metrics::Metrics;
use crate::metrics::cache::TokenCache;
use crate::resources::{controllers, kinds::Kinds};
use crate::status::Status;
use crate::store::{Store, Transaction};

/// One API server and its state. It outlives `restart`: only the chain is replaced.
pub(crate) struct Cluster {
    pub(crate) store: Store,
    pub(crate) address: SocketAddr,
    /// The authority of clients and of this server, published as `kube-root-ca.crt`.
    pub(crate) ca_pem: String,
    pub(crate) tokens: TokenIssuer,
    pub(crate) metrics: Metrics,
    pub(crate) audit: AuditLog,
    pub(crate) impersonations: Successes,
    /// Which tokens the real server would still know.
    pub(crate) successes: TokenCache,
    /// Turns true when the server stops, which ends watches.
    pub(crate) stopping: watch::Sender<bool>,
    /// Namespaces to be emptied, and when.
    pub(crate) leaving: mpsc::UnboundedSender<(String, Instant)>,
    policy: RwLock<Arc<Policy>>,
    kinds: RwLock<Arc<Kinds>>,
    chain: RwLock<Arc<Chain>>,
}

impl Cluster {
    pub(crate) fn new(
        address: SocketAddr,
        ca_pem: String,
        tokens: TokenIssuer,
        chain: Chain,
        leaving: mpsc::UnboundedSender<(String, Instant)>,
    ) -> Self {
        Self {
            leaving,
            store: Store::new(),
            address,
            ca_pem,
            tokens,
            metrics: Metrics::default(),
            audit: AuditLog::default(),
            impersonations: Successes::default(),
            successes: TokenCache::default(),
            stopping: watch::Sender::new(false),
            policy: RwLock::default(),
            kinds: RwLock::new(Arc::new(Kinds::with([]))),
            chain: RwLock::new(Arc::new(chain)),
        }
    }

    /// Changes objects; the controllers have reacted by the time anybody else sees the change.
    pub(crate) fn write<T>(
        &self,
        change: impl FnOnce(&mut Transaction<'_>) -> Result<T, Status>,
    ) -> Result<T, Status> {
        let mut transaction = self.store.begin();
        let result = change(&mut transaction);
        controllers::settle(self, &mut transaction);
        result
    }

    pub(crate) fn policy(&self) -> Arc<Policy> {
        Arc::clone(&self.policy.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Edits the policy in place, or a copy of it while a request still reads the old one.
    pub(crate) fn edit_policy(&self, edit: impl FnOnce(&mut Policy)) {
        let mut policy = self.policy.write().unwrap_or_else(PoisonError::into_inner);
        edit(Arc::make_mut(&mut policy));
    }

    /// The kinds served now.
    pub(crate) fn kinds(&self) -> Arc<Kinds> {
        Arc::clone(&self.kinds.read().unwrap_or_else(PoisonError::into_inner))
    }

    pub(crate) fn replace_kinds(&self, kinds: Kinds) {
        *self.kinds.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(kinds);
    }

    pub(crate) fn chain(&self) -> Arc<Chain> {
        Arc::clone(&self.chain.read().unwrap_or_else(PoisonError::into_inner))
    }

    pub(crate) fn replace_chain(&self, chain: Chain) {
        *self.chain.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(chain);
    }

    pub(crate) fn authorize(&self, user: &UserInfo, verb: &str, target: Target<'_>) -> Decision {
        let attributes = Attributes {
            user: &user.username,
            groups: &user.groups,
            verb,
            target,
        };
        let decision = self.policy().authorize(&attributes);
        // Whoever is in system:masters is let in before any role is looked at.
        if decision.allowed && !decision.reason.is_empty() {
            self.metrics.decided_by_rbac();
        }
        decision
    }
}
