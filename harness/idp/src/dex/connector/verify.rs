//! Tokens of another provider: whether its keys signed them, and whether they are for here and now (the OIDC library
//! of Dex, in its order and words).

use std::{
    sync::{Mutex, PoisonError},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use authlab_pki::jws::Compact;
use reqwest::Client;
use serde_json::{Map, Value};

use super::http;
use crate::dex::go::quote::{quote, quote_all};

/// How far a token's `nbf` may lie ahead.
const LEEWAY: Duration = Duration::from_secs(300);

/// The provider's tokens, to who knows where its keys are.
pub(super) struct Verifier {
    pub issuer: String,
    pub algorithms: Vec<String>,
    pub keys: RemoteKeys,
}

/// A key set at an address, fetched when no key at hand fits.
pub(super) struct RemoteKeys {
    url: String,
    client: Client,
    known: Mutex<Vec<Value>>,
}

impl RemoteKeys {
    pub(super) fn new(url: String, client: Client) -> Self {
        Self {
            url,
            client,
            known: Mutex::default(),
        }
    }

    async fn verify(&self, token: &Compact) -> Result<(), String> {
        if fits(&self.lock(), token) {
            return Ok(());
        }
        let keys = self
            .fetch()
            .await
            .map_err(|error| format!("fetching keys {error}"))?;
        let fits = fits(&keys, token);
        *self.lock() = keys;
        match fits {
            true => Ok(()),
            false => Err("failed to verify id token signature".to_owned()),
        }
    }

    async fn fetch(&self) -> Result<Vec<Value>, String> {
        #[derive(serde::Deserialize)]
        struct KeySet {
            #[serde(default)]
            keys: Vec<Value>,
        }
        let answer = http::get(&self.client, &self.url, None)
            .await
            .map_err(|error| format!("oidc: get keys failed {error}"))?;
        if !answer.is_ok() {
            let (status, body) = (answer.status(), &answer.body);
            return Err(format!("oidc: get keys failed: {status} {body}"));
        }
        let set: KeySet = answer
            .json()
            .map_err(|error| format!("oidc: failed to decode keys: {error} {}", answer.body))?;
        Ok(set.keys)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<Value>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn fits(keys: &[Value], token: &Compact) -> bool {
    let wanted = token.kid().unwrap_or_default();
    keys.iter().any(|key| {
        let name = key.get("kid").and_then(Value::as_str).unwrap_or_default();
        (wanted.is_empty() || wanted == name) && token.verify(key).is_ok()
    })
}

impl Verifier {
    /// The claims of a token; `audience` is whom it must be for, if that matters.
    ///
    /// # Errors
    /// In the library's words.
    pub(super) async fn verify(
        &self,
        token: &str,
        audience: Option<&str>,
    ) -> Result<Map<String, Value>, String> {
        let token: String = token.split_whitespace().collect();
        let malformed = |reason: String| format!("oidc: malformed jwt: {reason}");
        if token.split('.').count() != 3 {
            return Err(malformed(
                "go-jose/go-jose: compact JWS format must have three parts".to_owned(),
            ));
        }
        let token = Compact::parse(&token).map_err(|error| malformed(error.to_string()))?;
        let algorithm = token.header.get("alg").and_then(Value::as_str);
        let algorithm = algorithm.unwrap_or_default();
        if !self.algorithms.iter().any(|known| known == algorithm) {
            return Err(malformed(format!(
                "unexpected signature algorithm {}; expected {}",
                quote(algorithm),
                quote_all(&self.algorithms)
            )));
        }
        let unverified = |reason| format!("failed to verify signature: {reason}");
        self.keys.verify(&token).await.map_err(unverified)?;
        let claims = serde_json::from_slice(&token.payload)
            .map_err(|error| format!("oidc: failed to unmarshal claims: {error}"))?;
        self.check(&claims, audience)?;
        Ok(claims)
    }

    fn check(&self, claims: &Map<String, Value>, audience: Option<&str>) -> Result<(), String> {
        let issuer = claims
            .get("iss")
            .and_then(Value::as_str)
            .unwrap_or_default();
        if issuer != self.issuer {
            return Err(format!(
                "oidc: id token issued by a different provider, expected {} got {}",
                quote(&self.issuer),
                quote(issuer)
            ));
        }
        let audiences: Vec<&str> = match claims.get("aud") {
            Some(Value::String(one)) => vec![one],
            Some(Value::Array(many)) => many.iter().filter_map(Value::as_str).collect(),
            _ => Vec::new(),
        };
        match audience {
            Some("") => {
                let reason = "clientID must be provided or SkipClientIDCheck must be set";
                return Err(format!("oidc: invalid configuration, {reason}"));
            }
            Some(wanted) if !audiences.contains(&wanted) => {
                return Err(format!(
                    "oidc: expected audience {} got {}",
                    quote(wanted),
                    quote_all(&audiences)
                ));
            }
            _ => {}
        }
        let now = SystemTime::now();
        let time = |name| claims.get(name).and_then(Value::as_f64).map(moment);
        match time("exp") {
            Some(expiry) if expiry >= now => {}
            expiry => {
                let expiry = expiry.map_or("0001-01-01 00:00:00 +0000 UTC".to_owned(), shown);
                return Err(format!("oidc: token is expired (Token Expiry: {expiry})"));
            }
        }
        match time("nbf").filter(|start| now + LEEWAY < *start) {
            Some(start) => Err(format!(
                "oidc: current time {} before the nbf (not before) time: {}",
                shown(now),
                shown(start)
            )),
            None => Ok(()),
        }
    }
}

/// The moment so many seconds after the beginning of 1970.
fn moment(seconds: f64) -> SystemTime {
    let after = Duration::try_from_secs_f64(seconds).unwrap_or_default();
    UNIX_EPOCH.checked_add(after).unwrap_or(UNIX_EPOCH)
}

/// A time as Go prints it.
fn shown(time: SystemTime) -> String {
    let time = chrono::DateTime::<chrono::Utc>::from(time);
    time.format("%Y-%m-%d %H:%M:%S +0000 UTC").to_string()
}
