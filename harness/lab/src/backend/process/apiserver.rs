//! kube-apiserver: its files and flags, its start, what it says when it refuses.

use std::path::PathBuf;
use std::time::Duration;

use serde_json::Value;

use super::admin::Admin;
use super::{
    GRACE, LabError, READY, Site, admin, component, controllers, flags, klog, release, taken_port,
    write,
};
use crate::backend::api_server;
use crate::backend::kind::{Node, Workshop};
use crate::exec::{Child, Program};
use crate::plan::Authentication;
use crate::tools::Tools;
use crate::wait::{Look, until};

const NAME: &str = "kube-apiserver";
/// Its files, in its own folder.
const CONFIG: &str = "authentication/config.yaml";
/// See [`CONFIG`].
pub(in crate::backend) const AUDIT_LOG: &str = "audit.log";
/// See [`CONFIG`].
pub(in crate::backend) const AUDIT_POLICY: &str = "audit-policy.yaml";

/// Between two looks at what a node that is being made has said.
const LOOK_AGAIN: Duration = Duration::from_secs(1);

/// How long it may take to find an issuer that is back.
const FOUND: Duration = Duration::from_secs(20);

/// An API server that can be started again and again, on the same port with the same store.
#[derive(Debug)]
pub(super) struct ApiServer {
    program: Program,
    port: u16,
    /// Where `--authentication-config` lies: in a folder of its own, since the API server watches
    /// the folder.
    pub(super) config: PathBuf,
    audit_log: PathBuf,
    pub(super) admin: Admin,
    controllers: Program,
    /// The node that it runs in, where it is no process of this machine.
    node: Option<Node>,
}

impl ApiServer {
    /// Makes a cluster for it.
    pub(super) async fn prepare_node(
        site: &mut Site,
        workshop: &Workshop,
        cluster: &str,
        wanted: &Authentication,
    ) -> Result<Self, LabError> {
        let port = release(site, &api_server(cluster))?.port();
        let name = component(NAME, cluster);
        let folder = site.folder.join(&name);
        write(folder.join(AUDIT_POLICY), flags::audit_policy().as_bytes())?;
        let config = folder.join(CONFIG);
        if let Some(text) = &wanted.config {
            write(config.clone(), text.text.as_bytes())?;
        }
        let node = workshop.node(site, cluster, &folder)?;
        let flags = flags::of(wanted, &config).collect();
        tokio::select! {
            made = workshop.cluster(site, (cluster, &node), port, &folder, flags) => made?,
            refused = refused(&node, &name) => return Err(refused),
        }
        Ok(Self {
            program: node.server(site, &name)?,
            port,
            config,
            audit_log: folder.join(AUDIT_LOG),
            admin: admin(site, port)?,
            controllers: node.controllers(site, &component(controllers::NAME, cluster))?,
            node: Some(node),
        })
    }

    /// Writes what does not change between two starts.
    pub(super) fn prepare(
        site: &mut Site,
        tools: &Tools,
        etcd: &str,
        cluster: &str,
    ) -> Result<Self, LabError> {
        let port = release(site, &api_server(cluster))?.port();
        let name = component(NAME, cluster);
        let folder = site.folder.join(&name);
        let flags = flags::standing(site, cluster, etcd, port, &folder)?;
        Ok(Self {
            program: Program {
                name,
                path: tools.path(NAME)?.to_owned(),
                args: flags.into_iter().map(Into::into).collect(),
                folder: site.folder.clone(),
                // It makes a great deal at its start that stays: looking for garbage in that less
                // often spares a fifth of the processor time until it is ready.
                environment: vec![("GOGC", "400".into()), ("GOMEMLIMIT", "1GiB".into())],
            },
            port,
            config: folder.join(CONFIG),
            audit_log: folder.join(AUDIT_LOG),
            admin: admin(site, port)?,
            controllers: controllers::prepare(site, tools, cluster)?,
            node: None,
        })
    }

    /// Starts it with the given authentication (placeholders filled), its controllers as soon as
    /// it answers, and waits until both are ready.
    ///
    /// The controllers are started with every API server: those of an earlier one would find it
    /// again only seconds later, their pauses having grown while it was gone.
    pub(super) async fn start(&self, wanted: &Authentication) -> Result<ControlPlane, Unready> {
        let server = match self.launch(wanted).await {
            Ok(server) => server,
            Err(why) => return Err(Unready { plane: None, why }),
        };
        let mut controllers = None;
        let ready = async {
            self.answers().await?;
            let started = controllers.insert(self.controllers.start().await?);
            tokio::try_join!(
                self.is_ready(&server, wanted),
                controllers::done(&self.admin, started),
            )
        };
        let ready = tokio::select! {
            ready = ready => ready.map(drop),
            how = server.ended() => Err(self.refusal(&server, &how)),
        };
        let plane = ControlPlane {
            server,
            controllers,
        };
        match ready {
            Ok(()) => Ok(plane),
            Err(why) => Err(Unready {
                plane: Some(plane),
                why,
            }),
        }
    }

    async fn launch(&self, wanted: &Authentication) -> Result<Child, LabError> {
        let mut program = self.program.clone();
        if let Some(node) = &self.node {
            node.make_room().await?;
        }
        if let Some(config) = &wanted.config {
            write(self.config.clone(), config.text.as_bytes())?;
        }
        let flags = flags::of(wanted, &self.config);
        let flags = flags.map(|(name, value)| format!("--{name}={value}").into());
        program.args.extend(flags);
        program.start().await
    }

    fn refusal(&self, server: &Child, how: &str) -> LabError {
        let log = server.log().text();
        let component = self.program.name.clone();
        if taken_port(&log).is_some() {
            return LabError::AddressInUse {
                component,
                port: self.port,
            };
        }
        match klog::refusal(&log) {
            Some(message) => LabError::Refused { component, message },
            None => server.failure(&format!("ended: {how}")),
        }
    }

    /// Waits until something answers on its port, ready or not.
    async fn answers(&self) -> Result<(), LabError> {
        let answers = until("the API server answers", READY, || async {
            match self.admin.answers().await {
                Ok(()) => Look::Ready(()),
                Err(why) => Look::NotYet(why),
            }
        });
        Ok(answers.await?)
    }

    /// Waits until it is ready and has made its first attempt at every issuer.
    async fn is_ready(&self, server: &Child, wanted: &Authentication) -> Result<(), LabError> {
        until("the API server is ready", READY, || async {
            match self.admin.get("/readyz").await {
                Ok(_) => Look::Ready(()),
                Err(error) => Look::NotYet(error.to_string()),
            }
        })
        .await?;
        let issuers = issuers(wanted);
        let issuers = &issuers;
        until("the API server knows its issuers", READY, || async {
            match self.unsettled(server, issuers).await {
                Ok(None) => Look::Ready(()),
                Ok(Some(issuer)) => Look::NotYet(format!("it has not looked at {issuer}")),
                Err(error) => Look::NotYet(error.to_string()),
            }
        })
        .await?;
        Ok(())
    }

    /// An issuer that was not yet looked at. One whose discovery failed counts as looked at: the
    /// lab may want just that. The log does not name it, so failures are counted.
    async fn unsettled<'a>(
        &self,
        server: &Child,
        issuers: &'a [String],
    ) -> Result<Option<&'a str>, LabError> {
        let mut unknown = Vec::new();
        for issuer in issuers {
            if !self.admin.knows(issuer).await? {
                unknown.push(issuer.as_str());
            }
        }
        let failures = klog::failed_discoveries(&server.log().text());
        Ok(unknown.get(failures).copied())
    }

    /// Waits until it has looked at those of its issuers that are among `late`, which answered only
    /// when its log had `open` bytes: an attempt before that says nothing about them.
    pub(super) async fn finds(
        &self,
        plane: &ControlPlane,
        wanted: &Authentication,
        open: u64,
        late: impl Iterator<Item = &str>,
    ) -> Result<(), LabError> {
        let trusted = issuers(wanted);
        for issuer in late.filter(|issuer| trusted.iter().any(|known| known == issuer)) {
            let what = format!("the API server finds {issuer}");
            until(&what, READY, || async {
                match self.admin.knows(issuer).await {
                    Ok(true) => Look::Ready(()),
                    Ok(false) => match klog::failed_discoveries(&plane.server.log().since(open)) {
                        0 => Look::NotYet("it has not looked at it again".to_owned()),
                        // The lab may want just that.
                        _ => Look::Ready(()),
                    },
                    Err(error) => Look::NotYet(error.to_string()),
                }
            })
            .await?;
        }
        Ok(())
    }

    /// Waits until it has found an issuer, which it looks for every 10 s; gives up when that takes
    /// much longer.
    pub(super) async fn found(&self, issuer: &str) {
        let what = format!("the API server finds {issuer}");
        let found = until(&what, FOUND, || async {
            match self.admin.knows(issuer).await {
                Ok(true) => Look::Ready(()),
                Ok(false) => Look::NotYet("not yet".to_owned()),
                Err(error) => Look::NotYet(error.to_string()),
            }
        });
        if let Err(error) = found.await {
            tracing::debug!(%error, "an issuer that was mended stays unknown");
        }
    }

    /// How much it has written to its log, in bytes.
    pub(super) fn logged(&self) -> u64 {
        let log = self.program.log();
        std::fs::metadata(log).map_or(0, |log| log.len())
    }

    /// The events so far. A line that is still being written is left out.
    pub(super) fn audit_log(&self) -> Result<Vec<Value>, LabError> {
        let text = match std::fs::read_to_string(&self.audit_log) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => String::new(),
            Err(cause) => {
                return Err(LabError::System {
                    what: "cannot read the audit log".to_owned(),
                    cause,
                });
            }
        };
        Ok(text
            .lines()
            .filter_map(|line| serde_json::from_str(line).ok())
            .collect())
    }
}

/// Ends only when the first API server of a node that is being made has refused its configuration.
async fn refused(node: &Node, name: &str) -> LabError {
    loop {
        if let Some(message) = klog::refusal(&node.first_words().await) {
            return LabError::Refused {
                component: name.to_owned(),
                message,
            };
        }
        tokio::time::sleep(LOOK_AGAIN).await;
    }
}

/// A running API server and its controllers.
#[derive(Debug)]
pub(super) struct ControlPlane {
    pub(super) server: Child,
    /// Absent when the server never answered.
    controllers: Option<Child>,
}

/// A control plane that did not become ready.
#[derive(Debug)]
pub(super) struct Unready {
    /// What there is of it, dead or alive, when it could be started at all.
    pub(super) plane: Option<ControlPlane>,
    pub(super) why: LabError,
}

impl ControlPlane {
    /// Ends when one of the two has ended.
    pub(super) async fn died(&self) -> LabError {
        tokio::select! {
            error = self.server.died() => error,
            error = async {
                match &self.controllers {
                    Some(controllers) => controllers.died().await,
                    None => std::future::pending().await,
                }
            } => error,
        }
    }

    /// Ends both. Controllers first: they would only log the server's absence.
    pub(super) async fn stop(&self) {
        if let Some(controllers) = &self.controllers {
            controllers.stop(GRACE).await;
        }
        self.server.stop(GRACE).await;
    }
}

/// The issuers that the API server is told to trust. A file that it will refuse names none.
pub(super) fn issuers(authentication: &Authentication) -> Vec<String> {
    let text = authentication
        .config
        .as_ref()
        .map(|text| text.text.as_str());
    let config: Value = text
        .and_then(|text| serde_yaml::from_str(text).ok())
        .unwrap_or_default();
    let from_file = config["jwt"].as_array().into_iter().flatten();
    let from_file = from_file.filter_map(|jwt| jwt["issuer"]["url"].as_str());
    let flag = authentication.flags.get("oidc-issuer-url");
    from_file
        .chain(flag.into_iter().flatten().map(String::as_str))
        .map(str::to_owned)
        .collect()
}
