//! Ingresses and network policies as records, which nothing routes or enforces.

use authlab_rbac::validation::FieldError;
use serde_json::{Value, json};

use super::records::text;
use super::{Rules, advance, fill, workloads};
use crate::object::entry;
use crate::table::{AGE, Column, NAME};

pub(super) struct Ingresses;

const INGRESS_COLUMNS: &[Column] = &[
    NAME,
    Column::text("Class", |object| text(&object["spec"]["ingressClassName"])),
    Column::text("Hosts", |object| {
        let rules = object["spec"]["rules"].as_array().into_iter().flatten();
        let hosts = rules.filter_map(|one| one["host"].as_str());
        let hosts: Vec<&str> = hosts.filter(|host| !host.is_empty()).collect();
        match hosts.len() {
            0 => json!("*"),
            1..=3 => json!(hosts.join(",")),
            more => json!(format!("{} + {} more...", hosts[..3].join(","), more - 3)),
        }
    }),
    Column::text("Address", |object| {
        let entries = object["status"]["loadBalancer"]["ingress"].as_array();
        let entries = entries.into_iter().flatten();
        let addresses = entries.filter_map(|one| one["ip"].as_str().or(one["hostname"].as_str()));
        json!(addresses.collect::<Vec<_>>().join(","))
    }),
    Column::text("Ports", |object| {
        let encrypted = object["spec"]["tls"]
            .as_array()
            .is_some_and(|tls| !tls.is_empty());
        json!(if encrypted { "80, 443" } else { "80" })
    }),
    AGE,
];

impl Rules for Ingresses {
    fn columns(&self) -> &[Column] {
        INGRESS_COLUMNS
    }

    fn prepare(&self, object: &mut Value, old: Option<&Value>, _subresource: &str) {
        if old.is_none() {
            object["status"] = json!({"loadBalancer": {}});
        }
        advance(object, old);
    }

    fn validate(&self, object: &Value, _old: Option<&Value>) -> Vec<FieldError> {
        let spec = &object["spec"];
        let empty = spec["rules"].as_array().is_none_or(Vec::is_empty);
        if empty && spec["defaultBackend"].is_null() {
            let why = "either `defaultBackend` or `rules` must be specified";
            return vec![FieldError::invalid_json("spec", "null".to_owned(), why)];
        }
        Vec::new()
    }
}

pub(super) struct NetworkPolicies;

impl Rules for NetworkPolicies {
    fn columns(&self) -> &[Column] {
        const POD_SELECTOR: Column = Column::text("Pod-Selector", |object| {
            text(&json!(workloads::selector(&object["spec"]["podSelector"])))
        });
        &[NAME, POD_SELECTOR, AGE]
    }

    fn prepare(&self, object: &mut Value, old: Option<&Value>, _subresource: &str) {
        let spec = entry(object, "spec");
        // Who says nothing of what leaves means what enters.
        let leaves = spec.get("egress").and_then(Value::as_array);
        let types = match leaves.is_some_and(|rules| !rules.is_empty()) {
            true => json!(["Ingress", "Egress"]),
            false => json!(["Ingress"]),
        };
        fill(spec, json!({"policyTypes": types}));
        for field in ["ingress", "egress"] {
            let rules = spec.get_mut(field).and_then(Value::as_array_mut);
            for rule in rules.into_iter().flatten() {
                let ports = rule["ports"].as_array_mut().into_iter().flatten();
                for port in ports.filter_map(Value::as_object_mut) {
                    fill(port, json!({"protocol": "TCP"}));
                }
            }
        }
        advance(object, old);
    }
}
