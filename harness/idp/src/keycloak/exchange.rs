//! Standard token exchange (RFC 8693; `StandardTokenExchangeProvider`): a confidential client turns an access token that
//! is meant for it into one of its own.

use axum::{http::StatusCode, response::Response};
use serde_json::{Map, Value};

use super::{
    issue::{Exchange, Grant, Wanted, tokens},
    realm::Client,
    refresh::text,
    request::{Call, bad, refuse},
    server::Server,
    sessions::Session,
};

const ACCESS: &str = "urn:ietf:params:oauth:token-type:access_token";
const ID: &str = "urn:ietf:params:oauth:token-type:id_token";
const REFRESH: &str = "urn:ietf:params:oauth:token-type:refresh_token";

/// Parameters that may come more than once.
pub(super) const REPEATABLE: [&str; 2] = ["audience", "resource"];

/// The grant.
pub(super) fn serve(server: &Server, call: &Call, client: &Client) -> Response {
    match exchange(server, call, client) {
        Ok(answer) => answer,
        Err(answer) => *answer,
    }
}

type Refused = Box<Response>;

fn invalid(description: &str) -> Refused {
    Box::new(bad("invalid_request", description))
}

fn exchange(server: &Server, call: &Call, client: &Client) -> Result<Response, Refused> {
    let token = subject_token(call, client)?;
    let subject = verified(server, token).ok_or_else(|| invalid("Invalid token"))?;
    let wanted = wanted(call, client)?;
    let audience: Vec<&str> = call.form.all("audience").collect();
    let targets = audience
        .iter()
        .map(|name| server.realm.clients.get(*name))
        .collect::<Option<Vec<_>>>()
        .ok_or_else(|| Box::new(bad("invalid_client", "Audience not found")))?;
    if client.public {
        let description = "Public client is not allowed to exchange token";
        return Err(Box::new(bad("invalid_client", description)));
    }
    if targets.iter().any(|target| !target.enabled) {
        return Err(Box::new(bad("invalid_client", "Client disabled")));
    }
    let is_holder = text(&subject.claims, "azp") == client.id;
    if !is_holder && !is_for(&subject.claims, &client.id) {
        return Err(Box::new(refuse(
            StatusCode::FORBIDDEN,
            "access_denied",
            "Client is not within the token audience",
        )));
    }
    let scope = call.form.text("scope");
    if !scope.is_empty() && !server.realm.allows(client, scope) {
        let description = format!("Invalid scopes: {scope}");
        return Err(Box::new(bad("invalid_scope", &description)));
    }
    let mut session = subject.session;
    if wanted == Wanted::Refresh {
        if subject.transient || session.offline {
            return Err(invalid(
                "Refresh token not valid as requested_token_type because creating a new session is needed",
            ));
        }
        if scope.split(' ').any(|word| word == "offline_access") {
            return Err(invalid(
                "Scope offline_access not allowed for token exchange",
            ));
        }
        session.attach(&client.id, "1");
    }
    let exchange = Exchange {
        wanted,
        audience: &audience,
        transient: subject.transient,
    };
    let grant = Grant {
        client,
        kind: "te",
        scope,
        nonce: None,
        refresh_scope: None,
        reuse_id: None,
        transient: None,
        exchange: Some(&exchange),
    };
    Ok(tokens(server, session, &grant))
}

/// The token to exchange, once the request is one that standard token exchange is for.
fn subject_token<'c>(call: &'c Call, client: &Client) -> Result<&'c str, Refused> {
    let elsewhere = ["requested_subject", "requested_issuer", "subject_issuer"];
    if let Some(name) = elsewhere.iter().find(|name| call.form.get(name).is_some()) {
        return Err(invalid(&format!(
            "Parameter '{name}' is not supported for standard token exchange"
        )));
    }
    if client.attribute("standard.token.exchange.enabled") != Some("true") {
        return Err(invalid(
            "Standard token exchange is not enabled for the requested client",
        ));
    }
    let required = |name: &str| {
        call.form.get(name).ok_or_else(|| {
            invalid(&format!(
                "Parameter '{name}' required for standard token exchange"
            ))
        })
    };
    let token = required("subject_token")?;
    match required("subject_token_type")? {
        ACCESS => Ok(token),
        _ => Err(invalid(
            "Parameter 'subject_token' supports access tokens only",
        )),
    }
}

fn wanted(call: &Call, client: &Client) -> Result<Wanted, Refused> {
    let same_session = "standard.token.exchange.enableRefreshRequestedTokenType";
    match call.form.get("requested_token_type") {
        None | Some(ACCESS) => Ok(Wanted::Access),
        Some(ID) => Ok(Wanted::Id),
        Some(REFRESH) if client.attribute(same_session) == Some("SAME_SESSION") => {
            Ok(Wanted::Refresh)
        }
        Some(_) => Err(invalid("requested_token_type unsupported")),
    }
}

/// Whose token it is that was given.
struct Subject {
    claims: Map<String, Value>,
    session: Session,
    /// A service account: its session is kept nowhere.
    transient: bool,
}

fn verified(server: &Server, token: &str) -> Option<Subject> {
    let claims = server.verify(token).ok()?;
    if text(&claims, "typ") != "Bearer" {
        return None;
    }
    let (session, transient) = match text(&claims, "sid") {
        "" => {
            let user = server.realm.service_account(text(&claims, "azp"))?;
            (Session::new(user), true)
        }
        id => (server.sessions.get(id, &server.realm.lifetimes)?, false),
    };
    let user = server.realm.users.get(session.user)?;
    user.enabled.then_some(Subject {
        claims,
        session,
        transient,
    })
}

fn is_for(claims: &Map<String, Value>, client: &str) -> bool {
    match claims.get("aud") {
        Some(Value::Array(all)) => all.iter().any(|one| one == client),
        one => one.and_then(Value::as_str) == Some(client),
    }
}
