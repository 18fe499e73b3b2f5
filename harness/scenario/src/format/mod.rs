//! The shape of a scenario file: what a person writes under `scenarios/`.

mod text;
mod word;

use std::collections::BTreeMap;

use authlab_lab::state::Capability;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_saphyr::Spanned;

pub(crate) use text::TextMatch;
pub(crate) use word::{OneOrMany, Word};

use crate::verbs::Step;

/// A scenario file: named steps with expectations, bound to one or more labs.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct File {
    /// One sentence that says what holds when every step passes.
    #[schemars(with = "String")]
    pub name: Spanned<String>,
    /// The lab, or the labs, by name; each is a run of its own.
    #[schemars(with = "OneOrMany<String>")]
    pub lab: Spanned<OneOrMany<String>>,
    /// What the lab must be able to do beyond answering on the network.
    #[serde(default)]
    #[schemars(with = "Vec<Capability>")]
    pub requires: Vec<Spanned<Capability>>,
    /// Kubernetes versions for which this holds, for example `">=1.35"`. Others skip the scenario.
    #[serde(default)]
    #[schemars(with = "Option<String>")]
    pub kubernetes: Option<Spanned<String>>,
    /// What is done, in order. Each step has one verb; its `expect` stands inside the verb's braces.
    #[schemars(with = "Vec<Step>")]
    pub steps: Vec<Spanned<Step>>,
}

/// Another user whom a request speaks for (`Impersonate-*` headers).
#[derive(Debug, Default, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Impersonate {
    /// `Impersonate-User`.
    #[serde(default)]
    pub user: Option<String>,
    /// `Impersonate-Group`, one header each.
    #[serde(default)]
    pub groups: Vec<String>,
    /// `Impersonate-Uid`.
    #[serde(default)]
    pub uid: Option<String>,
    /// `Impersonate-Extra-<key>`, one header for each value.
    #[serde(default)]
    pub extra: BTreeMap<String, Vec<String>>,
}

impl Impersonate {
    /// The headers, keys of `extra` percent-encoded as the API server decodes them.
    pub fn headers(&self) -> Vec<(String, String)> {
        let mut headers = Vec::new();
        if let Some(user) = &self.user {
            headers.push(("Impersonate-User".to_owned(), user.clone()));
        }
        for group in &self.groups {
            headers.push(("Impersonate-Group".to_owned(), group.clone()));
        }
        if let Some(uid) = &self.uid {
            headers.push(("Impersonate-Uid".to_owned(), uid.clone()));
        }
        for (key, values) in &self.extra {
            let key: String = url::form_urlencoded::byte_serialize(key.as_bytes()).collect();
            for value in values {
                headers.push((format!("Impersonate-Extra-{key}"), value.clone()));
            }
        }
        headers
    }

    /// The flags of kubectl that do the same.
    pub fn kubectl(&self) -> String {
        use std::fmt::Write as _;
        let mut out = String::new();
        let mut flag = |name: &str, value: &str| {
            let _ = write!(out, " --{name}={}", crate::reproduce::quote(value));
        };
        if let Some(user) = &self.user {
            flag("as", user);
        }
        for group in &self.groups {
            flag("as-group", group);
        }
        if let Some(uid) = &self.uid {
            flag("as-uid", uid);
        }
        for (key, values) in &self.extra {
            for value in values {
                flag("as-user-extra", &format!("{key}={value}"));
            }
        }
        out
    }
}
