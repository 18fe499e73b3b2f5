//! What each grant type proves, and the tokens it gives.

use axum::http::StatusCode;
use secrecy::ExposeSecret as _;

use super::{
    config::Client,
    go::{form::Call, quote::quote_all},
    identity,
    issue::{Authorization, Exchanged, TokenSet, access_token, client_identity, id_token},
    refresh::{self, Use},
    scopes,
    server::Server,
    token::{ScopePolicy, TOKEN_EXCHANGE, connector},
};
use crate::oidc::{OAuthError, pkce::Challenge};

/// Kinds of tokens that can be exchanged and asked for (RFC 8693 section 3).
const ID_TOKEN: &str = "urn:ietf:params:oauth:token-type:id_token";
const ACCESS_TOKEN: &str = "urn:ietf:params:oauth:token-type:access_token";

const PASSWORD: ScopePolicy = ScopePolicy {
    standard: &scopes::STANDARD,
    rejected: &[],
    needs_openid: true,
    code: "invalid_request",
};

const CLIENT_CREDENTIALS: ScopePolicy = ScopePolicy {
    standard: &[
        scopes::OPENID,
        scopes::EMAIL,
        scopes::PROFILE,
        scopes::GROUPS,
    ],
    rejected: &[
        (
            scopes::OFFLINE_ACCESS,
            "client_credentials grant does not support offline_access scope.",
        ),
        (
            scopes::FEDERATED_ID,
            "client_credentials grant does not support federated:id scope.",
        ),
    ],
    needs_openid: false,
    code: "invalid_scope",
};

/// A request of a client that has proved who it is.
pub(crate) struct Grant<'c> {
    pub server: &'c Server,
    pub call: &'c Call,
    pub client: &'c Client,
    pub scopes: Vec<String>,
}

impl Grant<'_> {
    /// A code from the authorization endpoint (RFC 6749 section 4.1.3).
    pub(crate) async fn authorization_code(&self) -> Result<TokenSet, OAuthError> {
        let body = &self.call.body;
        let id = body.get("code");
        if id.is_empty() {
            return Err(OAuthError::new("invalid_request", "Required param: code."));
        }
        let code = match self.server.store.codes.get(id) {
            Some((code, false)) if code.auth.client_id == self.client.id => code,
            _ => return Err(unknown_code()),
        };
        verify_pkce(body.get("code_verifier"), code.challenge.as_ref())?;
        if code.redirect_uri != body.get("redirect_uri") {
            let message = "redirect_uri did not match URI from initial request.";
            return Err(OAuthError::new("invalid_request", message));
        }
        redeem(self.server, id, &code.auth).await
    }

    /// A user's name and password (RFC 6749 section 4.3).
    pub(crate) async fn password(&self) -> Result<TokenSet, OAuthError> {
        let body = &self.call.body;
        PASSWORD.check(self.server, self.client, &self.scopes)?;
        let id = &self.server.config.password_connector;
        let (config, opened) = connector(self.server, self.client, id, "password").await?;
        if opened.prompt().is_none() {
            let message = "Requested password connector does not correct type.";
            return Err(OAuthError::new("invalid_request", message));
        }
        let login = opened.login(
            &self.server.config,
            body.get("username"),
            body.get("password").into(),
        );
        let identity = login
            .await
            .map_err(|identity::Unchecked| {
                OAuthError::new("invalid_request", "Could not login user")
            })?
            .ok_or_else(|| {
                OAuthError::new("access_denied", "Invalid username or password")
                    .with_status(StatusCode::UNAUTHORIZED)
            })?;
        let auth = Authorization {
            client_id: self.client.id.clone(),
            identity,
            scopes: self.scopes.clone(),
            connector: id.clone(),
            nonce: body.get("nonce").to_owned(),
            auth_time: None,
        };
        issue(self.server, &auth, None, config.serves("refresh_token"))
    }

    /// A refresh token (RFC 6749 section 6).
    pub(crate) async fn refresh_token(&self) -> Result<TokenSet, OAuthError> {
        let (tokens, policy) = (&self.server.store.refresh, &self.server.config.refresh);
        let raw = self.call.body.get("refresh_token");
        let presented = tokens.find(raw, Some(&self.client.id), policy)?;
        let id = &presented.auth.connector;
        let (_, opened) = connector(self.server, self.client, id, "refresh_token").await?;
        let mut auth = presented.auth.clone();
        if !self.scopes.is_empty() {
            let wider: Vec<_> = self
                .scopes
                .iter()
                .filter(|scope| !auth.scopes.contains(scope))
                .collect();
            if !wider.is_empty() {
                let list = quote_all(&wider);
                let message = format!("Requested scopes contain unauthorized scope(s): {list}.");
                return Err(OAuthError::new("invalid_request", message));
            }
            auth.scopes.clone_from(&self.scopes);
        }
        let refresh = match tokens.begin(&presented, policy)? {
            Use::Again(token, identity) => {
                auth.identity = identity;
                token
            }
            Use::Due(identity) => {
                let current = opened.refresh(&self.server.config, &identity).await;
                auth.identity = current.map_err(|reason| {
                    self.server
                        .journal
                        .error("failed to refresh identity", reason);
                    refresh::failed()
                })?;
                tokens.finish(&presented, policy, &auth.identity)?
            }
        };
        let access = access_token(self.server, &auth)?;
        // An ID token always, whatever scopes are asked for.
        let id = id_token(self.server, &auth, Some(access.token.expose_secret()), None)?;
        Ok(TokenSet {
            access: access.token,
            id: Some(id.token),
            refresh: Some(refresh),
            expiry: id.expiry,
        })
    }

    /// The client for itself (RFC 6749 section 4.4).
    pub(crate) fn client_credentials(&self) -> Result<TokenSet, OAuthError> {
        CLIENT_CREDENTIALS.check(self.server, self.client, &self.scopes)?;
        if self.client.public {
            let message = "Public clients cannot use client_credentials grant.";
            return Err(OAuthError::new("unauthorized_client", message));
        }
        let auth = Authorization {
            client_id: self.client.id.clone(),
            identity: client_identity(self.client, &self.scopes),
            scopes: self.scopes.clone(),
            connector: String::new(),
            nonce: self.call.body.get("nonce").to_owned(),
            auth_time: None,
        };
        TokenSet::issue(self.server, &auth, None)
    }

    /// A token of another issuer (RFC 8693), which a connector verifies.
    pub(crate) async fn token_exchange(&self) -> Result<Exchanged, OAuthError> {
        let (server, body) = (self.server, &self.call.body);
        let id = body.get("connector_id");
        // None is asked for by an empty name, and then there is none.
        let opened = match id {
            "" => None,
            id => Some(connector(server, self.client, id, TOKEN_EXCHANGE).await?.1),
        };
        let unsupported = |what| OAuthError::new("request_not_supported", what);
        let kind = body.get("subject_token_type");
        if !matches!(kind, ID_TOKEN | ACCESS_TOKEN) {
            return Err(unsupported("Invalid subject_token_type."));
        }
        let token = body.get("subject_token");
        if token.is_empty() {
            return Err(OAuthError::new("invalid_request", "Missing subject_token"));
        }
        let identity = match opened {
            Some(opened) => opened.token_identity(kind, token).await,
            None => None,
        };
        let identity = identity.ok_or_else(|| {
            let message = "connector doesn't implement token exchange";
            server.journal.error(message, id);
            OAuthError::new("invalid_request", "Requested connector does not exist.")
        })?;
        let identity = identity.map_err(|reason| {
            server
                .journal
                .error("failed to verify subject token", reason);
            OAuthError::new("access_denied", "").with_status(StatusCode::UNAUTHORIZED)
        })?;
        let auth = Authorization {
            client_id: self.client.id.clone(),
            identity,
            scopes: self.scopes.clone(),
            connector: id.to_owned(),
            nonce: String::new(),
            auth_time: None,
        };
        let (kind, issued) = match body.get("requested_token_type") {
            "" | ACCESS_TOKEN => (ACCESS_TOKEN, access_token(server, &auth)?),
            ID_TOKEN => (ID_TOKEN, id_token(server, &auth, None, None)?),
            _ => return Err(unsupported("Invalid requested_token_type.")),
        };
        Ok(Exchanged { kind, issued })
    }
}

/// Uses an authorization code up and issues what it stands for.
pub(crate) async fn redeem(
    server: &Server,
    id: &str,
    auth: &Authorization,
) -> Result<TokenSet, OAuthError> {
    // Whoever removes it is the one who may use it.
    if !server.store.codes.remove(id) {
        return Err(unknown_code());
    }
    let (config, _) = server
        .connectors
        .get(&auth.connector)
        .await
        .map_err(|reason| {
            server.journal.error("connector not found", reason);
            OAuthError::internal()
        })?;
    issue(server, auth, Some(id), config.serves("refresh_token"))
}

fn unknown_code() -> OAuthError {
    OAuthError::new("invalid_grant", "Invalid or expired code parameter.")
}

/// Tokens for a user, a refresh token among them when it may be and `offline_access` was asked for.
fn issue(
    server: &Server,
    auth: &Authorization,
    code: Option<&str>,
    refreshable: bool,
) -> Result<TokenSet, OAuthError> {
    let mut tokens = TokenSet::issue(server, auth, code)?;
    if refreshable && scopes::has(&auth.scopes, scopes::OFFLINE_ACCESS) {
        tokens.refresh = Some(server.store.refresh.create(auth));
    }
    Ok(tokens)
}

/// Whether the client that has the code is the one that asked for it.
pub(crate) fn verify_pkce(verifier: &str, challenge: Option<&Challenge>) -> Result<(), OAuthError> {
    match (verifier, challenge) {
        ("", None) => Ok(()),
        ("", Some(_)) => Err(OAuthError::new(
            "invalid_grant",
            "Expecting parameter code_verifier in PKCE flow.",
        )),
        (_, None) => Err(OAuthError::new(
            "invalid_request",
            "No PKCE flow started. Cannot check code_verifier.",
        )),
        (verifier, Some(challenge)) if challenge.is_met_by(verifier) => Ok(()),
        _ => Err(OAuthError::new("invalid_grant", "Invalid code_verifier.")),
    }
}
