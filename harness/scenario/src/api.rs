//! Requests to the API server, each with a deadline and one of three answers.

use std::time::Duration;

use authlab_lab::state::{ApiServer, State};
use authlab_lab::wait::{Look, until};
use authlab_pki::http;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use kube::config::Kubeconfig;
use reqwest::Method;
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};

use crate::credential::Credential;
use crate::fault::Fault;
use crate::format::Impersonate;

/// How long one request may take, in seconds.
pub(crate) const DEADLINE: u64 = 10;

/// How long it may take to find an issuer of distributed claims: it is looked for every 10 seconds.
const FOUND: Duration = Duration::from_secs(25);

/// The API server of the lab.
#[derive(Debug)]
pub(crate) struct Api {
    url: String,
    ca: String,
    plain: reqwest::Client,
    admin: Credential,
}

/// One request.
#[derive(Debug)]
pub(crate) struct Call<'a> {
    /// The method.
    pub method: Method,
    /// Path and query.
    pub path: &'a str,
    /// A JSON body; a text is sent as it is.
    pub body: Option<&'a Value>,
    /// Headers beside those of the credential.
    pub headers: Vec<(String, String)>,
}

impl<'a> Call<'a> {
    /// Reads `path`.
    pub fn get(path: &'a str) -> Self {
        Self::new(Method::GET, path, None)
    }

    /// Posts `body` to `path`.
    pub fn post(path: &'a str, body: &'a Value) -> Self {
        Self::new(Method::POST, path, Some(body))
    }

    /// With any method.
    pub fn new(method: Method, path: &'a str, body: Option<&'a Value>) -> Self {
        Self {
            method,
            path,
            body,
            headers: Vec::new(),
        }
    }

    /// Speaking for somebody else.
    pub fn impersonating(mut self, other: Option<&Impersonate>) -> Self {
        self.headers
            .extend(other.map(Impersonate::headers).unwrap_or_default());
        self
    }
}

/// An answer of whatever status.
#[derive(Debug)]
pub(crate) struct Answer {
    /// What was asked, for messages.
    pub what: String,
    /// The HTTP status.
    pub status: u16,
    /// The body: JSON where it is, else a text.
    pub body: Value,
}

impl Answer {
    /// The words of a Status object, or the whole body.
    pub fn message(&self) -> String {
        match (&self.body["message"], &self.body) {
            (Value::String(message), _) => message.clone(),
            (_, Value::String(text)) => text.trim().to_owned(),
            (_, body) => body.to_string(),
        }
    }

    /// Refuses what decides nothing: a server error or "too many requests" is never a denial.
    ///
    /// # Errors
    /// With the answer's words.
    pub fn decided(self) -> Result<Self, Fault> {
        if self.status >= 500 || self.status == 429 {
            Err(self.fault())
        } else {
            Ok(self)
        }
    }

    /// Only a success is of use.
    ///
    /// # Errors
    /// With the answer's words.
    pub fn success(self) -> Result<Value, Fault> {
        if (200..300).contains(&self.status) {
            Ok(self.body)
        } else {
            Err(self.fault())
        }
    }

    /// This answer as a fault of the lab.
    pub fn fault(&self) -> Fault {
        Fault::Answer {
            what: self.what.clone(),
            status: self.status,
            message: self.message(),
        }
    }
}

impl Api {
    /// An API server of a running lab, and its administrator from its kubeconfig.
    ///
    /// # Errors
    /// When the kubeconfig cannot be used.
    pub fn new(state: &State, server: &ApiServer) -> Result<Self, Fault> {
        let ca = state.certificate_authority.clone();
        let broken = |why: String| Fault::Other(format!("the lab's kubeconfig: {why}"));
        let config =
            Kubeconfig::read_from(&server.kubeconfig).map_err(|error| broken(error.to_string()))?;
        let current = config.current_context.as_deref();
        let user = config
            .contexts
            .iter()
            .find(|context| Some(context.name.as_str()) == current)
            .and_then(|context| context.context.as_ref()?.user.clone());
        let login = config
            .auth_infos
            .into_iter()
            .find(|login| Some(&login.name) == user.as_ref())
            .and_then(|login| login.auth_info)
            .ok_or_else(|| broken("its current context has no user".to_owned()))?;
        let admin = if let Some(token) = login.token {
            Credential::bearer(token.expose_secret().into())
        } else {
            let decode = |text: Option<&str>| -> Option<String> {
                String::from_utf8(STANDARD.decode(text?).ok()?).ok()
            };
            let key = login
                .client_key_data
                .as_ref()
                .map(|key| key.expose_secret());
            match (
                decode(login.client_certificate_data.as_deref()),
                decode(key),
            ) {
                (Some(certificate), Some(key)) => {
                    Credential::Admin(showing(&ca, &certificate, &key.into())?)
                }
                _ => {
                    return Err(broken(
                        "its user has neither certificate nor token".to_owned(),
                    ));
                }
            }
        };
        Ok(Self {
            url: server.url.clone(),
            plain: http::builder(&ca)
                .and_then(|builder| {
                    Ok(builder
                        .redirect(reqwest::redirect::Policy::none())
                        .build()?)
                })
                .map_err(|error| Fault::Other(error.to_string()))?,
            ca,
            admin,
        })
    }

    /// The lab's administrator.
    pub fn admin(&self) -> &Credential {
        &self.admin
    }

    /// A credential that shows a client certificate.
    ///
    /// # Errors
    /// When certificate and key are not PEM.
    pub fn certificate(&self, pem: &str, key: &SecretString) -> Result<Credential, Fault> {
        showing(&self.ca, pem, key).map(Credential::Certificate)
    }

    /// Sends `call` as `credential`; whatever is answered is an answer.
    ///
    /// # Errors
    /// When none comes within the deadline.
    pub async fn send(&self, credential: &Credential, call: Call<'_>) -> Result<Answer, Fault> {
        let url = format!("{}{}", self.url, call.path);
        let what = format!("{} {}", call.method, call.path);
        let client = match credential {
            Credential::Admin(client) | Credential::Certificate(client) => client,
            Credential::Anonymous | Credential::Token(_) => &self.plain,
        };
        let mut request = client
            .request(call.method, &url)
            .timeout(Duration::from_secs(DEADLINE));
        if let Some(token) = credential.token() {
            request = request.bearer_auth(token.expose_secret());
        }
        for (name, value) in call.headers {
            request = request.header(name, value);
        }
        request = match call.body {
            Some(Value::String(text)) => request.body(text.clone()),
            Some(body) => request.json(body),
            None => request,
        };
        let fault = |error: reqwest::Error| Fault::http(&error, &url, DEADLINE);
        let response = request.send().await.map_err(fault)?;
        let status = response.status().as_u16();
        let text = response.text().await.map_err(fault)?;
        let body = serde_json::from_str(&text).unwrap_or(Value::String(text));
        Ok(Answer { what, status, body })
    }

    /// Sends `call` as the administrator and takes only success for an answer.
    ///
    /// # Errors
    /// For every other answer, and for none.
    pub async fn admin_does(&self, call: Call<'_>) -> Result<Value, Fault> {
        self.send(&self.admin, call).await?.success()
    }

    /// What the API server thinks of a token: TokenReview's `status`, asked by the administrator,
    /// because a 401 itself says only `Unauthorized`. Waits for an issuer of distributed claims, which is looked for
    /// from its first token on.
    ///
    /// # Errors
    /// When the review cannot be had.
    pub async fn review(&self, token: &SecretString, audiences: &[String]) -> Result<Value, Fault> {
        let mut spec = json!({ "token": token.expose_secret() });
        if !audiences.is_empty() {
            spec["audiences"] = json!(audiences);
        }
        let body = json!({
            "apiVersion": "authentication.k8s.io/v1",
            "kind": "TokenReview",
            "spec": spec,
        });
        let path = "/apis/authentication.k8s.io/v1/tokenreviews";
        let what = "the API server finds the issuer of distributed claims";
        let reviewed = until(what, FOUND, || async {
            let review = match self.admin_does(Call::post(path, &body)).await {
                Ok(mut review) => review["status"].take(),
                Err(fault) => return Look::Ready(Err(fault)),
            };
            let words = review["error"].as_str().unwrap_or_default();
            if words.contains("verifier not initialized for issuer") {
                return Look::NotYet(words.to_owned());
            }
            Look::Ready(Ok(review))
        });
        match reviewed.await {
            Ok(reviewed) => reviewed,
            Err(late) => Err(Fault::other(late.to_string())),
        }
    }
}

fn showing(ca: &str, certificate: &str, key: &SecretString) -> Result<reqwest::Client, Fault> {
    let pem = SecretString::from(format!("{certificate}\n{}", key.expose_secret()));
    let identity = reqwest::Identity::from_pem(pem.expose_secret().as_bytes())
        .map_err(|error| Fault::Other(format!("a client certificate cannot be used: {error}")))?;
    http::builder(ca)
        .and_then(|builder| {
            let builder = builder.redirect(reqwest::redirect::Policy::none());
            Ok(builder.identity(identity).build()?)
        })
        .map_err(|error| Fault::Other(error.to_string()))
}
