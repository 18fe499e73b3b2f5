//! Groups and users.

use std::collections::{BTreeMap, BTreeSet};

use super::{Group, Realm, Role, User, cursor::Object, names};
use crate::oidc::random;

pub(super) fn groups(file: &Object, realm: &mut Realm) {
    for entry in file.objects("groups", names::GROUP) {
        group(&entry, None, realm);
    }
}

fn group(entry: &Object, parent: Option<usize>, realm: &mut Realm) {
    let Some(name) = entry.needed("name", "a group without a name") else {
        return;
    };
    let above = parent
        .and_then(|parent| realm.groups.get(parent))
        .map_or("", |group| &group.path);
    let group = Group {
        // A slash in a name is no step of the path (`KeycloakModelUtils.buildGroupPath`).
        path: format!("{above}/{}", name.replace('/', "~/")),
        parent,
        attributes: entry.lists("attributes"),
        roles: assigned(entry, realm),
        name,
    };
    let position = realm.groups.len();
    realm.groups.push(group);
    for child in entry.objects("subGroups", names::GROUP) {
        self::group(&child, Some(position), realm);
    }
}

/// `realmRoles` and `clientRoles` of a user or a group. Keycloak makes realm roles that are not there.
fn assigned(entry: &Object, realm: &mut Realm) -> BTreeSet<Role> {
    let roles = entry.texts("realmRoles").into_iter();
    let mut roles: BTreeSet<_> = roles.map(Role::of_realm).collect();
    for (client, names) in entry.lists("clientRoles") {
        if !realm.knows(&client) {
            let message = format!("Unable to find client role mappings for client: {client}");
            entry.refuse("clientRoles", message);
            continue;
        }
        roles.extend(names.into_iter().map(|name| Role::of_client(&client, name)));
    }
    for role in &roles {
        realm.roles.entry(role.clone()).or_default();
    }
    roles
}

/// What is told of users: of how many the same is said, whoever reads it.
#[derive(Default)]
struct Told(Vec<(&'static str, Vec<String>)>);

/// How many are named; of a large realm nobody reads them all.
const NAMED: usize = 10;

impl Told {
    fn add(&mut self, told: &'static str, entry: &Object, name: &str) {
        let who = format!("{} {name:?}", entry.path);
        match self.0.iter_mut().find(|(known, _)| *known == told) {
            Some((_, all)) if all.contains(&who) => {}
            Some((_, all)) => all.push(who),
            None => self.0.push((told, vec![who])),
        }
    }

    fn warnings(self) -> impl Iterator<Item = String> {
        self.0.into_iter().map(|(told, mut all)| {
            let more = all.len().saturating_sub(NAMED);
            all.truncate(NAMED);
            let more = match more {
                0 => String::new(),
                more => format!(" and {more} more"),
            };
            format!("{}{more}: {told}", all.join(", "))
        })
    }
}

pub(super) fn users(file: &Object, realm: &mut Realm) {
    let mut told = Told::default();
    for entry in file.objects("users", names::USER) {
        let Some(user) = user(&entry, realm, &mut told) else {
            continue;
        };
        let named = |other: &User| other.username == user.username;
        if realm.users.iter().any(named) {
            entry.twice("username", "user", &user.username);
            continue;
        }
        if let Some(email) = &user.email
            && realm
                .users
                .iter()
                .any(|other| other.email.as_ref() == Some(email))
        {
            entry.twice("email", "e-mail address", email);
            continue;
        }
        realm.users.push(user);
    }
    realm.warnings.extend(told.warnings());
}

fn user(entry: &Object, realm: &mut Realm, told: &mut Told) -> Option<User> {
    let username = entry.needed("username", "a user without a username")?;
    let service_account = entry.text("serviceAccountClientId");
    if let Some(client) = service_account
        .as_ref()
        .filter(|client| !realm.clients.contains_key(*client))
    {
        let message =
            format!("Unable to find client specified for service account link. Client: {client}");
        entry.refuse("serviceAccountClientId", message);
    }
    if entry.says("federationLink") {
        let elsewhere = "the password is elsewhere, so nobody logs in here without a `value` among `credentials`";
        told.add(elsewhere, entry, &username);
    }
    let enabled = entry.flag("enabled").unwrap_or(false);
    if !enabled && !entry.has("enabled") {
        let unsaid = "`enabled` is not said, so the user is disabled";
        told.add(unsaid, entry, &username);
    }
    Some(User {
        id: entry.text("id").unwrap_or_else(random::uuid),
        enabled,
        email: entry.text("email").map(|email| email.to_lowercase()),
        email_verified: entry.flag("emailVerified").unwrap_or(false),
        first_name: entry.text("firstName"),
        last_name: entry.text("lastName"),
        attributes: entry.lists_or_texts("attributes"),
        password: password(entry, &username, told),
        required_actions: entry.texts("requiredActions"),
        groups: memberships(entry, "groups", realm),
        roles: assigned(entry, realm),
        service_account,
        username: username.to_lowercase(),
    })
}

fn password(entry: &Object, name: &str, told: &mut Told) -> Option<secrecy::SecretString> {
    let mut password = None;
    for credential in entry.objects("credentials", names::CREDENTIAL) {
        let kind = credential.text("type").unwrap_or_default();
        if kind != "password" {
            let other = "the embedded Keycloak asks for passwords only, for no other credential";
            told.add(other, entry, name);
            continue;
        }
        if !credential.has("value") && credential.says("secretData") {
            let hash = "the password is a hash, which the embedded Keycloak cannot compare: give it a `value` among \
                `credentials` to log in with";
            told.add(hash, entry, name);
        }
        if credential.flag("temporary").unwrap_or(false) {
            let lasting =
                "an import takes no notice of `temporary`, the password is good for logins";
            told.add(lasting, entry, name);
        }
        password = credential.text("value").map(Into::into);
    }
    password
}

fn memberships(entry: &Object, member: &str, realm: &Realm) -> Vec<usize> {
    let mut groups = Vec::new();
    for path in entry.texts(member) {
        let full = format!("/{}", path.trim_start_matches('/'));
        match realm.groups.iter().position(|group| group.path == full) {
            Some(group) => groups.push(group),
            None => {
                let known = realm.groups.iter().map(|group| group.path.as_str());
                let known: Vec<_> = known.take(10).collect();
                let known = match known.is_empty() {
                    true => "the file has no groups".to_owned(),
                    false => format!("the file has {}", known.join(", ")),
                };
                let message = format!("Unable to find group specified by path: {path}");
                entry.refuse_with(member, message, &known);
            }
        }
    }
    groups
}

/// The accounts of clients that have one and are not among the users.
///
/// They alone get the default groups: an import adds nothing to users of the file.
pub(super) fn service_accounts(file: &Object, realm: &mut Realm, default_role: &str) {
    let groups = memberships(file, "defaultGroups", realm);
    let missing: Vec<_> = realm
        .clients
        .values()
        .filter(|client| client.service_account && realm.service_account(&client.id).is_none())
        .map(|client| client.id.clone())
        .collect();
    for client in missing {
        realm.users.push(User {
            id: random::uuid(),
            username: format!("service-account-{}", client.to_lowercase()),
            enabled: true,
            email: None,
            email_verified: false,
            first_name: None,
            last_name: None,
            attributes: BTreeMap::new(),
            password: None,
            required_actions: Vec::new(),
            groups: groups.clone(),
            roles: [Role::of_realm(default_role)].into(),
            service_account: Some(client),
        });
    }
}
