//! The tokens of a YAML stream, and the problems that end it.

use super::{Error, cursor::Mark};

/// A token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    StreamEnd,
    Version { major: u8, minor: u8 },
    TagDirective { handle: String, prefix: String },
    DocumentStart,
    DocumentEnd,
    BlockSequenceStart,
    BlockMappingStart,
    BlockEnd,
    FlowSequenceStart,
    FlowSequenceEnd,
    FlowMappingStart,
    FlowMappingEnd,
    BlockEntry,
    FlowEntry,
    Key,
    Value,
    Alias(String),
    Anchor(String),
    Tag { handle: String, suffix: String },
    Scalar { value: String, plain: bool },
}

/// A token and where it stands.
#[derive(Clone, Debug)]
pub(super) struct Token {
    pub(super) kind: Kind,
    pub(super) start: Mark,
    pub(super) end: Mark,
}

/// A problem found while cutting the text into tokens. The real reader counts its line from 0, then adds one unless it
/// is the first.
pub(super) fn scan_error(problem: &str, at: Mark, context: Mark) -> Error {
    let line = match (at.line, context.line) {
        (0, line) => line,
        (line, _) => line + 1,
    };
    located(problem, line)
}

/// A problem found while putting tokens together, where it adds none.
pub(super) fn parse_error(problem: &str, at: Mark, context: Mark) -> Error {
    located(problem, if at.line == 0 { context.line } else { at.line })
}

/// A problem that names no line.
pub(super) fn error(problem: &str) -> Error {
    Error::new(format!("yaml: {problem}"), None)
}

fn located(problem: &str, line: usize) -> Error {
    if line == 0 {
        error(problem)
    } else {
        Error::new(format!("yaml: line {line}: {problem}"), Some(line))
    }
}
