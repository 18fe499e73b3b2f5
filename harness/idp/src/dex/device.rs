//! Logins of devices without a browser (RFC 8628): the device asks for a code, its user enters it elsewhere, and the
//! device asks until that is done.

use std::time::{Duration, SystemTime};

use aws_lc_rs::constant_time::verify_slices_are_equal;
use axum::{
    http::{Method, StatusCode, header},
    response::{IntoResponse, Response},
};
use secrecy::{ExposeSecret as _, SecretString};
use serde::Serialize;

use super::{
    go::{
        form::{Call, Values},
        quote::quote,
        redirect::redirect,
    },
    grants,
    request::DEVICE_CALLBACK,
    server::Server,
};
use crate::oidc::{
    OAuthError, html,
    pkce::{Challenge, Method as ChallengeMethod},
    random,
};

/// Seconds a device has to wait between two questions, and what is added for one that does not.
const INTERVAL: u64 = 5;

/// A device that waits for its user.
#[derive(Clone)]
pub(crate) struct DeviceRequest {
    device_code: String,
    client_id: String,
    client_secret: SecretString,
    scopes: Vec<String>,
    challenge: Option<Challenge>,
    asked: SystemTime,
    interval: u64,
    /// The answer to the device, once its user has logged in.
    answer: Option<SecretString>,
}

/// `/device/code`: what the device is to show, and what it is to ask with (section 3.2).
pub(crate) fn begin(server: &Server, call: &Call) -> Response {
    if call.method != Method::POST {
        // Dex writes the error of the protocol behind this page, and nobody reads it there.
        let message = "Invalid device code request type";
        return server.pages.error(StatusCode::BAD_REQUEST, message);
    }
    if call.malformed {
        return OAuthError::new("invalid_request", "")
            .with_status(StatusCode::NOT_FOUND)
            .into_response();
    }
    let name = match call.value("code_challenge_method") {
        "" => ChallengeMethod::Plain.name(),
        name => name,
    };
    let Some(method) = ChallengeMethod::from_name(name) else {
        let message = format!("Unsupported PKCE challenge method ({}).", quote(name));
        return OAuthError::new("invalid_request", message).into_response();
    };
    let mut scopes: Vec<String> = call
        .value("scope")
        .split_whitespace()
        .map(str::to_owned)
        .collect();
    if scopes.is_empty() {
        scopes.push(super::scopes::OPENID.to_owned());
    }
    let challenge = call.value("code_challenge");
    let now = SystemTime::now();
    let request = DeviceRequest {
        device_code: random::long_identifier(),
        client_id: call.value("client_id").to_owned(),
        client_secret: call.value("client_secret").into(),
        scopes,
        challenge: (!challenge.is_empty()).then(|| Challenge {
            method,
            value: challenge.to_owned(),
        }),
        asked: now,
        interval: 0,
        answer: None,
    };
    let user_code = random::user_code();
    let device_code = request.device_code.clone();
    let lifetime = server.config.device_requests;
    let devices = &server.store.devices;
    devices.insert(user_code.clone(), lifetime.after(now), request);
    answer(server, &device_code, &user_code)
}

fn answer(server: &Server, device_code: &str, user_code: &str) -> Response {
    #[derive(Serialize)]
    struct Body<'a> {
        device_code: &'a str,
        user_code: &'a str,
        verification_uri: &'a str,
        verification_uri_complete: String,
        expires_in: u64,
        interval: u64,
    }
    let uri = server.config.issuer.url("/device");
    let body = html::json(&Body {
        device_code,
        user_code,
        verification_uri_complete: format!("{uri}?user_code={user_code}"),
        verification_uri: &uri,
        expires_in: server.config.device_requests.unsigned().as_secs(),
        interval: INTERVAL,
    });
    let headers = [
        (header::CACHE_CONTROL, "no-store"),
        (header::CONTENT_TYPE, "application/json"),
    ];
    (headers, body.unwrap_or_default() + "\n").into_response()
}

/// `/device`: the page on which the user enters the code.
pub(crate) fn enter(server: &Server, call: &Call) -> Response {
    if call.method != Method::GET {
        let message = "Requested resource does not exist.";
        return server.pages.error(StatusCode::BAD_REQUEST, message);
    }
    let invalid = matches!(
        call.query.get("invalid"),
        "1" | "t" | "T" | "TRUE" | "true" | "True"
    );
    let code = call.query.get("user_code");
    server.pages.device(&verification(server), code, invalid)
}

fn verification(server: &Server) -> String {
    server.config.issuer.path("/device/auth/verify_code")
}

/// `/device/auth/verify_code`: takes the code and begins the user's login.
pub(crate) fn verify(server: &Server, call: &Call) -> Response {
    let error = |message| server.pages.error(StatusCode::BAD_REQUEST, message);
    if call.method != Method::POST {
        return error("Requested resource does not exist.");
    }
    if call.malformed {
        return error("");
    }
    let code = call.value("user_code").to_uppercase();
    if code.is_empty() {
        return error("No user code received");
    }
    let Some((request, false)) = server.store.devices.get(&code) else {
        return server.pages.device(&verification(server), &code, true);
    };
    let issuer = &server.config.issuer;
    let mut query = Values::default();
    query.set("client_id", request.client_id);
    query.set("state", code);
    query.set("response_type", "code");
    query.set("redirect_uri", issuer.path(DEVICE_CALLBACK));
    query.set("scope", request.scopes.join(" "));
    let login = format!("{}?{}", issuer.url("/auth"), query.encode());
    redirect(&call.method, StatusCode::FOUND, &login)
}

/// `/device/callback`: the user is back, and the device gets its tokens.
pub(crate) async fn callback(server: &Server, call: &Call) -> Response {
    if call.method != Method::GET {
        let message = "Method not allowed.";
        return server.pages.error(StatusCode::BAD_REQUEST, message);
    }
    match complete(server, call).await {
        Ok(client) => server.pages.device_done(&client),
        Err(Refusal::Shown(status, message)) => server.pages.error(status, message),
        Err(Refusal::Client) => {
            OAuthError::invalid_client("Invalid client credentials.").into_response()
        }
    }
}

enum Refusal {
    Shown(StatusCode, &'static str),
    Client,
}

/// Redeems the code the user came back with; the client's name.
async fn complete(server: &Server, call: &Call) -> Result<String, Refusal> {
    let bad = |message| Refusal::Shown(StatusCode::BAD_REQUEST, message);
    let (user_code, id) = (call.value("state"), call.value("code"));
    if user_code.is_empty() || id.is_empty() {
        return Err(bad("Request was missing parameters"));
    }
    if !call.value("error").is_empty() {
        return Err(bad("Authorization failed. Please try again."));
    }
    let Some((code, false)) = server.store.codes.get(id) else {
        return Err(bad("Invalid or expired auth code."));
    };
    let Some((request, false)) = server.store.devices.get(user_code) else {
        return Err(bad("Invalid or expired user code."));
    };
    let path = code
        .redirect_uri
        .split(['?', '#'])
        .next()
        .unwrap_or_default();
    if code.auth.client_id != request.client_id || !path.ends_with(DEVICE_CALLBACK) {
        return Err(bad("Invalid or expired auth code."));
    }
    let client = server.config.clients.get(&request.client_id);
    let client = client.ok_or(Refusal::Client)?;
    let (known, given) = (&client.secret, &request.client_secret);
    verify_slices_are_equal(
        known.expose_secret().as_bytes(),
        given.expose_secret().as_bytes(),
    )
    .map_err(|_| Refusal::Client)?;
    let failed = |error: OAuthError| {
        let message = "could not exchange auth code for client";
        server.journal.error(message, format!("{error:?}"));
        let status = StatusCode::INTERNAL_SERVER_ERROR;
        Refusal::Shown(status, "Failed to exchange auth code.")
    };
    let tokens = grants::redeem(server, id, &code.auth)
        .await
        .map_err(failed)?;
    let stored = tokens.stored().map_err(failed)?;
    let mut first = false;
    server.store.devices.update(user_code, |request| {
        first = request.answer.is_none();
        if first {
            request.answer = Some(stored);
        }
    });
    match first {
        true => Ok(client.name.clone()),
        false => Err(bad("")),
    }
}

/// The device's grant at the token endpoint (section 3.4 and 3.5).
///
/// # Errors
/// In Dex's words, as long as the user has not logged in.
pub(crate) fn redeem(server: &Server, call: &Call) -> Result<Response, OAuthError> {
    let invalid = |message: &str| OAuthError::new("invalid_request", message);
    let code = call.body.get("device_code");
    if code.is_empty() {
        return Err(invalid("No device code received"));
    }
    let devices = &server.store.devices;
    let found = devices.find(|request| request.device_code == code);
    let Some((user_code, request, expired)) = found else {
        return Err(invalid("Invalid Device code."));
    };
    if expired {
        return Err(OAuthError::new("expired_token", ""));
    }
    if let Some(answer) = &request.answer {
        grants::verify_pkce(call.body.get("code_verifier"), request.challenge.as_ref())?;
        let kind = [(header::CONTENT_TYPE, "application/json")];
        return Ok((kind, answer.expose_secret().to_owned()).into_response());
    }
    let now = SystemTime::now();
    let early = now < request.asked + Duration::from_secs(request.interval);
    devices.update(&user_code, |request| {
        request.asked = now;
        request.interval = if early {
            request.interval + INTERVAL
        } else {
            INTERVAL
        };
    });
    let reason = if early {
        "slow_down"
    } else {
        "authorization_pending"
    };
    Err(OAuthError::new(reason, ""))
}
