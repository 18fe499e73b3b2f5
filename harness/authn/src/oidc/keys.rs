//! An issuer's public keys: fetched when a token needs one that is not at hand, kept as long as the server allows.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant, SystemTime},
};

use serde_json::Value;

use super::{
    fetches::Fetches,
    jws::Signed,
    transport::{Response, Transport},
};
use crate::tree::Kind;

/// Keys that expire within this time are fetched again for a token that none of them fits.
const EXPIRY_DELTA: Duration = Duration::from_secs(30);

/// The library guesses a life from the age of a document that says nothing else, up to this.
const HEURISTIC_LIMIT: Duration = Duration::from_secs(24 * 60 * 60);

#[derive(Clone, Default)]
struct Cache {
    keys: Vec<Value>,
    /// When the keys expire; `None` before the first fetch.
    expiry: Option<Instant>,
    /// How often keys were fetched.
    generation: u64,
}

/// A key set at a URL.
pub(super) struct KeySet {
    url: String,
    transport: Transport,
    cache: Mutex<Cache>,
    /// Held while keys are fetched, so that many tokens cause one request.
    fetching: tokio::sync::Mutex<()>,
    /// Where fetches are noted, and for which issuer.
    noted: Option<(String, Arc<Fetches>)>,
}

impl KeySet {
    pub(super) fn new(url: String, transport: Transport) -> Self {
        Self {
            url,
            transport,
            cache: Mutex::default(),
            fetching: tokio::sync::Mutex::default(),
            noted: None,
        }
    }

    /// The same, whose fetches are noted for an issuer.
    pub(super) fn noting(mut self, issuer: &str, fetches: &Arc<Fetches>) -> Self {
        self.noted = Some((issuer.to_owned(), Arc::clone(fetches)));
        self
    }

    /// Verifies a token's signature, with fresh keys if the ones at hand do not fit and are about to expire.
    ///
    /// # Errors
    /// The library's text.
    pub(super) async fn verify(&self, token: &Signed) -> Result<(), String> {
        let failed = || "failed to verify id token signature".to_owned();
        let cache = self.cached();
        if fits(&cache.keys, token) {
            return Ok(());
        }
        let fresh = |expiry: Instant| Instant::now() + EXPIRY_DELTA <= expiry;
        if cache.expiry.is_some_and(fresh) {
            return Err(failed());
        }
        let keys = self
            .refresh(cache.generation)
            .await
            .map_err(|error| format!("fetching keys {error}"))?;
        if fits(&keys, token) {
            Ok(())
        } else {
            Err(failed())
        }
    }

    /// Where the keys are.
    pub(super) fn url(&self) -> &str {
        &self.url
    }

    /// The `kid` of each key that was fetched last.
    pub(super) fn ids(&self) -> Vec<String> {
        let keys = self.cached().keys;
        let id = |key: &Value| key["kid"].as_str().unwrap_or_default().to_owned();
        keys.iter().map(id).collect()
    }

    fn cached(&self) -> Cache {
        self.cache
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// Fetches the keys, unless somebody else did so since that generation.
    async fn refresh(&self, generation: u64) -> Result<Vec<Value>, String> {
        let _alone = self.fetching.lock().await;
        let cache = self.cached();
        if cache.generation != generation {
            return Ok(cache.keys);
        }
        let fetched = self.fetch().await;
        if let Some((issuer, fetches)) = &self.noted {
            let text = fetched.as_ref().ok().map(|(_, _, text)| text.clone());
            fetches.note(issuer, text);
        }
        let (keys, life, _) = fetched?;
        *self.cache.lock().unwrap_or_else(PoisonError::into_inner) = Cache {
            keys: keys.clone(),
            expiry: Some(Instant::now() + life),
            generation: generation + 1,
        };
        Ok(keys)
    }

    async fn fetch(&self) -> Result<(Vec<Value>, Duration, String), String> {
        let response = self
            .transport
            .get(&self.url)
            .await
            .map_err(|error| format!("oidc: get keys failed {error}"))?;
        let body = response.text();
        if !response.ok() {
            return Err(format!(
                "oidc: get keys failed: {} {body}",
                response.status()
            ));
        }
        let keys = parse(&response)
            .map_err(|error| format!("oidc: failed to decode keys: {error} {body}"))?;
        Ok((keys, life(&response), body))
    }
}

fn fits(keys: &[Value], token: &Signed) -> bool {
    keys.iter().any(|key| {
        let id = key["kid"].as_str().unwrap_or_default();
        (token.key_id.is_empty() || token.key_id == id) && token.verified_by(key)
    })
}

fn parse(response: &Response) -> Result<Vec<Value>, String> {
    let document = response.json()?;
    let keys = match (document.get("keys").map(|keys| &keys.kind), &document.kind) {
        (Some(Kind::List(keys)), _) => keys,
        (None | Some(Kind::Null), Kind::Map(_) | Kind::Null) => return Ok(Vec::new()),
        _ => {
            let text = "json: cannot unmarshal value into Go value of type jose.JSONWebKeySet";
            return Err(response.not_json(text));
        }
    };
    let keys: Vec<Value> = keys.iter().map(crate::tree::Node::to_json).collect();
    for key in &keys {
        // One key of an unknown kind makes the whole set unreadable.
        let kind = key["kty"].as_str().unwrap_or_default();
        if !matches!(kind, "EC" | "RSA" | "oct" | "OKP") {
            let text = format!("go-jose/go-jose: unknown json web key type '{kind}'");
            return Err(response.not_json(&text));
        }
    }
    Ok(keys)
}

/// How long an answer may be kept (RFC 9111 section 4.2, as a shared cache).
fn life(response: &Response) -> Duration {
    let control = response.header("cache-control").unwrap_or_default();
    let directive = |name: &str| {
        control.split(',').find_map(|directive| {
            let (key, value) = directive.split_once('=')?;
            let value = value.trim().trim_matches('"').parse::<u64>().ok()?;
            (key.trim().eq_ignore_ascii_case(name)).then(|| Duration::from_secs(value))
        })
    };
    let date = |name: &str| {
        let date = response.header(name)?;
        let date = chrono::DateTime::parse_from_rfc2822(&date).ok()?;
        Some(SystemTime::from(date))
    };
    if let Some(life) = directive("s-maxage").or_else(|| directive("max-age")) {
        return life;
    }
    let now = SystemTime::now();
    if let Some(expires) = date("expires") {
        return expires
            .duration_since(date("date").unwrap_or(now))
            .unwrap_or_default();
    }
    date("last-modified")
        .and_then(|modified| now.duration_since(modified).ok())
        .map_or(Duration::ZERO, |age| (age / 10).min(HEURISTIC_LIMIT))
}
