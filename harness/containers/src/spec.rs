//! What container is wanted.

use std::collections::BTreeMap;

use serde::Deserialize;

/// A container of a lab. Files are seen under the path that they have on this machine.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Spec {
    /// The image's name: `authlab/dex`, or `name@sha256`.
    pub(crate) image: String,
    /// Its tag, or the digits of its digest.
    pub(crate) tag: String,
    /// The container's name; else Docker finds one.
    #[serde(default)]
    pub(crate) name: Option<String>,
    #[serde(default)]
    pub(crate) labels: BTreeMap<String, String>,
    /// A network of Docker's: `host`.
    pub(crate) network: String,
    /// Files and folders that it may only read.
    #[serde(default)]
    pub(crate) read: Vec<String>,
    /// Those that it may write to.
    #[serde(default)]
    pub(crate) write: Vec<String>,
    #[serde(default)]
    pub(crate) environment: BTreeMap<String, String>,
    /// Whom it runs as: `UID:GID`.
    #[serde(default)]
    pub(crate) user: Option<String>,
    #[serde(default)]
    pub(crate) command: Vec<String>,
    /// It is left alone once it has been started, ends by itself, and is removed then.
    #[serde(default)]
    pub(crate) alone: bool,
}

impl Spec {
    pub(crate) fn read(text: &str) -> serde_json::Result<Self> {
        serde_json::from_str(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_that_nobody_knows_is_refused() {
        let text = r#"{"image":"a","tag":"b","network":"host","volumes":[]}"#;
        let error = Spec::read(text).unwrap_err().to_string();
        assert!(error.contains("unknown field `volumes`"), "{error}");
        let text = r#"{"image":"a","tag":"b","network":"host","command":["serve"]}"#;
        let spec = Spec::read(text).unwrap();
        assert!(!spec.alone && spec.command == ["serve"]);
    }
}
