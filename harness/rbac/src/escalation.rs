//! Escalation prevention: nobody grants what they do not hold.
//!
//! Source: Kubernetes docs, "Using RBAC Authorization", section "Privilege escalation prevention
//! and bootstrapping". The texts are the `error` half of the server's 403, which prefixes them with
//! `roles.rbac.authorization.k8s.io "x" is forbidden: `.

use k8s_openapi::api::rbac::v1::{
    ClusterRole, ClusterRoleBinding, PolicyRule, Role, RoleBinding, RoleRef,
};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;

use thiserror::Error;

use crate::attributes::{Attributes, Target};
use crate::cover;
use crate::policy::{Missing, Policy, join_errors};
use authlab_pki::quote::{quote, quote_list};

/// Why a binding may not be written; displays as the text of the answer.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum BindingError {
    /// The role grants what the user does not hold: the text for the 403.
    #[error("{0}")]
    Escalation(String),
    /// The role does not exist, so that its rights are unknown: the message of the 404.
    #[error("{0}")]
    RoleNotFound(String),
    /// The reference lacks its name, or names a Role at cluster scope: the message of the 400.
    #[error("{0}")]
    BadReference(&'static str),
    /// The reference is to something that is no role: the message of the 500.
    #[error("unsupported role reference kind: {}", quote(.0))]
    UnsupportedKind(String),
}

impl BindingError {
    /// The HTTP status of the answer.
    #[must_use]
    pub fn code(&self) -> u16 {
        match self {
            Self::Escalation(_) => 403,
            Self::RoleNotFound(_) => 404,
            Self::BadReference(_) => 400,
            Self::UnsupportedKind(_) => 500,
        }
    }
}

/// The API group of all RBAC objects.
const GROUP: &str = "rbac.authorization.k8s.io";

/// Whether the user may create a role with `rules`: in `namespace` a Role, with `""` a ClusterRole
/// (without an aggregation rule: see [`check_cluster_role`]).
///
/// # Errors
/// The text for the 403.
pub fn check_role(
    policy: &Policy,
    user: &str,
    groups: &[String],
    rules: &[PolicyRule],
    namespace: &str,
) -> Result<(), String> {
    let writer = Writer {
        policy,
        user,
        groups,
        namespace,
        resource: role_resource(namespace),
    };
    if writer.may_escalate(None) {
        Ok(())
    } else {
        writer.holds(rules)
    }
}

/// Whether the user may write `new`, over `old` if that exists.
///
/// # Errors
/// The text for the 403.
pub fn check_namespaced_role(
    policy: &Policy,
    user: &str,
    groups: &[String],
    new: &Role,
    old: Option<&Role>,
) -> Result<(), String> {
    let namespace = new.metadata.namespace.as_deref().unwrap_or_default();
    let writer = Writer {
        policy,
        user,
        groups,
        namespace,
        resource: "roles",
    };
    let collected = |old: &Role| {
        &Role {
            metadata: with_gc_fields(&new.metadata, &old.metadata),
            ..new.clone()
        } == old
    };
    if writer.may_escalate(old.map(|old| &old.metadata)) || old.is_some_and(collected) {
        return Ok(());
    }
    writer.holds(new.rules.as_deref().unwrap_or_default())
}

/// Whether the user may write `new`, over `old` if that exists. An aggregation rule, new or old,
/// needs every right there is.
///
/// # Errors
/// The text for the 403.
pub fn check_cluster_role(
    policy: &Policy,
    user: &str,
    groups: &[String],
    new: &ClusterRole,
    old: Option<&ClusterRole>,
) -> Result<(), String> {
    let writer = Writer {
        policy,
        user,
        groups,
        namespace: "",
        resource: "clusterroles",
    };
    let collected = |old: &ClusterRole| {
        &ClusterRole {
            metadata: with_gc_fields(&new.metadata, &old.metadata),
            ..new.clone()
        } == old
    };
    if writer.may_escalate(old.map(|old| &old.metadata)) || old.is_some_and(collected) {
        return Ok(());
    }
    writer.holds(new.rules.as_deref().unwrap_or_default())?;
    if aggregates(new) || old.is_some_and(aggregates) {
        writer.holds(&everything()).map_err(|_| {
            "must have cluster-admin privileges to use the aggregationRule".to_owned()
        })?;
    }
    Ok(())
}

/// Whether the user may create a binding to `role`: in `namespace` a RoleBinding, with `""` a
/// ClusterRoleBinding.
///
/// # Errors
/// See [`BindingError`].
pub fn check_binding(
    policy: &Policy,
    user: &str,
    groups: &[String],
    role: &RoleRef,
    namespace: &str,
) -> Result<(), BindingError> {
    let resource = if namespace.is_empty() {
        "clusterrolebindings"
    } else {
        "rolebindings"
    };
    let writer = Writer {
        policy,
        user,
        groups,
        namespace,
        resource,
    };
    if writer.may_bind(role) {
        return Ok(());
    }
    // The role is looked up before the binding is validated: these answers come first.
    match role.kind.as_str() {
        "Role" | "ClusterRole" if role.name.is_empty() => {
            return Err(BindingError::BadReference("Name parameter required."));
        }
        "Role" if namespace.is_empty() => {
            return Err(BindingError::BadReference("Namespace parameter required."));
        }
        "Role" | "ClusterRole" => {}
        kind => return Err(BindingError::UnsupportedKind(kind.to_owned())),
    }
    let missing = |missing: Missing<'_>| BindingError::RoleNotFound(missing.when_writing(resource));
    let rules = policy.rules_of(role, namespace).map_err(missing)?;
    writer.holds(rules).map_err(BindingError::Escalation)
}

/// Whether the user may replace `old` by `new`: as for a new one, but a change of owner references
/// or finalizers alone is free.
///
/// # Errors
/// See [`BindingError`].
pub fn check_role_binding_update(
    policy: &Policy,
    user: &str,
    groups: &[String],
    new: &RoleBinding,
    old: &RoleBinding,
) -> Result<(), BindingError> {
    if &(RoleBinding {
        metadata: with_gc_fields(&new.metadata, &old.metadata),
        ..new.clone()
    }) == old
    {
        return Ok(());
    }
    check_binding(
        policy,
        user,
        groups,
        &new.role_ref,
        new.metadata.namespace.as_deref().unwrap_or_default(),
    )
}

/// As [`check_role_binding_update`], for a ClusterRoleBinding.
///
/// # Errors
/// See [`BindingError`].
pub fn check_cluster_role_binding_update(
    policy: &Policy,
    user: &str,
    groups: &[String],
    new: &ClusterRoleBinding,
    old: &ClusterRoleBinding,
) -> Result<(), BindingError> {
    if &(ClusterRoleBinding {
        metadata: with_gc_fields(&new.metadata, &old.metadata),
        ..new.clone()
    }) == old
    {
        return Ok(());
    }
    check_binding(policy, user, groups, &new.role_ref, "")
}

/// Who writes what where.
#[derive(Clone, Copy)]
struct Writer<'a> {
    policy: &'a Policy,
    user: &'a str,
    groups: &'a [String],
    /// `""` at cluster scope.
    namespace: &'a str,
    /// The plural name of what is written.
    resource: &'a str,
}

impl Writer<'_> {
    /// Whether the rules that apply to the user here cover `wanted`.
    fn holds(self, wanted: &[PolicyRule]) -> Result<(), String> {
        let mut owned = Vec::new();
        let mut errors = Vec::new();
        for grant in self.policy.grants(self.user, self.groups, self.namespace) {
            match grant.rules {
                Ok(rules) => owned.extend_from_slice(rules),
                Err(missing) => errors.push(missing.when_writing(self.resource)),
            }
        }
        let lacking = cover::uncovered(&owned, wanted);
        if lacking.is_empty() {
            return Ok(());
        }
        let errors = join_errors(errors).map_or_else(String::new, |errors| {
            format!("; resolution errors: [{errors}]")
        });
        Err(format!(
            "user {} (groups={}) is attempting to grant RBAC permissions not currently held:\n{}{errors}",
            quote(self.user),
            quote_list(self.groups),
            cover::describe(lacking),
        ))
    }

    /// The verb `escalate` on the role being written; one that is being created has no name yet.
    fn may_escalate(self, old: Option<&ObjectMeta>) -> bool {
        let name = old.and_then(|old| old.name.as_deref()).unwrap_or_default();
        self.may("escalate", GROUP, self.resource, name)
    }

    /// The verb `bind` on the role that the binding refers to.
    fn may_bind(self, role: &RoleRef) -> bool {
        let resource = match role.kind.as_str() {
            "ClusterRole" => "clusterroles",
            "Role" => "roles",
            _ => return false,
        };
        self.may(
            "bind",
            role.api_group.as_deref().unwrap_or_default(),
            resource,
            &role.name,
        )
    }

    fn may(self, verb: &str, group: &str, resource: &str, name: &str) -> bool {
        let target = Target::Resource {
            group,
            resource,
            subresource: "",
            namespace: self.namespace,
            name,
        };
        let attributes = Attributes {
            user: self.user,
            groups: self.groups,
            verb,
            target,
        };
        self.policy.authorize(&attributes).allowed
    }
}

fn role_resource(namespace: &str) -> &'static str {
    if namespace.is_empty() {
        "clusterroles"
    } else {
        "roles"
    }
}

fn aggregates(role: &ClusterRole) -> bool {
    let selectors = role
        .aggregation_rule
        .as_ref()
        .and_then(|rule| rule.cluster_role_selectors.as_ref());
    selectors.is_some_and(|selectors| !selectors.is_empty())
}

fn everything() -> [PolicyRule; 2] {
    let star = || Some(vec!["*".to_owned()]);
    let verbs = || vec!["*".to_owned()];
    [
        PolicyRule {
            verbs: verbs(),
            api_groups: star(),
            resources: star(),
            ..PolicyRule::default()
        },
        PolicyRule {
            verbs: verbs(),
            non_resource_urls: star(),
            ..PolicyRule::default()
        },
    ]
}

/// `new` with the fields that garbage collection writes taken from `old`: what is left to compare
/// is what the writer meant.
fn with_gc_fields(new: &ObjectMeta, old: &ObjectMeta) -> ObjectMeta {
    ObjectMeta {
        owner_references: old.owner_references.clone(),
        finalizers: old.finalizers.clone(),
        self_link: old.self_link.clone(),
        managed_fields: old.managed_fields.clone(),
        ..new.clone()
    }
}
