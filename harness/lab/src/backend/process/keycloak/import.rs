//! A realm as a lab has it on a server.

use std::time::Duration;

use authlab_idp::keycloak::check;
use reqwest::StatusCode;
use serde_json::Value;

use super::admin::Admin;
use super::anonymous;
use super::keys;
use crate::backend::{LabError, Site};
use crate::plan::{Provider, Text};
use crate::realm;
use crate::refusal;
use crate::wait::{Look, until};

/// How long a realm that has been imported may take to answer.
const ANSWER: Duration = Duration::from_secs(30);

/// A realm, to be imported.
#[derive(Debug, Clone)]
pub(in crate::backend) struct Import {
    /// As the server calls it.
    pub name: String,
    pub issuer: String,
    file: Text,
    /// The file with its placeholders filled.
    text: String,
    /// What it says.
    realm: Value,
}

impl Import {
    /// That of the provider `name` of a lab, in `file`.
    ///
    /// # Errors
    /// When the file is of no use to the lab.
    pub fn of(site: &Site, name: &str, provider: &Provider, file: Text) -> Result<Self, LabError> {
        let value = |what: &str| {
            let value = site.values.get(&format!("lab.idp.{name}.{what}"));
            value.cloned().unwrap_or_default()
        };
        let (called, issuer) = (value("realm"), value("issuer"));
        let text = site.render_for(name, &file)?;
        let realm = realm::fits(&file, &text, &called, Some(provider))?;
        Ok(Self {
            name: called,
            issuer,
            file,
            text,
            realm,
        })
    }

    /// Imports it as the provider `name` of a lab; `cause` is why the server says that it did not.
    ///
    /// # Errors
    /// With the place in the file, where that is known.
    pub async fn create(
        &self,
        name: &str,
        admin: &Admin,
        cause: impl FnOnce() -> Option<String>,
    ) -> Result<(), LabError> {
        // That of a lab of the same name whose host was killed.
        admin.remove(&self.name).await?;
        let text = keys::supplied(&self.text)?;
        let mut created = admin.create(&text).await?;
        if let Err((StatusCode::CONFLICT, _)) = created
            && let Some(text) = anonymous::realm(&text)
        {
            created = admin.create(&text).await?;
        }
        if let Err((_, words)) = created {
            let words = cause().unwrap_or(words);
            // It seldom says where.
            let found = check(&self.text).err();
            let file = &self.file;
            return Err(refusal::of_real_keycloak(
                name,
                file,
                &words,
                found.as_ref(),
            ));
        }
        Ok(())
    }

    /// Has the server forget wrong passwords, if it counts them.
    ///
    /// # Errors
    /// When it does not.
    pub async fn unlock(&self, admin: &Admin) -> Result<(), LabError> {
        if self.realm["bruteForceProtected"] == true {
            admin.unlock(&self.name).await?;
        }
        Ok(())
    }

    /// Waits until the realm's discovery at `url` names the lab's issuer, then looks whether every
    /// client and every user of the file has arrived as the provider `name` of a lab; `said` is what
    /// the server has written to its log meanwhile.
    ///
    /// # Errors
    /// With what is missing.
    pub async fn is_there(
        &self,
        (name, said): (&str, impl FnOnce() -> String),
        admin: &Admin,
        url: &str,
        ca: &str,
    ) -> Result<(), LabError> {
        let http = authlab_pki::http::client(ca)?;
        let url = format!("{url}/.well-known/openid-configuration");
        let what = format!("the realm {} answers", self.name);
        until(&what, ANSWER, || async {
            let answer = match http.get(&url).send().await {
                Ok(answer) if answer.status().is_success() => answer.text().await,
                Ok(answer) => return Look::NotYet(answer.status().to_string()),
                Err(error) => return Look::NotYet(error.to_string()),
            };
            match answer.ok().and_then(|text| text_of(&text, "issuer")) {
                Some(issuer) if issuer == self.issuer => Look::Ready(()),
                Some(issuer) => Look::Failed(format!("its issuer is {issuer}")),
                None => Look::NotYet("it names no issuer".to_owned()),
            }
        })
        .await?;
        let clients = admin.clients(&self.name).await?;
        let users = admin.users(&self.name).await?;
        match missing(&self.realm, &clients, &users) {
            None => Ok(()),
            Some(what) => Err(LabError::Component {
                component: name.to_owned(),
                what: format!(
                    "took the realm of {} without a word, but it has no {what}",
                    self.file.name
                ),
                lines: said(),
            }),
        }
    }
}

/// The first client or user of a realm that has not arrived.
fn missing(realm: &Value, clients: &[String], users: &[String]) -> Option<String> {
    let missing = |list: &str, member: &str, there: &[String]| {
        let items = realm[list].as_array().into_iter().flatten();
        // The server lists no users of clients.
        let items = items.filter(|item| item["serviceAccountClientId"].is_null());
        let mut wanted = items.filter_map(|item| item[member].as_str());
        wanted
            .find(|id| !there.iter().any(|known| known.eq_ignore_ascii_case(id)))
            .map(str::to_owned)
    };
    let client = missing("clients", "clientId", clients).map(|id| format!("client {id}"));
    let user = || missing("users", "username", users).map(|name| format!("user {name}"));
    client.or_else(user)
}

/// A text among the members of a JSON object.
fn text_of(json: &str, member: &str) -> Option<String> {
    let value: Value = serde_json::from_str(json).ok()?;
    Some(value.get(member)?.as_str()?.to_owned())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::missing;

    #[test]
    fn what_a_server_has_left_out_of_a_realm_is_found() {
        let realm = json!({
            "clients": [{ "clientId": "account" }, { "clientId": "Kubernetes" }],
            "users": [
                { "username": "service-account-robot", "serviceAccountClientId": "robot" },
                { "username": "Jane" },
            ],
        });
        let there = |names: &[&str]| {
            names
                .iter()
                .map(|&name| name.to_owned())
                .collect::<Vec<_>>()
        };
        let (clients, users) = (there(&["account", "kubernetes"]), there(&["jane"]));
        assert_eq!(missing(&realm, &clients, &users), None);
        let without = missing(&realm, &clients[..1], &users);
        assert_eq!(without.as_deref(), Some("client Kubernetes"));
        let without = missing(&realm, &clients, &[]);
        assert_eq!(without.as_deref(), Some("user Jane"));
    }
}
