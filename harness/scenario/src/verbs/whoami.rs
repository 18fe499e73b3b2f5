//! `whoami`: who one is to the API server.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;

use authlab_lab::source::SourceError;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Deserialize;
use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserializer, Error, MapAccess, Visitor};
use serde_json::json;
use serde_saphyr::Spanned;

use super::denial::{Denial, Gate};
use super::user::{Groups, User};
use super::{Loading, Stance, Task, Verb};
use crate::api::Call;
use crate::context::Context;
use crate::fault::Fault;
use crate::format::{Impersonate, OneOrMany};
use crate::reproduce;
use crate::seen::Seen;

/// Asks the API server, with a credential, who its bearer is (SelfSubjectReview). The reason of a
/// 401 comes from a TokenReview by the lab's administrator, since the 401 itself has none.
///
/// ```yaml
/// - whoami: { as: jane, expect: { username: "dex:jane@example.com", groups: { contains: ["dex:dev"] } } }
/// - whoami: { as: ada, expect: unauthorized }
/// - whoami: { as: ada, expect: { unauthorized: { because: { audience: { got: [other], want: [kube] } } } } }
/// - whoami: { as: admin, impersonate: { user: bob }, expect: { username: bob } }
/// ```
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(crate) struct Whoami {
    /// The credential, by the name that a step kept it under; `admin` and `anonymous` always exist.
    #[serde(rename = "as")]
    #[schemars(with = "String")]
    as_: Spanned<String>,
    /// Speaks for somebody else.
    #[serde(default)]
    impersonate: Option<Impersonate>,
    /// The API server, by its name in the lab file; `default` when left out.
    #[serde(default)]
    #[schemars(with = "Option<String>")]
    cluster: Option<Spanned<String>>,
    /// What must come back.
    #[schemars(with = "Wanted")]
    expect: Spanned<Wanted>,
    /// CEL booleans over `seen`, the user (`username`, `uid`, `groups`, `extra`).
    #[serde(default)]
    #[schemars(with = "Option<OneOrMany<String>>")]
    check: Option<Spanned<OneOrMany<String>>>,
}

/// Either fields of the user, or one of `unauthorized` and `forbidden`.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Expect {
    /// The user name.
    #[serde(default)]
    username: Option<String>,
    /// The uid.
    #[serde(default)]
    uid: Option<String>,
    /// The groups.
    #[serde(default)]
    groups: Option<Groups>,
    /// Extra attributes.
    #[serde(default)]
    extra: BTreeMap<String, Vec<String>>,
    /// The API server does not accept the credential (401).
    #[serde(default)]
    unauthorized: Option<Denial>,
    /// The API server knows the bearer and refuses the request (403), for example an impersonation.
    #[serde(default)]
    forbidden: Option<Denial>,
}

/// The same, where a refusal may be a word alone: `unauthorized` is short for `unauthorized: {}`.
#[derive(Debug)]
struct Wanted(Expect);

/// The refusals.
const WORDS: [&str; 2] = ["unauthorized", "forbidden"];

impl<'de> Deserialize<'de> for Wanted {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Form;
        impl<'de> Visitor<'de> for Form {
            type Value = Wanted;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("fields of a user, `unauthorized`, or `forbidden`")
            }

            fn visit_str<E: Error>(self, word: &str) -> Result<Wanted, E> {
                let denial = |named: &str| (word == named).then(Denial::default);
                let [unauthorized, forbidden] = WORDS.map(denial);
                if unauthorized.is_none() && forbidden.is_none() {
                    return Err(E::unknown_variant(word, &WORDS));
                }
                Ok(Wanted(Expect {
                    unauthorized,
                    forbidden,
                    ..Expect::default()
                }))
            }

            // `yes` without quotes is one of these.
            fn visit_bool<E: Error>(self, word: bool) -> Result<Wanted, E> {
                self.visit_str(if word { "true" } else { "false" })
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Wanted, A::Error> {
                Expect::deserialize(MapAccessDeserializer::new(map)).map(Wanted)
            }
        }
        deserializer.deserialize_any(Form)
    }
}

impl JsonSchema for Wanted {
    fn schema_name() -> Cow<'static, str> {
        "WantedUser".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let fields = generator.subschema_for::<Expect>();
        json_schema!({ "anyOf": [{ "enum": WORDS }, fields] })
    }
}

impl Expect {
    fn user(&self) -> User {
        User {
            username: self.username.clone(),
            uid: self.uid.clone(),
            groups: self.groups.clone(),
            extra: self.extra.clone(),
        }
    }

    fn has_user(&self) -> bool {
        self.username.is_some()
            || self.uid.is_some()
            || self.groups.is_some()
            || !self.extra.is_empty()
    }

    fn word(&self) -> &'static str {
        match (&self.unauthorized, &self.forbidden) {
            (Some(_), _) => "unauthorized",
            (_, Some(_)) => "forbidden",
            _ => "a user",
        }
    }
}

impl Verb for Whoami {
    fn summary(&self) -> String {
        let other = self
            .impersonate
            .as_ref()
            .and_then(|other| other.user.as_deref());
        match other {
            Some(other) => format!("{} as {other}", self.as_.value),
            None => self.as_.value.clone(),
        }
    }

    fn uses(&self) -> Vec<&Spanned<String>> {
        vec![&self.as_]
    }

    fn stance(&self) -> Stance {
        match self.expect.value.0.word() {
            "a user" => Stance::Success,
            _ => Stance::Denial,
        }
    }

    fn check(&self, loading: &Loading<'_>) -> Result<(), SourceError> {
        let expect = &self.expect.value.0;
        let words = [
            expect.has_user(),
            expect.unauthorized.is_some(),
            expect.forbidden.is_some(),
        ];
        if words.iter().filter(|given| **given).count() > 1 {
            return Err(loading
                .source
                .error(
                    self.expect.referenced,
                    "this expects two answers at once",
                    "one of them cannot hold",
                )
                .or_help("expect fields of the user, or `unauthorized`, or `forbidden`"));
        }
        Ok(())
    }

    fn checks(&self) -> Option<&Spanned<OneOrMany<String>>> {
        self.check.as_ref()
    }

    fn reproduce(&self, context: &Context<'_>) -> Option<String> {
        let credential = context.credential(&self.as_.value).ok()?;
        let other = self.impersonate.as_ref().map(Impersonate::kubectl);
        Some(format!(
            "{} auth whoami -o yaml{}",
            reproduce::kubectl(context, credential),
            other.unwrap_or_default()
        ))
    }

    fn cluster(&self) -> Option<&Spanned<String>> {
        self.cluster.as_ref()
    }

    fn run<'a>(&'a self, context: &'a mut Context<'_>) -> Task<'a, Result<Seen, Fault>> {
        Box::pin(async move {
            let credential = context.credential(&self.as_.value)?;
            let body = json!({
                "apiVersion": "authentication.k8s.io/v1",
                "kind": "SelfSubjectReview",
            });
            let path = "/apis/authentication.k8s.io/v1/selfsubjectreviews";
            let call = Call::post(path, &body).impersonating(self.impersonate.as_ref());
            let answer = context.api.send(credential, call).await?;
            let expect = &self.expect.value.0;
            Ok(match Gate::of(answer, credential, context).await? {
                Gate::Open(review) => {
                    let user = &review["status"]["userInfo"];
                    let mut seen = Seen::new(user.clone());
                    if expect.word() != "a user" {
                        let name = user["username"].as_str().unwrap_or_default();
                        seen.row("verdict", expect.word(), format!("let in as {name}"), false);
                    }
                    expect.user().compare(user, &mut seen);
                    seen
                }
                Gate::Unauthorized(words) => {
                    refused("unauthorized", &words, expect, expect.unauthorized.as_ref())
                }
                Gate::Forbidden(words) => {
                    refused("forbidden", &words, expect, expect.forbidden.as_ref())
                }
            })
        })
    }
}

fn refused(word: &str, words: &str, expect: &Expect, denial: Option<&Denial>) -> Seen {
    let mut seen = Seen::new(Gate::refused(word, words));
    seen.row("verdict", expect.word(), word, expect.word() == word);
    match denial {
        Some(denial) => denial.compare(words, &mut seen),
        None => seen.because(words),
    }
    seen
}
