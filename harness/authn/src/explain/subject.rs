//! What a token is explained against, a file or flags, and changes of it.

use serde_json::{Map, Value as Json, json};

use crate::{
    config::{self, AuthenticationConfiguration, ConfigError, OidcFlags},
    tree::{Node, Span},
    yaml11,
};

/// The configuration that a verdict comes from.
#[derive(Clone, Debug)]
pub struct Subject {
    config: AuthenticationConfiguration,
    form: Form,
}

#[derive(Clone, Debug)]
enum Form {
    File { document: Json, tree: Option<Node> },
    Flags(Box<OidcFlags>),
}

/// A change: what stands at a path afterwards; `None` for nothing.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Change {
    pub(super) path: String,
    pub(super) after: Option<Json>,
}

impl Change {
    pub(super) fn set(path: impl Into<String>, after: impl Into<Json>) -> Self {
        Self {
            path: path.into(),
            after: Some(after.into()),
        }
    }

    pub(super) fn remove(path: impl Into<String>) -> Self {
        Self {
            path: path.into(),
            after: None,
        }
    }
}

/// Where the allowed algorithms are; a file has no such field.
pub(super) const SIGNING_ALGS: &str = "signingAlgs";

impl Subject {
    /// A configuration file's text.
    ///
    /// # Errors
    /// When the API server would not start with it.
    pub fn file(text: &str) -> Result<Self, ConfigError> {
        let tree = yaml11::parse_spanned(text).ok();
        Ok(Self {
            config: config::load(text, &[])?,
            form: Form::File {
                document: tree.as_ref().map(Node::to_json).unwrap_or_default(),
                tree,
            },
        })
    }

    /// The `--oidc-*` flags.
    ///
    /// # Errors
    /// When the API server would not start with them.
    pub fn flags(flags: OidcFlags) -> Result<Self, ConfigError> {
        Ok(Self {
            config: config::from_flags(&flags)?,
            form: Form::Flags(Box::new(flags)),
        })
    }

    /// What it says.
    #[must_use]
    pub fn config(&self) -> &AuthenticationConfiguration {
        &self.config
    }

    /// Where the value of a path stands in the file, or what is nearest to it.
    #[must_use]
    pub fn place(&self, path: &str) -> Option<Span> {
        match &self.form {
            Form::File { tree, .. } => Some(tree.as_ref()?.nearest(path).0),
            Form::Flags(_) => None,
        }
    }

    /// The flag that says what a file would say at a path, with its dashes; `None` for a file.
    #[must_use]
    pub fn flag(&self, path: &str) -> Option<&'static str> {
        match &self.form {
            Form::File { .. } => None,
            Form::Flags(_) => flag_of(path),
        }
    }

    /// What stands at a path, as it was written.
    pub(super) fn at(&self, path: &str) -> Option<Json> {
        match &self.form {
            Form::File { document, .. } => document.pointer(&pointer(path)).cloned(),
            Form::Flags(flags) => flag_value(flags, path),
        }
    }

    /// The same with changes; `None` when they cannot be made, or the API server would refuse them.
    pub(super) fn with(&self, changes: &[Change]) -> Option<Self> {
        match &self.form {
            Form::File { document, tree } => {
                let mut document = document.clone();
                for change in changes {
                    apply(&mut document, change)?;
                }
                Some(Self {
                    config: config::load(&document.to_string(), &[]).ok()?,
                    form: Form::File {
                        document,
                        tree: tree.clone(),
                    },
                })
            }
            Form::Flags(flags) => {
                let mut flags = flags.clone();
                for change in changes {
                    apply_flag(&mut flags, change)?;
                }
                Self::flags(*flags).ok()
            }
        }
    }
}

/// A path as a JSON pointer (RFC 6901).
fn pointer(path: &str) -> String {
    let parts = path.split(['.', '[']).filter(|part| !part.is_empty());
    parts
        .map(|part| format!("/{}", part.trim_end_matches(']').replace('/', "~1")))
        .collect()
}

fn apply(document: &mut Json, change: &Change) -> Option<()> {
    let path = pointer(&change.path);
    let mut parts: Vec<&str> = path.split('/').skip(1).collect();
    let last = parts.pop()?;
    let mut here = document;
    for part in parts {
        here = match here {
            Json::Array(items) => items.get_mut(part.parse::<usize>().ok()?)?,
            Json::Object(map) => map.entry(part).or_insert(Json::Null),
            _ => return None,
        };
        if here.is_null() {
            *here = if last.parse::<usize>().is_ok() {
                json!([])
            } else {
                Json::Object(Map::new())
            };
        }
    }
    match (here, &change.after) {
        (Json::Object(map), Some(value)) => {
            map.insert(last.to_owned(), value.clone());
        }
        (Json::Object(map), None) => {
            map.remove(last)?;
        }
        (Json::Array(items), after) => {
            let index: usize = last.parse().ok()?;
            match after {
                Some(value) if index == items.len() => items.push(value.clone()),
                Some(value) => *items.get_mut(index)? = value.clone(),
                None if index < items.len() => {
                    items.remove(index);
                }
                None => return None,
            }
        }
        _ => return None,
    }
    Some(())
}

/// The flags by the path that a file has for them.
const FLAGS: &[(&str, &str)] = &[
    ("jwt[0].issuer.url", "--oidc-issuer-url"),
    ("jwt[0].issuer.audiences", "--oidc-client-id"),
    ("jwt[0].issuer.certificateAuthority", "--oidc-ca-file"),
    (
        "jwt[0].claimMappings.username.claim",
        "--oidc-username-claim",
    ),
    (
        "jwt[0].claimMappings.username.prefix",
        "--oidc-username-prefix",
    ),
    ("jwt[0].claimMappings.username", "--oidc-username-claim"),
    ("jwt[0].claimMappings.groups.prefix", "--oidc-groups-prefix"),
    ("jwt[0].claimMappings.groups", "--oidc-groups-claim"),
    ("jwt[0].claimValidationRules", "--oidc-required-claim"),
    (SIGNING_ALGS, "--oidc-signing-algs"),
];

fn flag_of(path: &str) -> Option<&'static str> {
    let found = FLAGS.iter().find(|(place, _)| path.starts_with(place));
    found.map(|(_, flag)| *flag)
}

/// Which of the required claims a path is about.
fn required<'a>(flags: &'a OidcFlags, path: &str) -> Option<(&'a String, &'a String)> {
    let index = path.strip_prefix("jwt[0].claimValidationRules[")?;
    let index: usize = index.split(']').next()?.parse().ok()?;
    flags.required_claims.iter().nth(index)
}

fn flag_value(flags: &OidcFlags, path: &str) -> Option<Json> {
    let text = |flag: &Option<String>| flag.clone().map(Json::from);
    match flag_of(path)? {
        "--oidc-issuer-url" => text(&flags.issuer_url),
        "--oidc-client-id" => text(&flags.client_id),
        "--oidc-username-claim" => text(&flags.username_claim),
        "--oidc-username-prefix" => text(&flags.username_prefix),
        "--oidc-groups-claim" => text(&flags.groups_claim),
        "--oidc-groups-prefix" => text(&flags.groups_prefix),
        "--oidc-signing-algs" if flags.signing_algs.is_empty() => None,
        "--oidc-signing-algs" => Some(flags.signing_algs.join(",").into()),
        "--oidc-required-claim" => {
            let (claim, value) = required(flags, path)?;
            Some(format!("{claim}={value}").into())
        }
        _ => None,
    }
}

fn apply_flag(flags: &mut OidcFlags, change: &Change) -> Option<()> {
    let text = || Some(change.after.as_ref()?.as_str()?.to_owned());
    match change.path.as_str() {
        "jwt[0].issuer.url" => flags.issuer_url = Some(text()?),
        "jwt[0].issuer.audiences" => match change.after.as_ref()?.as_array()?.as_slice() {
            [one] => flags.client_id = Some(one.as_str()?.to_owned()),
            _ => return None,
        },
        "jwt[0].claimMappings.username.claim" => flags.username_claim = Some(text()?),
        "jwt[0].claimMappings.username.prefix" => {
            let prefix = text()?;
            flags.username_prefix = Some(if prefix.is_empty() {
                "-".to_owned()
            } else {
                prefix
            });
        }
        "jwt[0].claimMappings.groups.claim" => flags.groups_claim = Some(text()?),
        "jwt[0].claimMappings.groups.prefix" => flags.groups_prefix = Some(text()?),
        "jwt[0].claimMappings.groups" if change.after.is_none() => {
            flags.groups_claim = None;
            flags.groups_prefix = None;
        }
        SIGNING_ALGS => {
            let items = change.after.as_ref()?.as_array()?;
            let names = items.iter().map(|item| item.as_str().map(str::to_owned));
            flags.signing_algs = names.collect::<Option<_>>()?;
        }
        path => {
            let (claim, value) = required(flags, path)?;
            let (claim, value) = (claim.clone(), value.clone());
            flags.required_claims.remove(&claim);
            match (path.rsplit('.').next()?, &change.after) {
                (_, None) => {}
                ("requiredValue", Some(_)) => {
                    flags.required_claims.insert(claim, text()?);
                }
                ("claim", Some(_)) => {
                    flags.required_claims.insert(text()?, value);
                }
                _ => return None,
            }
        }
    }
    Some(())
}
