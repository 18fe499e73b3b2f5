//! `forgeries`: several hundred forged tokens, and what becomes of each.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use authlab_idp::forge::Forgery;
use authlab_lab::control::{Request, Response};
use authlab_lab::plan::fixture;
use authlab_lab::render::Values;
use authlab_lab::source::SourceError;
use authlab_lab::spec::ProviderKind;
use reqwest::header::HeaderValue;
use schemars::JsonSchema;
use secrecy::ExposeSecret;
use serde::Deserialize;
use serde_json::{Map, Value, json};
use serde_saphyr::Spanned;

use super::{Loading, Stance, Task, Verb};
use crate::api::Call;
use crate::context::Context;
use crate::credential::Credential;
use crate::fault::Fault;
use crate::observe;
use crate::seen::Seen;

/// Has a forge make its corpus of forged tokens and shows each to the API server, as a bearer token where it fits in
/// a header, and in a TokenReview. The expectations are a file below `fixtures/`: names of tokens with the words of
/// their refusal, and of those that are accepted with the user name. Every token must be in it.
///
/// ```yaml
/// - forgeries: { idp: forge, claims: { sub: ada, aud: kube }, expect: forged/reasons.yaml }
/// ```
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(crate) struct Forgeries {
    /// The forge, by its name in the lab file.
    #[schemars(with = "String")]
    idp: Spanned<String>,
    /// The claims of the honest token that all the others are made of.
    claims: BTreeMap<String, Value>,
    /// What must become of each token, a path below `fixtures/`.
    #[schemars(with = "PathBuf")]
    expect: Spanned<PathBuf>,
}

/// The file of expectations.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Verdicts {
    /// Tokens by name, and the words with which each is refused.
    refused: BTreeMap<String, String>,
    /// Tokens by name that are accepted, and for whom: without them it would be no wonder that the others are refused.
    accepted: BTreeMap<String, String>,
}

/// Longer tokens are reviewed only: servers limit the length of a header, each in its own way.
const LONGEST_HEADER: usize = 8000;

impl Forgeries {
    fn verdicts(&self, root: &Path) -> Result<Verdicts, SourceError> {
        fixture(root, &self.expect.value)?.source().parse()
    }
}

/// What became of a token.
#[derive(Debug, PartialEq, Eq)]
enum Verdict {
    Refused(String),
    Accepted(String),
}

impl Verdict {
    /// Without what differs from lab to lab and from run to run.
    fn portable(&self, values: &Values) -> Self {
        let text = |text: &str| {
            let portable = observe::portable(json!(text), values);
            portable.as_str().unwrap_or_default().to_owned()
        };
        match self {
            Self::Refused(words) => Self::Refused(text(words)),
            Self::Accepted(name) => Self::Accepted(text(name)),
        }
    }

    fn describe(&self) -> String {
        match self {
            Self::Refused(words) => format!("refused: {words}"),
            Self::Accepted(name) => format!("accepted as {name}"),
        }
    }
}

impl Verb for Forgeries {
    fn summary(&self) -> String {
        format!("by {}, as {}", self.idp.value, self.expect.value.display())
    }

    fn stance(&self) -> Stance {
        Stance::Both
    }

    fn weight(&self) -> usize {
        50
    }

    fn check(&self, loading: &Loading<'_>) -> Result<(), SourceError> {
        let source = loading.source;
        for plan in loading.plans {
            let provider = plan.providers.get(&self.idp.value);
            if provider.is_none_or(|provider| provider.kind != ProviderKind::Forge) {
                let (lab, name) = (&plan.lab, &self.idp.value);
                let message = format!("the lab `{lab}` has no forge `{name}`");
                return Err(source.error(self.idp.referenced, message, "named here"));
            }
        }
        let verdicts = self.verdicts(loading.root).map_err(|error| {
            if error.location().is_some() {
                return error;
            }
            let placed = source.error(self.expect.referenced, error.to_string(), "named here");
            placed.or_help("paths are below `fixtures/`")
        })?;
        let place = self.expect.referenced;
        if verdicts.accepted.is_empty() {
            let error = source.error(place, "this file accepts no token", "named here");
            return Err(error.or_help("list `shape/honest`, else refusals prove nothing"));
        }
        let both = verdicts
            .refused
            .keys()
            .find(|name| verdicts.accepted.contains_key(*name));
        match both {
            Some(name) => {
                let message = format!("`{name}` is both refused and accepted");
                Err(source.error(place, message, "in this file"))
            }
            None => Ok(()),
        }
    }

    fn run<'a>(&'a self, context: &'a mut Context<'_>) -> Task<'a, Result<Seen, Fault>> {
        Box::pin(async move {
            let request = Request::Forgeries {
                provider: self.idp.value.clone(),
                claims: self.claims.clone().into_iter().collect(),
            };
            let Response::Forgeries { tokens } = context.host(&request).await? else {
                return Err(Fault::other("the lab host answered without tokens"));
            };
            let verdicts = self.verdicts(context.root)?;
            let expected = expected(verdicts);
            let mut seen = Seen::default();
            let mut data = Map::new();
            let mut as_listed = 0;
            for forgery in &tokens {
                context.learn(&forgery.token);
                let found = verdict(context, forgery).await?;
                let wanted = expected.get(&forgery.name);
                // Times that are the same in every run may be written out.
                let portable = found.portable(&context.values);
                data.insert(forgery.name.clone(), json!(portable.describe()));
                if [Some(&found), Some(&portable)].contains(&wanted) {
                    as_listed += 1;
                    continue;
                }
                let wanted = wanted.map_or("not in the file".to_owned(), Verdict::describe);
                seen.row(&forgery.name, wanted, found.describe(), false);
            }
            let names: BTreeSet<&str> = tokens.iter().map(|token| token.name.as_str()).collect();
            for (name, wanted) in &expected {
                if !names.contains(name.as_str()) {
                    seen.row(name, wanted.describe(), "no such token", false);
                }
            }
            let all = tokens.len();
            let what = format!("{as_listed} of {all}");
            seen.row(
                "as listed",
                format!("{all} of {all}"),
                what,
                as_listed == all,
            );
            seen.data = Value::Object(data);
            Ok(seen)
        })
    }
}

fn expected(verdicts: Verdicts) -> BTreeMap<String, Verdict> {
    let refused = verdicts.refused.into_iter();
    let refused = refused.map(|(name, words)| (name, Verdict::Refused(words)));
    let accepted = verdicts.accepted.into_iter();
    refused
        .chain(accepted.map(|(name, user)| (name, Verdict::Accepted(user))))
        .collect()
}

/// Asks twice: what a review refuses, a request must not get by with.
async fn verdict(context: &Context<'_>, forgery: &Forgery) -> Result<Verdict, Fault> {
    let status = context.api.review(&forgery.token, &[]).await?;
    let words = status["error"].as_str().unwrap_or_default();
    let reviewed = if status["authenticated"] == true {
        let name = status["user"]["username"].as_str().unwrap_or_default();
        Verdict::Accepted(name.to_owned())
    } else {
        Verdict::Refused(words.to_owned())
    };
    let token = forgery.token.expose_secret();
    let fits = token.len() < LONGEST_HEADER && HeaderValue::from_str(token).is_ok();
    if !fits || matches!(reviewed, Verdict::Accepted(_)) {
        return Ok(reviewed);
    }
    let credential = Credential::bearer(forgery.token.clone());
    let answer = context.api.send(&credential, Call::get("/api")).await?;
    match answer.status {
        401 => Ok(reviewed),
        status => Ok(Verdict::Accepted(format!(
            "somebody, with status {status}, though a review refuses it"
        ))),
    }
}
