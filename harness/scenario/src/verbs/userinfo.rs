//! `userinfo`: what a provider tells about the holder of a token.

use authlab_lab::source::SourceError;
use schemars::JsonSchema;
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

/// Shows a token to the provider's userinfo endpoint (OpenID Connect Core 1.0, section 5.3).
///
/// ```yaml
/// - userinfo: { idp: dex, as: jane, expect: { accepted: { claims: { email: jane@example.com } } } }
/// - userinfo: { idp: keycloak, as: jane, token: id, expect: { refused: { error: invalid_token } } }
/// ```
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(crate) struct Userinfo {
    /// The identity provider, by its name in the lab file.
    #[schemars(with = "String")]
    idp: Spanned<String>,
    /// The credential whose token is shown.
    #[serde(rename = "as")]
    #[schemars(with = "String")]
    as_: Spanned<String>,
    /// Which of its tokens: `access` (when left out) or `id`.
    #[serde(default = "TokenKind::access")]
    token: TokenKind,
    /// What must come back; `accepted` when left out.
    #[serde(default)]
    expect: Option<Word<Expect>>,
    /// CEL booleans over `seen`: `seen.claims` are what the provider tells.
    #[serde(default)]
    #[schemars(with = "Option<OneOrMany<String>>")]
    check: Option<Spanned<OneOrMany<String>>>,
}

/// The answer of a userinfo endpoint.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
enum Expect {
    /// The provider tells.
    Accepted(Claims),
    /// It does not take the token.
    Refused(Refused),
}

impl Userinfo {
    fn wanted(&self) -> (&'static str, Option<&Refused>) {
        match self.expect.as_deref() {
            None | Some(Expect::Accepted(_)) => ("accepted", None),
            Some(Expect::Refused(refused)) => ("refused", Some(refused)),
        }
    }
}

impl Verb for Userinfo {
    fn summary(&self) -> String {
        format!("{} at {}", self.as_.value, self.idp.value)
    }

    fn uses(&self) -> Vec<&Spanned<String>> {
        vec![&self.as_]
    }

    fn stance(&self) -> Stance {
        match self.wanted().0 {
            "accepted" => Stance::Success,
            _ => Stance::Denial,
        }
    }

    fn check(&self, loading: &Loading<'_>) -> Result<(), SourceError> {
        provider::has(loading, &self.idp, Endpoint::Userinfo)
    }

    fn checks(&self) -> Option<&Spanned<OneOrMany<String>>> {
        self.check.as_ref()
    }

    fn reproduce(&self, context: &Context<'_>) -> Option<String> {
        let what = "-H \"Authorization: Bearer $TOKEN\"";
        provider::curl(context, &self.idp.value, Endpoint::Userinfo, what)
    }

    fn run<'a>(&'a self, context: &'a mut Context<'_>) -> Task<'a, Result<Seen, Fault>> {
        Box::pin(async move {
            let token = provider::token_of(context, &self.as_.value, self.token)?;
            let speaker = provider::speaker(context, &self.idp.value, None, &self.as_.value)?;
            let (wanted, expected) = self.wanted();
            Ok(match speaker.userinfo(&token).await? {
                Told::Refused(refusal) => refused(wanted, expected, &refusal),
                Told::Done(claims) => {
                    let mut seen = Seen::new(json!({ "verdict": "accepted", "claims": claims }));
                    seen.row("verdict", wanted, "accepted", wanted == "accepted");
                    if let Some(Expect::Accepted(accepted)) = self.expect.as_deref() {
                        accepted.compare(&claims, &mut seen);
                    }
                    seen
                }
            })
        })
    }
}
