//! Client certificates that the cluster itself signs.
//!
//! Source: Kubernetes docs, "Certificates and Certificate Signing Requests", signer
//! `kubernetes.io/kube-apiserver-client`.

use std::time::Duration;

use authlab_pki::Certificate;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::ExistingError;
use super::cluster::Cluster;
use super::record::{LABEL, Label};
use super::rights::{self, Right};
use crate::wait::{Look, until};

const SIGNER: &str = "kubernetes.io/kube-apiserver-client";
const REQUESTS: &str = "/apis/certificates.k8s.io/v1/certificatesigningrequests";
/// Held by the controllers of a cluster that has them; one of them is the signer.
const CONTROLLERS: &str =
    "/apis/coordination.k8s.io/v1/namespaces/kube-system/leases/kube-controller-manager";
const SIGNED: Duration = Duration::from_secs(20);
/// How long a certificate is good for, in seconds.
const LIFETIME: u32 = 4 * 3600;

const GROUP: &str = "certificates.k8s.io";
const NEEDED: &[Right] = &[
    (
        &["create", "get", "delete"],
        GROUP,
        "certificatesigningrequests",
    ),
    (&["update"], GROUP, "certificatesigningrequests/approval"),
    (&["approve"], GROUP, "signers"),
];

/// Whether certificates can be had.
///
/// # Errors
/// When the cluster does not say.
pub(super) async fn available(cluster: &Cluster) -> Result<bool, ExistingError> {
    for path in ["/apis/certificates.k8s.io/v1", CONTROLLERS] {
        let answer = cluster.does("GET", path, None).await;
        if answer.is_err() {
            return Ok(false);
        }
    }
    Ok(rights::missing(cluster, NEEDED).await?.is_empty())
}

/// Requests a certificate, approves the request, and waits for the signer.
///
/// # Errors
/// In the cluster's words, where it refuses.
pub(super) async fn issue(
    cluster: &Cluster,
    label: &Label,
    user: &str,
    groups: &[String],
) -> Result<Certificate, ExistingError> {
    let request = authlab_pki::request(user, groups)?;
    let object = json!({
        "apiVersion": "certificates.k8s.io/v1",
        "kind": "CertificateSigningRequest",
        "metadata": { "generateName": "authlab-", "labels": { LABEL: label.text() } },
        "spec": {
            "request": STANDARD.encode(&request.pem),
            "signerName": SIGNER,
            "usages": ["client auth"],
            "expirationSeconds": LIFETIME,
        },
    });
    let mut made = cluster.does("POST", REQUESTS, Some(&object)).await?;
    let name = made["metadata"]["name"].as_str().unwrap_or_default();
    let path = format!("{REQUESTS}/{name}");
    made["status"]["conditions"] = json!([{
        "type": "Approved", "status": "True",
        "reason": "Authlab", "message": "a certificate of a lab",
    }]);
    let signed = async {
        cluster
            .does("PUT", &format!("{path}/approval"), Some(&made))
            .await?;
        signed(cluster, &path).await
    };
    let signed = signed.await;
    // It has served; what stays carries the label.
    let _ = cluster.does("DELETE", &path, None).await;
    Ok(Certificate {
        pem: signed?,
        key_pem: request.key_pem,
    })
}

async fn signed(cluster: &Cluster, path: &str) -> Result<String, ExistingError> {
    let what = format!("a certificate of the signer {SIGNER}");
    let waited = until(&what, SIGNED, || async {
        let request = match cluster.does("GET", path, None).await {
            Ok(request) => request,
            Err(error) => return Look::Failed(error.to_string()),
        };
        if let Some(pem) = request["status"]["certificate"].as_str() {
            let decoded = STANDARD.decode(pem).ok();
            return match decoded.and_then(|pem| String::from_utf8(pem).ok()) {
                Some(pem) => Look::Ready(pem),
                None => Look::Failed("it is no text".to_owned()),
            };
        }
        let conditions = request["status"]["conditions"].as_array();
        let mut failed = conditions
            .into_iter()
            .flatten()
            .filter(|one| one["type"] == "Failed");
        match failed.next().map(|one| &one["message"]) {
            Some(Value::String(why)) => Look::Failed(why.clone()),
            _ => Look::NotYet("the request is approved, and not signed".to_owned()),
        }
    });
    waited.await.map_err(|error| ExistingError::Answer {
        what,
        why: error.to_string(),
    })
}
