//! The authorization endpoint: it begins a login, decides each next step, and sends the answer to the client.

use std::time::{Duration, SystemTime};

use axum::{
    http::{Method, StatusCode},
    response::Response,
};
use secrecy::ExposeSecret as _;

use super::{
    config::Connector,
    go::{
        form::{Call, Values, escape, unescape},
        redirect::{redirect, with_fragment, with_query},
    },
    issue,
    request::{self, DEVICE_CALLBACK, OUT_OF_BAND, Refusal},
    scopes,
    server::{AuthRequest, Code, Server, Step},
    token::{DEVICE_CODE, allows},
};
use crate::oidc::random;

/// How long a code can be redeemed.
const CODE_LIFETIME: Duration = Duration::from_secs(30 * 60);

/// `/auth`: the way in, and the way back from each step.
pub(crate) fn serve(server: &Server, call: &Call) -> Response {
    let error = |message| server.pages.error(StatusCode::BAD_REQUEST, message);
    if call.malformed {
        return error("Invalid request. Please try again.");
    }
    if !call.value("req").is_empty() {
        return proceed(server, call);
    }
    let Some(client) = server.config.clients.get(call.value("client_id")) else {
        return error("Invalid client_id provided.");
    };
    let mut query = call.all();
    query.remove("connector_id");
    let login = |connector: &Connector| {
        // Dex escapes a name twice here, so that only one that needs no escapes is found again.
        let name = escape_path(&connector.id).replace('%', "%25");
        let endpoint = format!("/auth/{name}");
        let path = server.config.issuer.path(&endpoint);
        format!("{path}?{}", query.encode())
    };
    let serving = server.connectors.serving(grant_type(call));
    let mut offered: Vec<&Connector> = serving
        .filter(|connector| allows(client, &connector.id))
        .collect();
    if offered.is_empty() {
        return error("No connectors available for this client.");
    }
    let wanted = call.value("connector_id");
    if !wanted.is_empty() {
        return match offered.iter().find(|connector| connector.id == wanted) {
            Some(connector) => redirect(&call.method, StatusCode::FOUND, &login(connector)),
            None => error("Connector ID does not match a valid Connector"),
        };
    }
    if let ([only], false) = (offered.as_slice(), server.config.always_show_login) {
        return redirect(&call.method, StatusCode::FOUND, &login(only));
    }
    offered.sort_by_key(|connector| connector.name.to_lowercase());
    let links = offered.iter();
    let links: Vec<_> = links
        .map(|connector| (connector.name.as_str(), login(connector)))
        .collect();
    server.pages.choice(&links)
}

/// The grant that a request of a browser leads to.
fn grant_type(call: &Call) -> &'static str {
    if call.value("redirect_uri").ends_with(DEVICE_CALLBACK) {
        return DEVICE_CODE;
    }
    let implicit = |kind| matches!(kind, "token" | "id_token");
    match call.value("response_type").split_whitespace().any(implicit) {
        true => "implicit",
        false => "authorization_code",
    }
}

/// `/auth/{connector}`: checks the request and opens the connector's own login.
pub(crate) async fn begin(server: &Server, call: &Call, connector: &str) -> Response {
    let mut request = match request::parse(server, call) {
        Ok(request) => request,
        Err(refusal) => return refusal.into_response(server, &call.method),
    };
    let error = |message| server.pages.error(StatusCode::BAD_REQUEST, message);
    let Some(connector) = unescape_path(connector) else {
        return error("Requested resource does not exist");
    };
    let client = server.config.clients.get(&request.client_id);
    if !client.is_some_and(|client| allows(client, &connector)) {
        return server.pages.error(
            StatusCode::FORBIDDEN,
            "Connector not allowed for this client.",
        );
    }
    let (config, opened) = match server.connectors.get(&connector).await {
        Ok(found) => found,
        Err(reason) => {
            server.journal.error("Failed to get connector", reason);
            return error("Connector failed to initialize");
        }
    };
    if !config.serves(grant_type(call)) {
        let message = "connector does not allow requested grant type";
        server.journal.error(message, &connector);
        return error("Requested connector does not support this grant type.");
    }
    if !request.connector.is_empty() && request.connector != connector {
        return error("Bad connector ID");
    }
    request.connector = connector;
    let id = request.id.clone();
    let offline = scopes::has(&request.scopes, scopes::OFFLINE_ACCESS);
    let callback = server.config.issuer.url("/callback");
    let departure = opened.departure(&callback, &id, offline);
    let connector = escape_path(&request.connector);
    let expiry = server.config.auth_requests.after(SystemTime::now());
    let away = match departure {
        None => None,
        Some(Ok(departure)) => {
            request.verifier = departure.verifier;
            Some(departure.url)
        }
        Some(Err(reason)) => {
            let message = "connector returned error when creating callback";
            server.journal.error(message, reason);
            server.store.requests.insert(id, expiry, request);
            return server
                .pages
                .error(StatusCode::INTERNAL_SERVER_ERROR, "Login error.");
        }
    };
    server.store.requests.insert(id.clone(), expiry, request);
    if call.method != Method::GET {
        return error("Unsupported request method.");
    }
    let login = away.unwrap_or_else(|| {
        let mut query = Values::default();
        query.set("state", id);
        query.set("back", back(server, call));
        let endpoint = format!("/auth/{connector}/login");
        format!(
            "{}?{}",
            server.config.issuer.path(&endpoint),
            query.encode()
        )
    });
    redirect(&call.method, StatusCode::FOUND, &login)
}

/// The way back to the choice among connectors, where there is one.
fn back(server: &Server, call: &Call) -> String {
    match server.connectors.open_count() {
        0 | 1 => String::new(),
        _ => format!(
            "{}?{}",
            server.config.issuer.path("/auth"),
            call.all().encode()
        ),
    }
}

/// The text of an escaped path segment, in which `+` is a plus.
pub(crate) fn unescape_path(segment: &str) -> Option<String> {
    unescape(&segment.replace('+', "%2B"))
}

/// A name as a path segment.
fn escape_path(name: &str) -> String {
    // What may stand in a segment and not in a query is rare in a name, and means the same either way.
    escape(name).replace('+', "%20")
}

/// Back from a step: consent if that is still needed, else the answer.
fn proceed(server: &Server, call: &Call) -> Response {
    let error = |status, message| server.pages.error(status, message);
    let proof = call.value("hmac");
    if proof.is_empty() {
        return error(StatusCode::UNAUTHORIZED, "Unauthorized request");
    }
    let Some((request, expired)) = server.store.requests.get(call.value("req")) else {
        return error(StatusCode::BAD_REQUEST, "User session error.");
    };
    if request.login.is_none() {
        return error(
            StatusCode::INTERNAL_SERVER_ERROR,
            "Login process not yet finalized.",
        );
    }
    let approved = request.proves(proof, Step::Approved);
    if !approved && !request.proves(proof, Step::Continue) {
        return error(StatusCode::UNAUTHORIZED, "Unauthorized request");
    }
    let consent = approved || server.config.skip_approval && !request.force_approval;
    if !consent && request.silent {
        let refusal = Refusal::of(
            &request,
            "interaction_required",
            "User interaction required",
        );
        return refusal.into_response(server, &call.method);
    }
    if !consent {
        let approval = server.step_url(&request, Step::Approval);
        return redirect(&call.method, StatusCode::SEE_OTHER, &approval);
    }
    if expired {
        return error(StatusCode::BAD_REQUEST, "User session has expired.");
    }
    if !server.store.requests.remove(&request.id) {
        return error(StatusCode::BAD_REQUEST, "User session error.");
    }
    answer(server, call, &request)
}

/// Code and tokens, as the request's response types ask for them (OAuth 2.0 Multiple Response Type Encoding
/// Practices): the code alone in the query, anything with a token in the fragment.
fn answer(server: &Server, call: &Call, request: &AuthRequest) -> Response {
    let Some(auth) = request.authorization() else {
        return server.pages.error(
            StatusCode::INTERNAL_SERVER_ERROR,
            "Login process not yet finalized.",
        );
    };
    let has = |kind: &str| {
        request
            .response_types
            .iter()
            .any(|response_type| response_type == kind)
    };
    let mut values = Values::default();
    values.set("state", request.state.as_str());
    let code = has("code").then(random::identifier);
    if let Some(code) = &code {
        let record = Code {
            auth: auth.clone(),
            redirect_uri: request.redirect_uri.clone(),
            challenge: request.challenge.clone(),
        };
        server
            .store
            .codes
            .insert(code.clone(), SystemTime::now() + CODE_LIFETIME, record);
        if request.redirect_uri == OUT_OF_BAND {
            return server.pages.code(code);
        }
        values.set("code", code.as_str());
    }
    let access = match has("token")
        .then(|| issue::access_token(server, &auth))
        .transpose()
    {
        Ok(access) => access,
        Err(error) => return axum::response::IntoResponse::into_response(error),
    };
    let access = access.as_ref().map(|access| access.token.expose_secret());
    if let Some(access) = access {
        values.set("access_token", access);
        values.set("token_type", "bearer");
    }
    if has("id_token") {
        match issue::id_token(server, &auth, access, code.as_deref()) {
            Ok(id) => {
                if access.is_some() && code.is_none() {
                    values.set("expires_in", issue::seconds_left(id.expiry).to_string());
                }
                values.set("id_token", id.token.expose_secret());
            }
            Err(error) => return axum::response::IntoResponse::into_response(error),
        }
    }
    let location = if has("token") || has("id_token") {
        with_fragment(&request.redirect_uri, &values)
    } else {
        with_query(&request.redirect_uri, |query| {
            query.set("code", values.get("code"));
            query.set("state", values.get("state"));
        })
    };
    redirect(&call.method, StatusCode::SEE_OTHER, &location)
}
