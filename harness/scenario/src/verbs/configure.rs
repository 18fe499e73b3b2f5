//! `configure`: the API server gets another authentication, or a provider another configuration.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use authlab_lab::control::{By, Configure as Change, Request, Response};
use authlab_lab::plan::{Authentication, fixture};
use authlab_lab::source::SourceError;
use authlab_lab::spec::ProviderKind;
use authlab_lab::state::Capability;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::json;
use serde_saphyr::Spanned;

use super::{Loading, Task, Verb, provider};
use crate::context::Context;
use crate::fault::Fault;
use crate::format::{TextMatch, Word};
use crate::seen::Seen;

/// Gives the API server another authentication and waits until it is in force or refused. Standing
/// first and expected to come into force, it belongs to the lab's identity: the lab then starts
/// with it. At the end of the scenario the lab's own authentication is brought back.
///
/// With `idp` and `config` instead, a Dex is started anew with another configuration file, at the
/// same address; at the end of the scenario its own file is brought back.
///
/// ```yaml
/// - configure: { authentication: kubernetes/dex.yaml }
/// - configure: { flags: { oidc-client-id: kube }, expect: { refused: { message: { contains: issuer } } } }
/// - configure: { idp: dex, config: dex/config.yaml }
/// ```
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(crate) struct Configure {
    /// An `AuthenticationConfiguration` file, a path below `fixtures/`.
    #[serde(default)]
    #[schemars(with = "Option<PathBuf>")]
    authentication: Option<Spanned<PathBuf>>,
    /// `--oidc-*` flags without their dashes; a repeated flag takes a list.
    #[serde(default, deserialize_with = "authlab_lab::spec::flags")]
    #[schemars(schema_with = "authlab_lab::spec::flags_schema")]
    flags: BTreeMap<String, Vec<String>>,
    /// `auto` (when left out): the file is replaced under the running server where only a file
    /// changes. `restart`: the server starts again.
    #[serde(default)]
    by: By,
    /// The identity provider that gets another configuration, by its name in the lab file.
    #[serde(default)]
    #[schemars(with = "Option<String>")]
    idp: Option<Spanned<String>>,
    /// Its configuration file, a path below `fixtures/`.
    #[serde(default)]
    #[schemars(with = "Option<PathBuf>")]
    config: Option<Spanned<PathBuf>>,
    /// The API server, by its name in the lab file; `default` when left out.
    #[serde(default)]
    #[schemars(with = "Option<String>")]
    cluster: Option<Spanned<String>>,
    /// What must happen; `inForce` when left out.
    #[serde(default)]
    expect: Option<Word<Expect>>,
}

/// What becomes of a new configuration.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
enum Expect {
    /// It is used.
    InForce {},
    /// It is refused, and the old one is kept.
    Refused(Refused),
}

#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Refused {
    /// The words of the API server, or of the product.
    #[serde(default)]
    message: Option<TextMatch>,
}

impl Configure {
    fn authentication(&self, root: &Path) -> Result<Authentication, SourceError> {
        let config = match &self.authentication {
            Some(path) => Some(fixture(root, &path.value)?),
            None => None,
        };
        let flags = self.flags.clone();
        Ok(Authentication { config, flags })
    }

    /// Whether it is the API server that gets something else, not a provider.
    pub fn is_of_api_server(&self) -> bool {
        self.idp.is_none()
    }

    fn wanted(&self) -> (&'static str, Option<&TextMatch>) {
        match self.expect.as_deref() {
            None | Some(Expect::InForce {}) => ("in force", None),
            Some(Expect::Refused(refused)) => ("refused", refused.message.as_ref()),
        }
    }
}

impl Configure {
    /// What the lab host is asked to do.
    fn request(&self, root: &Path, cluster: Option<String>) -> Result<Request, SourceError> {
        match (&self.idp, &self.config) {
            (Some(idp), Some(config)) => Ok(Request::ConfigureProvider {
                provider: idp.value.clone(),
                config: fixture(root, &config.value)?,
            }),
            _ => Ok(Request::Configure(Change {
                authentication: self.authentication(root)?,
                by: self.by,
                cluster,
            })),
        }
    }

    /// Either the API server or a provider is configured, with a file that is there.
    fn targets(&self, loading: &Loading<'_>) -> Result<(), SourceError> {
        let refuse = |place, message: &str, help: &str| {
            let error = loading.source.error(place, message, "of this `configure`");
            Err(error.or_help(help))
        };
        match (&self.idp, &self.config) {
            (Some(idp), None) => {
                let help = "name a path below `fixtures/`";
                refuse(idp.referenced, "a provider needs a `config`", help)
            }
            (None, Some(config)) => {
                let help = "name an identity provider of the lab";
                refuse(config.referenced, "a `config` needs an `idp`", help)
            }
            (Some(idp), Some(_)) if self.authentication.is_some() || !self.flags.is_empty() => {
                let help = "make it two steps";
                let message = "this configures a provider and the API server at once";
                refuse(idp.referenced, message, help)
            }
            (Some(idp), Some(_)) => {
                for (_, provider) in provider::named(loading, idp)? {
                    if provider.kind != ProviderKind::Dex {
                        let message = "only a Dex can be given another configuration";
                        return refuse(idp.referenced, message, "use another lab");
                    }
                }
                Ok(())
            }
            (None, None) => Ok(()),
        }
    }
}

impl Verb for Configure {
    fn summary(&self) -> String {
        let files = [&self.authentication, &self.config].into_iter().flatten();
        let mut parts: Vec<String> = self
            .idp
            .iter()
            .map(|idp| format!("{}:", idp.value))
            .chain(files.map(|path| path.value.display().to_string()))
            .collect();
        parts.extend(self.flags.keys().map(|flag| format!("--{flag}")));
        parts.join(" ")
    }

    fn needs_lab_alone(&self, _: &Loading<'_>) -> bool {
        true
    }

    fn leading(&self, loading: &Loading<'_>) -> Result<Option<Authentication>, SourceError> {
        match self.wanted().0 {
            "in force" if self.idp.is_none() && self.cluster.is_none() => {
                self.authentication(loading.root).map(Some)
            }
            _ => Ok(None),
        }
    }

    fn check(&self, loading: &Loading<'_>) -> Result<(), SourceError> {
        self.targets(loading)?;
        for path in [&self.authentication, &self.config].into_iter().flatten() {
            fixture(loading.root, &path.value).map_err(|error| {
                let placed = loading
                    .source
                    .error(path.referenced, error.to_string(), "named here");
                placed.or_help(error.help_text().unwrap_or("paths are below `fixtures/`"))
            })?;
        }
        Ok(())
    }

    fn reproduce(&self, _: &Context<'_>) -> Option<String> {
        let (path, whom) = match (&self.authentication, &self.config, &self.idp) {
            (Some(path), ..) => (path, "the API server"),
            (None, Some(path), Some(idp)) => (path, idp.value.as_str()),
            _ => return None,
        };
        Some(format!(
            "cargo xtask render --only {}   # then give it to {whom}",
            path.value.display()
        ))
    }

    fn needs(&self) -> Option<Capability> {
        Some(match self.idp {
            Some(_) => Capability::Providers,
            None => Capability::Configure,
        })
    }

    fn cluster(&self) -> Option<&Spanned<String>> {
        self.cluster.as_ref()
    }

    fn run<'a>(&'a self, context: &'a mut Context<'_>) -> Task<'a, Result<Seen, Fault>> {
        Box::pin(async move {
            let request = self.request(context.root, context.cluster())?;
            // Set before: a change that is given up half-way must be undone too.
            context.changed = true;
            let (word, words) = match context.host(&request).await? {
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
