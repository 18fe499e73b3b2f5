//! For a refusal: the binding that came nearest to granting the request, and what was in its way.
//!
//! Ours, not the server's: it only adds to the server's reason.

use std::fmt;

use k8s_openapi::api::rbac::v1::PolicyRule;
use serde::Serialize;

use crate::attributes::Attributes;
use crate::matching::{Part, list, mismatches};
use crate::policy::{Binding, Policy, describe_role};
use crate::subject;
use authlab_pki::quote::{quote, quote_list};

/// The nearest binding that does not grant a request. Displays as one line of plain words.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct NearMiss {
    /// `RoleBinding "name/namespace"` or `ClusterRoleBinding "name"`.
    pub binding: String,
    /// `Role "r"` or `ClusterRole "r"`.
    pub role: String,
    /// The nearest rule of the role, counted from 0; `None` where the role is missing or empty.
    pub rule: Option<usize>,
    /// What would have to change for the binding to grant the request; never empty.
    pub obstacles: Vec<Obstacle>,
}

/// One reason why a binding does not grant a request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Obstacle {
    /// It names other subjects (as in `Group "dev"`).
    Subjects(Vec<String>),
    /// It is a RoleBinding of this other namespace.
    Namespace(String),
    /// Its role does not exist.
    RoleNotFound,
    /// Its role has no rules: an aggregated role whose parts are missing, perhaps.
    RoleEmpty,
    /// The rule grants only these verbs.
    Verbs(Vec<String>),
    /// The rule is for these API groups only.
    ApiGroups(Vec<String>),
    /// The rule is for these resources only (none: it is for paths).
    Resources(Vec<String>),
    /// The rule is for objects of these names only.
    ResourceNames(Vec<String>),
    /// The rule is for these paths only (none: it is for resources).
    Paths(Vec<String>),
}

/// Farther than this is not near: the binding has nothing to do with the request.
const NEAR: u32 = 4;
/// The bindings that came with the server touch everybody: they must be nearer to be of interest.
const NEAR_BOOTSTRAPPED: u32 = 2;

impl Policy {
    /// The binding nearest to granting a request that is refused; `None` where none comes near, or
    /// the request is allowed.
    #[must_use]
    pub fn nearest(&self, attributes: &Attributes<'_>) -> Option<NearMiss> {
        if self.authorize(attributes).allowed {
            return None;
        }
        let candidates = self.bindings().map(|binding| {
            let near = if binding.bootstrapped {
                NEAR_BOOTSTRAPPED
            } else {
                NEAR
            };
            (self.measure(&binding, attributes), near)
        });
        let near = candidates.filter(|((distance, _), near)| distance <= near);
        near.map(|(measured, _)| measured)
            .min_by_key(|(distance, _)| *distance)
            .map(|(_, miss)| miss)
    }

    fn measure(&self, binding: &Binding<'_>, attributes: &Attributes<'_>) -> (u32, NearMiss) {
        let asked = attributes.target.namespace();
        let mut obstacles = Vec::new();
        let mut distance = 0;
        let applies =
            |one| subject::applies(one, attributes.user, attributes.groups, binding.namespace);
        if !binding.subjects.iter().any(applies) {
            let alike = binding
                .subjects
                .iter()
                .any(|one| is_alike(&one.name, attributes));
            distance += if alike { 1 } else { 3 };
            let describe = |one| subject::describe(one, binding.namespace);
            obstacles.push(Obstacle::Subjects(
                binding.subjects.iter().map(describe).collect(),
            ));
        }
        if !binding.namespace.is_empty() && binding.namespace != asked {
            distance += 2;
            obstacles.push(Obstacle::Namespace(binding.namespace.to_owned()));
        }
        let mut nearest = None;
        match self.rules_of(binding.role, binding.namespace) {
            Err(_) => {
                distance += 1;
                obstacles.push(Obstacle::RoleNotFound);
            }
            Ok([]) => {
                distance += 1;
                obstacles.push(Obstacle::RoleEmpty);
            }
            Ok(rules) => {
                let measured = rules
                    .iter()
                    .enumerate()
                    .map(|(index, rule)| (index, rule, mismatches(rule, attributes)));
                if let Some((index, rule, parts)) = measured.min_by_key(|(.., parts)| weigh(parts))
                {
                    nearest = Some(index);
                    distance += weigh(&parts);
                    obstacles.extend(parts.into_iter().map(|part| obstacle(part, rule)));
                }
            }
        }
        let miss = NearMiss {
            binding: binding.describe(),
            role: describe_role(binding.role),
            rule: nearest,
            obstacles,
        };
        (distance, miss)
    }
}

/// A missing or extra prefix, or another case: what people get wrong in names.
fn is_alike(name: &str, attributes: &Attributes<'_>) -> bool {
    let name = name.to_lowercase();
    let mut ours =
        std::iter::once(attributes.user).chain(attributes.groups.iter().map(String::as_str));
    ours.any(|one| {
        let one = one.to_lowercase();
        !one.is_empty() && !name.is_empty() && (one.ends_with(&name) || name.ends_with(&one))
    })
}

fn weigh(parts: &[Part]) -> u32 {
    let weights = parts.iter().map(|part| match part {
        Part::Verb | Part::Name => 1,
        Part::Group | Part::Path => 2,
        Part::Resource => 3,
    });
    weights.sum()
}

fn obstacle(part: Part, rule: &PolicyRule) -> Obstacle {
    match part {
        Part::Verb => Obstacle::Verbs(rule.verbs.clone()),
        Part::Group => Obstacle::ApiGroups(list(&rule.api_groups).to_vec()),
        Part::Resource => Obstacle::Resources(list(&rule.resources).to_vec()),
        Part::Name => Obstacle::ResourceNames(list(&rule.resource_names).to_vec()),
        Part::Path => Obstacle::Paths(list(&rule.non_resource_urls).to_vec()),
    }
}

impl fmt::Display for NearMiss {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "nearest: {} of {}", self.binding, self.role)?;
        if let Some(rule) = self.rule {
            write!(formatter, ", rules[{rule}]")?;
        }
        for (index, obstacle) in self.obstacles.iter().enumerate() {
            write!(
                formatter,
                "{}{obstacle}",
                if index == 0 { ": " } else { "; " }
            )?;
        }
        Ok(())
    }
}

impl fmt::Display for Obstacle {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Subjects(subjects) if subjects.is_empty() => {
                formatter.write_str("it names no subject")
            }
            Self::Subjects(subjects) => write!(formatter, "it is for {}", subjects.join(", ")),
            Self::Namespace(namespace) => {
                write!(formatter, "it holds in namespace {} only", quote(namespace))
            }
            Self::RoleNotFound => formatter.write_str("that role does not exist"),
            Self::RoleEmpty => formatter.write_str("that role has no rules"),
            Self::Verbs(verbs) => write!(formatter, "its verbs are {}", quote_list(verbs)),
            Self::ApiGroups(groups) => {
                write!(formatter, "its API groups are {}", quote_list(groups))
            }
            Self::Resources(resources) => {
                write!(formatter, "its resources are {}", quote_list(resources))
            }
            Self::ResourceNames(names) => {
                write!(formatter, "its resource names are {}", quote_list(names))
            }
            Self::Paths(paths) => write!(formatter, "its paths are {}", quote_list(paths)),
        }
    }
}
