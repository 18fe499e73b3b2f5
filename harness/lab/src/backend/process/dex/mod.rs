//! Dex, from the very file that the embedded one reads.

mod keys;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use authlab_idp::fault::Fault;
use authlab_idp::port;
use tokio::net::TcpSocket;
use tokio::sync::{Mutex, watch};

use super::{GRACE, LabError, READY, Site, first, outlived, release, taken_port, write};
use crate::backend::ONLY_DOWN;
use crate::backend::kind::{self, Workshop};
use crate::control::Response;
use crate::exec::{Child, Program};
use crate::plan::Text;
use crate::spec::ProviderKind;
use crate::tools::Tools;
use crate::wait::{Look, until};

/// Every Dex of a lab, by its name in the lab file.
#[derive(Default)]
pub(super) struct Dexes(BTreeMap<String, Dex>);

/// A Dex that can be ended and started again at its address; what it remembers is in its storage.
struct Dex {
    program: Program,
    issuer: String,
    /// The file that it reads.
    file: PathBuf,
    /// The lab's CA, PEM.
    ca: String,
    /// How long it may take to end.
    grace: Duration,
    /// Keeps the port while Dex does not run.
    _port: TcpSocket,
    /// What it runs from; held while that changes.
    current: Mutex<Config>,
    /// What should live; `None` while it does not run on purpose.
    running: watch::Sender<Option<Arc<Child>>>,
}

/// A configuration: its name in the checkout, and its text with placeholders filled.
#[derive(Clone)]
struct Config {
    name: String,
    text: String,
}

impl Dexes {
    /// Starts every Dex of the plan and waits until each answers.
    pub(super) async fn start(
        site: &mut Site,
        tools: &Tools,
        workshop: Option<&Workshop>,
    ) -> Result<Self, LabError> {
        let mut dexes = BTreeMap::new();
        let mut starting = Vec::new();
        for (name, provider) in site.plan.providers.clone() {
            let (ProviderKind::Dex, Some(config)) = (provider.kind, &provider.config) else {
                continue;
            };
            let dex = Dex::prepare(site, tools, workshop, &name, config).await?;
            starting.push((name.clone(), dex.program.start().await?));
            dexes.insert(name, dex);
        }
        for (name, child) in starting {
            let dex = &dexes[&name];
            let config = dex.current.lock().await.name.clone();
            dex.settle(child, &config).await?;
        }
        Ok(Self(dexes))
    }

    /// Whether the lab calls a Dex so.
    pub(super) fn has(&self, name: &str) -> bool {
        self.0.contains_key(name)
    }

    /// Signs with a new key from now on; the old one stays published as long as its tokens live.
    pub(super) async fn rotate_keys(&self, name: &str) -> Result<(), String> {
        let dex = self.dex(name)?;
        let current = dex.current.lock().await;
        if dex.running.borrow().is_none() {
            return Err(format!(
                "`{name}` is down: mend it before its key is replaced"
            ));
        }
        keys::expire(&current.text).await?;
        // It looks at its keys when it starts, else only every 30 s.
        dex.stop().await;
        let started = dex.run(&current.name).await;
        started.map_err(|error| error.to_string())
    }

    /// Ends it, or starts it again.
    pub(super) async fn fault(&self, name: &str, fault: Option<Fault>) -> Result<(), String> {
        let dex = self.dex(name)?;
        let current = dex.current.lock().await;
        let runs = dex.running.borrow().is_some();
        match fault {
            Some(Fault::Down) => dex.stop().await,
            None if runs => {}
            None => {
                let started = dex.run(&current.name).await;
                started.map_err(|error| error.to_string())?;
            }
            Some(_) => return Err(ONLY_DOWN.to_owned()),
        }
        Ok(())
    }

    /// Starts it again with another file, whose placeholders are filled; with the old one, when it
    /// refuses that.
    pub(super) async fn configure(
        &self,
        name: &str,
        config: &Text,
        text: String,
    ) -> Result<Response, String> {
        let dex = self.dex(name)?;
        let words = |error: LabError| error.to_string();
        let mut current = dex.current.lock().await;
        let next = Config {
            name: config.name.clone(),
            text,
        };
        dex.stop().await;
        dex.write(&next).map_err(words)?;
        let old = std::mem::replace(&mut *current, next);
        let failure = match dex.run(&current.name).await {
            Ok(()) => return Ok(Response::InForce),
            Err(failure) => failure,
        };
        *current = old;
        dex.write(&current).map_err(words)?;
        dex.run(&current.name).await.map_err(words)?;
        match failure {
            LabError::Refused { message, .. } => Ok(Response::Refused { message }),
            other => Err(words(other)),
        }
    }

    /// Ends only when one has died that should live.
    pub(super) async fn died(&self) -> LabError {
        first(self.0.values().map(Dex::died)).await
    }

    pub(super) async fn stop(self) {
        for dex in self.0.into_values() {
            dex.stop().await;
        }
    }

    fn dex(&self, name: &str) -> Result<&Dex, String> {
        let dex = self.0.get(name);
        dex.ok_or_else(|| format!("no Dex `{name}` in this lab"))
    }
}

impl Dex {
    async fn prepare(
        site: &mut Site,
        tools: &Tools,
        workshop: Option<&Workshop>,
        name: &str,
        config: &Text,
    ) -> Result<Self, LabError> {
        let file = site.folder.join(format!("{name}.yaml"));
        let issuer = site.values.get(&format!("lab.idp.{name}.issuer"));
        let issuer = issuer.cloned().unwrap_or_default();
        let current = Config {
            name: config.name.clone(),
            text: site.render(config)?,
        };
        let component = || name.to_owned();
        let address = release(site, name)?;
        let program = match workshop {
            Some(workshop) => workshop.dex(site, name, &file).await?,
            None => Program {
                name: component(),
                path: tools.path("dex")?.to_owned(),
                args: vec!["serve".into(), file.clone().into()],
                folder: site.folder.clone(),
                environment: Vec::new(),
            },
        };
        let dex = Self {
            program,
            issuer,
            file,
            ca: site.authority.certificate_pem().to_owned(),
            grace: workshop.map_or(GRACE, |_| kind::GRACE),
            _port: port::reserve(address).map_err(|_| LabError::AddressInUse {
                component: component(),
                port: address.port(),
            })?,
            current: Mutex::new(current.clone()),
            running: watch::Sender::new(None),
        };
        dex.write(&current)?;
        Ok(dex)
    }

    fn write(&self, config: &Config) -> Result<(), LabError> {
        write(self.file.clone(), config.text.as_bytes()).map(drop)
    }

    /// Starts it from its file, which `config` names in the checkout, and waits until it answers.
    async fn run(&self, config: &str) -> Result<(), LabError> {
        self.settle(self.program.start().await?, config).await
    }

    /// Waits until it answers; from then on it should live.
    async fn settle(&self, child: Child, config: &str) -> Result<(), LabError> {
        self.answers(&child, config).await?;
        self.running.send_replace(Some(child.into()));
        Ok(())
    }

    async fn stop(&self) {
        // Its end is not a death from here on.
        if let Some(child) = self.running.send_replace(None) {
            child.stop(self.grace).await;
        }
    }

    /// Ends only when it has ended by itself.
    async fn died(&self) -> LabError {
        outlived(&self.running, async |child: &Child| child.died().await).await
    }

    /// Waits for health and discovery, or for its end.
    async fn answers(&self, child: &Child, config: &str) -> Result<(), LabError> {
        let http = authlab_pki::http::client(&self.ca)?;
        let what = format!("{} answers", child.name());
        let paths = ["/healthz", "/.well-known/openid-configuration"];
        let answers = until(&what, READY, || async {
            for path in paths {
                match http.get(format!("{}{path}", self.issuer)).send().await {
                    Ok(answer) if answer.status().is_success() => {}
                    Ok(answer) => return Look::NotYet(format!("{path}: {}", answer.status())),
                    Err(error) => return Look::NotYet(format!("{path}: {error}")),
                }
            }
            Look::Ready(())
        });
        tokio::select! {
            answers = answers => Ok(answers?),
            how = child.ended() => Err(self.refusal(child, config, &how)),
        }
    }

    /// Why it ended: its last words, which are the lines at the end that are not of its logger.
    fn refusal(&self, child: &Child, config: &str, how: &str) -> LabError {
        let log = child.log().text();
        let component = child.name().to_owned();
        if let Some(port) = taken_port(&log) {
            return LabError::AddressInUse { component, port };
        }
        let path = self.file.display().to_string();
        let mut words: Vec<&str> = log
            .lines()
            .rev()
            .skip_while(|line| line.starts_with("time="))
            .take_while(|line| !line.starts_with("time="))
            .collect();
        words.reverse();
        if words.is_empty() {
            return child.failure(&format!("ended: {how}"));
        }
        LabError::Refused {
            component,
            message: words.join("\n").replace(&path, config),
        }
    }
}
