//! `regexp.Compile`: whether a pattern is one, and what is said of it otherwise.

use regex_syntax::ast::{ErrorKind, parse::Parser};

/// Checks a pattern.
///
/// # Errors
/// Go's text, for the mistakes that can be told apart.
pub(crate) fn check(pattern: &str) -> Result<(), String> {
    let Err(error) = Parser::new().parse(pattern) else {
        return Ok(());
    };
    let (start, end) = (error.span().start.offset, error.span().end.offset);
    let at = pattern.get(start..end).unwrap_or_default();
    let rest = pattern.get(start..).unwrap_or_default();
    let (problem, text) = match error.kind() {
        ErrorKind::ClassUnclosed => ("missing closing ]", rest),
        ErrorKind::GroupUnclosed => ("missing closing )", pattern),
        ErrorKind::GroupUnopened => ("unexpected )", pattern),
        ErrorKind::RepetitionMissing => ("missing argument to repetition operator", operator(rest)),
        ErrorKind::ClassRangeInvalid => ("invalid character class range", at),
        ErrorKind::EscapeUnexpectedEof => ("trailing backslash at end of expression", ""),
        ErrorKind::EscapeUnrecognized | ErrorKind::UnsupportedBackreference => {
            ("invalid escape sequence", at)
        }
        ErrorKind::RepetitionCountInvalid => ("invalid repeat count", at),
        _ => ("invalid or unsupported Perl syntax", at),
    };
    Err(format!("error parsing regexp: {problem}: `{text}`"))
}

/// A repetition operator, with what makes it lazy.
fn operator(text: &str) -> &str {
    let lazy = usize::from(text.get(1..2) == Some("?"));
    text.get(..=lazy).unwrap_or(text)
}
