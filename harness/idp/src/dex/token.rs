//! The token endpoint: who asks, what for, and the grant that decides.

use aws_lc_rs::constant_time::verify_slices_are_equal;
use axum::{
    http::{Method, header},
    response::{IntoResponse, Response},
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use secrecy::{ExposeSecret as _, SecretString};

use super::{
    config::{Client, Connector},
    connector::Opened,
    device,
    go::{
        form::{Call, unescape},
        quote::quote_all,
    },
    grants, scopes,
    server::Server,
};
use crate::oidc::OAuthError;

/// The grant of a device that waits for its user (RFC 8628 section 3.4).
pub(crate) const DEVICE_CODE: &str = "urn:ietf:params:oauth:grant-type:device_code";
/// The grant of a token of another issuer (RFC 8693 section 2.1).
pub(crate) const TOKEN_EXCHANGE: &str = "urn:ietf:params:oauth:grant-type:token-exchange";

/// Answers a request to the endpoint.
pub(crate) async fn serve(server: &Server, call: &Call) -> Response {
    match grant(server, call).await {
        Ok(response) => response,
        Err(error) => {
            tracing::info!(?error, "token request refused");
            error.into_response()
        }
    }
}

async fn grant(server: &Server, call: &Call) -> Result<Response, OAuthError> {
    if call.method != Method::POST {
        return Err(OAuthError::new("invalid_request", "method not allowed"));
    }
    if call.malformed {
        return Err(OAuthError::new("invalid_request", ""));
    }
    let grant_type = call.body.get("grant_type");
    let served = server
        .config
        .grant_types
        .iter()
        .flatten()
        .any(|served| served == grant_type);
    if !served || grant_type == "implicit" {
        return Err(OAuthError::new("unsupported_grant_type", ""));
    }
    let credentials = credentials(call)?;
    if grant_type == DEVICE_CODE {
        return device::redeem(server, call);
    }
    let client = authenticate(server, &credentials)?;
    let scopes: Vec<String> = call
        .body
        .get("scope")
        .split_whitespace()
        .map(str::to_owned)
        .collect();
    let grant = grants::Grant {
        server,
        call,
        client,
        scopes,
    };
    Ok(match grant_type {
        "authorization_code" => grant.authorization_code().await?.into_response(),
        "password" => grant.password().await?.into_response(),
        "refresh_token" => grant.refresh_token().await?.into_response(),
        "client_credentials" => grant.client_credentials()?.into_response(),
        _ => grant.token_exchange().await?.into_response(),
    })
}

struct Credentials {
    id: String,
    secret: SecretString,
}

/// The client's name and secret from the header, or else from the form (RFC 6749 section 2.3.1).
fn credentials(call: &Call) -> Result<Credentials, OAuthError> {
    let Some((id, secret)) = basic(call) else {
        return Ok(Credentials {
            id: call.body.get("client_id").to_owned(),
            secret: call.body.get("client_secret").into(),
        });
    };
    let decoded = |text: &str, what| {
        unescape(text)
            .ok_or_else(|| OAuthError::new("invalid_request", format!("{what} improperly encoded")))
    };
    Ok(Credentials {
        id: decoded(&id, "client_id")?,
        secret: decoded(&secret, "client_secret")?.into(),
    })
}

fn basic(call: &Call) -> Option<(String, String)> {
    let value = call.headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, encoded) = value.split_at_checked(6)?;
    if !scheme.eq_ignore_ascii_case("basic ") {
        return None;
    }
    let decoded = String::from_utf8(STANDARD.decode(encoded).ok()?).ok()?;
    let (id, secret) = decoded.split_once(':')?;
    Some((id.to_owned(), secret.to_owned()))
}

fn authenticate<'s>(
    server: &'s Server,
    credentials: &Credentials,
) -> Result<&'s Client, OAuthError> {
    let refused = || OAuthError::invalid_client("Invalid client credentials.");
    let client = server
        .config
        .clients
        .get(&credentials.id)
        .ok_or_else(refused)?;
    let (known, given) = (
        client.secret.expose_secret(),
        credentials.secret.expose_secret(),
    );
    verify_slices_are_equal(known.as_bytes(), given.as_bytes()).map_err(|_| refused())?;
    Ok(client)
}

/// Which scopes a grant takes.
pub(crate) struct ScopePolicy {
    /// Besides the audiences of clients that trust this one.
    pub standard: &'static [&'static str],
    /// Those that are refused with a message of their own.
    pub rejected: &'static [(&'static str, &'static str)],
    pub needs_openid: bool,
    /// The code of the refusal.
    pub code: &'static str,
}

impl ScopePolicy {
    pub(crate) fn check(
        &self,
        server: &Server,
        client: &Client,
        asked: &[String],
    ) -> Result<(), OAuthError> {
        for scope in asked {
            if let Some((_, message)) = self.rejected.iter().find(|(rejected, _)| rejected == scope)
            {
                return Err(OAuthError::new(self.code, *message));
            }
        }
        let refused = scopes::refused(&server.config, &client.id, asked, self.standard);
        if self.needs_openid && !scopes::has(asked, scopes::OPENID) {
            return Err(OAuthError::new(
                self.code,
                r#"Missing required scope(s) ["openid"]."#,
            ));
        }
        if !refused.unrecognized.is_empty() {
            let list = quote_all(&refused.unrecognized);
            return Err(OAuthError::new(
                self.code,
                format!("Unrecognized scope(s) {list}"),
            ));
        }
        if !refused.untrusted.is_empty() {
            let list = quote_all(&refused.untrusted);
            return Err(OAuthError::new(
                self.code,
                format!("Client can't request scope(s) {list}"),
            ));
        }
        Ok(())
    }
}

/// The connector of a grant, which the client must be allowed, which must be there, and which must serve the grant.
pub(crate) async fn connector<'s>(
    server: &'s Server,
    client: &Client,
    id: &str,
    grant_type: &str,
) -> Result<(&'s Connector, &'s Opened), OAuthError> {
    if !allows(client, id) {
        return Err(OAuthError::new(
            "invalid_grant",
            "Connector not allowed for this client.",
        ));
    }
    let refused = |message: &str| OAuthError::new("invalid_request", message);
    let (config, opened) = server.connectors.get(id).await.map_err(|reason| {
        server.journal.error("failed to get connector", reason);
        refused("Requested connector does not exist.")
    })?;
    if !config.serves(grant_type) {
        server.journal.error("connector does not allow grant", id);
        return Err(refused(
            "Requested connector does not support this grant type.",
        ));
    }
    Ok((config, opened))
}

/// Whether the client lets its users log in through a connector.
pub(crate) fn allows(client: &Client, connector: &str) -> bool {
    client.allowed_connectors.is_empty()
        || client
            .allowed_connectors
            .iter()
            .any(|allowed| allowed == connector)
}
