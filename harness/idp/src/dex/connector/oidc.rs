//! Another OpenID Connect provider as a way to log in: by the browser, and by its tokens.

use std::sync::Mutex;

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use regex::Regex;
use reqwest::Client;
use secrecy::{ExposeSecret as _, SecretString};
use serde::Deserialize;
use serde_json::{Map, Value};
use sha2::{Digest as _, Sha256};

use super::{
    Departure, claims, discovery,
    http::{self, Answer},
    no_client,
    verify::{RemoteKeys, Verifier},
};
use crate::{
    dex::{
        config::Upstream,
        go::{
            form::{Values, escape},
            quote::quote,
        },
        identity::Identity,
    },
    oidc::random,
};

/// A provider that has been discovered.
pub(crate) struct Oidc {
    config: Upstream,
    client: Client,
    authorization: String,
    token: String,
    user_info: String,
    verifier: Verifier,
    /// Verifies tokens that are exchanged. With addresses of its own in the file, Dex fetches the keys for that without
    /// the authorities that the file names.
    exchange: Option<Verifier>,
    groups_filter: Option<Regex>,
    challenge: String,
    /// How this provider takes the client's secret, once that is known.
    style: Mutex<Option<Style>>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Style {
    Header,
    Form,
}

/// What a token endpoint answers.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Tokens {
    access_token: String,
    refresh_token: String,
    id_token: Option<String>,
    error: String,
    error_description: String,
}

impl Oidc {
    /// Discovers the provider.
    ///
    /// # Errors
    /// In Dex's words.
    pub(super) async fn open(config: &Upstream) -> Result<Self, String> {
        if !config.hosted_domains.is_empty() {
            return Err(
                "support for the Hosted domains option had been deprecated and removed, \
                 consider switching to the Google connector"
                    .to_owned(),
            );
        }
        let client = http::client(config)?;
        let document = discovery::discover(config, &client).await?;
        let algorithms = document.algorithms();
        let verifier = |client: Client| Verifier {
            issuer: document.issuer.clone(),
            algorithms: algorithms.clone(),
            keys: RemoteKeys::new(document.jwks_uri.clone(), client),
        };
        let bare = || authlab_pki::http::client("").map_err(no_client);
        Ok(Self {
            verifier: verifier(client.clone()),
            exchange: (!config.overrides.is_empty())
                .then(bare)
                .transpose()?
                .map(verifier),
            groups_filter: Some(config.groups_filter.as_str())
                .filter(|pattern| !pattern.is_empty())
                .and_then(|pattern| Regex::new(pattern).ok()),
            challenge: document.challenge(config),
            style: Mutex::new(match config.basic_auth_unsupported {
                Some(true) => Some(Style::Form),
                _ => None,
            }),
            authorization: document.authorization_endpoint,
            token: document.token_endpoint,
            user_info: document.userinfo_endpoint,
            client,
            config: config.clone(),
        })
    }

    /// The provider's authorization endpoint with a request to it (RFC 6749 section 4.1.1).
    ///
    /// # Errors
    /// In Dex's words, when the file names another way back.
    pub(super) fn departure(
        &self,
        callback: &str,
        state: &str,
        offline: bool,
    ) -> Result<Departure, String> {
        let config = &self.config;
        if config.redirect_uri != callback {
            return Err(format!(
                "expected callback URL {} did not match the URL in the config {}",
                quote(callback),
                quote(&config.redirect_uri)
            ));
        }
        let mut query = Values::default();
        query.set("response_type", "code");
        query.set("client_id", config.client_id.as_str());
        query.set("redirect_uri", callback);
        query.set("scope", self.scopes().join(" "));
        query.set("state", state);
        if !config.acr_values.is_empty() {
            query.set("acr_values", config.acr_values.join(" "));
        }
        if offline {
            query.set("access_type", "offline");
            query.set("prompt", config.prompt.as_deref().unwrap_or("consent"));
        }
        let verifier = URL_SAFE_NO_PAD.encode(random::bytes::<32>());
        let verifier = match self.challenge.as_str() {
            "" => None,
            "S256" => {
                let hash = Sha256::digest(verifier.as_bytes());
                query.set("code_challenge", URL_SAFE_NO_PAD.encode(hash));
                query.set("code_challenge_method", "S256");
                Some(verifier)
            }
            "plain" => {
                // Dex sends the verifier at once, under the name of a verifier.
                query.set("code_verifier", verifier.as_str());
                Some(verifier)
            }
            other => {
                let reason = format!("unknown challenge method ({other})");
                return Err(format!(
                    "oidc: failed to get PKCE AuthCodeOption for CodeChallenge: {reason}"
                ));
            }
        };
        let join = if self.authorization.contains('?') {
            '&'
        } else {
            '?'
        };
        Ok(Departure {
            url: format!("{}{join}{}", self.authorization, query.encode()),
            verifier: verifier.map(SecretString::from),
        })
    }

    /// Who comes back with these parameters.
    ///
    /// # Errors
    /// In Dex's words.
    pub(super) async fn arrival(
        &self,
        query: &Values,
        verifier: Option<&SecretString>,
    ) -> Result<Identity, String> {
        let error = query.get("error");
        if !error.is_empty() {
            return Err(match query.get("error_description") {
                "" => error.to_owned(),
                description => format!("{error}: {description}"),
            });
        }
        let mut form = Values::default();
        form.set("grant_type", "authorization_code");
        form.set("code", query.get("code"));
        form.set("redirect_uri", self.config.redirect_uri.as_str());
        if !self.challenge.is_empty() {
            let verifier = verifier.ok_or("oidc: invalid PKCE CodeChallenge")?;
            form.set("code_verifier", verifier.expose_secret());
        }
        let tokens = self
            .tokens(&form)
            .await
            .map_err(|error| format!("oidc: failed to get token: {error}"))?;
        let Some(id_token) = &tokens.id_token else {
            return Err("oidc: no id_token in token response".to_owned());
        };
        let claims = self.id_token(id_token).await?;
        self.identity(claims, &tokens).await
    }

    /// Whom a token of the provider is about (RFC 8693), whomever it was issued to.
    ///
    /// # Errors
    /// In Dex's words.
    pub(super) async fn token_identity(&self, kind: &str, token: &str) -> Result<Identity, String> {
        let claims = match kind.rsplit(':').next() {
            Some("id_token") => self
                .exchange
                .as_ref()
                .unwrap_or(&self.verifier)
                .verify(token, None)
                .await
                .map_err(|error| format!("oidc: failed to verify token: {error}"))?,
            _ if !self.config.get_user_info => {
                return Err("oidc: getUserInfo is required for access token exchange".to_owned());
            }
            _ => Map::new(),
        };
        let tokens = Tokens {
            access_token: token.to_owned(),
            ..Tokens::default()
        };
        self.identity(claims, &tokens).await
    }

    /// The identity as the provider has it now.
    ///
    /// # Errors
    /// In Dex's words.
    pub(super) async fn refresh(&self, identity: &Identity) -> Result<Identity, String> {
        let refresh = identity
            .upstream
            .as_ref()
            .map_or("", |token| token.expose_secret());
        let failed = |error| format!("oidc: failed to get refresh token: {error}");
        if refresh.is_empty() {
            let reason = "oauth2: token expired and refresh token is not set";
            return Err(failed(reason.to_owned()));
        }
        let mut form = Values::default();
        form.set("grant_type", "refresh_token");
        form.set("refresh_token", refresh);
        let mut tokens = self.tokens(&form).await.map_err(failed)?;
        if tokens.refresh_token.is_empty() {
            tokens.refresh_token = refresh.to_owned();
        }
        // An ID token need not come with it.
        let claims = match &tokens.id_token {
            Some(token) => self.id_token(token).await?,
            None => Map::new(),
        };
        self.identity(claims, &tokens).await
    }

    async fn id_token(&self, token: &str) -> Result<Map<String, Value>, String> {
        let verified = self.verifier.verify(token, Some(&self.config.client_id));
        verified
            .await
            .map_err(|error| format!("oidc: failed to verify ID Token: {error}"))
    }

    async fn identity(
        &self,
        mut claims: Map<String, Value>,
        tokens: &Tokens,
    ) -> Result<Identity, String> {
        if self.config.get_user_info {
            let more = self.user_info(&tokens.access_token).await;
            claims.extend(more.map_err(|error| format!("oidc: error loading userinfo: {error}"))?);
        }
        let refresh = SecretString::from(tokens.refresh_token.as_str());
        claims::identity(&self.config, self.groups_filter.as_ref(), &claims, refresh)
    }

    async fn user_info(&self, token: &str) -> Result<Map<String, Value>, String> {
        if self.user_info.is_empty() {
            return Err("oidc: user info endpoint is not supported by this provider".to_owned());
        }
        let answer = http::get(&self.client, &self.user_info, Some(token)).await?;
        if !answer.is_ok() {
            return Err(format!("{}: {}", answer.status(), answer.body));
        }
        serde_json::from_str(&answer.body)
            .map_err(|error| format!("oidc: failed to decode userinfo: {error}"))
    }

    fn scopes(&self) -> Vec<&str> {
        let asked = self.config.scopes.iter().map(String::as_str);
        let asked: Vec<&str> = match self.config.scopes.is_empty() {
            true => vec!["profile", "email"],
            false => asked.collect(),
        };
        [vec!["openid"], asked].concat()
    }

    /// Asks the token endpoint, with the secret in the header first, then in the form if that is refused.
    async fn tokens(&self, form: &Values) -> Result<Tokens, String> {
        let known = *self.lock();
        let first = self.ask(form, known.unwrap_or(Style::Header)).await;
        if known.is_some() || first.is_ok() {
            if first.is_ok() {
                self.lock().get_or_insert(Style::Header);
            }
            return first;
        }
        let second = self.ask(form, Style::Form).await?;
        *self.lock() = Some(Style::Form);
        Ok(second)
    }

    async fn ask(&self, form: &Values, style: Style) -> Result<Tokens, String> {
        let (id, secret) = (&self.config.client_id, &self.config.client_secret);
        let mut form = form.clone();
        let basic = match style {
            Style::Header => Some((escape(id), escape(secret.expose_secret()).into())),
            Style::Form => {
                form.set("client_id", id.as_str());
                if !secret.expose_secret().is_empty() {
                    form.set("client_secret", secret.expose_secret());
                }
                None
            }
        };
        let answer = http::post(&self.client, &self.token, form.encode(), basic).await?;
        read_tokens(&answer)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Option<Style>> {
        self.style
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

fn read_tokens(answer: &Answer) -> Result<Tokens, String> {
    let unreadable = || {
        let (status, body) = (answer.status(), &answer.body);
        format!("oauth2: cannot fetch token: {status}\nResponse: {body}")
    };
    let tokens: Tokens = match serde_json::from_str(&answer.body) {
        Ok(tokens) => tokens,
        Err(_) if !answer.is_success() => return Err(unreadable()),
        Err(error) => return Err(format!("oauth2: cannot parse json: {error}")),
    };
    if !tokens.error.is_empty() {
        let mut reason = format!("oauth2: {}", quote(&tokens.error));
        if !tokens.error_description.is_empty() {
            reason += &format!(" {}", quote(&tokens.error_description));
        }
        return Err(reason);
    }
    if !answer.is_success() {
        return Err(unreadable());
    }
    if tokens.access_token.is_empty() {
        return Err("oauth2: server response missing access_token".to_owned());
    }
    Ok(tokens)
}
