//! The two pages a user goes through: password and consent.

use std::time::SystemTime;

use axum::{
    http::{Method, StatusCode},
    response::{IntoResponse, Response},
};

use super::{
    authorize::unescape_path,
    go::{form::Call, redirect::redirect},
    identity, pages,
    server::{Server, Step},
};

/// `/auth/{connector}/login`: shows the form for a password, and takes it.
pub(crate) async fn password(server: &Server, call: &Call, connector: &str) -> Response {
    let error = |status, message| server.pages.error(status, message);
    let state = call.query.get("state");
    if state.is_empty() {
        return error(StatusCode::BAD_REQUEST, "User session error.");
    }
    let Some((request, _)) = server.requests.get(state) else {
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
    let action = call
        .uri
        .path_and_query()
        .map_or("", |address| address.as_str());
    let back = back_link(call.query.get("back"));
    if call.method == Method::GET {
        return server.pages.password(action, None, back);
    }
    if call.method != Method::POST {
        return error(StatusCode::BAD_REQUEST, "Unsupported request method.");
    }
    let name = call.value("login");
    let identity = match identity::login(&server.config, name, call.value("password").into()).await
    {
        Ok(Some(identity)) => identity,
        Ok(None) => return server.pages.password(action, Some(name), back),
        Err(identity::Unchecked) => {
            let message = "Login error. Please contact your administrator or try again later.";
            return error(StatusCode::INTERNAL_SERVER_ERROR, message);
        }
    };
    let login = Some((identity, SystemTime::now()));
    if !server
        .requests
        .update(state, |request| request.login = login)
    {
        return error(StatusCode::INTERNAL_SERVER_ERROR, "Login error.");
    }
    redirect(
        &call.method,
        StatusCode::SEE_OTHER,
        &server.step_url(&request, Step::Continue),
    )
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
    let Some((request, _)) = server.requests.get(call.value("req")) else {
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

/// `/callback`: where another provider would send a user back to. No connector here has one.
pub(crate) fn callback(server: &Server, call: &Call) -> Response {
    let error = |status, message| server.pages.error(status, message);
    let state = match call.method {
        Method::GET => call.query.get("state"),
        Method::POST => call.body.get("RelayState"),
        _ => return error(StatusCode::BAD_REQUEST, "Method not supported"),
    };
    if state.is_empty() {
        return error(StatusCode::BAD_REQUEST, "User session error.");
    }
    let status = match server.requests.get(state) {
        None => StatusCode::BAD_REQUEST,
        Some(_) => StatusCode::INTERNAL_SERVER_ERROR,
    };
    error(status, "Requested resource does not exist.")
}
