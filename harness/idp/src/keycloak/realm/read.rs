//! From the file to the realm.

use std::collections::{BTreeMap, BTreeSet};

use authlab_authn::{
    tree::{Kind, Node},
    yaml11,
};
use authlab_pki::Algorithm;

use super::{
    Lifetimes, Realm, RealmError, RealmErrors, Role, Scope, builtin,
    clients::{clients, mappers},
    cursor::{Found, Object},
    names, people,
};

/// Reads a realm in Keycloak's export format, every placeholder filled in.
///
/// # Errors
/// When the text is no JSON, Keycloak would refuse it, or something here cannot follow it.
pub(in crate::keycloak) fn read(text: &str) -> Result<Realm, RealmErrors> {
    let tree = tree(text)?;
    let found = Found::default();
    let realm = realm(&Object::new(&tree, String::new(), names::REALM, &found));
    match RealmErrors::of(found.into_inner()) {
        Some(errors) => Err(errors),
        None => Ok(realm),
    }
}

fn tree(text: &str) -> Result<Node, RealmError> {
    // As editors of one system leave it, and as the real one takes it.
    let text = text.trim_start_matches('\u{feff}');
    if let Err(error) = serde_json::from_str::<serde::de::IgnoredAny>(text) {
        let place = Some((error.line(), error.column()));
        return Err(RealmError::whole(format!("not JSON: {error}"), place));
    }
    // JSON is YAML, and this reader knows where everything stands.
    let tree =
        yaml11::parse_spanned(text).map_err(|error| RealmError::whole(error.to_string(), None))?;
    match other_file(&tree) {
        Some((message, help)) => Err(RealmError::no_realm(message, help, tree.span)),
        None => Ok(tree),
    }
}

/// What an export writes beside a realm, or around it.
fn other_file(tree: &Node) -> Option<(&'static str, &'static str)> {
    const OF_USERS: [&str; 3] = ["realm", "users", "federatedUsers"];
    match &tree.kind {
        Kind::List(_) => Some((
            "a list of realms, as an export of all of them is: a lab takes one",
            "take it out of the list: `jq '.[0]'`",
        )),
        Kind::Map(entries)
            if entries.len() > 1 && entries.iter().all(|it| OF_USERS.contains(&&*it.key)) =>
        {
            Some((
                "a file of users, as an export to a directory has them: the realm, with its clients, is in another",
                "give the file `NAME-realm.json` of that directory, the users joined to it: \
                 `jq -s '.[0] + {users: (.[1:] | map(.users) | add)}' NAME-realm.json NAME-users-*.json`",
            ))
        }
        _ => None,
    }
}

fn realm(file: &Object) -> Realm {
    let name = file
        .needed("realm", "Realm name cannot be empty")
        .unwrap_or_default();
    let default_role = match file.object("defaultRole", names::ROLE) {
        Some(role) => role.text("name").unwrap_or_default(),
        None => builtin::default_role(&name),
    };
    let reuse = || file.number("refreshTokenMaxReuse").unwrap_or(0);
    let mut realm = Realm {
        display_name: file.text("displayName").unwrap_or_default(),
        enabled: file.flag("enabled").unwrap_or(false),
        algorithm: algorithm(file),
        lifetimes: lifetimes(file),
        revoke_refresh: (file.flag("revokeRefreshToken") == Some(true)).then(reuse),
        login_with_email: file.flag("loginWithEmailAllowed").unwrap_or(true),
        verify_profile: verify_profile(file),
        verify_email: file.flag("verifyEmail").unwrap_or(false),
        scopes: scopes(file),
        name,
        clients: BTreeMap::new(),
        users: Vec::new(),
        groups: Vec::new(),
        roles: BTreeMap::new(),
        others: BTreeSet::new(),
        warnings: Vec::new(),
    };
    flows(file, &mut realm);
    clients(file, &mut realm);
    roles(file, &mut realm);
    builtin::complete(&mut realm, &default_role);
    scope_mappings(file, &mut realm);
    people::groups(file, &mut realm);
    people::users(file, &mut realm);
    people::service_accounts(file, &mut realm, &default_role);
    realm
}

fn algorithm(file: &Object) -> Algorithm {
    const NAME: &str = "defaultSignatureAlgorithm";
    let usual = Algorithm::RS256;
    let Some(name) = file.text(NAME) else {
        return usual;
    };
    name.parse().unwrap_or_else(|_| {
        let message = format!("no algorithm that signs with a key pair: {name:?}");
        file.lack(NAME, message, "write `\"RS256\"`, or another that does");
        usual
    })
}

fn lifetimes(file: &Object) -> Lifetimes {
    let number = |name: &str, default: i64| file.number(name).unwrap_or(default);
    let offline_max = number("offlineSessionMaxLifespan", 5_184_000);
    Lifetimes {
        access: number("accessTokenLifespan", 300),
        session_idle: number("ssoSessionIdleTimeout", 1800),
        session_max: number("ssoSessionMaxLifespan", 36_000),
        client_idle: number("clientSessionIdleTimeout", 0),
        client_max: number("clientSessionMaxLifespan", 0),
        offline_idle: number("offlineSessionIdleTimeout", 2_592_000),
        offline_max: file
            .flag("offlineSessionMaxLifespanEnabled")
            .unwrap_or(false)
            .then_some(offline_max),
        code: number("accessCodeLifespan", 60),
        login: number("accessCodeLifespanLogin", 1800),
        device: number("oauth2DeviceCodeLifespan", 600),
        device_interval: number("oauth2DevicePollingInterval", 5),
    }
}

/// Whether the required action of that name is on, as it is where the file says nothing.
fn verify_profile(file: &Object) -> bool {
    for action in file.objects("requiredActions", names::SCOPE) {
        if action.text("alias").as_deref() == Some("VERIFY_PROFILE") {
            return action.flag("enabled").unwrap_or(false);
        }
    }
    !file.has("requiredActions")
}

/// Other login flows than Keycloak's own would ask for something else than a name and a password.
fn flows(file: &Object, realm: &mut Realm) {
    for (name, usual) in [
        ("browserFlow", "browser"),
        ("directGrantFlow", "direct grant"),
    ] {
        if let Some(flow) = file.text(name).filter(|flow| flow != usual) {
            let message =
                format!("the embedded Keycloak knows the flow {usual:?} only, not {flow:?}");
            let instead =
                format!("write `{name:?}: {usual:?}`; the other flow may stay in the file");
            file.lack(name, message, &instead);
        }
    }
    let brokers = "the embedded Keycloak sends nobody to other providers to log in";
    realm
        .warnings
        .extend(file.unused("identityProviders", brokers));
    if file.has("passwordPolicy") {
        realm
            .warnings
            .push("passwordPolicy: not looked at, passwords are taken as they stand".to_owned());
    }
    if file.flag("bruteForceProtected") == Some(true) {
        let told =
            "bruteForceProtected: nobody is locked out here, however many passwords are wrong";
        realm.warnings.push(told.to_owned());
    }
}

fn scopes(file: &Object) -> BTreeMap<String, Scope> {
    if !file.has("clientScopes") {
        return builtin::scopes();
    }
    let mut scopes = BTreeMap::new();
    for entry in file.objects("clientScopes", names::SCOPE) {
        if of_another(&entry) {
            continue;
        }
        let Some(name) = entry.needed("name", "a client scope without a name") else {
            continue;
        };
        // Not said is yes (`ClientScopeModel.isIncludeInTokenScope`).
        let named = entry
            .strings("attributes")
            .get("include.in.token.scope")
            .is_none_or(|value| value == "true");
        let scope = Scope {
            name: name.clone(),
            named,
            mappers: mappers(&entry),
            roles: Vec::new(),
        };
        scopes.insert(name, scope);
    }
    // Keycloak makes this one where an offline session could not be asked for otherwise.
    let offline = Scope {
        name: "offline_access".to_owned(),
        named: true,
        ..Scope::default()
    };
    scopes.entry("offline_access".to_owned()).or_insert(offline);
    scopes
}

/// Whether it is for another protocol than OpenID Connect.
pub(super) fn of_another(entry: &Object) -> bool {
    let protocol = entry.text("protocol");
    protocol.is_some_and(|protocol| protocol != "openid-connect")
}

fn roles(file: &Object, realm: &mut Realm) {
    if let Some(role) = file.object("defaultRole", names::ROLE) {
        add_role(&role, None, realm);
    }
    let Some(roles) = file.object("roles", names::ROLES) else {
        return;
    };
    for role in roles.objects("realm", names::ROLE) {
        add_role(&role, None, realm);
    }
    for (client, map) in roles.map("client") {
        if !realm.knows(&client) {
            let message = format!("App doesn't exist in role definitions: {client}");
            map.refuse(&client, message);
            continue;
        }
        for role in map.objects(&client, names::ROLE) {
            add_role(&role, Some(&client), realm);
        }
    }
}

fn add_role(entry: &Object, client: Option<&str>, realm: &mut Realm) {
    let Some(name) = entry.needed("name", "a role without a name") else {
        return;
    };
    let mut parts = BTreeSet::new();
    if let Some(composites) = entry.object("composites", names::COMPOSITES) {
        parts.extend(composites.texts("realm").into_iter().map(Role::of_realm));
        for (client, names) in composites.lists("client") {
            parts.extend(names.into_iter().map(|name| Role::of_client(&client, name)));
        }
    }
    let role = Role {
        client: client.map(str::to_owned),
        name,
    };
    realm.roles.entry(role).or_default().extend(parts);
}

/// Roles that a client or a scope lets through although the client does not have the full scope.
fn scope_mappings(file: &Object, realm: &mut Realm) {
    let mut found = Vec::new();
    for entry in file.objects("scopeMappings", names::SCOPE_MAPPING) {
        found.push((None, entry));
    }
    for (client, map) in file.map("clientScopeMappings") {
        for entry in map.objects(&client, names::SCOPE_MAPPING) {
            found.push((Some(client.clone()), entry));
        }
    }
    for (owner, entry) in found {
        let names = entry.texts("roles");
        let roles = names.into_iter().map(|name| Role {
            client: owner.clone(),
            name,
        });
        let target = match (entry.text("client"), entry.text("clientScope")) {
            (Some(client), _) if realm.others.contains(&client) => continue,
            (Some(client), _) => realm.clients.get_mut(&client).map(|client| &mut client.own),
            (None, Some(scope)) => realm.scopes.get_mut(&scope),
            (None, None) => None,
        };
        match target {
            Some(scope) => scope.roles.extend(roles),
            None => entry.refuse("client", "no such client or client scope"),
        }
    }
}
