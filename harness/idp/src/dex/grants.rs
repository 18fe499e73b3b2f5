//! What each grant type proves, and the tokens it gives.

use axum::http::StatusCode;
use secrecy::ExposeSecret as _;

use super::{
    config::Client,
    go::{form::Call, quote::quote_all},
    identity::{self, LOCAL},
    issue::{Authorization, TokenSet, client_identity},
    scopes,
    server::Server,
    token::{ScopePolicy, check_connector},
};
use crate::oidc::{OAuthError, pkce::Challenge};

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
    pub(crate) fn authorization_code(&self) -> Result<TokenSet, OAuthError> {
        let unknown = || OAuthError::new("invalid_grant", "Invalid or expired code parameter.");
        let body = &self.call.body;
        let id = body.get("code");
        if id.is_empty() {
            return Err(OAuthError::new("invalid_request", "Required param: code."));
        }
        let code = match self.server.codes.get(id) {
            Some((code, false)) if code.auth.client_id == self.client.id => code,
            _ => return Err(unknown()),
        };
        verify_pkce(body.get("code_verifier"), code.challenge.as_ref())?;
        if code.redirect_uri != body.get("redirect_uri") {
            let message = "redirect_uri did not match URI from initial request.";
            return Err(OAuthError::new("invalid_request", message));
        }
        // Whoever removes it is the one who may use it.
        if !self.server.codes.remove(id) {
            return Err(unknown());
        }
        self.issue(&code.auth, Some(id))
    }

    /// A user's name and password (RFC 6749 section 4.3).
    pub(crate) async fn password(&self) -> Result<TokenSet, OAuthError> {
        let body = &self.call.body;
        PASSWORD.check(self.server, self.client, &self.scopes)?;
        check_connector(self.client, &self.server.config.password_connector)?;
        let identity = identity::login(
            &self.server.config,
            body.get("username"),
            body.get("password").into(),
        )
        .await
        .map_err(|identity::Unchecked| OAuthError::new("invalid_request", "Could not login user"))?
        .ok_or_else(|| {
            OAuthError::new("access_denied", "Invalid username or password")
                .with_status(StatusCode::UNAUTHORIZED)
        })?;
        let auth = Authorization {
            client_id: self.client.id.clone(),
            identity,
            scopes: self.scopes.clone(),
            connector: LOCAL.to_owned(),
            nonce: body.get("nonce").to_owned(),
            auth_time: None,
        };
        self.issue(&auth, None)
    }

    /// A refresh token (RFC 6749 section 6).
    pub(crate) fn refresh_token(&self) -> Result<TokenSet, OAuthError> {
        let (tokens, policy) = (&self.server.refresh, &self.server.config.refresh);
        let presented = tokens.find(self.call.body.get("refresh_token"), self.client, policy)?;
        check_connector(self.client, &presented.auth.connector)?;
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
        let (refresh, identity) = tokens.rotate(&presented, policy, |identity| {
            identity::refresh(&self.server.config, identity)
        })?;
        auth.identity = identity;
        let access = super::issue::access_token(self.server, &auth)?;
        // An ID token always, whatever scopes are asked for.
        let id =
            super::issue::id_token(self.server, &auth, Some(access.token.expose_secret()), None)?;
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

    /// Another provider's token (RFC 8693): no connector here verifies one, which Dex answers so.
    pub(crate) fn token_exchange(&self) -> OAuthError {
        let body = &self.call.body;
        let connector = body.get("connector_id");
        if !connector.is_empty()
            && let Err(error) = check_connector(self.client, connector)
        {
            return error;
        }
        let types = ["access_token", "id_token"]
            .map(|kind| format!("urn:ietf:params:oauth:token-type:{kind}"));
        if !types
            .iter()
            .any(|known| known == body.get("subject_token_type"))
        {
            return OAuthError::new("request_not_supported", "Invalid subject_token_type.");
        }
        if body.get("subject_token").is_empty() {
            return OAuthError::new("invalid_request", "Missing subject_token");
        }
        OAuthError::new("invalid_request", "Requested connector does not exist.")
    }

    /// Tokens for a user, a refresh token among them when `offline_access` was asked for.
    fn issue(&self, auth: &Authorization, code: Option<&str>) -> Result<TokenSet, OAuthError> {
        let mut tokens = TokenSet::issue(self.server, auth, code)?;
        if scopes::has(&auth.scopes, scopes::OFFLINE_ACCESS) {
            tokens.refresh = Some(self.server.refresh.create(auth));
        }
        Ok(tokens)
    }
}

/// A device's code (RFC 8628). The embedded Dex gives none out, so that each is unknown.
pub(crate) fn device_code(call: &Call) -> OAuthError {
    let message = match call.body.get("device_code") {
        "" => "No device code received",
        _ => "Invalid Device code.",
    };
    OAuthError::new("invalid_request", message)
}

/// Whether the client that has the code is the one that asked for it.
fn verify_pkce(verifier: &str, challenge: Option<&Challenge>) -> Result<(), OAuthError> {
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
