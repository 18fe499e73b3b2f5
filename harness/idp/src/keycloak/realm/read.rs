//! From the file to the realm.

use std::collections::{BTreeMap, BTreeSet};

use authlab_authn::{tree::Kind, yaml11};
use authlab_pki::Algorithm;

use super::{
    Client, Lifetimes, Mapper, Realm, RealmError, Role, Scope, builtin, cursor::Object, names,
    people,
};

type Result<T> = std::result::Result<T, RealmError>;

/// Mappers that do here what they do in Keycloak; those of other protocols do nothing to a token of this one.
const MAPPERS: &str = "oidc-usermodel-attribute-mapper oidc-usermodel-property-mapper oidc-full-name-mapper \
    oidc-address-mapper oidc-audience-mapper oidc-audience-resolve-mapper oidc-usermodel-realm-role-mapper \
    oidc-usermodel-client-role-mapper oidc-group-membership-mapper oidc-hardcoded-claim-mapper \
    oidc-usersessionmodel-note-mapper oidc-sub-mapper oidc-acr-mapper oidc-amr-mapper \
    oidc-allowed-origins-mapper oidc-session-state-mapper oidc-organization-membership-mapper";

/// Reads a realm in Keycloak's export format, every placeholder filled in.
///
/// # Errors
/// When the text is no JSON, Keycloak would refuse it, or something here cannot follow it.
pub(in crate::keycloak) fn read(text: &str) -> Result<Realm> {
    // As editors of one system leave it, and as the real one takes it.
    let text = text.trim_start_matches('\u{feff}');
    if let Err(error) = serde_json::from_str::<serde::de::IgnoredAny>(text) {
        return Err(RealmError {
            path: String::new(),
            message: format!("not JSON: {error}"),
            place: Some((error.line(), error.column())),
        });
    }
    // JSON is YAML, and this reader knows where everything stands.
    let tree = yaml11::parse_spanned(text).map_err(|error| RealmError {
        path: String::new(),
        message: error.to_string(),
        place: None,
    })?;
    if matches!(tree.kind, Kind::List(_)) {
        return Err(RealmError {
            path: String::new(),
            message: "a list of realms, as an export of all of them is: a lab takes one, which `jq '.[0]'` \
                takes out of the list"
                .to_owned(),
            place: Some((1, 1)),
        });
    }
    let file = Object::new(&tree, String::new(), names::REALM)?;
    let Some(name) = file.text("realm")?.filter(|name| !name.trim().is_empty()) else {
        return file.refuse("realm", "Realm name cannot be empty");
    };
    let default_role = match file.object("defaultRole", names::ROLE)? {
        Some(role) => role.text("name")?.unwrap_or_default(),
        None => builtin::default_role(&name),
    };
    let mut realm = Realm {
        display_name: file.text("displayName")?.unwrap_or_default(),
        enabled: file.flag("enabled")?.unwrap_or(false),
        algorithm: algorithm(&file)?,
        lifetimes: lifetimes(&file)?,
        revoke_refresh: match file.flag("revokeRefreshToken")? {
            Some(true) => Some(file.number("refreshTokenMaxReuse")?.unwrap_or(0)),
            _ => None,
        },
        login_with_email: file.flag("loginWithEmailAllowed")?.unwrap_or(true),
        verify_profile: verify_profile(&file)?,
        verify_email: file.flag("verifyEmail")?.unwrap_or(false),
        scopes: scopes(&file)?,
        name,
        clients: BTreeMap::new(),
        users: Vec::new(),
        groups: Vec::new(),
        roles: BTreeMap::new(),
        others: BTreeSet::new(),
        warnings: Vec::new(),
    };
    flows(&file, &mut realm)?;
    clients(&file, &mut realm)?;
    roles(&file, &mut realm)?;
    builtin::complete(&mut realm, &default_role);
    scope_mappings(&file, &mut realm)?;
    people::groups(&file, &mut realm)?;
    people::users(&file, &mut realm)?;
    people::service_accounts(&file, &mut realm, &default_role)?;
    Ok(realm)
}

fn algorithm(file: &Object) -> Result<Algorithm> {
    let name = file
        .text("defaultSignatureAlgorithm")?
        .unwrap_or_else(|| "RS256".to_owned());
    match name.parse() {
        Ok(algorithm) => Ok(algorithm),
        Err(_) => file.refuse(
            "defaultSignatureAlgorithm",
            format!("no algorithm that signs with a key pair: {name:?}"),
        ),
    }
}

fn lifetimes(file: &Object) -> Result<Lifetimes> {
    let number = |name: &str, default: i64| Ok(file.number(name)?.unwrap_or(default));
    let offline_max = number("offlineSessionMaxLifespan", 5_184_000)?;
    Ok(Lifetimes {
        access: number("accessTokenLifespan", 300)?,
        session_idle: number("ssoSessionIdleTimeout", 1800)?,
        session_max: number("ssoSessionMaxLifespan", 36_000)?,
        client_idle: number("clientSessionIdleTimeout", 0)?,
        client_max: number("clientSessionMaxLifespan", 0)?,
        offline_idle: number("offlineSessionIdleTimeout", 2_592_000)?,
        offline_max: file
            .flag("offlineSessionMaxLifespanEnabled")?
            .unwrap_or(false)
            .then_some(offline_max),
        code: number("accessCodeLifespan", 60)?,
        login: number("accessCodeLifespanLogin", 1800)?,
        device: number("oauth2DeviceCodeLifespan", 600)?,
        device_interval: number("oauth2DevicePollingInterval", 5)?,
    })
}

/// Whether the required action of that name is on, as it is where the file says nothing.
fn verify_profile(file: &Object) -> Result<bool> {
    for action in file.objects("requiredActions", names::SCOPE)? {
        if action.text("alias")?.as_deref() == Some("VERIFY_PROFILE") {
            return Ok(action.flag("enabled")?.unwrap_or(false));
        }
    }
    Ok(!file.has("requiredActions"))
}

/// Other login flows than Keycloak's own would ask for something else than a name and a password.
fn flows(file: &Object, realm: &mut Realm) -> Result<()> {
    for (name, usual) in [
        ("browserFlow", "browser"),
        ("directGrantFlow", "direct grant"),
    ] {
        if let Some(flow) = file.text(name)?.filter(|flow| flow != usual) {
            return file.refuse(
                name,
                format!("the embedded Keycloak knows the flow {usual:?} only, not {flow:?}"),
            );
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
    if file.flag("bruteForceProtected")? == Some(true) {
        let told =
            "bruteForceProtected: nobody is locked out here, however many passwords are wrong";
        realm.warnings.push(told.to_owned());
    }
    Ok(())
}

fn scopes(file: &Object) -> Result<BTreeMap<String, Scope>> {
    if !file.has("clientScopes") {
        return Ok(builtin::scopes());
    }
    let mut scopes = BTreeMap::new();
    for entry in file.objects("clientScopes", names::SCOPE)? {
        if entry
            .text("protocol")?
            .is_some_and(|protocol| protocol != "openid-connect")
        {
            continue;
        }
        let Some(name) = entry.text("name")? else {
            return entry.refuse("name", "a client scope without a name");
        };
        // Not said is yes (`ClientScopeModel.isIncludeInTokenScope`).
        let named = entry
            .strings("attributes")?
            .get("include.in.token.scope")
            .is_none_or(|value| value == "true");
        let scope = Scope {
            name: name.clone(),
            named,
            mappers: mappers(&entry)?,
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
    Ok(scopes)
}

fn mappers(owner: &Object) -> Result<Vec<Mapper>> {
    let mut mappers = Vec::new();
    for entry in owner.objects("protocolMappers", names::MAPPER)? {
        let kind = entry.text("protocolMapper")?.unwrap_or_default();
        if entry
            .text("protocol")?
            .is_some_and(|protocol| protocol != "openid-connect")
        {
            continue;
        }
        if !MAPPERS.split_whitespace().any(|known| known == kind) {
            return entry.refuse(
                "protocolMapper",
                format!("the embedded Keycloak does not have the mapper {kind:?} yet"),
            );
        }
        mappers.push(Mapper {
            kind,
            config: entry.strings("config")?,
        });
    }
    Ok(mappers)
}

fn clients(file: &Object, realm: &mut Realm) -> Result<()> {
    let of_realm = |name: &str, usual: &[&str]| -> Result<Vec<String>> {
        let listed = match file.has("clientScopes") {
            true => file.texts(name)?,
            false => usual.iter().map(|name| (*name).to_owned()).collect(),
        };
        Ok(listed)
    };
    let defaults = of_realm("defaultDefaultClientScopes", &builtin::DEFAULT)?;
    let optionals = of_realm("defaultOptionalClientScopes", &builtin::OPTIONAL)?;
    let mut stars = Vec::new();
    for entry in file.objects("clients", names::CLIENT)? {
        let Some(id) = entry.text("clientId")? else {
            return entry.refuse("clientId", "a client without clientId");
        };
        if entry
            .text("protocol")?
            .is_some_and(|protocol| protocol != "openid-connect")
        {
            realm.warnings.push(format!(
                "{}: client {id:?} is not for OpenID Connect, left out",
                entry.path
            ));
            realm.others.insert(id);
            continue;
        }
        let permissions = "the embedded Keycloak gives no permissions (UMA)";
        let unused = entry.unused("authorizationServicesEnabled", permissions);
        realm.warnings.extend(unused);
        let mut client = client(&entry, id)?;
        let mut unheard = Vec::new();
        let mut listed = |name: &str, usual: &[String]| -> Result<Vec<String>> {
            let names = if entry.has(name) {
                entry.texts(name)?
            } else {
                usual.to_vec()
            };
            let (known, unknown): (Vec<_>, Vec<_>) = names
                .into_iter()
                .partition(|name| realm.scopes.contains_key(name));
            if entry.has(name) && !unknown.is_empty() {
                let told = "the realm has no client scope of that name, so it is left out";
                let place = format!("{}.{name}", entry.path);
                unheard.push(format!("{place}: {told}: {}", unknown.join(", ")));
            }
            Ok(known)
        };
        client.default_scopes = listed("defaultClientScopes", &defaults)?;
        client.optional_scopes = listed("optionalClientScopes", &optionals)?;
        realm.warnings.extend(unheard);
        let service = builtin::SERVICE_ACCOUNT.to_owned();
        if client.service_account
            && realm.scopes.contains_key(&service)
            && !client.default_scopes.contains(&service)
        {
            client.default_scopes.push(service);
        }
        let masked =
            |secret: Option<String>| secret.is_some_and(|secret| secret.starts_with("***"));
        if !client.bearer_only && masked(entry.text("secret")?) {
            stars.push(format!("{:?}", client.id));
        }
        if realm.clients.contains_key(&client.id) {
            return entry.refuse(
                "clientId",
                format!("the client {:?} stands here twice", client.id),
            );
        }
        realm.clients.insert(client.id.clone(), client);
    }
    if !stars.is_empty() {
        let told = "masked by the export, so the stars are the secret now";
        let clients = stars.join(", ");
        realm
            .warnings
            .push(format!("clients: {told}, of {clients}"));
    }
    Ok(())
}

fn client(entry: &Object, id: String) -> Result<Client> {
    let flag = |name: &str, default: bool| Ok(entry.flag(name)?.unwrap_or(default));
    match entry.text("clientAuthenticatorType")?.as_deref() {
        None | Some("client-secret") => {}
        Some(other) => {
            let message =
                format!("the embedded Keycloak knows \"client-secret\" only, not {other:?}");
            return entry.refuse("clientAuthenticatorType", message);
        }
    }
    let redirect_uris = entry.texts("redirectUris")?;
    // Where the file says nothing, scripts may come from where people are sent back to.
    let web_origins = match entry.has("webOrigins") {
        true => entry.texts("webOrigins")?,
        false => redirect_uris
            .iter()
            .filter_map(|uri| origin(uri))
            .collect::<BTreeSet<_>>()
            .into_iter()
            .collect(),
    };
    Ok(Client {
        name: entry.text("name")?.unwrap_or_default(),
        enabled: flag("enabled", true)?,
        public: flag("publicClient", false)?,
        bearer_only: flag("bearerOnly", false)?,
        secret: entry.text("secret")?.map(Into::into),
        root_url: entry.text("rootUrl")?.unwrap_or_default(),
        redirect_uris,
        web_origins,
        standard_flow: flag("standardFlowEnabled", true)?,
        implicit_flow: flag("implicitFlowEnabled", false)?,
        direct_grants: flag("directAccessGrantsEnabled", false)?,
        service_account: flag("serviceAccountsEnabled", false)?,
        full_scope: flag("fullScopeAllowed", true)?,
        consent: flag("consentRequired", false)?,
        attributes: entry.strings("attributes")?,
        default_scopes: Vec::new(),
        optional_scopes: Vec::new(),
        own: Scope {
            name: String::new(),
            named: false,
            mappers: mappers(entry)?,
            roles: Vec::new(),
        },
        id,
    })
}

/// Scheme, host and port of an address that has them.
pub(in crate::keycloak) fn origin(uri: &str) -> Option<String> {
    let (scheme, rest) = uri.split_once("://")?;
    let host = rest.split(['/', '?', '#']).next()?;
    matches!(scheme, "http" | "https").then(|| format!("{scheme}://{host}"))
}

fn roles(file: &Object, realm: &mut Realm) -> Result<()> {
    if let Some(role) = file.object("defaultRole", names::ROLE)? {
        add_role(&role, None, realm)?;
    }
    let Some(roles) = file.object("roles", names::ROLES)? else {
        return Ok(());
    };
    for role in roles.objects("realm", names::ROLE)? {
        add_role(&role, None, realm)?;
    }
    for (client, map) in roles.map("client")? {
        if !realm.clients.contains_key(&client) && !realm.others.contains(&client) {
            return map.refuse(
                &client,
                format!("App doesn't exist in role definitions: {client}"),
            );
        }
        for role in map.objects(&client, names::ROLE)? {
            add_role(&role, Some(&client), realm)?;
        }
    }
    Ok(())
}

fn add_role(entry: &Object, client: Option<&str>, realm: &mut Realm) -> Result<()> {
    let Some(name) = entry.text("name")? else {
        return entry.refuse("name", "a role without a name");
    };
    let mut parts = BTreeSet::new();
    if let Some(composites) = entry.object("composites", names::COMPOSITES)? {
        parts.extend(composites.texts("realm")?.into_iter().map(Role::of_realm));
        for (client, names) in composites.lists("client")? {
            parts.extend(names.into_iter().map(|name| Role::of_client(&client, name)));
        }
    }
    let role = Role {
        client: client.map(str::to_owned),
        name,
    };
    realm.roles.entry(role).or_default().extend(parts);
    Ok(())
}

/// Roles that a client or a scope lets through although the client does not have the full scope.
fn scope_mappings(file: &Object, realm: &mut Realm) -> Result<()> {
    let mut found = Vec::new();
    for entry in file.objects("scopeMappings", names::SCOPE_MAPPING)? {
        found.push((None, entry));
    }
    for (client, map) in file.map("clientScopeMappings")? {
        for entry in map.objects(&client, names::SCOPE_MAPPING)? {
            found.push((Some(client.clone()), entry));
        }
    }
    for (owner, entry) in found {
        let names = entry.texts("roles")?;
        let roles = names.into_iter().map(|name| Role {
            client: owner.clone(),
            name,
        });
        let target = match (entry.text("client")?, entry.text("clientScope")?) {
            (Some(client), _) if realm.others.contains(&client) => continue,
            (Some(client), _) => realm.clients.get_mut(&client).map(|client| &mut client.own),
            (None, Some(scope)) => realm.scopes.get_mut(&scope),
            (None, None) => None,
        };
        match target {
            Some(scope) => scope.roles.extend(roles),
            None => return entry.refuse("client", "no such client or client scope"),
        }
    }
    Ok(())
}
