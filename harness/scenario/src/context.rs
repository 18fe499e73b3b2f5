//! What a running scenario has: the lab, its credentials, and what it must clear away.

use std::path::Path;
use std::time::Duration;

use authlab_lab::control::{self, Request, Response};
use authlab_lab::render::Values;
use authlab_lab::state::State;
use secrecy::SecretString;

use crate::api::{Api, DEADLINE};
use crate::credential::{ADMIN, ANONYMOUS, Credential, Credentials};
use crate::fault::Fault;
use crate::objects::Traces;
use crate::observe::Redactor;

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
    /// The API server.
    pub api: Api,
    /// What steps have written.
    pub traces: Traces,
    /// Every secret that was met.
    pub redactor: Redactor,
    /// Whether a step has changed the API server's authentication.
    pub configured: bool,
    credentials: Credentials,
}

impl<'a> Context<'a> {
    /// A scenario in `namespace` on the lab of `state`.
    ///
    /// # Errors
    /// When the lab's kubeconfig cannot be used.
    pub fn new(root: &'a Path, state: &'a State, namespace: String) -> Result<Self, Fault> {
        let api = Api::new(state)?;
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
        let credentials = [
            (ADMIN.to_owned(), api.admin().clone()),
            (ANONYMOUS.to_owned(), Credential::Anonymous),
        ];
        Ok(Self {
            root,
            state,
            values,
            namespace,
            api,
            traces: Traces::default(),
            redactor,
            configured: false,
            credentials: credentials.into(),
        })
    }

    /// The credential that a step kept as `name`.
    ///
    /// # Errors
    /// When there is none; loading refuses that already.
    pub fn credential(&self, name: &str) -> Result<&Credential, Fault> {
        self.credentials
            .get(name)
            .ok_or_else(|| Fault::other(format!("no step has kept a credential `{name}`")))
    }

    /// Keeps a credential under a name, in place of an older one.
    pub fn keep(&mut self, name: &str, credential: Credential) {
        if let Some(token) = credential.token() {
            self.redactor.learn(token);
        }
        if let Credential::Token(token) = &credential
            && let Some(renewal) = &token.renewal
        {
            self.redactor.learn(&renewal.token);
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
            Request::Configure(_) | Request::Restore => 150,
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
