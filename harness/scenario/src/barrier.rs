//! Waiting until the authorizer has read what was written.
//!
//! A real API server authorizes from informer caches, one watch stream for each of the four RBAC
//! kinds, and each stream keeps the order of writes. Four sentinel objects written last are seen
//! last: once both sentinel bindings grant, everything written before them is in force.

use std::time::Duration;

use authlab_lab::wait::{Look, until};
use serde_json::{Value, json};

use crate::api::{Api, Call};
use crate::fault::Fault;
use crate::objects::RBAC;

const GROUP: &str = "barrier.authlab.dev";
const RESOURCE: &str = "sentinels";
const BOUND: Duration = Duration::from_secs(30);

/// The barrier of one scenario.
#[derive(Debug)]
pub(crate) struct Barrier {
    namespace: String,
    passed: usize,
}

impl Barrier {
    /// A barrier whose namespaced sentinels live in `namespace`.
    pub fn new(namespace: &str) -> Self {
        Self {
            namespace: namespace.to_owned(),
            passed: 0,
        }
    }

    /// Waits until all RBAC objects written so far are in force.
    ///
    /// # Errors
    /// When they are not within half a minute, or the API server refuses a sentinel.
    pub async fn pass(&mut self, api: &Api) -> Result<(), Fault> {
        self.passed += 1;
        // The namespace's name is unique in the cluster, so this one is too.
        let name = format!("authlab-barrier-{}-{}", self.namespace, self.passed);
        let v1 = format!("/apis/{RBAC}/v1");
        let here = format!("{v1}/namespaces/{}", self.namespace);
        for (kind, path) in [("Role", &here), ("ClusterRole", &v1)] {
            let role = format!("{path}/{}s", kind.to_lowercase());
            let binding = format!("{path}/{}bindings", kind.to_lowercase());
            api.admin_does(Call::post(&role, &grant(kind, &name)))
                .await?;
            api.admin_does(Call::post(&binding, &bind(kind, &name)))
                .await?;
        }
        for namespace in [Some(self.namespace.as_str()), None] {
            let review = question(&name, namespace);
            until("RBAC objects to be in force", BOUND, || async {
                let path = "/apis/authorization.k8s.io/v1/subjectaccessreviews";
                match api.admin_does(Call::post(path, &review)).await {
                    Ok(answer) if answer["status"]["allowed"] == true => Look::Ready(()),
                    Ok(_) => Look::NotYet("the sentinel binding does not grant yet".to_owned()),
                    Err(fault) => Look::Failed(fault.to_string()),
                }
            })
            .await?;
        }
        for kind in ["clusterrolebindings", "clusterroles"] {
            let path = format!("{v1}/{kind}/{name}");
            api.admin_does(Call::new(reqwest::Method::DELETE, &path, None))
                .await?;
        }
        Ok(())
    }
}

fn grant(kind: &str, name: &str) -> Value {
    // Each pair grants its own verb, so that one cannot answer for the other.
    json!({
        "apiVersion": format!("{RBAC}/v1"),
        "kind": kind,
        "metadata": { "name": name },
        "rules": [{ "apiGroups": [GROUP], "resources": [RESOURCE], "verbs": [verb(kind == "Role")] }],
    })
}

fn bind(kind: &str, name: &str) -> Value {
    json!({
        "apiVersion": format!("{RBAC}/v1"),
        "kind": format!("{kind}Binding"),
        "metadata": { "name": name },
        "roleRef": { "apiGroup": RBAC, "kind": kind, "name": name },
        "subjects": [{ "apiGroup": RBAC, "kind": "User", "name": name }],
    })
}

fn verb(namespaced: bool) -> &'static str {
    if namespaced { "get" } else { "list" }
}

fn question(name: &str, namespace: Option<&str>) -> Value {
    json!({
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SubjectAccessReview",
        "spec": {
            "user": name,
            "resourceAttributes": {
                "group": GROUP,
                "resource": RESOURCE,
                "verb": verb(namespace.is_some()),
                "namespace": namespace.unwrap_or_default(),
            },
        },
    })
}
