//! Whether one rule grants one request.

use k8s_openapi::api::rbac::v1::PolicyRule;

use crate::attributes::{Attributes, Target};

/// One part of a rule that a request is compared with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Part {
    Verb,
    Group,
    Resource,
    Name,
    Path,
}

/// An absent list and an empty one mean the same everywhere in RBAC.
pub(crate) fn list(values: &Option<Vec<String>>) -> &[String] {
    values.as_deref().unwrap_or_default()
}

/// Whether `rule` grants the request.
///
/// Source: Kubernetes docs, "Using RBAC Authorization", section "Referring to resources".
#[must_use]
pub fn rule_allows(rule: &PolicyRule, attributes: &Attributes<'_>) -> bool {
    parts(&attributes.target)
        .iter()
        .all(|part| part_allows(*part, rule, attributes))
}

/// The parts of `rule` that do not match, in the order they are compared.
pub(crate) fn mismatches(rule: &PolicyRule, attributes: &Attributes<'_>) -> Vec<Part> {
    let failing = |part: &&Part| !part_allows(**part, rule, attributes);
    parts(&attributes.target)
        .iter()
        .filter(failing)
        .copied()
        .collect()
}

fn parts(target: &Target<'_>) -> &'static [Part] {
    match target {
        Target::Resource { .. } => &[Part::Verb, Part::Group, Part::Resource, Part::Name],
        Target::Path(_) => &[Part::Verb, Part::Path],
    }
}

fn part_allows(part: Part, rule: &PolicyRule, attributes: &Attributes<'_>) -> bool {
    match (part, &attributes.target) {
        (Part::Verb, _) => has_or_star(&rule.verbs, attributes.verb),
        (Part::Group, Target::Resource { group, .. }) => has_or_star(list(&rule.api_groups), group),
        (
            Part::Resource,
            Target::Resource {
                resource,
                subresource,
                ..
            },
        ) => list(&rule.resources)
            .iter()
            .any(|granted| resource_matches(granted, resource, subresource)),
        (Part::Name, Target::Resource { name, .. }) => {
            let names = list(&rule.resource_names);
            names.is_empty() || names.iter().any(|granted| granted == name)
        }
        (Part::Path, Target::Path(path)) => list(&rule.non_resource_urls)
            .iter()
            .any(|granted| path_covers(granted, path)),
        _ => false,
    }
}

fn has_or_star(granted: &[String], asked: &str) -> bool {
    granted.iter().any(|one| one == "*" || one == asked)
}

/// `*` is everything, `pods/log` only itself, `*/scale` that subresource of anything.
/// `pods/*` is no wildcard.
fn resource_matches(granted: &str, resource: &str, subresource: &str) -> bool {
    if granted == "*" {
        return true;
    }
    if subresource.is_empty() {
        return granted == resource;
    }
    let of = |parent| {
        granted
            .strip_prefix(parent)
            .and_then(|rest| rest.strip_prefix('/'))
    };
    of("*") == Some(subresource) || of(resource) == Some(subresource)
}

/// `*` is everything, a trailing `*` a prefix, else exact. `/foo/*` does not cover `/foo`.
pub(crate) fn path_covers(granted: &str, asked: &str) -> bool {
    granted == asked || (granted.ends_with('*') && asked.starts_with(granted.trim_end_matches('*')))
}
