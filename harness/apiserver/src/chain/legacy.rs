//! Tokens kept in secrets: without an end, for as long as the secret is there.
//!
//! Source: Kubernetes docs, "Managing Service Accounts", section "Manual Secret management for
//! ServiceAccounts"; texts of k8s.io/kubernetes `pkg/serviceaccount` (v1.36).

use authlab_authn::UserInfo;
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use chrono::Utc;
use k8s_openapi::api::core::v1::Secret;
use serde_json::{Value, json};

use super::Outcome;
use super::service_account::{groups, username};
use crate::cluster::Cluster;
use crate::object::Object;
use crate::resources::{self, service_accounts::accounts};
use crate::store::Transaction;

/// The issuer that such tokens name.
pub(crate) const ISSUER: &str = "kubernetes/serviceaccount";
pub(crate) const TYPE: &str = "kubernetes.io/service-account-token";
const NAME: &str = "kubernetes.io/service-account.name";
const UID: &str = "kubernetes.io/service-account.uid";
const LAST_USED: &str = "kubernetes.io/legacy-token-last-used";
/// Every claim but the issuer and the subject begins like this.
const CLAIM: &str = "kubernetes.io/serviceaccount/";

/// The claims of the token of `secret`, for `account`.
fn claims(secret: &Value, account: &Value) -> Value {
    let mut claims = json!({
        "iss": ISSUER,
        "sub": username(account.namespace(), account.name()),
    });
    for (name, value) in [
        ("namespace", secret.namespace()),
        ("secret.name", secret.name()),
        ("service-account.name", account.name()),
        ("service-account.uid", account.uid()),
    ] {
        claims[format!("{CLAIM}{name}")] = json!(value);
    }
    claims
}

/// What the token controller does with a secret of the type: fills it, or removes one whose
/// account is gone.
pub(crate) fn react(cluster: &Cluster, transaction: &mut Transaction<'_>, secret: &Value) {
    let secrets = resources::of::<Secret>();
    let name = secret["metadata"]["annotations"][NAME]
        .as_str()
        .unwrap_or_default();
    let account = transaction.get(accounts(), secret.namespace(), name);
    let uid = secret["metadata"]["annotations"][UID].as_str();
    let account = account.filter(|account| uid.is_none_or(|uid| uid == account.uid()));
    let Some(account) = account else {
        transaction.remove(secrets, secret.namespace(), secret.name());
        return;
    };
    if !secret["data"]["token"].is_null() {
        return;
    }
    let Ok(token) = cluster.tokens.sign(&claims(secret, &account)) else {
        return;
    };
    let mut next = secret.clone();
    next["metadata"]["annotations"][UID] = json!(account.uid());
    for (key, value) in [
        ("ca.crt", cluster.ca_pem.as_str()),
        ("namespace", account.namespace()),
        ("token", &token),
    ] {
        next["data"][key] = json!(BASE64_STANDARD.encode(value));
    }
    transaction.put(secrets, next);
}

/// Removes the tokens of an account that was deleted.
pub(crate) fn account_gone(transaction: &mut Transaction<'_>, account: &Value) {
    let secrets = resources::of::<Secret>();
    for secret in transaction.list(secrets, account.namespace()) {
        let annotations = &secret["metadata"]["annotations"];
        if secret["type"] == TYPE && annotations[UID].as_str() == Some(account.uid()) {
            transaction.remove(secrets, secret.namespace(), secret.name());
        }
    }
}

/// Identifies the bearer of a token whose signature has been checked.
pub(super) fn identify(cluster: &Cluster, token: &str, claims: &Value) -> Outcome {
    match check(cluster, token, claims) {
        Ok(user) => Outcome::Accepted(user, Vec::new()),
        Err(reason) => Outcome::Rejected(reason),
    }
}

fn check(cluster: &Cluster, token: &str, claims: &Value) -> Result<UserInfo, String> {
    let claim = |name: &str, missing: &str| {
        let value = claims[format!("{CLAIM}{name}")]
            .as_str()
            .unwrap_or_default();
        if value.is_empty() {
            return Err(format!("{missing} claim is missing"));
        }
        Ok(value.to_owned())
    };
    let namespace = claim("namespace", "namespace")?;
    let secret = claim("secret.name", "secretName")?;
    let name = claim("service-account.name", "serviceAccountName")?;
    let uid = claim("service-account.uid", "serviceAccountUID")?;
    if claims["sub"] != username(&namespace, &name) {
        return Err("sub claim is invalid".to_owned());
    }
    let secrets = resources::of::<Secret>();
    let invalidated = || "Token has been invalidated".to_owned();
    let secret = cluster
        .store
        .get(secrets, &namespace, &secret)
        .ok_or_else(invalidated)?;
    if secret.terminating() {
        return Err(invalidated());
    }
    if secret["data"]["token"] != BASE64_STANDARD.encode(token) {
        return Err("Token does not match server's copy".to_owned());
    }
    let account = cluster.store.get(accounts(), &namespace, &name);
    let account = account.ok_or_else(|| format!("serviceaccounts {name:?} not found"))?;
    if account.uid() != uid {
        let current = account.uid();
        return Err(format!(
            "ServiceAccount UID ({current}) does not match claim ({uid})"
        ));
    }
    used(cluster, &secret);
    Ok(UserInfo {
        username: username(&namespace, &name),
        uid,
        groups: groups(&namespace),
        ..UserInfo::default()
    })
}

/// Notes the day on which the token was last used.
fn used(cluster: &Cluster, secret: &Value) {
    cluster.metrics.legacy_token();
    let today = Utc::now().format("%Y-%m-%d").to_string();
    if secret.label(LAST_USED) == Some(&today) {
        return;
    }
    let mut next = secret.clone();
    next["metadata"]["labels"][LAST_USED] = json!(today);
    cluster.store.begin().put(resources::of::<Secret>(), next);
}
