//! What Keycloak adds to a realm that does not bring it: client scopes, clients, roles.

use std::collections::{BTreeMap, BTreeSet};

use super::{Client, Mapper, Realm, Role, Scope};

/// Scopes that new clients have, where the file has no `clientScopes`.
pub(super) const DEFAULT: [&str; 6] = ["profile", "email", "roles", "web-origins", "acr", "basic"];
/// Scopes that new clients may ask for.
pub(super) const OPTIONAL: [&str; 5] = [
    "offline_access",
    "address",
    "phone",
    "microprofile-jwt",
    "organization",
];
/// The scope of clients with a service account.
pub(super) const SERVICE_ACCOUNT: &str = "service_account";

const ATTRIBUTE: &str = "oidc-usermodel-attribute-mapper";
const NOTE: &str = "oidc-usersessionmodel-note-mapper";

/// A mapper by its settings, in all tokens named in `tokens`.
fn mapper(kind: &str, tokens: &[&str], settings: &[(&str, &str)]) -> Mapper {
    let mut config: BTreeMap<_, _> = settings
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect();
    for token in tokens {
        config.insert(format!("{token}.token.claim"), "true".to_owned());
    }
    Mapper {
        kind: kind.to_owned(),
        config,
    }
}

fn claim(kind: &str, source: (&str, &str), claim: &str, label: &str) -> Mapper {
    let tokens: &[_] = match kind {
        NOTE => &["id", "access", "introspection"],
        _ => &["id", "access", "userinfo", "introspection"],
    };
    mapper(
        kind,
        tokens,
        &[source, ("claim.name", claim), ("jsonType.label", label)],
    )
}

fn attribute(name: &str, target: &str, label: &str) -> Mapper {
    claim(ATTRIBUTE, ("user.attribute", name), target, label)
}

fn note(name: &str, target: &str, label: &str) -> Mapper {
    claim(NOTE, ("user.session.note", name), target, label)
}

fn roles(kind: &str, target: &str, tokens: &[&str]) -> Mapper {
    let settings = [
        ("claim.name", target),
        ("jsonType.label", "String"),
        ("multivalued", "true"),
    ];
    mapper(kind, tokens, &settings)
}

/// The scopes of a realm whose file has no `clientScopes`.
pub(super) fn scopes() -> BTreeMap<String, Scope> {
    let access = ["access", "introspection"];
    let profile = [
        ("gender", "gender"),
        ("firstName", "given_name"),
        ("picture", "picture"),
        ("website", "website"),
        ("birthdate", "birthdate"),
        ("zoneinfo", "zoneinfo"),
        ("nickname", "nickname"),
        ("username", "preferred_username"),
        ("locale", "locale"),
        ("lastName", "family_name"),
        ("profile", "profile"),
        ("middleName", "middle_name"),
    ];
    let mut profile: Vec<_> = profile
        .map(|(from, to)| attribute(from, to, "String"))
        .into();
    profile.push(attribute("updatedAt", "updated_at", "long"));
    profile.push(mapper(
        "oidc-full-name-mapper",
        &["id", "access", "userinfo", "introspection"],
        &[],
    ));
    let verified = claim(
        "oidc-usermodel-property-mapper",
        ("user.attribute", "emailVerified"),
        "email_verified",
        "boolean",
    );
    let client_roles = "resource_access.${client_id}.roles";
    let all: [(&str, bool, Vec<Mapper>); 12] = [
        ("profile", true, profile),
        (
            "email",
            true,
            vec![attribute("email", "email", "String"), verified],
        ),
        (
            "address",
            true,
            vec![mapper(
                "oidc-address-mapper",
                &["id", "access", "userinfo", "introspection"],
                &[],
            )],
        ),
        (
            "phone",
            true,
            vec![
                attribute("phoneNumber", "phone_number", "String"),
                attribute("phoneNumberVerified", "phone_number_verified", "boolean"),
            ],
        ),
        (
            "microprofile-jwt",
            true,
            vec![
                attribute("username", "upn", "String"),
                roles(
                    "oidc-usermodel-realm-role-mapper",
                    "groups",
                    &["id", "access", "introspection"],
                ),
            ],
        ),
        ("organization", true, vec![]),
        ("offline_access", true, vec![]),
        (
            "roles",
            false,
            vec![
                mapper("oidc-audience-resolve-mapper", &access, &[]),
                roles(
                    "oidc-usermodel-realm-role-mapper",
                    "realm_access.roles",
                    &access,
                ),
                roles("oidc-usermodel-client-role-mapper", client_roles, &access),
            ],
        ),
        (
            "web-origins",
            false,
            vec![mapper("oidc-allowed-origins-mapper", &access, &[])],
        ),
        (
            "acr",
            false,
            vec![mapper(
                "oidc-acr-mapper",
                &["id", "access", "introspection"],
                &[],
            )],
        ),
        (
            "basic",
            false,
            vec![
                mapper("oidc-sub-mapper", &access, &[]),
                note("AUTH_TIME", "auth_time", "long"),
            ],
        ),
        (
            SERVICE_ACCOUNT,
            false,
            vec![
                note("client_id", "client_id", "String"),
                note("clientHost", "clientHost", "String"),
                note("clientAddress", "clientAddress", "String"),
            ],
        ),
    ];
    all.into_iter()
        .map(|(name, named, mappers)| {
            let scope = Scope {
                name: name.to_owned(),
                named,
                mappers,
                roles: Vec::new(),
            };
            (name.to_owned(), scope)
        })
        .collect()
}

/// The clients of every realm, and the roles that they bring with what those are composed of.
const CLIENTS: [(&str, &str); 6] = [
    (
        "account",
        "view-profile manage-account:manage-account-links manage-account-links view-applications \
        manage-consent:view-consent view-consent delete-account view-groups",
    ),
    ("account-console", ""),
    ("admin-cli", ""),
    ("broker", "read-token"),
    (
        "realm-management",
        "view-realm view-users:query-groups,query-users view-clients:query-clients view-events \
        view-identity-providers view-authorization manage-realm manage-users manage-clients manage-events \
        manage-identity-providers manage-authorization query-users query-clients query-realms query-groups \
        create-client impersonation realm-admin:*",
    ),
    ("security-admin-console", ""),
];

/// The ids of the clients that every realm has.
///
/// Source: Keycloak Server Administration Guide, "Default clients".
pub fn default_clients() -> impl Iterator<Item = &'static str> {
    CLIENTS.iter().map(|(id, _)| *id)
}

/// Where a realm file names the directories that users are in who are not in the file, among its
/// `components`.
///
/// Source: Keycloak's `org.keycloak.storage.UserStorageProvider`, the provider type of a user federation.
pub const USER_STORAGE: &str = "org.keycloak.storage.UserStorageProvider";

/// The members of a user by which it may log in, where a realm lets people log in by their address.
pub const LOGIN_NAMES: [&str; 2] = ["username", "email"];

/// The role that holds what every new user has.
pub(super) fn default_role(realm: &str) -> String {
    format!("default-roles-{}", realm.to_lowercase())
}

/// Adds the clients and roles that the file does not have.
pub(super) fn complete(realm: &mut Realm, default_role: &str) {
    let (defaults, optionals) = realm_scopes(realm);
    for (id, roles) in CLIENTS {
        if !realm.clients.contains_key(id) {
            let client = builtin_client(id, &realm.name, &defaults, &optionals);
            realm.clients.insert(id.to_owned(), client);
        }
        let names: Vec<_> = roles
            .split_whitespace()
            .map(|role| role.split(':').next().unwrap_or(role))
            .collect();
        for role in roles.split_whitespace() {
            let (name, parts) = role.split_once(':').unwrap_or((role, ""));
            let parts: BTreeSet<_> = match parts {
                "*" => names
                    .iter()
                    .filter(|other| **other != name)
                    .map(|other| Role::of_client(id, *other))
                    .collect(),
                _ => parts
                    .split(',')
                    .filter(|part| !part.is_empty())
                    .map(|part| Role::of_client(id, part))
                    .collect(),
            };
            realm
                .roles
                .entry(Role::of_client(id, name))
                .or_insert(parts);
        }
    }
    for name in ["offline_access", "uma_authorization"] {
        realm.roles.entry(Role::of_realm(name)).or_default();
    }
    realm
        .roles
        .entry(Role::of_realm(default_role))
        .or_insert_with(|| {
            let account =
                ["view-profile", "manage-account"].map(|name| Role::of_client("account", name));
            let own = ["offline_access", "uma_authorization"].map(Role::of_realm);
            account.into_iter().chain(own).collect()
        });
}

fn realm_scopes(realm: &Realm) -> (Vec<String>, Vec<String>) {
    let known = |names: &[&str]| -> Vec<String> {
        let known = names
            .iter()
            .filter(|name| realm.scopes.contains_key(**name));
        known.map(|name| (*name).to_owned()).collect()
    };
    (known(&DEFAULT), known(&OPTIONAL))
}

fn builtin_client(id: &str, realm: &str, defaults: &[String], optionals: &[String]) -> Client {
    let bearer_only = matches!(id, "broker" | "realm-management");
    let redirect = match id {
        "account" | "account-console" => Some(format!("/realms/{realm}/account/*")),
        "security-admin-console" => Some(format!("/admin/{realm}/console/*")),
        _ => None,
    };
    Client {
        id: id.to_owned(),
        name: String::new(),
        enabled: true,
        public: !bearer_only,
        bearer_only,
        secret: None,
        root_url: String::new(),
        redirect_uris: redirect.into_iter().collect(),
        web_origins: Vec::new(),
        standard_flow: id != "admin-cli",
        implicit_flow: false,
        direct_grants: id == "admin-cli",
        service_account: false,
        consent: false,
        full_scope: matches!(id, "admin-cli" | "security-admin-console"),
        attributes: BTreeMap::new(),
        default_scopes: defaults.to_vec(),
        optional_scopes: optionals.to_vec(),
        own: Scope::default(),
    }
}
