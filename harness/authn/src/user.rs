//! Who a request comes from.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// A user as the API server knows one (`authentication.k8s.io/v1` `UserInfo`).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct UserInfo {
    /// The name.
    pub username: String,
    /// What tells this user from others of the same name over time; often empty.
    pub uid: String,
    /// Groups as the authenticator found them, without `system:authenticated`.
    pub groups: Vec<String>,
    /// Further attributes by key.
    pub extra: BTreeMap<String, Vec<String>>,
}
