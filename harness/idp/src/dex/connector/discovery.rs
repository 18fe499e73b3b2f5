//! What a provider says about itself (OpenID Connect Discovery 1.0 section 3 and 4), and what the file says instead.

use reqwest::Client;
use serde::Deserialize;

use super::http;
use crate::dex::{config::Upstream, go::quote::quote};

/// Signatures that can be verified here, of those a provider may announce.
const ALGORITHMS: [&str; 10] = [
    "RS256", "RS384", "RS512", "ES256", "ES384", "ES512", "PS256", "PS384", "PS512", "EdDSA",
];

/// What Dex reads of a discovery document.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct Document {
    pub issuer: String,
    pub authorization_endpoint: String,
    pub token_endpoint: String,
    pub jwks_uri: String,
    pub userinfo_endpoint: String,
    id_token_signing_alg_values_supported: Vec<String>,
    code_challenge_methods_supported: Vec<String>,
    end_session_endpoint: String,
}

/// The provider's document, with the addresses of the file in it.
///
/// # Errors
/// In Dex's words.
pub(super) async fn discover(config: &Upstream, client: &Client) -> Result<Document, String> {
    let document = fetch(config, client)
        .await
        .map_err(|error| format!("failed to get provider: {error}"))?;
    let own = &config.overrides;
    let document = match own.is_empty() {
        true => document,
        // Dex asks for nothing else that the document says, then.
        false => Document {
            authorization_endpoint: or(&own.auth, document.authorization_endpoint),
            token_endpoint: or(&own.token, document.token_endpoint),
            jwks_uri: or(&own.jwks, document.jwks_uri),
            userinfo_endpoint: or(&own.user_info, document.userinfo_endpoint),
            code_challenge_methods_supported: Vec::new(),
            end_session_endpoint: own.end_session.clone(),
            ..document
        },
    };
    let end = &document.end_session_endpoint;
    if end.is_empty() || end.starts_with("https://") || end.starts_with("http://") {
        return Ok(document);
    }
    let scheme = end.split_once(':').map_or("", |(scheme, _)| scheme);
    Err(format!(
        "oidc: end_session_endpoint must use http or https scheme, got {}",
        quote(scheme)
    ))
}

impl Document {
    /// The algorithms it announces, as far as they are known.
    pub(super) fn algorithms(&self) -> Vec<String> {
        let announced = self.id_token_signing_alg_values_supported.iter();
        let known: Vec<String> = announced
            .filter(|name| ALGORITHMS.contains(&name.as_str()))
            .cloned()
            .collect();
        match known.is_empty() {
            true => vec!["RS256".to_owned()],
            false => known,
        }
    }

    /// The challenge the file asks for, or else the best that the provider knows.
    pub(super) fn challenge(&self, config: &Upstream) -> String {
        if !config.pkce_challenge.is_empty() {
            return config.pkce_challenge.clone();
        }
        let known = &self.code_challenge_methods_supported;
        let best = ["S256", "plain"]
            .into_iter()
            .find(|method| known.iter().any(|known| known == method));
        best.unwrap_or_default().to_owned()
    }
}

async fn fetch(config: &Upstream, client: &Client) -> Result<Document, String> {
    let issuer = config.issuer.strip_suffix('/').unwrap_or(&config.issuer);
    let url = format!("{issuer}/.well-known/openid-configuration");
    let answer = http::get(client, &url, None).await?;
    if !answer.is_ok() {
        return Err(format!("{}: {}", answer.status(), answer.body));
    }
    let mut document: Document = answer
        .json()
        .map_err(|error| format!("oidc: failed to decode provider discovery object: {error}"))?;
    if !config.issuer_alias.is_empty() {
        document.issuer = config.issuer_alias.clone();
    } else if document.issuer != config.issuer {
        return Err(format!(
            "oidc: issuer URL provided to client ({}) did not match the issuer URL returned by provider ({})",
            quote(&config.issuer),
            quote(&document.issuer)
        ));
    }
    Ok(document)
}

fn or(own: &str, announced: String) -> String {
    if own.is_empty() {
        announced
    } else {
        own.to_owned()
    }
}
