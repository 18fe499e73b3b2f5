//! Kinds that are kept and shown, without anything acting on them: secrets, pods, services, ...

use authlab_rbac::validation::FieldError;
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use k8s_openapi::api::core::v1::Service;
use k8s_openapi::kube_aggregator::pkg::apis::apiregistration::v1::APIService;
use serde_json::{Value, json};

use super::{Rules, new_object, of, validation};
use crate::object::{entry, now};
use crate::store::Transaction;
use crate::table::{AGE, Column, NAME, age};

pub(super) struct Secrets;

const SECRET_TYPE: Column = Column::text("Type", |object| object["type"].clone());
const SECRET_DATA: Column = Column::text("Data", |object| {
    json!(object["data"].as_object().map_or(0, serde_json::Map::len))
});

/// What a secret of a known type must have and has not (Kubernetes docs, "Types of Secret").
fn missing(object: &Value) -> Vec<FieldError> {
    let required: &[&str] = match object["type"].as_str().unwrap_or_default() {
        "kubernetes.io/tls" => &["tls.crt", "tls.key"],
        "kubernetes.io/ssh-auth" => &["ssh-privatekey"],
        "kubernetes.io/dockercfg" => &[".dockercfg"],
        "kubernetes.io/dockerconfigjson" => &[".dockerconfigjson"],
        "kubernetes.io/service-account-token" => {
            let name = "kubernetes.io/service-account.name";
            let given = &object["metadata"]["annotations"][name];
            if given.as_str().is_none_or(str::is_empty) {
                let field = format!("metadata.annotations[{name}]");
                return vec![FieldError::required(field, "")];
            }
            &[]
        }
        _ => &[],
    };
    let missing = required
        .iter()
        .filter(|key| object["data"].get(key).is_none());
    missing
        .map(|key| FieldError::required(format!("data[{key}]"), ""))
        .collect()
}

impl Rules for Secrets {
    fn columns(&self) -> &[Column] {
        &[NAME, SECRET_TYPE, SECRET_DATA, AGE]
    }

    fn selectable(&self) -> Vec<&str> {
        vec!["type"]
    }

    fn prepare(&self, object: &mut Value, _old: Option<&Value>, _subresource: &str) {
        if object["type"].as_str().is_none_or(str::is_empty) {
            object["type"] = json!("Opaque");
        }
        // Plain text is for writing only.
        let plain = object
            .as_object_mut()
            .and_then(|object| object.remove("stringData"));
        for (key, text) in plain
            .as_ref()
            .and_then(Value::as_object)
            .into_iter()
            .flatten()
        {
            let encoded = BASE64_STANDARD.encode(text.as_str().unwrap_or_default());
            entry(object, "data").insert(key.clone(), json!(encoded));
        }
    }

    fn validate(&self, object: &Value, old: Option<&Value>) -> Vec<FieldError> {
        let mut errors = validation::config_keys(object, "data");
        errors.extend(missing(object));
        if let Some(old) = old {
            errors.extend(validation::unchanged("type", &object["type"], &old["type"]));
            errors.extend(validation::immutable(object, old, &["data"]));
        }
        errors
    }
}

/// A text, or that there is none.
pub(super) fn text(value: &Value) -> Value {
    json!(
        value
            .as_str()
            .filter(|text| !text.is_empty())
            .unwrap_or("<none>")
    )
}

/// A text, or nothing.
pub(super) fn shown(value: &Value) -> Value {
    json!(value.as_str().unwrap_or_default())
}

pub(super) struct Events;

const EVENT_COLUMNS: &[Column] = &[
    Column::text("Last Seen", |object| {
        json!(age(object["lastTimestamp"].as_str().unwrap_or_default()))
    }),
    Column::text("Type", |object| object["type"].clone()),
    Column::text("Reason", |object| object["reason"].clone()),
    Column::text("Object", |object| {
        let about = &object["involvedObject"];
        let kind = about["kind"].as_str().unwrap_or_default().to_lowercase();
        json!(format!(
            "{kind}/{}",
            about["name"].as_str().unwrap_or_default()
        ))
    }),
    Column::text("Message", |object| {
        json!(object["message"].as_str().unwrap_or_default().trim())
    }),
    Column::text("Count", |object| {
        json!(object["count"].as_i64().unwrap_or(1).to_string())
    })
    .wide(),
    Column {
        priority: 1,
        ..NAME
    },
];

impl Rules for Events {
    fn columns(&self) -> &[Column] {
        EVENT_COLUMNS
    }

    fn selectable(&self) -> Vec<&str> {
        vec![
            "involvedObject.kind",
            "involvedObject.namespace",
            "involvedObject.name",
            "involvedObject.uid",
            "involvedObject.apiVersion",
            "involvedObject.resourceVersion",
            "involvedObject.fieldPath",
            "reason",
            "reportingComponent",
            "source",
            "type",
        ]
    }
}

pub(super) struct Services;

const SERVICE_COLUMNS: &[Column] = &[
    NAME,
    Column::text("Type", |object| object["spec"]["type"].clone()),
    Column::text("Cluster-IP", |object| text(&object["spec"]["clusterIP"])),
    Column::text("External-IP", |object| {
        if object["spec"]["type"] == "ExternalName" {
            return object["spec"]["externalName"].clone();
        }
        let addresses = crate::object::strings(&object["spec"]["externalIPs"]);
        text(&json!(addresses.join(",")))
    }),
    Column::text("Port(s)", |object| {
        let ports = object["spec"]["ports"].as_array().into_iter().flatten();
        let ports: Vec<String> = ports
            .map(|port| {
                let protocol = port["protocol"].as_str().unwrap_or("TCP");
                format!("{}/{protocol}", port["port"])
            })
            .collect();
        text(&json!(ports.join(",")))
    }),
    AGE,
];

impl Rules for Services {
    fn assigned(&self) -> &'static [&'static str] {
        &[
            "spec.clusterIP",
            "spec.clusterIPs",
            "spec.ipFamilies",
            "spec.ipFamilyPolicy",
        ]
    }

    fn columns(&self) -> &[Column] {
        SERVICE_COLUMNS
    }

    fn validate(&self, object: &Value, _old: Option<&Value>) -> Vec<FieldError> {
        let spec = &object["spec"];
        let needed = spec["clusterIP"] != "None" && spec["type"] != "ExternalName";
        if needed && spec["ports"].as_array().is_none_or(Vec::is_empty) {
            return vec![FieldError::required("spec.ports", "")];
        }
        Vec::new()
    }

    fn prepare(&self, object: &mut Value, old: Option<&Value>, _subresource: &str) {
        let spec = entry(object, "spec");
        for (field, value) in [("type", "ClusterIP"), ("sessionAffinity", "None")] {
            spec.entry(field).or_insert_with(|| json!(value));
        }
        for port in spec
            .get_mut("ports")
            .and_then(Value::as_array_mut)
            .into_iter()
            .flatten()
        {
            let (number, port) = (port["port"].clone(), port.as_object_mut());
            if let Some(port) = port {
                port.entry("protocol").or_insert_with(|| json!("TCP"));
                port.entry("targetPort").or_insert(number);
            }
        }
        entry(object, "status")
            .entry("loadBalancer")
            .or_insert_with(|| json!({}));
        addresses(object, old);
    }

    fn returns_deleted(&self) -> bool {
        true
    }
}

/// Gives a service an address in the cluster, which it keeps, unless it wants none.
fn addresses(object: &mut Value, old: Option<&Value>) {
    let headless = object["spec"]["clusterIP"] == "None";
    if object["spec"]["type"] == "ExternalName" {
        return;
    }
    let spec = entry(object, "spec");
    for field in ["clusterIP", "clusterIPs"] {
        if let Some(kept) = old
            .map(|old| &old["spec"][field])
            .filter(|kept| !kept.is_null())
        {
            spec.entry(field).or_insert_with(|| kept.clone());
        }
    }
    let [a, b, ..] = uuid::Uuid::new_v4().into_bytes();
    let address = spec
        .entry("clusterIP")
        .or_insert_with(|| json!(format!("10.96.{a}.{}", b.max(1))))
        .clone();
    // Without addresses of its own and of its pods, a service is of both families.
    let (families, policy) = if headless && !spec.contains_key("selector") {
        (json!(["IPv4", "IPv6"]), "RequireDualStack")
    } else {
        (json!(["IPv4"]), "SingleStack")
    };
    let defaults = [
        ("clusterIPs", json!([address])),
        ("ipFamilies", families),
        ("ipFamilyPolicy", json!(policy)),
        ("internalTrafficPolicy", json!("Cluster")),
    ];
    for (field, value) in defaults {
        spec.entry(field).or_insert(value);
    }
}

/// The service under which pods find the API server itself.
pub(super) fn kubernetes_service(transaction: &mut Transaction<'_>) {
    let resource = of::<Service>();
    let mut object = new_object(resource, "default", "kubernetes");
    object["metadata"]["labels"] = json!({"component": "apiserver", "provider": "kubernetes"});
    object["spec"] = json!({
        "clusterIP": "10.96.0.1",
        "clusterIPs": ["10.96.0.1"],
        "ipFamilies": ["IPv4"],
        "ipFamilyPolicy": "SingleStack",
        "internalTrafficPolicy": "Cluster",
        "ports": [{"name": "https", "port": 443, "protocol": "TCP", "targetPort": 6443}],
    });
    Services.prepare(&mut object, None, "");
    transaction.put(resource, object);
}

pub(super) struct ApiServices;

const API_SERVICE_COLUMNS: &[Column] = &[
    NAME,
    Column::text("Service", |object| {
        let service = &object["spec"]["service"];
        let part = |field: &str| service[field].as_str().unwrap_or_default();
        if service.is_object() {
            json!(format!("{}/{}", part("namespace"), part("name")))
        } else {
            json!("Local")
        }
    }),
    Column::text("Available", |object| {
        let mut conditions = object["status"]["conditions"]
            .as_array()
            .into_iter()
            .flatten();
        let available = conditions.find(|one| one["type"] == "Available");
        match available.map(|one| (&one["status"], &one["reason"])) {
            Some((Value::String(status), _)) if status == "True" => json!("True"),
            Some((status, reason)) => json!(format!(
                "{} ({})",
                status.as_str().unwrap_or_default(),
                reason.as_str().unwrap_or_default()
            )),
            None => json!("Unknown"),
        }
    }),
    AGE,
];

impl Rules for ApiServices {
    fn columns(&self) -> &[Column] {
        API_SERVICE_COLUMNS
    }
}

/// The versions that the server serves by itself, as aggregation sees them.
pub(super) fn api_services(transaction: &mut Transaction<'_>) {
    let resource = of::<APIService>();
    let mut served: Vec<(&str, &str)> = super::builtin()
        .iter()
        .map(|one| (one.group.as_str(), one.version.as_str()))
        .filter(|(group, _)| *group != resource.group)
        .collect();
    served.dedup();
    for (group, version) in served {
        let mut object = new_object(resource, "", &format!("{version}.{group}"));
        object["metadata"]["labels"] =
            json!({"kube-aggregator.kubernetes.io/automanaged": "onstart"});
        object["spec"] = match group {
            // The first group has no name.
            "" => json!({"version": version, "versionPriority": 1, "groupPriorityMinimum": 18000}),
            _ => {
                let priority = priority(group);
                json!({"group": group, "version": version, "versionPriority": 15, "groupPriorityMinimum": priority})
            }
        };
        object["status"] = json!({"conditions": [{
            "type": "Available",
            "status": "True",
            "reason": "Local",
            "message": "Local APIServices are always available",
            "lastTransitionTime": now(),
        }]});
        transaction.put(resource, object);
    }
}

/// Which groups come first where several have a kind of one name, as a kube-apiserver 1.36 has it.
fn priority(group: &str) -> u32 {
    match group {
        "apps" => 17800,
        "authentication.k8s.io" => 17700,
        "authorization.k8s.io" => 17600,
        "batch" => 17400,
        "networking.k8s.io" => 17200,
        "apiextensions.k8s.io" => 16700,
        "coordination.k8s.io" => 16500,
        _ => 17000,
    }
}

/// What leaders of several programs of one kind hold.
pub(super) struct Leases;

impl Rules for Leases {
    fn columns(&self) -> &[Column] {
        const HOLDER: Column =
            Column::text("Holder", |object| shown(&object["spec"]["holderIdentity"]));
        &[NAME, HOLDER, AGE]
    }
}
