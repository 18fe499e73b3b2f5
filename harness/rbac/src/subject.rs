//! Subjects of bindings: whom they name.

use k8s_openapi::api::rbac::v1::Subject;

use authlab_pki::quote::quote;

/// Whether `subject` names the user or one of the groups.
///
/// A service account without a namespace means the binding's own in a RoleBinding, and nobody in a
/// ClusterRoleBinding (`namespace` is `""`).
///
/// Source: Kubernetes docs, "Using RBAC Authorization", section "Referring to subjects".
pub(crate) fn applies(subject: &Subject, user: &str, groups: &[String], namespace: &str) -> bool {
    match subject.kind.as_str() {
        "User" => subject.name == user,
        "Group" => groups.contains(&subject.name),
        "ServiceAccount" => {
            let own = namespace_of(subject, namespace);
            let account = user
                .strip_prefix("system:serviceaccount:")
                .and_then(|rest| rest.split_once(':'));
            !own.is_empty() && account == Some((own, subject.name.as_str()))
        }
        _ => false,
    }
}

/// `User "jane"`; a service account as `ServiceAccount "name/namespace"`.
pub(crate) fn describe(subject: &Subject, namespace: &str) -> String {
    let name = match subject.kind.as_str() {
        "ServiceAccount" => format!("{}/{}", subject.name, namespace_of(subject, namespace)),
        _ => subject.name.clone(),
    };
    format!("{} {}", subject.kind, quote(&name))
}

fn namespace_of<'a>(subject: &'a Subject, binding: &'a str) -> &'a str {
    match subject.namespace.as_deref() {
        None | Some("") => binding,
        Some(namespace) => namespace,
    }
}
