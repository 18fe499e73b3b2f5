//! YAML as the API machinery reads it: YAML 1.1 through a fork of libyaml, turned into JSON (`sigs.k8s.io/yaml`).
//!
//! No YAML crate accepts the same texts with the same meaning (`yes` is true, `1_000` a number, `010` eight) and none
//! words its errors so; the server's answers to a broken file are its reader's own. So the reader is ours. It was
//! compared with the real one on many thousands of mutated files. Only the first document of a stream is read, as
//! there.

mod block;
mod build;
mod convert;
mod cursor;
mod directive;
mod flow;
mod gofmt;
mod parser;
mod resolve;
mod scalar;
mod scanner;
mod token;

#[cfg(test)]
mod tests;

use serde_json::Value;

use crate::tree::Node;

/// A text that is not YAML, or is YAML that JSON cannot hold, in the real reader's words: `yaml: line 3: ...`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Error {
    message: String,
    line: Option<usize>,
}

impl Error {
    fn new(message: String, line: Option<usize>) -> Self {
        Self { message, line }
    }

    /// The line it names, counted from 1, if it names one.
    #[must_use]
    pub fn line(&self) -> Option<usize> {
        self.line
    }
}

/// The first document as JSON. An empty text is null. The last of equal keys counts.
///
/// # Errors
/// As `yaml.Unmarshal` of `sigs.k8s.io/yaml` words it: `error converting YAML to JSON: yaml: line N: ...`.
pub fn parse(text: &str) -> Result<Value, Error> {
    match parse_spanned(text) {
        Ok(node) => Ok(node.to_json()),
        Err(error) => Err(Error {
            message: format!("error converting YAML to JSON: {error}"),
            ..error
        }),
    }
}

/// The first document as a tree with positions; the keys of each map are sorted, as JSON made from it has them.
///
/// # Errors
/// As `YAMLToJSON` words it: `yaml: line N: ...`.
pub fn parse_spanned(text: &str) -> Result<Node, Error> {
    let document = parser::parse(text)?;
    convert::convert(&build::build(&document, false)?)
}

/// What reading strictly adds: the error that lists the keys given twice, if there are any.
///
/// # Errors
/// As [`parse_spanned`].
pub fn duplicate_keys(text: &str) -> Result<Option<Error>, Error> {
    let document = parser::parse(text)?;
    match build::build(&document, true) {
        Ok(_) => Ok(None),
        Err(error) => Ok(Some(error)),
    }
}
