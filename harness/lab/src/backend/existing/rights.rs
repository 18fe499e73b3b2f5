//! What a lab does in a cluster, asked before it does anything.

use futures_util::{StreamExt as _, stream};
use serde_json::json;

use super::ExistingError;
use super::cluster::Cluster;

/// Verbs, group, resource (with its subresource), in every namespace.
pub(super) type Right = (&'static [&'static str], &'static str, &'static str);

const RBAC: &str = "rbac.authorization.k8s.io";
const WRITE: &[&str] = &["get", "create", "update", "delete"];

/// What every lab needs.
pub(super) const NEEDED: &[Right] = &[
    (&["get", "list", "create", "delete"], "", "namespaces"),
    (WRITE, "", "serviceaccounts"),
    (&["create"], "", "serviceaccounts/token"),
    (WRITE, "", "secrets"),
    (WRITE, "", "configmaps"),
    (WRITE, RBAC, "roles"),
    (WRITE, RBAC, "rolebindings"),
    (&["list"], RBAC, "clusterroles"),
    (WRITE, RBAC, "clusterroles"),
    (&["list"], RBAC, "clusterrolebindings"),
    (WRITE, RBAC, "clusterrolebindings"),
    // Scenarios give away rights that the kubeconfig's user may not have.
    (&["bind", "escalate"], RBAC, "clusterroles"),
    (&["bind", "escalate"], RBAC, "roles"),
    (&["impersonate"], "", "users"),
    (&["impersonate"], "", "groups"),
    (&["create"], "authentication.k8s.io", "tokenreviews"),
    (&["create"], "authorization.k8s.io", "subjectaccessreviews"),
];

/// What a lab with providers of its own needs beside that.
pub(super) const PODS: &[Right] = &[
    (&["get", "create"], "", "pods"),
    (&["get", "create"], "", "pods/portforward"),
    (&["get"], "", "pods/log"),
    (&["create"], "", "services"),
];

/// What of this the kubeconfig's user may not do, a line for each resource.
///
/// # Errors
/// When the cluster does not say.
pub(super) async fn missing(
    cluster: &Cluster,
    rights: &[Right],
) -> Result<Vec<String>, ExistingError> {
    // A list first: of a stream with these closures in it the compiler does not see that it may move
    // between threads.
    let mut questions = Vec::new();
    for &(verbs, group, resource) in rights {
        questions.extend(verbs.iter().map(|&verb| async move {
            let allowed = may(cluster, verb, group, resource).await?;
            Ok::<_, ExistingError>((verb, group, resource, allowed))
        }));
    }
    let answers: Vec<_> = stream::iter(questions).buffered(8).collect().await;
    let mut lines: Vec<(String, Vec<&str>)> = Vec::new();
    for answer in answers {
        let (verb, group, resource, allowed) = answer?;
        if allowed {
            continue;
        }
        let what = match group {
            "" => resource.to_owned(),
            group => format!("{resource} of {group}"),
        };
        match lines.iter_mut().find(|(known, _)| *known == what) {
            Some((_, verbs)) => verbs.push(verb),
            None => lines.push((what, vec![verb])),
        }
    }
    let lines = lines.into_iter();
    Ok(lines
        .map(|(what, verbs)| format!("{} {what}", verbs.join(", ")))
        .collect())
}

async fn may(
    cluster: &Cluster,
    verb: &str,
    group: &str,
    resource: &str,
) -> Result<bool, ExistingError> {
    let (resource, subresource) = resource.split_once('/').unwrap_or((resource, ""));
    let review = json!({
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SelfSubjectAccessReview",
        "spec": { "resourceAttributes": {
            "verb": verb, "group": group, "resource": resource, "subresource": subresource,
        }},
    });
    let path = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews";
    let answer = cluster.does("POST", path, Some(&review)).await?;
    Ok(answer["status"]["allowed"] == true)
}
