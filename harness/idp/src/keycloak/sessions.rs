//! Sessions: who is logged in, at which clients, since when.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{Mutex, MutexGuard, PoisonError},
};

use super::{realm::Lifetimes, server::now};
use crate::oidc::random;

/// A user's session. Times are seconds since 1970.
#[derive(Debug, Clone)]
pub(super) struct Session {
    pub id: String,
    /// The user's position in the realm.
    pub user: usize,
    pub started: i64,
    pub refreshed: i64,
    /// Whether it outlives the browser and the server's idle time.
    pub offline: bool,
    /// When the user typed a password into the form.
    pub auth_time: Option<i64>,
    pub clients: BTreeMap<String, ClientSession>,
}

/// What a client has of a session.
#[derive(Debug, Clone)]
pub(super) struct ClientSession {
    /// `acr`: whether the user logged in for this client (1), or was logged in already (0).
    pub acr: &'static str,
    /// The refresh tokens in use, by the `reuse_id` that those have in common that came from each other.
    reuse: HashMap<String, Reuse>,
}

#[derive(Debug, Clone, Default)]
struct Reuse {
    token: String,
    count: i64,
    last_refresh: i64,
}

/// A refresh token that may not be used (once more).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reused {
    Stale,
    TooOften,
}

#[derive(Default)]
pub(super) struct Sessions(Mutex<HashMap<String, Session>>);

impl Session {
    pub(super) fn new(user: usize) -> Self {
        let now = now();
        Self {
            id: random::uuid(),
            user,
            started: now,
            refreshed: now,
            offline: false,
            auth_time: None,
            clients: BTreeMap::new(),
        }
    }

    /// Adds the client, or only says anew how its user logged in.
    pub(super) fn attach(&mut self, client: &str, acr: &'static str) {
        let entry = self
            .clients
            .entry(client.to_owned())
            .or_insert_with(|| ClientSession {
                acr,
                reuse: HashMap::new(),
            });
        entry.acr = acr;
    }

    /// Whether it has neither idled too long nor lasted too long.
    pub(super) fn is_valid(&self, lifetimes: &Lifetimes) -> bool {
        let (idle, max) = match self.offline {
            true => (lifetimes.offline_idle, lifetimes.offline_max),
            false => (lifetimes.session_idle, Some(lifetimes.session_max)),
        };
        let now = now();
        self.refreshed + idle > now && max.is_none_or(|max| self.started + max > now)
    }

    /// When it ends at the latest.
    pub(super) fn end(&self, lifetimes: &Lifetimes) -> Option<i64> {
        match self.offline {
            true => lifetimes.offline_max.map(|max| self.started + max),
            false => Some(self.started + shorter(lifetimes.session_max, lifetimes.client_max)),
        }
    }

    /// When a refresh token of a moment expires; never, where offline sessions have no end.
    pub(super) fn refresh_expiry(&self, lifetimes: &Lifetimes, moment: i64) -> Option<i64> {
        let end = self.end(lifetimes)?;
        let idle = match self.offline {
            true => lifetimes.offline_idle,
            false => shorter(lifetimes.session_idle, lifetimes.client_idle),
        };
        Some(end.min(moment + idle))
    }
}

/// The realm's setting, or the clients' if that is set and shorter.
fn shorter(session: i64, client: i64) -> i64 {
    if client > 0 {
        session.min(client)
    } else {
        session
    }
}

impl Sessions {
    pub(super) fn insert(&self, session: Session) {
        self.lock().insert(session.id.clone(), session);
    }

    /// The session, unless it is over.
    pub(super) fn get(&self, id: &str, lifetimes: &Lifetimes) -> Option<Session> {
        let mut sessions = self.lock();
        sessions.retain(|_, session| session.is_valid(lifetimes));
        sessions.get(id).cloned()
    }

    pub(super) fn remove(&self, id: &str) -> bool {
        self.lock().remove(id).is_some()
    }

    /// Takes a client out; the session ends with the last one.
    pub(super) fn detach(&self, id: &str, client: &str, last: bool) {
        let mut sessions = self.lock();
        let Some(session) = sessions.get_mut(id) else {
            return;
        };
        session.clients.remove(client);
        if last && session.clients.is_empty() {
            sessions.remove(id);
        }
    }

    /// Counts a use of a refresh token in a realm where that is limited to one and `most` more
    /// (`TokenManager.validateTokenReuse`).
    pub(super) fn reuse(
        &self,
        id: &str,
        client: &str,
        token: (&str, &str, i64),
        most: i64,
    ) -> Result<(), Reused> {
        let (chain, token, issued) = token;
        let mut sessions = self.lock();
        let found = sessions
            .get_mut(id)
            .and_then(|session| session.clients.get_mut(client));
        let Some(client) = found else {
            return Ok(());
        };
        let reuse = client.reuse.entry(chain.to_owned()).or_default();
        if reuse.token != token {
            if !reuse.token.is_empty() && issued < reuse.last_refresh {
                return Err(Reused::Stale);
            }
            token.clone_into(&mut reuse.token);
            reuse.count = 0;
        }
        if reuse.count > most {
            return Err(Reused::TooOften);
        }
        reuse.count += 1;
        reuse.last_refresh = now();
        Ok(())
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, Session>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
