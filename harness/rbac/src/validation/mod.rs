//! What the API server checks when RBAC objects are written, in its words and order.
//!
//! Source: Kubernetes API reference, group `rbac.authorization.k8s.io/v1`; texts and order as a
//! kube-apiserver 1.36 answers. Of `metadata` only the name is checked here: the rest (labels,
//! annotations, owner references) is alike for every kind of object.

mod field;
pub mod names;

use k8s_openapi::api::rbac::v1::{
    ClusterRole, ClusterRoleBinding, PolicyRule, Role, RoleBinding, RoleRef, Subject,
};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;

pub use field::{FieldError, FieldErrorKind, invalid_message};

use crate::matching::list;

const GROUP: &str = "rbac.authorization.k8s.io";

/// Checks a Role.
#[must_use]
pub fn validate_role(role: &Role) -> Vec<FieldError> {
    let mut errors = name(&role.metadata);
    errors.extend(rules(role.rules.as_deref(), true));
    errors
}

/// Checks a ClusterRole.
#[must_use]
pub fn validate_cluster_role(role: &ClusterRole) -> Vec<FieldError> {
    let mut errors = name(&role.metadata);
    errors.extend(rules(role.rules.as_deref(), false));
    let Some(aggregation) = &role.aggregation_rule else {
        return errors;
    };
    let selectors = aggregation
        .cluster_role_selectors
        .as_deref()
        .unwrap_or_default();
    if selectors.is_empty() {
        errors.push(FieldError::required(
            "aggregationRule.clusterRoleSelectors",
            "at least one clusterRoleSelector required if aggregationRule is non-nil",
        ));
    }
    for (index, selector) in selectors.iter().enumerate() {
        let path = format!("aggregationRule.clusterRoleSelectors[{index}]");
        let wrong = names::label_selector(selector, &path);
        if !wrong.is_empty() {
            errors.extend(wrong);
            errors.push(FieldError::invalid_json(
                path,
                "null".to_owned(),
                "invalid label selector.",
            ));
        }
    }
    errors
}

/// Checks a RoleBinding, with [`default_binding`] already applied.
#[must_use]
pub fn validate_role_binding(binding: &RoleBinding) -> Vec<FieldError> {
    let mut errors = name(&binding.metadata);
    errors.extend(role_ref(&binding.role_ref, &["Role", "ClusterRole"]));
    errors.extend(subjects(binding.subjects.as_deref(), true));
    errors
}

/// Checks a ClusterRoleBinding, with [`default_binding`] already applied.
#[must_use]
pub fn validate_cluster_role_binding(binding: &ClusterRoleBinding) -> Vec<FieldError> {
    let mut errors = name(&binding.metadata);
    errors.extend(role_ref(&binding.role_ref, &["ClusterRole"]));
    errors.extend(subjects(binding.subjects.as_deref(), false));
    errors
}

/// Checks the change of a binding's role, which is fixed for its life.
#[must_use]
pub fn validate_role_ref_update(new: &RoleRef, old: &RoleRef) -> Vec<FieldError> {
    if new == old {
        return Vec::new();
    }
    let [group, kind, name] = [
        new.api_group.as_deref().unwrap_or_default(),
        &new.kind,
        &new.name,
    ]
    .map(json);
    let printed = format!("{{\"APIGroup\":{group},\"Kind\":{kind},\"Name\":{name}}}");
    vec![FieldError::invalid_json(
        "roleRef",
        printed,
        "cannot change roleRef",
    )]
}

/// Fills in the API groups that a binding may leave out, as the server does before it checks.
pub fn default_binding(role: &mut RoleRef, subjects: Option<&mut Vec<Subject>>) {
    let fill = |group: &mut Option<String>| {
        if group.as_deref().unwrap_or_default().is_empty() {
            *group = Some(GROUP.to_owned());
        }
    };
    fill(&mut role.api_group);
    let people = subjects
        .into_iter()
        .flatten()
        .filter(|subject| matches!(subject.kind.as_str(), "User" | "Group"));
    people.for_each(|subject| fill(&mut subject.api_group));
}

fn name(metadata: &ObjectMeta) -> Vec<FieldError> {
    let field = "metadata.name";
    match metadata.name.as_deref().unwrap_or_default() {
        "" => vec![FieldError::required(
            field,
            "name or generateName is required",
        )],
        name => names::path_segment(name)
            .into_iter()
            .map(|wrong| FieldError::invalid(field, name, wrong))
            .collect(),
    }
}

fn rules(rules: Option<&[PolicyRule]>, namespaced: bool) -> Vec<FieldError> {
    let rules = rules.unwrap_or_default().iter().enumerate();
    rules
        .flat_map(|(index, one)| rule(one, namespaced, &format!("rules[{index}]")))
        .collect()
}

fn rule(rule: &PolicyRule, namespaced: bool, path: &str) -> Vec<FieldError> {
    let mut errors = Vec::new();
    if rule.verbs.is_empty() {
        errors.push(FieldError::required(
            format!("{path}.verbs"),
            "verbs must contain at least one value",
        ));
    }
    let [groups, resources, names, urls] = [
        &rule.api_groups,
        &rule.resources,
        &rule.resource_names,
        &rule.non_resource_urls,
    ]
    .map(list);
    if !urls.is_empty() {
        let mut invalid = |detail: &str| {
            let printed: Vec<String> = urls.iter().map(|url| json(url)).collect();
            let field = format!("{path}.nonResourceURLs");
            errors.push(FieldError::invalid_json(
                field,
                format!("[{}]", printed.join(",")),
                detail,
            ));
        };
        if namespaced {
            invalid("namespaced rules cannot apply to non-resource URLs");
        }
        if !(groups.is_empty() && resources.is_empty() && names.is_empty()) {
            invalid("rules cannot apply to both regular resources and non-resource URLs");
        }
        return errors;
    }
    if groups.is_empty() {
        let detail = "resource rules must supply at least one api group";
        errors.push(FieldError::required(format!("{path}.apiGroups"), detail));
    }
    if resources.is_empty() {
        let detail = "resource rules must supply at least one resource";
        errors.push(FieldError::required(format!("{path}.resources"), detail));
    }
    errors
}

fn role_ref(role: &RoleRef, kinds: &[&str]) -> Vec<FieldError> {
    let mut errors = Vec::new();
    let group = role.api_group.as_deref().unwrap_or_default();
    if group != GROUP {
        errors.push(FieldError::unsupported("roleRef.apiGroup", group, &[GROUP]));
    }
    if !kinds.contains(&role.kind.as_str()) {
        errors.push(FieldError::unsupported("roleRef.kind", &role.kind, kinds));
    }
    if role.name.is_empty() {
        errors.push(FieldError::required("roleRef.name", ""));
    }
    let wrong = names::path_segment(&role.name).into_iter();
    errors.extend(wrong.map(|wrong| FieldError::invalid("roleRef.name", &role.name, wrong)));
    errors
}

fn subjects(subjects: Option<&[Subject]>, namespaced: bool) -> Vec<FieldError> {
    let subjects = subjects.unwrap_or_default().iter().enumerate();
    subjects
        .flat_map(|(index, one)| subject(one, namespaced, &format!("subjects[{index}]")))
        .collect()
}

fn subject(subject: &Subject, namespaced: bool, path: &str) -> Vec<FieldError> {
    let mut errors = Vec::new();
    let name = format!("{path}.name");
    if subject.name.is_empty() {
        errors.push(FieldError::required(&name, ""));
    }
    let group = subject.api_group.as_deref().unwrap_or_default();
    match subject.kind.as_str() {
        "ServiceAccount" => {
            if !subject.name.is_empty() {
                let wrong = names::subdomain(&subject.name, "characters").into_iter();
                errors.extend(wrong.map(|wrong| FieldError::invalid(&name, &subject.name, wrong)));
            }
            if !group.is_empty() {
                errors.push(FieldError::unsupported(
                    format!("{path}.apiGroup"),
                    group,
                    &[""],
                ));
            }
            if !namespaced && subject.namespace.as_deref().unwrap_or_default().is_empty() {
                errors.push(FieldError::required(format!("{path}.namespace"), ""));
            }
        }
        "User" | "Group" => {
            if group != GROUP {
                errors.push(FieldError::unsupported(
                    format!("{path}.apiGroup"),
                    group,
                    &[GROUP],
                ));
            }
        }
        kind => {
            errors.push(FieldError::unsupported(
                format!("{path}.kind"),
                kind,
                &["ServiceAccount", "User", "Group"],
            ));
        }
    }
    errors
}

/// A string as Go's JSON encoder writes it: what HTML gives a meaning is escaped.
fn json(text: &str) -> String {
    let plain = serde_json::Value::from(text).to_string();
    plain
        .replace('<', "\\u003c")
        .replace('>', "\\u003e")
        .replace('&', "\\u0026")
}
