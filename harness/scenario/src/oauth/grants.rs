//! The grants that are one request to the token endpoint.

use authlab_lab::spec::UserSpec;
use secrecy::{ExposeSecret, SecretString};

use super::{Login, Provider, wanted};
use crate::credential::TokenKind;
use crate::fault::Fault;

/// What is exchanged for what (RFC 8693, section 2.1).
#[derive(Debug)]
pub(crate) struct Exchange<'a> {
    /// The token that is shown.
    pub subject: &'a SecretString,
    /// As what it is shown.
    pub subject_kind: TokenKind,
    /// What is asked for; the provider's choice when absent.
    pub requested: Option<TokenKind>,
    /// Dex's `connector_id`: who is to judge the token.
    pub connector: Option<&'a str>,
    /// For whom.
    pub audiences: &'a [String],
}

/// The name of a token type (RFC 8693, section 3).
pub(crate) fn token_type(kind: TokenKind) -> String {
    format!("urn:ietf:params:oauth:token-type:{}", kind.member())
}

impl Provider<'_> {
    /// The resource owner password grant (RFC 6749, section 4.3).
    ///
    /// # Errors
    /// When no answer decides.
    pub async fn password(
        &self,
        user: &UserSpec,
        scopes: Option<&[String]>,
    ) -> Result<Login, Fault> {
        let discovery = self.discover().await?;
        let scope = wanted(scopes, &discovery.scopes_supported).join(" ");
        let form = [
            ("grant_type", "password"),
            ("username", &user.login),
            ("password", user.password.expose_secret()),
            ("scope", &scope),
        ];
        self.token(&discovery.token_endpoint, &form).await
    }

    /// The client's own grant (RFC 6749, section 4.4).
    ///
    /// # Errors
    /// When no answer decides.
    pub async fn client_credentials(&self, scopes: Option<&[String]>) -> Result<Login, Fault> {
        let discovery = self.discover().await?;
        let scope = wanted(scopes, &discovery.scopes_supported).join(" ");
        let form = [("grant_type", "client_credentials"), ("scope", &scope)];
        self.token(&discovery.token_endpoint, &form).await
    }

    /// The refresh token grant (RFC 6749, section 6).
    ///
    /// # Errors
    /// When no answer decides.
    pub async fn refresh(
        &self,
        token: &SecretString,
        scopes: Option<&[String]>,
    ) -> Result<Login, Fault> {
        let discovery = self.discover().await?;
        let scope = scopes.map(|scopes| scopes.join(" "));
        let mut form = vec![
            ("grant_type", "refresh_token"),
            ("refresh_token", token.expose_secret()),
        ];
        form.extend(scope.as_deref().map(|scope| ("scope", scope)));
        self.token(&discovery.token_endpoint, &form).await
    }

    /// Token exchange (RFC 8693).
    ///
    /// # Errors
    /// When no answer decides.
    pub async fn exchange(
        &self,
        exchange: &Exchange<'_>,
        scopes: Option<&[String]>,
    ) -> Result<Login, Fault> {
        let discovery = self.discover().await?;
        let scope = wanted(scopes, &discovery.scopes_supported).join(" ");
        let subject_kind = token_type(exchange.subject_kind);
        let requested = exchange.requested.map(token_type);
        let mut form = vec![
            (
                "grant_type",
                "urn:ietf:params:oauth:grant-type:token-exchange",
            ),
            ("subject_token", exchange.subject.expose_secret()),
            ("subject_token_type", &subject_kind),
            ("scope", &scope),
        ];
        form.extend(
            requested
                .as_deref()
                .map(|kind| ("requested_token_type", kind)),
        );
        form.extend(exchange.connector.map(|id| ("connector_id", id)));
        form.extend(
            exchange
                .audiences
                .iter()
                .map(|one| ("audience", one.as_str())),
        );
        let mut login = self.token(&discovery.token_endpoint, &form).await?;
        if let (Login::In(tokens), Some(TokenKind::Id)) = (&mut login, exchange.requested) {
            // Whatever was issued stands in `access_token` (section 2.2.1).
            tokens.id.get_or_insert_with(|| tokens.access.clone());
        }
        Ok(login)
    }
}
