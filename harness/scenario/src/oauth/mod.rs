//! Logging in: OAuth 2.0 and OpenID Connect as clients speak them.

mod browser;
mod code;
mod forms;
#[cfg(test)]
mod tests;

use std::time::Duration;

use authlab_lab::spec::{ClientSpec, UserSpec};
use authlab_lab::state::State;
use authlab_pki::http;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use reqwest::redirect::Policy;
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use serde_json::Value;

use crate::api::DEADLINE;
use crate::fault::Fault;

/// Scopes of logins that name none, as far as the provider knows them.
const SCOPES: [&str; 4] = ["openid", "email", "profile", "groups"];

/// One provider, seen by one client.
#[derive(Debug)]
pub(crate) struct Provider<'a> {
    /// The issuer.
    issuer: &'a str,
    /// The client.
    client: &'a ClientSpec,
    /// The lab's CA.
    ca: &'a str,
    http: reqwest::Client,
}

/// What the discovery document says, as far as plain grants need it (OpenID Connect Discovery 1.0,
/// section 3).
#[derive(Debug, Deserialize)]
struct Discovery {
    token_endpoint: String,
    #[serde(default)]
    scopes_supported: Vec<String>,
}

/// What a token endpoint gives.
#[derive(Debug, Deserialize)]
pub(crate) struct Tokens {
    /// The ID token.
    #[serde(rename = "id_token")]
    pub id: Option<SecretString>,
    /// The access token.
    #[serde(rename = "access_token")]
    pub access: SecretString,
    /// The refresh token.
    #[serde(rename = "refresh_token")]
    pub refresh: Option<SecretString>,
}

/// How a login ended. Anything else is a fault.
#[derive(Debug)]
pub(crate) enum Login {
    /// The person is in.
    In(Tokens),
    /// The provider keeps the person out.
    Refused(Refusal),
}

/// A provider's refusal.
#[derive(Debug, Default)]
pub(crate) struct Refusal {
    /// The OAuth error code (RFC 6749, sections 4.1.2.1 and 5.2); empty when a page refused.
    pub error: String,
    /// Its description, or what the page says.
    pub description: String,
}

impl<'a> Provider<'a> {
    /// The provider of `issuer` in a running lab.
    ///
    /// # Errors
    /// When the lab's CA cannot be used.
    pub fn new(state: &'a State, issuer: &'a str, client: &'a ClientSpec) -> Result<Self, Fault> {
        let ca = state.certificate_authority.as_str();
        Ok(Self {
            issuer,
            client,
            ca,
            http: client_for(ca, false)?,
        })
    }

    /// The resource owner password grant (RFC 6749, section 4.3).
    ///
    /// # Errors
    /// When no answer decides.
    pub async fn password(
        &self,
        user: &UserSpec,
        scopes: Option<&[String]>,
    ) -> Result<Login, Fault> {
        let discovery = self.discover().await?;
        let scope = wanted(scopes, &discovery.scopes_supported).join(" ");
        let form = [
            ("grant_type", "password"),
            ("username", &user.login),
            ("password", user.password.expose_secret()),
            ("scope", &scope),
        ];
        self.token(&discovery.token_endpoint, &form).await
    }

    /// The refresh token grant (RFC 6749, section 6).
    ///
    /// # Errors
    /// When no answer decides.
    pub async fn refresh(
        &self,
        token: &SecretString,
        scopes: Option<&[String]>,
    ) -> Result<Login, Fault> {
        let discovery = self.discover().await?;
        let scope = scopes.map(|scopes| scopes.join(" "));
        let mut form = vec![
            ("grant_type", "refresh_token"),
            ("refresh_token", token.expose_secret()),
        ];
        form.extend(scope.as_deref().map(|scope| ("scope", scope)));
        self.token(&discovery.token_endpoint, &form).await
    }

    async fn discover(&self) -> Result<Discovery, Fault> {
        let url = format!("{}/.well-known/openid-configuration", self.issuer);
        let fault = |error: reqwest::Error| Fault::http(&error, &url, DEADLINE);
        let response = self.http.get(&url).send().await.map_err(fault)?;
        let status = response.status().as_u16();
        let text = response.text().await.map_err(fault)?;
        serde_json::from_str(&text).map_err(|_| Fault::Answer {
            what: format!("GET {url}"),
            status,
            message: shorten(&text),
        })
    }

    async fn token(&self, url: &str, form: &[(&str, &str)]) -> Result<Login, Fault> {
        let request = self.http.post(url);
        let encode = |text: &str| -> String {
            url::form_urlencoded::byte_serialize(text.as_bytes()).collect()
        };
        let request = match &self.client.secret {
            // RFC 6749, section 2.3.1: both are form-encoded first.
            Some(secret) => request
                .basic_auth(
                    encode(&self.client.id),
                    Some(encode(secret.expose_secret())),
                )
                .form(form),
            None => {
                let mut form = form.to_vec();
                form.push(("client_id", &self.client.id));
                request.form(&form)
            }
        };
        let fault = |error: reqwest::Error| Fault::http(&error, url, DEADLINE);
        let response = request.send().await.map_err(fault)?;
        let status = response.status().as_u16();
        let text = response.text().await.map_err(fault)?;
        answer(url, status, &text)
    }
}

fn answer(url: &str, status: u16, text: &str) -> Result<Login, Fault> {
    if status == 200
        && let Ok(tokens) = serde_json::from_str(text)
    {
        return Ok(Login::In(tokens));
    }
    let body: Value = serde_json::from_str(text).unwrap_or_default();
    match body["error"].as_str() {
        Some(error) if (400..500).contains(&status) && status != 429 => {
            Ok(Login::Refused(Refusal {
                error: error.to_owned(),
                description: body["error_description"]
                    .as_str()
                    .unwrap_or_default()
                    .to_owned(),
            }))
        }
        _ => Err(Fault::Answer {
            what: format!("POST {url}"),
            status,
            // A success in another form may hold tokens: not to be shown.
            message: if status == 200 {
                "not in the form of RFC 6749".to_owned()
            } else {
                shorten(text)
            },
        }),
    }
}

/// The scopes to ask for: those named, or the usual ones that the provider knows.
fn wanted(named: Option<&[String]>, known: &[String]) -> Vec<String> {
    match named {
        Some(scopes) => scopes.to_vec(),
        None => SCOPES
            .iter()
            .filter(|scope| known.is_empty() || known.iter().any(|other| other == *scope))
            .map(|scope| (*scope).to_owned())
            .collect(),
    }
}

/// The claims of a compact JWS, unverified: for people and for `check`.
pub(crate) fn claims(token: &SecretString) -> Option<Value> {
    let payload = token.expose_secret().split('.').nth(1)?;
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(payload).ok()?).ok()
}

fn client_for(ca: &str, cookies: bool) -> Result<reqwest::Client, Fault> {
    http::builder(ca)
        .and_then(|builder| {
            Ok(builder
                .timeout(Duration::from_secs(DEADLINE))
                .redirect(Policy::none())
                .cookie_store(cookies)
                .build()?)
        })
        .map_err(|error| Fault::Other(error.to_string()))
}

fn shorten(text: &str) -> String {
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    match line.char_indices().nth(200) {
        Some((at, _)) => format!("{}...", &line[..at]),
        None => line,
    }
}
