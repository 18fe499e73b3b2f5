//! The kinds served, one entry each, and the rules that set them apart.

use std::sync::{Arc, LazyLock};

use authlab_rbac::validation::FieldError;
use k8s_openapi::{ClusterResourceScope, ListableResource, NamespaceResourceScope};
use schemars::{JsonSchema, SchemaGenerator};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::{Map, Value, json};

use crate::call::Call;
use crate::decode::{self, DecodeError};
use crate::object::{Object as _, now};
use crate::status::{Status, qualified};
use crate::store::Transaction;
use crate::table::{self, Column};

pub(crate) mod config_maps;
pub(crate) mod controllers;
pub(crate) mod custom;
pub(crate) mod definitions;
mod jobs;
pub(crate) mod kinds;
pub(crate) mod namespaces;
mod networking;
mod nodes;
pub(crate) mod owners;
mod pods;
pub(crate) mod rbac;
pub(crate) mod records;
mod registry;
pub(crate) mod service_accounts;
mod storage;
pub(crate) mod validation;
pub(crate) mod workloads;

/// One kind of the API.
pub(crate) struct Resource {
    pub(crate) group: String,
    pub(crate) version: String,
    pub(crate) kind: String,
    pub(crate) plural: String,
    pub(crate) singular: String,
    pub(crate) namespaced: bool,
    pub(crate) short_names: Vec<String>,
    pub(crate) categories: Vec<String>,
    pub(crate) served: Served,
    /// Adds the schemas of a built-in kind and of all that it holds; returns its own one's name.
    pub(crate) model: Option<fn(&mut SchemaGenerator) -> String>,
    key: String,
}

fn model<T: JsonSchema>(generator: &mut SchemaGenerator) -> String {
    let _ = generator.subschema_for::<T>();
    T::schema_name().into_owned()
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
    pub(crate) list_kind: String,
    /// Reads the object as its Kubernetes type and writes it back, so that what the type does
    /// not know is gone and what it cannot hold is refused.
    pub(crate) decode: Box<Decode>,
    pub(crate) subresources: Vec<Subresource>,
    pub(crate) rules: Box<dyn Rules>,
}

/// Reads an object as its kind, or says why it is none.
pub(crate) type Decode = dyn Fn(Value) -> Result<Value, DecodeError> + Send + Sync;

/// A path below an object.
#[derive(Clone)]
pub(crate) struct Subresource {
    pub(crate) name: &'static str,
    /// Group, version and kind of its body where these differ from the parent's.
    pub(crate) body: Option<(&'static str, &'static str, &'static str)>,
    pub(crate) verbs: &'static [&'static str],
}

/// What is particular to one stored kind.
pub(crate) trait Rules: Send + Sync {
    /// Columns of the server-side table, after k8s.io/kubernetes `pkg/printers`.
    fn columns(&self) -> &[Column];

    /// The columns as a table defines them.
    fn definitions(&self) -> Vec<Value> {
        self.columns().iter().map(table::definition).collect()
    }

    /// An object's row in a table.
    fn cells(&self, object: &Value) -> Vec<Value> {
        let columns = self.columns().iter();
        columns.map(|column| (column.cell)(object)).collect()
    }

    /// What a definition says of a custom kind.
    fn custom(&self) -> Option<&custom::Custom> {
        None
    }

    /// Fields that the server fills in without anybody managing them, as paths with dots.
    fn assigned(&self) -> &'static [&'static str] {
        &[]
    }

    /// Where the subresource `scale` finds its numbers, by the names that definitions use.
    fn scale(&self) -> Option<&Value> {
        None
    }

    /// An update must name the revision that it replaces.
    fn needs_revision(&self) -> bool {
        false
    }

    /// Fields that lists can be selected by, besides name and namespace.
    fn selectable(&self) -> Vec<&str> {
        Vec::new()
    }

    /// Fills defaults and clears what a client may not set. `old` is absent on create;
    /// `subresource` is `""`, `status` or `finalize`.
    fn prepare(&self, _object: &mut Value, _old: Option<&Value>, _subresource: &str) {}

    /// Fills in what depends on other objects, when an object is created.
    fn complete(&self, _transaction: &Transaction<'_>, _object: &mut Value) -> Result<(), Status> {
        Ok(())
    }

    /// Complaints about a prepared object.
    fn validate(&self, _object: &Value, _old: Option<&Value>) -> Vec<FieldError> {
        Vec::new()
    }

    /// What is accepted, but not as somebody may think.
    fn warnings(&self, _object: &Value, _old: Option<&Value>) -> Vec<String> {
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

    /// Watchers see that such an object is about to go before it is gone.
    fn goes_in_steps(&self) -> bool {
        false
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
    fn objects<T>(rules: impl Rules + 'static) -> Self
    where
        T: ListableResource + DeserializeOwned + Serialize + JsonSchema + 'static,
        T::Scope: Scope,
    {
        Self {
            group: T::GROUP.to_owned(),
            version: T::VERSION.to_owned(),
            kind: T::KIND.to_owned(),
            plural: T::URL_PATH_SEGMENT.to_owned(),
            singular: T::KIND.to_ascii_lowercase(),
            namespaced: T::Scope::NAMESPACED,
            short_names: Vec::new(),
            categories: Vec::new(),
            served: Served::Objects(Objects {
                list_kind: T::LIST_KIND.to_owned(),
                decode: Box::new(decode::through::<T>),
                subresources: Vec::new(),
                rules: Box::new(rules),
            }),
            model: Some(model::<T>),
            key: qualified(T::GROUP, T::URL_PATH_SEGMENT),
        }
    }

    fn review<T: k8s_openapi::Resource + JsonSchema>(review: Review, namespaced: bool) -> Self {
        Self {
            group: T::GROUP.to_owned(),
            version: T::VERSION.to_owned(),
            kind: T::KIND.to_owned(),
            plural: T::URL_PATH_SEGMENT.to_owned(),
            singular: T::KIND.to_ascii_lowercase(),
            namespaced,
            short_names: Vec::new(),
            categories: Vec::new(),
            served: Served::Review(review),
            model: Some(model::<T>),
            key: qualified(T::GROUP, T::URL_PATH_SEGMENT),
        }
    }

    fn short(mut self, names: &[&str]) -> Self {
        self.short_names = names.iter().map(ToString::to_string).collect();
        self
    }

    fn category(mut self, categories: &[&str]) -> Self {
        self.categories = categories.iter().map(ToString::to_string).collect();
        self
    }

    fn with(mut self, below: &[Subresource]) -> Self {
        if let Served::Objects(objects) = &mut self.served {
            objects.subresources = below.to_vec();
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
        api_version(&self.group, &self.version)
    }

    /// An object of this kind as its version shows it; only custom kinds have several.
    pub(crate) fn view(&self, object: &Arc<Value>) -> Arc<Value> {
        let Served::Objects(objects) = &self.served else {
            return Arc::clone(object);
        };
        if objects.rules.custom().is_none() || object["apiVersion"] == self.api_version() {
            return Arc::clone(object);
        }
        let mut view = (**object).clone();
        view["apiVersion"] = json!(self.api_version());
        Arc::new((objects.decode)(view.clone()).unwrap_or(view))
    }

    /// Whether status is changed apart from the rest.
    pub(crate) fn has_status(&self) -> bool {
        match &self.served {
            Served::Objects(objects) => objects.subresources.iter().any(|one| one.name == "status"),
            Served::Review(_) => false,
        }
    }

    /// See [`Rules::assigned`].
    pub(crate) fn assigned(&self) -> &'static [&'static str] {
        match &self.served {
            Served::Objects(objects) => objects.rules.assigned(),
            Served::Review(_) => &[],
        }
    }

    /// The custom kind's definition, if it is one.
    pub(crate) fn custom(&self) -> Option<&custom::Custom> {
        match &self.served {
            Served::Objects(objects) => objects.rules.custom(),
            Served::Review(_) => None,
        }
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

/// The kinds that every server has, by group and then by plural name.
pub(crate) fn builtin() -> &'static [Arc<Resource>] {
    static ALL: LazyLock<Vec<Arc<Resource>>> = LazyLock::new(|| {
        let mut all = registry::resources();
        all.sort_by(|a, b| (&a.group, &a.plural).cmp(&(&b.group, &b.plural)));
        all.into_iter().map(Arc::new).collect()
    });
    &ALL
}

/// A kind that this crate itself relies on.
pub(crate) fn of<T: k8s_openapi::Resource>() -> &'static Resource {
    builtin()
        .iter()
        .find(|one| {
            one.group == T::GROUP && one.version == T::VERSION && one.plural == T::URL_PATH_SEGMENT
        })
        .expect("the registry holds every kind used here")
}

/// Puts what is absent of `defaults` into an object.
fn fill(object: &mut Map<String, Value>, defaults: Value) {
    if let Value::Object(defaults) = defaults {
        for (field, value) in defaults {
            object.entry(field).or_insert(value);
        }
    }
}

/// Counts how often what is wanted of an object has changed.
fn advance(object: &mut Value, old: Option<&Value>) {
    let generation = match old {
        None => 1,
        Some(old) => {
            let before = old["metadata"]["generation"].as_i64().unwrap_or_default();
            before + i64::from(object["spec"] != old["spec"])
        }
    };
    object["metadata"]["generation"] = json!(generation);
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
