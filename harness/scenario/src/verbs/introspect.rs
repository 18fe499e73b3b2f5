//! `introspect`: what a provider thinks of a token.

use authlab_lab::source::SourceError;
use authlab_lab::spec::ClientSpec;
use schemars::JsonSchema;
use secrecy::SecretString;
use serde::Deserialize;
use serde_json::json;
use serde_saphyr::Spanned;

use super::provider::{self, Claims, Endpoint, Refused, refused};
use super::{Loading, Stance, Task, Verb};
use crate::context::Context;
use crate::credential::TokenKind;
use crate::fault::Fault;
use crate::format::{OneOrMany, Word};
use crate::oauth::Told;
use crate::seen::Seen;

/// Asks the provider whether a token is good (RFC 7662). Keycloak answers only to a client with a
/// secret; Dex answers to everybody.
///
/// ```yaml
/// - introspect: { idp: keycloak, as: jane, client: { id: robot, secret: s }, expect: { active: { claims: { username: jane } } } }
/// - introspect: { idp: dex, as: jane, token: refresh, expect: inactive }
/// ```
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(crate) struct Introspect {
    /// The identity provider, by its name in the lab file.
    #[schemars(with = "String")]
    idp: Spanned<String>,
    /// The credential whose token is asked about.
    #[serde(rename = "as")]
    #[schemars(with = "String")]
    as_: Spanned<String>,
    /// Which of its tokens: `access` (when left out), `refresh` or `id`.
    #[serde(default = "TokenKind::access")]
    token: TokenKind,
    /// Who asks; the client that the token was issued to when left out.
    #[serde(default)]
    client: Option<ClientSpec>,
    /// What must come back.
    expect: Word<Expect>,
    /// CEL booleans over `seen`: `seen.claims` are what the provider tells.
    #[serde(default)]
    #[schemars(with = "Option<OneOrMany<String>>")]
    check: Option<Spanned<OneOrMany<String>>>,
}

/// The answer of an introspection.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
enum Expect {
    /// The token is good.
    Active(Claims),
    /// The token is not good, for example revoked.
    Inactive {},
    /// The provider does not answer to this client.
    Refused(Refused),
}

impl Introspect {
    fn wanted(&self) -> (&'static str, Option<&Refused>) {
        match &*self.expect {
            Expect::Active(_) => ("active", None),
            Expect::Inactive {} => ("inactive", None),
            Expect::Refused(refused) => ("refused", Some(refused)),
        }
    }
}

impl Verb for Introspect {
    fn summary(&self) -> String {
        let kind = self.token.words();
        format!("{}'s {kind} at {}", self.as_.value, self.idp.value)
    }

    fn uses(&self) -> Vec<&Spanned<String>> {
        vec![&self.as_]
    }

    fn secrets(&self) -> Vec<&SecretString> {
        provider::secret(self.client.as_ref()).into_iter().collect()
    }

    fn stance(&self) -> Stance {
        match self.wanted().0 {
            "active" => Stance::Success,
            _ => Stance::Denial,
        }
    }

    fn check(&self, loading: &Loading<'_>) -> Result<(), SourceError> {
        provider::has(loading, &self.idp, Endpoint::Introspection)
    }

    fn checks(&self) -> Option<&Spanned<OneOrMany<String>>> {
        self.check.as_ref()
    }

    fn reproduce(&self, context: &Context<'_>) -> Option<String> {
        let what = "-u \"$CLIENT_ID:$CLIENT_SECRET\" -d token=\"$TOKEN\"";
        provider::curl(context, &self.idp.value, Endpoint::Introspection, what)
    }

    fn run<'a>(&'a self, context: &'a mut Context<'_>) -> Task<'a, Result<Seen, Fault>> {
        Box::pin(async move {
            let token = provider::token_of(context, &self.as_.value, self.token)?;
            let client = self.client.as_ref();
            let speaker = provider::speaker(context, &self.idp.value, client, &self.as_.value)?;
            let (wanted, expected) = self.wanted();
            Ok(match speaker.introspect(&token, self.token).await? {
                Told::Refused(refusal) => refused(wanted, expected, &refusal),
                Told::Done(claims) => {
                    let active = claims["active"] == true;
                    let word = if active { "active" } else { "inactive" };
                    let mut seen = Seen::new(json!({ "verdict": word, "claims": claims }));
                    seen.row("verdict", wanted, word, wanted == word);
                    if let (Expect::Active(expected), true) = (&*self.expect, active) {
                        expected.compare(&claims, &mut seen);
                    }
                    seen
                }
            })
        })
    }
}
