//! For a request that was to be allowed and is denied: the binding that came nearest.
//!
//! Ours, not the server's: it only adds to the server's reason, and stays silent when it cannot be
//! had.

use authlab_rbac::{Attributes, Policy, Target};
use serde::de::DeserializeOwned;

use crate::api::{Api, Call};
use crate::objects::RBAC;

/// Plain words about the binding nearest to granting `verb` on `target` to the user.
pub(crate) async fn nearest(
    api: &Api,
    user: &str,
    groups: &[String],
    verb: &str,
    target: Target<'_>,
) -> Option<String> {
    let policy = Policy {
        cluster_roles: list(api, "clusterroles").await?,
        cluster_role_bindings: list(api, "clusterrolebindings").await?,
        roles: list(api, "roles").await?,
        role_bindings: list(api, "rolebindings").await?,
    };
    let attributes = Attributes {
        user,
        groups,
        verb,
        target,
    };
    let miss = policy.nearest(&attributes)?.to_string();
    // The view has a heading of its own.
    Some(miss.strip_prefix("nearest: ").unwrap_or(&miss).to_owned())
}

async fn list<T: DeserializeOwned>(api: &Api, resource: &str) -> Option<Vec<T>> {
    let path = format!("/apis/{RBAC}/v1/{resource}");
    let mut answer = api.admin_does(Call::get(&path)).await.ok()?;
    serde_json::from_value(answer["items"].take()).ok()
}
