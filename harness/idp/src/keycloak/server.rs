//! A running Keycloak: its realm and what it remembers.

use std::{
    collections::HashSet,
    sync::{Mutex, PoisonError},
    time::{SystemTime, UNIX_EPOCH},
};

use authlab_pki::jws;
use aws_lc_rs::hmac;
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::{Map, Value};

use super::{
    authorize::Login, consent::Granted, device::Device, issue::Code, realm::Realm,
    sessions::Sessions,
};
use crate::oidc::{keys::KeyRing, random, table::Table};

pub(super) struct Server {
    /// Without a slash at its end.
    pub base: String,
    pub issuer: String,
    pub realm: Realm,
    pub keys: KeyRing,
    pub sessions: Sessions,
    pub logins: Table<Login>,
    pub codes: Table<Code>,
    pub devices: Table<Device>,
    /// Devices' names by the codes that people type.
    pub user_codes: Table<String>,
    pub granted: Granted,
    /// Questions whether to log out.
    pub logouts: Table<()>,
    /// Tokens that were revoked one by one.
    revoked: Mutex<HashSet<String>>,
    /// For tokens that only this server reads.
    secret: hmac::Key,
    secret_name: String,
}

impl Server {
    pub(super) fn new(base: String, realm: Realm, keys: KeyRing) -> Self {
        Self {
            issuer: format!("{base}/realms/{}", realm.name),
            base,
            realm,
            keys,
            sessions: Sessions::default(),
            logins: Table::new(),
            codes: Table::new(),
            devices: Table::new(),
            user_codes: Table::new(),
            granted: Granted::default(),
            logouts: Table::new(),
            revoked: Mutex::default(),
            secret: hmac::Key::new(hmac::HMAC_SHA512, &random::bytes::<64>()),
            secret_name: random::uuid(),
        }
    }

    /// The URL of a protocol endpoint.
    pub(super) fn endpoint(&self, name: &str) -> String {
        format!("{}/protocol/openid-connect/{name}", self.issuer)
    }

    /// A token for relying parties.
    pub(super) fn sign(&self, claims: &Map<String, Value>) -> Option<String> {
        let payload = serde_json::to_vec(claims).ok()?;
        let token = self.keys.sign_jwt(&payload).ok()?;
        Some(token.expose_secret().to_owned())
    }

    /// A token for this server.
    pub(super) fn seal(&self, claims: &Map<String, Value>) -> Option<String> {
        let payload = serde_json::to_vec(claims).ok()?;
        let header: Map<_, _> = [("alg", "HS512"), ("typ", "JWT"), ("kid", &self.secret_name)]
            .into_iter()
            .map(|(name, value)| (name.to_owned(), value.into()))
            .collect();
        let input = jws::signing_input(&header, &payload);
        let tag = hmac::sign(&self.secret, input.as_bytes());
        Some(jws::assemble(&input, tag.as_ref()))
    }

    /// The claims of a token that this server signed in either way and that is neither expired nor revoked.
    pub(super) fn verify(&self, token: &str) -> Result<Map<String, Value>, Unverified> {
        let claims = self.read(token).ok_or(Unverified::Foreign)?;
        let text = |name| claims.get(name).and_then(Value::as_str).unwrap_or_default();
        if text("iss") != self.issuer || self.is_revoked(text("jti")) {
            return Err(Unverified::Foreign);
        }
        match claims.get("exp").and_then(Value::as_i64) {
            Some(expiry) if expiry <= now() => Err(Unverified::Expired),
            _ => Ok(claims),
        }
    }

    fn read(&self, token: &str) -> Option<Map<String, Value>> {
        let compact = jws::Compact::parse(token).ok()?;
        let payload = match compact.header.get("alg").and_then(Value::as_str) {
            Some("HS512") => {
                let input = compact.signing_input.as_bytes();
                hmac::verify(&self.secret, input, &compact.signature).ok()?;
                compact.payload
            }
            _ => self.keys.verify(token)?,
        };
        serde_json::from_slice(&payload).ok()
    }

    pub(super) fn revoke(&self, id: &str) {
        let mut revoked = self.revoked.lock().unwrap_or_else(PoisonError::into_inner);
        revoked.insert(id.to_owned());
    }

    fn is_revoked(&self, id: &str) -> bool {
        let revoked = self.revoked.lock().unwrap_or_else(PoisonError::into_inner);
        revoked.contains(id)
    }
}

/// Why a token says nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unverified {
    /// Not a token of this realm, or revoked.
    Foreign,
    /// It was one.
    Expired,
}

/// Seconds since 1970.
pub(super) fn now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |since| {
        i64::try_from(since.as_secs()).unwrap_or(i64::MAX)
    })
}

/// Whether two secrets are the same, in a time that does not tell how far.
pub(super) fn same(one: &SecretString, other: &str) -> bool {
    aws_lc_rs::constant_time::verify_slices_are_equal(
        one.expose_secret().as_bytes(),
        other.as_bytes(),
    )
    .is_ok()
}
