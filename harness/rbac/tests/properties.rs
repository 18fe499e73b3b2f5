//! Laws of the engine, on random policies over a small vocabulary.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::{BTreeMap, BTreeSet};

use authlab_rbac::{Attributes, Policy, Target, aggregate, aggregate_all, rule_allows, uncovered};
use k8s_openapi::api::rbac::v1::{
    AggregationRule, ClusterRole, ClusterRoleBinding, PolicyRule, Role, RoleBinding, RoleRef,
    Subject,
};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{LabelSelector, ObjectMeta};
use proptest::prelude::*;
use proptest::sample::{select, subsequence};

const VERBS: &[&str] = &["get", "list"];
const GROUPS: &[&str] = &["", "apps"];
const RESOURCES: &[&str] = &["pods", "pods/log", "pods/scale", "nodes"];
const NAMES: &[&str] = &["", "n1", "n2"];
const PATHS: &[&str] = &["/a", "/a/b", "/ab"];
const NAMESPACES: &[&str] = &["", "a", "b"];

fn words(words: &'static [&'static str], at_least: usize) -> impl Strategy<Value = Vec<String>> {
    subsequence(words, at_least..=words.len())
        .prop_map(|words| words.into_iter().map(str::to_owned).collect())
}

fn rule() -> impl Strategy<Value = PolicyRule> {
    let resources = (
        words(&["get", "list", "*"], 1),
        words(&["", "apps", "*"], 1),
        words(&["pods", "pods/log", "*", "*/log", "pods/*", "nodes"], 1),
        words(&["n1", "n2"], 0),
    )
        .prop_map(|(verbs, groups, resources, names)| PolicyRule {
            verbs,
            api_groups: Some(groups),
            resources: Some(resources),
            resource_names: (!names.is_empty()).then_some(names),
            non_resource_urls: None,
        });
    let paths = (
        words(&["get", "*"], 1),
        words(&["/a", "/a/*", "/a*", "*", "/a/b**"], 1),
    )
        .prop_map(|(verbs, paths)| PolicyRule {
            verbs,
            non_resource_urls: Some(paths),
            ..PolicyRule::default()
        });
    prop_oneof![3 => resources, 1 => paths]
}

fn rules() -> impl Strategy<Value = Vec<PolicyRule>> {
    prop::collection::vec(rule(), 0..4)
}

fn subject() -> impl Strategy<Value = Subject> {
    let (kinds, names) = (
        select(vec!["User", "Group", "ServiceAccount"]),
        select(vec!["u", "g", "s"]),
    );
    (kinds, names, select(vec![None, Some("a"), Some("b")])).prop_map(|(kind, name, namespace)| {
        Subject {
            api_group: None,
            kind: kind.to_owned(),
            name: name.to_owned(),
            namespace: namespace
                .filter(|_| kind == "ServiceAccount")
                .map(str::to_owned),
        }
    })
}

fn named(name: &str, namespace: &str) -> ObjectMeta {
    ObjectMeta {
        name: Some(name.to_owned()),
        namespace: (!namespace.is_empty()).then(|| namespace.to_owned()),
        ..ObjectMeta::default()
    }
}

fn policy() -> impl Strategy<Value = Policy> {
    let binding = || {
        (
            prop::collection::vec(subject(), 0..3),
            0..3_usize,
            any::<bool>(),
            select(vec!["a", "b"]),
        )
    };
    let bindings = || prop::collection::vec(binding(), 0..4);
    let roles = || prop::collection::vec(rules(), 2);
    (roles(), roles(), bindings(), bindings()).prop_map(|(cluster, local, everywhere, here)| {
        // The third role of either kind does not exist.
        let role = |kind: &str, index| RoleRef {
            api_group: None,
            kind: kind.to_owned(),
            name: format!("r{index}"),
        };
        Policy {
            cluster_roles: (0..)
                .zip(cluster)
                .map(|(index, rules)| ClusterRole {
                    metadata: named(&format!("r{index}"), ""),
                    rules: Some(rules),
                    aggregation_rule: None,
                })
                .collect(),
            roles: (0..)
                .zip(local)
                .map(|(index, rules)| Role {
                    metadata: named(&format!("r{index}"), "a"),
                    rules: Some(rules),
                })
                .collect(),
            cluster_role_bindings: everywhere
                .into_iter()
                .map(|(subjects, index, ..)| ClusterRoleBinding {
                    metadata: named("b", ""),
                    role_ref: role("ClusterRole", index),
                    subjects: Some(subjects),
                })
                .collect(),
            role_bindings: here
                .into_iter()
                .map(|(subjects, index, cluster, namespace)| RoleBinding {
                    metadata: named("b", namespace),
                    role_ref: role(if cluster { "ClusterRole" } else { "Role" }, index),
                    subjects: Some(subjects),
                })
                .collect(),
        }
    })
}

/// Every request of the vocabulary, with the text that stands for it in a set of grants.
fn requests<'a>(
    user: &'a str,
    groups: &'a [String],
) -> impl Iterator<Item = (Attributes<'a>, String)> {
    let resource = |verb, group, combined: &'static str, namespace, name| {
        let (resource, subresource) = combined.split_once('/').unwrap_or((combined, ""));
        let target = Target::Resource {
            group,
            resource,
            subresource,
            namespace,
            name,
        };
        (
            Attributes {
                user,
                groups,
                verb,
                target,
            },
            format!("{verb} {group} {combined} {namespace} {name}"),
        )
    };
    let mut all = Vec::new();
    for verb in VERBS {
        for path in PATHS {
            all.push((
                Attributes {
                    user,
                    groups,
                    verb,
                    target: Target::Path(path),
                },
                format!("{verb} {path}"),
            ));
        }
        for group in GROUPS {
            for combined in RESOURCES {
                for namespace in NAMESPACES {
                    all.extend(
                        NAMES
                            .iter()
                            .map(|name| resource(verb, group, combined, namespace, name)),
                    );
                }
            }
        }
    }
    all.into_iter()
}

/// The specification, written the other way round: all that `rule` grants in `namespaces`.
fn expand(rule: &PolicyRule, namespaces: &[&str]) -> BTreeSet<String> {
    let each = |granted: &Option<Vec<String>>, all: &[&'static str]| -> Vec<&'static str> {
        let granted = granted.clone().unwrap_or_default();
        all.iter()
            .copied()
            .filter(|one| granted.iter().any(|word| word == one || word == "*"))
            .collect()
    };
    let mut grants = BTreeSet::new();
    for verb in each(&Some(rule.verbs.clone()), VERBS) {
        for pattern in rule.non_resource_urls.iter().flatten() {
            let prefix = pattern.split('*').next().unwrap();
            let matching = PATHS.iter().filter(|path| {
                *path == pattern || (pattern.contains('*') && path.starts_with(prefix))
            });
            grants.extend(matching.map(|path| format!("{verb} {path}")));
        }
        for group in each(&rule.api_groups, GROUPS) {
            let mut resources = each(&rule.resources, RESOURCES);
            if rule.resources.iter().flatten().any(|word| word == "*/log") {
                resources.push("pods/log");
            }
            for resource in resources {
                let names = if rule.resource_names.is_none() {
                    NAMES.to_vec()
                } else {
                    each(&rule.resource_names, NAMES)
                };
                for name in names {
                    grants.extend(
                        namespaces.iter().map(|namespace| {
                            format!("{verb} {group} {resource} {namespace} {name}")
                        }),
                    );
                }
            }
        }
    }
    grants
}

fn is_subject(subject: &Subject, user: &str, groups: &[String], namespace: Option<&str>) -> bool {
    let account = || {
        let namespace = subject.namespace.as_deref().or(namespace)?;
        Some(format!(
            "system:serviceaccount:{namespace}:{}",
            subject.name
        ))
    };
    match subject.kind.as_str() {
        "User" => subject.name == user,
        "Group" => groups.contains(&subject.name),
        _ => account().as_deref() == Some(user),
    }
}

/// All that the policy grants to the user.
fn granted(policy: &Policy, user: &str, groups: &[String]) -> BTreeSet<String> {
    let mut grants = BTreeSet::new();
    let cluster = |role: &RoleRef| {
        policy
            .cluster_roles
            .iter()
            .find(|one| one.metadata.name.as_ref() == Some(&role.name))
    };
    for binding in &policy.cluster_role_bindings {
        if binding
            .subjects
            .iter()
            .flatten()
            .any(|one| is_subject(one, user, groups, None))
        {
            let rules = cluster(&binding.role_ref)
                .and_then(|role| role.rules.as_ref())
                .into_iter()
                .flatten();
            grants.extend(rules.flat_map(|rule| expand(rule, NAMESPACES)));
        }
    }
    for binding in &policy.role_bindings {
        let namespace = binding.metadata.namespace.as_deref().unwrap();
        if binding
            .subjects
            .iter()
            .flatten()
            .any(|one| is_subject(one, user, groups, Some(namespace)))
        {
            let local = policy.roles.iter().find(|one| {
                one.metadata.name.as_ref() == Some(&binding.role_ref.name) && namespace == "a"
            });
            let rules = match binding.role_ref.kind.as_str() {
                "Role" => local.and_then(|role| role.rules.as_ref()),
                _ => cluster(&binding.role_ref).and_then(|role| role.rules.as_ref()),
            };
            let resources = rules
                .into_iter()
                .flatten()
                .filter(|rule| rule.resources.is_some());
            grants.extend(resources.flat_map(|rule| expand(rule, &[namespace])));
        }
    }
    grants
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn authorize_agrees_with_the_specification(
        policy in policy(),
        user in select(vec!["u", "system:serviceaccount:a:s", "nobody"]),
        groups in words(&["g", "h"], 0),
    ) {
        let grants = granted(&policy, user, &groups);
        for (attributes, text) in requests(user, &groups) {
            let decision = policy.authorize(&attributes);
            prop_assert_eq!(decision.allowed, grants.contains(&text), "{} {}", text, decision.reason);
            prop_assert_eq!(decision.allowed, decision.reason.starts_with("RBAC: allowed by "));
            let near = policy.nearest(&attributes);
            prop_assert!(near.is_none_or(|near| !decision.allowed && !near.obstacles.is_empty()));
        }
    }

    #[test]
    fn rules_cover_themselves_and_their_parts(rules in rules(), fewer in rules()) {
        prop_assert_eq!(uncovered(&rules, &rules), vec![]);
        let both: Vec<PolicyRule> = rules.iter().chain(&fewer).cloned().collect();
        prop_assert_eq!(uncovered(&both, &fewer), vec![]);
        // What is not covered, added, covers all.
        let lacking = uncovered(&rules, &fewer);
        let mended: Vec<PolicyRule> = rules.iter().chain(&lacking).cloned().collect();
        prop_assert_eq!(uncovered(&mended, &fewer), vec![]);
    }

    #[test]
    fn covered_rules_grant_no_request_of_their_own(owned in rules(), wanted in rules()) {
        prop_assume!(uncovered(&owned, &wanted).is_empty());
        for (attributes, text) in requests("u", &[]) {
            let allowed = |rules: &[PolicyRule]| rules.iter().any(|rule| rule_allows(rule, &attributes));
            prop_assert!(allowed(&owned) || !allowed(&wanted), "{}", text);
        }
    }

    #[test]
    fn aggregation_settles(
        parts in prop::collection::vec((rules(), select(vec!["x", "y", "z"]), select(vec!["", "x", "y", "z"])), 1..6),
    ) {
        let mut roles: Vec<ClusterRole> = (0..).zip(parts).map(|(index, (rules, label, from))| ClusterRole {
            metadata: ObjectMeta {
                labels: Some(BTreeMap::from([("l".to_owned(), label.to_owned())])),
                ..named(&format!("r{index}"), "")
            },
            rules: Some(rules),
            aggregation_rule: (!from.is_empty()).then(|| AggregationRule {
                cluster_role_selectors: Some(vec![LabelSelector {
                    match_labels: Some(BTreeMap::from([("l".to_owned(), from.to_owned())])),
                    match_expressions: None,
                }]),
            }),
        }).collect();
        aggregate_all(&mut roles);
        let target = |role: &ClusterRole| {
            let rule = role.aggregation_rule.as_ref()?.cluster_role_selectors.as_ref()?;
            rule[0].match_labels.as_ref()?.get("l").cloned()
        };
        let label = |role: &ClusterRole| role.metadata.labels.as_ref().and_then(|all| all.get("l").cloned());
        // Roles that select each other need not settle; the call above ended all the same.
        if roles.iter().all(|role| target(role).is_none() || target(role) > label(role)) {
            for role in &roles {
                prop_assert!(aggregate(role, &roles).is_none_or(|rules| Some(rules) == role.rules));
            }
            prop_assert_eq!(aggregate_all(&mut roles), Vec::<usize>::new());
        }
    }
}
