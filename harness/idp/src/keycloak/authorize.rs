//! The authorization endpoint (`AuthorizationEndpoint` and `AuthorizationEndpointChecker` of Keycloak).

use std::time::{Duration, SystemTime};

use axum::{
    http::{Method, StatusCode},
    response::Response,
};

use super::{
    consent,
    grants::is_verifier,
    issue::Code,
    login,
    pages::{self, Said},
    realm::Client,
    redirect,
    request::Call,
    server::Server,
    sessions::Session,
};
use crate::oidc::{
    pkce::{Challenge, Method as Pkce},
    random,
};

/// A client's request for authorization, while its user logs in.
#[derive(Clone)]
pub(super) struct Login {
    /// The browser, by its cookie; several requests may be open in one.
    pub browser: String,
    /// Proves that a form belongs to the request; changes with every page.
    pub code: String,
    pub client: String,
    pub redirect_uri: String,
    pub state: Option<String>,
    pub scope: String,
    pub nonce: Option<String>,
    pub challenge: Option<Challenge>,
    pub fragment: bool,
    /// The session that the user has to prove anew.
    pub again: Option<String>,
    /// Whether the client wants its user to be asked, whatever was granted before.
    pub ask: bool,
    /// Whether the user has been sent to the question of consent, and with which `acr` then.
    pub asked: Option<&'static str>,
    /// The device that the login is for, instead of a client's address.
    pub device: Option<String>,
}

/// `/auth`.
pub(super) fn serve(server: &Server, call: &Call) -> Response {
    let params = if call.method == Method::POST {
        &call.form
    } else {
        &call.query
    };
    let error = |status, message: &str| pages::error(server, status, message);
    let Some(id) = params.get("client_id") else {
        return error(StatusCode::BAD_REQUEST, "Invalid Request");
    };
    let Some(client) = server.realm.clients.get(id) else {
        return error(StatusCode::BAD_REQUEST, "Client not found.");
    };
    if !client.enabled {
        return error(StatusCode::BAD_REQUEST, "Client disabled.");
    }
    if client.bearer_only {
        let message = "Bearer-only applications are not allowed to initiate browser login";
        return error(StatusCode::FORBIDDEN, message);
    }
    let address = params.text("redirect_uri");
    if !redirect::is_valid(server, client, address) {
        return error(StatusCode::BAD_REQUEST, "Invalid parameter: redirect_uri");
    }
    let owned = |name| params.get(name).map(str::to_owned);
    let kind = params.text("response_type");
    let implicit = kind
        .split(' ')
        .any(|word| matches!(word, "token" | "id_token"));
    let mut login = Login {
        browser: random::uuid(),
        code: random::identifier(),
        client: client.id.clone(),
        redirect_uri: address.to_owned(),
        state: owned("state"),
        scope: params.text("scope").to_owned(),
        nonce: owned("nonce"),
        challenge: None,
        fragment: implicit || params.get("response_mode") == Some("fragment"),
        again: None,
        ask: false,
        asked: None,
        device: None,
    };
    match check(
        server,
        client,
        params.get("response_type"),
        &login.scope,
        &|name| params.get(name),
    ) {
        Ok(challenge) => login.challenge = challenge,
        Err((code, description)) => {
            let mut answer = login.refuse(server, code, description.as_deref());
            pages::never_back(&mut answer);
            return answer;
        }
    }
    let prompt = params.text("prompt").split(' ');
    let (mut silent, mut force) = (false, false);
    for word in prompt {
        silent |= word == "none";
        force |= word == "login";
        login.ask |= word == "consent";
    }
    let session = login::session(server, call);
    let too_old = params
        .get("max_age")
        .and_then(|text| text.parse::<i64>().ok())
        .is_some_and(|age| {
            let since = session.as_ref().and_then(|session| session.auth_time);
            since.is_none_or(|since| since + age < super::server::now())
        });
    begin(server, login, session, silent, force || too_old)
}

type Refused = (&'static str, Option<String>);

/// What a client may ask, after it is known and its address is right.
fn check<'p>(
    server: &Server,
    client: &Client,
    kind: Option<&str>,
    scope: &str,
    param: &dyn Fn(&str) -> Option<&'p str>,
) -> Result<Option<Challenge>, Refused> {
    let invalid = |text: &str| ("invalid_request", Some(text.to_owned()));
    let Some(kind) = kind else {
        return Err(invalid("Missing parameter: response_type"));
    };
    let mut implicit = false;
    for word in kind.split(' ') {
        match word {
            "code" | "none" => {}
            "token" | "id_token" => implicit = true,
            _ => return Err(("unsupported_response_type", None)),
        }
    }
    let off = |flow: &str| {
        let text = "Client is not allowed to initiate browser login with given response_type.";
        (
            "unauthorized_client",
            Some(format!("{text} {flow} flow is disabled for the client.")),
        )
    };
    if kind.split(' ').any(|word| matches!(word, "code" | "none")) && !client.standard_flow {
        return Err(off("Standard"));
    }
    if implicit && !client.implicit_flow {
        return Err(off("Implicit"));
    }
    if kind != "code" {
        let text =
            format!("response_type {kind}: the embedded Keycloak does not have this flow yet");
        return Err(("server_error", Some(text)));
    }
    if param("scope").is_some() && !server.realm.allows(client, scope) {
        return Err(("invalid_scope", Some(format!("Invalid scopes: {scope}"))));
    }
    challenge(
        client,
        param("code_challenge"),
        param("code_challenge_method"),
    )
    .map_err(|text| ("invalid_request", Some(text.to_owned())))
}

/// The challenge of a request, which some clients must have.
pub(super) fn challenge(
    client: &Client,
    value: Option<&str>,
    method: Option<&str>,
) -> Result<Option<Challenge>, &'static str> {
    let wanted = client.attribute("pkce.code.challenge.method");
    match (wanted, method) {
        (Some(_), None) => return Err("Missing parameter: code_challenge_method"),
        (Some(wanted), Some(method)) if wanted != method => {
            return Err(
                "Invalid parameter: code challenge method is not matching the configured one",
            );
        }
        _ => {}
    }
    let Some(value) = value else {
        return match wanted.or(method) {
            Some(_) => Err("Missing parameter: code_challenge"),
            None => Ok(None),
        };
    };
    let method = Pkce::from_name(method.unwrap_or("plain"))
        .ok_or("Invalid parameter: code_challenge_method")?;
    if !is_verifier(value) {
        return Err("Invalid parameter: code_challenge");
    }
    Ok(Some(Challenge {
        method,
        value: value.to_owned(),
    }))
}

/// Goes on with the session of the browser, or shows the form.
fn begin(
    server: &Server,
    mut login: Login,
    session: Option<Session>,
    silent: bool,
    force: bool,
) -> Response {
    let browser = login.browser.clone();
    let mut answer = match session {
        Some(session) if !force && !consent::is_due(server, &login, &session) => {
            login::finish(server, &login, session, "0")
        }
        Some(_) if !force && silent => login.refuse(server, "interaction_required", None),
        Some(session) if !force => {
            let tab = keep(server, login.clone());
            consent::ask(server, &tab, &login, session, "0")
        }
        _ if silent => login.refuse(server, "login_required", None),
        session => {
            let said = if session.is_some() {
                Said::Again
            } else {
                Said::Nothing
            };
            login.again = session.map(|session| session.id);
            let tab = keep(server, login.clone());
            pages::login(server, &login.action(server, &tab), said)
        }
    };
    pages::never_back(&mut answer);
    pages::auth_cookies(server, &mut answer, &browser);
    answer
}

/// Keeps a login under a new name while its user is at its pages.
fn keep(server: &Server, login: Login) -> String {
    let tab = random::identifier();
    let lifetime = u64::try_from(server.realm.lifetimes.login).unwrap_or_default();
    let expiry = SystemTime::now() + Duration::from_secs(lifetime);
    server.logins.insert(tab.clone(), expiry, login);
    tab
}

impl Login {
    /// A login for a device.
    pub(super) fn of_device(device: String, client: String, scope: String) -> Self {
        Self {
            browser: random::uuid(),
            code: random::identifier(),
            client,
            redirect_uri: String::new(),
            state: None,
            scope,
            nonce: None,
            challenge: None,
            fragment: false,
            again: None,
            ask: false,
            asked: None,
            device: Some(device),
        }
    }

    /// Where the form of a page is sent to.
    pub(super) fn action(&self, server: &Server, tab: &str) -> String {
        let execution = random::uuid();
        let proof = [
            ("session_code", self.code.as_str()),
            ("execution", &execution),
        ];
        self.address(server, "authenticate", &proof, tab)
    }

    /// The address of a step of the login.
    pub(super) fn address(
        &self,
        server: &Server,
        step: &str,
        more: &[(&str, &str)],
        tab: &str,
    ) -> String {
        let query = url::form_urlencoded::Serializer::new(String::new())
            .extend_pairs(more)
            .extend_pairs([
                ("client_id", self.client.as_str()),
                ("tab_id", tab),
                ("client_data", "e30"),
            ])
            .finish();
        format!("{}/login-actions/{step}?{query}", server.issuer)
    }

    /// Back to the client, with an error.
    pub(super) fn refuse(
        &self,
        server: &Server,
        code: &str,
        description: Option<&str>,
    ) -> Response {
        let mut pairs = vec![("error", code)];
        pairs.extend(description.map(|text| ("error_description", text)));
        pairs.extend(self.state.as_deref().map(|state| ("state", state)));
        pairs.push(("iss", &server.issuer));
        self.back(&pairs)
    }

    /// Back to the client, with a code for the session.
    pub(super) fn succeed(&self, server: &Server, session: &str) -> Response {
        let name = format!("{}.{session}.{}", random::uuid(), random::uuid());
        let code = Code {
            client: self.client.clone(),
            session: session.to_owned(),
            redirect_uri: self.redirect_uri.clone(),
            scope: self.scope.clone(),
            nonce: self.nonce.clone(),
            challenge: self.challenge.clone(),
            used: false,
        };
        let lifetime = u64::try_from(server.realm.lifetimes.code).unwrap_or_default();
        server.codes.insert(
            name.clone(),
            SystemTime::now() + Duration::from_secs(lifetime),
            code,
        );
        let mut pairs: Vec<_> = self
            .state
            .as_deref()
            .map(|state| ("state", state))
            .into_iter()
            .collect();
        pairs.extend([
            ("session_state", session),
            ("iss", &server.issuer),
            ("code", &name),
        ]);
        self.back(&pairs)
    }

    fn back(&self, pairs: &[(&str, &str)]) -> Response {
        let added = url::form_urlencoded::Serializer::new(String::new())
            .extend_pairs(pairs)
            .finish();
        let address = if self.fragment {
            let base = self.redirect_uri.split('#').next().unwrap_or_default();
            format!("{base}#{added}")
        } else {
            let (base, fragment) = match self.redirect_uri.split_once('#') {
                Some((base, fragment)) => (base, format!("#{fragment}")),
                None => (self.redirect_uri.as_str(), String::new()),
            };
            let separator = if base.contains('?') { '&' } else { '?' };
            format!("{base}{separator}{added}{fragment}")
        };
        pages::redirect(&address)
    }
}
