//! A plan: a lab file with every file that it names read and checked, ready to be started.
//!
//! The driver makes it, the lab host gets it as JSON. Placeholders are still in place: their
//! values exist only once addresses are bound.

mod fixtures;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use self::fixtures::{BELOW, is_name};
pub use self::fixtures::{fixture, lab_path, names, no_lab};
use crate::backend::existing::Target;
use crate::images::Origin;
use crate::kubernetes::Kubernetes;
use crate::source::{Source, SourceError, nearest};
use crate::spec::{
    self, ApiServerSpec, ClientSpec, LabFile, ProviderKind, ProviderSpec, ServiceSpec, UserSpec,
};
use crate::state::DEFAULT_CLUSTER;

/// A file as it was read: its name for messages, and its text with placeholders.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Text {
    /// Path relative to the checkout.
    pub name: String,
    /// The text, placeholders unfilled.
    pub text: String,
}

impl Text {
    /// As a source for errors.
    #[must_use]
    pub fn source(&self) -> Source {
        Source::new(&self.name, &self.text)
    }
}

/// How the API server authenticates: a configuration file, flags, or (refused at start) both.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Authentication {
    /// `AuthenticationConfiguration`, for `--authentication-config`.
    #[serde(default)]
    pub config: Option<Text>,
    /// `--oidc-*` flags without dashes, each with one or more values.
    #[serde(default)]
    pub flags: BTreeMap<String, Vec<String>>,
}

/// One identity provider of a plan.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Provider {
    /// The product.
    pub kind: ProviderKind,
    /// The product's own configuration; absent for a forge, and for one that runs elsewhere.
    pub config: Option<Text>,
    /// The issuer URL of one that runs elsewhere already; beside a configuration, the URL by which a
    /// cluster that exists already knows it, there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub issuer: Option<String>,
    /// What vouches for that one's certificate, PEM.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub authority: Option<Text>,
    /// The client of logins that name none.
    pub client: Option<ClientSpec>,
    /// People by short name.
    pub users: BTreeMap<String, UserSpec>,
}

impl Provider {
    /// It runs already: the lab only uses it.
    #[must_use]
    pub fn is_elsewhere(&self) -> bool {
        self.issuer.is_some() && self.config.is_none()
    }
}

/// Everything that is needed to start one lab.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Plan {
    /// The lab file's stem.
    pub lab: String,
    /// The lab file's own words.
    pub description: String,
    /// Identity providers by name.
    pub providers: BTreeMap<String, Provider>,
    /// The API server's authentication at start; the baseline that scenarios return to.
    pub authentication: Authentication,
    /// The same of every other API server, by name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub api_servers: BTreeMap<String, Authentication>,
    /// Issuers of service-account tokens that the lab file names, by API server.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub service_account_issuers: BTreeMap<String, String>,
    /// Services that the API server calls by their names, by a name for placeholders.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub services: BTreeMap<String, ServiceSpec>,
    /// The providers that a cluster which exists already trusts.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub trusted: BTreeSet<String>,
    /// The cluster that exists already, where the lab is for one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub existing: Option<Target>,
    /// How many nodes a kind cluster has beside its first one.
    #[serde(default)]
    pub workers: u8,
    /// The version of Kubernetes, where the lab runs real components.
    #[serde(default, skip_serializing_if = "Kubernetes::is_default")]
    pub kubernetes: Kubernetes,
    /// Where the images of its containers come from.
    #[serde(default, skip_serializing_if = "Origin::is_default")]
    pub images: Origin,
    /// The lab file, where `authentication` comes from it: for errors to show.
    pub file: Option<Text>,
}

impl Plan {
    /// Reads `fixtures/labs/<lab>.yaml` below `root` and every file it names.
    ///
    /// # Errors
    /// For an unknown lab (with the nearest name), a mistake in the lab file, an absent file.
    pub fn load(root: &Path, lab: &str) -> Result<Self, SourceError> {
        let source = match Source::read(root, &lab_path(lab)) {
            Ok(source) if is_name(lab) => source,
            Err(error) if is_name(lab) && root.join(lab_path(lab)).exists() => return Err(error),
            _ => return Err(no_lab(root, lab)),
        };
        let file: LabFile = source.parse()?;
        let mut providers = BTreeMap::new();
        for (name, spec) in file.identity_providers {
            providers.insert(name.0, provider(root, &source, spec)?);
        }
        let trusted = trusted(&source, &file.api_server, &providers)?;
        let others = file.api_servers.iter().map(|(name, spec)| (&*name.0, spec));
        let service_account_issuers = [(DEFAULT_CLUSTER, &file.api_server)]
            .into_iter()
            .chain(others)
            .filter_map(|(name, spec)| {
                Some((name.to_owned(), spec.service_account_issuer.clone()?))
            })
            .collect();
        let authentication = |spec: ApiServerSpec| {
            let config = spec.authentication;
            let config = config.map(|path| referenced(root, &source, &path));
            Ok::<_, SourceError>(Authentication {
                config: config.transpose()?,
                flags: spec.flags,
            })
        };
        let others = file.api_servers.into_iter();
        let others = others.map(|(name, spec)| Ok((name.0, authentication(spec)?)));
        let api_servers = others.collect::<Result<_, SourceError>>()?;
        Ok(Self {
            lab: lab.to_owned(),
            description: file.description,
            providers,
            authentication: authentication(file.api_server)?,
            api_servers,
            service_account_issuers,
            services: (file.services.into_iter())
                .map(|(name, service)| (name.0, service))
                .collect(),
            trusted,
            existing: None,
            workers: file.kind.workers,
            kubernetes: Kubernetes::default(),
            images: Origin::default(),
            file: Some(Text {
                name: source.name().to_owned(),
                text: source.text().to_owned(),
            }),
        })
    }

    /// The same lab with another authentication at start (a scenario's leading `configure`).
    #[must_use]
    pub fn with_authentication(mut self, authentication: Authentication) -> Self {
        self.authentication = authentication;
        self.file = None;
        self
    }

    /// The same lab in a cluster that exists already.
    #[must_use]
    pub fn in_cluster(mut self, target: Target) -> Self {
        self.existing = Some(target);
        self
    }

    /// Only what the lab starts itself.
    #[must_use]
    pub fn of_its_own(&self) -> Self {
        let mut plan = self.clone();
        plan.providers
            .retain(|_, provider| !provider.is_elsewhere());
        plan
    }

    /// The certificates (PEM) that vouch for every server of the lab: its own CA, and those of
    /// providers that run elsewhere.
    #[must_use]
    pub fn authorities(&self, ca: &str) -> String {
        let others = self
            .providers
            .values()
            .filter_map(|one| one.authority.as_ref());
        let others = others.map(|text| text.text.as_str());
        std::iter::once(ca)
            .chain(others)
            .collect::<Vec<_>>()
            .join("\n")
    }

    /// The names of its API servers, the default one first.
    pub fn clusters(&self) -> impl Iterator<Item = &str> {
        std::iter::once(DEFAULT_CLUSTER).chain(self.api_servers.keys().map(String::as_str))
    }

    /// The authentication at start of an API server, by its name.
    #[must_use]
    pub fn authentication_of(&self, cluster: &str) -> Option<&Authentication> {
        match cluster {
            DEFAULT_CLUSTER => Some(&self.authentication),
            name => self.api_servers.get(name),
        }
    }

    /// Two plans with the same identity can share a running lab. 12 hexadecimal digits.
    ///
    /// # Panics
    /// Never: a plan always serialises.
    #[must_use]
    pub fn identity(&self) -> String {
        // The file's comments and layout make no other lab.
        let plan = Self {
            file: None,
            ..self.clone()
        };
        let text = serde_json::to_vec(&plan).expect("a plan serialises");
        let digest = Sha256::digest(&text);
        digest
            .iter()
            .take(6)
            .map(|byte| format!("{byte:02x}"))
            .collect()
    }

    /// Whether one of its providers is of that kind.
    #[must_use]
    pub fn has(&self, kind: ProviderKind) -> bool {
        self.providers
            .values()
            .any(|provider| provider.kind == kind)
    }
}

fn referenced(
    root: &Path,
    from: &Source,
    path: &serde_saphyr::Spanned<PathBuf>,
) -> Result<Text, SourceError> {
    fixture(root, &path.value).map_err(|error| {
        let place = from.error(path.referenced, error.to_string(), "named here");
        place.or_help(error.help_text().unwrap_or(BELOW))
    })
}

/// The providers that a cluster trusts: they run already, and so did the cluster's trust begin.
fn trusted(
    source: &Source,
    spec: &ApiServerSpec,
    providers: &BTreeMap<String, Provider>,
) -> Result<BTreeSet<String>, SourceError> {
    let names = spec.trusts.iter().map(|name| {
        let refused = |message: String| source.error(name.referenced, message, "named here");
        match providers.get(&name.value) {
            Some(provider) if provider.issuer.is_some() => Ok(name.value.clone()),
            Some(_) => Err(refused(format!(
                "no cluster can trust `{}` already: this lab starts it",
                name.value
            ))
            .or_help(
                "give it the `issuer` that the cluster knows: beside its `config`, or in the place of \
                 that if it runs already",
            )),
            None => {
                let error = refused(format!("this lab has no provider `{}`", name.value));
                let near = nearest(&name.value, providers.keys().map(String::as_str));
                Err(match near {
                    Some(near) => error.or_help(format!("did you mean `{near}`?")),
                    None => error,
                })
            }
        }
    });
    names.collect()
}

/// One that runs elsewhere, or is known by its issuer there.
fn elsewhere(
    root: &Path,
    source: &Source,
    spec: ProviderSpec,
    issuer: &serde_saphyr::Spanned<String>,
) -> Result<Provider, SourceError> {
    let refused = |message: &str| source.error(issuer.referenced, message, "named here");
    if spec.kind.value == ProviderKind::Forge {
        return Err(refused("a forge runs in the lab only").or_help("leave `issuer` out"));
    }
    if !issuer.value.starts_with("https://") || issuer.value.contains(['?', '#']) {
        let why = "an issuer is an https URL without query and fragment";
        return Err(refused(why).or_help("as the provider's own discovery document has it"));
    }
    if spec.config.is_some() {
        spec::named(&issuer.value, spec.kind.value)
            .map_err(|(why, help)| refused(&why).or_help(help))?;
    }
    let config = spec.config.as_ref();
    let config = config.map(|path| referenced(root, source, path));
    let authority = spec.certificate_authority.as_ref();
    let authority = authority.map(|path| referenced(root, source, path));
    Ok(Provider {
        kind: spec.kind.value,
        config: config.transpose()?,
        issuer: Some(issuer.value.clone()),
        authority: authority.transpose()?,
        client: spec.client,
        users: spec.users,
    })
}

fn provider(root: &Path, source: &Source, spec: ProviderSpec) -> Result<Provider, SourceError> {
    let kind = spec.kind.value;
    if let Some(issuer) = spec.issuer.clone()
        && (spec.config.is_none() || spec.certificate_authority.is_none())
    {
        return elsewhere(root, source, spec, &issuer);
    }
    if let Some(path) = &spec.certificate_authority {
        let why = "what the lab starts has a certificate of the lab's CA";
        let error = source.error(path.referenced, why, "named here");
        return Err(
            error.or_help("leave it out, or name the `issuer` of a provider that runs already")
        );
    }
    let config = match (kind, &spec.config) {
        (ProviderKind::Dex | ProviderKind::Keycloak, Some(path)) => {
            Some(referenced(root, source, path)?)
        }
        (ProviderKind::Dex | ProviderKind::Keycloak, None) => {
            let (what, example) = match kind {
                ProviderKind::Keycloak => ("keycloak", "keycloak/realm.json"),
                _ => ("dex", "dex/config.yaml"),
            };
            let message = format!("a {what} needs a `config`");
            return Err(source
                .error(spec.kind.referenced, message, "this provider")
                .or_help(format!(
                    "write `config: {example}`, a path below `fixtures/`"
                )));
        }
        (ProviderKind::Forge, Some(path)) => {
            return Err(source
                .error(path.referenced, "a forge has no `config`", "named here")
                .or_help("leave it out: a forge signs whatever a `token` step asks for"));
        }
        (ProviderKind::Forge, None) => None,
    };
    Ok(Provider {
        kind,
        config,
        issuer: None,
        authority: None,
        client: spec.client,
        users: spec.users,
    })
}
