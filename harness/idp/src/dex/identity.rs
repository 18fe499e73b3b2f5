//! Who logs in: Dex's own list of users, its connector `local`.

use secrecy::{ExposeSecret as _, SecretString};

use super::config::{Config, User, bcrypt_cost};

/// The connector that checks passwords against the list.
pub(crate) const LOCAL: &str = "local";
/// Costs of password hashes that Dex accepts at login.
const COSTS: std::ops::RangeInclusive<u32> = 10..=16;

/// Somebody whose identity has been proved.
#[derive(Debug, Clone, Default)]
pub(crate) struct Identity {
    pub user_id: String,
    pub name: String,
    pub preferred_username: String,
    pub email: String,
    pub email_verified: bool,
    pub groups: Vec<String>,
    /// The refresh token of the provider that proved it, empty where it gave none.
    pub upstream: Option<SecretString>,
}

impl From<&User> for Identity {
    fn from(user: &User) -> Self {
        Self {
            user_id: user.id.clone(),
            name: user.name.clone(),
            preferred_username: user.preferred_username.clone(),
            email: user.email.clone(),
            email_verified: user.email_verified,
            groups: user.groups.clone(),
            upstream: None,
        }
    }
}

/// A password that could not be checked: its hash is too cheap or too dear, or the check was broken off.
#[derive(Debug)]
pub(crate) struct Unchecked;

/// The user of this address (whatever its case) and password; none when either is wrong.
pub(crate) async fn login(
    config: &Config,
    email: &str,
    password: SecretString,
) -> Result<Option<Identity>, Unchecked> {
    let Some(user) = config.users.get(&email.to_lowercase()) else {
        return Ok(None);
    };
    let hash = user.hash.clone();
    match bcrypt_cost(hash.expose_secret()) {
        Ok(cost) if COSTS.contains(&cost) => {}
        outcome => {
            tracing::error!(
                email,
                ?outcome,
                "the password's hash has a cost outside of {COSTS:?}"
            );
            return Err(Unchecked);
        }
    }
    let check =
        move || bcrypt::verify(password.expose_secret(), hash.expose_secret()).unwrap_or(false);
    let right = tokio::task::spawn_blocking(check)
        .await
        .map_err(|_| Unchecked)?;
    Ok(right.then(|| Identity::from(user)))
}

/// The identity as it is now, of somebody who logged in before; none when the user is gone.
pub(crate) fn refresh(config: &Config, identity: &Identity) -> Option<Identity> {
    let user = config.users.get(&identity.email.to_lowercase())?;
    (user.id == identity.user_id).then(|| Identity {
        email: identity.email.clone(),
        ..Identity::from(user)
    })
}
