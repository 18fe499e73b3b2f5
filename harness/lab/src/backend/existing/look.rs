//! The first look at a cluster: which it is, as whom one comes, what one may do. Nothing is written.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use kube::Config;
use kube::config::{KubeConfigOptions, Kubeconfig, KubeconfigError};
use serde_json::{Value, json};

use super::cluster::{Answer, Cluster};
use super::error::chain;
use super::{ExistingError, Target, images, rights};
use crate::plan::Plan;
use crate::source::nearest;
use crate::state::Capability;

/// How long a connection may take.
const CONNECTED: Duration = Duration::from_secs(6);

/// What a look at a cluster found.
#[derive(Debug, Clone)]
pub struct Found {
    /// As somebody named it.
    pub target: Target,
    /// `https://HOST:PORT`.
    pub server: String,
    /// The kubeconfig's context.
    pub context: String,
    /// The user that the cluster takes the credential for.
    pub user: String,
    /// That user's groups.
    pub groups: Vec<String>,
    /// Kubernetes' version without `v`.
    pub version: String,
    /// What a lab does and this user may not, a line for each.
    pub missing: Vec<String>,
    /// The cluster signs client certificates that are requested.
    pub certificates: bool,
    /// The images that the lab's providers can be run from there, by what they are of; none where no
    /// pods run that this user can make and reach.
    pub images: BTreeMap<String, String>,
}

impl Found {
    /// What a lab there can do beyond answering on the network.
    #[must_use]
    pub fn capabilities(&self, plan: &Plan) -> BTreeSet<Capability> {
        let mut able = BTreeSet::new();
        if self.certificates {
            able.insert(Capability::ClientCertificate);
        }
        let started = plan.providers.values().filter(|one| !one.is_elsewhere());
        let runs = |kind| images::of(kind).is_none_or(|image| self.images.contains_key(image));
        if started.map(|one| one.kind).all(runs) {
            able.insert(Capability::Products);
        }
        let trusted = |name: &String| plan.trusted.contains(name);
        if !plan.trusted.is_empty() && plan.providers.keys().all(trusted) {
            able.insert(Capability::Trust);
        }
        able
    }

    /// Whether the user may do what a lab does.
    ///
    /// # Errors
    /// With everything that is missing.
    pub fn allowed(&self) -> Result<(), ExistingError> {
        if self.missing.is_empty() {
            return Ok(());
        }
        let lines: Vec<String> = self.missing.iter().map(|one| format!("  {one}")).collect();
        Err(ExistingError::Rights {
            user: self.user.clone(),
            server: self.server.clone(),
            missing: lines.join("\n"),
        })
    }
}

/// Looks at the cluster of a kubeconfig.
///
/// # Errors
/// When the kubeconfig, the cluster or the credential is of no use.
pub async fn look(target: &Target) -> Result<Found, ExistingError> {
    open(target).await.map(|(_, found)| found)
}

/// The same, and the way to it.
pub(super) async fn open(target: &Target) -> Result<(Cluster, Found), ExistingError> {
    let (cluster, context) = connect(target).await?;
    let file = target.kubeconfig.display().to_string();
    let review = json!({
        "apiVersion": "authentication.k8s.io/v1",
        "kind": "SelfSubjectReview",
    });
    let path = "/apis/authentication.k8s.io/v1/selfsubjectreviews";
    let answer = match cluster.ask("POST", path, Some(&review)).await {
        Ok(answer) => answer,
        Err(error) => return Err(unanswered(&error, &cluster.url(), &file, &context)),
    };
    if answer.status == 401 {
        return Err(ExistingError::Credential {
            server: cluster.url(),
            file,
            context,
            why: answer.message(),
        });
    }
    let user = known(answer, &cluster.url(), &file)?;
    let version = cluster.does("GET", "/version", None).await?;
    let version = version["gitVersion"].as_str().unwrap_or_default();
    let groups = user["groups"].as_array();
    let groups = groups.into_iter().flatten().filter_map(Value::as_str);
    let found = Found {
        target: target.clone(),
        server: cluster.url(),
        context,
        user: user["username"].as_str().unwrap_or_default().to_owned(),
        groups: groups.map(str::to_owned).collect(),
        version: version.trim_start_matches('v').to_owned(),
        missing: rights::missing(&cluster, rights::NEEDED).await?,
        certificates: super::certificate::available(&cluster).await?,
        images: runnable(&cluster, target).await?,
    };
    Ok((cluster, found))
}

/// The images that pods can be run from; none where there can be no pods.
async fn runnable(
    cluster: &Cluster,
    target: &Target,
) -> Result<BTreeMap<String, String>, ExistingError> {
    let nodes = cluster.ask("GET", "/api/v1/nodes", None).await;
    // Who may not see them does not know what they have.
    let nodes = nodes.map_or(Value::Null, |answer| answer.body);
    let items = nodes["items"].as_array();
    if !items.is_some_and(|nodes| nodes.iter().any(images::runs_pods))
        || !rights::missing(cluster, rights::PODS).await?.is_empty()
    {
        return Ok(BTreeMap::new());
    }
    Ok(images::usable(&target.images, &nodes))
}

fn known(answer: Answer, server: &str, file: &str) -> Result<Value, ExistingError> {
    match answer.success() {
        Ok(mut review) => Ok(review["status"]["userInfo"].take()),
        Err(error) => Err(ExistingError::Unreachable {
            server: server.to_owned(),
            file: file.to_owned(),
            why: format!("it does not answer as Kubernetes 1.28 or later does: {error}"),
        }),
    }
}

/// Why no answer came.
fn unanswered(error: &kube::Error, server: &str, file: &str, context: &str) -> ExistingError {
    let (server, file) = (server.to_owned(), file.to_owned());
    let why = chain(error);
    let unsaid = matches!(error, kube::Error::Auth(_)) || why.contains("auth error");
    // Words of rustls: its own refusal of the server, and the server's of a client certificate.
    if why.contains("invalid peer certificate") && !unsaid {
        return ExistingError::Certificate { server, file, why };
    }
    if unsaid || why.contains("received fatal alert") {
        return ExistingError::Credential {
            server,
            file,
            context: context.to_owned(),
            why,
        };
    }
    ExistingError::Unreachable { server, file, why }
}

async fn connect(target: &Target) -> Result<(Cluster, String), ExistingError> {
    let file = target.kubeconfig.display().to_string();
    let broken = |why: String, help: &str| ExistingError::Kubeconfig {
        file: file.clone(),
        why,
        help: help.to_owned(),
    };
    let get = "get a new one from whoever runs the cluster; `kubectl --kubeconfig FILE config view` reads it too";
    let kubeconfig = Kubeconfig::read_from(&target.kubeconfig).map_err(|error| match error {
        KubeconfigError::ReadConfig(cause, _) => broken(
            cause.to_string(),
            "name a file that is there: `--kubeconfig FILE` or AUTHLAB_KUBECONFIG",
        ),
        KubeconfigError::Parse(cause) => {
            let words = cause.to_string();
            let first = words.lines().next().unwrap_or_default().to_owned();
            broken(format!("it is not a kubeconfig: {first}"), get)
        }
        other => broken(chain(&other), get),
    })?;
    let names: Vec<&str> = kubeconfig
        .contexts
        .iter()
        .map(|one| one.name.as_str())
        .collect();
    let wanted = target
        .context
        .clone()
        .or(kubeconfig.current_context.clone());
    let Some(context) = wanted.filter(|name| !name.is_empty()) else {
        let help = match names[..] {
            [] => get.to_owned(),
            _ => format!("name one with `--context`: {}", names.join(", ")),
        };
        return Err(broken("it has no current context".to_owned(), &help));
    };
    if !names.contains(&context.as_str()) {
        let help = match nearest(&context, names.iter().copied()) {
            Some(near) => format!("did you mean `{near}`?"),
            None if names.is_empty() => get.to_owned(),
            None => format!("it has: {}", names.join(", ")),
        };
        return Err(broken(format!("it has no context `{context}`"), &help));
    }
    let options = KubeConfigOptions {
        context: Some(context.clone()),
        ..KubeConfigOptions::default()
    };
    let config = Config::from_custom_kubeconfig(kubeconfig, &options).await;
    let mut config = config.map_err(|error| broken(chain(&error), get))?;
    config.connect_timeout = Some(CONNECTED);
    // An answer that says "too many requests" is the answer.
    config.default_retry = false;
    let plugin = config.auth_info.exec.as_ref();
    let plugin = plugin.and_then(|exec| exec.command.clone());
    let server = config.cluster_url.to_string();
    let server = server.trim_end_matches('/').to_owned();
    let cluster = Cluster::new(config);
    match cluster {
        Ok(cluster) => Ok((cluster, context)),
        // The plugin is asked at once.
        Err(kube::Error::Auth(error)) => Err(ExistingError::Credential {
            server,
            file,
            context,
            why: match plugin {
                Some(plugin) => format!("`{plugin}`: {}", chain(&error)),
                None => chain(&error),
            },
        }),
        Err(error) => Err(unanswered(&error, &server, &file, &context)),
    }
}
