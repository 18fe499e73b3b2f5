//! Who stands in the file: clients and users.

use std::collections::HashMap;

use secrecy::{ExposeSecret as _, SecretString};

use super::{Client, ConfigError, Place, User, Warning, raw::RawClient};
use crate::dex::go::quote::quote;

/// Grants a connector can be restricted to.
pub(super) const CONNECTOR_GRANTS: [&str; 6] = [
    "authorization_code",
    "refresh_token",
    "implicit",
    "password",
    "urn:ietf:params:oauth:grant-type:device_code",
    "urn:ietf:params:oauth:grant-type:token-exchange",
];

/// An error about a client.
pub(super) fn about_client(client: &RawClient, message: impl Into<String>) -> ConfigError {
    ConfigError::new(message, Some(client.place)).about(&client.path)
}

/// The clients by name, complete as Dex wants them.
pub(super) fn clients(
    raw: Vec<RawClient>,
    env: &dyn Fn(&str) -> Option<String>,
    warnings: &mut Vec<Warning>,
) -> Result<HashMap<String, Client>, ConfigError> {
    let mut clients = HashMap::new();
    for mut client in raw {
        let refused =
            |reason: String| Err(about_client(&client, format!("invalid config: {reason}")));
        let no_secret = client.secret.expose_secret().is_empty();
        if client.name.is_empty() {
            return refused("Name field is required for a client".to_owned());
        }
        if client.id.is_empty() && client.id_env.is_empty() {
            return refused("ID or IDEnv field is required for a client".to_owned());
        }
        if !client.id_env.is_empty() && !client.id.is_empty() {
            let id = quote(&client.id);
            return refused(format!("ID and IDEnv fields are exclusive for client {id}"));
        }
        if no_secret && client.secret_env.is_empty() && !client.public {
            let id = quote(&client.id);
            return refused(format!(
                "Secret or SecretEnv field is required for client {id}"
            ));
        }
        if !client.secret_env.is_empty() && !no_secret {
            let id = quote(&client.id);
            return refused(format!(
                "Secret and SecretEnv fields are exclusive for client {id}"
            ));
        }
        if !client.id_env.is_empty() {
            client.id = env(&client.id_env).unwrap_or_default();
        }
        if !client.secret_env.is_empty() {
            client.secret = SecretString::from(env(&client.secret_env).unwrap_or_default());
        }
        let (place, path) = (client.place, client.path);
        let known = Client {
            id: client.id.clone(),
            secret: client.secret,
            name: client.name,
            redirect_uris: client.redirect_uris,
            public: client.public,
            trusted_peers: client.trusted_peers,
            allowed_connectors: client.allowed_connectors,
            own_groups: client.own_groups,
        };
        if clients.insert(client.id.clone(), known).is_some() {
            let message = format!(
                "{path}: there are two clients {:?}, and Dex takes the last",
                client.id
            );
            warnings.push(Warning {
                path,
                place,
                message,
            });
        }
    }
    Ok(clients)
}

/// The users by address in lower case.
pub(super) fn users(raw: Vec<(User, Place)>, warnings: &mut Vec<Warning>) -> HashMap<String, User> {
    let mut users = HashMap::new();
    for (position, (user, place)) in raw.into_iter().enumerate() {
        let path = format!("staticPasswords[{position}]");
        let email = user.email.clone();
        if users.insert(email.to_lowercase(), user).is_some() {
            let message = format!("{path}: there are two users {email:?}, and Dex takes the last");
            warnings.push(Warning {
                path,
                place,
                message,
            });
        }
    }
    users
}
