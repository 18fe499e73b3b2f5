//! Tokens that hold claims of others, to be fetched (OpenID Connect Core 1.0 section 5.6.2).

use std::{
    collections::BTreeMap,
    sync::{Mutex, PoisonError},
};

use secrecy::{ExposeSecret as _, SecretString};
use serde_json::{Map, Value, json};

use crate::oidc::random;

/// Claims of every token, which say nothing about who fetches what.
const STANDARD: [&str; 6] = ["iss", "aud", "sub", "iat", "exp", "nbf"];
/// The one source that a token names.
const SOURCE: &str = "forge";

#[derive(Default)]
pub(super) struct Elsewhere {
    kept: Mutex<BTreeMap<String, Kept>>,
}

struct Kept {
    bearer: SecretString,
    token: SecretString,
}

impl Elsewhere {
    /// Keeps a token, which is there for whoever has the bearer token: the members with which another one refers to it.
    pub(super) fn keep(
        &self,
        issuer: &str,
        claims: &Map<String, Value>,
        token: SecretString,
    ) -> Map<String, Value> {
        let [id, bearer] = [(); 2].map(|()| random::identifier());
        let endpoint = format!("{}/claims/{id}", issuer.trim_end_matches('/'));
        let names = claims.keys().map(String::as_str);
        let names = names.filter(|name| !STANDARD.contains(name));
        let names: Map<_, _> = names.map(|name| (name.to_owned(), json!(SOURCE))).collect();
        let source = json!({ SOURCE: { "endpoint": endpoint, "access_token": bearer } });
        let bearer = bearer.into();
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.insert(id, Kept { bearer, token });
        Map::from_iter([
            ("_claim_names".to_owned(), Value::Object(names)),
            ("_claim_sources".to_owned(), source),
        ])
    }

    /// The token of that id, `None` where there is none, or another bearer token belongs to it.
    pub(super) fn token(&self, id: &str, bearer: Option<&str>) -> Option<SecretString> {
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let found = kept.get(id)?;
        (bearer == Some(found.bearer.expose_secret())).then(|| found.token.clone())
    }
}
