//! Identity providers as steps name them, and what they answer when they refuse.

use std::collections::BTreeMap;

use authlab_lab::plan::{self, Plan};
use authlab_lab::source::{Source, SourceError, nearest};
use authlab_lab::spec::{ClientSpec, ProviderKind};
use authlab_lab::state::IdentityProvider;
use schemars::JsonSchema;
use secrecy::SecretString;
use serde::Deserialize;
use serde_json::{Value, json};
use serde_saphyr::Spanned;

use super::Loading;
use crate::context::Context;
use crate::credential::{Credential, Session, Token, TokenKind};
use crate::fault::Fault;
use crate::format::TextMatch;
use crate::oauth::{Provider, Refusal};
use crate::reproduce;
use crate::seen::Seen;

/// The provider called `idp` in each of the scenario's labs.
///
/// # Errors
/// At `idp`, when a lab has none of that name.
pub(super) fn named<'a>(
    loading: &Loading<'a>,
    idp: &Spanned<String>,
) -> Result<Vec<(&'a Plan, &'a plan::Provider)>, SourceError> {
    let find = |plan: &'a Plan| match plan.providers.get(&idp.value) {
        Some(provider) => Ok((plan, provider)),
        None => {
            let message = format!(
                "the lab `{}` has no identity provider `{}`",
                plan.lab, idp.value
            );
            let known = plan.providers.keys().map(String::as_str);
            Err(unknown(loading.source, idp, message, known.collect()))
        }
    };
    loading.plans.iter().map(find).collect()
}

/// An error at a name that is not among those known.
pub(super) fn unknown(
    source: &Source,
    name: &Spanned<String>,
    message: String,
    known: Vec<&str>,
) -> SourceError {
    let error = source.error(name.referenced, message, "named here");
    match nearest(&name.value, known.iter().copied()) {
        Some(near) => error.or_help(format!("did you mean `{near}`?")),
        None if known.is_empty() => {
            error.or_help("it has none: the lab file is where they are named")
        }
        None => error.or_help(format!("it has: {}", known.join(", "))),
    }
}

/// An endpoint that some products lack.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Endpoint {
    /// Where tokens are got.
    Token,
    /// OpenID Connect Core 1.0, section 5.3.
    Userinfo,
    /// RFC 7662.
    Introspection,
    /// RFC 7009.
    Revocation,
    /// OpenID Connect RP-Initiated Logout 1.0.
    EndSession,
}

/// That each lab's provider has an endpoint.
///
/// # Errors
/// At `idp`, when a product is known to have none: a forge has no endpoints, and Dex
/// neither `revocation_endpoint` nor `end_session_endpoint` in its discovery document.
pub(super) fn has(
    loading: &Loading<'_>,
    idp: &Spanned<String>,
    endpoint: Endpoint,
) -> Result<(), SourceError> {
    for (plan, provider) in named(loading, idp)? {
        let lacks = match provider.kind {
            ProviderKind::Forge => true,
            ProviderKind::Dex => matches!(endpoint, Endpoint::Revocation | Endpoint::EndSession),
            ProviderKind::Keycloak => false,
        };
        if lacks {
            let kind = product(provider.kind);
            let what = match endpoint {
                Endpoint::Token => "logs nobody in",
                Endpoint::Userinfo => "has no userinfo endpoint",
                Endpoint::Introspection => "has no introspection endpoint",
                Endpoint::Revocation => "has no revocation endpoint",
                Endpoint::EndSession => "has no end-session endpoint",
            };
            let message = format!(
                "`{}` of the lab `{}` is {kind}, which {what}",
                idp.value, plan.lab
            );
            let error = loading.source.error(idp.referenced, message, "named here");
            return Err(match endpoint {
                Endpoint::Token => error.or_help("have it sign a token with the verb `token`"),
                _ => error.or_help("use a provider of another product"),
            });
        }
    }
    Ok(())
}

fn product(kind: ProviderKind) -> &'static str {
    match kind {
        ProviderKind::Dex => "a Dex",
        ProviderKind::Keycloak => "a Keycloak",
        ProviderKind::Forge => "a forge",
    }
}

/// Where a product has an endpoint, below its issuer: for commands that people copy. Requests go by
/// the discovery document.
fn address(provider: &IdentityProvider, endpoint: Endpoint) -> String {
    let below = match (provider.kind, endpoint) {
        (_, Endpoint::Token) => "token",
        (_, Endpoint::Userinfo) => "userinfo",
        (_, Endpoint::Introspection) => "token/introspect",
        (_, Endpoint::Revocation) => "revoke",
        (_, Endpoint::EndSession) => "logout",
    };
    let protocol = match provider.kind {
        ProviderKind::Keycloak => "/protocol/openid-connect",
        ProviderKind::Dex | ProviderKind::Forge => "",
    };
    format!("{}{protocol}/{below}", provider.issuer)
}

/// The provider called `name` in the running lab.
///
/// # Errors
/// When there is none; loading refuses that already.
pub(super) fn running<'a>(
    context: &Context<'a>,
    name: &str,
) -> Result<&'a IdentityProvider, Fault> {
    let providers = &context.state.identity_providers;
    providers
        .get(name)
        .ok_or_else(|| Fault::Other(format!("this lab has no identity provider `{name}`")))
}

/// What a verb about a token works with: the provider, and the client that asks.
pub(super) struct Asker<'a> {
    pub provider: &'a IdentityProvider,
    pub client: &'a ClientSpec,
}

/// The provider `idp`, asked by `client`; left out, by the client of the login that gave the
/// credential, or else by the provider's usual one.
///
/// # Errors
/// When there is no such client.
pub(super) fn asker<'c, 'a: 'c>(
    context: &Context<'a>,
    idp: &str,
    client: Option<&'c ClientSpec>,
    session: Option<&'c Session>,
) -> Result<Asker<'c>, Fault> {
    let provider = running(context, idp)?;
    let of_session = session
        .filter(|session| session.idp == idp)
        .map(|session| &session.client);
    let client = client.or(of_session).or(provider.client.as_ref());
    let client = client.ok_or_else(|| {
        Fault::Other(format!(
            "`{idp}` has no client in the lab file: name one in the step"
        ))
    })?;
    Ok(Asker { provider, client })
}

/// What speaks to the provider `idp` about the credential `name`, as [`asker`] chooses the client.
///
/// # Errors
/// When the credential is no token, and when there is no client to ask as.
pub(super) fn speaker<'c>(
    context: &'c Context<'_>,
    idp: &str,
    client: Option<&'c ClientSpec>,
    name: &str,
) -> Result<Provider<'c>, Fault> {
    let session = token(context, name)?.session.as_ref();
    let asker = asker(context, idp, client, session)?;
    Provider::new(context.state, &asker.provider.issuer, asker.client)
}

/// The secret that a step gives with a client.
pub(super) fn secret(client: Option<&ClientSpec>) -> Option<&SecretString> {
    client.and_then(|client| client.secret.as_ref())
}

/// The command that shows an endpoint of the provider `idp` something by hand.
pub(super) fn curl(
    context: &Context<'_>,
    idp: &str,
    endpoint: Endpoint,
    what: &str,
) -> Option<String> {
    let provider = running(context, idp).ok()?;
    let ca = reproduce::ca_file(context.state);
    let address = address(provider, endpoint);
    Some(format!("curl --cacert {ca} {what} {address}"))
}

/// The credential `name` as a token.
///
/// # Errors
/// When it is none.
pub(super) fn token<'c>(context: &'c Context<'_>, name: &str) -> Result<&'c Token, Fault> {
    match context.credential(name)? {
        Credential::Token(token) => Ok(token),
        _ => Err(Fault::Other(format!("`{name}` is not a token"))),
    }
}

/// One of the tokens of the credential `name`.
///
/// # Errors
/// When it has none of that kind.
pub(super) fn token_of(
    context: &Context<'_>,
    name: &str,
    kind: TokenKind,
) -> Result<SecretString, Fault> {
    let found = token(context, name)?.of_kind(kind).cloned();
    found.ok_or_else(|| {
        let what = kind.words();
        let why = match kind {
            TokenKind::Id => "log in with `openid` among its `scopes`",
            _ => "log in with `offline_access` among its `scopes`",
        };
        Fault::Other(format!("`{name}` has no {what}: {why}"))
    })
}

/// A refusal by an identity provider; fields left out may be anything.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Refused {
    /// The OAuth error code, for example `access_denied`; empty where a page refuses.
    #[serde(default)]
    pub error: Option<String>,
    /// Its description, or what the page says.
    #[serde(default)]
    pub description: Option<TextMatch>,
}

/// The rows and data of a refusal; `wanted` is the word of what was expected.
pub(super) fn refused(wanted: &str, expected: Option<&Refused>, refusal: &Refusal) -> Seen {
    let Refusal { error, description } = refusal;
    let mut seen = Seen::new(json!({
        "verdict": "refused",
        "error": error,
        "description": description,
    }));
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

/// What is expected of an answer that tells something.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Claims {
    /// Some of the claims; `null` for one that is not there.
    #[serde(default)]
    claims: BTreeMap<String, Value>,
}

impl Claims {
    /// Adds a row for each claim that is expected.
    pub fn compare(&self, found: &Value, seen: &mut Seen) {
        for (name, expected) in &self.claims {
            let found = found.get(name).unwrap_or(&Value::Null);
            seen.equal(format!("claim {name}"), expected, found);
        }
    }
}
