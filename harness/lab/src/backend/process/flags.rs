//! The flags of kube-apiserver: those of every start, and those that an authentication is.

use std::path::{Path, PathBuf};

use authlab_pki::Algorithm;
use secrecy::ExposeSecret;

use super::apiserver::{AUDIT_LOG, AUDIT_POLICY};
use super::{HOST_USER, LabError, Site, write};
use crate::backend::{FRONT_PROXY, service_account_key};
use crate::plan::Authentication;
use crate::state::DEFAULT_CLUSTER;

/// Issuer and audience of service-account tokens, as kubeadm and kind set them.
const SERVICE_ACCOUNT_ISSUER: &str = "https://kubernetes.default.svc.cluster.local";
/// An address for documentation (RFC 5737): nobody connects to it. Left out, the API server looks
/// for the machine's own and does not start where there is no default route.
const ADVERTISED: &str = "192.0.2.1";

/// What does not change between two starts; files are written into `folder`.
pub(super) fn standing(
    site: &Site,
    cluster: &str,
    etcd: &str,
    port: u16,
    folder: &Path,
) -> Result<Vec<String>, LabError> {
    let file = |name: &str, content: &str| write(folder.join(name), content.as_bytes());
    let names = ["127.0.0.1", "localhost", "kubernetes.default.svc"];
    let certificate = site.authority.server_certificate(&names)?;
    // Each cluster is a world of its own, on one etcd: other objects, another key.
    let prefix = match cluster {
        DEFAULT_CLUSTER => "/registry".to_owned(),
        other => format!("/{other}"),
    };
    let key = site
        .keys
        .key(Algorithm::RS256, &service_account_key(cluster))?;
    let issuer = site.service_account_issuer(cluster)?;
    let issuer = issuer.unwrap_or_else(|| SERVICE_ACCOUNT_ISSUER.to_owned());
    let jwks = format!("https://127.0.0.1:{port}/openid/v1/jwks");
    let authority = file("client-ca.pem", site.authority.certificate_pem())?;
    let flags: [(&str, PathBuf); 22] = [
        ("etcd-servers", etcd.into()),
        ("etcd-prefix", prefix.into()),
        ("bind-address", "127.0.0.1".into()),
        ("secure-port", port.to_string().into()),
        ("advertise-address", ADVERTISED.into()),
        ("tls-cert-file", file("tls.pem", &certificate.pem)?),
        (
            "tls-private-key-file",
            file("tls-key.pem", certificate.key_pem.expose_secret())?,
        ),
        ("client-ca-file", authority.clone()),
        ("requestheader-client-ca-file", authority),
        ("requestheader-allowed-names", FRONT_PROXY.into()),
        ("requestheader-username-headers", "X-Remote-User".into()),
        ("requestheader-group-headers", "X-Remote-Group".into()),
        ("requestheader-uid-headers", "X-Remote-Uid".into()),
        (
            "requestheader-extra-headers-prefix",
            "X-Remote-Extra-".into(),
        ),
        ("service-account-issuer", issuer.into()),
        // Left out, it has the address that is advertised.
        ("service-account-jwks-uri", jwks.into()),
        (
            "service-account-key-file",
            file("service-accounts.pem", key.public_key_pem())?,
        ),
        (
            "service-account-signing-key-file",
            file(
                "service-accounts-key.pem",
                key.private_key_pem().expose_secret(),
            )?,
        ),
        ("service-cluster-ip-range", "10.96.0.0/12".into()),
        ("authorization-mode", "RBAC".into()),
        ("audit-policy-file", file(AUDIT_POLICY, &audit_policy())?),
        ("audit-log-path", folder.join(AUDIT_LOG)),
    ];
    let flags = flags.map(|(name, value)| format!("--{name}={}", value.display()));
    Ok(flags.into())
}

/// The flags that an authentication is given by, without dashes; `config` is where its file lies.
pub(super) fn of(wanted: &Authentication, config: &Path) -> impl Iterator<Item = (String, String)> {
    let config = config.display().to_string();
    let file = wanted
        .config
        .as_ref()
        .map(|_| ("authentication-config".to_owned(), config));
    let given = wanted.flags.iter().flat_map(|(name, values)| {
        let named = |value: &String| (name.clone(), value.clone());
        values.iter().map(named)
    });
    file.into_iter().chain(given)
}

/// Every request once, when it has been answered, but not the host's own.
pub(super) fn audit_policy() -> String {
    format!(
        "apiVersion: audit.k8s.io/v1\n\
         kind: Policy\n\
         omitStages: [RequestReceived]\n\
         rules:\n\
         - {{level: None, users: [{HOST_USER}]}}\n\
         - {{level: Metadata}}\n"
    )
}
