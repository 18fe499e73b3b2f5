//! The lab's own Dexes and Keycloaks in the cluster: a pod in a namespace of the lab's own, reached
//! from here by forwarded ports.
//!
//! A port is forwarded (`pods/portforward`) rather than asked for through the API server's proxy: that
//! one would put its own paths and its own certificate between, and keep the `Authorization` header to
//! itself. Each provider listens in the pod on the very port that it has here, so that its issuer
//! `https://127.0.0.1:PORT` is one URL for this machine and for the other providers, and, where the
//! lab file names a node port, for the API server on its node as well.

mod forward;
mod manifest;
mod pod;
mod trust;

use std::collections::BTreeMap;
use std::time::Duration;

use kube::Api;
use serde_json::{Value, json};
use tokio_util::sync::{CancellationToken, DropGuard};

use self::manifest::Program;
use self::pod::Pod;
use super::cluster::Cluster;
use super::error::chain;
use super::record::{LABEL, Label};
use super::{ExistingError, Site, images};
use crate::backend::LabError;
use crate::backend::process::keycloak::{admin::Admin, import::Import};
use crate::wait::{Look, until};

/// The name of the pod and of its files.
const NAME: &str = "providers";
/// How long a pod may take, its images and the boot of a Keycloak included.
const READY: Duration = Duration::from_secs(300);

/// Providers that run, and the ways to them: open as long as this lives.
pub(super) struct Deployed {
    pod: Pod,
    /// The realms of Keycloaks, by the provider's name.
    realms: BTreeMap<String, (Import, Admin)>,
    _open: DropGuard,
}

impl Deployed {
    /// Ends only when a provider has ended.
    pub async fn died(&self, cluster: &Cluster) -> LabError {
        self.pod.died(cluster).await
    }

    /// Lets everybody in again whom wrong passwords have locked out.
    pub async fn unlock(&self, name: &str) -> Result<(), LabError> {
        match self.realms.get(name) {
            Some((import, admin)) => import.unlock(admin).await,
            None => Ok(()),
        }
    }
}

/// Starts every Dex and every Keycloak of the lab, imports their realms, and opens a way to each.
///
/// # Errors
/// When one does not come to run: what the cluster says of it, and its last lines.
pub(super) async fn start(
    site: &mut Site,
    cluster: &Cluster,
    label: &Label,
    usable: &BTreeMap<String, String>,
) -> Result<Option<Deployed>, LabError> {
    let etcd = usable.get(images::ETCD);
    let storage = match etcd {
        Some(_) => ("etcd", manifest::ETCD),
        None => ("memory", ""),
    };
    for (name, value) in [("type", storage.0), ("endpoint", storage.1)] {
        let name = format!("lab.storage.{name}");
        site.values.insert(name, value.to_owned());
    }
    let programs = Program::of(site, usable)?;
    if programs.is_empty() {
        return Ok(None);
    }
    let namespace = format!("authlab-{}", label.random());
    let labels = json!({ LABEL: label.text() });
    let object = json!({
        "apiVersion": "v1", "kind": "Namespace",
        "metadata": { "name": namespace, "labels": labels },
    });
    cluster
        .does("POST", "/api/v1/namespaces", Some(&object))
        .await?;
    let inside = format!("/api/v1/namespaces/{namespace}");
    let make = async |kind: &str, object: Value| {
        let path = format!("{inside}/{kind}");
        cluster.does("POST", &path, Some(&object)).await
    };
    make("secrets", manifest::secret(&programs, &labels, site)).await?;
    for program in &programs {
        if program.is_named_elsewhere {
            let service = manifest::service(program, &labels);
            make("services", service)
                .await
                .map_err(|error| taken(program, &error))?;
        }
    }
    account(cluster, &inside).await?;
    make("pods", manifest::pod(&programs, etcd, &labels)).await?;

    let closing = CancellationToken::new();
    let open = closing.clone().drop_guard();
    let pods: Api<k8s_openapi::api::core::v1::Pod> =
        Api::namespaced(cluster.admin.clone(), &namespace);
    for program in &programs {
        let listener = site.listeners.remove(&program.name);
        let listener = listener.ok_or(ExistingError::NoTarget)?;
        forward::open(listener, pods.clone(), NAME, program.port, closing.clone())?;
    }
    let mut pod = Pod::new(&inside);
    let mut realms = BTreeMap::new();
    for program in &programs {
        if let Some(realm) = program.realm(site)? {
            pod.serves(cluster, &program.name, &realm.admin).await?;
            realm.import(site).await?;
            realms.insert(program.name.clone(), realm.kept());
        }
    }
    pod.ready(cluster).await?;
    let http = authlab_pki::http::client(site.authority.certificate_pem())?;
    for program in &programs {
        answers(&http, program, &site.values).await?;
        if site.plan.trusted.contains(&program.name) {
            trust::established(cluster, &program.name, &program.issuer).await?;
        }
    }
    Ok(Some(Deployed {
        pod,
        realms,
        _open: open,
    }))
}

/// A node port is given once.
fn taken(program: &Program, error: &ExistingError) -> LabError {
    LabError::Missing {
        what: format!(
            "`{}` is to answer at {}, and the cluster gives no node port {}: {error}",
            program.name, program.issuer, program.port
        ),
        help:
            "a lab that uses it may run there already (`cargo xtask status`), or the port is none \
               of the cluster's node ports, which are 30000 to 32767 unless it was told otherwise"
                .to_owned(),
    }
}

/// A pod is refused until a controller has made the namespace's own service account.
async fn account(cluster: &Cluster, inside: &str) -> Result<(), LabError> {
    let path = format!("{inside}/serviceaccounts/default");
    let waited = until("the service account of a new namespace", READY, || async {
        match cluster.ask("GET", &path, None).await {
            Ok(answer) if answer.status == 200 => Look::Ready(()),
            Ok(answer) if answer.status == 404 => Look::NotYet(answer.message()),
            Ok(answer) => Look::Failed(answer.message()),
            Err(error) => Look::Failed(chain(&error)),
        }
    });
    Ok(waited.await?)
}

/// Waits until a provider's discovery names its issuer, as seen from here.
async fn answers(
    http: &reqwest::Client,
    program: &Program,
    values: &crate::render::Values,
) -> Result<(), LabError> {
    let port = values.get(&format!("lab.idp.{}.port", program.name));
    let port = port.map(String::as_str).unwrap_or_default();
    let path = reqwest::Url::parse(&program.issuer).map(|url| url.path().to_owned());
    let path = path.unwrap_or_default();
    let url = format!("https://127.0.0.1:{port}{path}/.well-known/openid-configuration");
    let what = format!("{} answers", program.name);
    let waited = until(&what, READY, || async {
        match http.get(&url).send().await {
            Ok(answer) if answer.status().is_success() => Look::Ready(()),
            Ok(answer) => Look::NotYet(answer.status().to_string()),
            Err(error) => Look::NotYet(chain(&error)),
        }
    });
    Ok(waited.await?)
}
