//! Whether a realm is any good to a lab: Keycloak imports one of which nothing arrives without a
//! word, and then refuses everybody.

use authlab_authn::yaml11;
use authlab_idp::keycloak::{check, default_clients};
use serde_json::Value;

use crate::backend::LabError;
use crate::plan::{Provider, Text};

/// Looks whether people whom the lab file names could log in at the realm of `file`, whose
/// placeholders are filled in `text`: it is enabled, it has the client and the users. What is no
/// realm at all is Keycloak's to refuse.
pub(crate) fn serves(file: &Text, text: &str, provider: &Provider) -> Result<(), LabError> {
    let nobody = provider.client.is_none() && provider.users.is_empty();
    if nobody || check(text).is_err() {
        return Ok(());
    }
    let realm: Value = serde_json::from_str(text).unwrap_or_default();
    if realm["enabled"] != true {
        let message = "the realm is not enabled: nobody could log in";
        return Err(at(file, "enabled", message, "write `\"enabled\": true`"));
    }
    let names = |list: &str, member: &str| -> Vec<String> {
        let items = realm[list].as_array().into_iter().flatten();
        let names = items.filter_map(|item| item[member].as_str());
        names.map(str::to_lowercase).collect()
    };
    let clients = names("clients", "clientId");
    if let Some(client) = provider.client.as_ref().map(|client| &client.id)
        && default_clients().all(|default| default != client)
        && !clients.contains(&client.to_lowercase())
    {
        let message = format!("the realm has no client `{client}`, which the lab file names");
        let help = "export the realm with its clients (`kc.sh export`, or a partial export with \
                    \"include clients\"), or name another client in the lab file";
        return Err(at(file, "clients", &message, help));
    }
    // Users may come from elsewhere.
    let brokered = realm["identityProviders"][0].is_object();
    let federated = !realm["components"]["org.keycloak.storage.UserStorageProvider"].is_null();
    if brokered || federated {
        return Ok(());
    }
    let users = [names("users", "username"), names("users", "email")].concat();
    let mut people = provider.users.values().map(|user| &user.login);
    match people.find(|login| !users.contains(&login.to_lowercase())) {
        None => Ok(()),
        Some(login) => {
            let message = format!("the realm has no user `{login}`, whom the lab file names");
            let help = "export the realm with its users (`kc.sh export --users realm_file`): the \
                        partial export of the console leaves them out";
            Err(at(file, "users", &message, help))
        }
    }
}

fn at(file: &Text, path: &str, message: &str, help: &str) -> LabError {
    let root = yaml11::parse_spanned(&file.text).ok();
    let place = root.and_then(|root| Some(root.at(path)?.span.start));
    let label = if place.is_some() {
        "here"
    } else {
        "in this file"
    };
    let error = file.source().error_word(place.unwrap_or(0), message, label);
    error.or_help(help).into()
}
