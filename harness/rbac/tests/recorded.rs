//! The engine against verdicts recorded from kube-apiserver 1.36.3 (with its controller manager):
//! random policies, requests and writes, see `tests/data/README.md`.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeSet;

use authlab_rbac::escalation::BindingError;
use authlab_rbac::{
    Attributes, Policy, Target, aggregate_all, defaults, escalation, forbidden_message, rules_for,
    validation,
};
use k8s_openapi::api::authorization::v1::SubjectRulesReviewStatus;
use k8s_openapi::api::rbac::v1::{ClusterRole, ClusterRoleBinding, Role, RoleBinding, RoleRef};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

#[derive(Deserialize)]
struct Case {
    objects: Vec<Value>,
    reviews: Vec<Review>,
    writes: Vec<Write>,
    rules: Vec<Rules>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Review {
    user: String,
    groups: Vec<String>,
    resource_attributes: Option<Request>,
    non_resource_attributes: Option<Request>,
    allowed: bool,
    reason: String,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Request {
    verb: String,
    group: String,
    resource: String,
    subresource: String,
    namespace: String,
    name: String,
    path: String,
}

#[derive(Deserialize)]
struct Write {
    user: String,
    groups: Vec<String>,
    object: Value,
    code: u16,
    #[serde(default)]
    update: bool,
    message: Option<String>,
}

#[derive(Deserialize)]
struct Rules {
    user: String,
    groups: Vec<String>,
    namespace: String,
    status: SubjectRulesReviewStatus,
}

#[derive(Deserialize)]
struct Refusal {
    user: String,
    groups: Vec<String>,
    request: Request,
    message: String,
}

#[derive(Deserialize)]
struct Validation {
    object: Value,
    old: Option<RoleRef>,
    errors: Vec<(String, String, String)>,
    message: Option<String>,
}

impl Request {
    fn attributes<'a>(&'a self, user: &'a str, groups: &'a [String]) -> Attributes<'a> {
        let target = if self.path.is_empty() {
            Target::Resource {
                group: &self.group,
                resource: &self.resource,
                subresource: &self.subresource,
                namespace: &self.namespace,
                name: &self.name,
            }
        } else {
            Target::Path(&self.path)
        };
        Attributes {
            user,
            groups,
            verb: &self.verb,
            target,
        }
    }
}

fn read<T: DeserializeOwned>(file: &str) -> Vec<T> {
    let path = format!("{}/tests/data/{file}", env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path}: {error}"));
    text.lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

fn typed<T: DeserializeOwned>(object: &Value) -> T {
    let mut object = object.clone();
    object["apiVersion"] = "rbac.authorization.k8s.io/v1".into();
    serde_json::from_value(object).unwrap()
}

fn of_kind<T: DeserializeOwned>(objects: &[Value], kind: &str) -> Vec<T> {
    objects
        .iter()
        .filter(|object| object["kind"] == kind)
        .map(typed)
        .collect()
}

/// The defaults with a case's objects, by name as a store lists them.
fn policy(objects: &[Value]) -> Policy {
    let mut policy = Policy {
        cluster_roles: defaults::cluster_roles(),
        cluster_role_bindings: defaults::cluster_role_bindings(),
        roles: defaults::roles(),
        role_bindings: defaults::role_bindings(),
    };
    policy
        .cluster_roles
        .extend(of_kind::<ClusterRole>(objects, "ClusterRole"));
    policy
        .cluster_role_bindings
        .extend(of_kind::<ClusterRoleBinding>(objects, "ClusterRoleBinding"));
    policy.roles.extend(of_kind::<Role>(objects, "Role"));
    policy
        .role_bindings
        .extend(of_kind::<RoleBinding>(objects, "RoleBinding"));
    policy
        .cluster_role_bindings
        .sort_by(|one, other| one.metadata.name.cmp(&other.metadata.name));
    policy
        .role_bindings
        .sort_by(|one, other| one.metadata.name.cmp(&other.metadata.name));
    aggregate_all(&mut policy.cluster_roles);
    policy
}

/// The reasons the server may give: it keeps no order among bindings, so each may come first.
fn possible_reasons(policy: &Policy, attributes: &Attributes<'_>) -> BTreeSet<String> {
    let mut policy = policy.clone();
    let mut reasons = BTreeSet::new();
    let mut ask = |policy: &Policy| {
        let reason = policy.authorize(attributes).reason;
        reasons.insert(unordered(&reason));
    };
    for _ in 0..policy.cluster_role_bindings.len() {
        policy.cluster_role_bindings.rotate_left(1);
        ask(&policy);
    }
    for _ in 0..policy.role_bindings.len() {
        policy.role_bindings.rotate_left(1);
        ask(&policy);
    }
    reasons
}

/// A reason that lists several errors, with these in order of text.
fn unordered(reason: &str) -> String {
    match reason
        .strip_prefix("RBAC: [")
        .and_then(|rest| rest.strip_suffix(']'))
    {
        Some(list) => format!("RBAC: {:?}", list.split(", ").collect::<BTreeSet<_>>()),
        None => reason.to_owned(),
    }
}

#[test]
fn access_reviews_agree_in_verdict_and_reason() {
    let mut reviews = 0;
    for case in read::<Case>("decisions.jsonl") {
        let policy = policy(&case.objects);
        for review in &case.reviews {
            let request = review
                .resource_attributes
                .as_ref()
                .or(review.non_resource_attributes.as_ref())
                .unwrap();
            let attributes = request.attributes(&review.user, &review.groups);
            let decision = policy.authorize(&attributes);
            assert_eq!(
                decision.allowed, review.allowed,
                "{attributes:?}: {} / {}",
                decision.reason, review.reason
            );
            let possible = possible_reasons(&policy, &attributes);
            assert!(
                possible.contains(&unordered(&review.reason)),
                "{attributes:?}: {possible:?} / {}",
                review.reason
            );
            assert!(possible.contains(&unordered(&decision.reason)));
            reviews += 1;
        }
    }
    assert!(reviews > 250, "{reviews}");
}

#[test]
fn writes_are_refused_in_the_same_words() {
    let mut refused = 0;
    for case in read::<Case>("decisions.jsonl") {
        let policy = policy(&case.objects);
        for write in &case.writes {
            let answer = attempt(&policy, write);
            let expected = write.message.clone().map(|message| (write.code, message));
            assert_eq!(
                answer.as_ref().err(),
                expected.as_ref(),
                "{} {:?} {}",
                write.user,
                write.groups,
                write.object
            );
            refused += usize::from(answer.is_err());
        }
    }
    assert!(refused > 80, "{refused}");
}

/// What the API server does with a write before it stores anything.
fn attempt(policy: &Policy, write: &Write) -> Result<(), (u16, String)> {
    let object = &write.object;
    let kind = object["kind"].as_str().unwrap();
    let name = object["metadata"]["name"].as_str().unwrap();
    let namespace = object["metadata"]["namespace"].as_str().unwrap_or_default();
    let resource = format!("{}s", kind.to_lowercase());
    let (user, groups) = (write.user.as_str(), write.groups.as_slice());
    let attributes = Attributes {
        user,
        groups,
        verb: if write.update { "update" } else { "create" },
        target: Target::Resource {
            group: "rbac.authorization.k8s.io",
            resource: &resource,
            subresource: "",
            namespace,
            name: if write.update { name } else { "" },
        },
    };
    let decision = policy.authorize(&attributes);
    if !decision.allowed {
        return Err((403, forbidden_message(&attributes, &decision.reason)));
    }
    let forbidden = |text: String| {
        (
            403,
            format!("{resource}.rbac.authorization.k8s.io \"{name}\" is forbidden: {text}"),
        )
    };
    let stored = |metadata: &k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta| {
        metadata.name.as_deref() == Some(name)
            && metadata.namespace.as_deref().unwrap_or_default() == namespace
    };
    let binding = |error: BindingError| match error {
        BindingError::Escalation(text) => forbidden(text),
        other => (other.code(), other.to_string()),
    };
    match kind {
        "Role" => {
            let new: Role = typed(object);
            let old = policy
                .roles
                .iter()
                .find(|one| write.update && stored(&one.metadata));
            if old.is_none() {
                let rules = new.rules.as_deref().unwrap_or_default();
                let by_rules = escalation::check_role(policy, user, groups, rules, namespace);
                assert_eq!(
                    by_rules,
                    escalation::check_namespaced_role(policy, user, groups, &new, None)
                );
            }
            escalation::check_namespaced_role(policy, user, groups, &new, old).map_err(forbidden)
        }
        "ClusterRole" => {
            let old = policy
                .cluster_roles
                .iter()
                .find(|one| write.update && stored(&one.metadata));
            escalation::check_cluster_role(policy, user, groups, &typed(object), old)
                .map_err(forbidden)
        }
        "RoleBinding" => {
            let new: RoleBinding = typed(object);
            match policy
                .role_bindings
                .iter()
                .find(|one| write.update && stored(&one.metadata))
            {
                Some(old) => escalation::check_role_binding_update(policy, user, groups, &new, old),
                None => escalation::check_binding(policy, user, groups, &new.role_ref, namespace),
            }
            .map_err(binding)
        }
        _ => {
            let new: ClusterRoleBinding = typed(object);
            match policy
                .cluster_role_bindings
                .iter()
                .find(|one| write.update && stored(&one.metadata))
            {
                Some(old) => {
                    escalation::check_cluster_role_binding_update(policy, user, groups, &new, old)
                }
                None => escalation::check_binding(policy, user, groups, &new.role_ref, ""),
            }
            .map_err(binding)
        }
    }
}

#[test]
fn rules_reviews_list_the_same_rules() {
    for case in read::<Case>("decisions.jsonl") {
        let policy = policy(&case.objects);
        for review in &case.rules {
            let ours = rules_for(&policy, &review.user, &review.groups, &review.namespace);
            let sorted = |status: &SubjectRulesReviewStatus| {
                let mut resource: Vec<String> = status
                    .resource_rules
                    .iter()
                    .map(|rule| format!("{rule:?}"))
                    .collect();
                let mut path: Vec<String> = status
                    .non_resource_rules
                    .iter()
                    .map(|rule| format!("{rule:?}"))
                    .collect();
                resource.sort();
                path.sort();
                let error = status
                    .evaluation_error
                    .as_ref()
                    .map(|error| unordered(&format!("RBAC: {error}")));
                (resource, path, status.incomplete, error)
            };
            assert_eq!(
                sorted(&ours),
                sorted(&review.status),
                "{} {:?} {}",
                review.user,
                review.groups,
                review.namespace
            );
        }
    }
}

#[test]
fn refusals_are_worded_the_same() {
    for refusal in read::<Refusal>("forbidden.jsonl") {
        let policy = policy(&[serde_json::json!({
            "kind": "ClusterRoleBinding", "metadata": { "name": "broken" },
            "roleRef": { "apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "gone" },
            "subjects": [{ "kind": "User", "apiGroup": "rbac.authorization.k8s.io", "name": "broken" }],
        })]);
        let attributes = refusal.request.attributes(&refusal.user, &refusal.groups);
        let decision = policy.authorize(&attributes);
        assert!(!decision.allowed);
        assert_eq!(
            forbidden_message(&attributes, &decision.reason),
            refusal.message
        );
    }
}

#[test]
fn invalid_objects_are_refused_in_the_same_words() {
    for case in read::<Validation>("validation.jsonl") {
        let kind = case.object["kind"].as_str().unwrap();
        let name = case.object["metadata"]["name"].as_str().unwrap();
        let errors =
            match kind {
                "Role" => validation::validate_role(&typed(&case.object)),
                "ClusterRole" => validation::validate_cluster_role(&typed(&case.object)),
                "RoleBinding" => {
                    let mut binding: RoleBinding = typed(&case.object);
                    validation::default_binding(&mut binding.role_ref, binding.subjects.as_mut());
                    let mut errors = validation::validate_role_binding(&binding);
                    errors.extend(case.old.iter().flat_map(|old| {
                        validation::validate_role_ref_update(&binding.role_ref, old)
                    }));
                    errors
                }
                _ => {
                    let mut binding: ClusterRoleBinding = typed(&case.object);
                    validation::default_binding(&mut binding.role_ref, binding.subjects.as_mut());
                    let mut errors = validation::validate_cluster_role_binding(&binding);
                    errors.extend(case.old.iter().flat_map(|old| {
                        validation::validate_role_ref_update(&binding.role_ref, old)
                    }));
                    errors
                }
            };
        let message =
            (!errors.is_empty()).then(|| validation::invalid_message(kind, name, &errors));
        assert_eq!(message, case.message, "{}", case.object);
        let causes: Vec<_> = errors
            .into_iter()
            .map(|error| {
                (
                    error.field.clone(),
                    error.kind.reason().to_owned(),
                    error.body(),
                )
            })
            .collect();
        assert_eq!(causes, case.errors, "{}", case.object);
    }
}
