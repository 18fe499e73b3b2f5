//! Questions to the API server of a running lab outside of any scenario.

use authlab_lab::state::{ApiServer, State};
use authlab_rbac::Target;
use secrecy::SecretString;
use serde_json::{Value, json};

use crate::api::{Api, Call};
use crate::nearest::nearest;

/// A request that somebody may or may not make.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// `get`, `create` and so on.
    pub verb: String,
    /// The plural name.
    pub resource: String,
    /// What stands behind the slash, as in `pods/log`; empty for none.
    pub subresource: String,
    /// The API group; empty for the core group.
    pub group: String,
    /// The namespace; empty for all of them, and for what is in none.
    pub namespace: String,
}

impl std::str::FromStr for Request {
    type Err = String;

    /// `VERB,RESOURCE[,NAMESPACE]` with the resource as `pods`, `pods/log` or `deployments.apps`.
    fn from_str(text: &str) -> Result<Self, String> {
        let parts: Vec<&str> = text.split(',').map(str::trim).collect();
        let (verb, resource, namespace) = match parts[..] {
            [verb, resource] => (verb, resource, ""),
            [verb, resource, namespace] => (verb, resource, namespace),
            _ => ("", "", ""),
        };
        if verb.is_empty() || resource.is_empty() {
            return Err("write VERB,RESOURCE or VERB,RESOURCE,NAMESPACE: get,pods,dev".to_owned());
        }
        let (resource, subresource) = resource.split_once('/').unwrap_or((resource, ""));
        let (resource, group) = resource.split_once('.').unwrap_or((resource, ""));
        Ok(Self {
            verb: verb.to_owned(),
            resource: resource.to_owned(),
            subresource: subresource.to_owned(),
            group: group.to_owned(),
            namespace: namespace.to_owned(),
        })
    }
}

/// What the API server says of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Access {
    /// Whether it may be made.
    pub allowed: bool,
    /// The server's reason; often empty for a refusal.
    pub reason: String,
    /// For a refusal: the binding that came nearest to granting it, and what is in its way.
    pub nearest: Option<String>,
}

/// What the API server says of a token: `status` of a TokenReview, asked by the administrator.
///
/// # Errors
/// When it cannot be asked.
pub async fn token(
    state: &State,
    server: &ApiServer,
    token: &SecretString,
) -> Result<Value, String> {
    let api = Api::new(state, server).map_err(|error| error.to_string())?;
    let status = api.review(token, &[]).await;
    status.map_err(|error| error.to_string())
}

/// Whether a user, as `authentication.k8s.io/v1` writes one, may make a request: a
/// SubjectAccessReview, asked by the administrator.
///
/// # Errors
/// When it cannot be asked.
pub async fn access(
    state: &State,
    server: &ApiServer,
    user: &Value,
    request: &Request,
) -> Result<Access, String> {
    let api = Api::new(state, server).map_err(|error| error.to_string())?;
    let body = json!({
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SubjectAccessReview",
        "spec": {
            "user": user["username"], "groups": user["groups"], "uid": user["uid"], "extra": user["extra"],
            "resourceAttributes": {
                "verb": request.verb, "group": request.group, "resource": request.resource,
                "subresource": request.subresource, "namespace": request.namespace,
            },
        },
    });
    let path = "/apis/authorization.k8s.io/v1/subjectaccessreviews";
    let answer = api.admin_does(Call::post(path, &body)).await;
    let answer = answer.map_err(|error| error.to_string())?;
    let status = &answer["status"];
    let allowed = status["allowed"].as_bool().unwrap_or_default();
    let groups = user["groups"].as_array().into_iter().flatten();
    let groups: Vec<String> = groups
        .filter_map(|group| group.as_str().map(str::to_owned))
        .collect();
    let target = Target::Resource {
        group: &request.group,
        resource: &request.resource,
        subresource: &request.subresource,
        namespace: &request.namespace,
        name: "",
    };
    let name = user["username"].as_str().unwrap_or_default();
    let near = match allowed {
        true => None,
        false => nearest(&api, name, &groups, &request.verb, target).await,
    };
    Ok(Access {
        allowed,
        reason: status["reason"].as_str().unwrap_or_default().to_owned(),
        nearest: near,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_is_written_in_one_word() {
        let request: Request = "get,deployments.apps/scale,dev".parse().unwrap();
        assert_eq!(request.subresource, "scale");
        let parts = (request.resource.as_str(), request.group.as_str());
        assert_eq!(parts, ("deployments", "apps"));
        assert!("get".parse::<Request>().is_err());
        assert!("get,".parse::<Request>().is_err());
    }
}
