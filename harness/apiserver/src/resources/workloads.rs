//! Workloads as records: defaults and checks of the API, without a controller that acts on them.
//!
//! As a kube-apiserver 1.36 fills them in and refuses them.

use std::sync::LazyLock;

use authlab_rbac::validation::FieldError;
use serde_json::{Value, json};

use super::records::text;
use super::{Rules, advance, fill, pods, validation};
use crate::object::{entry, strings};
use crate::selector::Selector;
use crate::table::{AGE, Column, NAME};

/// A kind of apps/v1.
pub(super) struct Workload {
    columns: &'static [Column],
    /// What an absent field of the spec means.
    spec: fn() -> Value,
    /// The field that says how pods are replaced, and what its rolling way means.
    strategy: Option<Strategy>,
    /// The status before any controller has seen the object.
    status: fn() -> Value,
    /// Whether it must have a selector. The type cannot tell an absent one from an empty one.
    selective: bool,
    /// Whether it has a number of replicas.
    scales: bool,
    /// Fields that an update may change, where not all but the selector may.
    mutable: Option<&'static [&'static str]>,
}

type Strategy = (&'static str, fn() -> Value);

pub(super) const DEPLOYMENTS: Workload = Workload {
    columns: &[
        NAME,
        Column::text("Ready", ready),
        Column::text("Up-to-date", |one| count(one, "updatedReplicas")),
        Column::text("Available", |one| count(one, "availableReplicas")),
        AGE,
        CONTAINERS,
        IMAGES,
        SELECTOR,
    ],
    spec: || json!({"replicas": 1, "revisionHistoryLimit": 10, "progressDeadlineSeconds": 600}),
    strategy: Some((
        "strategy",
        || json!({"maxSurge": "25%", "maxUnavailable": "25%"}),
    )),
    status: || json!({}),
    selective: true,
    scales: true,
    mutable: None,
};

pub(super) const STATEFUL_SETS: Workload = Workload {
    columns: &[NAME, Column::text("Ready", ready), AGE, CONTAINERS, IMAGES],
    spec: || {
        json!({
            "replicas": 1,
            "revisionHistoryLimit": 10,
            "podManagementPolicy": "OrderedReady",
            "persistentVolumeClaimRetentionPolicy": {"whenDeleted": "Retain", "whenScaled": "Retain"},
        })
    },
    strategy: Some(("updateStrategy", || json!({"partition": 0}))),
    status: || json!({"replicas": 0, "availableReplicas": 0}),
    selective: true,
    scales: true,
    mutable: Some(&[
        "replicas",
        "ordinals",
        "template",
        "updateStrategy",
        "revisionHistoryLimit",
        "persistentVolumeClaimRetentionPolicy",
        "minReadySeconds",
    ]),
};

pub(super) const DAEMON_SETS: Workload = Workload {
    columns: &[
        NAME,
        Column::text("Desired", |one| count(one, "desiredNumberScheduled")),
        Column::text("Current", |one| count(one, "currentNumberScheduled")),
        Column::text("Ready", |one| count(one, "numberReady")),
        Column::text("Up-to-date", |one| count(one, "updatedNumberScheduled")),
        Column::text("Available", |one| count(one, "numberAvailable")),
        Column::text("Node Selector", |one| {
            let labels = &one["spec"]["template"]["spec"]["nodeSelector"];
            text(&json!(selector(&json!({"matchLabels": labels}))))
        }),
        AGE,
        CONTAINERS,
        IMAGES,
        SELECTOR,
    ],
    spec: || json!({"revisionHistoryLimit": 10}),
    strategy: Some((
        "updateStrategy",
        || json!({"maxSurge": 0, "maxUnavailable": 1}),
    )),
    status: || {
        json!({
            "currentNumberScheduled": 0,
            "desiredNumberScheduled": 0,
            "numberMisscheduled": 0,
            "numberReady": 0,
        })
    },
    selective: false,
    scales: false,
    mutable: None,
};

pub(super) const REPLICA_SETS: Workload = Workload {
    columns: &[
        NAME,
        Column::text("Desired", |one| json!(wanted(one).to_string())),
        Column::text("Current", |one| count(one, "replicas")),
        Column::text("Ready", |one| count(one, "readyReplicas")),
        AGE,
        CONTAINERS,
        IMAGES,
        SELECTOR,
    ],
    spec: || json!({"replicas": 1}),
    strategy: None,
    status: || json!({"replicas": 0}),
    selective: true,
    scales: true,
    mutable: None,
};

pub(super) const CONTAINERS: Column =
    Column::text("Containers", |one| of_containers(one, "name")).wide();
pub(super) const IMAGES: Column = Column::text("Images", |one| of_containers(one, "image")).wide();
pub(super) const SELECTOR: Column = Column::text("Selector", |one| {
    text(&json!(selector(&one["spec"]["selector"])))
})
.wide();

/// The template of an object's pods, of jobs that something makes too.
pub(super) fn template(object: &Value) -> &Value {
    let spec = &object["spec"];
    match &spec["jobTemplate"] {
        Value::Null => &spec["template"],
        jobs => &jobs["spec"]["template"],
    }
}

fn of_containers(object: &Value, field: &str) -> Value {
    let all = template(object)["spec"]["containers"].as_array();
    let all = all.into_iter().flatten();
    let all: Vec<&str> = all.filter_map(|one| one[field].as_str()).collect();
    json!(all.join(","))
}

fn count(object: &Value, field: &str) -> Value {
    json!(
        object["status"][field]
            .as_i64()
            .unwrap_or_default()
            .to_string()
    )
}

fn wanted(object: &Value) -> i64 {
    object["spec"]["replicas"].as_i64().unwrap_or_default()
}

fn ready(object: &Value) -> Value {
    let ready = count(object, "readyReplicas");
    json!(format!(
        "{}/{}",
        ready.as_str().unwrap_or_default(),
        wanted(object)
    ))
}

/// A label selector as people write it (Kubernetes docs, "Labels and Selectors").
pub(crate) fn selector(selector: &Value) -> String {
    let labels = selector["matchLabels"].as_object().into_iter().flatten();
    let labels = labels.map(|(key, value)| format!("{key}={}", value.as_str().unwrap_or_default()));
    let expressions = selector["matchExpressions"].as_array();
    let expressions = expressions.into_iter().flatten().map(|one| {
        let key = one["key"].as_str().unwrap_or_default();
        let values = strings(&one["values"]).join(",");
        match one["operator"].as_str().unwrap_or_default() {
            "In" => format!("{key} in ({values})"),
            "NotIn" => format!("{key} notin ({values})"),
            "DoesNotExist" => format!("!{key}"),
            _ => key.to_owned(),
        }
    });
    labels.chain(expressions).collect::<Vec<_>>().join(",")
}

/// What is wrong with how the pods of a template are selected.
fn selects(object: &Value, selective: bool) -> Vec<FieldError> {
    let mut errors = Vec::new();
    let written = selector(&object["spec"]["selector"]);
    if selective && written.is_empty() {
        errors.push(FieldError::required("spec.selector", ""));
    }
    let template = template(object);
    let selector = Selector::parse(Some(&written), None, &[]);
    if written.is_empty() || !selector.is_ok_and(|selector| selector.matches(template)) {
        errors.push(FieldError::invalid_json(
            "spec.template.metadata.labels",
            template["metadata"]["labels"].to_string(),
            "`selector` does not match template `labels`",
        ));
    }
    errors
}

impl Rules for Workload {
    fn columns(&self) -> &[Column] {
        self.columns
    }

    fn prepare(&self, object: &mut Value, old: Option<&Value>, subresource: &str) {
        if subresource.is_empty() {
            fill(entry(object, "spec"), (self.spec)());
            let spec = &mut object["spec"];
            if let Some((field, rolling)) = self.strategy {
                fill(entry(spec, field), json!({"type": "RollingUpdate"}));
                if spec[field]["type"] == "RollingUpdate" {
                    fill(entry(&mut spec[field], "rollingUpdate"), rolling());
                }
            }
            pods::template(entry(&mut spec["template"], "spec"));
        }
        advance(object, old);
        if old.is_none() {
            object["status"] = (self.status)();
        }
    }

    fn validate(&self, object: &Value, old: Option<&Value>) -> Vec<FieldError> {
        let mut errors = Vec::new();
        if wanted(object) < 0 {
            errors.push(FieldError::invalid_json(
                "spec.replicas",
                wanted(object).to_string(),
                "must be greater than or equal to 0",
            ));
        }
        let fixed = |old: &Value| match self.mutable {
            Some(mutable) => frozen(object, old, mutable),
            None => {
                let [new, old] = [object, old].map(|one| &one["spec"]["selector"]);
                validation::unchanged("spec.selector", new, old)
            }
        };
        let fixed = old.map(fixed).unwrap_or_default();
        errors.extend(selects(object, self.selective));
        // Daemon sets tell of it first.
        let place = if self.selective { errors.len() } else { 0 };
        errors.splice(place..place, fixed);
        errors.extend(pods::containers(
            &template(object)["spec"],
            "spec.template.spec",
        ));
        let policy = &template(object)["spec"]["restartPolicy"];
        if let Some(policy) = policy.as_str().filter(|policy| *policy != "Always") {
            let field = "spec.template.spec.restartPolicy";
            errors.push(FieldError::unsupported(field, policy, &["Always"]));
        }
        errors
    }

    fn scale(&self) -> Option<&Value> {
        static PATHS: LazyLock<Value> = LazyLock::new(|| {
            json!({
                "specReplicasPath": ".spec.replicas",
                "statusReplicasPath": ".status.replicas",
                "labelSelectorPath": ".spec.selector",
            })
        });
        self.scales.then(|| &*PATHS)
    }
}

/// An update of what is fixed once the object is made.
fn frozen(object: &Value, old: &Value, mutable: &[&str]) -> Vec<FieldError> {
    let rest = |object: &Value| {
        let mut spec = object["spec"].as_object().cloned().unwrap_or_default();
        spec.retain(|field, _| !mutable.contains(&field.as_str()));
        spec
    };
    if rest(object) == rest(old) {
        return Vec::new();
    }
    let (last, others) = mutable.split_last().unwrap_or((&"", &[]));
    let why = format!(
        "updates to statefulset spec for fields other than '{}' and '{last}' are forbidden",
        others.join("', '")
    );
    vec![FieldError::forbidden("spec", &why)]
}
