//! What a lab must be able to do for a scenario, beyond what its verbs say of themselves.

use authlab_lab::plan::{Authentication, Plan};
use authlab_lab::spec::ProviderKind;
use authlab_lab::state::Capability;
use serde_saphyr::Spanned;

use crate::credential::ANONYMOUS;
use crate::verbs::Step;

/// What the lab of `plan` itself needs, and what the steps need there.
pub(crate) fn of(plan: &Plan, steps: &[Spanned<Step>]) -> Vec<Capability> {
    let mut needed = Vec::new();
    if !plan.api_servers.is_empty() {
        needed.push(Capability::Clusters);
    }
    if !plan.service_account_issuers.is_empty() {
        needed.push(Capability::Configure);
    }
    let mut provided: Vec<&str> = Vec::new();
    let mut shown: Vec<&str> = Vec::new();
    for step in steps {
        let verb = step.value.verb();
        let uses = verb.uses();
        let uses = uses.iter().map(|name| name.value.as_str());
        match &step.value {
            Step::Login(_) | Step::Token(_) => {
                provided.extend(verb.keeps().map(|kept| kept.value.as_str()));
            }
            // It signs people in at the API server.
            _ if verb.needs() == Some(Capability::Kubelogin) => needed.push(Capability::Trust),
            Step::Forgeries(_) => needed.push(Capability::Trust),
            // Without a credential, a request is anonymous.
            Step::Request(_) if verb.uses().is_empty() => shown.push(ANONYMOUS),
            Step::Whoami(_)
            | Step::Review(_)
            | Step::Can(_)
            | Step::Access(_)
            | Step::Request(_)
            | Step::Exec(_)
            | Step::Apply(_) => shown.extend(uses),
            _ => {}
        }
    }
    if shown.iter().any(|name| provided.contains(name)) {
        needed.push(Capability::Trust);
    }
    let mut started = (plan.providers.values()).filter(|provider| !provider.is_elsewhere());
    if started.any(|provider| provider.kind != ProviderKind::Forge) {
        needed.push(Capability::Products);
    }
    // Whether nobody in particular is let in stands in the same file.
    let as_given = plan.authentication == Authentication::default();
    if shown.contains(&ANONYMOUS) && !as_given {
        needed.push(Capability::Configure);
    }
    needed
}
