//! A realm: read from the file that Keycloak imports, every reference resolved.

mod builtin;
mod clients;
mod cursor;
mod error;
mod names;
mod people;
mod read;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};

use authlab_pki::Algorithm;
use secrecy::SecretString;

pub use builtin::{LOGIN_NAMES, USER_STORAGE, default_clients};
pub(super) use clients::origin;
pub use error::{Ground, RealmError, RealmErrors};
pub(super) use read::read;

/// A realm in force.
pub(super) struct Realm {
    pub name: String,
    pub display_name: String,
    pub enabled: bool,
    pub algorithm: Algorithm,
    pub lifetimes: Lifetimes,
    /// Whether a refresh token is used up, and how often it may be used again.
    pub revoke_refresh: Option<i64>,
    pub login_with_email: bool,
    /// Whether users without an e-mail address and a name have to give them first.
    pub verify_profile: bool,
    /// Whether users whose address is not verified have to verify it first.
    pub verify_email: bool,
    pub clients: BTreeMap<String, Client>,
    pub users: Vec<User>,
    pub groups: Vec<Group>,
    /// Composite roles and what is in them; other roles are in nothing.
    pub roles: BTreeMap<Role, BTreeSet<Role>>,
    pub scopes: BTreeMap<String, Scope>,
    /// Clients of other protocols, by name.
    pub others: BTreeSet<String>,
    pub warnings: Vec<String>,
}

/// Seconds.
#[derive(Debug, Clone, Copy)]
pub(super) struct Lifetimes {
    pub access: i64,
    pub session_idle: i64,
    pub session_max: i64,
    pub client_idle: i64,
    pub client_max: i64,
    pub offline_idle: i64,
    /// None: without end.
    pub offline_max: Option<i64>,
    pub code: i64,
    pub login: i64,
    pub device: i64,
    /// How long a device waits before it asks again.
    pub device_interval: i64,
}

/// A role of a client, or of the realm.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Role {
    pub client: Option<String>,
    pub name: String,
}

pub(super) struct Client {
    pub id: String,
    /// For people.
    pub name: String,
    pub enabled: bool,
    pub public: bool,
    pub bearer_only: bool,
    pub secret: Option<SecretString>,
    pub root_url: String,
    pub redirect_uris: Vec<String>,
    pub web_origins: Vec<String>,
    pub standard_flow: bool,
    pub implicit_flow: bool,
    pub direct_grants: bool,
    pub service_account: bool,
    pub full_scope: bool,
    /// Whether users are asked before it gets anything.
    pub consent: bool,
    pub attributes: BTreeMap<String, String>,
    /// Default and optional scopes, by name, and the client's own mappers and role scope.
    pub default_scopes: Vec<String>,
    pub optional_scopes: Vec<String>,
    pub own: Scope,
}

/// Mappers that act when the scope is granted, and the roles that it lets through.
#[derive(Default)]
pub(super) struct Scope {
    pub name: String,
    /// Whether the token's `scope` names it.
    pub named: bool,
    pub mappers: Vec<Mapper>,
    pub roles: Vec<Role>,
}

pub(super) struct Mapper {
    /// The provider, such as `oidc-audience-mapper`.
    pub kind: String,
    pub config: BTreeMap<String, String>,
}

pub(super) struct User {
    pub id: String,
    pub username: String,
    pub enabled: bool,
    pub email: Option<String>,
    pub email_verified: bool,
    pub first_name: Option<String>,
    pub last_name: Option<String>,
    pub attributes: BTreeMap<String, Vec<String>>,
    pub password: Option<SecretString>,
    pub required_actions: Vec<String>,
    /// Positions among the realm's groups.
    pub groups: Vec<usize>,
    /// Those given to the user directly.
    pub roles: BTreeSet<Role>,
    /// The client that this is the service account of.
    pub service_account: Option<String>,
}

pub(super) struct Group {
    pub name: String,
    pub path: String,
    pub parent: Option<usize>,
    pub attributes: BTreeMap<String, Vec<String>>,
    pub roles: BTreeSet<Role>,
}

impl Role {
    pub(super) fn of_realm(name: impl Into<String>) -> Self {
        Self {
            client: None,
            name: name.into(),
        }
    }

    pub(super) fn of_client(client: &str, name: impl Into<String>) -> Self {
        Self {
            client: Some(client.to_owned()),
            name: name.into(),
        }
    }
}

impl Mapper {
    /// A setting; empty when it is not there.
    pub(super) fn get(&self, name: &str) -> &str {
        self.config.get(name).map_or("", String::as_str)
    }

    pub(super) fn is(&self, name: &str) -> bool {
        self.get(name) == "true"
    }
}

impl Client {
    pub(super) fn attribute(&self, name: &str) -> Option<&str> {
        self.attributes
            .get(name)
            .map(String::as_str)
            .filter(|value| !value.trim().is_empty())
    }
}

impl Realm {
    /// Whether it has a client of that name, for whatever protocol.
    fn knows(&self, client: &str) -> bool {
        self.clients.contains_key(client) || self.others.contains(client)
    }

    /// The user of that name, in whatever case, or of that address where the realm lets people log in by it.
    pub(super) fn user(&self, name: &str) -> Option<usize> {
        let name = name.trim().to_lowercase();
        let by = |wanted: &dyn Fn(&User) -> bool| {
            self.users
                .iter()
                .position(|user| user.service_account.is_none() && wanted(user))
        };
        by(&|user| user.username == name).or_else(|| {
            let email = Some(name.as_str());
            self.login_with_email
                .then(|| by(&|user| user.email.as_deref() == email))
                .flatten()
        })
    }

    pub(super) fn service_account(&self, client: &str) -> Option<usize> {
        self.users
            .iter()
            .position(|user| user.service_account.as_deref() == Some(client))
    }

    /// A group and those above it.
    pub(super) fn lineage(&self, group: usize) -> impl Iterator<Item = &Group> {
        std::iter::successors(self.groups.get(group), |group| {
            group.parent.and_then(|parent| self.groups.get(parent))
        })
    }

    /// Roles with everything that they are composed of.
    pub(super) fn expand(&self, roles: impl IntoIterator<Item = Role>) -> BTreeSet<Role> {
        let mut todo: Vec<_> = roles.into_iter().collect();
        let mut all = BTreeSet::new();
        while let Some(role) = todo.pop() {
            if all.insert(role.clone()) {
                todo.extend(self.roles.get(&role).into_iter().flatten().cloned());
            }
        }
        all
    }

    /// The client's scopes that `asked` brings: the default ones, the optional ones that it names, the client's own.
    pub(super) fn scopes_of<'r>(&'r self, client: &'r Client, asked: &str) -> Vec<&'r Scope> {
        let optional = asked
            .split(' ')
            .filter(|name| client.optional_scopes.iter().any(|scope| scope == name));
        let mut names: Vec<&str> = optional.collect();
        names.extend(client.default_scopes.iter().map(String::as_str));
        let mut seen = BTreeSet::new();
        let mut scopes: Vec<_> = names
            .into_iter()
            .filter(|name| seen.insert(*name))
            .filter_map(|name| self.scopes.get(name))
            .collect();
        scopes.push(&client.own);
        scopes
    }

    /// Whether the client may ask for all of these scopes.
    pub(super) fn allows(&self, client: &Client, asked: &str) -> bool {
        let words: Vec<_> = asked.split(' ').collect();
        let openid = words.contains(&"openid");
        let scopes = self.scopes_of(client, asked);
        words
            .iter()
            .filter(|word| !(openid && **word == "openid"))
            .all(|word| !word.is_empty() && scopes.iter().any(|scope| scope.name == *word))
    }

    /// The roles of a user that a client's token may carry.
    pub(super) fn roles_for(
        &self,
        user: &User,
        client: &Client,
        scopes: &[&Scope],
    ) -> BTreeSet<Role> {
        let of_groups = user
            .groups
            .iter()
            .flat_map(|group| self.lineage(*group))
            .flat_map(|group| &group.roles);
        let roles = self.expand(user.roles.iter().chain(of_groups).cloned());
        if client.full_scope {
            return roles;
        }
        let own = self
            .roles
            .keys()
            .filter(|role| role.client.as_deref() == Some(&client.id));
        let through = self.expand(
            own.chain(scopes.iter().flat_map(|scope| &scope.roles))
                .cloned(),
        );
        roles.intersection(&through).cloned().collect()
    }
}
