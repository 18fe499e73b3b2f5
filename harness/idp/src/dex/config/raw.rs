//! The file as Dex's structures hold it, before anything is checked.

use secrecy::SecretString;

use super::{
    ConfigError, Place, User, Warning, bcrypt_hash,
    connectors::ConnectorKind,
    reader::{At, Field, Reader},
    sections::{self, located},
    tree::{self, Node},
};

/// A text and where it stands.
#[derive(Clone, Default)]
pub(super) struct Located {
    pub text: String,
    pub place: Option<Place>,
    pub path: String,
}

impl Located {
    /// An error about it.
    pub(super) fn refuse(&self, message: impl Into<String>) -> ConfigError {
        ConfigError::new(message, self.place).about(&self.path)
    }
}

#[derive(Default)]
pub(super) struct Raw {
    pub issuer: Located,
    pub storage: bool,
    pub web: RawWeb,
    pub oauth2: RawOAuth2,
    pub grpc: RawGrpc,
    pub expiry: RawExpiry,
    pub log_format: Located,
    pub title: String,
    pub frontend_dir: Option<Located>,
    pub signer: RawSigner,
    pub connectors: Vec<RawConnector>,
    pub clients: Vec<RawClient>,
    pub password_db: bool,
    pub users: Vec<(User, Place)>,
    pub sessions: bool,
    pub mfa: bool,
}

#[derive(Default)]
pub(super) struct RawWeb {
    pub http: Located,
    pub https: String,
    pub headers: Vec<(&'static str, Located)>,
    pub tls_cert: Located,
    pub tls_key: Located,
    pub tls_min: Located,
    pub tls_max: Located,
    pub allowed_origins: Vec<String>,
    pub allowed_headers: Vec<String>,
}

#[derive(Default)]
pub(super) struct RawOAuth2 {
    pub grant_types: Vec<String>,
    pub response_types: Vec<String>,
    pub skip_approval: bool,
    pub always_show_login: bool,
    pub password_connector: String,
    pub pkce_enforce: bool,
    pub pkce_methods: Vec<String>,
}

#[derive(Default)]
pub(super) struct RawGrpc {
    pub addr: String,
    pub tls_cert: String,
    pub tls_key: String,
    pub tls_client_ca: String,
    pub tls_min: String,
    pub tls_max: String,
}

#[derive(Default)]
pub(super) struct RawExpiry {
    pub signing_keys: Located,
    pub id_tokens: Located,
    pub auth_requests: Located,
    pub device_requests: Located,
    pub disable_rotation: bool,
    pub reuse_interval: Located,
    pub absolute_lifetime: Located,
    pub valid_if_not_used_for: Located,
}

#[derive(Default)]
pub(super) struct RawSigner {
    pub kind: Located,
    pub rotation: Located,
    pub algorithm: Located,
}

#[derive(Default)]
pub(super) struct RawConnector {
    pub kind: Located,
    pub id: String,
    pub name: String,
    pub grant_types: Vec<String>,
    /// None for a type that is not here.
    pub config: Option<ConnectorKind>,
}

pub(super) struct RawClient {
    pub place: Place,
    pub path: String,
    pub id: String,
    pub id_env: String,
    pub secret: SecretString,
    pub secret_env: String,
    pub redirect_uris: Vec<String>,
    pub refresh_token_lifetime: String,
    pub trusted_peers: Vec<String>,
    pub public: bool,
    pub name: String,
    pub allowed_connectors: Vec<String>,
    pub own_groups: Vec<String>,
}

impl Raw {
    pub(super) fn decode(
        tree: &Node,
        env: &dyn Fn(&str) -> Option<String>,
    ) -> Result<(Self, Vec<Warning>), ConfigError> {
        const NAMES: &[&str] = &[
            "issuer",
            "storage",
            "web",
            "telemetry",
            "oauth2",
            "grpc",
            "expiry",
            "logger",
            "frontend",
            "signer",
            "connectors",
            "staticClients",
            "enablePasswordDB",
            "staticPasswords",
            "sessions",
            "mfa",
        ];
        let mut reader = Reader::default();
        let mut raw = Self::default();
        for field in reader.fields(tree, &At::default(), ("Config", "main.Config"), NAMES) {
            let reader = &mut reader;
            match field.name {
                "issuer" => raw.issuer = located(reader, &field),
                "storage" => {
                    sections::storage(reader, &field)?;
                    raw.storage = true;
                }
                "web" => raw.web = sections::web(reader, &field),
                "telemetry" => sections::telemetry(reader, &field),
                "oauth2" => raw.oauth2 = sections::oauth2(reader, &field),
                "grpc" => raw.grpc = sections::grpc(reader, &field),
                "expiry" => raw.expiry = expiry(reader, &field),
                "logger" => raw.log_format = sections::logger(reader, &field)?,
                "frontend" => (raw.title, raw.frontend_dir) = sections::frontend(reader, &field),
                "signer" => raw.signer = sections::signer(reader, &field)?,
                "connectors" => {
                    for (node, at) in reader.items(&field, "[]main.Connector") {
                        raw.connectors
                            .push(sections::connector(reader, node, &at, env)?);
                    }
                }
                "staticClients" => {
                    let items = reader.items(&field, "[]storage.Client");
                    raw.clients = items
                        .iter()
                        .map(|(node, at)| client(reader, node, at))
                        .collect();
                }
                "enablePasswordDB" => raw.password_db = reader.flag(&field),
                "staticPasswords" => {
                    for (node, at) in reader.items(&field, "[]main.password") {
                        raw.users
                            .push((user(reader, node, &at, env)?, tree::place(node.span)));
                    }
                }
                "sessions" => raw.sessions = sessions(reader, &field),
                _ => raw.mfa = mfa(reader, &field),
            }
        }
        Ok((raw, reader.finish()?))
    }
}

fn expiry(reader: &mut Reader, field: &Field<'_>) -> RawExpiry {
    const NAMES: &[&str] = &[
        "signingKeys",
        "idTokens",
        "authRequests",
        "deviceRequests",
        "refreshTokens",
    ];
    const REFRESH: &[&str] = &[
        "disableRotation",
        "reuseInterval",
        "absoluteLifetime",
        "validIfNotUsedFor",
    ];
    let mut expiry = RawExpiry::default();
    for field in reader.fields(field.node, &field.at, ("Expiry", "main.Expiry"), NAMES) {
        match field.name {
            "signingKeys" => expiry.signing_keys = located(reader, &field),
            "idTokens" => expiry.id_tokens = located(reader, &field),
            "authRequests" => expiry.auth_requests = located(reader, &field),
            "deviceRequests" => expiry.device_requests = located(reader, &field),
            _ => {
                for field in reader.fields(
                    field.node,
                    &field.at,
                    ("RefreshToken", "main.RefreshToken"),
                    REFRESH,
                ) {
                    match field.name {
                        "disableRotation" => expiry.disable_rotation = reader.flag(&field),
                        "reuseInterval" => expiry.reuse_interval = located(reader, &field),
                        "absoluteLifetime" => expiry.absolute_lifetime = located(reader, &field),
                        _ => expiry.valid_if_not_used_for = located(reader, &field),
                    }
                }
            }
        }
    }
    expiry
}

fn client(reader: &mut Reader, node: &Node, at: &At) -> RawClient {
    const NAMES: &[&str] = &[
        "id",
        "idEnv",
        "secret",
        "secretEnv",
        "redirectURIs",
        "postLogoutRedirectURIs",
        "backchannelLogoutURI",
        "refreshTokenLifetime",
        "trustedPeers",
        "public",
        "name",
        "logoURL",
        "allowedConnectors",
        "mfaChain",
        "ssoSharedWith",
        "clientCredentialsClaims",
    ];
    let mut client = RawClient {
        place: tree::place(node.span),
        path: at.path().to_owned(),
        id: String::new(),
        id_env: String::new(),
        secret: SecretString::default(),
        secret_env: String::new(),
        redirect_uris: Vec::new(),
        refresh_token_lifetime: String::new(),
        trusted_peers: Vec::new(),
        public: false,
        name: String::new(),
        allowed_connectors: Vec::new(),
        own_groups: Vec::new(),
    };
    for field in reader.fields(node, at, ("Client", "storage.Client"), NAMES) {
        match field.name {
            "id" => client.id = reader.text(&field),
            "idEnv" => client.id_env = reader.text(&field),
            "secret" => client.secret = reader.text(&field).into(),
            "secretEnv" => client.secret_env = reader.text(&field),
            "redirectURIs" => client.redirect_uris = reader.texts(&field),
            "refreshTokenLifetime" => client.refresh_token_lifetime = reader.text(&field),
            "trustedPeers" => client.trusted_peers = reader.texts(&field),
            "public" => client.public = reader.flag(&field),
            "name" => client.name = reader.text(&field),
            "allowedConnectors" => client.allowed_connectors = reader.texts(&field),
            "backchannelLogoutURI" | "logoURL" => {
                reader.text(&field);
            }
            "clientCredentialsClaims" => {
                let go_type = ("ClientCredentialsClaims", "storage.ClientCredentialsClaims");
                for field in reader.fields(field.node, &field.at, go_type, &["groups"]) {
                    client.own_groups = reader.texts(&field);
                }
            }
            // Only sessions give these a meaning, and those are off.
            _ => {
                reader.texts(&field);
            }
        }
    }
    client
}

fn user(
    reader: &mut Reader,
    node: &Node,
    at: &At,
    env: &dyn Fn(&str) -> Option<String>,
) -> Result<User, ConfigError> {
    const NAMES: &[&str] = &[
        "email",
        "username",
        "name",
        "preferredUsername",
        "emailVerified",
        "userID",
        "hash",
        "hashFromEnv",
        "groups",
    ];
    const TYPE: &str = concat!(
        r#"struct { Email string "json:\"email\""; Username string "json:\"username\""; Name string "json:\"name\""; "#,
        r#"PreferredUsername string "json:\"preferredUsername\""; EmailVerified *bool "json:\"emailVerified\""; "#,
        r#"UserID string "json:\"userID\""; Hash string "json:\"hash\""; "#,
        r#"HashFromEnv string "json:\"hashFromEnv\""; Groups []string "json:\"groups\"" }"#
    );
    let mut user = User {
        email: String::new(),
        hash: SecretString::default(),
        id: String::new(),
        name: String::new(),
        preferred_username: String::new(),
        email_verified: true,
        groups: Vec::new(),
    };
    let (mut username, mut hash, mut hash_env) = (String::new(), String::new(), String::new());
    let mut hash_place = tree::place(node.span);
    reader.part(|reader| {
        for field in reader.fields(node, at, ("Config", TYPE), NAMES) {
            match field.name {
                "email" => user.email = reader.text(&field),
                "username" => username = reader.text(&field),
                "name" => user.name = reader.text(&field),
                "preferredUsername" => user.preferred_username = reader.text(&field),
                "emailVerified" => {
                    user.email_verified = reader.optional_flag(&field).unwrap_or(true);
                }
                "userID" => user.id = reader.text(&field),
                "hash" => (hash, hash_place) = (reader.text(&field), tree::place(field.node.span)),
                "hashFromEnv" => hash_env = reader.text(&field),
                _ => user.groups = reader.texts(&field),
            }
        }
    })?;
    if user.name.is_empty() {
        user.name = username;
    }
    if hash.is_empty() && !hash_env.is_empty() {
        hash = env(&hash_env).unwrap_or_default();
    }
    let refused =
        |reason| ConfigError::new(reason, Some(hash_place)).about(&format!("{}.hash", at.path()));
    user.hash = bcrypt_hash::read(&hash).map_err(refused)?.into();
    Ok(user)
}

/// Whether the section is there.
fn sessions(reader: &mut Reader, field: &Field<'_>) -> bool {
    const NAMES: &[&str] = &[
        "cookieName",
        "absoluteLifetime",
        "validIfNotUsedFor",
        "rememberMeCheckedByDefault",
        "cookieEncryptionKey",
        "ssoSharedWithDefault",
    ];
    for field in reader.fields(field.node, &field.at, ("Sessions", "main.Sessions"), NAMES) {
        match field.name {
            "rememberMeCheckedByDefault" => {
                reader.optional_flag(&field);
            }
            _ => {
                reader.text(&field);
            }
        }
    }
    tree::noun(field.node) != "null"
}

/// Whether anything is asked for in the section.
fn mfa(reader: &mut Reader, field: &Field<'_>) -> bool {
    const NAMES: &[&str] = &["authenticators", "defaultMFAChain"];
    let mut asked = false;
    for field in reader.fields(
        field.node,
        &field.at,
        ("MFAConfig", "main.MFAConfig"),
        NAMES,
    ) {
        asked |= match field.name {
            "authenticators" => !reader.items(&field, "[]main.MFAAuthenticator").is_empty(),
            _ => !reader.texts(&field).is_empty(),
        };
    }
    asked
}
