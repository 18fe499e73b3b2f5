//! Backends: where a lab runs. One file (or folder) each, and one line in [`start`].

pub mod embedded;
pub mod existing;
pub mod kind;
pub mod process;

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};

use authlab_idp::fault::Fault;
use authlab_pki::{Authority, Certificate, KeyPool};
use thiserror::Error;
use tokio::sync::watch;

use crate::control::{Configure, Response};
use crate::plan::{Authentication, Plan, Text};
use crate::render::{self, Values};
use crate::source::SourceError;
use crate::state::{BackendKind, Capability, DEFAULT_CLUSTER};

/// What every backend is given: a plan, the lab's folder, addresses already bound.
#[derive(Debug)]
pub struct Site {
    /// The lab's id: every process, folder and container of the lab carries it.
    pub id: String,
    /// The lab's own folder, which exists; everything that the lab writes lies below it.
    pub folder: PathBuf,
    /// The plan.
    pub plan: Plan,
    /// Values of the placeholders.
    pub values: Values,
    /// The checkout's CA.
    pub authority: Authority,
    /// The checkout's signing keys.
    pub keys: KeyPool,
    /// Listeners by name: `apiserver`, on loopback, and one for each identity provider that is not a
    /// forge. A backend that starts processes drops the listener and takes its port.
    pub listeners: BTreeMap<String, TcpListener>,
    /// How many requests the lab's forges keep waiting, because a fault says so.
    pub kept: watch::Sender<usize>,
}

/// The placeholder of a realm's name, which is another in the file of each provider.
pub const REALM: &str = "lab.realm";

/// The name of the default API server among [`Site::listeners`].
pub const API_SERVER: &str = "apiserver";

/// The common name of the client certificate whose owner may name users in headers, as kubeadm has
/// it. It is signed by the lab's CA: the verb `clientCertificate` makes one.
///
/// Source: Kubernetes docs, "Authenticating", section "Authenticating proxy".
pub const FRONT_PROXY: &str = "front-proxy-client";

/// The name of an API server among [`Site::listeners`].
#[must_use]
pub fn api_server(cluster: &str) -> String {
    match cluster {
        DEFAULT_CLUSTER => API_SERVER.to_owned(),
        name => format!("{API_SERVER}.{name}"),
    }
}

/// The name of the key of an API server's service accounts in the pool.
#[must_use]
pub fn service_account_key(cluster: &str) -> String {
    match cluster {
        DEFAULT_CLUSTER => "service-accounts".to_owned(),
        name => format!("service-accounts/{name}"),
    }
}

impl Site {
    /// A file of the plan with its placeholders filled.
    ///
    /// # Errors
    /// When a placeholder is unknown to this lab.
    pub fn render(&self, text: &Text) -> Result<String, SourceError> {
        render::file(&text.source(), &self.values)
    }

    /// A provider's own file with its placeholders filled.
    ///
    /// # Errors
    /// When a placeholder is unknown to this lab.
    pub fn render_for(&self, provider: &str, text: &Text) -> Result<String, SourceError> {
        match self.values.get(&format!("lab.idp.{provider}.realm")) {
            Some(realm) => {
                let mut values = self.values.clone();
                values.insert(REALM.to_owned(), realm.clone());
                render::file(&text.source(), &values)
            }
            None => self.render(text),
        }
    }

    /// The issuer that the lab file gives to an API server's service accounts, placeholders filled.
    ///
    /// # Errors
    /// When a placeholder is unknown to this lab.
    pub fn service_account_issuer(&self, cluster: &str) -> Result<Option<String>, LabError> {
        let Some(issuer) = self.plan.service_account_issuers.get(cluster) else {
            return Ok(None);
        };
        let filled = render::value(issuer, &self.values).map_err(|why| LabError::Flag {
            flag: "service-account-issuer".to_owned(),
            why,
        })?;
        Ok(Some(filled.into_owned()))
    }

    /// The API server's authentication with placeholders filled, ready to be used.
    ///
    /// # Errors
    /// When a placeholder is unknown to this lab.
    pub fn authentication(&self, wanted: &Authentication) -> Result<Authentication, LabError> {
        let config = match &wanted.config {
            Some(text) => Some(Text {
                name: text.name.clone(),
                text: self.render(text)?,
            }),
            None => None,
        };
        let mut flags = BTreeMap::new();
        for (name, values) in &wanted.flags {
            let filled = values
                .iter()
                .map(|value| {
                    render::value(value, &self.values)
                        .map(std::borrow::Cow::into_owned)
                        .map_err(|why| LabError::Flag {
                            flag: name.clone(),
                            why,
                        })
                })
                .collect::<Result<Vec<_>, _>>()?;
            flags.insert(name.clone(), filled);
        }
        Ok(Authentication { config, flags })
    }
}

/// A lab whose components run.
pub trait Running: Send + Sync {
    /// Kubernetes version without `v`.
    fn version(&self) -> String;

    /// Placeholders and their values: those of [`Site::values`] and those that only this backend
    /// knows (`lab.storage.type` and `lab.storage.endpoint`, where a Dex keeps its state).
    fn values(&self) -> &Values;

    /// What the lab can do beyond answering on the network, where its kind of backend does not say.
    fn capabilities(&self) -> Option<BTreeSet<Capability>> {
        None
    }

    /// A client certificate of another authority than the lab's, where that one does not count.
    fn client_certificate<'a>(
        &'a self,
        _user: &'a str,
        _groups: &'a [String],
    ) -> Task<'a, Option<Result<Certificate, LabError>>> {
        Box::pin(std::future::ready(None))
    }

    /// What components take in their files and a person may not have meant, file first.
    fn warnings(&self) -> Vec<String> {
        Vec::new()
    }

    /// Gives an API server another authentication; answers [`Response::InForce`] or
    /// [`Response::Refused`] once that is so, [`Response::Failed`] when the lab is at fault.
    fn configure<'a>(&'a self, wanted: &'a Configure) -> Task<'a, Response>;

    /// Brings back the authentication that an API server started with, by whatever way is quickest:
    /// as it says, when it is in force already.
    fn bring_back<'a>(&'a self, wanted: &'a Configure) -> Task<'a, Response> {
        self.configure(wanted)
    }

    /// Makes a provider sign with a new key; the old one stays published. Answers
    /// [`Response::Done`] once the new key is published.
    fn rotate_keys<'a>(&'a self, provider: &'a str) -> Task<'a, Response> {
        cannot(provider, NEW_KEY)
    }

    /// Makes a provider forget wrong passwords, where it locks people out after some. Answers
    /// [`Response::Done`] once nobody is locked out.
    fn unlock<'a>(&'a self, _provider: &'a str) -> Task<'a, Response> {
        Box::pin(std::future::ready(Response::Done))
    }

    /// Breaks a provider in one way, or mends it. Answers [`Response::Done`] once that shows on the
    /// network.
    fn fault<'a>(&'a self, provider: &'a str, _fault: Option<Fault>) -> Task<'a, Response> {
        cannot(provider, FAULT)
    }

    /// Starts a provider again with another configuration file, its placeholders unfilled: same
    /// address, and the same state where the product keeps it. Answers [`Response::InForce`], or
    /// [`Response::Refused`] in the product's words, and then the old one is in force.
    fn configure_provider<'a>(
        &'a self,
        provider: &'a str,
        _config: &'a Text,
    ) -> Task<'a, Response> {
        cannot(provider, NEW_CONFIGURATION)
    }

    /// Waits until the API server has found an issuer that was broken and is mended, which it looks
    /// for again only now and then. At once where it does not trust that issuer, or never lost it.
    fn issuer_is_back<'a>(&'a self, _issuer: &'a str) -> Task<'a, ()> {
        Box::pin(std::future::ready(()))
    }

    /// The audit log of an API server so far, oldest event first.
    fn audit_log<'a>(
        &'a self,
        cluster: &'a str,
    ) -> Task<'a, Result<Vec<serde_json::Value>, LabError>>;

    /// Ends only when a component has died; the error names it and its last lines.
    fn died(&self) -> Task<'_, LabError>;

    /// Ends every component and returns when the last one is gone.
    fn stop(self: Box<Self>) -> Task<'static, ()>;
}

/// What a provider may not be able to do; see [`cannot`].
pub(crate) const NEW_KEY: &str = "be given a new key";
pub(crate) const FAULT: &str = "be broken or mended";
pub(crate) const NEW_CONFIGURATION: &str = "be given another configuration";
/// Why a product has no other fault.
pub(crate) const ONLY_DOWN: &str =
    "a product can only be down: every other fault is for an identity provider of kind forge";

/// What a backend answers that cannot do `what` to a provider.
pub(crate) fn cannot<'a>(provider: &str, what: &str) -> Task<'a, Response> {
    let message = format!("`{provider}` cannot {what} in this lab");
    Box::pin(std::future::ready(Response::Failed { message }))
}

/// What a backend says of an API server that is not in the lab.
pub(crate) fn no_cluster(name: &str) -> String {
    format!("no API server `{name}` in this lab")
}

/// What a backend answers about a provider that did, or did not, as asked.
pub(crate) fn done(outcome: Result<(), String>) -> Response {
    match outcome {
        Ok(()) => Response::Done,
        Err(message) => Response::Failed { message },
    }
}

/// A boxed future, so that backends can be told apart at run time.
pub type Task<'a, T> = std::pin::Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// A lab that could not be started or kept.
#[derive(Debug, Error, miette::Diagnostic)]
pub enum LabError {
    /// A file of the lab is at fault.
    #[error(transparent)]
    #[diagnostic(transparent)]
    Source(#[from] SourceError),
    /// A flag holds a placeholder that cannot be filled.
    #[error("the API server's flag `{flag}`: {why}")]
    Flag {
        /// The flag without dashes.
        flag: String,
        /// Why.
        why: String,
    },
    /// Another process has a lab of this id.
    #[error("a lab `{id}` runs already")]
    #[diagnostic(help("`cargo xtask down {id}` ends it"))]
    Taken {
        /// The lab's id.
        id: String,
    },
    /// A component refused its configuration.
    #[error("{component} refused to start: {message}")]
    Refused {
        /// Which component.
        component: String,
        /// Its own words.
        message: String,
    },
    /// A component died or did not become ready.
    #[error("{component} {what}\n{lines}")]
    #[diagnostic(help("{}", crate::advice::of_component(what, lines)))]
    Component {
        /// Which component.
        component: String,
        /// What happened to it.
        what: String,
        /// The last lines of its log.
        lines: String,
    },
    /// A port was taken between choosing and using it: start again with others.
    #[error("{component}: the port {port} was taken by somebody else")]
    #[diagnostic(help(
        "other ports were chosen several times, and each was taken at once: something on this \
         machine takes every free port of the loopback address; end it and try again"
    ))]
    AddressInUse {
        /// Which component.
        component: String,
        /// The port.
        port: u16,
    },
    /// Something that the lab needs is not on this machine.
    #[error("{what}")]
    #[diagnostic(help("{help}"))]
    Missing {
        /// What is missing.
        what: String,
        /// What to do about it.
        help: String,
    },
    /// A cluster that exists already cannot be used.
    #[error(transparent)]
    #[diagnostic(transparent)]
    Existing(#[from] existing::ExistingError),
    /// A container image could not be built.
    #[error(transparent)]
    #[diagnostic(transparent)]
    Images(#[from] crate::images::ImagesError),
    /// A real component could not be built.
    #[error(transparent)]
    #[diagnostic(transparent)]
    Tools(#[from] crate::tools::ToolsError),
    /// A condition did not come to hold.
    #[error(transparent)]
    Wait(#[from] crate::wait::WaitError),
    /// The operating system refused something.
    #[error("{what}: {cause}")]
    #[diagnostic(help("{}", crate::advice::of_system(cause)))]
    System {
        /// What was tried.
        what: String,
        // Not called `source`: a report would show it a second time.
        /// The system's words.
        cause: std::io::Error,
    },
    /// Certificates or keys could not be made.
    #[error(transparent)]
    Pki(#[from] authlab_pki::PkiError),
    /// The lab's API server did not do as asked.
    #[error("{what}: {why}")]
    Api {
        /// What was asked.
        what: String,
        /// Its answer.
        why: String,
    },
}

impl LabError {
    /// Whether what has run tells more about it than the files that a person wrote.
    #[must_use]
    pub fn is_of_the_machine(&self) -> bool {
        match self {
            Self::Component { .. } | Self::Wait(_) | Self::Api { .. } | Self::System { .. } => true,
            Self::Source(_)
            | Self::Flag { .. }
            | Self::Taken { .. }
            | Self::Refused { .. }
            | Self::AddressInUse { .. }
            | Self::Missing { .. }
            | Self::Existing(_)
            | Self::Images(_)
            | Self::Tools(_)
            | Self::Pki(_) => false,
        }
    }
}

/// This machine's address for the identity providers of a lab in `folder`.
///
/// # Errors
/// When there is none.
pub(crate) async fn address(kind: BackendKind, folder: &Path) -> Result<IpAddr, LabError> {
    match kind {
        BackendKind::Embedded | BackendKind::Process | BackendKind::Existing => {
            Ok(Ipv4Addr::LOCALHOST.into())
        }
        BackendKind::Kind => kind::address(folder).await,
    }
}

/// Starts the components of a lab on a backend.
///
/// # Errors
/// When a component cannot be started; nothing of it is left running.
pub async fn start(kind: BackendKind, site: Site) -> Result<Box<dyn Running>, LabError> {
    match kind {
        BackendKind::Embedded => embedded::start(site).await,
        BackendKind::Process => process::start(site).await,
        BackendKind::Kind => kind::start(site).await,
        BackendKind::Existing => existing::start(site).await,
    }
}
