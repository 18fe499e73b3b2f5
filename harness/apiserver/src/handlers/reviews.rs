//! The questions: who is this token, may this user, who am I; and tokens on request.
//!
//! Rules and texts follow k8s.io/kubernetes `pkg/registry/authentication` and
//! `pkg/registry/authorization` (v1.36).

use authlab_rbac::validation::FieldError;
use authlab_rbac::{Target, rules_for};
use axum::response::Response;
use http::StatusCode;
use k8s_openapi::api::authentication::v1 as authentication;
use k8s_openapi::api::authorization::v1 as authorization;
use k8s_openapi::api::core::v1::{Namespace, Node, Pod, Secret};
use serde_json::{Value, json};

use super::body::{self, Kind};
use super::options::WriteOptions;
use crate::call::Call;
use crate::chain::Outcome;
use crate::chain::service_account::{Binding, Reference};
use crate::decode;
use crate::negotiate;
use crate::object::{Object, now, strings};
use crate::resources::{self, Decode, Resource, Review};
use crate::status::Status;
use authlab_authn::UserInfo;

const AUTHENTICATION: &str = "authentication.k8s.io";
const AUTHORIZATION: &str = "authorization.k8s.io";

pub(super) async fn create(
    call: &Call,
    resource: &Resource,
    review: Review,
) -> Result<Response, Status> {
    let options = WriteOptions::read(call, "CreateOptions")?;
    let decode: &Decode = match review {
        Review::Token => &decode::through::<authentication::TokenReview>,
        Review::SelfSubject => &decode::through::<authentication::SelfSubjectReview>,
        Review::TokenRequest => &decode::through::<authentication::TokenRequest>,
        Review::SubjectAccess => &decode::through::<authorization::SubjectAccessReview>,
        Review::LocalSubjectAccess => &decode::through::<authorization::LocalSubjectAccessReview>,
        Review::SelfSubjectAccess => &decode::through::<authorization::SelfSubjectAccessReview>,
        Review::SelfSubjectRules => &decode::through::<authorization::SelfSubjectRulesReview>,
    };
    let kind = match review {
        Review::TokenRequest => Kind {
            group: AUTHENTICATION,
            version: "v1",
            kind: "TokenRequest",
            decode,
            custom: false,
        },
        _ => Kind::of(resource, decode),
    };
    let mut object = body::object(call, &kind, options.validation)?;
    match review {
        Review::Token => token(call, &mut object).await?,
        Review::SelfSubject => self_subject(call, &mut object),
        Review::TokenRequest => token_request(call, resource, &mut object)?,
        Review::SubjectAccess | Review::LocalSubjectAccess | Review::SelfSubjectAccess => {
            access(call, review, &mut object)?;
        }
        Review::SelfSubjectRules => rules(call, &mut object)?,
    }
    Ok(negotiate::value(call, StatusCode::CREATED, &object))
}

/// A user in an answer: what is empty is left out.
fn user_info(user: &UserInfo) -> Value {
    let mut value = serde_json::to_value(user).unwrap_or_default();
    if let Some(fields) = value.as_object_mut() {
        let empty = [json!(""), json!([]), json!({})];
        fields.retain(|_, value| !empty.contains(value));
    }
    value
}

async fn token(call: &Call, object: &mut Value) -> Result<(), Status> {
    let token = object["spec"]["token"]
        .as_str()
        .unwrap_or_default()
        .to_owned();
    if token.is_empty() {
        return Err(Status::bad_request(
            "token is required for TokenReview in authentication",
        ));
    }
    let asked: Vec<String> = strings(&object["spec"]["audiences"])
        .into_iter()
        .map(str::to_owned)
        .collect();
    let cluster = &call.cluster;
    let audiences = if asked.is_empty() {
        cluster.tokens.audiences()
    } else {
        &asked
    };
    object["status"] = match cluster.chain().review(cluster, &token, audiences).await {
        Outcome::Accepted(user, audiences) => json!({
            "authenticated": true,
            "user": user_info(&user),
            "audiences": audiences,
        }),
        Outcome::Rejected(reason) => json!({"user": {}, "error": reason}),
        Outcome::Skipped => json!({"user": {}}),
    };
    Ok(())
}

fn self_subject(call: &Call, object: &mut Value) {
    object["metadata"] = json!({"creationTimestamp": now()});
    object["status"] = json!({"userInfo": user_info(&call.user)});
}

fn access(call: &Call, review: Review, object: &mut Value) -> Result<(), Status> {
    let mine = review == Review::SelfSubjectAccess;
    let local = review == Review::LocalSubjectAccess;
    let namespace = call
        .info
        .resource
        .as_ref()
        .map(|target| target.namespace.clone());
    let namespace = namespace.unwrap_or_default();
    if local && object.namespace().is_empty() {
        object
            .metadata_mut()
            .insert("namespace".to_owned(), json!(namespace));
    }
    let errors = access_errors(object, mine, local);
    if !errors.is_empty() {
        return Err(Status::invalid(AUTHORIZATION, "", "", &errors));
    }
    if local && object.namespace() != namespace {
        return Err(Status::bad_request(
            "the namespace of the provided object does not match the namespace sent on the request",
        ));
    }
    let spec = &object["spec"];
    let text = |part: &str, field: &str| spec[part][field].as_str().unwrap_or_default().to_owned();
    let user = if mine {
        call.user.clone()
    } else {
        UserInfo {
            username: spec["user"].as_str().unwrap_or_default().to_owned(),
            groups: strings(&spec["groups"])
                .into_iter()
                .map(str::to_owned)
                .collect(),
            ..UserInfo::default()
        }
    };
    let decision = if spec["resourceAttributes"].is_object() {
        let field = |name: &str| text("resourceAttributes", name);
        let (group, resource, subresource) =
            (field("group"), field("resource"), field("subresource"));
        let (namespace, name, verb) = (field("namespace"), field("name"), field("verb"));
        let target = Target::Resource {
            group: &group,
            resource: &resource,
            subresource: &subresource,
            namespace: &namespace,
            name: &name,
        };
        call.cluster.authorize(&user, &verb, target)
    } else {
        let field = |name: &str| text("nonResourceAttributes", name);
        call.cluster
            .authorize(&user, &field("verb"), Target::Path(&field("path")))
    };
    object["status"] = json!({"allowed": decision.allowed});
    if !decision.reason.is_empty() {
        object["status"]["reason"] = json!(decision.reason);
    }
    Ok(())
}

/// What is wrong with an access review.
fn access_errors(object: &Value, mine: bool, local: bool) -> Vec<FieldError> {
    let spec = &object["spec"];
    let (resource, path) = (&spec["resourceAttributes"], &spec["nonResourceAttributes"]);
    let invalid = |field: &str, value: &Value, why: &str| {
        FieldError::invalid_json(field, value.to_string(), why)
    };
    let mut errors = Vec::new();
    if resource.is_object() && path.is_object() {
        let why = "cannot be specified in combination with resourceAttributes";
        // The server prints its internal form of it.
        let text = |field: &str| path[field].as_str().unwrap_or_default();
        let printed = json!({"Path": text("path"), "Verb": text("verb")});
        errors.push(invalid("spec.nonResourceAttributes", &printed, why));
    }
    if !resource.is_object() && !path.is_object() {
        let why = "exactly one of nonResourceAttributes or resourceAttributes must be specified";
        errors.push(invalid("spec.resourceAttributes", &Value::Null, why));
    }
    let user = spec["user"].as_str().unwrap_or_default();
    if !mine && user.is_empty() && strings(&spec["groups"]).is_empty() {
        let why = "at least one of user or group must be specified";
        errors.push(FieldError::invalid("spec.user", user, why));
    }
    let metadata = object["metadata"].as_object().into_iter().flatten();
    let set = |(key, value): (&String, &Value)| {
        key != "managedFields" && !(local && key == "namespace") && !value.is_null()
    };
    if metadata.into_iter().any(set) {
        let why = if local {
            "must be empty except for namespace"
        } else {
            "must be empty"
        };
        errors.push(invalid("metadata", &object["metadata"], why));
    }
    if local && resource.is_object() {
        let namespace = resource["namespace"].as_str().unwrap_or_default();
        if namespace != object.namespace() {
            let field = "spec.resourceAttributes.namespace";
            errors.push(FieldError::invalid(
                field,
                namespace,
                "must match metadata.namespace",
            ));
        }
    }
    if local && path.is_object() {
        let why = "disallowed on this kind of request";
        errors.push(invalid("spec.nonResourceAttributes", path, why));
    }
    errors
}

fn rules(call: &Call, object: &mut Value) -> Result<(), Status> {
    let namespace = object["spec"]["namespace"].as_str().unwrap_or_default();
    if namespace.is_empty() {
        return Err(Status::bad_request("no namespace on request"));
    }
    let user = &call.user;
    let status = rules_for(
        &call.cluster.policy(),
        &user.username,
        &user.groups,
        namespace,
    );
    object["metadata"] = json!({});
    object["spec"] = json!({});
    object["status"] = serde_json::to_value(status).unwrap_or_default();
    Ok(())
}

const SHORTEST: i64 = 10 * 60;
const LONGEST: i64 = 1 << 32;

/// A token for a service account (Kubernetes docs, "Managing Service Accounts", TokenRequest API).
fn token_request(call: &Call, accounts: &Resource, object: &mut Value) -> Result<(), Status> {
    let Some(target) = &call.info.resource else {
        return Err(Status::no_such_resource());
    };
    let (namespace, name) = (&target.namespace, &target.name);
    let namespaces = resources::of::<Namespace>();
    if call.cluster.store.get(namespaces, "", namespace).is_none() {
        return Err(Status::not_found(namespaces, namespace));
    }
    let account = call
        .cluster
        .store
        .get(accounts, namespace, name)
        .ok_or_else(|| Status::not_found(accounts, name))?;
    check_identity(object, &account, target.name.as_str())?;
    let spec = &mut object["spec"];
    if strings(&spec["audiences"]).is_empty() {
        spec["audiences"] = json!(call.cluster.tokens.audiences());
    }
    if spec["expirationSeconds"].is_null() {
        spec["expirationSeconds"] = json!(3600);
    }
    let seconds = spec["expirationSeconds"].as_i64().unwrap_or_default();
    let why = match seconds {
        ..SHORTEST => Some("may not specify a duration less than 10 minutes"),
        _ if seconds > LONGEST => Some("may not specify a duration larger than 2^32 seconds"),
        _ => None,
    };
    if let Some(why) = why {
        let error = FieldError::invalid_json("spec.expirationSeconds", seconds.to_string(), why);
        return Err(Status::invalid(
            AUTHENTICATION,
            "TokenRequest",
            "",
            &[error],
        ));
    }
    let binding = binding(call, &object["spec"]["boundObjectRef"], namespace, name)?;
    let audiences: Vec<String> = strings(&object["spec"]["audiences"])
        .into_iter()
        .map(str::to_owned)
        .collect();
    let (token, id) = call
        .cluster
        .tokens
        .issue(&account, &audiences, seconds, binding)
        .map_err(|error| Status::internal(&format!("failed to generate token: {error}")))?;
    call.annotate(
        "authentication.kubernetes.io/issued-credential-id",
        format!("JTI={id}"),
    );
    let expiry = chrono::Utc::now() + chrono::TimeDelta::seconds(seconds);
    // Printed even when it is null.
    object["spec"]["boundObjectRef"] = object["spec"]["boundObjectRef"].take();
    object["metadata"] = json!({
        "name": name,
        "namespace": namespace,
        "uid": account.uid(),
        "creationTimestamp": now(),
    });
    object["status"] = json!({
        "token": token,
        "expirationTimestamp": expiry.to_rfc3339_opts(chrono::SecondsFormat::Secs, true),
    });
    Ok(())
}

fn check_identity(object: &Value, account: &Value, name: &str) -> Result<(), Status> {
    if !object.name().is_empty() && object.name() != name {
        let given = object.name();
        return Err(Status::bad_request(format!(
            "the name of the object ({given}) does not match the name on the URL ({name})"
        )));
    }
    let (uid, current) = (object.uid(), account.uid());
    if uid.is_empty() || uid == current {
        return Ok(());
    }
    let why = format!(
        "the UID in the token request ({uid}) does not match the UID of the service account ({current})"
    );
    Err(Status::conflict(AUTHENTICATION, "TokenRequest", name, &why))
}

/// The object that a token shall live no longer than.
fn binding(call: &Call, bound: &Value, namespace: &str, account: &str) -> Result<Binding, Status> {
    if bound.is_null() {
        return Ok(Binding::default());
    }
    let text = |field: &str| bound[field].as_str().unwrap_or_default();
    let (version, kind, name) = (text("apiVersion"), text("kind"), text("name"));
    let core = version == "v1";
    let resource = match kind {
        "Pod" if core => resources::of::<Pod>(),
        "Secret" if core => resources::of::<Secret>(),
        "Node" if core => resources::of::<Node>(),
        _ => {
            let (group, version) = version.split_once('/').unwrap_or(("", version));
            return Err(Status::bad_request(format!(
                "cannot bind token to object of type {group}/{version}, Kind={kind}"
            )));
        }
    };
    let place = if resource.namespaced { namespace } else { "" };
    let object = call
        .cluster
        .store
        .get(resource, place, name)
        .ok_or_else(|| Status::not_found(resource, name))?;
    if kind == "Pod" && object["spec"]["serviceAccountName"] != account {
        let account = authlab_rbac::quote(account);
        return Err(Status::bad_request(format!(
            "cannot bind token for serviceaccount {account} to pod running with different serviceaccount name."
        )));
    }
    let uid = text("uid");
    if !uid.is_empty() && uid != object.uid() {
        let why = format!(
            "the UID in the bound object reference ({uid}) does not match the UID in record. The object might have been deleted and then recreated"
        );
        return Err(Status::conflict("", kind, name, &why));
    }
    let reference = Some(Reference::from(&*object));
    Ok(match kind {
        "Pod" => {
            let node = object["spec"]["nodeName"]
                .as_str()
                .filter(|node| !node.is_empty());
            let nodes = resources::of::<Node>();
            let node = node.map(|node| Reference {
                name: node.to_owned(),
                uid: call
                    .cluster
                    .store
                    .get(nodes, "", node)
                    .map(|node| node.uid().to_owned())
                    .unwrap_or_default(),
            });
            Binding {
                pod: reference,
                node,
                secret: None,
            }
        }
        "Node" => Binding {
            node: reference,
            ..Binding::default()
        },
        _ => Binding {
            secret: reference,
            ..Binding::default()
        },
    })
}
