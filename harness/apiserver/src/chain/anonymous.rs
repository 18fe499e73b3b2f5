//! Requests without credentials.

use crate::user::UserInfo;

use super::{ANONYMOUS, UNAUTHENTICATED};

/// Whether, and for which paths, a request without credentials is let through to authorization
/// (Kubernetes docs, "Authenticating", section "Anonymous requests").
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Anonymous {
    pub(crate) enabled: bool,
    /// Exact paths; none means all.
    pub(crate) paths: Vec<String>,
}

impl Default for Anonymous {
    fn default() -> Self {
        Self {
            enabled: true,
            paths: Vec::new(),
        }
    }
}

impl Anonymous {
    pub(crate) fn identify(&self, path: &str) -> Option<UserInfo> {
        let here = self.paths.is_empty() || self.paths.iter().any(|one| one == path);
        (self.enabled && here).then(|| UserInfo {
            username: ANONYMOUS.to_owned(),
            groups: vec![UNAUTHENTICATED.to_owned()],
            ..UserInfo::default()
        })
    }
}
