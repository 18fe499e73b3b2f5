//! The login form and the browser's session.

use axum::{http::StatusCode, response::Response};
use serde_json::{Map, Value};

use super::{
    authorize::Login,
    consent,
    grants::{NoLogin, check_password},
    pages::{self, Said},
    refresh::text,
    request::Call,
    server::{Server, now},
    sessions::Session,
};
use crate::oidc::random;

/// The cookie that holds who is logged in.
const IDENTITY: &str = "KEYCLOAK_IDENTITY";
/// The cookie that scripts may look at.
const SESSION: &str = "KEYCLOAK_SESSION";

/// The session that the browser's cookie proves.
pub(super) fn session(server: &Server, call: &Call) -> Option<Session> {
    let claims = server.verify(call.cookie(IDENTITY)?).ok()?;
    if text(&claims, "typ") != "Serialized-ID" {
        return None;
    }
    server
        .sessions
        .get(text(&claims, "sid"), &server.realm.lifetimes)
}

/// The login that a request belongs to, and its name; the page for none.
pub(super) fn open(server: &Server, call: &Call) -> Result<(String, Login), Box<Response>> {
    let tab = call.query.text("tab_id");
    let open = server.logins.get(tab).filter(|(_, expired)| !expired);
    let mine = call.cookie("AUTH_SESSION_ID");
    let found = open
        .map(|(login, _)| login)
        .filter(|login| Some(login.browser.as_str()) == mine);
    let login = found.ok_or_else(|| Box::new(not_found(server)))?;
    Ok((tab.to_owned(), login))
}

/// The page for a request that belongs to no login.
pub(super) fn not_found(server: &Server) -> Response {
    let message = "Restart login cookie not found. It may have expired; it may have been deleted or cookies are \
        disabled in your browser. If cookies are disabled then enable them. Click Back to Application to login again.";
    let mut answer = pages::error(server, StatusCode::BAD_REQUEST, message);
    pages::never_back(&mut answer);
    answer
}

/// `/login-actions/authenticate`: takes the form.
pub(super) fn authenticate(server: &Server, call: &Call) -> Response {
    let (tab, mut login) = match open(server, call) {
        Ok(found) => found,
        Err(answer) => return *answer,
    };
    let tab = tab.as_str();
    if login.device.is_some()
        && call.method == axum::http::Method::GET
        && let Some(session) = session(server, call)
    {
        // Whoever is logged in is asked only whether the device may.
        return consent::ask(server, tab, &login, session, "0");
    }
    if call.query.text("session_code") != login.code || call.method != axum::http::Method::POST {
        // A page from before: the form as it is now.
        return pages::login(server, &login.action(server, tab), Said::Nothing);
    }
    let known = login
        .again
        .as_ref()
        .and_then(|id| server.sessions.get(id, &server.realm.lifetimes));
    let known = known.and_then(|session| server.realm.users.get(session.user));
    let name = known
        .map_or(call.form.text("username"), |user| &user.username)
        .to_owned();
    match check_password(server, &name, call.form.text("password")) {
        Ok(user) => {
            let session = match login
                .again
                .take()
                .and_then(|id| server.sessions.get(&id, &server.realm.lifetimes))
            {
                Some(session) => session,
                None => Session::new(user),
            };
            let session = Session {
                auth_time: Some(now()),
                ..session
            };
            if consent::is_due(server, &login, &session) {
                return consent::ask(server, tab, &login, session, "1");
            }
            server.logins.remove(tab);
            finish(server, &login, session, "1")
        }
        Err(error) => {
            login.code = random::identifier();
            let action = login.action(server, tab);
            server
                .logins
                .update(tab, |kept| kept.code.clone_from(&login.code));
            match error {
                NoLogin::Wrong => pages::login(server, &action, Said::Wrong(&name)),
                NoLogin::Disabled => pages::login(server, &action, Said::Disabled(&name)),
                NoLogin::Unfinished => {
                    let message = "The account is not fully set up, and the embedded Keycloak has no pages for that.";
                    pages::error(server, StatusCode::BAD_REQUEST, message)
                }
            }
        }
    }
}

/// Keeps the session, gives the browser its cookies and the client its code.
pub(super) fn finish(
    server: &Server,
    login: &Login,
    mut session: Session,
    acr: &'static str,
) -> Response {
    session.attach(&login.client, acr);
    let mut answer = login.succeed(server, &session.id);
    remember(server, &mut answer, &session);
    pages::never_back(&mut answer);
    server.sessions.insert(session);
    answer
}

/// Gives the browser the session's cookies.
pub(super) fn remember(server: &Server, answer: &mut Response, session: &Session) {
    let lifetimes = &server.realm.lifetimes;
    let mut claims = Map::new();
    let user = server
        .realm
        .users
        .get(session.user)
        .map_or("", |user| &user.id);
    for (name, value) in [
        ("iss", server.issuer.as_str()),
        ("sub", user),
        ("typ", "Serialized-ID"),
        ("sid", &session.id),
        ("jti", &random::uuid()),
    ] {
        claims.insert(name.to_owned(), Value::from(value));
    }
    claims.insert("exp".to_owned(), session.end(lifetimes).into());
    if let Some(identity) = server.seal(&claims) {
        pages::cookie(server, answer, IDENTITY, &identity, ";HttpOnly");
    }
    let max_age = format!(";Max-Age={}", lifetimes.session_max);
    pages::cookie(server, answer, SESSION, &session.id, &max_age);
}

/// Takes the cookies away.
pub(super) fn forget(server: &Server, answer: &mut Response) {
    pages::cookie(server, answer, IDENTITY, "", "");
    pages::cookie(server, answer, SESSION, "", "");
}
