//! Waiting until a controller has filled aggregated cluster roles.

use std::time::Duration;

use authlab_lab::wait::{Look, until};
use k8s_openapi::api::rbac::v1::ClusterRole;
use serde_json::Value;

use crate::api::{Api, Call};
use crate::fault::Fault;
use crate::objects::RBAC;

/// A controller whose API server was away looks again after half a minute, twice that at worst
/// (k8s.io/client-go `tools/cache`, the backoff of a reflector).
const BOUND: Duration = Duration::from_secs(90);

/// Waits until each aggregated ClusterRole shows the rules that its selectors imply.
///
/// # Errors
/// When one does not within a minute and a half; the error names it.
pub(crate) async fn filled(api: &Api) -> Result<(), Fault> {
    let path = format!("/apis/{RBAC}/v1/clusterroles");
    let what = "aggregated cluster roles to be filled";
    Ok(until(what, BOUND, || async {
        let answer = match api.admin_does(Call::get(&path)).await {
            Ok(answer) => answer,
            Err(fault) => return Look::Failed(fault.to_string()),
        };
        let roles: Vec<ClusterRole> = match serde_json::from_value(answer["items"].clone()) {
            Ok(roles) => roles,
            Err(error) => return Look::Failed(format!("not a list of cluster roles: {error}")),
        };
        match roles.iter().find(|role| !is_filled(role, &roles)) {
            None => Look::Ready(()),
            Some(role) => {
                let name = role.metadata.name.as_deref().unwrap_or_default();
                Look::NotYet(format!("`{name}` lacks rules that its selectors imply"))
            }
        }
    })
    .await?)
}

/// The order of rules is the controller's own affair.
fn is_filled(role: &ClusterRole, all: &[ClusterRole]) -> bool {
    let Some(implied) = authlab_rbac::aggregate(role, all) else {
        return true;
    };
    let sorted = |rules: &[k8s_openapi::api::rbac::v1::PolicyRule]| {
        let mut rules: Vec<String> = rules
            .iter()
            .map(|rule| {
                serde_json::to_value(rule)
                    .unwrap_or(Value::Null)
                    .to_string()
            })
            .collect();
        rules.sort();
        rules.dedup();
        rules
    };
    sorted(&implied) == sorted(role.rules.as_deref().unwrap_or_default())
}
