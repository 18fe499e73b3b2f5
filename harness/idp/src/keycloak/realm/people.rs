//! Groups and users.

use std::collections::{BTreeMap, BTreeSet};

use super::{Group, Realm, RealmError, Role, User, cursor::Object, names};
use crate::oidc::random;

type Result<T> = std::result::Result<T, RealmError>;

pub(super) fn groups(file: &Object, realm: &mut Realm) -> Result<()> {
    for entry in file.objects("groups", names::GROUP)? {
        group(&entry, None, realm)?;
    }
    Ok(())
}

fn group(entry: &Object, parent: Option<usize>, realm: &mut Realm) -> Result<()> {
    let Some(name) = entry.text("name")? else {
        return entry.refuse("name", "a group without a name");
    };
    let above = parent
        .and_then(|parent| realm.groups.get(parent))
        .map_or("", |group| &group.path);
    let group = Group {
        // A slash in a name is no step of the path (`KeycloakModelUtils.buildGroupPath`).
        path: format!("{above}/{}", name.replace('/', "~/")),
        parent,
        attributes: entry.lists("attributes")?,
        roles: assigned(entry, realm)?,
        name,
    };
    let position = realm.groups.len();
    realm.groups.push(group);
    for child in entry.objects("subGroups", names::GROUP)? {
        self::group(&child, Some(position), realm)?;
    }
    Ok(())
}

/// `realmRoles` and `clientRoles` of a user or a group. Keycloak makes realm roles that are not there.
fn assigned(entry: &Object, realm: &mut Realm) -> Result<BTreeSet<Role>> {
    let mut roles: BTreeSet<_> = entry
        .texts("realmRoles")?
        .into_iter()
        .map(Role::of_realm)
        .collect();
    for (client, names) in entry.lists("clientRoles")? {
        if !realm.clients.contains_key(&client) {
            return entry.refuse(
                "clientRoles",
                format!("Unable to find client role mappings for client: {client}"),
            );
        }
        roles.extend(names.into_iter().map(|name| Role::of_client(&client, name)));
    }
    for role in &roles {
        realm.roles.entry(role.clone()).or_default();
    }
    Ok(roles)
}

pub(super) fn users(file: &Object, realm: &mut Realm) -> Result<()> {
    for entry in file.objects("users", names::USER)? {
        let user = user(&entry, realm)?;
        if realm
            .users
            .iter()
            .any(|other| other.username == user.username)
        {
            return entry.refuse(
                "username",
                format!("the user {:?} stands here twice", user.username),
            );
        }
        let same_email = |other: &User| user.email.is_some() && other.email == user.email;
        if realm.users.iter().any(same_email) {
            return entry.refuse("email", "User with the same email exists");
        }
        realm.users.push(user);
    }
    Ok(())
}

fn user(entry: &Object, realm: &mut Realm) -> Result<User> {
    let Some(username) = entry
        .text("username")?
        .filter(|name| !name.trim().is_empty())
    else {
        return entry.refuse("username", "a user without a username");
    };
    let service_account = entry.text("serviceAccountClientId")?;
    if let Some(client) = service_account
        .as_ref()
        .filter(|client| !realm.clients.contains_key(*client))
    {
        let message =
            format!("Unable to find client specified for service account link. Client: {client}");
        return entry.refuse("serviceAccountClientId", message);
    }
    let elsewhere =
        "the password is there, so nobody logs in here without a `value` among `credentials`";
    realm
        .warnings
        .extend(entry.unused("federationLink", elsewhere));
    let enabled = entry.flag("enabled")?.unwrap_or(false);
    if !enabled && !entry.has("enabled") {
        let told = "not said, so the user is disabled";
        realm
            .warnings
            .push(format!("{}: {told}", entry.at("enabled")));
    }
    Ok(User {
        id: entry.text("id")?.unwrap_or_else(random::uuid),
        username: username.to_lowercase(),
        enabled,
        email: entry.text("email")?.map(|email| email.to_lowercase()),
        email_verified: entry.flag("emailVerified")?.unwrap_or(false),
        first_name: entry.text("firstName")?,
        last_name: entry.text("lastName")?,
        attributes: entry.lists_or_texts("attributes")?,
        password: password(entry, realm)?,
        required_actions: entry.texts("requiredActions")?,
        groups: memberships(entry, "groups", realm)?,
        roles: assigned(entry, realm)?,
        service_account,
    })
}

fn password(entry: &Object, realm: &mut Realm) -> Result<Option<secrecy::SecretString>> {
    let mut password = None;
    for credential in entry.objects("credentials", names::CREDENTIAL)? {
        let kind = credential.text("type")?.unwrap_or_default();
        if kind != "password" {
            let told = "the embedded Keycloak asks for passwords only";
            realm
                .warnings
                .push(format!("{}: {told}", credential.at("type")));
            continue;
        }
        if !credential.has("value") {
            let told = "a hash, which the embedded Keycloak cannot compare: give the user a `value` to log in with";
            realm.warnings.extend(credential.unused("secretData", told));
        }
        if credential.flag("temporary")?.unwrap_or(false) {
            let told = "an import takes no notice of it, the password is good for logins";
            realm
                .warnings
                .push(format!("{}: {told}", credential.at("temporary")));
        }
        password = credential.text("value")?.map(Into::into);
    }
    Ok(password)
}

fn memberships(entry: &Object, member: &str, realm: &Realm) -> Result<Vec<usize>> {
    let mut groups = Vec::new();
    for path in entry.texts(member)? {
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
                return entry.refuse(
                    member,
                    format!("Unable to find group specified by path: {path}; {known}"),
                );
            }
        }
    }
    Ok(groups)
}

/// The accounts of clients that have one and are not among the users.
///
/// They alone get the default groups: an import adds nothing to users of the file.
pub(super) fn service_accounts(file: &Object, realm: &mut Realm, default_role: &str) -> Result<()> {
    let groups = memberships(file, "defaultGroups", realm)?;
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
    Ok(())
}
