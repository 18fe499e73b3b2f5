//! The kinds served, one entry each, and the rules that set them apart.

use std::sync::LazyLock;

use authlab_rbac::validation::FieldError;
use k8s_openapi::{ClusterResourceScope, ListableResource, NamespaceResourceScope};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::{Value, json};

use crate::call::Call;
use crate::decode::{self, DecodeError};
use crate::object::{Object as _, now};
use crate::status::{Status, qualified};
use crate::table::Column;

pub(crate) mod config_maps;
pub(crate) mod controllers;
pub(crate) mod namespaces;
pub(crate) mod rbac;
pub(crate) mod records;
mod registry;
pub(crate) mod service_accounts;
pub(crate) mod validation;

/// One kind of the API.
pub(crate) struct Resource {
    pub(crate) group: &'static str,
    pub(crate) version: &'static str,
    pub(crate) kind: &'static str,
    pub(crate) plural: &'static str,
    pub(crate) singular: String,
    pub(crate) namespaced: bool,
    pub(crate) short_names: &'static [&'static str],
    pub(crate) categories: &'static [&'static str],
    pub(crate) served: Served,
    key: String,
}

/// What stands behind a kind.
pub(crate) enum Served {
    /// Stored objects with the full set of verbs.
    Objects(Objects),
    /// A question that is answered and not kept; it can only be created.
    Review(Review),
}

/// The reviews, whose answers are in [`crate::handlers::reviews`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Review {
    Token,
    SelfSubject,
    SubjectAccess,
    LocalSubjectAccess,
    SelfSubjectAccess,
    SelfSubjectRules,
    TokenRequest,
}

/// A stored kind: its type and its rules.
pub(crate) struct Objects {
    pub(crate) list_kind: &'static str,
    /// Reads the object as its Kubernetes type and writes it back, so that what the type does
    /// not know is gone and what it cannot hold is refused.
    pub(crate) decode: fn(Value) -> Result<Value, DecodeError>,
    pub(crate) subresources: &'static [Subresource],
    pub(crate) rules: &'static dyn Rules,
}

/// A path below an object.
pub(crate) struct Subresource {
    pub(crate) name: &'static str,
    /// Group, version and kind of its body where these differ from the parent's.
    pub(crate) body: Option<(&'static str, &'static str, &'static str)>,
    pub(crate) verbs: &'static [&'static str],
}

/// What is particular to one stored kind.
pub(crate) trait Rules: Sync {
    /// Columns of the server-side table, after k8s.io/kubernetes `pkg/printers`.
    fn columns(&self) -> &'static [Column];

    /// Fields that lists can be selected by, besides name and namespace.
    fn selectable(&self) -> &'static [&'static str] {
        &[]
    }

    /// Fills defaults and clears what a client may not set. `old` is absent on create;
    /// `subresource` is `""`, `status` or `finalize`.
    fn prepare(&self, _object: &mut Value, _old: Option<&Value>, _subresource: &str) {}

    /// Complaints about a prepared object.
    fn validate(&self, _object: &Value, _old: Option<&Value>) -> Vec<FieldError> {
        Vec::new()
    }

    /// What is wrong with a name of this kind.
    fn check_name(&self, name: &str) -> Vec<String> {
        validation::dns_subdomain(name)
    }

    /// Refusals that depend on who asks (privilege escalation).
    fn admit(&self, _call: &Call, _object: &Value, _old: Option<&Value>) -> Result<(), Status> {
        Ok(())
    }

    /// Refusals of a deletion.
    fn admit_delete(&self, _object: &Value) -> Result<(), Status> {
        Ok(())
    }

    /// Marks a kind's own fields when a deletion begins that cannot end at once.
    fn begin_deletion(&self, _object: &mut Value) {}

    /// Whether nothing holds an object that is being deleted.
    fn finished(&self, object: &Value) -> bool {
        object.finalizers().is_empty()
    }

    /// A PUT to a name that is free creates the object.
    fn created_by_update(&self) -> bool {
        false
    }

    /// The real server answers a delete of this kind with the object instead of a Status.
    fn returns_deleted(&self) -> bool {
        false
    }
}

trait Scope {
    const NAMESPACED: bool;
}
impl Scope for NamespaceResourceScope {
    const NAMESPACED: bool = true;
}
impl Scope for ClusterResourceScope {
    const NAMESPACED: bool = false;
}

impl Resource {
    fn objects<T>(rules: &'static dyn Rules) -> Self
    where
        T: ListableResource + DeserializeOwned + Serialize,
        T::Scope: Scope,
    {
        Self {
            group: T::GROUP,
            version: T::VERSION,
            kind: T::KIND,
            plural: T::URL_PATH_SEGMENT,
            singular: T::KIND.to_ascii_lowercase(),
            namespaced: T::Scope::NAMESPACED,
            short_names: &[],
            categories: &[],
            served: Served::Objects(Objects {
                list_kind: T::LIST_KIND,
                decode: decode::through::<T>,
                subresources: &[],
                rules,
            }),
            key: qualified(T::GROUP, T::URL_PATH_SEGMENT),
        }
    }

    fn review<T: k8s_openapi::Resource>(review: Review, namespaced: bool) -> Self {
        Self {
            group: T::GROUP,
            version: T::VERSION,
            kind: T::KIND,
            plural: T::URL_PATH_SEGMENT,
            singular: T::KIND.to_ascii_lowercase(),
            namespaced,
            short_names: &[],
            categories: &[],
            served: Served::Review(review),
            key: qualified(T::GROUP, T::URL_PATH_SEGMENT),
        }
    }

    fn short(mut self, names: &'static [&'static str]) -> Self {
        self.short_names = names;
        self
    }

    fn category(mut self, categories: &'static [&'static str]) -> Self {
        self.categories = categories;
        self
    }

    fn with(mut self, below: &'static [Subresource]) -> Self {
        if let Served::Objects(objects) = &mut self.served {
            objects.subresources = below;
        }
        self
    }

    /// `plural.group`, the name in messages and the key in the store.
    pub(crate) fn qualified(&self) -> &str {
        &self.key
    }

    pub(crate) fn key(&self) -> &str {
        &self.key
    }

    /// `group/version`, or `v1`.
    pub(crate) fn api_version(&self) -> String {
        api_version(self.group, self.version)
    }

    /// The verbs that discovery names, sorted.
    pub(crate) fn verbs(&self) -> &'static [&'static str] {
        match self.served {
            Served::Objects(_) => &[
                "create",
                "delete",
                "deletecollection",
                "get",
                "list",
                "patch",
                "update",
                "watch",
            ],
            Served::Review(_) => &["create"],
        }
    }
}

/// `group/version`, or the bare version in the core group.
pub(crate) fn api_version(group: &str, version: &str) -> String {
    if group.is_empty() {
        version.to_owned()
    } else {
        format!("{group}/{version}")
    }
}

/// All kinds, by group and then by plural name.
pub(crate) fn all() -> &'static [Resource] {
    static ALL: LazyLock<Vec<Resource>> = LazyLock::new(|| {
        let mut all = registry::resources();
        all.sort_by(|a, b| (a.group, a.plural).cmp(&(b.group, b.plural)));
        all
    });
    &ALL
}

/// The kind served under a path's group, version and plural name.
pub(crate) fn find(group: &str, version: &str, plural: &str) -> Option<&'static Resource> {
    all()
        .iter()
        .find(|one| one.group == group && one.version == version && one.plural == plural)
}

/// A kind that this crate itself relies on.
pub(crate) fn of<T: k8s_openapi::Resource>() -> &'static Resource {
    find(T::GROUP, T::VERSION, T::URL_PATH_SEGMENT)
        .expect("the registry holds every kind used here")
}

/// An object that the server makes by itself, with fresh identity.
pub(crate) fn new_object(resource: &Resource, namespace: &str, name: &str) -> Value {
    let mut object = json!({
        "apiVersion": resource.api_version(),
        "kind": resource.kind,
        "metadata": {
            "name": name,
            "uid": uuid::Uuid::new_v4().to_string(),
            "creationTimestamp": now(),
        },
    });
    if !namespace.is_empty() {
        object["metadata"]["namespace"] = json!(namespace);
    }
    object
}
