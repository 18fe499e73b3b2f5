//! Pages people see and JSON that may stand inside them.

use serde::Serialize;

/// Text as it stands in HTML, in an attribute's double quotes too.
pub(crate) fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&#34;"),
            '\'' => out.push_str("&#39;"),
            other => out.push(other),
        }
    }
    out
}

/// A page: `title` is text, `body` is HTML, `style` the address of a style sheet.
pub(crate) fn page(title: &str, style: &str, body: &str) -> String {
    format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <title>{}</title>\n<link rel=\"stylesheet\" href=\"{}\">\n</head>\n<body>\n<main>\n{body}</main>\n</body>\n</html>\n",
        escape(title),
        escape(style),
    )
}

/// JSON text in which `<`, `>`, `&` and the two separators U+2028 and U+2029 are escaped, as Go writes it.
///
/// # Errors
/// When the value is not JSON.
pub(crate) fn json<T: Serialize>(value: &T) -> Result<String, serde_json::Error> {
    Ok(harden(&serde_json::to_string(value)?))
}

/// The same on several lines, two spaces a level.
///
/// # Errors
/// When the value is not JSON.
pub(crate) fn pretty_json<T: Serialize>(value: &T) -> Result<String, serde_json::Error> {
    Ok(harden(&serde_json::to_string_pretty(value)?))
}

/// These characters occur in JSON inside of strings only.
fn harden(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '<' | '>' | '&' | '\u{2028}' | '\u{2029}' => {
                out.push_str(&format!("\\u{:04x}", u32::from(character)));
            }
            other => out.push(other),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_breaks_out_of_a_page() {
        assert_eq!(
            escape(r#"<a b="c" d='e'>&"#),
            "&lt;a b=&#34;c&#34; d=&#39;e&#39;&gt;&amp;"
        );
        let page = page("a<b", "x\"y", "<p>text</p>\n");
        assert!(page.contains("<title>a&lt;b</title>"), "{page}");
        assert!(page.contains("href=\"x&#34;y\""), "{page}");
    }

    #[test]
    fn json_is_written_as_go_writes_it() {
        assert_eq!(
            json(&["<&>\u{2028}é\n"]).unwrap(),
            r#"["\u003c\u0026\u003e\u2028é\n"]"#
        );
    }
}
