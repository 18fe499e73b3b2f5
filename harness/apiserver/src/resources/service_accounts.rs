//! Service accounts, and the one that every namespace has.

use k8s_openapi::api::core::v1::ServiceAccount;

use super::{Resource, Rules, of};
use crate::store::Transaction;
use crate::table::{AGE, Column, NAME};

pub(super) struct ServiceAccounts;

impl Rules for ServiceAccounts {
    fn columns(&self) -> &[Column] {
        &[NAME, AGE]
    }

    fn returns_deleted(&self) -> bool {
        true
    }
}

pub(crate) fn accounts() -> &'static Resource {
    of::<ServiceAccount>()
}

/// The account that pods use unless they say otherwise.
pub(super) const DEFAULT: &str = "default";

pub(super) fn ensure_default(transaction: &mut Transaction<'_>, namespace: &str) {
    if transaction.get(accounts(), namespace, DEFAULT).is_none() {
        transaction.put(
            accounts(),
            super::new_object(accounts(), namespace, DEFAULT),
        );
    }
}
