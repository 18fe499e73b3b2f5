//! `login`: a person, a device or a machine logs in at an identity provider.

mod check;

use authlab_lab::source::SourceError;
use authlab_lab::spec::{ClientSpec, UserSpec};
use authlab_lab::state::IdentityProvider;
use schemars::JsonSchema;
use secrecy::SecretString;
use serde::Deserialize;
use serde_json::{Value, json};
use serde_saphyr::Spanned;

use super::provider::{self, Asker, Claims, Endpoint, Refused, refused};
use super::{Loading, Stance, Task, Verb};
use crate::context::Context;
use crate::credential::{Credential, Session, Token, TokenKind};
use crate::fault::Fault;
use crate::format::{OneOrMany, Word};
use crate::oauth::{self, Exchange, Login as Ended, Person, Provider, Tokens};
use crate::reproduce;
use crate::seen::Seen;

/// Logs in at an identity provider and keeps what it gives as a credential.
///
/// ```yaml
/// - login: { idp: dex, grant: password, user: jane, as: jane }
/// - login: { idp: dex, grant: authorization_code, user: jane, scopes: [openid, offline_access], as: jane }
/// - login: { idp: dex, grant: refresh_token, from: jane, as: renewed }
/// - login: { idp: dex, grant: device_code, user: jane, client: { id: tv }, as: tv }
/// - login: { idp: keycloak, grant: device_code, user: jane, consents: false, expect: refused }
/// - login: { idp: dex, grant: client_credentials, client: { id: ci, secret: s }, token: id, as: ci }
/// - login: { idp: dex, grant: token_exchange, subject: robot, connector: cluster, as: exchanged }
/// - login: { idp: dex, grant: password, user: jane, password: wrong, expect: { refused: { error: access_denied } } }
/// ```
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(crate) struct Login {
    /// The identity provider, by its name in the lab file.
    #[schemars(with = "String")]
    idp: Spanned<String>,
    /// How.
    grant: Grant,
    /// Who, by the short name in the lab file: for `password`, `authorization_code` and
    /// `device_code`.
    #[serde(default)]
    #[schemars(with = "Option<String>")]
    user: Option<Spanned<String>>,
    /// Another password than the user's own. With it `user` may also be somebody whom the lab file
    /// does not know, and is typed as it stands.
    #[serde(default)]
    #[schemars(with = "Option<String>")]
    password: Option<SecretString>,
    /// The credential to renew, for `refresh_token`.
    #[serde(default)]
    #[schemars(with = "Option<String>")]
    from: Option<Spanned<String>>,
    /// The credential whose token is exchanged, for `token_exchange`.
    #[serde(default)]
    #[schemars(with = "Option<String>")]
    subject: Option<Spanned<String>>,
    /// Which token of the subject is shown, and as which type: `id` (when left out), `access` or
    /// `refresh`. A token that no login gave is shown as the type named here.
    #[serde(default)]
    #[schemars(with = "Option<TokenKind>")]
    subject_token: Option<Spanned<TokenKind>>,
    /// The type of token to ask for in an exchange: `id`, `access` or `refresh`.
    #[serde(default)]
    #[schemars(with = "Option<TokenKind>")]
    requested_token: Option<Spanned<TokenKind>>,
    /// For whom an exchanged token is asked, one client or more.
    #[serde(default)]
    #[schemars(with = "Option<OneOrMany<String>>")]
    audience: Option<Spanned<OneOrMany<String>>>,
    /// The connector of a Dex: in an exchange the one that judges the token (`connector_id`), in a
    /// browser the one that is chosen where a page offers several.
    #[serde(default)]
    #[schemars(with = "Option<String>")]
    connector: Option<Spanned<String>>,
    /// Whether the person agrees where a page asks, for `authorization_code` and `device_code`; `true`
    /// when left out.
    #[serde(default)]
    #[schemars(with = "Option<bool>")]
    consents: Option<Spanned<bool>>,
    /// Another client than the provider's usual one.
    #[serde(default)]
    client: Option<ClientSpec>,
    /// The scopes to ask for; `openid`, `email`, `profile` and `groups`, as far as the provider
    /// knows them, when left out.
    #[serde(default)]
    scopes: Option<Vec<String>>,
    /// Which token is the credential: `id` or `access`. Left out, the ID token; of
    /// `client_credentials` and `token_exchange` the access token, which of an exchange is the one
    /// that was issued, whatever its type.
    #[serde(default)]
    #[schemars(with = "Option<TokenKind>")]
    token: Option<Spanned<TokenKind>>,
    /// The name under which it is kept. A login that must be refused keeps nothing.
    #[serde(default, rename = "as")]
    #[schemars(with = "Option<String>")]
    as_: Option<Spanned<String>>,
    /// What must happen; `accepted` when left out.
    #[serde(default)]
    expect: Option<Word<Expect>>,
    /// CEL booleans over `seen`: `seen.claims` are the token's claims.
    #[serde(default)]
    #[schemars(with = "Option<OneOrMany<String>>")]
    check: Option<Spanned<OneOrMany<String>>>,
}

/// An OAuth 2.0 grant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum Grant {
    /// User name and password go to the token endpoint (RFC 6749, section 4.3).
    Password,
    /// The pages of the provider, as a browser would (RFC 6749, section 4.1, with PKCE).
    AuthorizationCode,
    /// A device without a browser asks, and `user` agrees in one elsewhere (RFC 8628).
    DeviceCode,
    /// The client for itself (RFC 6749, section 4.4).
    ClientCredentials,
    /// A refresh token of an earlier login (RFC 6749, section 6).
    RefreshToken,
    /// A token, for example a service account's, for one of this provider (RFC 8693).
    TokenExchange,
}

impl Grant {
    /// As files write it.
    fn name(self) -> &'static str {
        match self {
            Self::Password => "password",
            Self::AuthorizationCode => "authorization_code",
            Self::DeviceCode => "device_code",
            Self::ClientCredentials => "client_credentials",
            Self::RefreshToken => "refresh_token",
            Self::TokenExchange => "token_exchange",
        }
    }

    /// As the token endpoint knows it.
    fn urn(self) -> String {
        match self {
            Self::DeviceCode => format!("urn:ietf:params:oauth:grant-type:{}", self.name()),
            Self::TokenExchange => "urn:ietf:params:oauth:grant-type:token-exchange".to_owned(),
            _ => self.name().to_owned(),
        }
    }

    /// Which token is the credential unless the step says.
    fn token(self) -> TokenKind {
        match self {
            Self::ClientCredentials | Self::TokenExchange => TokenKind::Access,
            _ => TokenKind::Id,
        }
    }
}

/// What becomes of a login.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
enum Expect {
    /// The person is in.
    Accepted(Claims),
    /// The provider keeps the person out.
    Refused(Refused),
}

impl Login {
    fn wanted(&self) -> (&'static str, Option<&Refused>) {
        match self.expect.as_deref() {
            None | Some(Expect::Accepted(_)) => ("accepted", None),
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

    async fn ended(&self, context: &Context<'_>, asker: &Asker<'_>) -> Result<Ended, Fault> {
        let provider = asker.provider;
        let speaker = Provider::new(context.state, &provider.issuer, asker.client)?;
        let scopes = self.scopes.as_deref();
        let connector = self.connector.as_ref().map(|id| id.value.as_str());
        let person = |user| Person {
            user,
            connector,
            consents: self.consents.as_ref().is_none_or(|agrees| agrees.value),
        };
        match self.grant {
            Grant::Password => speaker.password(&self.user(provider)?, scopes).await,
            Grant::AuthorizationCode => {
                let user = self.user(provider)?;
                speaker.authorization_code(person(&user), scopes).await
            }
            Grant::DeviceCode => {
                let user = self.user(provider)?;
                speaker.device_code(person(&user), scopes).await
            }
            Grant::ClientCredentials => speaker.client_credentials(scopes).await,
            Grant::RefreshToken => {
                let token = provider::token_of(context, self.source()?, TokenKind::Refresh)?;
                speaker.refresh(&token, scopes).await
            }
            Grant::TokenExchange => {
                let kind = self.subject_token.as_ref().map(|kind| kind.value);
                let kind = kind.unwrap_or(TokenKind::Id);
                let exchange = Exchange {
                    subject: &provider::token_of(context, self.source()?, kind)?,
                    subject_kind: kind,
                    requested: self.requested_token.as_ref().map(|kind| kind.value),
                    connector,
                    audiences: self.audience.as_ref().map_or(&[], |many| &many.value),
                };
                speaker.exchange(&exchange, scopes).await
            }
        }
    }

    /// The credential that this login begins with.
    fn source(&self) -> Result<&str, Fault> {
        let name = self.from.as_ref().or(self.subject.as_ref());
        name.map(|name| name.value.as_str())
            .ok_or_else(|| Fault::other("no credential is named to begin with"))
    }

    fn accepted(
        &self,
        context: &mut Context<'_>,
        mut tokens: Tokens,
        client: ClientSpec,
    ) -> Result<Seen, Fault> {
        if tokens.refresh.is_none() && self.grant == Grant::RefreshToken {
            // A provider that does not rotate gives none: the old one stays good.
            let old = provider::token_of(context, self.source()?, TokenKind::Refresh)?;
            tokens.refresh = Some(old);
        }
        let given = [
            tokens.id.as_ref(),
            Some(&tokens.access),
            tokens.refresh.as_ref(),
        ];
        for token in given.into_iter().flatten() {
            context.learn(token);
        }
        let kind = self.token.as_ref().map(|kind| kind.value);
        let bearer = match (kind.unwrap_or(self.grant.token()), &tokens.id) {
            (TokenKind::Id, Some(id)) => id.clone(),
            (TokenKind::Id, None) => {
                return Err(Fault::other(
                    "the provider gave no ID token: ask for the scope `openid`",
                ));
            }
            _ => tokens.access.clone(),
        };
        let claims = oauth::claims(&bearer).unwrap_or(Value::Null);
        let mut seen = Seen::new(json!({ "verdict": "accepted", "claims": claims }));
        let (wanted, _) = self.wanted();
        seen.row("verdict", wanted, "accepted", wanted == "accepted");
        if let Some(Expect::Accepted(accepted)) = self.expect.as_deref() {
            accepted.compare(&claims, &mut seen);
        }
        if let Some(as_) = &self.as_ {
            let session = Some(Session {
                idp: self.idp.value.clone(),
                client,
                tokens,
            });
            context.keep(&as_.value, Credential::Token(Token { bearer, session }));
        }
        Ok(seen)
    }
}

impl Verb for Login {
    fn summary(&self) -> String {
        let who = [&self.user, &self.from, &self.subject];
        let who = who.into_iter().flatten().next();
        let client = || self.client.as_ref().map_or("", |client| client.id.as_str());
        format!(
            "{} at {} by {}",
            who.map_or_else(client, |who| who.value.as_str()),
            self.idp.value,
            self.grant.name()
        )
        .trim_start()
        .to_owned()
    }

    // A Dex keeps one refresh token for a user and a client: with every login that asks for one, the
    // one before is gone, be it another scenario's.
    fn needs_lab_alone(&self, _: &Loading<'_>) -> bool {
        let mut scopes = self.scopes.iter().flatten();
        scopes.any(|scope| scope == "offline_access")
    }

    fn keeps(&self) -> Option<&Spanned<String>> {
        self.as_
            .as_ref()
            .filter(|_| self.stance() == Stance::Success)
    }

    fn uses(&self) -> Vec<&Spanned<String>> {
        self.from.iter().chain(&self.subject).collect()
    }

    fn secrets(&self) -> Vec<&SecretString> {
        let of_client = provider::secret(self.client.as_ref());
        self.password.iter().chain(of_client).collect()
    }

    fn stance(&self) -> Stance {
        match self.wanted().0 {
            "accepted" => Stance::Success,
            _ => Stance::Denial,
        }
    }

    fn check(&self, loading: &Loading<'_>) -> Result<(), SourceError> {
        self.keys(loading.source)?;
        self.people(loading)
    }

    fn checks(&self) -> Option<&Spanned<OneOrMany<String>>> {
        self.check.as_ref()
    }

    fn reproduce(&self, context: &Context<'_>) -> Option<String> {
        let provider = provider::running(context, &self.idp.value).ok()?;
        let client = self.client.as_ref().or(provider.client.as_ref())?;
        let issuer = &provider.issuer;
        let id = reproduce::quote(&client.id);
        let ca = reproduce::ca_file(context.state);
        let browser = match self.grant {
            Grant::AuthorizationCode => Some("authcode"),
            Grant::DeviceCode => Some("device-code"),
            _ => None,
        };
        if let Some(grant) = browser {
            return Some(format!(
                "kubectl oidc-login get-token --oidc-issuer-url={issuer} --oidc-client-id={id} \
                 --grant-type={grant} --certificate-authority={ca}{}",
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
        let scope = match &self.scopes {
            Some(scopes) => scopes.join(" "),
            None => "openid email groups".to_owned(),
        };
        let scope = format!("-d scope={}", reproduce::quote(&scope));
        let what = match self.grant {
            Grant::RefreshToken => "-d refresh_token=\"$REFRESH_TOKEN\"".to_owned(),
            Grant::TokenExchange => {
                let connector = self.connector.as_ref().map(|id| {
                    let field = format!("connector_id={}", id.value);
                    format!("-d {} ", reproduce::quote(&field))
                });
                let kind = self.subject_token.as_ref().map(|kind| kind.value);
                format!(
                    "{}-d subject_token=\"$TOKEN\" -d subject_token_type={} {scope}",
                    connector.unwrap_or_default(),
                    oauth::token_type(kind.unwrap_or(TokenKind::Id)),
                )
            }
            Grant::ClientCredentials => scope,
            _ => {
                let user = self.user(provider).ok()?;
                format!(
                    "--data-urlencode {} --data-urlencode \"password=$PASSWORD\" {scope}",
                    reproduce::quote(&format!("username={}", user.login))
                )
            }
        };
        let what = format!("{login} -d grant_type={} {what}", self.grant.urn());
        provider::curl(context, &self.idp.value, Endpoint::Token, &what)
    }

    fn run<'a>(&'a self, context: &'a mut Context<'_>) -> Task<'a, Result<Seen, Fault>> {
        Box::pin(async move {
            // A token is renewed by the client that it was issued to.
            let before = match &self.from {
                Some(from) => provider::token(context, &from.value)?.session.clone(),
                None => None,
            };
            let client = self.client.as_ref();
            let asker = provider::asker(context, &self.idp.value, client, before.as_ref())?;
            match self.ended(context, &asker).await? {
                Ended::In(tokens) => self.accepted(context, tokens, asker.client.clone()),
                Ended::Refused(refusal) => {
                    context.refused = true;
                    let (wanted, expected) = self.wanted();
                    Ok(refused(wanted, expected, &refusal))
                }
            }
        })
    }
}
