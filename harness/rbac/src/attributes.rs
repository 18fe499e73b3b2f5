//! What is asked of the authorizer, and what it answers.

use serde::{Deserialize, Serialize};

use authlab_pki::quote::quote;

/// One request, as the authorizer sees it. Empty strings stand for what is absent.
///
/// Source: Kubernetes docs, "Authorization", section "Request attributes used in authorization".
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Attributes<'a> {
    /// The user name.
    pub user: &'a str,
    /// The user's groups, `system:authenticated` included where it applies.
    pub groups: &'a [String],
    /// `get`, `list`, `create`, ... for resources, the lower-case HTTP method for paths.
    pub verb: &'a str,
    /// What the verb is about.
    pub target: Target<'a>,
}

/// The object of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Target<'a> {
    /// An API resource.
    Resource {
        /// The API group, `""` for the core group.
        group: &'a str,
        /// The plural resource name.
        resource: &'a str,
        /// The subresource, `""` when none.
        subresource: &'a str,
        /// The namespace, `""` for cluster scope (and for "all namespaces").
        namespace: &'a str,
        /// The object's name, `""` when the request has none (`list`, `create`).
        name: &'a str,
    },
    /// A URL path outside the resource API, such as `/healthz`.
    Path(&'a str),
}

impl Target<'_> {
    /// The namespace whose role bindings apply, `""` for none.
    #[must_use]
    pub fn namespace(&self) -> &str {
        match self {
            Target::Resource { namespace, .. } => namespace,
            Target::Path(_) => "",
        }
    }

    /// `pods`, or `pods/log`; empty for a path.
    #[must_use]
    pub fn combined_resource(&self) -> String {
        match self {
            Target::Resource {
                resource,
                subresource: "",
                ..
            } => (*resource).to_owned(),
            Target::Resource {
                resource,
                subresource,
                ..
            } => format!("{resource}/{subresource}"),
            Target::Path(_) => String::new(),
        }
    }
}

/// The authorizer's answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Decision {
    /// Whether the request may proceed.
    pub allowed: bool,
    /// The text of `status.reason` in a SubjectAccessReview. Empty for members of
    /// `system:masters` and for a plain refusal.
    pub reason: String,
}

/// The `message` of the 403 Status for a refused request; `reason` is [`Decision::reason`].
///
/// The request half is made safe for HTML (`&`, `<`, `>`), the reason is not: as the server does.
#[must_use]
pub fn forbidden_message(attributes: &Attributes<'_>, reason: &str) -> String {
    let Attributes {
        user, verb, target, ..
    } = attributes;
    let user = quote(user);
    let (what, refused) = match target {
        Target::Path(path) => (
            String::new(),
            format!("User {user} cannot {verb} path {}", quote(path)),
        ),
        Target::Resource {
            group,
            resource,
            namespace,
            name,
            ..
        } => {
            let scope = match *namespace {
                "" => "at the cluster scope".to_owned(),
                namespace => format!("in the namespace {}", quote(namespace)),
            };
            let refused = format!(
                "User {user} cannot {verb} resource {} in API group {} {scope}",
                quote(&target.combined_resource()),
                quote(group),
            );
            (qualified(group, resource, name), refused)
        }
    };
    let refused = refused
        .replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;");
    let reason = if reason.is_empty() {
        String::new()
    } else {
        format!(": {reason}")
    };
    format!("{what}forbidden: {refused}{reason}")
}

/// `pods is `, `roles.rbac.authorization.k8s.io "x" is `, or nothing.
fn qualified(group: &str, resource: &str, name: &str) -> String {
    if resource.is_empty() {
        return String::new();
    }
    let dot = if group.is_empty() { "" } else { "." };
    let name = if name.is_empty() {
        String::new()
    } else {
        format!(" {}", quote(name))
    };
    format!("{resource}{dot}{group}{name} is ")
}
