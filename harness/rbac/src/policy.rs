//! The authorizer: which bindings apply to a request, and the first rule that grants it.

use k8s_openapi::api::rbac::v1::{
    ClusterRole, ClusterRoleBinding, PolicyRule, Role, RoleBinding, RoleRef, Subject,
};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;

use crate::attributes::{Attributes, Decision};
use crate::matching::rule_allows;
use crate::subject;
use authlab_pki::quote::quote;

/// The group that is allowed everything, ahead of RBAC.
pub const SYSTEM_MASTERS: &str = "system:masters";

/// The RBAC objects of a cluster at one moment.
///
/// Where several bindings grant the same request the reason names the first one in the order of
/// these lists (a real server keeps no order: any of them).
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Policy {
    /// All ClusterRoles, aggregated ones with their rules already filled in
    /// (see [`aggregate_all`](crate::aggregate_all)).
    pub cluster_roles: Vec<ClusterRole>,
    /// All ClusterRoleBindings.
    pub cluster_role_bindings: Vec<ClusterRoleBinding>,
    /// The Roles of all namespaces.
    pub roles: Vec<Role>,
    /// The RoleBindings of all namespaces.
    pub role_bindings: Vec<RoleBinding>,
}

/// A binding of either kind, by what they share.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Binding<'a> {
    /// `""` for a ClusterRoleBinding.
    pub namespace: &'a str,
    pub name: &'a str,
    pub role: &'a RoleRef,
    pub subjects: &'a [Subject],
    /// Whether it came with the server (`kubernetes.io/bootstrapping`).
    pub bootstrapped: bool,
}

/// A binding that applies to a user, with the subject that makes it apply.
pub(crate) struct Grant<'a> {
    pub binding: Binding<'a>,
    pub subject: &'a Subject,
    /// The rules of the role.
    pub rules: Result<&'a [PolicyRule], Missing<'a>>,
}

impl Policy {
    /// Decides one request: `system:masters` first, then the ClusterRoleBindings, then the
    /// RoleBindings of the request's namespace; the first rule that matches allows.
    ///
    /// Source: Kubernetes docs, "Using RBAC Authorization"; the reason text as a
    /// SubjectAccessReview of Kubernetes 1.36 shows it.
    #[must_use]
    pub fn authorize(&self, attributes: &Attributes<'_>) -> Decision {
        if attributes
            .groups
            .iter()
            .any(|group| group == SYSTEM_MASTERS)
        {
            return Decision {
                allowed: true,
                reason: String::new(),
            };
        }
        let mut errors = Vec::new();
        for grant in self.grants(
            attributes.user,
            attributes.groups,
            attributes.target.namespace(),
        ) {
            match grant.rules {
                Ok(rules) if rules.iter().any(|rule| rule_allows(rule, attributes)) => {
                    let binding = &grant.binding;
                    let reason = format!(
                        "RBAC: allowed by {} of {} to {}",
                        binding.describe(),
                        describe_role(binding.role),
                        subject::describe(grant.subject, binding.namespace),
                    );
                    return Decision {
                        allowed: true,
                        reason,
                    };
                }
                Ok(_) => {}
                Err(missing) => errors.push(missing.when_reviewed()),
            }
        }
        let reason =
            join_errors(errors).map_or_else(String::new, |errors| format!("RBAC: {errors}"));
        Decision {
            allowed: false,
            reason,
        }
    }

    /// Every binding that applies to the user in `namespace` (`""`: cluster scope only), in the
    /// order of evaluation.
    pub(crate) fn grants<'a>(
        &'a self,
        user: &'a str,
        groups: &'a [String],
        namespace: &'a str,
    ) -> impl Iterator<Item = Grant<'a>> {
        self.bindings()
            .filter(move |binding| binding.namespace.is_empty() || binding.namespace == namespace)
            .filter_map(move |binding| {
                let mut subjects = binding.subjects.iter();
                let subject =
                    subjects.find(|one| subject::applies(one, user, groups, binding.namespace))?;
                Some(Grant {
                    binding,
                    subject,
                    rules: self.rules_of(binding.role, binding.namespace),
                })
            })
    }

    /// All bindings of all namespaces, cluster-wide ones first.
    pub(crate) fn bindings(&self) -> impl Iterator<Item = Binding<'_>> {
        let cluster = self.cluster_role_bindings.iter().map(|one| Binding {
            namespace: "",
            ..Binding::new(&one.metadata, &one.role_ref, &one.subjects)
        });
        let namespaced = self
            .role_bindings
            .iter()
            .map(|one| Binding::new(&one.metadata, &one.role_ref, &one.subjects));
        cluster.chain(namespaced.filter(|one| !one.namespace.is_empty()))
    }

    /// The rules of the role that a binding in `namespace` refers to.
    pub(crate) fn rules_of<'a>(
        &'a self,
        role: &'a RoleRef,
        namespace: &str,
    ) -> Result<&'a [PolicyRule], Missing<'a>> {
        let named = |name: &Option<String>| name.as_deref() == Some(role.name.as_str());
        let rules = match role.kind.as_str() {
            "Role" => {
                let here = |one: &&Role| {
                    named(&one.metadata.name)
                        && one.metadata.namespace.as_deref() == Some(namespace)
                };
                self.roles.iter().find(here).map(|one| &one.rules)
            }
            "ClusterRole" => self
                .cluster_roles
                .iter()
                .find(|one| named(&one.metadata.name))
                .map(|one| &one.rules),
            _ => None,
        };
        rules
            .map(|rules| rules.as_deref().unwrap_or_default())
            .ok_or(Missing(role))
    }
}

/// A reference to a role that does not exist.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Missing<'a>(&'a RoleRef);

impl Missing<'_> {
    /// As a SubjectAccessReview words it: by the kind of the role.
    pub(crate) fn when_reviewed(self) -> String {
        self.print(&self.0.kind.to_ascii_lowercase())
    }

    /// As the answer to a write words it: by the resource being *written*, whatever is missing.
    pub(crate) fn when_writing(self, resource: &str) -> String {
        self.print(resource)
    }

    fn print(self, resource: &str) -> String {
        match self.0.kind.as_str() {
            "Role" | "ClusterRole" => {
                format!(
                    "{resource}.rbac.authorization.k8s.io {} not found",
                    quote(&self.0.name)
                )
            }
            kind => format!("unsupported role reference kind: {}", quote(kind)),
        }
    }
}

impl<'a> Binding<'a> {
    fn new(
        metadata: &'a ObjectMeta,
        role: &'a RoleRef,
        subjects: &'a Option<Vec<Subject>>,
    ) -> Self {
        let labels = metadata.labels.iter().flatten();
        Binding {
            namespace: metadata.namespace.as_deref().unwrap_or_default(),
            name: metadata.name.as_deref().unwrap_or_default(),
            role,
            subjects: subjects.as_deref().unwrap_or_default(),
            bootstrapped: labels
                .into_iter()
                .any(|(key, _)| key == "kubernetes.io/bootstrapping"),
        }
    }

    /// `ClusterRoleBinding "b"`, or `RoleBinding "b/ns"`.
    pub(crate) fn describe(&self) -> String {
        match self.namespace {
            "" => format!("ClusterRoleBinding {}", quote(self.name)),
            namespace => format!(
                "RoleBinding {}",
                quote(&format!("{}/{namespace}", self.name))
            ),
        }
    }
}

/// `ClusterRole "view"`.
pub(crate) fn describe_role(role: &RoleRef) -> String {
    format!("{} {}", role.kind, quote(&role.name))
}

/// Several errors as the server prints them: repeated ones once, more than one in brackets.
pub(crate) fn join_errors(mut errors: Vec<String>) -> Option<String> {
    let mut seen = std::collections::BTreeSet::new();
    errors.retain(|error| seen.insert(error.clone()));
    match errors.len() {
        0 => None,
        1 => errors.pop(),
        _ => Some(format!("[{}]", errors.join(", "))),
    }
}
