//! Refresh tokens: one a user, connector and client, replaced at each use unless the file says otherwise.

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
    time::SystemTime,
};

use axum::http::StatusCode;
use secrecy::{ExposeSecret, SecretString};

use super::{
    config::{Client, RefreshPolicy},
    go::duration::Span,
    identity::Identity,
    issue::Authorization,
    pair,
};
use crate::oidc::{OAuthError, random};

const CLAIMED: &str = "Refresh token is invalid or has already been claimed by another client.";

/// All that are valid. One tells them apart by a name that stays and a secret that changes.
#[derive(Default)]
pub(crate) struct RefreshTokens(Mutex<State>);

#[derive(Default)]
struct State {
    tokens: HashMap<String, Record>,
    /// Names by user, connector and client.
    holders: HashMap<(String, String, String), String>,
}

#[derive(Clone)]
struct Record {
    secret: SecretString,
    /// The secret before this one, which a client may repeat for a while.
    obsolete: Option<SecretString>,
    created: SystemTime,
    used: SystemTime,
    auth: Authorization,
}

/// A token that has been looked up, not yet used.
pub(crate) struct Presented {
    name: String,
    secret: SecretString,
    /// What the token was issued for.
    pub auth: Authorization,
}

impl Record {
    fn is(&self, secret: &SecretString) -> bool {
        self.secret.expose_secret() == secret.expose_secret()
    }

    fn was(&self, secret: &SecretString) -> bool {
        let obsolete = self.obsolete.as_ref().map(ExposeSecret::expose_secret);
        obsolete == Some(secret.expose_secret())
    }

    fn reusable(&self, policy: &RefreshPolicy) -> bool {
        policy.reuse_interval != Span::ZERO
            && SystemTime::now() <= policy.reuse_interval.after(self.used)
    }

    fn expired(&self, policy: &RefreshPolicy) -> bool {
        let past = |span: Span, since| span != Span::ZERO && SystemTime::now() > span.after(since);
        past(policy.absolute_lifetime, self.created)
            || past(policy.valid_if_not_used_for, self.used)
    }
}

impl RefreshTokens {
    /// A new token, which ends the one that this user has for the client already.
    pub(crate) fn create(&self, auth: &Authorization) -> SecretString {
        let now = SystemTime::now();
        let name = random::identifier();
        let secret = random::identifier();
        let raw = pair::encode(&name, &secret);
        let record = Record {
            secret: secret.into(),
            obsolete: None,
            created: now,
            used: now,
            // The time of the login is not told again at a refresh.
            auth: Authorization {
                auth_time: None,
                ..auth.clone()
            },
        };
        let holder = (
            auth.identity.user_id.clone(),
            auth.connector.clone(),
            auth.client_id.clone(),
        );
        let mut state = self.lock();
        if let Some(former) = state.holders.insert(holder, name.clone()) {
            state.tokens.remove(&former);
        }
        state.tokens.insert(name, record);
        raw.into()
    }

    /// Looks a token up that a client presents.
    ///
    /// # Errors
    /// In Dex's words, when there is none, it is another client's, was used before, or has expired.
    pub(crate) fn find(
        &self,
        raw: &str,
        client: &Client,
        policy: &RefreshPolicy,
    ) -> Result<Presented, OAuthError> {
        if raw.is_empty() {
            return Err(OAuthError::new(
                "invalid_request",
                "No refresh token is found in request.",
            ));
        }
        let (name, secret) = pair::decode(raw).unwrap_or_else(|| (raw.to_owned(), String::new()));
        let secret = SecretString::from(secret);
        let state = self.lock();
        let record = state
            .tokens
            .get(&name)
            .ok_or_else(|| OAuthError::new("invalid_request", CLAIMED))?;
        if record.auth.client_id != client.id {
            return Err(OAuthError::new("invalid_grant", CLAIMED));
        }
        let known = record.is(&secret) || record.reusable(policy) && record.was(&secret);
        if !known {
            return Err(OAuthError::new("invalid_request", CLAIMED));
        }
        if record.expired(policy) {
            return Err(OAuthError::new("invalid_request", "Refresh token expired."));
        }
        Ok(Presented {
            auth: record.auth.clone(),
            name,
            secret,
        })
    }

    /// Uses a token: the one to hand out in its place, and whose it is as of now. `current` looks the user up, and is
    /// not asked when the token was used just before.
    ///
    /// # Errors
    /// When somebody else used it in between, or the user is gone.
    pub(crate) fn rotate(
        &self,
        presented: &Presented,
        policy: &RefreshPolicy,
        current: impl FnOnce(&Identity) -> Option<Identity>,
    ) -> Result<(SecretString, Identity), OAuthError> {
        let failed = || {
            OAuthError::new("invalid_request", "").with_status(StatusCode::INTERNAL_SERVER_ERROR)
        };
        let mut state = self.lock();
        let record = state.tokens.get_mut(&presented.name).ok_or_else(failed)?;
        let raw =
            |secret: &SecretString| pair::encode(&presented.name, secret.expose_secret()).into();
        if record.reusable(policy) {
            if policy.rotate && !record.is(&presented.secret) && !record.was(&presented.secret) {
                return Err(failed());
            }
            return Ok((raw(&record.secret), record.auth.identity.clone()));
        }
        if policy.rotate && !record.is(&presented.secret) {
            return Err(failed());
        }
        let identity = current(&record.auth.identity).ok_or_else(failed)?;
        if policy.rotate {
            let next = SecretString::from(random::identifier());
            record.obsolete = Some(std::mem::replace(&mut record.secret, next));
        }
        record.used = SystemTime::now();
        record.auth.identity = identity.clone();
        Ok((raw(&record.secret), identity))
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn policy(reuse_interval: &str) -> RefreshPolicy {
        RefreshPolicy {
            rotate: true,
            reuse_interval: Span::parse(reuse_interval).unwrap(),
            absolute_lifetime: Span::ZERO,
            valid_if_not_used_for: Span::ZERO,
        }
    }

    fn client() -> Client {
        Client {
            id: "app".to_owned(),
            secret: "secret".into(),
            name: String::new(),
            redirect_uris: Vec::new(),
            public: false,
            trusted_peers: Vec::new(),
            allowed_connectors: Vec::new(),
            own_groups: Vec::new(),
        }
    }

    fn authorization() -> Authorization {
        Authorization {
            client_id: "app".to_owned(),
            identity: Identity::default(),
            scopes: Vec::new(),
            connector: "local".to_owned(),
            nonce: String::new(),
            auth_time: None,
        }
    }

    /// Uses a token; the next one, or how it was refused.
    fn redeem(
        tokens: &RefreshTokens,
        raw: &SecretString,
        policy: &RefreshPolicy,
    ) -> Result<String, OAuthError> {
        let presented = tokens.find(raw.expose_secret(), &client(), policy)?;
        let (next, _) = tokens.rotate(&presented, policy, |identity| Some(identity.clone()))?;
        Ok(next.expose_secret().to_owned())
    }

    #[test]
    fn the_token_before_gives_the_current_one_within_the_reuse_interval() {
        let (tokens, policy) = (RefreshTokens::default(), policy("1h"));
        let first = tokens.create(&authorization());
        for record in tokens.lock().tokens.values_mut() {
            record.used -= Duration::from_secs(2 * 3600);
        }
        let second = redeem(&tokens, &first, &policy).unwrap();
        assert_ne!(second, first.expose_secret());
        assert_eq!(redeem(&tokens, &first, &policy), Ok(second.clone()));
        assert_eq!(
            redeem(&tokens, &second.clone().into(), &policy),
            Ok(second.clone())
        );
        for record in tokens.lock().tokens.values_mut() {
            record.used -= Duration::from_secs(2 * 3600);
        }
        assert!(
            redeem(&tokens, &first, &policy).is_err(),
            "the interval is over"
        );
        assert_ne!(redeem(&tokens, &second.clone().into(), &policy), Ok(second));
    }

    #[test]
    fn of_two_who_found_a_token_one_uses_it() {
        let (tokens, policy) = (RefreshTokens::default(), policy("0"));
        let first = tokens.create(&authorization());
        let find = || {
            tokens
                .find(first.expose_secret(), &client(), &policy)
                .unwrap()
        };
        let (one, other) = (find(), find());
        let use_up =
            |presented| tokens.rotate(presented, &policy, |identity| Some(identity.clone()));
        assert!(use_up(&one).is_ok());
        assert!(use_up(&other).is_err());
    }

    #[test]
    fn a_user_who_is_gone_gets_nothing() {
        let (tokens, policy) = (RefreshTokens::default(), policy("0"));
        let first = tokens.create(&authorization());
        let presented = tokens
            .find(first.expose_secret(), &client(), &policy)
            .unwrap();
        assert!(tokens.rotate(&presented, &policy, |_| None).is_err());
        assert!(
            redeem(&tokens, &first, &policy).is_ok(),
            "and the token is as it was"
        );
    }
}
