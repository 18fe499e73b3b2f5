//! What a user may do in a namespace: the answer to a SelfSubjectRulesReview.

use k8s_openapi::api::authorization::v1::{
    NonResourceRule, ResourceRule, SubjectRulesReviewStatus,
};
use k8s_openapi::api::rbac::v1::PolicyRule;

use crate::matching::list;
use crate::policy::{Policy, join_errors};

/// The `status` of a SelfSubjectRulesReview for `namespace`: every rule of every binding that
/// applies, cluster-wide ones first. `system:masters` is shown by its binding, as on a real server.
///
/// Source: Kubernetes API reference, SelfSubjectRulesReview v1; the order of rules means nothing.
#[must_use]
pub fn rules_for(
    policy: &Policy,
    user: &str,
    groups: &[String],
    namespace: &str,
) -> SubjectRulesReviewStatus {
    let mut status = SubjectRulesReviewStatus::default();
    let mut errors = Vec::new();
    for grant in policy.grants(user, groups, namespace) {
        match grant.rules {
            Ok(rules) => rules.iter().for_each(|rule| add(&mut status, rule)),
            Err(missing) => errors.push(missing.when_reviewed()),
        }
    }
    status.evaluation_error = join_errors(errors);
    status
}

fn add(status: &mut SubjectRulesReviewStatus, rule: &PolicyRule) {
    if !list(&rule.resources).is_empty() {
        status.resource_rules.push(ResourceRule {
            verbs: rule.verbs.clone(),
            api_groups: rule.api_groups.clone(),
            resources: rule.resources.clone(),
            resource_names: rule.resource_names.clone(),
        });
    }
    if !list(&rule.non_resource_urls).is_empty() {
        status.non_resource_rules.push(NonResourceRule {
            verbs: rule.verbs.clone(),
            non_resource_urls: rule.non_resource_urls.clone(),
        });
    }
}
