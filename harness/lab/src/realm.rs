//! Whether a realm is any good to a lab: Keycloak imports one of which nothing arrives without a
//! word, and then refuses everybody.

use authlab_authn::yaml11;
use authlab_idp::keycloak::{Ground, LOGIN_NAMES, USER_STORAGE, check, default_clients};
use serde_json::Value;

use crate::backend::LabError;
use crate::plan::{Provider, Text};
use crate::source::nearest;

/// Looks whether the realm of `file`, whose placeholders are filled in `text`, is any good to a lab
/// that calls it `name`; answers with what the file says. What is no realm at all is Keycloak's to refuse.
pub(crate) fn fits(
    file: &Text,
    text: &str,
    name: &str,
    provider: Option<&Provider>,
) -> Result<Value, LabError> {
    let errors = check(text).err();
    let mut found = errors.iter().flat_map(|errors| errors.iter());
    if let Some(error) = found.find(|error| error.ground == Ground::NoRealm) {
        let message = format!("{}: {}", file.name, error.message);
        let help = error.help.as_deref().unwrap_or_default();
        return Err(at(file, "", &message, help));
    }
    let realm: Value = serde_json::from_str(text).unwrap_or_default();
    is_named(file, &realm, name)?;
    if let Some(provider) = provider
        && errors.is_none()
    {
        serves(file, &realm, provider)?;
    }
    Ok(realm)
}

/// That it leaves its name to the lab: the issuer has it in it, and labs that share a server must not
/// meet.
fn is_named(file: &Text, realm: &Value, wanted: &str) -> Result<(), LabError> {
    match realm["realm"].as_str() {
        Some(name) if name != wanted => {
            let message = format!("the realm calls itself `{name}`: its name is the lab's to give");
            let help = "write `\"realm\": \"${lab.realm}\"`, and the same wherever else the file \
                        names its realm, as in `default-roles-${lab.realm}`";
            Err(at(file, "realm", &message, help))
        }
        _ => Ok(()),
    }
}

/// Whether people whom the lab file names could log in: it is enabled, it has the client and the
/// users.
fn serves(file: &Text, realm: &Value, provider: &Provider) -> Result<(), LabError> {
    if provider.client.is_none() && provider.users.is_empty() {
        return Ok(());
    }
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
    // Users may be in a directory; whom another provider vouches for gives no password here.
    if !realm["components"][USER_STORAGE].is_null() {
        return Ok(());
    }
    let users = LOGIN_NAMES.map(|member| names("users", member)).concat();
    let mut people = provider.users.values().map(|user| &user.login);
    match people.find(|login| !users.contains(&login.to_lowercase())) {
        None => Ok(()),
        Some(login) => {
            let message = format!("the realm has no user `{login}`, whom the lab file names");
            let help = match nearest(login, users.iter().map(String::as_str)) {
                Some(near) => format!("did you mean `{near}`?"),
                None => "add the user, or export the realm with its users (`kc.sh export --users \
                         realm_file`): the partial export of the console leaves them out, and the \
                         file of the realm in an export to a directory, too"
                    .to_owned(),
            };
            Err(at(file, "users", &message, &help))
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
