//! A request to the authorization endpoint (RFC 6749 section 4.1.1), checked in Dex's order.

use std::net::IpAddr;

use axum::{
    http::{Method, StatusCode},
    response::Response,
};

use super::{
    config::Client,
    go::{
        form::{Call, Values},
        quote::{quote, quote_all},
        redirect::{redirect, with_query},
    },
    scopes,
    server::{AuthRequest, Server},
    token::allows,
};
use crate::oidc::{
    pkce::{Challenge, Method as ChallengeMethod},
    random,
};

/// The redirect address of a client that has none: the user copies the code.
pub(crate) const OUT_OF_BAND: &str = "urn:ietf:wg:oauth:2.0:oob";
/// The redirect address of a device, whose user comes back to this server.
pub(crate) const DEVICE_CALLBACK: &str = "/device/callback";

/// Why a request is refused, and who is told.
#[derive(Debug)]
pub(crate) enum Refusal {
    /// The user, on a page: the client is not known well enough.
    Shown(StatusCode, &'static str),
    /// The client, by a redirect (RFC 6749 section 4.1.2.1).
    Sent {
        redirect_uri: String,
        state: String,
        code: &'static str,
        description: String,
    },
}

impl Refusal {
    /// A refusal that the client of a request is told.
    pub(crate) fn of(request: &AuthRequest, code: &'static str, description: &str) -> Self {
        Self::Sent {
            redirect_uri: request.redirect_uri.clone(),
            state: request.state.clone(),
            code,
            description: description.to_owned(),
        }
    }

    pub(crate) fn into_response(self, server: &Server, method: &Method) -> Response {
        tracing::info!(refusal = ?self, "authorization refused");
        match self {
            Self::Shown(status, message) => server.pages.error(status, message),
            Self::Sent {
                redirect_uri,
                state,
                code,
                description,
            } => {
                let location = with_query(&redirect_uri, |query: &mut Values| {
                    query.add("state", state);
                    query.add("error", code);
                    if !description.is_empty() {
                        query.add("error_description", description);
                    }
                });
                redirect(method, StatusCode::SEE_OTHER, &location)
            }
        }
    }
}

/// Reads and checks a request.
///
/// # Errors
/// In Dex's words; what it finds first counts.
pub(crate) fn parse(server: &Server, call: &Call) -> Result<AuthRequest, Refusal> {
    if call.malformed {
        return Err(Refusal::Shown(
            StatusCode::BAD_REQUEST,
            "Failed to parse request.",
        ));
    }
    let config = &server.config;
    let client = config
        .clients
        .get(call.value("client_id"))
        .ok_or(Refusal::Shown(StatusCode::NOT_FOUND, "Invalid client_id."))?;
    let mut redirect_uri = call.value("redirect_uri").to_owned();
    if !may_redirect(client, &redirect_uri) {
        return Err(Refusal::Shown(
            StatusCode::BAD_REQUEST,
            "Unregistered redirect_uri.",
        ));
    }
    if redirect_uri == DEVICE_CALLBACK && client.public {
        redirect_uri = config.issuer.path(DEVICE_CALLBACK);
    }
    let sent = |code, description: String| Refusal::Sent {
        redirect_uri: redirect_uri.clone(),
        state: call.value("state").to_owned(),
        code,
        description,
    };
    let invalid = |description: &str| sent("invalid_request", description.to_owned());

    match call.value("connector_id") {
        "" => {}
        unknown if !server.connectors.knows(unknown) => return Err(invalid("Invalid ConnectorID")),
        known if allows(client, known) => {}
        _ => return Err(invalid("Connector not allowed for this client")),
    }
    if !call.value("request").is_empty() {
        let description = "Server does not support request parameter.";
        return Err(sent("request_not_supported", description.to_owned()));
    }
    let challenge = challenge(server, call).map_err(|description| invalid(&description))?;
    let asked: Vec<String> = call
        .value("scope")
        .split_whitespace()
        .map(str::to_owned)
        .collect();
    check_scopes(server, client, &asked)
        .map_err(|description| sent("invalid_scope", description))?;
    let response_types: Vec<String> = call
        .value("response_type")
        .split_whitespace()
        .map(str::to_owned)
        .collect();
    check_response_types(server, call, &response_types, &redirect_uri)
        .map_err(|(code, description)| sent(code, description))?;
    let prompt =
        Prompt::parse(call.value("prompt")).map_err(|description| invalid(&description))?;
    let max_age = call.value("max_age");
    if !max_age.is_empty() && !is_age(max_age) {
        return Err(invalid(&format!(
            "Invalid max_age value {}",
            quote(max_age)
        )));
    }
    let hint = call.value("id_token_hint");
    if !hint.is_empty() && super::userinfo::verify(server, hint).is_none() {
        return Err(invalid("Invalid id_token_hint."));
    }
    Ok(AuthRequest {
        id: random::identifier(),
        client_id: client.id.clone(),
        response_types,
        scopes: asked,
        redirect_uri: redirect_uri.clone(),
        nonce: call.value("nonce").to_owned(),
        state: call.value("state").to_owned(),
        force_approval: call.value("approval_prompt") == "force" || prompt.consent,
        silent: prompt.none,
        connector: call.value("connector_id").to_owned(),
        challenge,
        verifier: None,
        key: AuthRequest::new_key(),
        login: None,
    })
}

/// Whether Dex sends users of the client there: to what the client registered and, when a public client registered
/// nothing, to any port of this machine.
fn may_redirect(client: &Client, address: &str) -> bool {
    if client
        .redirect_uris
        .iter()
        .any(|registered| registered == address)
    {
        return true;
    }
    if !client.public || !client.redirect_uris.is_empty() {
        return false;
    }
    if address == OUT_OF_BAND || address == DEVICE_CALLBACK {
        return true;
    }
    let scheme = address
        .split_at_checked(7)
        .filter(|(scheme, _)| scheme.eq_ignore_ascii_case("http://"));
    let Some((_, rest)) = scheme else {
        return false;
    };
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let host = authority
        .rsplit_once('@')
        .map_or(authority, |(_, host)| host);
    is_this_machine(host)
}

/// `localhost` or a loopback address, with a port or without.
fn is_this_machine(host: &str) -> bool {
    let local =
        |host: &str| host == "localhost" || host.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback());
    let without_port = match host.strip_prefix('[') {
        Some(rest) => rest.split_once("]:").map(|(host, _)| host),
        None => host
            .split_once(':')
            .map(|(host, _)| host)
            .filter(|_| host.matches(':').count() == 1),
    };
    let port = host.rsplit_once(':').map_or("", |(_, port)| port);
    let numeric = port.bytes().all(|byte| byte.is_ascii_digit());
    local(host) || numeric && without_port.is_some_and(local)
}

fn challenge(server: &Server, call: &Call) -> Result<Option<Challenge>, String> {
    let pkce = &server.config.pkce;
    let value = call.value("code_challenge");
    if value.is_empty() {
        return match pkce.enforce {
            true => {
                Err("PKCE is required. The code_challenge parameter must be provided.".to_owned())
            }
            false => Ok(None),
        };
    }
    let name = match call.value("code_challenge_method") {
        "" => ChallengeMethod::Plain.name(),
        name => name,
    };
    let method = ChallengeMethod::from_name(name).filter(|method| pkce.methods.contains(method));
    let method =
        method.ok_or_else(|| format!("Unsupported PKCE challenge method ({}).", quote(name)))?;
    Ok(Some(Challenge {
        method,
        value: value.to_owned(),
    }))
}

fn check_scopes(server: &Server, client: &Client, asked: &[String]) -> Result<(), String> {
    let refused = scopes::refused(&server.config, &client.id, asked, &scopes::STANDARD);
    if !scopes::has(asked, scopes::OPENID) {
        return Err(r#"Missing required scope(s) ["openid"]."#.to_owned());
    }
    if !refused.unrecognized.is_empty() {
        return Err(format!(
            "Unrecognized scope(s) {}",
            quote_all(&refused.unrecognized)
        ));
    }
    if !refused.untrusted.is_empty() {
        return Err(format!(
            "Client can't request scope(s) {}",
            quote_all(&refused.untrusted)
        ));
    }
    Ok(())
}

fn check_response_types(
    server: &Server,
    call: &Call,
    response_types: &[String],
    redirect_uri: &str,
) -> Result<(), (&'static str, String)> {
    let invalid = |description: String| Err(("invalid_request", description));
    for response_type in response_types {
        if !matches!(response_type.as_str(), "code" | "id_token" | "token") {
            return invalid(format!("Invalid response type {}", quote(response_type)));
        }
        if !server.config.response_types.contains(response_type) {
            let description = format!("Unsupported response type {}", quote(response_type));
            return Err(("unsupported_response_type", description));
        }
    }
    let has = |kind: &str| {
        response_types
            .iter()
            .any(|response_type| response_type == kind)
    };
    if response_types.is_empty() {
        return invalid("No response_type provided".to_owned());
    }
    if has("token") && !has("code") && !has("id_token") {
        let description =
            "Response type 'token' must be provided with type 'id_token' and/or 'code'";
        return invalid(description.to_owned());
    }
    if !has("code") && call.value("nonce").is_empty() {
        return invalid("Response type 'token' requires a 'nonce' value.".to_owned());
    }
    if has("token") && redirect_uri == OUT_OF_BAND {
        return invalid(format!(
            "Cannot use response type 'token' with redirect_uri '{OUT_OF_BAND}'."
        ));
    }
    Ok(())
}

/// A whole number that is not negative, as Go reads it.
fn is_age(text: &str) -> bool {
    text.parse::<i64>().is_ok_and(|age| age >= 0)
}

/// What the client wants the user to see (OpenID Connect Core 1.0 section 3.1.2.1).
#[derive(Debug, Default)]
struct Prompt {
    none: bool,
    consent: bool,
}

impl Prompt {
    fn parse(text: &str) -> Result<Self, String> {
        let mut prompt = Self::default();
        let mut others = false;
        for value in text.split_whitespace() {
            match value {
                "none" => prompt.none = true,
                "login" | "select_account" => others = true,
                "consent" => prompt.consent = true,
                other => {
                    return Err(format!(
                        "Invalid prompt parameter: invalid prompt value {}",
                        quote(other)
                    ));
                }
            }
        }
        if prompt.none && (others || prompt.consent) {
            let reason = "prompt=none must not be combined with other values";
            return Err(format!("Invalid prompt parameter: {reason}"));
        }
        Ok(prompt)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_public_client_without_addresses_may_use_any_port_of_this_machine() {
        let mut client = Client {
            id: "cli".to_owned(),
            secret: "".into(),
            name: String::new(),
            redirect_uris: Vec::new(),
            public: true,
            trusted_peers: Vec::new(),
            allowed_connectors: Vec::new(),
            own_groups: Vec::new(),
        };
        for (address, expected) in [
            ("http://localhost", true),
            ("http://localhost:8000/cb", true),
            ("http://127.0.0.1:1", true),
            ("http://127.9.9.9/x", true),
            ("http://[::1]:8000/", true),
            ("HTTP://localhost:8000", true),
            (OUT_OF_BAND, true),
            ("https://localhost:8000", false),
            ("http://localhost.example:8000", false),
            ("http://10.0.0.1:8000", false),
            ("http://localhost:port/", false),
            ("", false),
        ] {
            assert_eq!(may_redirect(&client, address), expected, "{address}");
        }
        client.redirect_uris = vec!["http://localhost:8000/cb".to_owned()];
        assert!(may_redirect(&client, "http://localhost:8000/cb"));
        assert!(!may_redirect(&client, "http://localhost:8001/cb"));
        assert!(!may_redirect(&client, OUT_OF_BAND));
    }
}
