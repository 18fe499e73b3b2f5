//! What is expected of a text.

use schemars::JsonSchema;
use serde::Deserialize;

use super::OneOrMany;

/// An expectation about a text: `{ contains: ... }` or `{ is: ... }`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, serde::Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum TextMatch {
    /// The text contains this, or each of these.
    Contains(OneOrMany<String>),
    /// The text is exactly this.
    Is(String),
}

impl TextMatch {
    /// Whether `text` is as expected.
    pub fn holds(&self, text: &str) -> bool {
        match self {
            Self::Contains(parts) => parts.iter().all(|part| text.contains(part.as_str())),
            Self::Is(whole) => text == whole,
        }
    }

    /// For the `expected` column.
    pub fn describe(&self) -> String {
        match self {
            Self::Contains(parts) => {
                let parts: Vec<String> = parts.iter().map(|part| format!("{part:?}")).collect();
                format!("contains {}", parts.join(" and "))
            }
            Self::Is(whole) => whole.clone(),
        }
    }
}
