//! Logging in, and what follows: OAuth 2.0 and OpenID Connect as clients speak them.

mod about;
mod browser;
mod code;
mod device;
mod forms;
mod grants;
#[cfg(test)]
mod tests;

use std::time::Duration;

use authlab_lab::spec::{ClientSpec, UserSpec};
use authlab_lab::state::State;
use authlab_pki::http;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use reqwest::RequestBuilder;
use reqwest::header::HeaderMap;
use reqwest::redirect::Policy;
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use serde_json::Value;
use url::Url;

pub(crate) use self::browser::Person;
use self::browser::{End, Landing};

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

/// What the discovery document says, as far as plain requests need it (OpenID Connect Discovery
/// 1.0, section 3; RFC 8414, section 2; RFC 8628, section 4).
#[derive(Debug, Deserialize)]
struct Discovery {
    token_endpoint: String,
    #[serde(default)]
    scopes_supported: Vec<String>,
    device_authorization_endpoint: Option<String>,
    userinfo_endpoint: Option<String>,
    introspection_endpoint: Option<String>,
    revocation_endpoint: Option<String>,
    end_session_endpoint: Option<String>,
}

/// What a token endpoint gives.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Tokens {
    /// The ID token.
    #[serde(rename = "id_token")]
    pub id: Option<SecretString>,
    /// The access token; of an exchange the token that was issued, whatever its type.
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

pub(crate) use about::Told;
pub(crate) use grants::{Exchange, token_type};

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

    async fn discover(&self) -> Result<Discovery, Fault> {
        let url = format!("{}/.well-known/openid-configuration", self.issuer);
        let answer = self.send(&url, self.http.get(&url)).await?;
        serde_json::from_str(&answer.text).map_err(|_| Fault::Answer {
            what: format!("GET {url}"),
            status: answer.status,
            message: shorten(&answer.text),
        })
    }

    /// An endpoint that not every product has.
    ///
    /// # Errors
    /// When the discovery document does not name it.
    fn endpoint<'d>(&self, name: &str, url: Option<&'d String>) -> Result<&'d str, Fault> {
        url.map(String::as_str).ok_or_else(|| {
            let issuer = self.issuer;
            Fault::Other(format!(
                "the discovery document of {issuer} names no `{name}`"
            ))
        })
    }

    async fn token(&self, url: &str, form: &[(&str, &str)]) -> Result<Login, Fault> {
        let answer = self.send(url, self.as_client(url, form)).await?;
        if answer.status == 200
            && let Ok(tokens) = serde_json::from_str(&answer.text)
        {
            return Ok(Login::In(tokens));
        }
        answer.refusal().map(Login::Refused)
    }

    /// A form for `url`, with which the client says who it is.
    fn as_client(&self, url: &str, form: &[(&str, &str)]) -> RequestBuilder {
        let request = self.http.post(url);
        let encode = |text: &str| -> String {
            url::form_urlencoded::byte_serialize(text.as_bytes()).collect()
        };
        match &self.client.secret {
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
        }
    }

    async fn send(&self, url: &str, request: RequestBuilder) -> Result<Answer, Fault> {
        let fault = |error: reqwest::Error| Fault::http(&error, url, DEADLINE);
        let response = request.send().await.map_err(fault)?;
        Ok(Answer {
            what: url.to_owned(),
            status: response.status().as_u16(),
            headers: response.headers().clone(),
            text: response.text().await.map_err(fault)?,
        })
    }
}

/// What an endpoint answered.
struct Answer {
    what: String,
    status: u16,
    headers: HeaderMap,
    text: String,
}

impl Answer {
    /// The refusal that it is (RFC 6749, section 5.2).
    ///
    /// # Errors
    /// When it is none, but decides nothing.
    fn refusal(self) -> Result<Refusal, Fault> {
        let decided = (400..500).contains(&self.status) && self.status != 429;
        match Refusal::of_json(&self.text).filter(|_| decided) {
            Some(refusal) => Ok(refusal),
            None => Err(self.fault()),
        }
    }

    /// It is of no use.
    fn fault(self) -> Fault {
        Fault::Answer {
            // A success in another form may hold tokens: not to be shown.
            message: if self.status == 200 {
                "not in the form that its specification says".to_owned()
            } else {
                shorten(&self.text)
            },
            what: self.what,
            status: self.status,
        }
    }
}

impl Refusal {
    fn of_json(text: &str) -> Option<Self> {
        let body: Value = serde_json::from_str(text).ok()?;
        Some(Self {
            error: body["error"].as_str()?.to_owned(),
            description: body["error_description"]
                .as_str()
                .unwrap_or_default()
                .to_owned(),
        })
    }

    /// A page that refuses, in its words.
    fn page(words: &str) -> Self {
        Self {
            error: String::new(),
            description: shorten(words),
        }
    }
}

/// Goes to `start` as a person does whom a program has sent there, and logs `user` in. Answers with
/// what the last page gives the person to type into the program, if it does.
///
/// # Errors
/// When the provider keeps the person out, or the login does not come to an end.
pub(crate) async fn browse(
    ca: &str,
    start: Url,
    user: &UserSpec,
    connector: Option<&str>,
) -> Result<Option<String>, Fault> {
    let person = Person {
        user,
        connector,
        consents: true,
    };
    match browser::visit(ca, start, End::Page, person).await? {
        Landing::Page(page) => Ok(forms::given(&page)),
        Landing::Callback(_) => Ok(None),
        Landing::Refused(refusal) => Err(Fault::Other(format!(
            "the provider keeps {} out: {}",
            user.login, refusal.description
        ))),
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
