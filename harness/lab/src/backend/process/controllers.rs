//! kube-controller-manager: without it no role is aggregated, no namespace goes away and no
//! service account appears by itself.

use std::time::Duration;

use super::admin::Admin;
use super::{LabError, READY, Site, component, write};
use crate::backend::api_server;
use crate::exec::{Child, Program};
use crate::kubeconfig::{self, Cluster, Login};
use crate::tools::Tools;
use crate::wait::{Look, until};
use secrecy::ExposeSecret;

pub(super) const NAME: &str = "kube-controller-manager";

/// The controllers that authentication and RBAC can tell from none.
const CONTROLLERS: [&str; 6] = [
    "clusterrole-aggregation-controller",
    "garbage-collector-controller",
    "namespace-controller",
    // Else a deleted claim, and its namespace, would stay for ever.
    "persistentvolumeclaim-protection-controller",
    "root-ca-certificate-publisher-controller",
    "serviceaccount-controller",
];

/// Writes what they need; they can then be started again and again.
pub(super) fn prepare(site: &Site, tools: &Tools, cluster: &str) -> Result<Program, LabError> {
    let certificate = site.authority.client_certificate(
        "system:kube-controller-manager",
        &["system:masters".to_owned()],
        Duration::from_secs(365 * 24 * 3600),
    )?;
    let login = Login::Certificate {
        certificate: certificate.pem,
        key: certificate.key_pem,
    };
    let component = component(NAME, cluster);
    let url = format!("lab.{}.url", api_server(cluster));
    let url = site.values.get(&url).map(String::as_str);
    let ca = site.authority.certificate_pem();
    let cluster = Cluster {
        name: None,
        server: url.unwrap_or_default(),
    };
    let text = kubeconfig::text(&site.plan.lab, &[cluster], ca, &[(NAME, login)]);
    let config = write(
        site.folder.join(&component).join("kubeconfig"),
        text.expose_secret().as_bytes(),
    )?;
    let root_ca = write(site.folder.join(&component).join("ca.pem"), ca.as_bytes())?;
    Ok(Program {
        name: component,
        path: tools.path(NAME)?.to_owned(),
        args: [
            format!("--kubeconfig={}", config.display()),
            format!("--root-ca-file={}", root_ca.display()),
            format!("--controllers={}", CONTROLLERS.join(",")),
            "--leader-elect=false".to_owned(),
            "--secure-port=0".to_owned(),
            // A namespace's end asks for every kind of object: seconds at the default rate of 20.
            "--kube-api-qps=1000".to_owned(),
            "--kube-api-burst=1000".to_owned(),
        ]
        .map(Into::into)
        .into(),
        folder: site.folder.clone(),
        environment: Vec::new(),
    })
}

/// Waits until they have done what a new cluster needs: aggregated roles have rules, the default
/// service account is there.
pub(super) async fn done(admin: &Admin, child: &Child) -> Result<(), LabError> {
    let done = until("the controllers' first work", READY, || async {
        match admin.controllers_missed().await {
            Ok(None) => Look::Ready(()),
            Ok(Some(missing)) => Look::NotYet(missing.to_owned()),
            Err(error) => Look::NotYet(error.to_string()),
        }
    });
    tokio::select! {
        done = done => Ok(done?),
        error = child.died() => Err(error),
    }
}
