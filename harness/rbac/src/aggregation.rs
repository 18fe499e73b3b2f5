//! Aggregated ClusterRoles: rules collected from other ClusterRoles by label.
//!
//! Source: Kubernetes docs, "Using RBAC Authorization", section "Aggregated ClusterRoles". On a
//! real cluster a controller writes the collected rules into the role; the authorizer reads only
//! those.

use std::collections::BTreeMap;

use k8s_openapi::api::rbac::v1::{ClusterRole, PolicyRule};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{LabelSelector, LabelSelectorRequirement};

use crate::matching::list;

/// The rules `role` should have, given all ClusterRoles: a selector at a time the roles it selects,
/// by name, without `role` itself and without repeated rules.
///
/// `None` where the role has no aggregation rule, or one with an operator that nobody knows: its
/// rules then stay as they are.
#[must_use]
pub fn aggregate(role: &ClusterRole, all: &[ClusterRole]) -> Option<Vec<PolicyRule>> {
    let selectors = role
        .aggregation_rule
        .as_ref()?
        .cluster_role_selectors
        .as_deref()
        .unwrap_or_default();
    let mut rules: Vec<PolicyRule> = Vec::new();
    for selector in selectors {
        let mut selected = Vec::new();
        for candidate in all {
            if matches(selector, candidate.metadata.labels.as_ref())?
                && candidate.metadata.name != role.metadata.name
            {
                selected.push(candidate);
            }
        }
        selected.sort_by(|one, other| one.metadata.name.cmp(&other.metadata.name));
        for rule in selected
            .into_iter()
            .flat_map(|one| one.rules.iter().flatten())
        {
            if !rules.iter().any(|known| same(known, rule)) {
                rules.push(rule.clone());
            }
        }
    }
    Some(rules)
}

/// Brings every aggregated role up to date, those that aggregate aggregated roles included, as the
/// controller does in the end. Returns the indexes of the roles that changed.
///
/// Roles that select each other may pass rules around for ever (on a real cluster too): they are
/// left alone after a round for each role.
pub fn aggregate_all(roles: &mut [ClusterRole]) -> Vec<usize> {
    let mut changed = std::collections::BTreeSet::new();
    // A round feeds roles one level further up.
    for _ in 0..=roles.len() {
        let mut settled = true;
        for index in 0..roles.len() {
            let Some(rules) = aggregate(&roles[index], roles) else {
                continue;
            };
            let current = roles[index].rules.as_deref().unwrap_or_default();
            if current.len() != rules.len()
                || !current
                    .iter()
                    .zip(&rules)
                    .all(|(one, other)| same(one, other))
            {
                roles[index].rules = Some(rules);
                changed.insert(index);
                settled = false;
            }
        }
        if settled {
            break;
        }
    }
    changed.into_iter().collect()
}

/// Equal, where an absent list is an empty one.
fn same(one: &PolicyRule, other: &PolicyRule) -> bool {
    fn lists(rule: &PolicyRule) -> [&[String]; 4] {
        let PolicyRule {
            api_groups,
            resources,
            resource_names,
            non_resource_urls,
            ..
        } = rule;
        [api_groups, resources, resource_names, non_resource_urls].map(list)
    }
    one.verbs == other.verbs && lists(one) == lists(other)
}

/// Whether the labels satisfy the selector; an empty selector selects everything. `None` for an
/// unknown operator.
fn matches(selector: &LabelSelector, labels: Option<&BTreeMap<String, String>>) -> Option<bool> {
    let value = |key: &String| labels.and_then(|labels| labels.get(key));
    let mut all = selector
        .match_labels
        .iter()
        .flatten()
        .all(|(key, wanted)| value(key) == Some(wanted));
    for LabelSelectorRequirement {
        key,
        operator,
        values,
    } in selector.match_expressions.iter().flatten()
    {
        let listed = |value: &String| list(values).contains(value);
        all &= match operator.as_str() {
            "In" => value(key).is_some_and(listed),
            "NotIn" => !value(key).is_some_and(listed),
            "Exists" => value(key).is_some(),
            "DoesNotExist" => value(key).is_none(),
            _ => return None,
        };
    }
    Some(all)
}
