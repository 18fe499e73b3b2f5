//! Logins on another device (RFC 8628): the device's side, and the user's in a browser.

use std::time::{Duration, SystemTime};

use axum::{
    Json,
    http::Method,
    response::{IntoResponse as _, Response},
};
use serde_json::json;

use super::{
    authorize::{Login, challenge},
    grants::{check_verifier, plain},
    issue::tokens,
    pages::{self, CodeForm},
    realm::Client,
    request::{Call, bad},
    server::Server,
    sessions::Session,
};
use crate::oidc::{pkce::Challenge, random};

/// A device that waits for its user.
#[derive(Clone)]
pub(super) struct Device {
    client: String,
    scope: String,
    challenge: Option<Challenge>,
    /// Until when the device is not to ask again.
    quiet: SystemTime,
    answer: Answer,
}

#[derive(Clone)]
enum Answer {
    None,
    Denied,
    /// The session that the device gets.
    Granted(String),
}

fn seconds(number: i64) -> Duration {
    Duration::from_secs(u64::try_from(number).unwrap_or_default())
}

/// `/auth/device`.
pub(super) fn start(server: &Server, call: &Call) -> Response {
    let client = match call.client(server) {
        Ok(client) => client,
        Err(error) => return error.answer(),
    };
    if !is_allowed(client) {
        let message = "Client is not allowed to initiate OAuth 2.0 Device Authorization Grant. \
            The flow is disabled for the client.";
        return bad("unauthorized_client", message);
    }
    let challenge = challenge(
        client,
        call.form.get("code_challenge"),
        call.form.get("code_challenge_method"),
    );
    let challenge = match challenge {
        Ok(challenge) => challenge,
        Err(description) => {
            let mut answer = bad("invalid_request", description);
            pages::never_back(&mut answer);
            return answer;
        }
    };
    // Unknown scopes bring nothing; Keycloak does not refuse them here.
    let scope = call.form.text("scope");
    let lifetimes = &server.realm.lifetimes;
    let now = SystemTime::now();
    let (name, user_code) = (random::identifier(), user_code());
    let device = Device {
        client: client.id.clone(),
        scope: scope.to_owned(),
        challenge,
        quiet: now,
        answer: Answer::None,
    };
    let expiry = now + seconds(lifetimes.device);
    server.devices.insert(name.clone(), expiry, device);
    server
        .user_codes
        .insert(user_code.clone(), expiry, name.clone());
    let page = format!("{}/device", server.issuer);
    let mut answer = Json(json!({
        "device_code": name,
        "user_code": user_code,
        "verification_uri": page,
        "verification_uri_complete": format!("{page}?user_code={user_code}"),
        "expires_in": lifetimes.device,
        "interval": lifetimes.device_interval,
    }))
    .into_response();
    pages::never_back(&mut answer);
    answer
}

fn is_allowed(client: &Client) -> bool {
    client.attribute("oauth2.device.authorization.grant.enabled") == Some("true")
}

/// Eight capital letters in two halves.
fn user_code() -> String {
    let letters: String = random::identifier()
        .chars()
        .filter(char::is_ascii_alphabetic)
        .collect();
    let letters = letters.to_ascii_uppercase();
    match (letters.get(..4), letters.get(4..8)) {
        (Some(one), Some(two)) => format!("{one}-{two}"),
        // Hardly ever are there so many digits among the 25.
        _ => user_code(),
    }
}

/// The grant.
pub(super) fn grant(server: &Server, call: &Call, client: &Client) -> Response {
    let refused = |code, description: &str| bad(code, description);
    if !is_allowed(client) {
        let message = "Client not allowed OAuth 2.0 Device Authorization Grant";
        return refused("unauthorized_client", message);
    }
    let Some(name) = call.form.get("device_code") else {
        return refused("invalid_request", "Missing parameter: device_code");
    };
    let found = server
        .devices
        .get(name)
        .filter(|(device, _)| device.client == client.id);
    let Some((device, expired)) = found else {
        return refused("invalid_grant", "Device code not valid");
    };
    if expired {
        return refused("expired_token", "Device code is expired");
    }
    let now = SystemTime::now();
    if now < device.quiet {
        return refused("slow_down", "Slow down");
    }
    let quiet = now + seconds(server.realm.lifetimes.device_interval);
    server.devices.update(name, |device| device.quiet = quiet);
    let session = match &device.answer {
        Answer::None => {
            let message = "The authorization request is still pending";
            return refused("authorization_pending", message);
        }
        Answer::Denied => {
            return refused(
                "access_denied",
                "The end user denied the authorization request",
            );
        }
        Answer::Granted(session) => server.sessions.get(session, &server.realm.lifetimes),
    };
    let verifier = call.form.get("code_verifier");
    if let Err(description) = check_verifier(device.challenge.as_ref(), verifier) {
        return refused("invalid_grant", description);
    }
    if !server.devices.remove(name) {
        return refused("invalid_grant", "Device code not valid");
    }
    match session {
        Some(session) => tokens(server, session, &plain(client, "dg", &device.scope)),
        None => refused("invalid_grant", "User session not found"),
    }
}

/// `/device`: the page where the user says which device it is.
pub(super) fn page(server: &Server, call: &Call) -> Response {
    let typed = match call.method {
        Method::POST => call.form.get("device_user_code"),
        _ => call.query.get("user_code"),
    };
    let Some(typed) = typed else {
        return pages::user_code(server, CodeForm::Empty);
    };
    let code = typed.trim().to_ascii_uppercase();
    let device = server.user_codes.get(&code).filter(|(_, expired)| !expired);
    let device = device.and_then(|(name, _)| Some((server.devices.get(&name)?.0, name)));
    let Some((device, name)) = device else {
        return pages::user_code(server, CodeForm::Invalid);
    };
    // A code names its device once.
    server.user_codes.remove(&code);
    let login = Login::of_device(name, device.client, device.scope);
    let (browser, tab) = (login.browser.clone(), random::identifier());
    let address = login.address(server, "authenticate", &[], &tab);
    let expiry = SystemTime::now() + seconds(server.realm.lifetimes.login);
    server.logins.insert(tab, expiry, login);
    let mut answer = pages::redirect(&address);
    pages::never_back(&mut answer);
    pages::auth_cookies(server, &mut answer, &browser);
    answer
}

/// Tells the device what its user answered to the question whether it may have the session.
pub(super) fn answer(server: &Server, name: &str, session: Option<&Session>) -> Response {
    let answer = session.map_or(Answer::Denied, |session| {
        Answer::Granted(session.id.clone())
    });
    server.devices.update(name, |device| device.answer = answer);
    let status = match session {
        Some(_) => "",
        None => "?error=access_denied",
    };
    let mut response = pages::redirect(&format!("{}/device/status{status}", server.issuer));
    pages::never_back(&mut response);
    response
}

/// `/device/status`: the end of it.
pub(super) fn status(server: &Server, call: &Call) -> Response {
    match call.query.get("error") {
        None => pages::device_ready(server),
        Some(_) => pages::device_denied(server),
    }
}
