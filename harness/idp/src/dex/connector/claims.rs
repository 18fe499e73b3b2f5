//! From the claims of another provider to an identity here (`createIdentity` of Dex's OIDC connector).

use regex::Regex;
use secrecy::SecretString;
use serde_json::{Map, Value};

use crate::dex::{
    config::{NewGroup, Upstream},
    identity::Identity,
};

/// Who the claims are about. `filter` chooses among the groups, `refresh` is the provider's own refresh token.
///
/// # Errors
/// In Dex's words, when a claim is missing or the user is in none of the allowed groups.
pub(super) fn identity(
    upstream: &Upstream,
    filter: Option<&Regex>,
    claims: &Map<String, Value>,
    refresh: SecretString,
) -> Result<Identity, String> {
    let text = |name: &str| claims.get(name).and_then(Value::as_str);
    let required = |name: &str| text(name).ok_or_else(|| format!("missing \"{name}\" claim"));
    let subject = required("sub")?;
    let name = required(match upstream.user_name_key.as_str() {
        "" => "name",
        key => key,
    })?;
    let preferred_key = mapped_key(
        upstream,
        text("preferred_username").is_some(),
        "preferred_username",
        &upstream.preferred_username_key,
    );
    let email_key = mapped_key(
        upstream,
        text("email").is_some(),
        "email",
        &upstream.email_key,
    );
    let wants_email =
        upstream.scopes.is_empty() || upstream.scopes.iter().any(|scope| scope == "email");
    let email = match text(email_key) {
        Some(email) => email,
        None if wants_email => {
            return Err(format!(
                "missing email claim, not found \"{email_key}\" key"
            ));
        }
        None => "",
    };
    let email_verified = match claims.get("email_verified").and_then(Value::as_bool) {
        Some(verified) => verified,
        None if upstream.skip_email_verified => true,
        None if wants_email => return Err("missing \"email_verified\" claim".to_owned()),
        None => false,
    };
    let mut groups = groups(upstream, filter, claims)?;
    for group in &mut groups {
        *group = format!(
            "{}{group}{}",
            upstream.groups_prefix, upstream.groups_suffix
        );
    }
    let made = upstream.new_groups.iter();
    groups.extend(made.filter_map(|new| new_group(new, claims)));
    let user_id = match upstream.user_id_key.as_str() {
        "" => subject,
        key => text(key).ok_or_else(|| format!("oidc: not found {key} claim"))?,
    };
    Ok(Identity {
        user_id: user_id.to_owned(),
        name: name.to_owned(),
        preferred_username: text(preferred_key).unwrap_or_default().to_owned(),
        email: email.to_owned(),
        email_verified,
        groups,
        upstream: Some(refresh),
    })
}

/// The claim that counts: the usual one, unless it is not there or the file overrides it and names another.
fn mapped_key<'k>(upstream: &Upstream, found: bool, usual: &'k str, other: &'k str) -> &'k str {
    match (!found || upstream.override_claims) && !other.is_empty() {
        true => other,
        false => usual,
    }
}

/// The groups that are asked for, filtered and allowed.
fn groups(
    upstream: &Upstream,
    filter: Option<&Regex>,
    claims: &Map<String, Value>,
) -> Result<Vec<String>, String> {
    if !upstream.enable_groups {
        return Ok(Vec::new());
    }
    let list = |name: &str| claims.get(name).and_then(Value::as_array);
    let key = mapped_key(
        upstream,
        list("groups").is_some(),
        "groups",
        &upstream.groups_key,
    );
    let mut groups: Vec<String> = Vec::new();
    // One group may stand there without a list; the filter does not look at it.
    groups.extend(claims.get(key).and_then(Value::as_str).map(str::to_owned));
    for group in list(key).into_iter().flatten() {
        let name = match group {
            Value::String(name) => Some(name),
            Value::Object(group) => match group.get("name") {
                Some(Value::String(name)) => Some(name),
                _ => None,
            },
            _ => return Err(format!("malformed \"{key}\" claim")),
        };
        let wanted = |name: &&String| filter.is_none_or(|filter| filter.is_match(name));
        groups.extend(name.filter(wanted).cloned());
    }
    if !upstream.allowed_groups.is_empty() {
        groups.retain(|group| upstream.allowed_groups.contains(group));
        if groups.is_empty() {
            return Err("user not a member of allowed groups".to_owned());
        }
    }
    Ok(groups)
}

/// A group joined from the claims that are texts; none when there are none.
fn new_group(new: &NewGroup, claims: &Map<String, Value>) -> Option<String> {
    let mut parts = vec![new.prefix.clone()];
    let values = new.claims.iter().filter_map(|name| claims.get(name));
    parts.extend(values.filter_map(Value::as_str).map(|value| {
        match new.clear_delimiter && !new.delimiter.is_empty() {
            true => value.replace(&new.delimiter, ""),
            false => value.to_owned(),
        }
    }));
    (parts.len() > 1).then(|| parts.join(&new.delimiter))
}
