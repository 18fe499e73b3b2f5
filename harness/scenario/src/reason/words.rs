//! Reading Go's `%q`: quoted texts and lists of them.

/// Takes a Go-quoted text from the front: its value, and what follows.
pub(super) fn quoted(text: &str) -> Option<(String, &str)> {
    let rest = text.strip_prefix('"')?;
    let mut value = String::new();
    let mut chars = rest.char_indices();
    while let Some((at, c)) = chars.next() {
        match c {
            '"' => return Some((value, &rest[at + 1..])),
            '\\' => match chars.next()?.1 {
                'n' => value.push('\n'),
                't' => value.push('\t'),
                'r' => value.push('\r'),
                'x' => value.push(code(&mut chars, 2)?),
                'u' => value.push(code(&mut chars, 4)?),
                'U' => value.push(code(&mut chars, 8)?),
                other => value.push(other),
            },
            c => value.push(c),
        }
    }
    None
}

fn code(chars: &mut std::str::CharIndices<'_>, digits: usize) -> Option<char> {
    let mut code = 0;
    for _ in 0..digits {
        code = code * 16 + chars.next()?.1.to_digit(16)?;
    }
    char::from_u32(code)
}

/// Takes a list such as `["a" "b"]` from the front: its values, and what follows.
pub(super) fn list(text: &str) -> Option<(Vec<String>, &str)> {
    let mut rest = text.strip_prefix('[')?;
    let mut values = Vec::new();
    loop {
        if let Some(after) = rest.strip_prefix(']') {
            return Some((values, after));
        }
        let (value, after) = quoted(rest)?;
        values.push(value);
        rest = after.strip_prefix(' ').unwrap_or(after);
    }
}

/// What stands between `before` and `after`; to the end where `after` is empty.
pub(super) fn between<'a>(text: &'a str, before: &str, after: &str) -> Option<&'a str> {
    let rest = &text[text.find(before)? + before.len()..];
    if after.is_empty() {
        Some(rest)
    } else {
        Some(&rest[..rest.find(after)?])
    }
}
