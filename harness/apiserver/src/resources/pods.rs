//! Pods as records: what the API and its admission make of them, without anything running.
//!
//! Defaults as a kube-apiserver 1.36 fills them in.

use authlab_rbac::validation::FieldError;
use serde_json::{Map, Value, json};

use super::records::text;
use super::service_accounts::{DEFAULT, accounts};
use super::{Rules, advance, fill};
use crate::object::{Object, entry, now, random_suffix};
use crate::status::Status;
use crate::store::Transaction;
use crate::table::{AGE, Column, NAME};

/// Where containers find the token of their service account.
const MOUNT: &str = "/var/run/secrets/kubernetes.io/serviceaccount";

pub(super) struct Pods;

fn number(object: &Value) -> usize {
    object["spec"]["containers"].as_array().map_or(0, Vec::len)
}

fn statuses(object: &Value) -> impl Iterator<Item = &Value> {
    object["status"]["containerStatuses"]
        .as_array()
        .into_iter()
        .flatten()
}

const POD_COLUMNS: &[Column] = &[
    NAME,
    Column::text("Ready", |object| {
        let ready = statuses(object).filter(|one| one["ready"] == true).count();
        json!(format!("{ready}/{}", number(object)))
    }),
    Column::text("Status", |object| {
        if object.terminating() {
            return json!("Terminating");
        }
        if gated(object) {
            return json!(GATED);
        }
        match object["status"]["reason"].as_str() {
            Some(reason) if !reason.is_empty() => json!(reason),
            _ => object["status"]["phase"].clone(),
        }
    }),
    Column::text("Restarts", |object| {
        let restarts: i64 = statuses(object)
            .filter_map(|one| one["restartCount"].as_i64())
            .sum();
        json!(restarts.to_string())
    }),
    AGE,
    Column::text("IP", |object| text(&object["status"]["podIP"])).wide(),
    Column::text("Node", |object| text(&object["spec"]["nodeName"])).wide(),
    Column::text("Nominated Node", |object| {
        text(&object["status"]["nominatedNodeName"])
    })
    .wide(),
    Column::text("Readiness Gates", |_| json!("<none>")).wide(),
];

/// Why a pod with a gate is on no node.
const GATED: &str = "SchedulingGated";

fn gated(object: &Value) -> bool {
    let gates = object["spec"]["schedulingGates"].as_array();
    gates.is_some_and(|gates| !gates.is_empty())
}

impl Rules for Pods {
    fn assigned(&self) -> &'static [&'static str] {
        &["spec.priority", "spec.preemptionPolicy", "spec.tolerations"]
    }

    fn columns(&self) -> &[Column] {
        POD_COLUMNS
    }

    fn selectable(&self) -> Vec<&str> {
        vec![
            "spec.nodeName",
            "spec.restartPolicy",
            "spec.schedulerName",
            "spec.serviceAccountName",
            "status.phase",
            "status.podIP",
        ]
    }

    /// The defaults of the API and of its admission; a kubelet's are left out.
    fn prepare(&self, object: &mut Value, old: Option<&Value>, subresource: &str) {
        if let Some(old) = old {
            if subresource.is_empty() {
                advance(object, Some(old));
            }
            // The older field of one address is the first of all.
            if let Some(address) = object["status"]["podIP"].as_str().map(str::to_owned)
                && object["status"]["podIPs"].is_null()
            {
                object["status"]["podIPs"] = json!([{"ip": address}]);
            }
            return;
        }
        let spec = entry(object, "spec");
        template(spec);
        let defaults = json!({
            "enableServiceLinks": true,
            "preemptionPolicy": "PreemptLowerPriority",
            "priority": 0,
        });
        fill(spec, defaults);
        let tolerations = spec.entry("tolerations").or_insert_with(|| json!([]));
        if let Some(tolerations) = tolerations.as_array_mut() {
            for key in ["not-ready", "unreachable"] {
                tolerations.push(json!({
                    "key": format!("node.kubernetes.io/{key}"),
                    "operator": "Exists",
                    "effect": "NoExecute",
                    "tolerationSeconds": 300,
                }));
            }
        }
        let asks = |one: &Value| {
            !one["resources"]["requests"].is_null() || !one["resources"]["limits"].is_null()
        };
        let some = spec["containers"]
            .as_array()
            .is_some_and(|all| all.iter().any(asks));
        let class = if some { "Burstable" } else { "BestEffort" };
        object["status"] = json!({"phase": "Pending", "qosClass": class});
        if gated(object) {
            object["status"]["conditions"] = json!([{
                "type": "PodScheduled",
                "status": "False",
                "lastProbeTime": null,
                "lastTransitionTime": now(),
                "reason": GATED,
                "message": "Scheduling is blocked due to non-empty scheduling gates",
            }]);
        }
        advance(object, None);
    }

    fn validate(&self, object: &Value, old: Option<&Value>) -> Vec<FieldError> {
        if old.is_some_and(|old| number(old) != number(object)) {
            let why = "pod updates may not add or remove containers";
            return vec![FieldError::forbidden("spec.containers", why)];
        }
        let mut errors = containers(&object["spec"], "spec");
        if old.is_some_and(|old| fixed(old) != fixed(object)) {
            let why = "pod updates may not change fields other than `spec.containers[*].image`,`spec.initContainers[*].image`,`spec.activeDeadlineSeconds`,`spec.tolerations` (only additions to existing tolerations),`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)";
            errors.push(FieldError::forbidden("spec", why));
        }
        errors
    }

    /// The account must be there, and its token is mounted unless somebody is against it
    /// (admission plugin ServiceAccount).
    fn complete(&self, transaction: &Transaction<'_>, object: &mut Value) -> Result<(), Status> {
        let namespace = object.namespace().to_owned();
        let spec = entry(object, "spec");
        let account = spec
            .entry("serviceAccountName")
            .or_insert_with(|| json!(DEFAULT))
            .clone();
        spec.insert("serviceAccount".to_owned(), account.clone());
        let name = account.as_str().unwrap_or_default();
        let Some(account) = transaction.get(accounts(), &namespace, name) else {
            let why = format!(
                "error looking up service account {namespace}/{name}: serviceaccount {name:?} not found"
            );
            return Err(Status::forbidden("", "pods", object.name(), &why));
        };
        let wanted = match &object["spec"]["automountServiceAccountToken"] {
            Value::Bool(wanted) => *wanted,
            _ => account["automountServiceAccountToken"] != false,
        };
        let mounted = |one: &Value| one["mountPath"] == MOUNT;
        let mut used = false;
        let volume = format!("kube-api-access-{}", random_suffix());
        for field in ["initContainers", "containers"] {
            let all = object["spec"].get_mut(field).and_then(Value::as_array_mut);
            for container in all.into_iter().flatten().filter(|_| wanted) {
                let mounts = container["volumeMounts"].as_array();
                let mut mounts = mounts.cloned().unwrap_or_default();
                if !mounts.iter().any(mounted) {
                    mounts.push(json!({"name": volume, "mountPath": MOUNT, "readOnly": true}));
                    container["volumeMounts"] = json!(mounts);
                    used = true;
                }
            }
        }
        if used {
            let mut volumes = object["spec"]["volumes"]
                .as_array()
                .cloned()
                .unwrap_or_default();
            volumes.push(projected(&volume));
            object["spec"]["volumes"] = json!(volumes);
        }
        Ok(())
    }

    fn goes_in_steps(&self) -> bool {
        true
    }

    fn returns_deleted(&self) -> bool {
        true
    }
}

/// What the API makes of a pod's spec, of one in a template too.
pub(super) fn template(spec: &mut Map<String, Value>) {
    // The older name of the field is kept beside the newer one.
    let named = ["serviceAccountName", "serviceAccount"].into_iter();
    let mut named = named.filter_map(|field| spec.get(field)?.as_str().map(str::to_owned));
    if let Some(account) = named.find(|name| !name.is_empty()) {
        spec.insert("serviceAccountName".to_owned(), json!(account));
        spec.insert("serviceAccount".to_owned(), json!(account));
    }
    let defaults = json!({
        "restartPolicy": "Always",
        "dnsPolicy": "ClusterFirst",
        "schedulerName": "default-scheduler",
        "terminationGracePeriodSeconds": 30,
        "securityContext": {},
    });
    fill(spec, defaults);
    for field in ["initContainers", "containers"] {
        let all = spec.get_mut(field).and_then(Value::as_array_mut);
        all.into_iter().flatten().for_each(container);
    }
}

/// What is wrong with the containers of a pod's spec, which stands at `path`.
pub(super) fn containers(spec: &Value, path: &str) -> Vec<FieldError> {
    let all = spec["containers"]
        .as_array()
        .map_or([].as_slice(), Vec::as_slice);
    if all.is_empty() {
        return vec![FieldError::required(format!("{path}.containers"), "")];
    }
    let mut errors = Vec::new();
    for (index, one) in all.iter().enumerate() {
        for field in ["name", "image"] {
            if one[field].as_str().is_none_or(str::is_empty) {
                let field = format!("{path}.containers[{index}].{field}");
                errors.push(FieldError::required(field, ""));
            }
        }
    }
    errors
}

/// What of a pod nobody changes once it is made.
fn fixed(object: &Value) -> Value {
    let mut spec = object["spec"].clone();
    for field in ["initContainers", "containers"] {
        let all = spec.get_mut(field).and_then(Value::as_array_mut);
        for one in all.into_iter().flatten().filter_map(Value::as_object_mut) {
            one.remove("image");
            one.remove("imagePullPolicy");
        }
    }
    if let Some(spec) = spec.as_object_mut() {
        for field in [
            "activeDeadlineSeconds",
            "tolerations",
            "terminationGracePeriodSeconds",
        ] {
            spec.remove(field);
        }
    }
    spec
}

fn container(container: &mut Value) {
    let image = container["image"].as_str().unwrap_or_default();
    let tag = image.rsplit('/').next().unwrap_or_default().split_once(':');
    let latest = !image.contains('@') && tag.is_none_or(|(_, tag)| tag == "latest");
    let policy = if latest { "Always" } else { "IfNotPresent" };
    let defaults = [
        ("imagePullPolicy", json!(policy)),
        ("resources", json!({})),
        ("terminationMessagePath", json!("/dev/termination-log")),
        ("terminationMessagePolicy", json!("File")),
    ];
    for (field, value) in defaults {
        if container[field].is_null() {
            container[field] = value;
        }
    }
    let ports = container.get_mut("ports").and_then(Value::as_array_mut);
    for port in ports.into_iter().flatten().filter_map(Value::as_object_mut) {
        port.entry("protocol").or_insert_with(|| json!("TCP"));
    }
}

/// The volume of a bound token, the authority and the namespace.
fn projected(name: &str) -> Value {
    json!({"name": name, "projected": {"defaultMode": 420, "sources": [
        {"serviceAccountToken": {"expirationSeconds": 3607, "path": "token"}},
        {"configMap": {
            "name": super::config_maps::ROOT_CA,
            "items": [{"key": "ca.crt", "path": "ca.crt"}],
        }},
        {"downwardAPI": {"items": [{
            "path": "namespace",
            "fieldRef": {"apiVersion": "v1", "fieldPath": "metadata.namespace"},
        }]}},
    ]}})
}
