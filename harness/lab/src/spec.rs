//! Lab files: what a person writes under `fixtures/labs/`.

mod schema;

use std::collections::BTreeMap;
use std::path::PathBuf;

use schemars::JsonSchema;
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize, Serializer};
use serde_saphyr::Spanned;

pub use schema::flags_schema;

use crate::state::DEFAULT_CLUSTER;

/// A lab file: identity providers and the API server's authentication.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct LabFile {
    /// One line for `cargo xtask status` and for people.
    pub description: String,
    /// Identity providers by the name that scenarios use.
    #[serde(default)]
    pub identity_providers: BTreeMap<ProviderName, ProviderSpec>,
    /// The API server.
    #[serde(default)]
    pub api_server: ApiServerSpec,
    /// More API servers, by the name that steps use (`cluster: NAME`): clusters of their own, with
    /// other objects, that trust other issuers.
    #[serde(default)]
    pub api_servers: BTreeMap<ClusterName, ApiServerSpec>,
    /// Services in the cluster that the API server calls by their names, by a name for placeholders:
    /// `${lab.service.NAME.host}`, `.ip`, `.cert` and `.key`. In a lab with pods only.
    #[serde(default)]
    pub services: BTreeMap<ServiceName, ServiceSpec>,
    /// What is said of clusters where they are made: on `kind`, and on no other backend.
    #[serde(default)]
    pub kind: KindSpec,
}

/// What a lab file says of kind's clusters.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct KindSpec {
    /// How many nodes a cluster has beside its first one, at most 9.
    #[serde(default, deserialize_with = "workers")]
    #[schemars(range(max = 9))]
    pub workers: u8,
}

fn workers<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<u8, D::Error> {
    match u8::deserialize(deserializer)? {
        few @ 0..=9 => Ok(few),
        many => {
            let why = format!("{many} workers are too many: at most 9");
            Err(serde::de::Error::custom(why))
        }
    }
}

/// A Service whose address is known before there is a cluster.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct ServiceSpec {
    /// Its name in the cluster's DNS: `<service>.<namespace>.svc.cluster.local`.
    pub host: String,
    /// Its `spec.clusterIP`, among 10.96.0.0/16. The API server's pod knows the name by it: the
    /// cluster's DNS is not for those on a node's own network.
    pub cluster_ip: std::net::Ipv4Addr,
}

/// The name of a service: part of placeholders.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct ServiceName(pub String);

impl<'de> Deserialize<'de> for ServiceName {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        plain(String::deserialize(deserializer)?, "a service").map(Self)
    }
}

/// The name of an API server beside the default one.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct ClusterName(pub String);

impl<'de> Deserialize<'de> for ClusterName {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let name = String::deserialize(deserializer)?;
        if name == DEFAULT_CLUSTER {
            let why = format!("`{name}` is the API server that `apiServer` describes");
            return Err(serde::de::Error::custom(why));
        }
        plain(name, "an API server").map(Self)
    }
}

/// Names are parts of placeholders, file names and variables.
fn plain<E: serde::de::Error>(name: String, of: &str) -> Result<String, E> {
    let allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    if name.starts_with(|c: char| c.is_ascii_lowercase()) && name.chars().all(allowed) {
        return Ok(name);
    }
    Err(E::custom(format!(
        "`{name}` is no name for {of}: a-z, then a-z, 0-9 and -"
    )))
}

/// The name of an identity provider: part of placeholders, file names and variables.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct ProviderName(pub String);

/// Names that mean something else where providers are named too.
const TAKEN: &[&str] = &["admin", "apiserver"];

impl<'de> Deserialize<'de> for ProviderName {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let name = String::deserialize(deserializer)?;
        if TAKEN.contains(&name.as_str()) {
            let why = format!("an identity provider cannot be called `{name}`");
            return Err(serde::de::Error::custom(why));
        }
        plain(name, "an identity provider").map(Self)
    }
}

/// Which product an identity provider is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum ProviderKind {
    /// Dex, from its own `config.yaml`.
    Dex,
    /// Keycloak, from a realm file as `kc.sh export` writes it.
    Keycloak,
    /// An issuer of ours that signs any token asked of it, good or bad.
    Forge,
}

/// One identity provider of a lab.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct ProviderSpec {
    /// The product.
    #[schemars(with = "ProviderKind")]
    pub kind: Spanned<ProviderKind>,
    /// The product's own configuration file, below `fixtures/`. A forge has none.
    #[serde(default)]
    #[schemars(with = "Option<PathBuf>")]
    pub config: Option<Spanned<PathBuf>>,
    /// The issuer URL of one that runs elsewhere already, in the place of `config`: the lab only
    /// uses it. Beside `config` it is for a cluster that exists already and knows it by that URL,
    /// whose port is one of its nodes' (30000 to 32767): there, the lab starts it under that URL.
    #[serde(default)]
    #[schemars(with = "Option<String>")]
    pub issuer: Option<Spanned<String>>,
    /// The certificates (PEM, a file below `fixtures/`) that vouch for an `issuer`'s own.
    #[serde(default)]
    #[schemars(with = "Option<PathBuf>")]
    pub certificate_authority: Option<Spanned<PathBuf>>,
    /// The client that logins use unless a step names another.
    #[serde(default)]
    pub client: Option<ClientSpec>,
    /// People, by the short name that steps use.
    #[serde(default)]
    pub users: BTreeMap<String, UserSpec>,
}

/// Whether a lab can start a provider under this issuer in a cluster: by a port of its nodes.
pub(crate) fn named(issuer: &str, kind: ProviderKind) -> Result<(), (String, &'static str)> {
    let url = reqwest::Url::parse(issuer).map_err(|error| {
        let why = format!("`{issuer}` is no URL: {error}");
        (why, "as the cluster's own configuration has it")
    })?;
    if url.port().is_none() {
        let why = "an issuer that the lab starts in a cluster names a port of its nodes".to_owned();
        return Err((why, "for example `https://127.0.0.1:30556/dex`"));
    }
    if kind == ProviderKind::Keycloak && realm_of(issuer).is_none() {
        let why = "the issuer of a Keycloak names its realm".to_owned();
        return Err((why, "for example `https://127.0.0.1:30443/realms/company`"));
    }
    Ok(())
}

/// The realm of a Keycloak's issuer, `https://HOST:PORT/realms/REALM`.
/// Source: Keycloak docs, "Securing applications and services with OpenID Connect", endpoints.
pub(crate) fn realm_of(issuer: &str) -> Option<String> {
    let url = reqwest::Url::parse(issuer).ok()?;
    let realm = url.path().strip_prefix("/realms/")?;
    (!realm.is_empty() && !realm.contains('/')).then(|| realm.to_owned())
}

/// An OAuth 2.0 client.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct ClientSpec {
    /// `client_id`.
    pub id: String,
    /// `client_secret`; absent for a public client.
    #[serde(default, serialize_with = "expose_option")]
    #[schemars(with = "Option<String>")]
    pub secret: Option<SecretString>,
    /// `redirect_uri` of browser logins; a free loopback port when absent.
    #[serde(default)]
    pub redirect_uri: Option<String>,
}

/// A person who can log in.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct UserSpec {
    /// What is typed as the user name.
    pub login: String,
    /// What is typed as the password.
    #[serde(serialize_with = "expose")]
    #[schemars(with = "String")]
    pub password: SecretString,
}

/// The API server of a lab: a configuration file or the `--oidc-*` flags.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct ApiServerSpec {
    /// `AuthenticationConfiguration` file below `fixtures/`.
    #[serde(default)]
    #[schemars(with = "Option<PathBuf>")]
    pub authentication: Option<Spanned<PathBuf>>,
    /// `--oidc-*` flags without their leading dashes; a flag that may be repeated takes a list.
    #[serde(default, deserialize_with = "flags")]
    #[schemars(schema_with = "flags_schema")]
    pub flags: BTreeMap<String, Vec<String>>,
    /// Issuer and audience of service-account tokens (`--service-account-issuer`). Left out, it is
    /// the one that kubeadm and kind set, whose address nobody serves; with `${lab.apiserver.url}`
    /// others can verify the tokens.
    #[serde(default)]
    pub service_account_issuer: Option<String>,
    /// Providers (with an `issuer`) whose tokens a cluster that exists already takes: how it reads
    /// them is its own affair. Other backends are told by `authentication` or `flags`.
    #[serde(default)]
    #[schemars(with = "Vec<String>")]
    pub trusts: Vec<Spanned<String>>,
}

/// The flags that stand for a configuration file.
/// Source: <https://kubernetes.io/docs/reference/command-line-tools-reference/kube-apiserver/>.
const FLAGS: &[&str] = &[
    "oidc-ca-file",
    "oidc-client-id",
    "oidc-groups-claim",
    "oidc-groups-prefix",
    "oidc-issuer-url",
    "oidc-required-claim",
    "oidc-signing-algs",
    "oidc-username-claim",
    "oidc-username-prefix",
];

/// Reads flags, and refuses one that the API server does not have.
///
/// # Errors
/// At the flag, with what was meant.
pub fn flags<'de, D: serde::Deserializer<'de>>(
    deserializer: D,
) -> Result<BTreeMap<String, Vec<String>>, D::Error> {
    let given = BTreeMap::<FlagName, FlagValue>::deserialize(deserializer)?;
    Ok(given
        .into_iter()
        .map(|(name, value)| (name.0, value.0))
        .collect())
}

#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct FlagName(String);

impl<'de> Deserialize<'de> for FlagName {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let name = String::deserialize(deserializer)?;
        if FLAGS.contains(&name.as_str()) {
            return Ok(Self(name));
        }
        Err(serde::de::Error::unknown_field(&name, FLAGS))
    }
}

/// One flag's value, or the values of a repeated flag.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct FlagValue(pub Vec<String>);

impl<'de> Deserialize<'de> for FlagValue {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl<'de> serde::de::Visitor<'de> for Visitor {
            type Value = FlagValue;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a flag's value in quotes, or a list of them")
            }

            fn visit_str<E>(self, text: &str) -> Result<FlagValue, E> {
                Ok(FlagValue(vec![text.to_owned()]))
            }

            fn visit_seq<A: serde::de::SeqAccess<'de>>(
                self,
                mut seq: A,
            ) -> Result<FlagValue, A::Error> {
                let mut values = Vec::new();
                while let Some(value) = seq.next_element()? {
                    values.push(value);
                }
                Ok(FlagValue(values))
            }
        }
        deserializer.deserialize_any(Visitor)
    }
}

// The plan and the state file (mode 0600) are the two places that must carry secrets in the clear.
pub(crate) fn expose<S: Serializer>(
    secret: &SecretString,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(secret.expose_secret())
}

#[expect(
    clippy::ref_option,
    reason = "serde calls it with a reference to the field"
)]
fn expose_option<S: Serializer>(
    secret: &Option<SecretString>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    match secret {
        Some(secret) => expose(secret, serializer),
        None => serializer.serialize_none(),
    }
}
