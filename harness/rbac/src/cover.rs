//! Whether one set of rules grants at least what another does, and how the rest is printed.

use std::collections::{BTreeMap, BTreeSet};

use k8s_openapi::api::rbac::v1::PolicyRule;

use crate::matching::{list, path_covers};
use authlab_pki::quote::quote_list;

/// The part of `wanted` that `owned` does not grant, broken down to rules of one verb and one
/// resource (and name) or one path. Empty when `owned` covers all of it.
///
/// Source: Kubernetes docs, "Using RBAC Authorization", section "Privilege escalation prevention
/// and bootstrapping".
#[must_use]
pub fn uncovered(owned: &[PolicyRule], wanted: &[PolicyRule]) -> Vec<PolicyRule> {
    let atoms = wanted.iter().flat_map(break_down);
    atoms
        .filter(|atom| !owned.iter().any(|rule| covers(rule, atom)))
        .map(Atom::into_rule)
        .collect()
}

/// One verb on one thing.
struct Atom<'a> {
    verb: &'a str,
    what: What<'a>,
}

enum What<'a> {
    Resource {
        group: &'a str,
        resource: &'a str,
        name: Option<&'a str>,
    },
    Path(&'a str),
}

impl Atom<'_> {
    fn into_rule(self) -> PolicyRule {
        let one = |text: &str| Some(vec![text.to_owned()]);
        let verbs = vec![self.verb.to_owned()];
        match self.what {
            What::Path(path) => PolicyRule {
                verbs,
                non_resource_urls: one(path),
                ..PolicyRule::default()
            },
            What::Resource {
                group,
                resource,
                name,
            } => PolicyRule {
                verbs,
                api_groups: one(group),
                resources: one(resource),
                resource_names: name.and_then(one),
                non_resource_urls: None,
            },
        }
    }
}

fn break_down(rule: &PolicyRule) -> Vec<Atom<'_>> {
    let mut atoms = Vec::new();
    let names: Vec<Option<&str>> = match list(&rule.resource_names) {
        [] => vec![None],
        names => names.iter().map(|name| Some(name.as_str())).collect(),
    };
    for group in list(&rule.api_groups) {
        for resource in list(&rule.resources) {
            for verb in &rule.verbs {
                let what = names.iter().map(|name| What::Resource {
                    group,
                    resource,
                    name: *name,
                });
                atoms.extend(what.map(|what| Atom { verb, what }));
            }
        }
    }
    for path in list(&rule.non_resource_urls) {
        atoms.extend(rule.verbs.iter().map(|verb| Atom {
            verb,
            what: What::Path(path),
        }));
    }
    atoms
}

fn covers(rule: &PolicyRule, atom: &Atom<'_>) -> bool {
    let has = |values: &[String], wanted: &str| values.iter().any(|one| one == wanted);
    let has_or_star = |values: &[String], wanted: &str| has(values, wanted) || has(values, "*");
    if !has_or_star(&rule.verbs, atom.verb) {
        return false;
    }
    match atom.what {
        What::Path(path) => {
            let mut paths = list(&rule.non_resource_urls).iter();
            paths.any(|owned| path_covers(owned, path))
        }
        What::Resource {
            group,
            resource,
            name,
        } => {
            let resources = list(&rule.resources);
            let any_parent = resource.split_once('/').map(|(_, sub)| format!("*/{sub}"));
            let names = list(&rule.resource_names);
            has_or_star(list(&rule.api_groups), group)
                && (has_or_star(resources, resource)
                    || any_parent.is_some_and(|any| has(resources, &any)))
                && (names.is_empty() || name.is_some_and(|name| has(names, name)))
        }
    }
}

/// Missing rights as the server lists them: verbs on the same resource together, a line each, in
/// the order of the text. `rules` are the atoms of [`uncovered`].
pub(crate) fn describe(rules: Vec<PolicyRule>) -> String {
    let mut lines = BTreeSet::new();
    let mut together: BTreeMap<(String, String, Option<String>), PolicyRule> = BTreeMap::new();
    for rule in rules {
        let (Some(group), Some(resource)) = (
            list(&rule.api_groups).first(),
            list(&rule.resources).first(),
        ) else {
            lines.insert(print(&rule));
            continue;
        };
        let key = (
            group.clone(),
            resource.clone(),
            list(&rule.resource_names).first().cloned(),
        );
        let first = || PolicyRule {
            verbs: Vec::new(),
            ..rule.clone()
        };
        together
            .entry(key)
            .or_insert_with(first)
            .verbs
            .extend(rule.verbs.iter().cloned());
    }
    lines.extend(together.values().map(print));
    lines.into_iter().collect::<Vec<_>>().join("\n")
}

/// `{APIGroups:[""], Resources:["pods"], Verbs:["get"]}`: only what is set.
fn print(rule: &PolicyRule) -> String {
    let fields = [
        ("APIGroups", list(&rule.api_groups)),
        ("Resources", list(&rule.resources)),
        ("NonResourceURLs", list(&rule.non_resource_urls)),
        ("ResourceNames", list(&rule.resource_names)),
        ("Verbs", &rule.verbs),
    ];
    let set = fields.iter().filter(|(_, values)| !values.is_empty());
    let printed: Vec<String> = set
        .map(|(name, values)| format!("{name}:{}", quote_list(values)))
        .collect();
    format!("{{{}}}", printed.join(", "))
}
