//! Strings as Go prints them in messages (`strconv.Quote`, which is also `%q`): the form of every quoted value in a
//! message of the API server, of its libraries and of Dex.

use std::fmt::Write as _;

/// The text in double quotes with Go's escapes.
#[must_use]
pub fn quote(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    for character in text.chars() {
        push(&mut out, character, '"');
    }
    out.push('"');
    out
}

/// A character in single quotes (`strconv.QuoteRune`).
#[must_use]
pub fn quote_char(character: char) -> String {
    let mut out = String::from("'");
    push(&mut out, character, '\'');
    out.push('\'');
    out
}

/// `%q` of a list of strings: `["a" "b"]`, `[]` when it is empty.
#[must_use]
pub fn quote_list<S: AsRef<str>>(texts: &[S]) -> String {
    let texts: Vec<String> = texts.iter().map(|text| quote(text.as_ref())).collect();
    format!("[{}]", texts.join(" "))
}

fn push(out: &mut String, character: char, delimiter: char) {
    match character {
        '\\' => out.push_str("\\\\"),
        _ if character == delimiter => out.extend(['\\', character]),
        _ if printable(character) => out.push(character),
        '\x07' => out.push_str("\\a"),
        '\x08' => out.push_str("\\b"),
        '\x0c' => out.push_str("\\f"),
        '\n' => out.push_str("\\n"),
        '\r' => out.push_str("\\r"),
        '\t' => out.push_str("\\t"),
        '\x0b' => out.push_str("\\v"),
        _ => {
            let code = u32::from(character);
            // Writing to a String cannot fail.
            let _ = match code {
                0..0x20 | 0x7f => write!(out, "\\x{code:02x}"),
                0..0x1_0000 => write!(out, "\\u{code:04x}"),
                _ => write!(out, "\\U{code:08x}"),
            };
        }
    }
}

/// Letters, marks, numbers, punctuation, symbols and the ASCII space. `str::escape_debug` knows the same tables; the
/// leading letter keeps it from escaping a combining mark, which Go prints.
fn printable(character: char) -> bool {
    if character.is_ascii() {
        return character == ' ' || character.is_ascii_graphic();
    }
    let mut pair = String::from("a");
    pair.push(character);
    pair.escape_debug().nth(1) == Some(character)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strings_are_quoted_as_go_does() {
        assert_eq!(quote("dex:jane's"), "\"dex:jane's\"");
        assert_eq!(quote("a\"b\\c\n\u{1}\u{7f}"), r#""a\"b\\c\n\x01\x7f""#);
        assert_eq!(quote("zoë e\u{301} 東"), "\"zoë e\u{301} 東\"");
        assert_eq!(
            quote("\u{85}\u{a0}\u{200b}\u{e0001}"),
            r#""\u0085\u00a0\u200b\U000e0001""#
        );
        assert_eq!(quote_char('\''), r"'\''");
        assert_eq!(quote_list(&["a", ""]), r#"["a" ""]"#);
        assert_eq!(quote_list::<&str>(&[]), "[]");
    }
}
