//! The two pages a user goes through: password and consent.

use std::time::SystemTime;

use axum::{
    http::{Method, StatusCode},
    response::{IntoResponse, Response},
};

use super::{
    authorize::unescape_path,
    go::{form::Call, redirect::redirect},
    identity::{self, Identity},
    pages,
    server::{AuthRequest, Server, Step},
};

/// `/auth/{connector}/login`: shows the form for a password, and takes it.
pub(crate) async fn password(server: &Server, call: &Call, connector: &str) -> Response {
    let error = |status, message| server.pages.error(status, message);
    let state = call.query.get("state");
    if state.is_empty() {
        return error(StatusCode::BAD_REQUEST, "User session error.");
    }
    let Some((request, _)) = server.store.requests.get(state) else {
        return error(
            StatusCode::BAD_REQUEST,
            "Requested resource does not exist.",
        );
    };
    match unescape_path(connector) {
        None => return error(StatusCode::BAD_REQUEST, "Requested resource does not exist"),
        Some(connector) if connector != request.connector => {
            return error(
                StatusCode::BAD_REQUEST,
                "Requested resource does not exist.",
            );
        }
        Some(_) => {}
    }
    let opened = match server.connectors.get(&request.connector).await {
        Ok((_, opened)) => opened,
        Err(reason) => {
            server.journal.error("failed to get connector", reason);
            let message = "Connector failed to initialize.";
            return error(StatusCode::INTERNAL_SERVER_ERROR, message);
        }
    };
    let Some(prompt) = opened.prompt() else {
        let message = "Requested resource does not exist.";
        return error(StatusCode::INTERNAL_SERVER_ERROR, message);
    };
    let action = call
        .uri
        .path_and_query()
        .map_or("", |address| address.as_str());
    let back = back_link(call.query.get("back"));
    if call.method == Method::GET {
        return server.pages.password(action, prompt, None, back);
    }
    if call.method != Method::POST {
        return error(StatusCode::BAD_REQUEST, "Unsupported request method.");
    }
    let name = call.value("login");
    let given = call.value("password").into();
    let identity = match opened.login(&server.config, name, given).await {
        Ok(Some(identity)) => identity,
        Ok(None) => return server.pages.password(action, prompt, Some(name), back),
        Err(identity::Unchecked) => {
            let message = "Login error. Please contact your administrator or try again later.";
            return error(StatusCode::INTERNAL_SERVER_ERROR, message);
        }
    };
    logged_in(server, call, &request, identity)
}

/// Notes who logged in and sends the user on.
fn logged_in(server: &Server, call: &Call, request: &AuthRequest, identity: Identity) -> Response {
    let login = Some((identity, SystemTime::now()));
    let note = |request: &mut AuthRequest| request.login = login;
    if !server.store.requests.update(&request.id, note) {
        let status = StatusCode::INTERNAL_SERVER_ERROR;
        return server.pages.error(status, "Login error.");
    }
    let next = server.step_url(request, Step::Continue);
    redirect(&call.method, StatusCode::SEE_OTHER, &next)
}

/// The address of the page before, if it is on this server.
fn back_link(back: &str) -> &str {
    let here = back.starts_with('/') && !back.starts_with("//") && !back.starts_with("/\\");
    if here { back } else { "" }
}

/// `/approval`: asks for consent, and takes it.
pub(crate) fn approval(server: &Server, call: &Call) -> Response {
    let error = |status, message| server.pages.error(status, message);
    let proof = call.value("hmac");
    if proof.is_empty() {
        return error(StatusCode::UNAUTHORIZED, "Unauthorized request");
    }
    let Some((request, _)) = server.store.requests.get(call.value("req")) else {
        return error(StatusCode::BAD_REQUEST, "User session error.");
    };
    let Some((identity, _)) = &request.login else {
        return error(
            StatusCode::INTERNAL_SERVER_ERROR,
            "Login process not yet finalized.",
        );
    };
    if !request.proves(proof, Step::Approval) {
        return error(StatusCode::UNAUTHORIZED, "Unauthorized request");
    }
    if call.method == Method::GET {
        let client = server
            .config
            .clients
            .get(&request.client_id)
            .map_or("", |client| &client.name);
        let mut wishes: Vec<_> = request
            .scopes
            .iter()
            .filter_map(|scope| pages::wish(scope))
            .collect();
        wishes.sort_unstable();
        return server
            .pages
            .approval(&request.id, &identity.name, client, &wishes);
    }
    if call.method != Method::POST {
        return ().into_response();
    }
    if call.value("approval") != "approve" {
        return error(StatusCode::INTERNAL_SERVER_ERROR, "Approval rejected.");
    }
    redirect(
        &call.method,
        StatusCode::SEE_OTHER,
        &server.step_url(&request, Step::Approved),
    )
}

/// `/callback`: where another provider sends a user back to; `connector` stands in older addresses.
pub(crate) async fn callback(server: &Server, call: &Call, connector: Option<&str>) -> Response {
    let error = |status, message| server.pages.error(status, message);
    let nothing = "Requested resource does not exist.";
    let state = match call.method {
        Method::GET => call.query.get("state"),
        Method::POST => call.body.get("RelayState"),
        _ => return error(StatusCode::BAD_REQUEST, "Method not supported"),
    };
    if state.is_empty() {
        return error(StatusCode::BAD_REQUEST, "User session error.");
    }
    let Some((request, _)) = server.store.requests.get(state) else {
        let message = "invalid 'state' parameter provided";
        server.journal.error(message, "not found");
        return error(StatusCode::BAD_REQUEST, nothing);
    };
    if let Some(connector) = connector
        && unescape_path(connector).as_ref() != Some(&request.connector)
    {
        return error(StatusCode::BAD_REQUEST, nothing);
    }
    let opened = match server.connectors.get(&request.connector).await {
        Ok((_, opened)) => opened,
        Err(reason) => {
            server.journal.error("failed to get connector", reason);
            return error(StatusCode::INTERNAL_SERVER_ERROR, nothing);
        }
    };
    if opened.prompt().is_none() && call.method != Method::GET {
        return error(StatusCode::BAD_REQUEST, "Invalid request");
    }
    match opened.arrival(call, request.verifier.as_ref()).await {
        Some(Ok(identity)) => logged_in(server, call, &request, identity),
        Some(Err(reason)) => {
            server.journal.error("failed to authenticate", reason);
            let message =
                "Authentication failed. Please contact your administrator or try again later.";
            error(StatusCode::INTERNAL_SERVER_ERROR, message)
        }
        None => error(StatusCode::INTERNAL_SERVER_ERROR, nothing),
    }
}
