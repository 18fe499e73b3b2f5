//! Nodes, and what namespaces may have of them: quotas and limits. Records, which nothing enforces.

use serde_json::{Value, json};

use super::Rules;
use super::records::text;
use crate::object::{Object as _, entry};
use crate::table::{AGE, Column, NAME};

pub(super) struct Nodes;

fn status(object: &Value) -> Value {
    let mut conditions = object["status"]["conditions"]
        .as_array()
        .into_iter()
        .flatten();
    let ready = conditions.find(|one| one["type"] == "Ready");
    let status = ready.map_or("Unknown", |one| match one["status"].as_str() {
        Some("True") => "Ready",
        _ => "NotReady",
    });
    match object["spec"]["unschedulable"] == true {
        true => json!(format!("{status},SchedulingDisabled")),
        false => json!(status),
    }
}

/// The roles that labels give a node.
fn roles(object: &Value) -> Value {
    let labels = object["metadata"]["labels"]
        .as_object()
        .into_iter()
        .flatten();
    let roles = labels.filter_map(|(key, value)| {
        let role = key.strip_prefix("node-role.kubernetes.io/");
        role.or_else(|| value.as_str().filter(|_| key == "kubernetes.io/role"))
            .filter(|role| !role.is_empty())
    });
    text(&json!(roles.collect::<Vec<_>>().join(",")))
}

fn address(object: &Value, kind: &str) -> Value {
    let mut all = object["status"]["addresses"]
        .as_array()
        .into_iter()
        .flatten();
    let found = all.find(|one| one["type"] == kind);
    text(found.map_or(&Value::Null, |one| &one["address"]))
}

/// What a node says of itself.
fn info(object: &Value, field: &str) -> Value {
    let text = object["status"]["nodeInfo"][field].as_str();
    json!(text.filter(|text| !text.is_empty()).unwrap_or("<unknown>"))
}

const NODE_COLUMNS: &[Column] = &[
    NAME,
    Column::text("Status", status),
    Column::text("Roles", roles),
    AGE,
    Column::text("Version", |object| {
        let version = object["status"]["nodeInfo"]["kubeletVersion"].as_str();
        json!(version.unwrap_or_default())
    }),
    Column::text("Internal-IP", |object| address(object, "InternalIP")).wide(),
    Column::text("External-IP", |object| address(object, "ExternalIP")).wide(),
    Column::text("OS-Image", |object| info(object, "osImage")).wide(),
    Column::text("Kernel-Version", |object| info(object, "kernelVersion")).wide(),
    Column::text("Container-Runtime", |object| {
        info(object, "containerRuntimeVersion")
    })
    .wide(),
];

impl Rules for Nodes {
    fn columns(&self) -> &[Column] {
        NODE_COLUMNS
    }

    fn selectable(&self) -> Vec<&str> {
        vec!["spec.unschedulable"]
    }

    /// A new node takes no pods before it is ready (admission plugin TaintNodesByCondition).
    fn prepare(&self, object: &mut Value, old: Option<&Value>, _subresource: &str) {
        if old.is_some() {
            return;
        }
        let taint = json!({"key": "node.kubernetes.io/not-ready", "effect": "NoSchedule"});
        let spec = entry(object, "spec");
        let taints = spec.entry("taints").or_insert_with(|| json!([]));
        if let Some(taints) = taints.as_array_mut().filter(|all| !all.contains(&taint)) {
            taints.push(taint);
        }
    }
}

pub(super) struct ResourceQuotas;

/// What is used and what is there, of limits or of all else.
fn used(object: &Value, limits: bool) -> Value {
    let status = &object["status"];
    let hard = status["hard"].as_object().into_iter().flatten();
    let parts = hard
        .filter(|(name, _)| (name.starts_with("limits.")) == limits)
        .map(|(name, hard)| {
            let plain = |value: &Value| value.as_str().unwrap_or("0").to_owned();
            format!("{name}: {}/{}", plain(&status["used"][name]), plain(hard))
        });
    json!(parts.collect::<Vec<_>>().join(", "))
}

impl Rules for ResourceQuotas {
    fn columns(&self) -> &[Column] {
        const REQUEST: Column = Column::text("Request", |object| used(object, false));
        const LIMIT: Column = Column::text("Limit", |object| used(object, true));
        &[NAME, REQUEST, LIMIT, AGE]
    }
}

pub(super) struct LimitRanges;

impl Rules for LimitRanges {
    fn columns(&self) -> &[Column] {
        const CREATED: Column = Column::text("Created At", |object| {
            json!(object.meta("creationTimestamp"))
        });
        &[NAME, CREATED]
    }

    /// A container that says nothing asks for what it is limited to, and is limited to the most.
    fn prepare(&self, object: &mut Value, _old: Option<&Value>, _subresource: &str) {
        let limits = entry(object, "spec").get_mut("limits");
        let limits = limits.and_then(Value::as_array_mut).into_iter().flatten();
        for limit in limits.filter(|one| one["type"] == "Container") {
            for (to, from) in [
                ("default", "max"),
                ("defaultRequest", "default"),
                ("defaultRequest", "min"),
            ] {
                let given = limit[from].as_object().cloned().unwrap_or_default();
                if given.is_empty() {
                    continue;
                }
                let to = entry(limit, to);
                given
                    .into_iter()
                    .for_each(|(name, amount)| _ = to.entry(name).or_insert(amount));
            }
        }
    }
}
