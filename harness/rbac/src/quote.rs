//! Strings as the API server prints them in messages: quoted the way Go's `%q` verb does.

/// `text` in double quotes, with escapes for quotes, backslashes, control and other unprintable
/// characters (Go `strconv.Quote`, the form of every quoted value in an API server message).
#[must_use]
pub fn quote(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    for character in text.chars() {
        match character {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\u{07}' => out.push_str("\\a"),
            '\u{08}' => out.push_str("\\b"),
            '\u{0c}' => out.push_str("\\f"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\u{0b}' => out.push_str("\\v"),
            ' '..='~' => out.push(character),
            '\u{00}'..='\u{7f}' => out.push_str(&format!("\\x{:02x}", u32::from(character))),
            _ if printable(character) => out.push(character),
            '\u{80}'..='\u{ffff}' => out.push_str(&format!("\\u{:04x}", u32::from(character))),
            _ => out.push_str(&format!("\\U{:08x}", u32::from(character))),
        }
    }
    out.push('"');
    out
}

/// A list as Go prints a string slice by `%q`: `["a" "b"]`, `[]` when empty.
#[must_use]
pub fn quote_list(texts: &[String]) -> String {
    let quoted: Vec<String> = texts.iter().map(|text| quote(text)).collect();
    format!("[{}]", quoted.join(" "))
}

/// Letters, marks, numbers, punctuation and symbols. `str::escape_debug` knows the same tables;
/// the leading letter keeps it from escaping a combining mark, which Go prints.
fn printable(character: char) -> bool {
    let mut pair = String::from("a");
    pair.push(character);
    pair.escape_debug().nth(1) == Some(character)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotes_as_the_server_does() {
        assert_eq!(quote("dex:jane"), "\"dex:jane\"");
        assert_eq!(quote("a\"b\\c\n\u{1}\u{7f}"), r#""a\"b\\c\n\x01\x7f""#);
        assert_eq!(quote("zoë e\u{301} 東"), "\"zoë e\u{301} 東\"");
        assert_eq!(
            quote("\u{a0}\u{200b}\u{e0001}"),
            r#""\u00a0\u200b\U000e0001""#
        );
        assert_eq!(quote_list(&["a".into(), String::new()]), r#"["a" ""]"#);
        assert_eq!(quote_list(&[]), "[]");
    }
}
