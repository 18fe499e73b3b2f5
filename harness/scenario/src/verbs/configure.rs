//! `configure`: the API server gets another authentication.

use std::collections::BTreeMap;
use std::path::PathBuf;

use authlab_lab::control::{By, Configure as Change, Request, Response};
use authlab_lab::plan::{Authentication, fixture};
use authlab_lab::source::SourceError;
use serde::Deserialize;
use serde_json::json;
use serde_saphyr::Spanned;

use super::{Loading, Task, Verb};
use crate::context::Context;
use crate::fault::Fault;
use crate::format::{TextMatch, Word};
use crate::seen::Seen;

/// Gives the API server another authentication and waits until it is in force or refused. Standing
/// first and expected to come into force, it belongs to the lab's identity: the lab then starts
/// with it. At the end of the scenario the lab's own authentication is brought back.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(crate) struct Configure {
    /// An `AuthenticationConfiguration` file, a path below `fixtures/`.
    #[serde(default)]
    authentication: Option<Spanned<PathBuf>>,
    /// `--oidc-*` flags without their dashes; a repeated flag takes a list.
    #[serde(default, deserialize_with = "authlab_lab::spec::flags")]
    flags: BTreeMap<String, Vec<String>>,
    /// `auto` (when left out): the file is replaced under the running server where only a file
    /// changes. `restart`: the server starts again.
    #[serde(default)]
    by: By,
    /// What must happen; `inForce` when left out.
    #[serde(default)]
    expect: Option<Word<Expect>>,
}

/// What becomes of a new authentication.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
enum Expect {
    /// The API server uses it.
    InForce {},
    /// The API server refuses it and keeps the old one.
    Refused(Refused),
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Refused {
    /// The API server's words.
    #[serde(default)]
    message: Option<TextMatch>,
}

impl Configure {
    fn authentication(&self, root: &std::path::Path) -> Result<Authentication, SourceError> {
        let config = match &self.authentication {
            Some(path) => Some(fixture(root, &path.value)?),
            None => None,
        };
        let flags = self.flags.clone();
        Ok(Authentication { config, flags })
    }

    fn wanted(&self) -> (&'static str, Option<&TextMatch>) {
        match self.expect.as_deref() {
            None | Some(Expect::InForce {}) => ("in force", None),
            Some(Expect::Refused(refused)) => ("refused", refused.message.as_ref()),
        }
    }
}

impl Verb for Configure {
    fn summary(&self) -> String {
        let mut parts: Vec<String> = self
            .authentication
            .iter()
            .map(|path| path.value.display().to_string())
            .collect();
        parts.extend(self.flags.keys().map(|flag| format!("--{flag}")));
        parts.join(" ")
    }

    fn needs_lab_alone(&self, _: &Loading<'_>) -> bool {
        true
    }

    fn leading(&self, loading: &Loading<'_>) -> Result<Option<Authentication>, SourceError> {
        match self.wanted().0 {
            "in force" => self.authentication(loading.root).map(Some),
            _ => Ok(None),
        }
    }

    fn check(&self, loading: &Loading<'_>) -> Result<(), SourceError> {
        let Some(path) = &self.authentication else {
            return Ok(());
        };
        fixture(loading.root, &path.value)
            .map(drop)
            .map_err(|error| {
                let placed = loading
                    .source
                    .error(path.referenced, error.to_string(), "named here");
                placed.or_help(error.help_text().unwrap_or("paths are below `fixtures/`"))
            })
    }

    fn reproduce(&self, _: &Context<'_>) -> Option<String> {
        let path = self.authentication.as_ref()?;
        Some(format!(
            "cargo xtask render {}   # then give it to the API server",
            path.value.display()
        ))
    }

    fn run<'a>(&'a self, context: &'a mut Context<'_>) -> Task<'a, Result<Seen, Fault>> {
        Box::pin(async move {
            let change = Change {
                authentication: self.authentication(context.root)?,
                by: self.by,
            };
            // Set before: a change that is given up half-way must be undone too.
            context.configured = true;
            let (word, words) = match context.host(&Request::Configure(change)).await? {
                Response::InForce => ("in force", None),
                Response::Refused { message } => ("refused", Some(message)),
                _ => return Err(Fault::other("the lab host answered to another question")),
            };
            let mut seen = Seen::new(json!({ "verdict": word, "message": words }));
            let (wanted, expected) = self.wanted();
            seen.row("verdict", wanted, word, wanted == word);
            if let (Some(expected), Some(words)) = (expected, &words) {
                seen.row("message", expected.describe(), words, expected.holds(words));
            }
            seen.because(words.unwrap_or_default());
            Ok(seen)
        })
    }
}
