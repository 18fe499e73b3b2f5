//! The connectors of the file and their own configurations, by the names and types Dex's structures give them.

use authlab_authn::tree::Span;
use secrecy::SecretString;

use super::{
    ConfigError,
    raw::{Located, RawConnector},
    reader::{At, Field, Reader},
    tree::{Kind, Node},
};
use crate::dex::go::quote::quote;

/// A way to log in.
#[derive(Debug, Clone)]
pub(crate) struct Connector {
    pub id: String,
    pub name: String,
    /// Grants it may be used for; all, when there are none.
    pub grant_types: Vec<String>,
    pub kind: ConnectorKind,
}

/// What a connector asks.
#[derive(Debug, Clone)]
pub(crate) enum ConnectorKind {
    /// Dex's own list of users.
    Local,
    /// Nobody: everyone is the same user.
    MockCallback,
    /// One name and password.
    MockPassword {
        username: String,
        password: SecretString,
    },
    /// Another OpenID Connect provider.
    Oidc(Box<Upstream>),
}

/// Another provider, and what of its claims counts (`connector/oidc` of Dex).
#[derive(Debug, Clone, Default)]
pub(crate) struct Upstream {
    pub issuer: String,
    pub issuer_alias: String,
    pub client_id: String,
    pub client_secret: SecretString,
    pub redirect_uri: String,
    pub overrides: Overrides,
    pub basic_auth_unsupported: Option<bool>,
    pub scopes: Vec<String>,
    pub hosted_domains: Vec<String>,
    pub root_cas: Vec<String>,
    pub skip_email_verified: bool,
    pub enable_groups: bool,
    pub allowed_groups: Vec<String>,
    pub acr_values: Vec<String>,
    pub skip_verify: bool,
    pub get_user_info: bool,
    pub user_id_key: String,
    pub user_name_key: String,
    pub prompt: Option<String>,
    pub pkce_challenge: String,
    pub override_claims: bool,
    pub preferred_username_key: String,
    pub email_key: String,
    pub groups_key: String,
    pub new_groups: Vec<NewGroup>,
    pub groups_filter: String,
    pub groups_prefix: String,
    pub groups_suffix: String,
}

/// Addresses that replace those of the discovery document, where not empty.
#[derive(Debug, Clone, Default)]
pub(crate) struct Overrides {
    pub token: String,
    pub auth: String,
    pub jwks: String,
    pub user_info: String,
    pub device_auth: String,
    pub end_session: String,
}

impl Overrides {
    pub(crate) fn is_empty(&self) -> bool {
        [
            &self.token,
            &self.auth,
            &self.jwks,
            &self.user_info,
            &self.device_auth,
            &self.end_session,
        ]
        .iter()
        .all(|url| url.is_empty())
    }
}

/// A group made of claims.
#[derive(Debug, Clone, Default)]
pub(crate) struct NewGroup {
    pub claims: Vec<String>,
    pub delimiter: String,
    pub clear_delimiter: bool,
    pub prefix: String,
}

/// Reads a connector's own configuration after Dex has put variables in.
pub(super) fn kind(
    reader: &mut Reader,
    kind: &Located,
    config: Option<&Field<'_>>,
    env: &dyn Fn(&str) -> Option<String>,
) -> Result<Option<ConnectorKind>, ConfigError> {
    let null = Node {
        kind: Kind::Null,
        span: Span::default(),
    };
    let expanded = config.map_or(null, |config| expand(config.node, env));
    let at = config.map(|config| config.at.anew()).unwrap_or_default();
    let decoded = reader.part(|reader| match kind.text.as_str() {
        "mockCallback" => {
            reader.fields(
                &expanded,
                &at,
                ("CallbackConfig", "mock.CallbackConfig"),
                &[],
            );
            Some(ConnectorKind::MockCallback)
        }
        "mockPassword" => Some(mock_password(reader, &expanded, &at)),
        "oidc" => Some(ConnectorKind::Oidc(Box::new(oidc(reader, &expanded, &at)))),
        _ => None,
    });
    decoded.map_err(|error| error.after("parse connector config: "))
}

/// Every text with `$NAME` and `${NAME}` replaced (`os.ExpandEnv` of Go).
fn expand(node: &Node, env: &dyn Fn(&str) -> Option<String>) -> Node {
    let mut node = node.clone();
    match &mut node.kind {
        Kind::String(text) => *text = expand_text(text, env),
        Kind::List(items) => {
            for item in items {
                // A list in a list is left alone.
                if !matches!(item.kind, Kind::List(_)) {
                    *item = expand(item, env);
                }
            }
        }
        Kind::Map(entries) => {
            for entry in entries {
                entry.value = expand(&entry.value, env);
            }
        }
        Kind::Null | Kind::Bool(_) | Kind::Number(_) => {}
    }
    node
}

fn expand_text(text: &str, env: &dyn Fn(&str) -> Option<String>) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('$') {
        out.push_str(before);
        let (name, length) = variable(after);
        if length == 0 {
            out.push('$');
        } else if let Some(name) = name {
            out.push_str(&env(name).unwrap_or_default());
        }
        rest = &after[length..];
    }
    out + rest
}

/// The variable named at the beginning of a text, and how much of the text names it; nothing is eaten where none can
/// be, and no name stands for broken braces, which Go drops.
fn variable(text: &str) -> (Option<&str>, usize) {
    if let Some(braced) = text.strip_prefix('{') {
        return match braced.find('}') {
            Some(0) => (None, 2),
            Some(end) => (Some(&braced[..end]), end + 2),
            None => (None, 1),
        };
    }
    let special = |c: char| matches!(c, '*' | '#' | '$' | '@' | '!' | '?' | '-' | '0'..='9');
    if let Some(first) = text.chars().next().filter(|c| special(*c)) {
        return (Some(&text[..first.len_utf8()]), first.len_utf8());
    }
    let name = |c: char| c == '_' || c.is_ascii_alphanumeric();
    let end = text.find(|c| !name(c)).unwrap_or(text.len());
    (Some(&text[..end]), end)
}

fn mock_password(reader: &mut Reader, node: &Node, at: &At) -> ConnectorKind {
    let (mut username, mut password) = (String::new(), String::new());
    let go_type = ("PasswordConfig", "mock.PasswordConfig");
    for field in reader.fields(node, at, go_type, &["username", "password"]) {
        match field.name {
            "username" => username = reader.text(&field),
            _ => password = reader.text(&field),
        }
    }
    ConnectorKind::MockPassword {
        username,
        password: password.into(),
    }
}

fn oidc(reader: &mut Reader, node: &Node, at: &At) -> Upstream {
    const NAMES: &[&str] = &[
        "issuer",
        "issuerAlias",
        "clientID",
        "clientSecret",
        "redirectURI",
        "providerDiscoveryOverrides",
        "basicAuthUnsupported",
        "scopes",
        "hostedDomains",
        "rootCAs",
        "insecureSkipEmailVerified",
        "insecureEnableGroups",
        "allowedGroups",
        "acrValues",
        "insecureSkipVerify",
        "getUserInfo",
        "userIDKey",
        "userNameKey",
        "promptType",
        "pkceChallenge",
        "overrideClaimMapping",
        "claimMapping",
        "claimModifications",
    ];
    let mut to = Upstream::default();
    for field in reader.fields(node, at, ("Config", "oidc.Config"), NAMES) {
        match field.name {
            "issuer" => to.issuer = reader.text(&field),
            "issuerAlias" => to.issuer_alias = reader.text(&field),
            "clientID" => to.client_id = reader.text(&field),
            "clientSecret" => to.client_secret = reader.text(&field).into(),
            "redirectURI" => to.redirect_uri = reader.text(&field),
            "providerDiscoveryOverrides" => to.overrides = overrides(reader, &field),
            "basicAuthUnsupported" => to.basic_auth_unsupported = reader.optional_flag(&field),
            "scopes" => to.scopes = reader.texts(&field),
            "hostedDomains" => to.hosted_domains = reader.texts(&field),
            "rootCAs" => to.root_cas = reader.texts(&field),
            "insecureSkipEmailVerified" => to.skip_email_verified = reader.flag(&field),
            "insecureEnableGroups" => to.enable_groups = reader.flag(&field),
            "allowedGroups" => to.allowed_groups = reader.texts(&field),
            "acrValues" => to.acr_values = reader.texts(&field),
            "insecureSkipVerify" => to.skip_verify = reader.flag(&field),
            "getUserInfo" => to.get_user_info = reader.flag(&field),
            "userIDKey" => to.user_id_key = reader.text(&field),
            "userNameKey" => to.user_name_key = reader.text(&field),
            "promptType" => {
                let given = !matches!(field.node.kind, Kind::Null);
                to.prompt = given.then(|| reader.text(&field));
            }
            "pkceChallenge" => to.pkce_challenge = reader.text(&field),
            "overrideClaimMapping" => to.override_claims = reader.flag(&field),
            "claimMapping" => claim_mapping(reader, &field, &mut to),
            _ => claim_modifications(reader, &field, &mut to),
        }
    }
    to
}

fn overrides(reader: &mut Reader, field: &Field<'_>) -> Overrides {
    const NAMES: &[&str] = &[
        "tokenURL",
        "authURL",
        "jwksURL",
        "userInfoURL",
        "deviceAuthURL",
        "endSessionURL",
    ];
    let mut to = Overrides::default();
    let go_type = (
        "ProviderDiscoveryOverrides",
        "oidc.ProviderDiscoveryOverrides",
    );
    for field in reader.fields(field.node, &field.at, go_type, NAMES) {
        let text = reader.text(&field);
        match field.name {
            "tokenURL" => to.token = text,
            "authURL" => to.auth = text,
            "jwksURL" => to.jwks = text,
            "userInfoURL" => to.user_info = text,
            "deviceAuthURL" => to.device_auth = text,
            _ => to.end_session = text,
        }
    }
    to
}

fn claim_mapping(reader: &mut Reader, field: &Field<'_>, to: &mut Upstream) {
    const TYPE: &str = concat!(
        r#"struct { PreferredUsernameKey string "json:\"preferred_username\""; "#,
        r#"EmailKey string "json:\"email\""; GroupsKey string "json:\"groups\"" }"#
    );
    let names = &["preferred_username", "email", "groups"];
    for field in reader.fields(field.node, &field.at, ("", TYPE), names) {
        let text = reader.text(&field);
        match field.name {
            "preferred_username" => to.preferred_username_key = text,
            "email" => to.email_key = text,
            _ => to.groups_key = text,
        }
    }
}

fn claim_modifications(reader: &mut Reader, field: &Field<'_>, to: &mut Upstream) {
    const TYPE: &str = concat!(
        r#"struct { NewGroupFromClaims []oidc.NewGroupFromClaims "json:\"newGroupFromClaims\""; "#,
        r#"FilterGroupClaims oidc.FilterGroupClaims "json:\"filterGroupClaims\""; "#,
        r#"ModifyGroupNames oidc.ModifyGroupNames "json:\"modifyGroupNames\"" }"#
    );
    let names = &[
        "newGroupFromClaims",
        "filterGroupClaims",
        "modifyGroupNames",
    ];
    for field in reader.fields(field.node, &field.at, ("", TYPE), names) {
        match field.name {
            "newGroupFromClaims" => {
                let items = reader.items(&field, "[]oidc.NewGroupFromClaims");
                to.new_groups = items
                    .iter()
                    .map(|(node, at)| new_group(reader, node, at))
                    .collect();
            }
            "filterGroupClaims" => {
                let go_type = ("FilterGroupClaims", "oidc.FilterGroupClaims");
                for field in reader.fields(field.node, &field.at, go_type, &["groupsFilter"]) {
                    to.groups_filter = reader.text(&field);
                }
            }
            _ => {
                let go_type = ("ModifyGroupNames", "oidc.ModifyGroupNames");
                for field in reader.fields(field.node, &field.at, go_type, &["prefix", "suffix"]) {
                    match field.name {
                        "prefix" => to.groups_prefix = reader.text(&field),
                        _ => to.groups_suffix = reader.text(&field),
                    }
                }
            }
        }
    }
}

fn new_group(reader: &mut Reader, node: &Node, at: &At) -> NewGroup {
    const NAMES: &[&str] = &["claims", "delimiter", "clearDelimiter", "prefix"];
    let mut to = NewGroup::default();
    for field in reader.fields(
        node,
        at,
        ("NewGroupFromClaims", "oidc.NewGroupFromClaims"),
        NAMES,
    ) {
        match field.name {
            "claims" => to.claims = reader.texts(&field),
            "delimiter" => to.delimiter = reader.text(&field),
            "clearDelimiter" => to.clear_delimiter = reader.flag(&field),
            _ => to.prefix = reader.text(&field),
        }
    }
    to
}

/// Checks a connector as Dex does before it starts, and refuses one of a kind that is not here.
pub(super) fn check(raw: RawConnector) -> Result<Connector, ConfigError> {
    let kind = &raw.kind;
    if raw.id.is_empty() || raw.name.is_empty() {
        let message = "invalid config: ID, Type and Name fields are required for a connector";
        return Err(kind.refuse(message));
    }
    let known = |grant: &&String| !super::members::CONNECTOR_GRANTS.contains(&grant.as_str());
    if let Some(unknown) = raw.grant_types.iter().find(known) {
        return Err(kind.refuse(format!(
            "invalid config: unknown grant type {} for connector {}",
            quote(unknown),
            quote(&raw.id)
        )));
    }
    let Some(decoded) = raw.config else {
        let hint = "run this lab on a backend with the real Dex, or remove the connector";
        return Err(kind
            .refuse(format!(
                "connector {}: the embedded Dex has no connectors of type {}",
                quote(&raw.id),
                quote(&kind.text)
            ))
            .with_hint(Some(hint.to_owned())));
    };
    Ok(Connector {
        id: raw.id,
        name: raw.name,
        grant_types: raw.grant_types,
        kind: decoded,
    })
}
