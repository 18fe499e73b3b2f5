//! `revoke`: a client gives a token back.

use authlab_lab::source::SourceError;
use authlab_lab::spec::ClientSpec;
use schemars::JsonSchema;
use secrecy::SecretString;
use serde::Deserialize;
use serde_json::json;
use serde_saphyr::Spanned;

use super::provider::{self, Endpoint, Refused, refused};
use super::{Loading, Stance, Task, Verb};
use crate::context::Context;
use crate::credential::TokenKind;
use crate::fault::Fault;
use crate::format::Word;
use crate::oauth::Told;
use crate::seen::Seen;

/// Has the provider take a token back (RFC 7009). The API server does not ask the provider about
/// tokens: one that is revoked is good there until it expires, only its refresh token is gone. Dex has
/// no such endpoint: there the step is refused before anything runs.
///
/// ```yaml
/// - revoke: { idp: keycloak, as: jane }
/// - login: { idp: keycloak, grant: refresh_token, from: jane, expect: { refused: { error: invalid_grant } } }
/// ```
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(crate) struct Revoke {
    /// The identity provider, by its name in the lab file.
    #[schemars(with = "String")]
    idp: Spanned<String>,
    /// The credential whose token is taken back.
    #[serde(rename = "as")]
    #[schemars(with = "String")]
    as_: Spanned<String>,
    /// Which of its tokens: `refresh` (when left out), `access` or `id`.
    #[serde(default = "TokenKind::refresh")]
    token: TokenKind,
    /// Who asks; the client that the token was issued to when left out.
    #[serde(default)]
    client: Option<ClientSpec>,
    /// What must happen; `revoked` when left out.
    #[serde(default)]
    expect: Option<Word<Expect>>,
}

/// What becomes of a token.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
enum Expect {
    /// It is good no more.
    Revoked {},
    /// The provider does not do it for this client, or does not know the token.
    Refused(Refused),
}

impl Revoke {
    fn wanted(&self) -> (&'static str, Option<&Refused>) {
        match self.expect.as_deref() {
            None | Some(Expect::Revoked {}) => ("revoked", None),
            Some(Expect::Refused(refused)) => ("refused", Some(refused)),
        }
    }
}

impl Verb for Revoke {
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
            "revoked" => Stance::Success,
            _ => Stance::Denial,
        }
    }

    fn check(&self, loading: &Loading<'_>) -> Result<(), SourceError> {
        provider::has(loading, &self.idp, Endpoint::Revocation)
    }

    fn reproduce(&self, context: &Context<'_>) -> Option<String> {
        let what = "-u \"$CLIENT_ID:$CLIENT_SECRET\" -d token=\"$TOKEN\"";
        provider::curl(context, &self.idp.value, Endpoint::Revocation, what)
    }

    fn run<'a>(&'a self, context: &'a mut Context<'_>) -> Task<'a, Result<Seen, Fault>> {
        Box::pin(async move {
            let token = provider::token_of(context, &self.as_.value, self.token)?;
            let client = self.client.as_ref();
            let speaker = provider::speaker(context, &self.idp.value, client, &self.as_.value)?;
            let (wanted, expected) = self.wanted();
            Ok(match speaker.revoke(&token, self.token).await? {
                Told::Refused(refusal) => refused(wanted, expected, &refusal),
                Told::Done(_) => {
                    let mut seen = Seen::new(json!({ "verdict": "revoked" }));
                    seen.row("verdict", wanted, "revoked", wanted == "revoked");
                    seen
                }
            })
        })
    }
}
