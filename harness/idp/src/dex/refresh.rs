//! Refresh tokens: one a user, connector and client, replaced at each use unless the file says otherwise.

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
    time::SystemTime,
};

use axum::http::StatusCode;
use secrecy::{ExposeSecret, SecretString};

use super::{
    config::RefreshPolicy, go::duration::Span, identity::Identity, issue::Authorization, pair,
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
    /// The refresh tokens of other providers, by user and connector: one for all clients.
    upstream: HashMap<(String, String), SecretString>,
}

impl State {
    fn remember(&mut self, auth: &Authorization) {
        if let Some(token) = &auth.identity.upstream {
            let user = (auth.identity.user_id.clone(), auth.connector.clone());
            self.upstream.insert(user, token.clone());
        }
    }
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
    pub created: SystemTime,
}

/// What becomes of a token that is used.
pub(crate) enum Use {
    /// It was used just before: the one to hand out, and whose it is as of then.
    Again(SecretString, Identity),
    /// The user has to be looked up, which [`RefreshTokens::finish`] wants to know.
    Due(Identity),
}

/// A token that cannot be used, for a reason the client is not told.
pub(crate) fn failed() -> OAuthError {
    OAuthError::new("invalid_request", "").with_status(StatusCode::INTERNAL_SERVER_ERROR)
}

impl Presented {
    /// The token with this secret, as clients have it.
    fn raw(&self, secret: &SecretString) -> SecretString {
        pair::encode(&self.name, secret.expose_secret()).into()
    }
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
        state.remember(auth);
        if let Some(former) = state.holders.insert(holder, name.clone()) {
            state.tokens.remove(&former);
        }
        state.tokens.insert(name, record);
        raw.into()
    }

    /// Looks a token up that a client presents, or anybody.
    ///
    /// # Errors
    /// In Dex's words, when there is none, it is another client's, was used before, or has expired.
    pub(crate) fn find(
        &self,
        raw: &str,
        client: Option<&str>,
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
        if client.is_some_and(|client| record.auth.client_id != client) {
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
            created: record.created,
            name,
            secret,
        })
    }

    /// Begins to use a token.
    ///
    /// # Errors
    /// When somebody else used it in between.
    pub(crate) fn begin(
        &self,
        presented: &Presented,
        policy: &RefreshPolicy,
    ) -> Result<Use, OAuthError> {
        let state = self.lock();
        let record = state.tokens.get(&presented.name).ok_or_else(failed)?;
        let is_current = record.is(&presented.secret);
        let mut identity = record.auth.identity.clone();
        if record.reusable(policy) {
            if policy.rotate && !is_current && !record.was(&presented.secret) {
                return Err(failed());
            }
            return Ok(Use::Again(presented.raw(&record.secret), identity));
        }
        if policy.rotate && !is_current {
            return Err(failed());
        }
        let user = (identity.user_id.clone(), record.auth.connector.clone());
        identity.upstream = state.upstream.get(&user).cloned();
        Ok(Use::Due(identity))
    }

    /// Ends the use: the token to hand out in its place. Its user is `current` as of now.
    ///
    /// # Errors
    /// When somebody else used it in between.
    pub(crate) fn finish(
        &self,
        presented: &Presented,
        policy: &RefreshPolicy,
        current: &Identity,
    ) -> Result<SecretString, OAuthError> {
        let mut state = self.lock();
        let record = state.tokens.get_mut(&presented.name).ok_or_else(failed)?;
        if policy.rotate {
            if !record.is(&presented.secret) {
                return Err(failed());
            }
            let next = SecretString::from(random::identifier());
            record.obsolete = Some(std::mem::replace(&mut record.secret, next));
        }
        record.used = SystemTime::now();
        record.auth.identity = Identity {
            user_id: record.auth.identity.user_id.clone(),
            ..current.clone()
        };
        let raw = presented.raw(&record.secret);
        let auth = record.auth.clone();
        state.remember(&auth);
        Ok(raw)
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
        let presented = tokens.find(raw.expose_secret(), Some("app"), policy)?;
        let next = match tokens.begin(&presented, policy)? {
            Use::Again(next, _) => next,
            Use::Due(identity) => tokens.finish(&presented, policy, &identity)?,
        };
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
                .find(first.expose_secret(), Some("app"), &policy)
                .unwrap()
        };
        let (one, other) = (find(), find());
        let user = Identity::default();
        let use_up = |presented| tokens.finish(presented, &policy, &user);
        assert!(use_up(&one).is_ok());
        assert!(use_up(&other).is_err());
    }

    #[test]
    fn a_user_who_is_gone_leaves_the_token_as_it_was() {
        let (tokens, policy) = (RefreshTokens::default(), policy("0"));
        let first = tokens.create(&authorization());
        let presented = tokens.find(first.expose_secret(), None, &policy).unwrap();
        assert!(matches!(tokens.begin(&presented, &policy), Ok(Use::Due(_))));
        assert!(redeem(&tokens, &first, &policy).is_ok());
    }
}
