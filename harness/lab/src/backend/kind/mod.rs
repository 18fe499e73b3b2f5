//! A kind cluster in the place of API server, etcd and controllers, and containers in the place of
//! the providers' processes. All else is as on the process backend.
//!
//! One issuer URL serves host, nodes and pods: providers listen on the address that Docker's own
//! network has on this machine, which containers of every network reach.

mod cause;
mod config;
mod container;
mod docker;
mod node;
mod workers;

pub(super) use self::cause::of as cause;
pub(crate) use self::container::PROGRAM as RUNNER;
pub use self::container::runner;
pub(super) use self::node::Node;

use std::ffi::OsString;
use std::io;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use authlab_pki::Algorithm;
use secrecy::ExposeSecret;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tokio::process::Command;

use self::config::Mounts;
use super::process::{self, write};
use super::{LabError, Running, Site, service_account_key};
use crate::checkout::Checkout;
use crate::exec::{Program, Start};
use crate::folder::LABEL;
use crate::images::{self, Image, Kind as Of};
use crate::spec::ProviderKind;
use crate::state::{BackendKind, DEFAULT_CLUSTER, Process};
use crate::tools::{self, Silent, Terminal, run};

/// How long a container may take to be removed.
pub(super) const GRACE: Duration = Duration::from_secs(10);
/// What nodes are given for pods, in labs whose clusters have services.
const IN_PODS: [Of; 2] = [Of::Dex, Of::Client];
/// In a lab's folder, and in the checkout's own: that Docker may hold something of it.
const MARK: &str = "docker";

/// Makes the clusters, starts the providers, and gives each API server its authentication.
///
/// # Errors
/// When an image is missing or a component does not start; nothing is left running.
pub(super) async fn start(mut site: Site) -> Result<Box<dyn Running>, LabError> {
    let folder = site.folder.clone();
    let started = async {
        let workshop = Workshop::open(&site).await?;
        let images = workshop.images.iter();
        site.values.extend(images.map(|image| {
            let name = format!("lab.image.{}", image.kind.name());
            (name, image.reference.clone())
        }));
        process::start_with(site, Some(&workshop)).await
    };
    match started.await {
        Ok(started) => Ok(started),
        Err(error) => {
            let error = cause::of(&folder, error).await;
            clear(folder).await;
            Err(error)
        }
    }
}

/// Removes what Docker holds of the lab, and only tells when it does not.
pub(super) async fn clear(folder: PathBuf) {
    let name = folder.display().to_string();
    let cleared = tokio::task::spawn_blocking(move || reap(&folder)).await;
    if let Ok(Err(error)) = cleared {
        tracing::warn!(folder = name, %error, "containers stay behind");
    }
}

/// The network of a lab: what its name and the names of its clusters begin with.
fn name(folder: &Path) -> String {
    let digest = Sha256::digest(folder.as_os_str().as_encoded_bytes());
    let hex: String = digest.iter().take(4).map(|b| format!("{b:02x}")).collect();
    format!("authlab-{hex}")
}

/// What kind calls a cluster of a lab.
fn cluster_name(folder: &Path, cluster: &str) -> String {
    match cluster {
        DEFAULT_CLUSTER => name(folder),
        other => format!("{}-{other}", name(folder)),
    }
}

/// Makes the lab's network, and answers with this machine's address for all labs.
///
/// It is the one that Docker's own network has on this machine: containers of every network reach
/// it, and pods by their node, so that labs can share a server and its certificate.
///
/// # Errors
/// When Docker does not do as asked.
pub(super) async fn address(folder: &Path) -> Result<IpAddr, LabError> {
    // Before there is anything to find.
    write(folder.join(MARK), b"")?;
    write(Checkout::here().private().join(MARK), b"")?;
    let name = name(folder);
    // A second round of addresses finds it there.
    if docker::ask(&["network", "inspect", &name]).await.is_err() {
        let label = format!("{LABEL}={}", folder.display());
        docker::ask(&["network", "create", "--label", &label, &name]).await?;
    }
    let format = "{{with index .IPAM.Config 0}}{{.Gateway}} {{.Subnet}}{{end}}";
    let found = docker::ask(&["network", "inspect", "--format", format, "bridge"]).await?;
    docker::gateway(&found)
        .map(IpAddr::V4)
        .ok_or_else(|| LabError::Api {
            what: "this machine's address in Docker's network `bridge`".to_owned(),
            why: format!("`{found}` is none"),
        })
}

/// Whether Docker may hold something of the lab in `folder`.
pub(super) fn uses_docker(folder: &Path) -> bool {
    folder.join(MARK).exists()
}

/// Removes what Docker holds of the lab in `folder`, at once where it never held anything.
///
/// # Errors
/// In the words of Docker's client.
pub(crate) fn reap(folder: &Path) -> io::Result<()> {
    if !uses_docker(folder) {
        return Ok(());
    }
    // Whoever still makes a container would have done so only after the look.
    crate::process::kill_labelled(LABEL, folder);
    docker::remove(LABEL, |lab| lab == folder)
}

/// Removes what Docker holds of labs below `labs` that nobody owns and that have no folder any more.
/// Asks Docker only in a checkout whose labs have used it; that it does not answer is no news where what
/// comes next goes without it.
pub(crate) fn reap_strays(checkout: &Checkout, next: Option<BackendKind>) {
    if !checkout.private().join(MARK).exists() {
        return;
    }
    let labs = checkout.labs();
    let stray = |lab: &Path| lab.parent() == Some(&labs) && !lab.exists();
    let Err(error) = docker::remove(LABEL, stray) else {
        return;
    };
    let needed = next.is_none_or(|backend| backend == BackendKind::Kind);
    // Its client alone has a version, and an end with 1, without a server.
    let answers = || matches!(crate::docker::ask_now(&["version"]), Ok(Ok(_)));
    if needed || answers() {
        tracing::warn!(
            "containers of labs that are gone may be left: {error}; when Docker does as asked again, \
             `cargo xtask down` removes them"
        );
    } else {
        tracing::debug!(%error, "containers of labs that are gone may be left");
    }
}

/// Writes what kind exports of a cluster's nodes into a folder.
///
/// # Errors
/// In kind's words.
pub(crate) async fn export(
    folder: &Path,
    cluster: Option<&str>,
    into: &Path,
) -> Result<(), LabError> {
    let tools = tools::ensure(Checkout::here().root(), &[tools::KIND], &Silent).await?;
    let name = cluster_name(folder, cluster.unwrap_or(DEFAULT_CLUSTER));
    let mut export = Command::new(tools.path("kind")?);
    export.args(["export", "logs", "--name", &name]).arg(into);
    let exported = run::run(export, "kind", &Silent).await;
    exported.map_err(|lines| kind_failed("exported no logs", &lines))
}

/// What a lab's containers are made of.
pub(super) struct Workshop {
    kind: PathBuf,
    /// Runs a container.
    runner: PathBuf,
    /// The names of images.
    images: Vec<Image>,
    /// Where Docker answers.
    docker: (&'static str, OsString),
}

impl Workshop {
    /// Makes sure that everything is built which the lab needs.
    pub(super) async fn open(site: &Site) -> Result<Self, LabError> {
        let (checkout, progress) = (Checkout::here(), Terminal::stderr());
        let mut wanted = vec![Of::Node];
        let kinds = [
            (ProviderKind::Dex, Of::Dex),
            (ProviderKind::Keycloak, Of::Keycloak),
        ];
        let has = |kind| {
            let mut providers = site.plan.providers.values();
            providers.any(|provider| provider.kind == kind)
        };
        wanted.extend(kinds.iter().filter(|(kind, _)| has(*kind)).map(|it| it.1));
        if !site.plan.services.is_empty() {
            let missing = IN_PODS.map(|of| (of, wanted.contains(&of)));
            wanted.extend(missing.iter().filter(|(_, there)| !there).map(|it| it.0));
        }
        let tools = tools::ensure(checkout.root(), &[tools::KIND], &progress).await?;
        let images = images::ensure(
            checkout.root(),
            &wanted,
            site.plan.kubernetes,
            site.plan.images,
            &progress,
        )
        .await?;
        Ok(Self {
            kind: tools.path("kind")?.to_owned(),
            runner: container::runner(&progress).await?,
            images,
            docker: docker::address().await?,
        })
    }

    /// The name of an image that Docker has: it would ask a registry, for a long time and in vain,
    /// for one that somebody has removed since.
    async fn image(&self, of: Of) -> Result<&str, LabError> {
        let mut images = self.images.iter();
        let image = images.find(|image| image.kind == of);
        let missing = |why: &str| LabError::Missing {
            what: format!("no image of {}{why}", of.name()),
            help: "`cargo xtask images` builds it".to_owned(),
        };
        let reference = image.ok_or_else(|| missing(""))?.reference.as_str();
        let there = ["image", "inspect", "--format", "{{.Id}}", reference];
        match docker::ask(&there).await {
            Err(LabError::Api { why, .. }) if why.contains("No such image") => {
                let gone = format!(": Docker has {reference} no more");
                Err(missing(&gone))
            }
            Err(error) => Err(error),
            Ok(_) => Ok(reference),
        }
    }

    /// Dex in a container.
    pub(super) async fn dex(
        &self,
        site: &Site,
        name: &str,
        file: &Path,
    ) -> Result<Program, LabError> {
        let files = [
            "ca".to_owned(),
            format!("{name}.cert"),
            format!("{name}.key"),
        ];
        let files = files
            .iter()
            .filter_map(|file| site.values.get(&format!("lab.file.{file}")));
        let file = file.display().to_string();
        let files: Vec<String> = files.cloned().chain([file.clone()]).collect();
        let image = self.image(Of::Dex).await?;
        let mut command = vec!["serve".to_owned(), file];
        if images::is_official(image) {
            // What it begins with prepares files, then runs what it is told.
            command.insert(0, "dex".to_owned());
        }
        let program = container::program(site, &self.runner, name, (image, &command, &files))?;
        Ok(self.with_docker(program))
    }

    /// Keycloak in a container that labs share, in whose `folder` it is started as `start` says.
    pub(super) async fn keycloak<N>(
        &self,
        folder: &Path,
        start: Start<N>,
    ) -> io::Result<(Process, N)> {
        let image = self.image(Of::Keycloak).await.map_err(io::Error::other)?;
        let mut runner = Command::new(&self.runner);
        runner.env(self.docker.0, &self.docker.1);
        container::shared(runner, image, folder, start).await
    }

    fn with_docker(&self, mut program: Program) -> Program {
        program.environment.push(self.docker.clone());
        program
    }

    /// The node of a cluster that is to be made, in which the API server has these files.
    pub(super) fn node(&self, site: &Site, cluster: &str, folder: &Path) -> Result<Node, LabError> {
        Node::new(
            cluster_name(&site.folder, cluster),
            folder,
            self.docker.clone(),
        )
    }

    /// Makes the cluster of a node, whose API server answers on `port` and has these flags beside
    /// kubeadm's; `folder` is that server's own, in the lab's.
    pub(super) async fn cluster(
        &self,
        site: &Site,
        (cluster, node): (&str, &Node),
        port: u16,
        folder: &Path,
        mut flags: Vec<(String, String)>,
    ) -> Result<(), LabError> {
        let key = site
            .keys
            .key(Algorithm::RS256, &service_account_key(cluster))?;
        let pki = site.folder.join(format!("{cluster}-pki"));
        let file = |name: &str, content: &str| write(pki.join(name), content.as_bytes());
        let hosts: Vec<Value> = (site.plan.services.values())
            .map(|service| json!({ "ip": service.cluster_ip, "hostnames": [service.host] }))
            .collect();
        let patch = json!({ "spec": { "hostAliases": hosts } });
        let patches = site.folder.join(format!("{cluster}-patches"));
        let name = patches.join("kube-apiserver+strategic.json");
        write(name, patch.to_string().as_bytes())?;
        let mounts = Mounts {
            patches,
            authority: (
                file("ca.crt", site.authority.certificate_pem())?,
                Checkout::here().private().join("pki/ca-key.pem"),
            ),
            service_accounts: (
                file("sa.pub", key.public_key_pem())?,
                file("sa.key", key.private_key_pem().expose_secret())?,
            ),
            server: folder.to_owned(),
            lab_ca: site.folder.join("ca.pem"),
            workers: workers::folders(site, cluster)?,
        };
        let issuer = site.service_account_issuer(cluster)?;
        flags.extend(issuer.map(|issuer| ("service-account-issuer".to_owned(), issuer)));
        if mounts.workers.is_empty() {
            // kind's own token, by which nodes join, is known to everybody.
            flags.push(("enable-bootstrap-token-auth".to_owned(), "false".to_owned()));
        }
        // kubeadm sets those of a name, its groups and the rest.
        flags.push((
            "requestheader-uid-headers".to_owned(),
            "X-Remote-Uid".to_owned(),
        ));
        let image = self.image(Of::Node).await?;
        let is_official = images::is_official(image);
        let text = config::text(image, port, &mounts, &flags, config::cgroup_v2());
        let config = write(
            site.folder.join(format!("{cluster}-kind.yaml")),
            text.as_bytes(),
        )?;
        self.create(site, node.name(), &config).await?;
        // Before anybody may know of the lab: etcd's end is noticed from here on.
        node.mark().await?;
        workers::connect(node.container(), &mounts.workers, is_official).await?;
        if site.plan.services.is_empty() {
            return Ok(());
        }
        let mut load = Command::new(&self.kind);
        load.args(["load", "docker-image", "--name", node.name()]);
        for of in IN_PODS {
            load.arg(self.image(of).await?);
        }
        let loaded = run::run(load, "kind", &Silent).await;
        loaded.map_err(|lines| kind_failed("gave a node no images", &lines))
    }

    async fn create(&self, site: &Site, name: &str, config: &Path) -> Result<(), LabError> {
        let mut create = Command::new(&self.kind);
        create
            .args(["create", "cluster", "--retain", "--name", name, "--config"])
            .arg(config)
            .arg("--kubeconfig")
            .arg(site.folder.join(format!("{name}.kubeconfig")))
            .env("KIND_EXPERIMENTAL_DOCKER_NETWORK", self::name(&site.folder))
            .env(LABEL, &site.folder);
        for proxy in ["http_proxy", "https_proxy", "no_proxy"] {
            // kind passes them on to the API server, which would look for its issuers there.
            create.env_remove(proxy).env_remove(proxy.to_uppercase());
        }
        let made = run::lead(create, "kind", &Silent).await;
        made.map_err(|lines| kind_failed("made no cluster", &lines))
    }
}

fn kind_failed(what: &str, lines: &[String]) -> LabError {
    LabError::Component {
        component: "kind".to_owned(),
        what: what.to_owned(),
        lines: run::last(lines),
    }
}
