//! A signed token in compact form, taken apart with the messages of the server's JOSE library.

use authlab_pki::jws::Compact;
use serde_json::Value;

use crate::{
    golang::{base64url, json, quote::quote},
    tree::{Kind, Node},
};

/// A token taken apart.
pub(super) struct Signed {
    /// The header's `alg`, empty when it has none.
    pub(super) algorithm: String,
    /// The header's `kid`, empty when it has none.
    pub(super) key_id: String,
    /// `None` for a token that no key can verify.
    compact: Option<Compact>,
}

impl Signed {
    /// # Errors
    /// The library's text.
    pub(super) fn parse(token: &str) -> Result<Self, String> {
        let token: String = token.chars().filter(|c| !c.is_whitespace()).collect();
        let parts: Vec<&str> = token.split('.').collect();
        let [header, payload, signature] = parts[..] else {
            return Err("go-jose/go-jose: compact JWS format must have three parts".to_owned());
        };
        let header_bytes = base64url::decode(header)?;
        base64url::decode(payload)?;
        base64url::decode(signature)?;
        let (mut algorithm, mut key_id) = (String::new(), String::new());
        if !header_bytes.is_empty() {
            let text = String::from_utf8_lossy(&header_bytes);
            let header = json::parse(&text)?;
            if !matches!(header.kind, Kind::Map(_) | Kind::Null) {
                let noun = header.noun();
                return Err(format!(
                    "json: cannot unmarshal {noun} into Go value of type jose.rawHeader"
                ));
            }
            algorithm = member(&header, &text, "alg", "algorithm")?;
            key_id = member(&header, &text, "kid", "key ID")?;
            member(&header, &text, "nonce", "nonce")?;
        }
        Ok(Self {
            algorithm,
            key_id,
            compact: Compact::parse(&token).ok(),
        })
    }

    /// Whether a public key made the signature.
    pub(super) fn verified_by(&self, jwk: &Value) -> bool {
        self.compact
            .as_ref()
            .is_some_and(|compact| compact.verify(jwk).is_ok())
    }
}

/// A member of the header that must be a string.
fn member(header: &Node, text: &str, name: &str, what: &str) -> Result<String, String> {
    match header.get(name) {
        None => Ok(String::new()),
        Some(node) => match &node.kind {
            Kind::String(text) => Ok(text.clone()),
            Kind::Null => Ok(String::new()),
            _ => {
                let json = quote(text.get(node.span.start..node.span.end).unwrap_or_default());
                let noun = node.noun();
                Err(format!(
                    "failed to unmarshal {what}: json: cannot unmarshal {noun} into Go value of type string: {json}"
                ))
            }
        },
    }
}
