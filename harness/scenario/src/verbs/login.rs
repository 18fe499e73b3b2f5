//! `login`: a person logs in at an identity provider.

use authlab_lab::control::ControlError;
use authlab_lab::source::{SourceError, nearest};
use authlab_lab::spec::{ClientSpec, UserSpec};
use authlab_lab::state::IdentityProvider;
use secrecy::SecretString;
use serde::Deserialize;
use serde_json::{Value, json};
use serde_saphyr::Spanned;

use super::{Loading, Stance, Task, Verb};
use crate::context::Context;
use crate::credential::{Credential, Renewal, Token};
use crate::fault::Fault;
use crate::format::{OneOrMany, TextMatch, Word};
use crate::oauth::{self, Login as Ended, Provider, Refusal, Tokens};
use crate::reproduce;
use crate::seen::Seen;

/// Logs in at an identity provider and keeps what it gives as a credential.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(crate) struct Login {
    /// The identity provider, by its name in the lab file.
    idp: Spanned<String>,
    /// How.
    grant: Grant,
    /// Who, by the short name in the lab file.
    #[serde(default)]
    user: Option<Spanned<String>>,
    /// Another password than the user's own. With it `user` may also be somebody whom the lab file
    /// does not know, and is typed as it stands.
    #[serde(default)]
    password: Option<SecretString>,
    /// The credential to renew, for `refresh_token`.
    #[serde(default)]
    from: Option<Spanned<String>>,
    /// Another client than the provider's usual one.
    #[serde(default)]
    client: Option<ClientSpec>,
    /// The scopes to ask for; `openid`, `email`, `profile` and `groups`, as far as the provider
    /// knows them, when left out.
    #[serde(default)]
    scopes: Option<Vec<String>>,
    /// Which token is the credential: `id` (when left out) or `access`.
    #[serde(default)]
    token: Which,
    /// The name under which it is kept. A login that must be refused keeps nothing.
    #[serde(default, rename = "as")]
    as_: Option<Spanned<String>>,
    /// What must happen; `accepted` when left out.
    #[serde(default)]
    expect: Option<Word<Expect>>,
    /// CEL booleans over `seen`: `seen.claims` are the token's claims.
    #[serde(default)]
    check: Option<Spanned<OneOrMany<String>>>,
}

/// An OAuth 2.0 grant, by its `grant_type`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Grant {
    /// User name and password go to the token endpoint (RFC 6749, section 4.3).
    Password,
    /// The pages of the provider, as a browser would (RFC 6749, section 4.1, with PKCE).
    AuthorizationCode,
    /// A refresh token of an earlier login (RFC 6749, section 6).
    RefreshToken,
}

impl Grant {
    fn name(self) -> &'static str {
        match self {
            Self::Password => "password",
            Self::AuthorizationCode => "authorization_code",
            Self::RefreshToken => "refresh_token",
        }
    }
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Which {
    /// The ID token.
    #[default]
    Id,
    /// The access token.
    Access,
}

/// What becomes of a login.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
enum Expect {
    /// The person is in.
    Accepted {},
    /// The provider keeps the person out.
    Refused(Refused),
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Refused {
    /// The OAuth error code, for example `access_denied`; empty where a page refuses.
    #[serde(default)]
    error: Option<String>,
    /// Its description, or what the page says.
    #[serde(default)]
    description: Option<TextMatch>,
}

impl Login {
    fn wanted(&self) -> (&'static str, Option<&Refused>) {
        match self.expect.as_deref() {
            None | Some(Expect::Accepted {}) => ("accepted", None),
            Some(Expect::Refused(refused)) => ("refused", Some(refused)),
        }
    }

    fn user(&self, provider: &IdentityProvider) -> Result<UserSpec, Fault> {
        let name = self.user.as_ref().map_or("", |user| user.value.as_str());
        match (provider.users.get(name), &self.password) {
            (Some(user), None) => Ok(user.clone()),
            (known, Some(password)) => Ok(UserSpec {
                login: known.map_or_else(|| name.to_owned(), |user| user.login.clone()),
                password: password.clone(),
            }),
            (None, None) => Err(Fault::Other(format!("the provider has no user `{name}`"))),
        }
    }

    async fn ended(
        &self,
        context: &Context<'_>,
        client: &ClientSpec,
        renewal: Option<&Renewal>,
    ) -> Result<Ended, Fault> {
        let provider = self.provider(context)?;
        let speaker = Provider::new(context.state, &provider.issuer, client)?;
        let scopes = self.scopes.as_deref();
        match (self.grant, renewal) {
            (Grant::Password, _) => speaker.password(&self.user(provider)?, scopes).await,
            (Grant::AuthorizationCode, _) => {
                speaker
                    .authorization_code(&self.user(provider)?, scopes)
                    .await
            }
            (Grant::RefreshToken, Some(renewal)) => speaker.refresh(&renewal.token, scopes).await,
            (Grant::RefreshToken, None) => Err(Fault::other("there is nothing to renew")),
        }
    }

    fn provider<'a>(&self, context: &Context<'a>) -> Result<&'a IdentityProvider, Fault> {
        let name = self.idp.value.as_str();
        let providers = &context.state.identity_providers;
        providers.get(name).ok_or_else(|| {
            Fault::Control(ControlError::Failed(format!(
                "this lab has no identity provider `{name}`"
            )))
        })
    }

    fn renewal(&self, context: &Context<'_>) -> Result<Option<Renewal>, Fault> {
        let Some(from) = &self.from else {
            return Ok(None);
        };
        match context.credential(&from.value)? {
            Credential::Token(Token {
                renewal: Some(renewal),
                ..
            }) => Ok(Some(renewal.clone())),
            _ => Err(Fault::Other(format!(
                "`{}` has no refresh token: log in with `offline_access` among its `scopes`",
                from.value
            ))),
        }
    }

    fn accepted(
        &self,
        context: &mut Context<'_>,
        tokens: Tokens,
        client: ClientSpec,
        before: Option<Renewal>,
    ) -> Result<Seen, Fault> {
        let given = [
            tokens.id.as_ref(),
            Some(&tokens.access),
            tokens.refresh.as_ref(),
        ];
        for token in given.into_iter().flatten() {
            context.learn(token);
        }
        let bearer = match (self.token, tokens.id) {
            (Which::Id, Some(id)) => id,
            (Which::Id, None) => {
                return Err(Fault::other(
                    "the provider gave no ID token: ask for the scope `openid`",
                ));
            }
            (Which::Access, _) => tokens.access,
        };
        let claims = oauth::claims(&bearer).unwrap_or(Value::Null);
        let renewal = match tokens.refresh {
            Some(token) => Some(Renewal { client, token }),
            // A provider that does not rotate gives none: the old one stays good.
            None => before,
        };
        let mut seen = Seen::new(json!({ "verdict": "accepted", "claims": claims }));
        let (wanted, _) = self.wanted();
        seen.row("verdict", wanted, "accepted", wanted == "accepted");
        if let Some(as_) = &self.as_ {
            context.keep(&as_.value, Credential::Token(Token { bearer, renewal }));
        }
        Ok(seen)
    }

    fn refused(&self, refusal: &Refusal) -> Seen {
        let Refusal { error, description } = refusal;
        let mut seen = Seen::new(json!({
            "verdict": "refused",
            "error": error,
            "description": description,
        }));
        let (wanted, expected) = self.wanted();
        seen.row("verdict", wanted, "refused", wanted == "refused");
        if let Some(expected) = expected {
            if let Some(wanted) = &expected.error {
                seen.equal("error", &json!(wanted), &json!(error));
            }
            if let Some(wanted) = &expected.description {
                let holds = wanted.holds(description);
                seen.row("description", wanted.describe(), description, holds);
            }
        }
        let words = [error.as_str(), description.as_str()];
        let words: Vec<&str> = words
            .into_iter()
            .filter(|words| !words.is_empty())
            .collect();
        seen.because(words.join(": "));
        seen
    }
}

impl Verb for Login {
    fn summary(&self) -> String {
        let who = self.user.as_ref().or(self.from.as_ref());
        format!(
            "{} at {} by {}",
            who.map_or("", |who| who.value.as_str()),
            self.idp.value,
            self.grant.name()
        )
    }

    fn keeps(&self) -> Option<&Spanned<String>> {
        self.as_
            .as_ref()
            .filter(|_| self.stance() == Stance::Success)
    }

    fn uses(&self) -> Vec<&Spanned<String>> {
        self.from.iter().collect()
    }

    fn secrets(&self) -> Vec<&SecretString> {
        let of_client = self
            .client
            .as_ref()
            .and_then(|client| client.secret.as_ref());
        self.password.iter().chain(of_client).collect()
    }

    fn stance(&self) -> Stance {
        match self.wanted().0 {
            "accepted" => Stance::Success,
            _ => Stance::Denial,
        }
    }

    fn check(&self, loading: &Loading<'_>) -> Result<(), SourceError> {
        let source = loading.source;
        let lacking = |key: &str| {
            let message = format!("the grant `{}` needs `{key}`", self.grant.name());
            source.error(self.idp.referenced, message, "in this login")
        };
        match self.grant {
            Grant::RefreshToken if self.from.is_none() => {
                return Err(lacking("from").or_help("name the credential to renew"));
            }
            Grant::Password | Grant::AuthorizationCode if self.user.is_none() => {
                return Err(lacking("user").or_help("name a user of the lab file"));
            }
            _ => {}
        }
        for plan in loading.plans {
            let names = || plan.providers.keys().map(String::as_str);
            let Some(provider) = plan.providers.get(&self.idp.value) else {
                let message = format!(
                    "the lab `{}` has no identity provider `{}`",
                    plan.lab, self.idp.value
                );
                let error = source.error(self.idp.referenced, message, "named here");
                return Err(match nearest(&self.idp.value, names()) {
                    Some(near) => error.or_help(format!("did you mean `{near}`?")),
                    None => error.or_help(format!(
                        "it has: {}",
                        names().collect::<Vec<_>>().join(", ")
                    )),
                });
            };
            let Some(user) = &self.user else { continue };
            if self.password.is_none() && !provider.users.contains_key(&user.value) {
                let users = || provider.users.keys().map(String::as_str);
                let message = format!(
                    "`{}` has no user `{}` in the lab `{}`",
                    self.idp.value, user.value, plan.lab
                );
                let error = source.error(user.referenced, message, "named here");
                return Err(match nearest(&user.value, users()) {
                    Some(near) => error.or_help(format!("did you mean `{near}`?")),
                    None => error.or_help(format!(
                        "it has: {}",
                        users().collect::<Vec<_>>().join(", ")
                    )),
                });
            }
        }
        Ok(())
    }

    fn checks(&self) -> Option<&Spanned<OneOrMany<String>>> {
        self.check.as_ref()
    }

    fn reproduce(&self, context: &Context<'_>) -> Option<String> {
        let provider = self.provider(context).ok()?;
        let client = self.client.as_ref().or(provider.client.as_ref())?;
        let id = reproduce::quote(&client.id);
        let ca = reproduce::ca_file(context.state);
        if self.grant == Grant::AuthorizationCode {
            return Some(format!(
                "kubectl oidc-login get-token --oidc-issuer-url={} --oidc-client-id={id} \
                 --certificate-authority={ca}{}",
                provider.issuer,
                match client.secret {
                    Some(_) => " --oidc-client-secret=\"$CLIENT_SECRET\"",
                    None => "",
                }
            ));
        }
        let login = match client.secret {
            Some(_) => format!("-u {id}:\"$CLIENT_SECRET\""),
            None => format!("-d client_id={id}"),
        };
        let what = match self.grant {
            Grant::RefreshToken => "-d refresh_token=\"$REFRESH_TOKEN\"".to_owned(),
            _ => {
                let user = self.user(provider).ok()?;
                format!(
                    "--data-urlencode {} --data-urlencode \"password=$PASSWORD\" -d scope='openid email groups'",
                    reproduce::quote(&format!("username={}", user.login))
                )
            }
        };
        Some(format!(
            "curl --cacert {ca} {login} -d grant_type={} {what} {}/token",
            self.grant.name(),
            provider.issuer
        ))
    }

    fn run<'a>(&'a self, context: &'a mut Context<'_>) -> Task<'a, Result<Seen, Fault>> {
        Box::pin(async move {
            let renewal = self.renewal(context)?;
            let provider = self.provider(context)?;
            let of_renewal = renewal.as_ref().map(|renewal| &renewal.client);
            let Some(client) = self
                .client
                .as_ref()
                .or(of_renewal)
                .or(provider.client.as_ref())
            else {
                return Err(Fault::Other(format!(
                    "`{}` has no client in the lab file: name one in the step",
                    self.idp.value
                )));
            };
            let client = client.clone();
            match self.ended(context, &client, renewal.as_ref()).await? {
                Ended::In(tokens) => self.accepted(context, tokens, client, renewal),
                Ended::Refused(refusal) => Ok(self.refused(&refusal)),
            }
        })
    }
}
