//! Claims of volumes as records, which nothing ever binds.

use authlab_rbac::validation::FieldError;
use serde_json::{Value, json};

use super::records::shown;
use super::{Rules, fill};
use crate::object::{Object as _, entry, strings};
use crate::table::{AGE, Column, NAME};

pub(super) struct Claims;

/// Keeps a claim while a pod uses it.
const PROTECTION: &str = "kubernetes.io/pvc-protection";

const CLAIM_COLUMNS: &[Column] = &[
    NAME,
    Column::text("Status", |object| {
        if object.terminating() {
            return json!("Terminating");
        }
        object["status"]["phase"].clone()
    }),
    Column::text("Volume", |object| shown(&object["spec"]["volumeName"])),
    Column::text("Capacity", |object| {
        shown(&object["status"]["capacity"]["storage"])
    }),
    Column::text("Access Modes", |object| {
        let modes = strings(&object["status"]["accessModes"]);
        let short = modes.into_iter().map(|mode| match mode {
            "ReadWriteOnce" => "RWO",
            "ReadOnlyMany" => "ROX",
            "ReadWriteMany" => "RWX",
            "ReadWriteOncePod" => "RWOP",
            other => other,
        });
        json!(short.collect::<Vec<_>>().join(","))
    }),
    Column::text("StorageClass", |object| {
        shown(&object["spec"]["storageClassName"])
    }),
    Column::text("VolumeAttributesClass", |object| {
        let class = object["spec"]["volumeAttributesClassName"].as_str();
        json!(class.unwrap_or("<unset>"))
    }),
    AGE,
    Column::text("VolumeMode", |object| shown(&object["spec"]["volumeMode"])).wide(),
];

impl Rules for Claims {
    fn columns(&self) -> &[Column] {
        CLAIM_COLUMNS
    }

    fn prepare(&self, object: &mut Value, old: Option<&Value>, _subresource: &str) {
        fill(entry(object, "spec"), json!({"volumeMode": "Filesystem"}));
        if old.is_none() {
            object["status"] = json!({"phase": "Pending"});
            if !object.finalizers().contains(&PROTECTION) {
                let mut finalizers = object.finalizers();
                finalizers.push(PROTECTION);
                object["metadata"]["finalizers"] = json!(finalizers);
            }
        }
    }

    /// No pod that runs can be using it.
    fn finished(&self, object: &Value) -> bool {
        object.finalizers().into_iter().all(|one| one == PROTECTION)
    }

    fn validate(&self, object: &Value, _old: Option<&Value>) -> Vec<FieldError> {
        let mut errors = Vec::new();
        if strings(&object["spec"]["accessModes"]).is_empty() {
            let why = "at least 1 access mode is required";
            errors.push(FieldError::required("spec.accessModes", why));
        }
        if object["spec"]["resources"]["requests"]["storage"].is_null() {
            errors.push(FieldError::required("spec.resources[storage]", ""));
        }
        errors
    }
}
