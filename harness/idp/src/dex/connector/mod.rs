//! The ways to log in that the file names. Each is opened when the server starts and, when that fails, again when it
//! is wanted (`server/connectors` of Dex).

mod claims;
mod discovery;
mod http;
mod oidc;
mod verify;

use authlab_pki::PkiError;
use secrecy::{ExposeSecret as _, SecretString};
use tokio::sync::OnceCell;

use self::oidc::Oidc;
use super::{
    config::{Config, Connector, ConnectorKind},
    go::{
        form::{Call, Values},
        redirect::with_query,
    },
    identity::{self, Identity},
    journal::Journal,
};

/// All of a server.
pub(crate) struct Connectors(Vec<Slot>);

struct Slot {
    config: Connector,
    opened: OnceCell<Opened>,
}

/// A connector at work.
pub(crate) enum Opened {
    Local,
    MockCallback,
    MockPassword {
        username: String,
        password: SecretString,
    },
    Oidc(Box<Oidc>),
}

/// Where a user is sent to log in, and what must be remembered until the way back.
pub(crate) struct Departure {
    pub url: String,
    pub verifier: Option<SecretString>,
}

impl Connectors {
    pub(crate) fn new(configs: &[Connector]) -> Self {
        let slot = |config: &Connector| Slot {
            config: config.clone(),
            opened: OnceCell::new(),
        };
        Self(configs.iter().map(slot).collect())
    }

    /// Those that may be used for a grant, in the order of the file.
    pub(crate) fn serving(&self, grant: &str) -> impl Iterator<Item = &Connector> {
        let configs = self.0.iter().map(|slot| &slot.config);
        configs.filter(move |config| config.serves(grant))
    }

    /// Whether there is one of this name, opened or not.
    pub(crate) fn knows(&self, id: &str) -> bool {
        self.0.iter().any(|slot| slot.config.id == id)
    }

    /// How many are open.
    pub(crate) fn open_count(&self) -> usize {
        self.0
            .iter()
            .filter(|slot| slot.opened.initialized())
            .count()
    }

    /// Opens all; why each of the others could not be is in the journal.
    ///
    /// # Errors
    /// In Dex's words, when none could be opened.
    pub(crate) async fn open_all(&self, journal: &Journal) -> Result<(), String> {
        for slot in &self.0 {
            if let Err(reason) = slot.open().await {
                journal.error("server: Failed to open connector", reason);
            }
        }
        let count = self.0.len();
        match self.open_count() {
            0 => Err(format!("failed to open all connectors ({count}/{count})")),
            _ => Ok(()),
        }
    }

    /// Whether one can be opened whatever other servers do.
    pub(crate) fn has_local(&self) -> bool {
        let local = |slot: &Slot| match &slot.config.kind {
            ConnectorKind::Local | ConnectorKind::MockCallback => true,
            ConnectorKind::MockPassword { username, password } => {
                !username.is_empty() && !password.expose_secret().is_empty()
            }
            ConnectorKind::Oidc(_) => false,
        };
        self.0.iter().any(local)
    }

    /// The connector of this name, opened now if it was not.
    ///
    /// # Errors
    /// In Dex's words.
    pub(crate) async fn get(&self, id: &str) -> Result<(&Connector, &Opened), String> {
        // Of equal names the last counts.
        let slot = self.0.iter().rfind(|slot| slot.config.id == id);
        let slot = slot.ok_or("failed to get connector object from storage: not found")?;
        Ok((&slot.config, slot.open().await?))
    }
}

impl Slot {
    async fn open(&self) -> Result<&Opened, String> {
        let open = || Opened::new(&self.config);
        let failed = |reason| {
            let id = &self.config.id;
            format!("failed to open connector: failed to create connector {id}: {reason}")
        };
        self.opened.get_or_try_init(open).await.map_err(failed)
    }
}

impl Connector {
    /// Whether it may be used for a grant.
    pub(crate) fn serves(&self, grant: &str) -> bool {
        self.grant_types.is_empty() || self.grant_types.iter().any(|served| served == grant)
    }
}

impl Opened {
    async fn new(config: &Connector) -> Result<Self, String> {
        Ok(match &config.kind {
            ConnectorKind::Local => Self::Local,
            ConnectorKind::MockCallback => Self::MockCallback,
            ConnectorKind::MockPassword { username, password } => {
                if username.is_empty() {
                    return Err("no username supplied".to_owned());
                }
                if password.expose_secret().is_empty() {
                    return Err("no password supplied".to_owned());
                }
                Self::MockPassword {
                    username: username.clone(),
                    password: password.clone(),
                }
            }
            ConnectorKind::Oidc(upstream) => Self::Oidc(Box::new(Oidc::open(upstream).await?)),
        })
    }

    /// What its login page asks for besides a password; none when it has no such page.
    pub(crate) fn prompt(&self) -> Option<&'static str> {
        match self {
            Self::Local => Some("Email Address"),
            Self::MockPassword { .. } => Some("Username"),
            Self::MockCallback | Self::Oidc(_) => None,
        }
    }

    /// Checks a name and a password; none when either is wrong.
    ///
    /// # Errors
    /// When they cannot be checked.
    pub(crate) async fn login(
        &self,
        config: &Config,
        name: &str,
        given: SecretString,
    ) -> Result<Option<Identity>, identity::Unchecked> {
        match self {
            Self::Local => identity::login(config, name, given).await,
            Self::MockPassword { username, password } => {
                let right = name == username && given.expose_secret() == password.expose_secret();
                Ok(right.then(|| kilgore(&[])))
            }
            Self::MockCallback | Self::Oidc(_) => Err(identity::Unchecked),
        }
    }

    /// Where the user is sent; none for a connector with a page of this server.
    ///
    /// # Errors
    /// In Dex's words.
    pub(crate) fn departure(
        &self,
        callback: &str,
        state: &str,
        offline: bool,
    ) -> Option<Result<Departure, String>> {
        match self {
            Self::Local | Self::MockPassword { .. } => None,
            Self::MockCallback => Some(Ok(Departure {
                url: with_query(callback, |query: &mut Values| query.set("state", state)),
                verifier: None,
            })),
            Self::Oidc(oidc) => Some(oidc.departure(callback, state, offline)),
        }
    }

    /// Who comes back; none for a connector that sends nobody away.
    ///
    /// # Errors
    /// In Dex's words.
    pub(crate) async fn arrival(
        &self,
        call: &Call,
        verifier: Option<&SecretString>,
    ) -> Option<Result<Identity, String>> {
        match self {
            Self::Local | Self::MockPassword { .. } => None,
            Self::MockCallback => Some(Ok(kilgore(&["authors"]))),
            Self::Oidc(oidc) => Some(oidc.arrival(&call.query, verifier).await),
        }
    }

    /// Whose token of another issuer this is; none for a connector that knows no tokens.
    ///
    /// # Errors
    /// In Dex's words.
    pub(crate) async fn token_identity(
        &self,
        kind: &str,
        token: &str,
    ) -> Option<Result<Identity, String>> {
        match self {
            Self::Local | Self::MockPassword { .. } => None,
            Self::MockCallback => Some(Ok(kilgore(&["authors"]))),
            Self::Oidc(oidc) => Some(oidc.token_identity(kind, token).await),
        }
    }

    /// The identity as it is now, of somebody who logged in before.
    ///
    /// # Errors
    /// When the user is gone, or the other provider does not say.
    pub(crate) async fn refresh(
        &self,
        config: &Config,
        identity: &Identity,
    ) -> Result<Identity, String> {
        match self {
            Self::Local => {
                identity::refresh(config, identity).ok_or_else(|| "user not found".to_owned())
            }
            Self::MockCallback => Ok(kilgore(&["authors"])),
            Self::MockPassword { .. } => Ok(identity.clone()),
            Self::Oidc(oidc) => oidc.refresh(identity).await,
        }
    }
}

/// The one user of the connectors that test Dex.
fn kilgore(groups: &[&str]) -> Identity {
    Identity {
        user_id: "0-385-28089-0".to_owned(),
        name: "Kilgore Trout".to_owned(),
        email: "kilgore@kilgore.trout".to_owned(),
        email_verified: true,
        groups: groups.iter().map(|&group| group.to_owned()).collect(),
        ..Identity::default()
    }
}

/// A client that could not be made.
fn no_client(error: PkiError) -> String {
    error.to_string()
}
