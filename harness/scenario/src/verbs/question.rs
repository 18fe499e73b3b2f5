//! A question to the authorizer: may somebody do something?

use serde_json::{Value, json};

use super::denial::Gate;
use crate::api::{Api, Call};
use crate::context::Context;
use crate::credential::Credential;
use crate::fault::Fault;
use crate::nearest::nearest;
use crate::reproduce;

/// One question to the authorizer.
#[derive(Debug, Clone)]
pub(super) struct Question {
    pub verb: String,
    pub target: Target,
}

/// What a question is about.
#[derive(Debug, Clone)]
pub(super) enum Target {
    Path(String),
    Resource {
        /// `pods` or `deployments.apps`.
        resource: String,
        subresource: Option<String>,
        name: Option<String>,
        namespace: Option<String>,
    },
}

/// What the authorizer answered.
pub(super) enum Answered {
    Allowed(String),
    Denied(String),
    /// The asker itself was refused.
    Refused(&'static str, String),
}

impl Question {
    fn attributes(&self) -> (&'static str, Value) {
        match &self.target {
            Target::Path(path) => (
                "nonResourceAttributes",
                json!({ "verb": self.verb, "path": path }),
            ),
            Target::Resource {
                resource,
                subresource,
                name,
                namespace,
            } => {
                let (resource, group) = resource.split_once('.').unwrap_or((resource, ""));
                let given = |text: &Option<String>| text.clone().unwrap_or_default();
                let attributes = json!({
                    "verb": self.verb,
                    "group": group,
                    "resource": resource,
                    "subresource": given(subresource),
                    "name": given(name),
                    "namespace": given(namespace),
                });
                ("resourceAttributes", attributes)
            }
        }
    }

    /// The arguments of `kubectl auth can-i`.
    pub fn can_i(&self) -> String {
        match &self.target {
            Target::Path(path) => format!("{} {}", self.verb, reproduce::quote(path)),
            Target::Resource {
                resource,
                subresource,
                name,
                namespace,
            } => {
                let mut out = format!("{} {resource}", self.verb);
                if let Some(name) = name {
                    out.push_str(&format!("/{name}"));
                }
                if let Some(subresource) = subresource {
                    out.push_str(&format!(" --subresource={subresource}"));
                }
                match namespace {
                    Some(namespace) => out.push_str(&format!(" -n {namespace}")),
                    None => out.push_str(" -A"),
                }
                out
            }
        }
    }

    /// Asks with `credential` for itself.
    pub async fn ask_self(
        &self,
        context: &Context<'_>,
        credential: &Credential,
    ) -> Result<Answered, Fault> {
        let (kind, attributes) = self.attributes();
        let body = json!({
            "apiVersion": "authorization.k8s.io/v1",
            "kind": "SelfSubjectAccessReview",
            "spec": { kind: attributes },
        });
        let path = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews";
        let answer = context
            .api
            .send(credential, Call::post(path, &body))
            .await?;
        Ok(match Gate::of(answer, credential, context).await? {
            Gate::Open(review) => answered(&review),
            Gate::Unauthorized(words) => Answered::Refused("unauthorized", words),
            Gate::Forbidden(words) => Answered::Refused("forbidden to ask", words),
        })
    }

    /// Asks, as the administrator, for a user and groups.
    pub async fn ask_for(
        &self,
        api: &Api,
        user: &str,
        groups: &[String],
    ) -> Result<Answered, Fault> {
        let (kind, attributes) = self.attributes();
        let body = json!({
            "apiVersion": "authorization.k8s.io/v1",
            "kind": "SubjectAccessReview",
            "spec": { "user": user, "groups": groups, kind: attributes },
        });
        let path = "/apis/authorization.k8s.io/v1/subjectaccessreviews";
        Ok(answered(&api.admin_does(Call::post(path, &body)).await?))
    }
}

fn answered(review: &Value) -> Answered {
    let status = &review["status"];
    let words = status["reason"].as_str().unwrap_or_default().to_owned();
    if status["allowed"] == true {
        Answered::Allowed(words)
    } else {
        Answered::Denied(words)
    }
}

impl Question {
    /// The binding that came nearest to granting it to the bearer of `credential`.
    pub async fn nearest_to(&self, api: &Api, credential: &Credential) -> Option<String> {
        let body = json!({
            "apiVersion": "authentication.k8s.io/v1",
            "kind": "SelfSubjectReview",
        });
        let path = "/apis/authentication.k8s.io/v1/selfsubjectreviews";
        let answer = api.send(credential, Call::post(path, &body)).await.ok()?;
        let review = answer.success().ok()?;
        let user = &review["status"]["userInfo"];
        let groups: Vec<String> = serde_json::from_value(user["groups"].clone()).ok()?;
        self.nearest_for(api, user["username"].as_str()?, &groups)
            .await
    }

    /// The binding that came nearest to granting it to a user and groups.
    pub async fn nearest_for(&self, api: &Api, user: &str, groups: &[String]) -> Option<String> {
        let target = match &self.target {
            Target::Path(path) => authlab_rbac::Target::Path(path),
            Target::Resource {
                resource,
                subresource,
                name,
                namespace,
            } => {
                let (resource, group) = resource.split_once('.').unwrap_or((resource, ""));
                authlab_rbac::Target::Resource {
                    group,
                    resource,
                    subresource: subresource.as_deref().unwrap_or_default(),
                    namespace: namespace.as_deref().unwrap_or_default(),
                    name: name.as_deref().unwrap_or_default(),
                }
            }
        };
        nearest(api, user, groups, &self.verb, target).await
    }
}
