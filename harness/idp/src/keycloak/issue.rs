//! Tokens for somebody who is logged in.

use axum::{
    http::StatusCode,
    response::{IntoResponse as _, Response},
};
use serde_json::Map;

use super::{
    claims::Claims,
    mappers::{Subject, Target},
    realm::{Client, Role},
    request::{bad, refuse},
    server::{Server, now},
    sessions::Session,
};
use crate::oidc::{hash, pkce::Challenge, random};

/// What an authorization code stands for.
#[derive(Clone)]
pub(super) struct Code {
    pub client: String,
    pub session: String,
    pub redirect_uri: String,
    pub scope: String,
    pub nonce: Option<String>,
    pub challenge: Option<Challenge>,
    /// Redeemed codes are remembered, for redeeming one again ends the client's session.
    pub used: bool,
}

/// A grant about to be answered with tokens.
pub(super) struct Grant<'s> {
    pub client: &'s Client,
    /// Two letters that name the grant in the access token's `jti`.
    pub kind: &'s str,
    pub scope: &'s str,
    pub nonce: Option<String>,
    /// The claims that a refresh token of this chain passes on: its scope, its `reuse_id`.
    pub refresh_scope: Option<&'s str>,
    pub reuse_id: Option<&'s str>,
    /// The peer, for a service account: such a session is not kept, and there is no refresh token.
    pub transient: Option<&'s str>,
    /// What else an exchange of tokens asks for.
    pub exchange: Option<&'s Exchange<'s>>,
}

/// A token in exchange for another (RFC 8693 section 2.1).
pub(super) struct Exchange<'s> {
    pub wanted: Wanted,
    /// What of its audience the token may keep; all of it where nothing was asked for.
    pub audience: &'s [&'s str],
    /// Whether the other one belongs to no session.
    pub transient: bool,
}

/// The kind of token that is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wanted {
    Access,
    Id,
    Refresh,
}

impl Wanted {
    /// Its name (RFC 8693 section 3).
    fn name(self) -> &'static str {
        match self {
            Self::Access => "urn:ietf:params:oauth:token-type:access_token",
            Self::Id => "urn:ietf:params:oauth:token-type:id_token",
            Self::Refresh => "urn:ietf:params:oauth:token-type:refresh_token",
        }
    }
}

impl Grant<'_> {
    /// Whether the tokens belong to no session.
    fn is_transient(&self) -> bool {
        self.transient.is_some() || self.exchange.is_some_and(|exchange| exchange.transient)
    }

    /// Whether the session remembers the grant, and a refresh token goes on with it.
    fn is_kept(&self) -> bool {
        let wanted = self
            .exchange
            .map_or(Wanted::Refresh, |exchange| exchange.wanted);
        !self.is_transient() && wanted == Wanted::Refresh
    }
}

/// Whether the scope asks for a session that outlives the login.
fn wants_offline(server: &Server, client: &Client, scope: &str) -> bool {
    let scopes = server.realm.scopes_of(client, scope);
    scopes.iter().any(|scope| scope.name == "offline_access")
}

/// The names of the scopes granted; all of them, or those that the token tells.
fn scope_text(subject: &Subject, openid: bool, all: bool) -> String {
    let named = subject
        .scopes
        .iter()
        .filter(|scope| !scope.name.is_empty() && (all || scope.named));
    let openid = openid.then_some("openid");
    openid
        .into_iter()
        .chain(named.map(|scope| scope.name.as_str()))
        .collect::<Vec<_>>()
        .join(" ")
}

/// Answers a grant for a session, which is kept unless it is transient.
pub(super) fn tokens(server: &Server, mut session: Session, grant: &Grant) -> Response {
    let realm = &server.realm;
    let client = grant.client;
    let Some(user) = realm.users.get(session.user) else {
        return bad("invalid_grant", "User not found");
    };
    let subject = Subject {
        realm,
        client,
        user,
        scopes: realm.scopes_of(client, grant.scope),
        session: (!grant.is_transient()).then_some(session.id.as_str()),
        acr: session
            .clients
            .get(&client.id)
            .map_or("1", |client| client.acr),
        auth_time: session.auth_time,
        peer: grant.transient,
    };
    let offline = grant.is_kept() && wants_offline(server, client, grant.scope);
    let role = Role::of_realm("offline_access");
    if offline
        && !realm
            .roles_for(user, client, &subject.scopes)
            .contains(&role)
    {
        return bad(
            "not_allowed",
            "Offline tokens not allowed for the user or client",
        );
    }
    let kept = match (grant.is_transient(), grant.is_kept(), offline) {
        (true, ..) => "tr",
        (_, false, _) if session.offline => "ft",
        (_, false, _) => "nt",
        (.., true) => "of",
        (.., false) => "on",
    };
    let openid = grant.scope.split(' ').any(|word| word == "openid");
    let scope = scope_text(&subject, openid, false);
    let issued = now();
    let lifespan = client
        .attribute("access.token.lifespan")
        .and_then(|text| text.trim().parse().ok());
    let expiry = issued + lifespan.unwrap_or(realm.lifetimes.access);
    let expiry = session
        .end(&realm.lifetimes)
        .map_or(expiry, |end| expiry.min(end));
    let mut access = begin(
        server,
        &format!("{kept}rt{}:{}", grant.kind, random::uuid()),
        issued,
    );
    access.set("exp", expiry);
    access.set("typ", "Bearer");
    access.set("azp", client.id.as_str());
    access.set("scope", scope.as_str());
    if let Some(session) = subject.session {
        access.set("sid", session);
    } else {
        access.set("sub", user.id.as_str());
    }
    subject.map(&mut access, Target::Access);
    if let Some(exchange) = grant
        .exchange
        .filter(|exchange| !exchange.audience.is_empty())
    {
        access.restrict(exchange.audience);
        let missing = access.lacks(exchange.audience);
        if !missing.is_empty() {
            let description = format!("Requested audience not available: {}", missing.join(", "));
            return bad("invalid_request", &description);
        }
    }
    let Some(access) = server.sign(&access.finish()) else {
        return failed();
    };

    let mut answer = Map::new();
    answer.insert("expires_in".to_owned(), (expiry - issued).into());
    answer.insert("refresh_expires_in".to_owned(), 0.into());
    answer.insert("token_type".to_owned(), "Bearer".into());
    answer.insert("not-before-policy".to_owned(), 0.into());
    answer.insert("scope".to_owned(), scope.into());
    let wanted = grant.exchange.map(|exchange| exchange.wanted);
    let mut id_token = None;
    if openid || wanted == Some(Wanted::Id) {
        let mut id = begin(server, &random::uuid(), issued);
        id.add_audience(&client.id);
        id.set("exp", expiry);
        id.set("sub", user.id.as_str());
        id.set("typ", "ID");
        id.set("azp", client.id.as_str());
        if wanted != Some(Wanted::Id) {
            id.set("at_hash", hash::left_half(&access));
        }
        if let Some(session) = subject.session {
            id.set("sid", session);
        }
        if let Some(nonce) = &grant.nonce {
            id.set("nonce", nonce.as_str());
        }
        subject.map(&mut id, Target::Id);
        id_token = server.sign(&id.finish());
    }
    match (wanted, id_token) {
        // The one that is asked for stands where clients look for tokens (RFC 8693 section 2.2.1).
        (Some(Wanted::Id), Some(id)) => {
            answer.insert("access_token".to_owned(), id.into());
            answer.insert("token_type".to_owned(), "N_A".into());
        }
        (_, id) => {
            answer.insert("access_token".to_owned(), access.into());
            answer.extend(id.map(|id| ("id_token".to_owned(), id.into())));
        }
    }
    if let Some(wanted) = wanted {
        answer.insert("issued_token_type".to_owned(), wanted.name().into());
    }
    if let Some(id) = subject.session {
        answer.insert("session_state".to_owned(), id.into());
    }
    if grant.is_kept() {
        let all = scope_text(&subject, openid, true);
        session.refreshed = issued;
        session.offline |= offline;
        let Some(token) = refresh_token(server, &session, grant, &user.id, all) else {
            return failed();
        };
        if let Some(expiry) = session.refresh_expiry(&realm.lifetimes, issued) {
            answer.insert("refresh_expires_in".to_owned(), (expiry - issued).into());
        }
        answer.insert("refresh_token".to_owned(), token.into());
        server.sessions.insert(session);
    }
    axum::Json(answer).into_response()
}

fn begin(server: &Server, id: &str, issued: i64) -> Claims {
    let mut claims = Claims::default();
    claims.set("iat", issued);
    claims.set("jti", id);
    claims.set("iss", server.issuer.as_str());
    claims
}

fn refresh_token(
    server: &Server,
    session: &Session,
    grant: &Grant,
    user: &str,
    all: String,
) -> Option<String> {
    let mut claims = begin(server, &random::uuid(), session.refreshed);
    if let Some(expiry) = session.refresh_expiry(&server.realm.lifetimes, session.refreshed) {
        claims.set("exp", expiry);
    }
    claims.add_audience(&server.issuer);
    claims.set("sub", user);
    claims.set(
        "typ",
        if session.offline {
            "Offline"
        } else {
            "Refresh"
        },
    );
    claims.set("azp", grant.client.id.as_str());
    claims.set("sid", session.id.as_str());
    claims.set("scope", grant.refresh_scope.map_or(all, str::to_owned));
    if server.realm.revoke_refresh.is_some() {
        claims.set(
            "reuse_id",
            grant.reuse_id.map_or_else(random::uuid, str::to_owned),
        );
    }
    server.seal(&claims.finish())
}

fn failed() -> Response {
    refuse(
        StatusCode::INTERNAL_SERVER_ERROR,
        "unknown_error",
        "For more on this error consult the server log.",
    )
}
