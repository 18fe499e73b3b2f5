//! `logout`: a client ends a person's session at the provider.

use authlab_lab::source::SourceError;
use authlab_lab::spec::ClientSpec;
use schemars::JsonSchema;
use secrecy::SecretString;
use serde::Deserialize;
use serde_json::{Value, json};
use serde_saphyr::Spanned;

use super::provider::{self, Endpoint, Refused, refused};
use super::{Loading, Stance, Task, Verb};
use crate::context::Context;
use crate::credential::TokenKind;
use crate::fault::Fault;
use crate::flow::flow;
use crate::format::Word;
use crate::oauth::Told;
use crate::reproduce;
use crate::seen::Seen;

/// Sends the browser to the provider's end-session endpoint (OpenID Connect RP-Initiated Logout
/// 1.0), the ID token of a login as the hint. What tokens of that session are worth afterwards is
/// for other steps: at the provider nothing, at the API server as much as before. Dex has no such
/// endpoint: there the step is refused before anything runs.
///
/// ```yaml
/// - logout: { idp: keycloak, as: jane, redirect: "http://127.0.0.1/bye" }
/// - logout: { idp: keycloak, as: jane, hint: false, expect: asked }
/// ```
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(crate) struct Logout {
    /// The identity provider, by its name in the lab file.
    #[schemars(with = "String")]
    idp: Spanned<String>,
    /// The credential whose session ends.
    #[serde(rename = "as")]
    #[schemars(with = "String")]
    as_: Spanned<String>,
    /// Whether the ID token goes along; `true` when left out. Without it providers ask the user.
    #[serde(default = "yes")]
    hint: bool,
    /// Where the browser is to be sent afterwards (`post_logout_redirect_uri`).
    #[serde(default)]
    redirect: Option<String>,
    /// Which client sends the browser; the one that the tokens were issued to when left out.
    #[serde(default)]
    client: Option<ClientSpec>,
    /// What must happen; `loggedOut` when left out.
    #[serde(default)]
    expect: Option<Word<Expect>>,
}

fn yes() -> bool {
    true
}

/// What becomes of a session.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
enum Expect {
    /// It has ended. With `redirect` the browser is sent there.
    LoggedOut {},
    /// The provider asks the user first.
    Asked {},
    /// The provider does not do it, for example for another `redirect` than the client may use.
    Refused(Refused),
}

impl Logout {
    fn wanted(&self) -> (&'static str, Option<&Refused>) {
        match self.expect.as_deref() {
            None | Some(Expect::LoggedOut {}) => ("logged out", None),
            Some(Expect::Asked {}) => ("asked", None),
            Some(Expect::Refused(refused)) => ("refused", Some(refused)),
        }
    }
}

impl Verb for Logout {
    fn summary(&self) -> String {
        format!("{} at {}", self.as_.value, self.idp.value)
    }

    fn uses(&self) -> Vec<&Spanned<String>> {
        vec![&self.as_]
    }

    fn secrets(&self) -> Vec<&SecretString> {
        provider::secret(self.client.as_ref()).into_iter().collect()
    }

    fn stance(&self) -> Stance {
        match self.wanted().0 {
            "logged out" => Stance::Success,
            "refused" => Stance::Denial,
            _ => Stance::Neutral,
        }
    }

    fn check(&self, loading: &Loading<'_>) -> Result<(), SourceError> {
        provider::has(loading, &self.idp, Endpoint::EndSession)
    }

    fn reproduce(&self, context: &Context<'_>) -> Option<String> {
        let redirect = self.redirect.as_ref().map(|redirect| {
            let field = format!("post_logout_redirect_uri={redirect}");
            format!(" --data-urlencode {}", reproduce::quote(&field))
        });
        let what = format!(
            "-G -d id_token_hint=\"$ID_TOKEN\"{}",
            redirect.unwrap_or_default()
        );
        provider::curl(context, &self.idp.value, Endpoint::EndSession, &what)
    }

    fn run<'a>(&'a self, context: &'a mut Context<'_>) -> Task<'a, Result<Seen, Fault>> {
        Box::pin(async move {
            let name = &self.as_.value;
            let hint = match self.hint {
                true => Some(provider::token_of(context, name, TokenKind::Id)?),
                false => None,
            };
            let client = self.client.as_ref();
            let speaker = provider::speaker(context, &self.idp.value, client, name)?;
            let redirect = self.redirect.as_deref();
            let (wanted, expected) = self.wanted();
            Ok(match speaker.end_session(hint.as_ref(), redirect).await? {
                Told::Refused(refusal) => refused(wanted, expected, &refusal),
                Told::Done(told) => {
                    let word = match told["asks"] == true {
                        true => "asked",
                        false => "logged out",
                    };
                    let mut seen = Seen::new(json!({
                        "verdict": word,
                        "redirect": told.get("redirect").unwrap_or(&Value::Null),
                    }));
                    seen.row("verdict", wanted, word, wanted == word);
                    if wanted == "logged out" && word == wanted {
                        let found = told.get("redirect").unwrap_or(&Value::Null);
                        let none = |value: &Value| match value {
                            Value::Null => "nowhere".to_owned(),
                            value => flow(value),
                        };
                        let sent = json!(redirect);
                        seen.row("sent to", none(&sent), none(found), sent == *found);
                    }
                    seen
                }
            })
        })
    }
}
