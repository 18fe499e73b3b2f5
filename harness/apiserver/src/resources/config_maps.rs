//! ConfigMaps, and the one that tells pods the cluster's authority.

use authlab_rbac::validation::FieldError;
use k8s_openapi::api::core::v1::ConfigMap;
use serde_json::{Value, json};

use super::{Rules, of, validation};
use crate::cluster::Cluster;
use crate::store::Transaction;
use crate::table::{AGE, Column, NAME};

pub(super) struct ConfigMaps;

const DATA: Column = Column::text("Data", |object| {
    let count = |field: &str| object[field].as_object().map_or(0, serde_json::Map::len);
    json!(count("data") + count("binaryData"))
});

impl Rules for ConfigMaps {
    fn columns(&self) -> &[Column] {
        &[NAME, DATA, AGE]
    }

    fn validate(&self, object: &Value, old: Option<&Value>) -> Vec<FieldError> {
        let mut errors = validation::config_keys(object, "data");
        errors.extend(validation::config_keys(object, "binaryData"));
        let keys = |field: &str| object[field].as_object().into_iter().flatten();
        for (key, _) in keys("data").filter(|(key, _)| object["binaryData"].get(key).is_some()) {
            let why = "duplicate of key present in binaryData";
            errors.push(FieldError::invalid(format!("data[{key}]"), key, why));
        }
        if let Some(old) = old {
            errors.extend(validation::immutable(object, old, &["data", "binaryData"]));
        }
        errors
    }
}

/// What every namespace is given (Kubernetes docs, "Namespaces": root CA publisher).
pub(super) const ROOT_CA: &str = "kube-root-ca.crt";

/// Tells aggregated API servers whom to believe, as the real server does when it starts.
pub(super) fn publish_authentication(cluster: &Cluster, transaction: &mut Transaction<'_>) {
    let resource = of::<ConfigMap>();
    let name = "extension-apiserver-authentication";
    let mut object = super::new_object(resource, "kube-system", name);
    let chain = cluster.chain();
    object["data"] = chain
        .front_proxy
        .as_ref()
        .map_or_else(|| json!({}), |one| one.published());
    object["data"]["client-ca-file"] = json!(cluster.ca_pem);
    transaction.put(resource, object);
}

/// Puts the authority's certificate into a namespace, or back if somebody changed it.
pub(super) fn publish_root_ca(
    cluster: &Cluster,
    transaction: &mut Transaction<'_>,
    namespace: &str,
) {
    let resource = of::<ConfigMap>();
    let data = json!({"ca.crt": cluster.ca_pem});
    let current = transaction.get(resource, namespace, ROOT_CA);
    if current
        .as_ref()
        .is_some_and(|current| current["data"] == data)
    {
        return;
    }
    let mut object = current.map_or_else(
        || {
            let mut object = super::new_object(resource, namespace, ROOT_CA);
            object["metadata"]["annotations"] = json!({
                "kubernetes.io/description":
                    "The authority of the API server's certificate.",
            });
            object
        },
        |current| (*current).clone(),
    );
    object["data"] = data;
    transaction.put(resource, object);
}
