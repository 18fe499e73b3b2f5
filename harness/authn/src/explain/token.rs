//! A token taken apart for people: header and claims, never its signature.

use serde_json::{Map, Value};

use crate::{golang::base64url, token::untrusted_issuer};

/// What of a token may be shown: its header and its claims.
#[derive(Clone, Debug)]
pub struct Token {
    /// The header, `{}` when it cannot be read.
    pub header: Value,
    /// The text of the payload.
    pub payload: String,
}

/// A text that is no token at all. The text is not repeated: it may be a secret.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TokenError {
    /// Nothing is there.
    #[error("there is no token: the text is empty")]
    Empty,
    /// It has not three parts.
    #[error("this is no JSON Web Token: it has {0} parts between dots, and a token has three")]
    Parts(usize),
    /// A part is no base64url.
    #[error("this is no JSON Web Token: its {0} is not base64url")]
    Encoding(&'static str),
    /// The payload is no JSON object.
    #[error("this is no JSON Web Token: its payload is not a JSON object")]
    Payload,
}

impl Token {
    /// Takes a compact token apart. White space around it does not count.
    ///
    /// # Errors
    /// When the API server would not even look for an authenticator.
    pub fn parse(text: &str) -> Result<Self, TokenError> {
        let text = text.trim();
        if text.is_empty() {
            return Err(TokenError::Empty);
        }
        let parts: Vec<&str> = text.split('.').collect();
        let [header, payload, _] = parts[..] else {
            return Err(TokenError::Parts(parts.len()));
        };
        let decode = |part: &str, name| {
            let bytes = base64url::decode(part).map_err(|_| TokenError::Encoding(name))?;
            Ok(String::from_utf8_lossy(&bytes).into_owned())
        };
        let header = serde_json::from_str(&decode(header, "header")?);
        let payload = decode(payload, "payload")?;
        if untrusted_issuer(&payload).is_err() {
            return Err(TokenError::Payload);
        }
        Ok(Self {
            header: header.unwrap_or_else(|_| Value::Object(Map::new())),
            payload,
        })
    }

    /// The token that a JSON answer holds, by the names that tools give it (an `ExecCredential`'s `status.token`,
    /// `id_token`, `access_token`, `token`); a text that is no JSON is the token itself.
    #[must_use]
    pub fn find(text: &str) -> String {
        let answer: Option<Value> = serde_json::from_str(text).ok();
        let found = answer.as_ref().and_then(|answer| {
            ["/status/token", "/id_token", "/access_token", "/token"]
                .iter()
                .find_map(|path| answer.pointer(path)?.as_str())
        });
        let text = found.unwrap_or(text).trim();
        text.strip_prefix("Bearer ").unwrap_or(text).to_owned()
    }

    /// A member of the header, empty when it is absent or no string.
    #[must_use]
    pub fn header(&self, name: &str) -> &str {
        self.header[name].as_str().unwrap_or_default()
    }

    /// The claims. An access token among them (`_claim_sources`) is a secret and left out.
    #[must_use]
    pub fn claims(&self) -> Value {
        let mut claims = serde_json::from_str(&self.payload).unwrap_or_default();
        hide(&mut claims);
        claims
    }
}

fn hide(value: &mut Value) {
    match value {
        Value::Object(map) => {
            for (key, value) in map {
                if key == "access_token" {
                    *value = Value::from("(not shown)");
                } else {
                    hide(value);
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(hide),
        _ => {}
    }
}
