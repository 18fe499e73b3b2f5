//! Clients and their mappers.

use std::collections::BTreeSet;

use super::{Client, Mapper, Realm, Scope, builtin, cursor::Object, names, read::of_another};

/// Mappers that do here what they do in Keycloak; those of other protocols do nothing to a token of this one.
const MAPPERS: &str = "oidc-usermodel-attribute-mapper oidc-usermodel-property-mapper oidc-full-name-mapper \
    oidc-address-mapper oidc-audience-mapper oidc-audience-resolve-mapper oidc-usermodel-realm-role-mapper \
    oidc-usermodel-client-role-mapper oidc-group-membership-mapper oidc-hardcoded-claim-mapper \
    oidc-usersessionmodel-note-mapper oidc-sub-mapper oidc-acr-mapper oidc-amr-mapper \
    oidc-allowed-origins-mapper oidc-session-state-mapper oidc-organization-membership-mapper";

/// The mappers of a client or a client scope.
pub(super) fn mappers(owner: &Object) -> Vec<Mapper> {
    let mut mappers = Vec::new();
    for entry in owner.objects("protocolMappers", names::MAPPER) {
        let kind = entry.text("protocolMapper").unwrap_or_default();
        if of_another(&entry) {
            continue;
        }
        if !MAPPERS.split_whitespace().any(|known| known == kind) {
            let message = format!("the embedded Keycloak does not have the mapper {kind:?}");
            let instead = "take the mapper out: tokens are then without what it adds";
            entry.lack("protocolMapper", message, instead);
            continue;
        }
        mappers.push(Mapper {
            kind,
            config: entry.strings("config"),
        });
    }
    mappers
}

/// The clients of the file.
pub(super) fn clients(file: &Object, realm: &mut Realm) {
    let of_realm = |name: &str, usual: &[&str]| -> Vec<String> {
        match file.has("clientScopes") {
            true => file.texts(name),
            false => usual.iter().map(|name| (*name).to_owned()).collect(),
        }
    };
    let defaults = of_realm("defaultDefaultClientScopes", &builtin::DEFAULT);
    let optionals = of_realm("defaultOptionalClientScopes", &builtin::OPTIONAL);
    let mut stars = Vec::new();
    for entry in file.objects("clients", names::CLIENT) {
        let Some(id) = entry.needed("clientId", "a client without clientId") else {
            continue;
        };
        if of_another(&entry) {
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
        let mut client = client(&entry, id);
        let mut unheard = Vec::new();
        let mut listed = |name: &str, usual: &[String]| -> Vec<String> {
            let names = if entry.has(name) {
                entry.texts(name)
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
            known
        };
        client.default_scopes = listed("defaultClientScopes", &defaults);
        client.optional_scopes = listed("optionalClientScopes", &optionals);
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
        if !client.bearer_only && masked(entry.text("secret")) {
            stars.push(format!("{:?}", client.id));
        }
        if realm.clients.contains_key(&client.id) {
            entry.twice("clientId", "client", &client.id);
            continue;
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
}

fn client(entry: &Object, id: String) -> Client {
    let flag = |name: &str, default: bool| entry.flag(name).unwrap_or(default);
    const SECRET: &str = "client-secret";
    if let Some(other) = entry.text("clientAuthenticatorType")
        && other != SECRET
    {
        let message = format!("the embedded Keycloak knows {SECRET:?} only, not {other:?}");
        let instead = format!("write `{SECRET:?}`, and give the client a `secret`");
        entry.lack("clientAuthenticatorType", message, &instead);
    }
    let redirect_uris = entry.texts("redirectUris");
    // Where the file says nothing, scripts may come from where people are sent back to.
    let web_origins = match entry.has("webOrigins") {
        true => entry.texts("webOrigins"),
        false => redirect_uris
            .iter()
            .filter_map(|uri| origin(uri))
            .collect::<BTreeSet<_>>()
            .into_iter()
            .collect(),
    };
    Client {
        name: entry.text("name").unwrap_or_default(),
        enabled: flag("enabled", true),
        public: flag("publicClient", false),
        bearer_only: flag("bearerOnly", false),
        secret: entry.text("secret").map(Into::into),
        root_url: entry.text("rootUrl").unwrap_or_default(),
        redirect_uris,
        web_origins,
        standard_flow: flag("standardFlowEnabled", true),
        implicit_flow: flag("implicitFlowEnabled", false),
        direct_grants: flag("directAccessGrantsEnabled", false),
        service_account: flag("serviceAccountsEnabled", false),
        full_scope: flag("fullScopeAllowed", true),
        consent: flag("consentRequired", false),
        attributes: entry.strings("attributes"),
        default_scopes: Vec::new(),
        optional_scopes: Vec::new(),
        own: Scope {
            name: String::new(),
            named: false,
            mappers: mappers(entry),
            roles: Vec::new(),
        },
        id,
    }
}

/// Scheme, host and port of an address that has them.
pub(in crate::keycloak) fn origin(uri: &str) -> Option<String> {
    let (scheme, rest) = uri.split_once("://")?;
    let host = rest.split(['/', '?', '#']).next()?;
    matches!(scheme, "http" | "https").then(|| format!("{scheme}://{host}"))
}
