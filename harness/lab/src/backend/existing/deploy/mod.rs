//! The lab's own Dexes in the cluster: a pod in a namespace of the lab's own, reached from here by
//! forwarded ports.
//!
//! A port is forwarded (`pods/portforward`) rather than asked for through the API server's proxy: that
//! one would put its own paths and its own certificate between, and keep the `Authorization` header to
//! itself. Each provider listens in the pod on the very port that it has here, so that its issuer
//! `https://127.0.0.1:PORT` is one URL for this machine and for the other providers, and, where the
//! lab file names a node port, for the API server on its node as well.

mod forward;
mod manifest;
mod trust;

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use k8s_openapi::api::core::v1::Pod;
use kube::Api;
use serde_json::{Value, json};
use tokio_util::sync::{CancellationToken, DropGuard};

use self::manifest::Program;
use super::cluster::Cluster;
use super::error::chain;
use super::record::{LABEL, Label};
use super::{ExistingError, Site, images};
use crate::backend::LabError;
use crate::wait::{Look, until};

/// The name of the pod and of its files.
const NAME: &str = "providers";
/// How long a pod may take, its images included.
const READY: Duration = Duration::from_secs(180);
/// How long an image may be asked for in vain: a registry may stumble.
const PULLED: Duration = Duration::from_secs(6);
/// How many lines of its log a container shows that does not come to run.
const LAST_LINES: usize = 12;

/// Providers that run, and the ways to them: open as long as this lives.
pub(super) struct Deployed {
    _open: DropGuard,
}

/// Starts every Dex of the lab, and opens a way to each.
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
    let pods: Api<Pod> = Api::namespaced(cluster.admin.clone(), &namespace);
    for program in &programs {
        let listener = site.listeners.remove(&program.name);
        let listener = listener.ok_or(ExistingError::NoTarget)?;
        forward::open(listener, pods.clone(), NAME, program.port, closing.clone())?;
    }
    let path = format!("{inside}/pods/{NAME}");
    let what = format!("the pod {namespace}/{NAME}");
    ready(cluster, &path, &what).await?;
    let http = authlab_pki::http::client(site.authority.certificate_pem())?;
    for program in &programs {
        answers(&http, program, &site.values).await?;
        if site.plan.trusted.contains(&program.name) {
            trust::established(cluster, &program.name, &program.issuer).await?;
        }
    }
    Ok(Some(Deployed { _open: open }))
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

/// Waits until every container of the pod is ready.
async fn ready(cluster: &Cluster, path: &str, what: &str) -> Result<(), LabError> {
    let begun = Instant::now();
    let waited = until(what, READY, || async {
        let pod = match cluster.does("GET", path, None).await {
            Ok(pod) => pod,
            Err(error) => return Look::Failed(error.to_string()),
        };
        if images::is_ready(&pod) {
            return Look::Ready(());
        }
        let state = state(&pod);
        let never = ["CrashLoopBackOff", "InvalidImageName", "ErrImageNeverPull"];
        let not_now = ["ErrImagePull", "ImagePullBackOff"];
        let says = |words: &[&str]| words.iter().any(|word| state.contains(word));
        match says(&never) || begun.elapsed() > PULLED && says(&not_now) {
            true => Look::Failed(state),
            false => Look::NotYet(state),
        }
    });
    let Err(error) = waited.await else {
        return Ok(());
    };
    let pod = cluster.does("GET", path, None).await.unwrap_or_default();
    let failing = failing(&pod);
    let lines = match &failing {
        Some((name, restarts)) => {
            let before = *restarts > 0;
            let log =
                format!("{path}/log?container={name}&tailLines={LAST_LINES}&previous={before}");
            let log = cluster.ask("GET", &log, None).await;
            let log = log.ok().filter(|answer| answer.status == 200);
            log.map(|answer| answer.message()).unwrap_or_default()
        }
        None => String::new(),
    };
    Err(LabError::Component {
        component: failing.map_or_else(|| NAME.to_owned(), |(name, _)| name),
        what: format!("does not come to run in the cluster: {error}"),
        lines,
    })
}

/// The containers of a pod, in the order in which they are started.
fn containers(pod: &Value) -> impl Iterator<Item = &Value> {
    let status = &pod["status"];
    let lists = ["initContainerStatuses", "containerStatuses"];
    lists
        .into_iter()
        .flat_map(|list| status[list].as_array().into_iter().flatten())
}

/// The first container that is not what it should be, and how often it was started again.
fn failing(pod: &Value) -> Option<(String, u64)> {
    let mut all = containers(pod);
    let one = all.find(|one| one["started"] != true || one["restartCount"] != 0)?;
    let restarts = one["restartCount"].as_u64().unwrap_or_default();
    Some((one["name"].as_str()?.to_owned(), restarts))
}

/// What the containers of a pod that is not ready say of themselves.
fn state(pod: &Value) -> String {
    let text = |field: &Value| field.as_str().unwrap_or_default().to_owned();
    let waiting = containers(pod).filter_map(|one| {
        let waiting = &one["state"]["waiting"];
        let reason = text(&waiting["reason"]);
        let known = ["", "PodInitializing", "ContainerCreating"];
        (!known.contains(&reason.as_str())).then(|| {
            let (name, image) = (text(&one["name"]), text(&one["image"]));
            format!("{name} ({image}): {reason}: {}", text(&waiting["message"]))
        })
    });
    let waiting: Vec<String> = waiting.collect();
    if !waiting.is_empty() {
        return waiting.join("; ");
    }
    // Nobody takes it: the reason stands among the conditions.
    let conditions = pod["status"]["conditions"].as_array();
    let mut why = conditions
        .into_iter()
        .flatten()
        .filter(|one| one["type"] == "PodScheduled" && one["status"] == "False");
    match why.next() {
        Some(why) => text(&why["message"]),
        None => format!("it is {}", text(&pod["status"]["phase"])),
    }
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

#[cfg(test)]
mod tests;
