//! The question whether a client may have what it asks for. Of a device it is always asked, of others where
//! their `consentRequired` says so, until the user has said yes.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Mutex, PoisonError},
};

use axum::response::Response;

use super::{
    authorize::Login, device, login, pages, request::Call, server::Server, sessions::Session,
};

/// What users have granted: scopes by user and client.
#[derive(Default)]
pub(super) struct Granted(Mutex<BTreeMap<(usize, String), BTreeSet<String>>>);

impl Granted {
    fn has(&self, user: usize, client: &str, scope: &str) -> bool {
        let all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let granted = all.get(&(user, client.to_owned()));
        granted.is_some_and(|granted| scope.split(' ').all(|word| granted.contains(word)))
    }

    fn add(&self, user: usize, client: &str, scope: &str) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let granted = all.entry((user, client.to_owned())).or_default();
        granted.extend(scope.split(' ').map(str::to_owned));
    }
}

/// Whether the user is asked before the client gets anything.
pub(super) fn is_due(server: &Server, login: &Login, session: &Session) -> bool {
    let client = server.realm.clients.get(&login.client);
    let asks = client.is_some_and(|client| client.consent);
    let known = || {
        server
            .granted
            .has(session.user, &login.client, &login.scope)
    };
    login.device.is_some() || asks && (login.ask || !known())
}

/// After the login, which `tab` is the name of: sends the browser to the question.
pub(super) fn ask(
    server: &Server,
    tab: &str,
    login: &Login,
    session: Session,
    acr: &'static str,
) -> Response {
    server.logins.update(tab, |kept| {
        kept.again = Some(session.id.clone());
        kept.asked = Some(acr);
    });
    let execution = [("execution", "OAUTH_GRANT")];
    let mut answer = pages::redirect(&login.address(server, "required-action", &execution, tab));
    pages::never_back(&mut answer);
    server.sessions.insert(session);
    answer
}

/// `/login-actions/required-action`: the question.
pub(super) fn question(server: &Server, call: &Call) -> Response {
    match login::open(server, call) {
        Ok((tab, login)) if login.asked.is_some() => {
            let client = server.realm.clients.get(&login.client);
            let name = client.map_or("", |client| match client.name.as_str() {
                "" => &client.id,
                name => name,
            });
            let address = login.address(server, "consent", &[], &tab);
            let path = address.strip_prefix(&server.base).unwrap_or(&address);
            pages::consent(server, path, &login.code, name)
        }
        Ok(_) => login::not_found(server),
        Err(answer) => *answer,
    }
}

/// `/login-actions/consent`: the answer.
pub(super) fn take(server: &Server, call: &Call) -> Response {
    let (tab, login) = match login::open(server, call) {
        Ok(found) => found,
        Err(answer) => return *answer,
    };
    let session = login.again.as_ref();
    let session = session.and_then(|id| server.sessions.get(id, &server.realm.lifetimes));
    let (Some(acr), Some(mut session)) = (login.asked, session) else {
        return login::not_found(server);
    };
    if call.form.text("code") != login.code || !server.logins.remove(&tab) {
        return login::not_found(server);
    }
    let granted = call.form.get("accept").is_some() && call.form.get("cancel").is_none();
    if granted {
        server
            .granted
            .add(session.user, &login.client, &login.scope);
    }
    match &login.device {
        None if granted => login::finish(server, &login, session, acr),
        None => {
            let mut answer = login.refuse(server, "access_denied", None);
            pages::never_back(&mut answer);
            answer
        }
        Some(device) => {
            let mut answer = device::answer(server, device, granted.then_some(&session));
            if granted {
                session.attach(&login.client, acr);
                login::remember(server, &mut answer, &session);
                server.sessions.insert(session);
            }
            answer
        }
    }
}
