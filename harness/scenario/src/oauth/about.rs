//! What is asked of a provider about a token that it gave: userinfo, introspection, revocation, and
//! the end of the session.

use reqwest::header::{CONTENT_TYPE, HeaderMap, LOCATION, WWW_AUTHENTICATE};
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};
use url::Url;

use super::forms::{self, Page};
use super::{Answer, Provider, Refusal, claims};
use crate::credential::TokenKind;
use crate::fault::Fault;

/// How a provider answers about a token. Anything else is a fault.
#[derive(Debug)]
pub(crate) enum Told {
    /// It does as asked; this is what it says.
    Done(Value),
    /// It refuses.
    Refused(Refusal),
}

impl Provider<'_> {
    /// The claims of whoever holds `token` (OpenID Connect Core 1.0, section 5.3).
    ///
    /// # Errors
    /// When no answer decides, and when the product has no such endpoint.
    pub async fn userinfo(&self, token: &SecretString) -> Result<Told, Fault> {
        let discovery = self.discover().await?;
        let url = self.endpoint("userinfo_endpoint", discovery.userinfo_endpoint.as_ref())?;
        let request = self.http.get(url).bearer_auth(token.expose_secret());
        let answer = self.send(url, request).await?;
        match answer.status {
            200 => {
                let kind = answer.headers.get(CONTENT_TYPE);
                let signed =
                    kind.is_some_and(|kind| kind.as_bytes().starts_with(b"application/jwt"));
                let told = if signed {
                    claims(&answer.text.as_str().into())
                } else {
                    serde_json::from_str(&answer.text).ok()
                };
                told.map(Told::Done).ok_or_else(|| answer.fault())
            }
            // RFC 6750, section 3: the words stand in a header; some write them in the body too.
            401 | 403 => match challenge(&answer.headers) {
                Some(refusal) => Ok(Told::Refused(refusal)),
                None => answer.refusal().map(Told::Refused),
            },
            _ => answer.refusal().map(Told::Refused),
        }
    }

    /// What `token` is worth (RFC 7662).
    ///
    /// # Errors
    /// As [`Provider::userinfo`].
    pub async fn introspect(&self, token: &SecretString, kind: TokenKind) -> Result<Told, Fault> {
        let discovery = self.discover().await?;
        let url = discovery.introspection_endpoint.as_ref();
        let url = self.endpoint("introspection_endpoint", url)?;
        let answer = self.about(url, token, kind).await?;
        match (answer.status, serde_json::from_str::<Value>(&answer.text)) {
            (200, Ok(told)) if told["active"].is_boolean() => Ok(Told::Done(told)),
            _ => answer.refusal().map(Told::Refused),
        }
    }

    /// Takes `token` back (RFC 7009).
    ///
    /// # Errors
    /// As [`Provider::userinfo`].
    pub async fn revoke(&self, token: &SecretString, kind: TokenKind) -> Result<Told, Fault> {
        let discovery = self.discover().await?;
        let url = self.endpoint(
            "revocation_endpoint",
            discovery.revocation_endpoint.as_ref(),
        )?;
        let answer = self.about(url, token, kind).await?;
        match answer.status {
            // Keycloak says of a token that it does not know what is wrong with it, and 200.
            200 => match Refusal::of_json(&answer.text) {
                Some(refusal) => Ok(Told::Refused(refusal)),
                None => Ok(Told::Done(json!({}))),
            },
            _ => answer.refusal().map(Told::Refused),
        }
    }

    async fn about(
        &self,
        url: &str,
        token: &SecretString,
        kind: TokenKind,
    ) -> Result<Answer, Fault> {
        let mut form = vec![("token", token.expose_secret())];
        // An ID token has no hint (RFC 7009, section 4.1.2.2).
        if kind != TokenKind::Id {
            form.push(("token_type_hint", kind.member()));
        }
        self.send(url, self.as_client(url, &form)).await
    }

    /// Ends the session of an ID token, as a client does that sends a browser there (OpenID Connect
    /// RP-Initiated Logout 1.0, section 2). What comes of it is `{ "redirect": URL }`,
    /// `{ "page": WORDS }`, or `{ "asks": true }` where the user must agree first.
    ///
    /// # Errors
    /// As [`Provider::userinfo`].
    pub async fn end_session(
        &self,
        hint: Option<&SecretString>,
        redirect: Option<&str>,
    ) -> Result<Told, Fault> {
        let discovery = self.discover().await?;
        let url = discovery.end_session_endpoint.as_ref();
        let url = self.endpoint("end_session_endpoint", url)?;
        let mut full = Url::parse(url).map_err(|error| Fault::Other(format!("{url}: {error}")))?;
        let given = [
            ("client_id", Some(self.client.id.as_str())),
            ("id_token_hint", hint.map(ExposeSecret::expose_secret)),
            ("post_logout_redirect_uri", redirect),
        ];
        let given = given
            .into_iter()
            .filter_map(|(name, value)| Some((name, value?)));
        full.query_pairs_mut().extend_pairs(given);
        // Messages show the address without the token in its query.
        let answer = self.send(url, self.http.get(full)).await?;
        match answer.status {
            300..400 => {
                let to = answer.headers.get(LOCATION).and_then(|to| to.to_str().ok());
                match to.map(str::to_owned) {
                    Some(to) => Ok(Told::Done(json!({ "redirect": to }))),
                    None => Err(answer.fault()),
                }
            }
            200 => Ok(Told::Done(match forms::read(&answer.text) {
                Page::Text(words) => json!({ "page": words }),
                Page::Login(_) | Page::Approval(_) => json!({ "asks": true }),
            })),
            400..500 if answer.status != 429 => Ok(Told::Refused(
                Refusal::of_json(&answer.text)
                    .unwrap_or_else(|| Refusal::page(&forms::complaint(&answer.text))),
            )),
            _ => Err(answer.fault()),
        }
    }
}

/// The refusal in a `WWW-Authenticate` header (RFC 6750, section 3).
pub(super) fn challenge(headers: &HeaderMap) -> Option<Refusal> {
    let header = headers.get(WWW_AUTHENTICATE)?.to_str().ok()?;
    let find = |name: &str| {
        let (_, rest) = header.split_once(&format!("{name}=\""))?;
        Some(rest.split_once('"')?.0.to_owned())
    };
    Some(Refusal {
        error: find("error")?,
        description: find("error_description").unwrap_or_default(),
    })
}
