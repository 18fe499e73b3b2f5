//! The RBAC kinds: stored like any other, and mirrored into the policy that decides requests.

use std::marker::PhantomData;

use authlab_authn::UserInfo;
use authlab_rbac::escalation::{self, BindingError};
use authlab_rbac::validation::{self, FieldError};
use authlab_rbac::{Policy, SYSTEM_MASTERS, aggregate_all, defaults};
use k8s_openapi::api::rbac::v1::{ClusterRole, ClusterRoleBinding, Role, RoleBinding, RoleRef};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use k8s_openapi::{Metadata, Resource as _};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::{Value, json};

use super::{Rules, of};
use crate::call::Call;
use crate::cluster::Cluster;
use crate::object::{Object, now};
use crate::status::Status;
use crate::store::{Change, ChangeKind, Transaction};
use crate::table::{AGE, Column, NAME};

const GROUP: &str = "rbac.authorization.k8s.io";

/// How one of the kinds is served.
pub(super) struct Served<T>(PhantomData<T>);

impl<T> Served<T> {
    pub(super) fn new() -> Self {
        Self(PhantomData)
    }
}

/// What the kinds do not share.
pub(super) trait Kind: Serialize + DeserializeOwned + Default + Send + Sync {
    const PLURAL: &str;
    const COLUMNS: &[Column];
    fn prepare(object: &mut Value);
    fn validate(&self, old: Option<&Self>) -> Vec<FieldError>;
    /// Whether the user may write it: nobody gives away more than they have.
    fn admit(&self, asker: &Asker<'_>, old: Option<&Self>) -> Result<(), BindingError>;
}

/// Who writes, under which policy.
pub(super) struct Asker<'a> {
    policy: &'a Policy,
    user: &'a UserInfo,
}

const ROLE_COLUMNS: &[Column] = &[
    NAME,
    Column::text("Created At", |object| {
        json!(object.meta("creationTimestamp"))
    }),
];

const BINDING_COLUMNS: &[Column] = &[
    NAME,
    Column::text("Role", |object| {
        let text = |field: &str| object["roleRef"][field].as_str().unwrap_or_default();
        json!(format!("{}/{}", text("kind"), text("name")))
    }),
    AGE,
    Column::text("Users", |object| subjects(object, "User")).wide(),
    Column::text("Groups", |object| subjects(object, "Group")).wide(),
    Column::text("ServiceAccounts", |object| {
        subjects(object, "ServiceAccount")
    })
    .wide(),
];

fn subjects(object: &Value, kind: &str) -> Value {
    let all = object["subjects"].as_array().into_iter().flatten();
    let names: Vec<String> = all
        .filter(|subject| subject["kind"] == kind)
        .map(|subject| {
            let text = |field: &str| subject[field].as_str().unwrap_or_default();
            match text("namespace") {
                namespace if kind == "ServiceAccount" && !namespace.is_empty() => {
                    format!("{namespace}/{}", text("name"))
                }
                _ => text("name").to_owned(),
            }
        })
        .collect();
    json!(names.join(", "))
}

/// An object as its type; it has been through the decoder already.
fn typed<T: DeserializeOwned + Default>(object: &Value) -> T {
    serde_json::from_value(object.clone()).unwrap_or_default()
}

fn untyped(object: &impl Serialize) -> Value {
    serde_json::to_value(object).unwrap_or_default()
}

fn forbidden(plural: &str, object: &Value, why: &str) -> Status {
    Status::forbidden(GROUP, plural, object.name(), why)
}

/// The real server prints a role without rules as having null for them.
fn null_rules(object: &mut Value) {
    if object["rules"].is_null() {
        object["rules"] = Value::Null;
    }
}

impl<T: Kind> Rules for Served<T> {
    fn columns(&self) -> &[Column] {
        T::COLUMNS
    }

    fn prepare(&self, object: &mut Value, _old: Option<&Value>, _subresource: &str) {
        T::prepare(object);
    }

    fn validate(&self, object: &Value, old: Option<&Value>) -> Vec<FieldError> {
        typed::<T>(object).validate(old.map(typed).as_ref())
    }

    fn check_name(&self, _name: &str) -> Vec<String> {
        // Judged by the kind's own validation.
        Vec::new()
    }

    fn admit(&self, call: &Call, object: &Value, old: Option<&Value>) -> Result<(), Status> {
        let (policy, user) = (&*call.cluster.policy(), &call.user);
        let asker = Asker { policy, user };
        let admitted = typed::<T>(object).admit(&asker, old.map(typed).as_ref());
        admitted.map_err(|error| refused(T::PLURAL, object, error))
    }

    fn created_by_update(&self) -> bool {
        true
    }
}

impl Kind for Role {
    const PLURAL: &str = "roles";
    const COLUMNS: &[Column] = ROLE_COLUMNS;

    fn prepare(object: &mut Value) {
        null_rules(object);
    }

    fn validate(&self, _old: Option<&Self>) -> Vec<FieldError> {
        validation::validate_role(self)
    }

    fn admit(&self, asker: &Asker<'_>, old: Option<&Self>) -> Result<(), BindingError> {
        let (name, groups) = asker.names();
        escalation::check_namespaced_role(asker.policy, name, groups, self, old)
            .map_err(BindingError::Escalation)
    }
}

impl Kind for ClusterRole {
    const PLURAL: &str = "clusterroles";
    const COLUMNS: &[Column] = ROLE_COLUMNS;

    fn prepare(object: &mut Value) {
        null_rules(object);
    }

    fn validate(&self, _old: Option<&Self>) -> Vec<FieldError> {
        validation::validate_cluster_role(self)
    }

    fn admit(&self, asker: &Asker<'_>, old: Option<&Self>) -> Result<(), BindingError> {
        let (name, groups) = asker.names();
        escalation::check_cluster_role(asker.policy, name, groups, self, old)
            .map_err(BindingError::Escalation)
    }
}

impl Kind for RoleBinding {
    const PLURAL: &str = "rolebindings";
    const COLUMNS: &[Column] = BINDING_COLUMNS;

    fn prepare(object: &mut Value) {
        let mut binding: Self = typed(object);
        validation::default_binding(&mut binding.role_ref, binding.subjects.as_mut());
        *object = untyped(&binding);
    }

    fn validate(&self, old: Option<&Self>) -> Vec<FieldError> {
        let mut errors = validation::validate_role_binding(self);
        errors.extend(role_changes(&self.role_ref, old.map(|old| &old.role_ref)));
        errors
    }

    fn admit(&self, asker: &Asker<'_>, old: Option<&Self>) -> Result<(), BindingError> {
        let (policy, (name, groups)) = (asker.policy, asker.names());
        let namespace = self.metadata.namespace.as_deref().unwrap_or_default();
        match old {
            _ if asker.may_all() => Ok(()),
            Some(old) => escalation::check_role_binding_update(policy, name, groups, self, old),
            None => escalation::check_binding(policy, name, groups, &self.role_ref, namespace),
        }
    }
}

impl Kind for ClusterRoleBinding {
    const PLURAL: &str = "clusterrolebindings";
    const COLUMNS: &[Column] = BINDING_COLUMNS;

    fn prepare(object: &mut Value) {
        let mut binding: Self = typed(object);
        validation::default_binding(&mut binding.role_ref, binding.subjects.as_mut());
        *object = untyped(&binding);
    }

    fn validate(&self, old: Option<&Self>) -> Vec<FieldError> {
        let mut errors = validation::validate_cluster_role_binding(self);
        errors.extend(role_changes(&self.role_ref, old.map(|old| &old.role_ref)));
        errors
    }

    fn admit(&self, asker: &Asker<'_>, old: Option<&Self>) -> Result<(), BindingError> {
        let (policy, (name, groups)) = (asker.policy, asker.names());
        match old {
            _ if asker.may_all() => Ok(()),
            Some(old) => {
                escalation::check_cluster_role_binding_update(policy, name, groups, self, old)
            }
            None => escalation::check_binding(policy, name, groups, &self.role_ref, ""),
        }
    }
}

impl Asker<'_> {
    fn names(&self) -> (&str, &[String]) {
        (&self.user.username, &self.user.groups)
    }

    /// For them not even the role of a binding need exist.
    fn may_all(&self) -> bool {
        self.user.groups.iter().any(|group| group == SYSTEM_MASTERS)
    }
}

fn role_changes(new: &RoleRef, old: Option<&RoleRef>) -> Vec<FieldError> {
    old.map(|old| validation::validate_role_ref_update(new, old))
        .unwrap_or_default()
}

/// What the policy refuses.
fn refused(plural: &str, object: &Value, error: BindingError) -> Status {
    let message = error.to_string();
    match error {
        BindingError::Escalation(why) => forbidden(plural, object, &why),
        BindingError::RoleNotFound(_) => {
            let name = object["roleRef"]["name"].as_str().unwrap_or_default();
            Status::missing(GROUP, plural, name, message)
        }
        BindingError::BadReference(_) => Status::bad_request(message),
        BindingError::UnsupportedKind(_) => Status::unexplained(message),
    }
}

/// Brings the policy up to date with a change; a new ClusterRole may change aggregated ones.
pub(super) fn react(cluster: &Cluster, transaction: &mut Transaction<'_>, change: &Change) {
    let mut stale: Vec<ClusterRole> = Vec::new();
    cluster.edit_policy(|policy| match change.object["kind"].as_str() {
        Some(Role::KIND) => apply(&mut policy.roles, change),
        Some(RoleBinding::KIND) => apply(&mut policy.role_bindings, change),
        Some(ClusterRoleBinding::KIND) => apply(&mut policy.cluster_role_bindings, change),
        _ => {
            apply(&mut policy.cluster_roles, change);
            let changed = aggregate_all(&mut policy.cluster_roles);
            stale = changed
                .into_iter()
                .map(|index| policy.cluster_roles[index].clone())
                .collect();
        }
    });
    for role in stale {
        let name = role.metadata.name.as_deref().unwrap_or_default();
        if let Some(current) = transaction.get(of::<ClusterRole>(), "", name) {
            let mut next = (*current).clone();
            next["rules"] = json!(role.rules);
            transaction.put(of::<ClusterRole>(), next);
        }
    }
}

/// Keeps one of the policy's lists, which are in the order of namespace and name.
fn apply<T>(list: &mut Vec<T>, change: &Change)
where
    T: Metadata<Ty = ObjectMeta> + DeserializeOwned + Default,
{
    let id = (change.object.namespace(), change.object.name());
    let place = list.binary_search_by(|one| {
        let metadata = one.metadata();
        let namespace = metadata.namespace.as_deref().unwrap_or_default();
        (namespace, metadata.name.as_deref().unwrap_or_default()).cmp(&id)
    });
    match (place, change.kind) {
        (Ok(index), ChangeKind::Deleted) => _ = list.remove(index),
        (Err(_), ChangeKind::Deleted) => {}
        (Ok(index), _) => list[index] = typed(&change.object),
        (Err(index), _) => list.insert(index, typed(&change.object)),
    }
}

/// Stores the objects that a server makes at its first start.
pub(super) fn bootstrap(cluster: &Cluster, transaction: &mut Transaction<'_>) {
    let mut policy = Policy {
        cluster_roles: defaults::cluster_roles(),
        cluster_role_bindings: defaults::cluster_role_bindings(),
        roles: defaults::roles(),
        role_bindings: defaults::role_bindings(),
    };
    store(transaction, &mut policy.cluster_roles);
    store(transaction, &mut policy.cluster_role_bindings);
    store(transaction, &mut policy.roles);
    store(transaction, &mut policy.role_bindings);
    cluster.edit_policy(|current| *current = policy);
}

fn store<T>(transaction: &mut Transaction<'_>, list: &mut [T])
where
    T: Metadata<Ty = ObjectMeta> + Serialize,
{
    list.sort_by(|one, other| {
        let key = |one: &ObjectMeta| (one.namespace.clone(), one.name.clone());
        key(one.metadata()).cmp(&key(other.metadata()))
    });
    for one in list {
        one.metadata_mut().uid = Some(uuid::Uuid::new_v4().to_string());
        let mut object = untyped(one);
        object
            .metadata_mut()
            .insert("creationTimestamp".to_owned(), json!(now()));
        transaction.put(of::<T>(), object);
    }
}
