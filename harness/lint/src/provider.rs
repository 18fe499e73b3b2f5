//! What a provider is known to do, from its own configuration.

use std::collections::BTreeSet;

use authlab_authn::tree::{Kind, Node};
use authlab_idp::keycloak::{LOGIN_NAMES, USER_STORAGE, default_clients};

use crate::document::{Document, Form, items, text, texts};

/// Which product it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Product {
    Dex,
    Keycloak,
    Forge,
}

/// An identity provider.
pub(crate) struct Provider {
    pub(crate) product: Product,
    /// The issuer as its configuration has it; of a realm on its own only the end is known.
    pub(crate) issuer: String,
    /// The ids of its clients; `None` when they are not in the file.
    pub(crate) clients: Option<BTreeSet<String>>,
    /// What its people log in as, in small letters; `None` when they may come from elsewhere.
    pub(crate) people: Option<BTreeSet<String>>,
    /// Audiences that its tokens can have beside the clients' ids.
    pub(crate) audiences: BTreeSet<String>,
    /// The claims that its tokens can have; `None` for any.
    pub(crate) claims: Option<BTreeSet<String>>,
    /// The address patterns of each client.
    pub(crate) redirects: Vec<Redirect>,
    /// The file with its certificate.
    pub(crate) certificate: Option<String>,
}

/// A redirect URI of a client.
pub(crate) struct Redirect {
    pub(crate) client: String,
    pub(crate) uri: String,
    pub(crate) offset: usize,
}

/// Claims of every ID token of Dex.
const DEX: &[&str] = &[
    "iss",
    "sub",
    "aud",
    "exp",
    "iat",
    "azp",
    "nonce",
    "at_hash",
    "c_hash",
    "email",
    "email_verified",
    "name",
    "preferred_username",
    "federated_claims",
    "jti",
];

/// Claims that tokens of Keycloak can have by its built-in scopes.
const KEYCLOAK: &[&str] = &[
    "iss",
    "sub",
    "aud",
    "exp",
    "iat",
    "auth_time",
    "jti",
    "typ",
    "azp",
    "nonce",
    "sid",
    "acr",
    "at_hash",
    "s_hash",
    "allowed-origins",
    "realm_access",
    "resource_access",
    "scope",
    "email",
    "email_verified",
    "name",
    "preferred_username",
    "given_name",
    "family_name",
    "middle_name",
    "nickname",
    "profile",
    "picture",
    "website",
    "gender",
    "birthdate",
    "zoneinfo",
    "locale",
    "updated_at",
    "address",
    "phone_number",
    "phone_number_verified",
    "upn",
    "client_id",
    "clientHost",
    "clientAddress",
    "organization",
];

fn owned(names: &[&str]) -> BTreeSet<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

impl Provider {
    /// A forge signs anything.
    pub(crate) fn forge(issuer: String) -> Self {
        Self {
            product: Product::Forge,
            issuer,
            clients: None,
            people: None,
            audiences: BTreeSet::new(),
            claims: None,
            redirects: Vec::new(),
            certificate: None,
        }
    }

    /// The provider that a document configures.
    pub(crate) fn read(document: &Document) -> Option<Self> {
        match document.form {
            Form::Dex => Some(dex(&document.tree)),
            Form::Realm => Some(keycloak(&document.tree)),
            _ => None,
        }
    }

    /// Whether it is the one that an issuer names.
    pub(crate) fn is(&self, issuer: &str) -> bool {
        self.issuer == issuer || self.product == Product::Keycloak && issuer.ends_with(&self.issuer)
    }
}

fn redirects(clients: &[Node], id: &str, uris: &str) -> Vec<Redirect> {
    let each = clients.iter().flat_map(|client| {
        let name = text(client, id).unwrap_or_default().to_owned();
        texts(client, uris)
            .into_iter()
            .map(move |(uri, offset)| Redirect {
                client: name.clone(),
                uri: uri.to_owned(),
                offset,
            })
    });
    each.collect()
}

/// What people may type as their names.
fn logins(people: &[Node], names: &[&str]) -> BTreeSet<String> {
    let each = people.iter();
    each.flat_map(|person| names.iter().filter_map(|name| text(person, name)))
        .map(str::to_lowercase)
        .collect()
}

fn dex(tree: &Node) -> Provider {
    let clients = items(tree, "staticClients");
    let mut claims = owned(DEX);
    let people = items(tree, "staticPasswords");
    let connectors = items(tree, "connectors");
    let with_groups = |connector: &Node| {
        let enabled = matches!(
            connector
                .at("config.insecureEnableGroups")
                .map(|node| &node.kind),
            Some(Kind::Bool(true))
        );
        text(connector, "type") != Some("oidc") || enabled
    };
    // Of a file without people and connectors nothing is known: they may be added over the API.
    let nobody = people.is_empty() && connectors.is_empty();
    let grouped = people
        .iter()
        .any(|person| !texts(person, "groups").is_empty());
    let client_groups = clients
        .iter()
        .any(|client| client.get("clientCredentialsClaims").is_some());
    if nobody || grouped || client_groups || connectors.iter().any(with_groups) {
        claims.insert("groups".to_owned());
    }
    Provider {
        product: Product::Dex,
        issuer: text(tree, "issuer").unwrap_or_default().to_owned(),
        clients: (!clients.is_empty()).then(|| {
            let ids = clients.iter().filter_map(|client| text(client, "id"));
            ids.map(str::to_owned).collect()
        }),
        // Without any of both, they may be added over the API.
        people: (connectors.is_empty() && !people.is_empty()).then(|| logins(people, &["email"])),
        audiences: BTreeSet::new(),
        claims: Some(claims),
        redirects: redirects(clients, "id", "redirectURIs"),
        certificate: text(tree, "web.tlsCert").map(str::to_owned),
    }
}

fn keycloak(tree: &Node) -> Provider {
    let clients = items(tree, "clients");
    let scopes = items(tree, "clientScopes");
    let mappers = || {
        clients
            .iter()
            .chain(scopes)
            .flat_map(|holder| items(holder, "protocolMappers"))
    };
    let setting = |mapper: &Node, name: &str| {
        let config = mapper.get("config")?.get(name)?;
        match &config.kind {
            Kind::String(text) => Some(text.clone()),
            _ => None,
        }
    };
    let mut claims = owned(KEYCLOAK);
    let mut audiences = BTreeSet::new();
    for mapper in mappers() {
        if let Some(name) = setting(mapper, "claim.name") {
            // `a.b` is a claim `a` with `b` in it.
            claims.extend(name.split('.').next().map(str::to_owned));
        }
        audiences.extend(setting(mapper, "included.client.audience"));
        audiences.extend(setting(mapper, "included.custom.audience"));
    }
    let realm = text(tree, "realm").unwrap_or_default();
    // Whom another provider vouches for logs in there: no form asks for a name and a password here.
    let storage = tree.get("components");
    let storage = storage.and_then(|all| all.get(USER_STORAGE));
    Provider {
        product: Product::Keycloak,
        issuer: format!("/realms/{realm}"),
        clients: (!clients.is_empty()).then(|| {
            let ids = clients.iter().filter_map(|client| text(client, "clientId"));
            ids.map(str::to_owned)
                .chain(default_clients().map(str::to_owned))
                .collect()
        }),
        people: storage
            .is_none()
            .then(|| logins(items(tree, "users"), &LOGIN_NAMES)),
        audiences,
        claims: Some(claims),
        redirects: redirects(clients, "clientId", "redirectUris"),
        certificate: None,
    }
}
