//! `can`: whether one may do something.

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::json;
use serde_saphyr::Spanned;

use authlab_lab::source::SourceError;

use super::denial::because;
use super::question::{Answered, Question, Target};
use super::{Loading, Stance, Task, Verb};
use crate::context::Context;
use crate::fault::Fault;
use crate::format::Word;
use crate::reason::{Because, parse};
use crate::reproduce;
use crate::seen::Seen;

/// Asks the API server whether something is allowed: with a credential (SelfSubjectAccessReview), or
/// as the lab's administrator for a user and groups (SubjectAccessReview).
///
/// ```yaml
/// - can: { as: jane, verb: create, resource: deployments.apps, namespace: dev, expect: allowed }
/// - can: { user: bob, groups: [dev], verb: get, path: /metrics, expect: { denied: { because: none } } }
/// ```
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(crate) struct Can {
    /// The API server, by its name in the lab file; `default` when left out.
    #[serde(default)]
    #[schemars(with = "Option<String>")]
    cluster: Option<Spanned<String>>,
    /// The credential that asks for itself.
    #[serde(default, rename = "as")]
    #[schemars(with = "Option<String>")]
    as_: Option<Spanned<String>>,
    /// Instead of a credential: the user name that is asked about.
    #[serde(default)]
    user: Option<String>,
    /// With `user`, or alone: the groups that are asked about.
    #[serde(default)]
    groups: Vec<String>,
    /// The verb, for example `get`, `create`, `*`.
    #[schemars(with = "String")]
    verb: Spanned<String>,
    /// The resource, `pods` or with its group `deployments.apps`.
    #[serde(default)]
    resource: Option<String>,
    /// The subresource, for example `log`.
    #[serde(default)]
    subresource: Option<String>,
    /// The object's name.
    #[serde(default)]
    name: Option<String>,
    /// The namespace; left out, the whole cluster.
    #[serde(default)]
    namespace: Option<String>,
    /// Instead of a resource: a path, for example `/metrics`.
    #[serde(default)]
    path: Option<String>,
    /// The verdict.
    expect: Word<Expect>,
}

/// A verdict and, where it matters, its reason.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
enum Expect {
    /// It is allowed.
    Allowed(Why),
    /// It is denied.
    Denied(Why),
}

#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Why {
    /// The reason, as data.
    #[serde(default)]
    because: Option<Because>,
}

impl Can {
    fn question(&self) -> Question {
        let target = match &self.path {
            Some(path) => Target::Path(path.clone()),
            None => Target::Resource {
                resource: self.resource.clone().unwrap_or_default(),
                subresource: self.subresource.clone(),
                name: self.name.clone(),
                namespace: self.namespace.clone(),
            },
        };
        Question {
            verb: self.verb.value.clone(),
            target,
        }
    }

    fn subject(&self) -> String {
        match (&self.as_, &self.user) {
            (Some(as_), _) => as_.value.clone(),
            (None, Some(user)) => user.clone(),
            (None, None) => self.groups.join(", "),
        }
    }

    fn wanted(&self) -> (&'static str, &Why) {
        match &*self.expect {
            Expect::Allowed(why) => ("allowed", why),
            Expect::Denied(why) => ("denied", why),
        }
    }
}

impl Verb for Can {
    fn summary(&self) -> String {
        let question = self.question().can_i();
        let question = question.strip_suffix(" -A").unwrap_or(&question);
        format!("{} {question}", self.subject())
    }

    fn uses(&self) -> Vec<&Spanned<String>> {
        self.as_.iter().collect()
    }

    fn stance(&self) -> Stance {
        match &*self.expect {
            Expect::Allowed(_) => Stance::Success,
            Expect::Denied(_) => Stance::Denial,
        }
    }

    fn check(&self, loading: &Loading<'_>) -> Result<(), SourceError> {
        let refuse = |message: &str, help: &str| {
            let error = loading
                .source
                .error(self.verb.referenced, message, "in this question");
            Err(error.or_help(help))
        };
        if self.as_.is_some() == (self.user.is_some() || !self.groups.is_empty()) {
            return refuse(
                "a question is about one subject",
                "give `as`, a credential, or else `user` and `groups`",
            );
        }
        if self.path.is_some() == self.resource.is_some() {
            return refuse(
                "a question is about one target",
                "give either `resource` or `path`",
            );
        }
        let narrowed =
            self.subresource.is_some() || self.name.is_some() || self.namespace.is_some();
        if self.path.is_some() && narrowed {
            return refuse(
                "a path has no subresource, name or namespace",
                "leave them out, or ask about a `resource`",
            );
        }
        Ok(())
    }

    fn reproduce(&self, context: &Context<'_>) -> Option<String> {
        let question = self.question().can_i();
        if let Some(as_) = &self.as_ {
            let credential = context.credential(&as_.value).ok()?;
            let kubectl = reproduce::kubectl(context, credential);
            return Some(format!("{kubectl} auth can-i {question}"));
        }
        let subject = crate::format::Impersonate {
            user: self.user.clone(),
            groups: self.groups.clone(),
            ..Default::default()
        };
        let kubectl = reproduce::kubectl(context, context.api.admin());
        Some(format!(
            "{kubectl} auth can-i {question}{}",
            subject.kubectl()
        ))
    }

    fn cluster(&self) -> Option<&Spanned<String>> {
        self.cluster.as_ref()
    }

    fn run<'a>(&'a self, context: &'a mut Context<'_>) -> Task<'a, Result<Seen, Fault>> {
        Box::pin(async move {
            let question = self.question();
            let api = &context.api;
            let user = self.user.as_deref().unwrap_or_default();
            let answer = match &self.as_ {
                Some(as_) => {
                    let credential = context.credential(&as_.value)?;
                    question.ask_self(context, credential).await?
                }
                None => question.ask_for(api, user, &self.groups).await?,
            };
            let (word, words) = match answer {
                Answered::Allowed(words) => ("allowed", words),
                Answered::Denied(words) => ("denied", words),
                Answered::Refused(word, words) => (word, words),
            };
            let data = json!({
                "verdict": word,
                "message": words,
                "because": parse(&words).data(),
            });
            let mut seen = Seen::new(data);
            let (wanted, why) = self.wanted();
            seen.row("verdict", wanted, word, wanted == word);
            if wanted == word {
                because(why.because.as_ref(), &words, &mut seen);
            } else {
                seen.because(words);
            }
            if word == "denied" && wanted == "allowed" {
                seen.nearest = match &self.as_ {
                    Some(as_) => {
                        question
                            .nearest_to(api, context.credential(&as_.value)?)
                            .await
                    }
                    None => question.nearest_for(api, user, &self.groups).await,
                };
            }
            Ok(seen)
        })
    }
}
