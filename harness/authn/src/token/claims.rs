//! The claims of a token one by one.

use crate::{
    golang::{
        decode::{self, Options, Struct, Type},
        json,
    },
    tree::{Entry, Kind, Node, Span},
};

/// The issuer that a payload names, before anything is verified.
///
/// # Errors
/// The server's text, when it cannot be read.
pub(crate) fn untrusted_issuer(payload: &str) -> Result<String, String> {
    static ISSUER: Struct = Struct {
        package: "",
        name: "",
        fields: &[("iss", Type::String("string"))],
        embedded: &[],
    };
    let unreadable = |error: String| format!("while unmarshaling token: {error}");
    let node = json::parse(payload).map_err(unreadable)?;
    let found = decode::decode(&node, Type::Struct(&ISSUER), Options::plain(payload))
        .map_err(unreadable)?;
    let issuer = found.value.get("iss").and_then(|issuer| issuer.as_str());
    // Google's tokens name their issuer in two ways.
    Ok(match issuer.unwrap_or_default() {
        "accounts.google.com" => "https://accounts.google.com".to_owned(),
        issuer => issuer.to_owned(),
    })
}

/// The claims of a payload, by exact name; the last of equal ones counts.
#[derive(Debug)]
pub(super) struct Claims {
    node: Node,
}

impl Claims {
    /// The payload must be an object, as [`untrusted_issuer`] has seen to.
    pub(super) fn new(node: Node) -> Self {
        Self { node }
    }

    pub(super) fn get(&self, name: &str) -> Option<&Node> {
        self.node.get(name)
    }

    /// Adds a claim that came from elsewhere.
    pub(super) fn add(&mut self, name: &str, value: Node) {
        if let Kind::Map(entries) = &mut self.node.kind {
            entries.push(Entry {
                key: name.to_owned(),
                key_span: Span::default(),
                value,
            });
        }
    }

    /// The claim, `null` being an empty string.
    ///
    /// # Errors
    /// When it is absent or nothing of the kind.
    pub(super) fn string(&self, name: &str) -> Result<String, String> {
        let value = self.require(name, Type::String("string"))?;
        Ok(value.as_str().unwrap_or_default().to_owned())
    }

    /// The claim, `null` being false.
    ///
    /// # Errors
    /// As [`Claims::string`].
    pub(super) fn bool(&self, name: &str) -> Result<bool, String> {
        Ok(self
            .require(name, Type::Bool)?
            .as_bool()
            .unwrap_or_default())
    }

    /// The claim as a list, a single string being one item and `null` none.
    ///
    /// # Errors
    /// As [`Claims::string`]; the text is that for a string.
    pub(super) fn strings(&self, name: &str) -> Result<Vec<String>, String> {
        const LIST: Type = Type::List(&Type::String("string"));
        if let Ok(list) = self.require(name, LIST) {
            let items = list.as_array().into_iter().flatten();
            return Ok(items
                .map(|item| item.as_str().unwrap_or_default().to_owned())
                .collect());
        }
        Ok(vec![self.string(name)?])
    }

    /// All claims as a JSON object.
    pub(super) fn to_json(&self) -> serde_json::Value {
        self.node.to_json()
    }

    fn require(&self, name: &str, ty: Type) -> Result<serde_json::Value, String> {
        let node = self.get(name).ok_or("claim not present")?;
        decode::decode(node, ty, Options::plain("")).map(|decoded| decoded.value)
    }
}
