//! `strconv.Quote`, which is also `%q`.

use std::{fmt::Write as _, sync::LazyLock};

use regex::Regex;

/// The text in double quotes with Go's escapes.
pub(crate) fn quote(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    for character in text.chars() {
        push(&mut out, character, '"');
    }
    out.push('"');
    out
}

/// A character in single quotes, as JSON syntax errors name the byte that they did not expect.
pub(crate) fn quote_byte(byte: u8) -> String {
    let mut out = String::from("'");
    match char::from(byte) {
        '"' => out.push('"'),
        character => push(&mut out, character, '\''),
    }
    out.push('\'');
    out
}

/// `%q` of a list of strings.
pub(crate) fn quote_list<S: AsRef<str>>(items: &[S]) -> String {
    let items: Vec<String> = items.iter().map(|item| quote(item.as_ref())).collect();
    format!("[{}]", items.join(" "))
}

fn push(out: &mut String, character: char, delimiter: char) {
    match character {
        '\\' => out.push_str("\\\\"),
        _ if character == delimiter => {
            out.push('\\');
            out.push(character);
        }
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
            let _ = if code < 0x20 || code == 0x7f {
                write!(out, "\\x{code:02x}")
            } else if code < 0x1_0000 {
                write!(out, "\\u{code:04x}")
            } else {
                write!(out, "\\U{code:08x}")
            };
        }
    }
}

/// `strconv.IsPrint`: letters, marks, numbers, punctuation, symbols, and the ASCII space.
fn printable(character: char) -> bool {
    static GRAPHIC: LazyLock<Option<Regex>> =
        LazyLock::new(|| Regex::new(r"^[\p{L}\p{M}\p{N}\p{P}\p{S}]$").ok());
    if character.is_ascii() {
        return character == ' ' || character.is_ascii_graphic();
    }
    let mut buffer = [0; 4];
    GRAPHIC
        .as_ref()
        .is_some_and(|graphic| graphic.is_match(character.encode_utf8(&mut buffer)))
}
