//! What labs ask of the server as its administrator, by the admin REST API.

use std::error::Error;
use std::time::{Duration, Instant};

use reqwest::{Client, Method, StatusCode};
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};
use tokio::sync::Mutex;

use super::keys;
use crate::backend::LabError;
use crate::backend::process::admin::chain;

/// The administrator's name.
pub(in crate::backend) const USER: &str = "authlab";
/// Keys of higher priority sign; those of an import have 100.
const FIRST_PRIORITY: usize = 200;

/// How long an answer may take: where every processor is busy a server that has just booted imports
/// its first realm for minutes. Its end is noticed at once all the same.
const ANSWER: Duration = Duration::from_secs(300);

/// A client of the server.
#[derive(Debug)]
pub(in crate::backend) struct Admin {
    http: Client,
    url: String,
    password: SecretString,
    /// The last one, and until when it serves.
    token: Mutex<Option<(SecretString, Instant)>>,
}

impl Admin {
    pub(in crate::backend) fn new(
        ca: &str,
        port: u16,
        password: SecretString,
    ) -> Result<Self, LabError> {
        Ok(Self {
            http: authlab_pki::http::client(ca)?,
            url: format!("https://127.0.0.1:{port}"),
            password,
            token: Mutex::default(),
        })
    }

    /// Whether it serves.
    pub(in crate::backend) async fn answers(&self) -> Result<(), String> {
        let url = format!(
            "{}/realms/master/.well-known/openid-configuration",
            self.url
        );
        match self.http.get(url).send().await {
            Ok(answer) if answer.status().is_success() => Ok(()),
            Ok(answer) => Err(answer.status().to_string()),
            Err(error) => Err(chain(&error)),
        }
    }

    /// Imports a realm; its refusal, by status and in its words.
    pub(in crate::backend) async fn create(
        &self,
        realm: &str,
    ) -> Result<Result<(), (StatusCode, String)>, LabError> {
        let realm = Some(realm.to_owned());
        Ok(match self.call(Method::POST, "", realm).await? {
            (status, _) if status.is_success() => Ok(()),
            (status, body) => Err((status, words(status, &body))),
        })
    }

    /// The names of all realms.
    pub(in crate::backend) async fn realms(&self) -> Result<Vec<String>, LabError> {
        let list = self.read("?briefRepresentation=true").await?;
        Ok(each(&list, "realm"))
    }

    /// The ids of a realm's clients.
    pub(in crate::backend) async fn clients(&self, realm: &str) -> Result<Vec<String>, LabError> {
        let list = self.read(&format!("/{realm}/clients")).await?;
        Ok(each(&list, "clientId"))
    }

    /// The names of a realm's users, of service accounts too.
    pub(in crate::backend) async fn users(&self, realm: &str) -> Result<Vec<String>, LabError> {
        let (mut all, mut first) = (Vec::new(), 0);
        loop {
            let page = format!("/{realm}/users?briefRepresentation=true&first={first}&max={PAGE}");
            let names = each(&self.read(&page).await?, "username");
            first += PAGE;
            let last = names.len() < PAGE;
            all.extend(names);
            if last {
                return Ok(all);
            }
        }
    }

    /// Removes a realm, if it is there.
    pub(in crate::backend) async fn remove(&self, realm: &str) -> Result<(), LabError> {
        self.delete(format!("/{realm}")).await
    }

    /// Clears what a realm has counted of wrong passwords, for all its users.
    pub(in crate::backend) async fn unlock(&self, realm: &str) -> Result<(), LabError> {
        self.delete(format!("/{realm}/attack-detection/brute-force/users"))
            .await
    }

    async fn delete(&self, path: String) -> Result<(), LabError> {
        match self.call(Method::DELETE, &path, None).await? {
            (status, _) if status.is_success() || status == StatusCode::NOT_FOUND => Ok(()),
            (status, body) => Err(failed(&path, &words(status, &body))),
        }
    }

    /// Adds a key that signs from now on: one more provider of keys, before those that are there.
    pub(in crate::backend) async fn rotate(&self, realm: &str) -> Result<(), LabError> {
        let about = self.read(&format!("/{realm}")).await?;
        let algorithm = about["defaultSignatureAlgorithm"].as_str();
        let algorithm = algorithm.filter(|name| !name.is_empty()).unwrap_or("RS256");
        let path = format!("/{realm}/components?type={}", keys::PROVIDER);
        let there = self.read(&path).await?;
        let priority = FIRST_PRIORITY + there.as_array().map_or(0, Vec::len);
        let (provider, config) = keys::signer(algorithm, priority)?;
        let component = json!({
            "name": format!("rotated-{priority}"), "parentId": about["id"],
            "providerType": keys::PROVIDER, "providerId": provider, "config": config,
        });
        let path = format!("/{realm}/components");
        match self
            .call(Method::POST, &path, Some(component.to_string()))
            .await?
        {
            (status, _) if status.is_success() => Ok(()),
            (status, body) => Err(failed(&path, &words(status, &body))),
        }
    }

    async fn read(&self, path: &str) -> Result<Value, LabError> {
        match self.call(Method::GET, path, None).await? {
            (StatusCode::OK, body) => {
                serde_json::from_str(&body).map_err(|error| failed(path, &error))
            }
            (status, body) => Err(failed(path, &words(status, &body))),
        }
    }

    /// The administrator's token: the server hashes a password for each, which takes it longer than
    /// most of what is asked.
    async fn token(&self, path: &str) -> Result<SecretString, LabError> {
        let mut held = self.token.lock().await;
        if let Some((token, until)) = &*held
            && Instant::now() < *until
        {
            return Ok(token.clone());
        }
        let form = [
            ("grant_type", "password"),
            ("client_id", "admin-cli"),
            ("username", USER),
            ("password", self.password.expose_secret()),
        ];
        let url = format!("{}/realms/master/protocol/openid-connect/token", self.url);
        let begun = Instant::now();
        let request = self.http.post(url).form(&form).timeout(ANSWER);
        let answer = request.send().await;
        let answer = answer.map_err(|error| unanswered(path, &error))?;
        let (status, text) = (answer.status(), answer.text().await.unwrap_or_default());
        let said: Value = serde_json::from_str(&text).unwrap_or_default();
        let Some(token) = said["access_token"].as_str() else {
            return Err(failed(path, &words(status, &text)));
        };
        let token = SecretString::from(token);
        // Half of its life, so that no request comes too late.
        let life = Duration::from_secs(said["expires_in"].as_u64().unwrap_or_default()) / 2;
        *held = Some((token.clone(), begun + life));
        Ok(token)
    }

    /// One request below `/admin/realms`.
    async fn call(
        &self,
        method: Method,
        path: &str,
        body: Option<String>,
    ) -> Result<(StatusCode, String), LabError> {
        let token = self.token(path).await?;
        let token = token.expose_secret();
        let url = format!("{}/admin/realms{path}", self.url);
        let request = self.http.request(method, url).bearer_auth(token);
        let mut request = request.timeout(ANSWER);
        if let Some(body) = body {
            request = request
                .header("content-type", "application/json")
                .body(body);
        }
        let answer = request
            .send()
            .await
            .map_err(|error| unanswered(path, &error))?;
        let status = answer.status();
        let text = answer
            .text()
            .await
            .map_err(|error| unanswered(path, &error))?;
        Ok((status, text))
    }
}

/// How many users are asked for at once.
const PAGE: usize = 500;

/// The member of that name of every item.
fn each(list: &Value, member: &str) -> Vec<String> {
    let items = list.as_array().into_iter().flatten();
    let texts = items.filter_map(|item| item[member].as_str());
    texts.map(str::to_owned).collect()
}

fn words(status: StatusCode, body: &str) -> String {
    let body: Value = serde_json::from_str(body).unwrap_or_default();
    let said = ["errorMessage", "error_description", "error"];
    let said = said.iter().find_map(|member| body[*member].as_str());
    said.map_or_else(|| status.to_string(), str::to_owned)
}

fn unanswered(path: &str, error: &dyn Error) -> LabError {
    failed(path, &chain(error))
}

fn failed(path: &str, why: &dyn std::fmt::Display) -> LabError {
    LabError::Api {
        what: format!("keycloak: /admin/realms{path}"),
        why: why.to_string(),
    }
}
