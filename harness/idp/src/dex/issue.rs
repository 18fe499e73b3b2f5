//! Tokens: their claims, and the answer they are sent in.

use std::time::SystemTime;

use axum::{
    http::header,
    response::{IntoResponse, Response},
};
use secrecy::{ExposeSecret as _, SecretString};
use serde::{Serialize, Serializer};

use super::{config::Client, identity::Identity, pair, scopes, server::Server};
use crate::oidc::{OAuthError, hash, html, random};

/// Whom tokens are issued for, to which client, and with what in them.
#[derive(Debug, Clone)]
pub(crate) struct Authorization {
    pub client_id: String,
    pub identity: Identity,
    pub scopes: Vec<String>,
    /// Empty for a client's own tokens.
    pub connector: String,
    pub nonce: String,
    /// When the user proved its identity in a browser.
    pub auth_time: Option<SystemTime>,
}

/// The claims in the order in which Dex writes them. It leaves empty ones out.
#[derive(Serialize)]
struct Claims<'a> {
    iss: &'a str,
    sub: String,
    #[serde(serialize_with = "one_or_many")]
    aud: Vec<&'a str>,
    exp: i64,
    iat: i64,
    jti: String,
    #[serde(skip_serializing_if = "str::is_empty")]
    azp: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    nonce: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    auth_time: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    at_hash: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    c_hash: Option<String>,
    #[serde(skip_serializing_if = "str::is_empty")]
    email: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    email_verified: Option<bool>,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    groups: &'a [String],
    #[serde(skip_serializing_if = "str::is_empty")]
    name: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    preferred_username: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    federated_claims: Option<Federated<'a>>,
}

#[derive(Serialize)]
struct Federated<'a> {
    #[serde(skip_serializing_if = "str::is_empty")]
    connector_id: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    user_id: &'a str,
}

fn one_or_many<S: Serializer>(audience: &[&str], serializer: S) -> Result<S::Ok, S::Error> {
    match audience {
        [one] => one.serialize(serializer),
        many => many.serialize(serializer),
    }
}

/// A token and when it expires.
pub(crate) struct Issued {
    pub token: SecretString,
    pub expiry: SystemTime,
}

/// An ID token, bound to the access token and code that are issued with it.
///
/// # Errors
/// When it asks for an audience that does not trust the client, or the key fails.
pub(crate) fn id_token(
    server: &Server,
    auth: &Authorization,
    access_token: Option<&str>,
    code: Option<&str>,
) -> Result<Issued, OAuthError> {
    let now = SystemTime::now();
    let expiry = server.config.id_tokens.after(now);
    let asked = |scope| scopes::has(&auth.scopes, scope);
    let identity = &auth.identity;
    let mut audience: Vec<&str> = Vec::new();
    for peer in auth.scopes.iter().filter_map(|scope| scopes::peer(scope)) {
        if !scopes::is_trusted(&server.config, &auth.client_id, peer) {
            let reason = format!("peer ({peer}) does not trust client");
            server.journal.error("failed to issue tokens", reason);
            return Err(OAuthError::internal());
        }
        audience.push(peer);
    }
    if !audience.contains(&auth.client_id.as_str()) {
        audience.push(&auth.client_id);
    }
    let email = asked(scopes::EMAIL);
    let profile = asked(scopes::PROFILE);
    let claims = Claims {
        iss: server.config.issuer(),
        sub: pair::encode(&identity.user_id, &auth.connector),
        azp: if audience.len() > 1 {
            &auth.client_id
        } else {
            ""
        },
        aud: audience,
        exp: unix(expiry),
        iat: unix(now),
        jti: random::uuid(),
        nonce: &auth.nonce,
        auth_time: auth.auth_time.map(unix),
        at_hash: access_token.map(hash::left_half),
        c_hash: code.map(hash::left_half),
        email: if email { &identity.email } else { "" },
        email_verified: email.then_some(identity.email_verified),
        groups: if asked(scopes::GROUPS) {
            &identity.groups
        } else {
            &[]
        },
        name: if profile { &identity.name } else { "" },
        preferred_username: if profile {
            &identity.preferred_username
        } else {
            ""
        },
        federated_claims: asked(scopes::FEDERATED_ID).then_some(Federated {
            connector_id: &auth.connector,
            user_id: &identity.user_id,
        }),
    };
    let payload = html::json(&claims).map_err(|_| OAuthError::internal())?;
    let token = server
        .store
        .keys
        .sign(payload.as_bytes())
        .map_err(|error| {
            server.journal.error("failed to issue tokens", error);
            OAuthError::internal()
        })?;
    Ok(Issued { token, expiry })
}

/// An access token: to Dex an ID token bound to something nobody knows.
///
/// # Errors
/// As [`id_token`].
pub(crate) fn access_token(server: &Server, auth: &Authorization) -> Result<Issued, OAuthError> {
    id_token(server, auth, Some(&random::identifier()), None)
}

/// What the token endpoint answers (RFC 6749 section 5.1).
pub(crate) struct TokenSet {
    pub access: SecretString,
    pub id: Option<SecretString>,
    pub refresh: Option<SecretString>,
    pub expiry: SystemTime,
}

impl TokenSet {
    /// Access token and, where `openid` was asked for, ID token.
    ///
    /// # Errors
    /// As [`id_token`].
    pub(crate) fn issue(
        server: &Server,
        auth: &Authorization,
        code: Option<&str>,
    ) -> Result<Self, OAuthError> {
        let access = access_token(server, auth)?;
        let mut set = Self {
            access: access.token,
            id: None,
            refresh: None,
            expiry: access.expiry,
        };
        if scopes::has(&auth.scopes, scopes::OPENID) {
            let id = id_token(server, auth, Some(set.access.expose_secret()), code)?;
            set.expiry = id.expiry;
            set.id = Some(id.token);
        }
        Ok(set)
    }
}

/// Seconds from now, cut to whole ones.
pub(crate) fn seconds_left(expiry: SystemTime) -> i64 {
    match expiry.duration_since(SystemTime::now()) {
        Ok(left) => i64::try_from(left.as_secs()).unwrap_or(i64::MAX),
        Err(past) => i64::try_from(past.duration().as_secs()).map_or(i64::MIN, |seconds| -seconds),
    }
}

impl TokenSet {
    fn body(&self) -> Body<'_> {
        Body {
            access_token: self.access.expose_secret(),
            token_type: "bearer",
            expires_in: seconds_left(self.expiry),
            refresh_token: self.refresh.as_ref().map(SecretString::expose_secret),
            id_token: self.id.as_ref().map(SecretString::expose_secret),
        }
    }

    /// The answer for a device that asks for it later, on several lines.
    ///
    /// # Errors
    /// When it is not JSON.
    pub(crate) fn stored(&self) -> Result<SecretString, OAuthError> {
        let text = html::pretty_json(&self.body()).map_err(|_| OAuthError::internal())?;
        Ok(text.into())
    }
}

#[derive(Serialize)]
struct Body<'a> {
    access_token: &'a str,
    token_type: &'a str,
    #[serde(skip_serializing_if = "is_zero")]
    expires_in: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    refresh_token: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    id_token: Option<&'a str>,
}

impl IntoResponse for TokenSet {
    fn into_response(self) -> Response {
        no_store(html::json(&self.body()))
    }
}

/// What the token endpoint answers to an exchange (RFC 8693 section 2.2.1).
pub(crate) struct Exchanged {
    pub kind: &'static str,
    pub issued: Issued,
}

impl IntoResponse for Exchanged {
    fn into_response(self) -> Response {
        #[derive(Serialize)]
        struct Body<'a> {
            access_token: &'a str,
            issued_token_type: &'a str,
            token_type: &'a str,
            #[serde(skip_serializing_if = "is_zero")]
            expires_in: i64,
        }
        no_store(html::json(&Body {
            access_token: self.issued.token.expose_secret(),
            issued_token_type: self.kind,
            token_type: "bearer",
            expires_in: seconds_left(self.issued.expiry),
        }))
    }
}

/// A body with tokens in it.
fn no_store(body: Result<String, serde_json::Error>) -> Response {
    let headers = [
        (header::CONTENT_TYPE, "application/json"),
        (header::CACHE_CONTROL, "no-store"),
        (header::PRAGMA, "no-cache"),
    ];
    match body {
        Ok(body) => (headers, body).into_response(),
        Err(_) => OAuthError::internal().into_response(),
    }
}

fn is_zero(seconds: &i64) -> bool {
    *seconds == 0
}

/// Seconds since 1970.
pub(crate) fn unix(time: SystemTime) -> i64 {
    match time.duration_since(SystemTime::UNIX_EPOCH) {
        Ok(since) => i64::try_from(since.as_secs()).unwrap_or(i64::MAX),
        Err(before) => {
            i64::try_from(before.duration().as_secs()).map_or(i64::MIN, |seconds| -seconds)
        }
    }
}

/// The claims of a client about itself, for its own tokens.
pub(crate) fn client_identity(client: &Client, asked: &[String]) -> Identity {
    let profile = scopes::has(asked, scopes::PROFILE);
    let name = if profile {
        client.name.clone()
    } else {
        String::new()
    };
    Identity {
        user_id: client.id.clone(),
        preferred_username: name.clone(),
        name,
        groups: if scopes::has(asked, scopes::GROUPS) {
            client.own_groups.clone()
        } else {
            Vec::new()
        },
        ..Identity::default()
    }
}
