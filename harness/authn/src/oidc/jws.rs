//! A signed token in compact form, taken apart with the messages of the server's JOSE library.

use authlab_pki::jws::Compact;
use serde_json::{Map, Value};

use super::header;
use crate::{
    golang::{base64url, json, quote::quote_byte},
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
        let payload = base64url::decode(payload)?;
        let signature = base64url::decode(signature)?;
        let (text, header) = read(&header_bytes)?;
        header::check(&header, &text)?;
        let member = |name: &str| match header.get(name).map(|node| &node.kind) {
            Some(Kind::String(text)) => text.clone(),
            _ => String::new(),
        };
        let algorithm = member("alg");
        let compact = understood(&header).then(|| Compact {
            header: Map::from_iter([("alg".to_owned(), Value::from(algorithm.as_str()))]),
            header_raw: text,
            signing_input: signing_input(&header, &header_bytes, &payload),
            payload,
            signature,
        });
        Ok(Self {
            algorithm,
            key_id: member("kid"),
            compact,
        })
    }

    /// Whether a public key made the signature.
    pub(super) fn verified_by(&self, jwk: &Value) -> bool {
        self.compact
            .as_ref()
            .is_some_and(|compact| compact.verify(jwk).is_ok())
    }
}

/// The header as text and as a tree; what is not UTF-8 is replaced. An empty header is as good as `null`.
fn read(bytes: &[u8]) -> Result<(String, Node), String> {
    let text = match bytes {
        [] => "null".to_owned(),
        _ => String::from_utf8_lossy(bytes).into_owned(),
    };
    if let Some(first) = bytes.trim_ascii_start().first()
        && !first.is_ascii()
    {
        let byte = quote_byte(*first);
        return Err(format!(
            "invalid character {byte} looking for beginning of value"
        ));
    }
    let header = json::parse(&text)?;
    if matches!(header.kind, Kind::Map(_) | Kind::Null) {
        return Ok((text, header));
    }
    let noun = header.noun();
    Err(format!(
        "json: cannot unmarshal {noun} into Go value of type jose.rawHeader"
    ))
}

/// Whether `crit` names nothing but `b64` (RFC 7515 section 4.1.11).
fn understood(header: &Node) -> bool {
    match header.get("crit").map(|node| &node.kind) {
        None | Some(Kind::Null) => true,
        Some(Kind::List(names)) => names
            .iter()
            .all(|name| matches!(&name.kind, Kind::String(name) if name == "b64")),
        Some(_) => false,
    }
}

/// What was signed: the decoded parts in base64url again, whatever spelling they came in, and the payload as it is
/// where the header says so (RFC 7797).
fn signing_input(header: &Node, header_bytes: &[u8], payload: &[u8]) -> String {
    let encoded = base64url::encode(header_bytes);
    match header.get("b64").map(|node| &node.kind) {
        Some(Kind::Bool(false)) => format!("{encoded}.{}", String::from_utf8_lossy(payload)),
        _ => format!("{encoded}.{}", base64url::encode(payload)),
    }
}
