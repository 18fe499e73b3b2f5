//! The token endpoint (RFC 6749 sections 4.1.3, 4.3 and 4.4).

use axum::{http::StatusCode, response::Response};
use secrecy::SecretString;

use crate::oidc::pkce::Challenge;

use super::{
    device, exchange,
    issue::{Grant, tokens},
    realm::{Client, User},
    refresh,
    request::{Call, NoClient, bad, refuse},
    server::{Server, same},
    sessions::Session,
    unasked,
};

/// `/token`.
pub(super) fn serve(server: &Server, call: &Call) -> Response {
    let Some(kind) = call.form.get("grant_type") else {
        return bad("invalid_request", "Missing form parameter: grant_type");
    };
    let grant = match kind {
        "password" => password,
        "authorization_code" => code,
        "client_credentials" => client_credentials,
        "refresh_token" => refresh::serve,
        "urn:ietf:params:oauth:grant-type:device_code" => device::grant,
        "urn:ietf:params:oauth:grant-type:token-exchange" => exchange::serve,
        "urn:openid:params:grant-type:ciba" => unasked::begun,
        "urn:ietf:params:oauth:grant-type:uma-ticket" => unasked::permissions,
        _ => return bad("unsupported_grant_type", "Unsupported grant_type"),
    };
    let client = match call.client(server) {
        Ok(client) => client,
        Err(error) => return NoClient::answer(error),
    };
    let repeatable: &[&str] = match kind {
        "urn:ietf:params:oauth:grant-type:token-exchange" => &exchange::REPEATABLE,
        _ => &[],
    };
    if call.form.repeats(repeatable) {
        return bad("invalid_request", "duplicated parameter");
    }
    grant(server, call, client)
}

/// The scope asked for, once the client may ask for it.
fn scope<'c>(server: &Server, call: &'c Call, client: &Client) -> Result<&'c str, Box<Response>> {
    match call.form.get("scope") {
        Some(scope) if !server.realm.allows(client, scope) => Err(Box::new(bad(
            "invalid_scope",
            &format!("Invalid scopes: {scope}"),
        ))),
        scope => Ok(scope.unwrap_or_default()),
    }
}

/// What is wrong with a login by name and password.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum NoLogin {
    Wrong,
    Disabled,
    /// The user would have to do something first.
    Unfinished,
}

/// The user's position, if the password is right and nothing stands in the way.
pub(super) fn check_password(
    server: &Server,
    name: &str,
    password: &str,
) -> Result<usize, NoLogin> {
    let position = server.realm.user(name).ok_or(NoLogin::Wrong)?;
    let user = server.realm.users.get(position).ok_or(NoLogin::Wrong)?;
    let right = |known: &SecretString| same(known, password);
    if !user.enabled {
        return Err(NoLogin::Disabled);
    }
    if !user.password.as_ref().is_some_and(right) {
        return Err(NoLogin::Wrong);
    }
    if is_unfinished(server, user) {
        return Err(NoLogin::Unfinished);
    }
    Ok(position)
}

/// Whether the user has a required action, the one to complete the profile among them.
fn is_unfinished(server: &Server, user: &User) -> bool {
    let profile = [&user.email, &user.first_name, &user.last_name];
    let incomplete = profile
        .iter()
        .any(|part| part.as_ref().is_none_or(|part| part.trim().is_empty()));
    !user.required_actions.is_empty()
        || server.realm.verify_profile && incomplete
        || server.realm.verify_email && !user.email_verified
}

fn password(server: &Server, call: &Call, client: &Client) -> Response {
    if !client.direct_grants {
        return bad(
            "unauthorized_client",
            "Client not allowed for direct access grants",
        );
    }
    if client.consent {
        return bad("invalid_client", "Client requires user consent");
    }
    let scope = match scope(server, call, client) {
        Ok(scope) => scope,
        Err(answer) => return *answer,
    };
    let Some(name) = call.form.get("username") else {
        return refuse(
            StatusCode::UNAUTHORIZED,
            "invalid_request",
            "Missing parameter: username",
        );
    };
    let user = match check_password(server, name, call.form.text("password")) {
        Ok(user) => user,
        Err(NoLogin::Disabled) => return bad("invalid_grant", "Account disabled"),
        Err(NoLogin::Unfinished) => return bad("invalid_grant", "Account is not fully set up"),
        Err(NoLogin::Wrong) => {
            return refuse(
                StatusCode::UNAUTHORIZED,
                "invalid_grant",
                "Invalid user credentials",
            );
        }
    };
    let mut session = Session::new(user);
    session.attach(&client.id, "1");
    tokens(server, session, &plain(client, "ro", scope))
}

fn client_credentials(server: &Server, call: &Call, client: &Client) -> Response {
    let refused =
        |description| refuse(StatusCode::UNAUTHORIZED, "unauthorized_client", description);
    if client.public {
        return refused("Public client not allowed to retrieve service account");
    }
    let account = server
        .realm
        .service_account(&client.id)
        .filter(|_| client.service_account);
    let Some(account) = account else {
        return refused("Client not enabled to retrieve service account");
    };
    if let Some(user) = server.realm.users.get(account).filter(|user| !user.enabled) {
        let message = format!("User '{}' disabled", user.username);
        return refuse(StatusCode::UNAUTHORIZED, "invalid_request", &message);
    }
    let scope = match scope(server, call, client) {
        Ok(scope) => scope,
        Err(answer) => return *answer,
    };
    let grant = Grant {
        transient: Some(&call.peer),
        exchange: None,
        ..plain(client, "cc", scope)
    };
    tokens(server, Session::new(account), &grant)
}

/// A first grant.
pub(super) fn plain<'s>(client: &'s Client, kind: &'s str, scope: &'s str) -> Grant<'s> {
    Grant {
        client,
        kind,
        scope,
        nonce: None,
        refresh_scope: None,
        reuse_id: None,
        transient: None,
        exchange: None,
    }
}

fn code(server: &Server, call: &Call, client: &Client) -> Response {
    let refused = |description: &str| bad("invalid_grant", description);
    let Some(name) = call.form.get("code") else {
        return bad("invalid_request", "Missing parameter: code");
    };
    let Some((code, expired)) = server.codes.get(name) else {
        return refused("Code not valid");
    };
    let mut first = false;
    server.codes.update(name, |code| {
        first = !std::mem::replace(&mut code.used, true);
    });
    if !first {
        server.sessions.detach(&code.session, &code.client, false);
        return refused("Code not valid");
    }
    if expired {
        return refused("Code is expired");
    }
    let Some(session) = server.sessions.get(&code.session, &server.realm.lifetimes) else {
        return refused("User session not found");
    };
    if call.form.get("redirect_uri") != Some(&code.redirect_uri) {
        return refused("Incorrect redirect_uri");
    }
    if code.client != client.id {
        return refused("Auth error: Found different client_id in clientSession");
    }
    let verifier = call.form.get("code_verifier");
    if let Err(description) = check_verifier(code.challenge.as_ref(), verifier) {
        return refused(description);
    }
    let grant = Grant {
        nonce: code.nonce.clone(),
        ..plain(client, "ac", &code.scope)
    };
    tokens(server, session, &grant)
}

/// Whether the one who asks for tokens is the one who began (RFC 7636 section 4.6).
pub(super) fn check_verifier(
    challenge: Option<&Challenge>,
    verifier: Option<&str>,
) -> Result<(), &'static str> {
    match (challenge, verifier) {
        (Some(_), None) => Err("PKCE code verifier not specified"),
        (None, Some(_)) => {
            Err("PKCE code verifier specified but challenge not present in authorization")
        }
        (Some(_), Some(verifier)) if !is_verifier(verifier) => {
            Err("PKCE verification failed: Invalid code verifier")
        }
        (Some(challenge), Some(verifier)) if !challenge.is_met_by(verifier) => {
            Err("PKCE verification failed: Code mismatch")
        }
        _ => Ok(()),
    }
}

/// The form of a verifier, and of a challenge (RFC 7636 section 4.1).
pub(super) fn is_verifier(text: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    (43..=128).contains(&text.len()) && text.bytes().all(allowed)
}
