//! `token`: a forge signs a token, good or bad.

use std::collections::BTreeMap;

use authlab_idp::forge::{KeyChoice, Tamper, TokenAlgorithm, TokenRequest};
use authlab_lab::control::{Request, Response};
use authlab_lab::source::{SourceError, nearest};
use authlab_lab::spec::ProviderKind;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Map, Value, json};
use serde_saphyr::Spanned;

use super::{Loading, Task, Verb};
use crate::context::Context;
use crate::credential::Credential;
use crate::fault::Fault;
use crate::seen::Seen;

/// Has a forge of the lab sign a token. `iss`, `iat` and `exp` are added where `claims` lacks them;
/// `null` for one of them leaves it out.
///
/// ```yaml
/// - token: { issuer: forge, claims: { sub: ada, aud: [kube] }, as: ada }
/// - token: { issuer: forge, claims: { sub: ada, aud: [kube] }, expires: -5, as: expired }
/// - token: { issuer: forge, claims: { sub: ada }, key: unpublished, as: forged }
/// - token: { issuer: forge, claims: { sub: ada, aud: kube }, elsewhere: { groups: [dev] }, as: far }
/// ```
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(crate) struct Token {
    /// The forge, by its name in the lab file.
    #[schemars(with = "String")]
    issuer: Spanned<String>,
    /// The claims, as they are.
    #[serde(default)]
    claims: BTreeMap<String, Value>,
    /// Claims that are not in the token but in another one of the same forge, which the API server has to fetch
    /// (`_claim_names` and `_claim_sources`, OpenID Connect Core 1.0 section 5.6.2). That one gets `iss`, `aud`,
    /// `iat` and `exp` from this one, where they are absent here.
    #[serde(default)]
    elsewhere: BTreeMap<String, Value>,
    /// Changes to the header: each replaces or adds a member, `null` removes one.
    #[serde(default)]
    header: BTreeMap<String, Value>,
    /// How it is signed: `RS256` (when left out), `RS384`, `RS512`, `PS256`, `PS384`, `PS512`,
    /// `ES256`, `ES384`, `ES512`, `EdDSA`, `HS256`, `none`.
    #[serde(default)]
    algorithm: TokenAlgorithm,
    /// Which key signs: `published` (when left out) or `unpublished`.
    #[serde(default)]
    key: KeyChoice,
    /// Seconds from now to the added `exp`; negative for a token that has expired; 600 when left
    /// out.
    #[serde(default = "ten_minutes")]
    expires: i64,
    /// Seconds from now to an added `nbf`; negative for one in the past.
    #[serde(default)]
    not_before: Option<i64>,
    /// How many seconds the forge's clock is ahead (negative: behind): `iat`, `nbf` and `exp` are
    /// added by that clock.
    #[serde(default)]
    clock_skew: i64,
    /// What is spoilt after signing: `signature` or `payload`.
    #[serde(default)]
    tamper: Option<Tamper>,
    /// The name under which the token is kept.
    #[serde(rename = "as")]
    #[schemars(with = "String")]
    as_: Spanned<String>,
}

fn ten_minutes() -> i64 {
    600
}

impl Verb for Token {
    fn summary(&self) -> String {
        format!("{} by {}", self.as_.value, self.issuer.value)
    }

    fn keeps(&self) -> Option<&Spanned<String>> {
        Some(&self.as_)
    }

    fn check(&self, loading: &Loading<'_>) -> Result<(), SourceError> {
        for plan in loading.plans {
            let forges = || {
                plan.providers
                    .iter()
                    .filter(|(_, provider)| provider.kind == ProviderKind::Forge)
                    .map(|(name, _)| name.as_str())
            };
            let wanted = self.issuer.value.as_str();
            if forges().any(|name| name == wanted) {
                continue;
            }
            let message = format!("the lab `{}` has no forge `{wanted}`", plan.lab);
            let error = loading
                .source
                .error(self.issuer.referenced, message, "named here");
            let known: Vec<&str> = forges().collect();
            return Err(match nearest(wanted, known.iter().copied()) {
                Some(near) => error.or_help(format!("did you mean `{near}`?")),
                None if known.is_empty() => error.or_help(format!(
                    "it has none: a lab file with `{wanted}: {{ kind: forge }}` under \
                     `identityProviders` has one, as fixtures/labs/forge.yaml does"
                )),
                None => error.or_help(format!("its forges: {}", known.join(", "))),
            });
        }
        Ok(())
    }

    fn run<'a>(&'a self, context: &'a mut Context<'_>) -> Task<'a, Result<Seen, Fault>> {
        Box::pin(async move {
            let map = |members: &BTreeMap<String, Value>| -> Map<String, Value> {
                members.clone().into_iter().collect()
            };
            let request = Request::Token {
                provider: self.issuer.value.clone(),
                token: TokenRequest {
                    claims: map(&self.claims),
                    elsewhere: map(&self.elsewhere),
                    header: map(&self.header),
                    algorithm: self.algorithm,
                    key: self.key,
                    expires_in: self.expires,
                    not_before_in: self.not_before,
                    clock_skew: self.clock_skew,
                    tamper: self.tamper,
                },
            };
            match context.host(&request).await? {
                Response::Token { token } => {
                    context.keep(&self.as_.value, Credential::bearer(token));
                    Ok(Seen::new(json!({ "claims": self.claims })))
                }
                _ => Err(Fault::other("the lab host answered without a token")),
            }
        })
    }
}
