//! What Dex demands of a password's hash before it starts.

use base64::{Engine as _, engine::general_purpose::STANDARD};

/// The cost of a bcrypt hash.
///
/// # Errors
/// In the words of `golang.org/x/crypto/bcrypt`.
pub(crate) fn cost(hash: &str) -> Result<u32, String> {
    let wrong = |text: String| Err(format!("crypto/bcrypt: {text}"));
    if hash.len() < 59 {
        return wrong("hashedSecret too short to be a bcrypted password".to_owned());
    }
    let mut characters = hash.chars();
    let first = characters.next().unwrap_or_default();
    if first != '$' {
        return wrong(format!(
            "bcrypt hashes must start with '$', but hashedSecret started with '{first}'"
        ));
    }
    let version = characters.next().unwrap_or_default();
    if version > '2' {
        return wrong(format!(
            "bcrypt algorithm version '{version}' requested is newer than current version '2'"
        ));
    }
    if characters.next() != Some('$') {
        characters.next();
    }
    let digits: String = characters.by_ref().take(2).collect();
    let Ok(cost) = digits.parse::<u32>() else {
        return Err(format!(
            "strconv.Atoi: parsing {}: invalid syntax",
            super::super::go::quote::quote(&digits)
        ));
    };
    if (4..=31).contains(&cost) {
        Ok(cost)
    } else {
        wrong(format!(
            "cost {cost} is outside allowed inclusive range 4..31"
        ))
    }
}

/// The hash as it stands in a file: bcrypt's own form, or that in base64.
///
/// # Errors
/// In Dex's words.
pub(super) fn read(text: &str) -> Result<String, String> {
    if text.is_empty() {
        return Err("no password hash provided".to_owned());
    }
    let malformed = |reason: String| format!("malformed bcrypt hash: {reason}");
    let Err(reason) = cost(text) else {
        return Ok(text.to_owned());
    };
    let decoded = STANDARD
        .decode(text)
        .ok()
        .and_then(|bytes| String::from_utf8(bytes).ok());
    let hash = decoded.ok_or_else(|| malformed(reason))?;
    cost(&hash).map_err(malformed)?;
    Ok(hash)
}
