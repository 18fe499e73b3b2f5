//! What a running scenario has: the lab, its credentials, and what it must clear away.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use authlab_lab::control::{self, Request, Response};
use authlab_lab::render::Values;
use authlab_lab::state::{ApiServer, DEFAULT_CLUSTER, State};
use chrono::{DateTime, Utc};
use secrecy::SecretString;

use crate::api::{Api, DEADLINE};
use crate::credential::{ADMIN, ANONYMOUS, Credential, Credentials};
use crate::exposition::Sample;
use crate::fault::Fault;
use crate::objects::Traces;
use crate::observe::Redactor;
use crate::verbs::Homes;

/// A running scenario.
#[derive(Debug)]
pub(crate) struct Context<'a> {
    /// The checkout.
    pub root: &'a Path,
    /// The lab.
    pub state: &'a State,
    /// Placeholders and their values, the scenario's namespace included.
    pub values: Values,
    /// The scenario's own namespace.
    pub namespace: String,
    /// The API server that the present step means.
    pub api: Api,
    /// What steps have written there.
    pub traces: Traces,
    /// Its metrics as the last step that looked has read them.
    pub reading: Option<Vec<Sample>>,
    /// Every secret that was met.
    pub redactor: Redactor,
    /// Whether a step has changed the lab: then it is brought back at the end.
    pub changed: bool,
    /// Whether a provider has refused a login, after which some keep their people out for a while.
    pub refused: bool,
    /// Where the programs that steps run are at home.
    pub homes: Homes,
    /// When the scenario began.
    pub begun: DateTime<Utc>,
    /// The name of the API server that the present step means.
    cluster: String,
    elsewhere: BTreeMap<String, Elsewhere>,
    credentials: Credentials,
}

/// An API server that the present step does not mean, but one before it did.
#[derive(Debug)]
struct Elsewhere {
    api: Api,
    traces: Traces,
    reading: Option<Vec<Sample>>,
}

impl<'a> Context<'a> {
    /// A scenario in `namespace` on the lab of `state`.
    ///
    /// # Errors
    /// When the lab's kubeconfig cannot be used.
    pub fn new(root: &'a Path, state: &'a State, namespace: String) -> Result<Self, Fault> {
        let api = Api::new(state, &state.api_server)?;
        let mut values = state.values.clone();
        values.insert("lab.namespace".to_owned(), namespace.clone());
        let mut redactor = Redactor::default();
        for provider in state.identity_providers.values() {
            for user in provider.users.values() {
                redactor.learn(&user.password);
            }
            if let Some(secret) = provider
                .client
                .as_ref()
                .and_then(|client| client.secret.as_ref())
            {
                redactor.learn(secret);
            }
        }
        let credentials = [(ANONYMOUS.to_owned(), Credential::Anonymous)];
        Ok(Self {
            root,
            state,
            values,
            namespace,
            api,
            traces: Traces::default(),
            reading: None,
            redactor,
            changed: false,
            refused: false,
            homes: Homes::new(),
            begun: Utc::now(),
            cluster: DEFAULT_CLUSTER.to_owned(),
            elsewhere: BTreeMap::new(),
            credentials: credentials.into(),
        })
    }

    /// Turns to the API server called `name`; whether it is the first time.
    ///
    /// # Errors
    /// When the lab has none, or its kubeconfig cannot be used.
    pub fn enter(&mut self, name: &str) -> Result<bool, Fault> {
        if self.cluster == name {
            return Ok(false);
        }
        let (there, first) = match self.elsewhere.remove(name) {
            Some(there) => (there, false),
            None => {
                let server = self
                    .state
                    .cluster(Some(name))
                    .ok_or_else(|| Fault::Other(format!("this lab has no API server `{name}`")))?;
                let there = Elsewhere {
                    api: Api::new(self.state, server)?,
                    traces: Traces::default(),
                    reading: None,
                };
                (there, true)
            }
        };
        let here = Elsewhere {
            api: std::mem::replace(&mut self.api, there.api),
            traces: std::mem::replace(&mut self.traces, there.traces),
            reading: std::mem::replace(&mut self.reading, there.reading),
        };
        let left = std::mem::replace(&mut self.cluster, name.to_owned());
        self.elsewhere.insert(left, here);
        Ok(first)
    }

    /// The API servers that steps have meant.
    pub fn entered(&self) -> Vec<String> {
        let others = self.elsewhere.keys().cloned();
        others.chain([self.cluster.clone()]).collect()
    }

    /// The API server that the present step means.
    pub fn server(&self) -> &'a ApiServer {
        let found = self.state.cluster(Some(&self.cluster));
        found.unwrap_or(&self.state.api_server)
    }

    /// Its name as requests to the lab host want it.
    pub fn cluster(&self) -> Option<String> {
        Some(self.cluster.clone()).filter(|name| name != DEFAULT_CLUSTER)
    }

    /// The credential that a step kept as `name`.
    ///
    /// # Errors
    /// When there is none; loading refuses that already.
    pub fn credential(&self, name: &str) -> Result<&Credential, Fault> {
        if name == ADMIN {
            return Ok(self.api.admin());
        }
        self.credentials
            .get(name)
            .ok_or_else(|| Fault::other(format!("no step has kept a credential `{name}`")))
    }

    /// Keeps a credential under a name, in place of an older one.
    pub fn keep(&mut self, name: &str, credential: Credential) {
        if let Some(token) = credential.token() {
            self.redactor.learn(token);
        }
        self.credentials.insert(name.to_owned(), credential);
    }

    /// A secret that must appear nowhere.
    pub fn learn(&mut self, secret: &SecretString) {
        self.redactor.learn(secret);
    }

    /// Asks the lab host.
    ///
    /// # Errors
    /// When it cannot be reached, cannot do it, or takes too long.
    pub async fn host(&self, request: &Request) -> Result<Response, Fault> {
        let seconds = match request {
            // A real API server reloads within a minute, or starts anew.
            Request::Configure(_) | Request::ConfigureProvider { .. } | Request::Restore => 150,
            // A product starts anew.
            Request::Fault { .. } | Request::RotateKeys { .. } | Request::Unlock { .. } => 60,
            _ => DEADLINE,
        };
        let call = control::call(&self.state.socket, request);
        match tokio::time::timeout(Duration::from_secs(seconds), call).await {
            Ok(response) => Ok(response?),
            Err(_) => Err(Fault::Late {
                url: "the lab host".to_owned(),
                seconds,
            }),
        }
    }
}
