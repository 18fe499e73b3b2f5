//! The messages of `netip.ParseAddr` about what stands in the brackets of a URL's host.

use super::quote::quote;

/// Whether the text is an IPv6 address, a zone included.
///
/// # Errors
/// What `ParseAddr` says; `None` for an IPv4 address, which it accepts and brackets do not.
pub(crate) fn check_v6(text: &str) -> Result<(), Option<String>> {
    match text.bytes().find(|byte| b".:%".contains(byte)) {
        Some(b'.') => match v4(text, text) {
            Ok(()) => Err(None),
            Err(error) => Err(Some(error)),
        },
        Some(b':') => v6(text).map_err(Some),
        Some(_) => Err(Some(fail(text, "missing IPv6 address", ""))),
        None => Err(Some(fail(text, "unable to parse IP", ""))),
    }
}

/// What `ParseAddr` says of a text that is no IP address.
pub(crate) fn check(text: &str) -> Result<(), String> {
    match check_v6(text) {
        Ok(()) | Err(None) => Ok(()),
        Err(Some(error)) => Err(error),
    }
}

fn fail(text: &str, problem: &str, at: &str) -> String {
    let at = if at.is_empty() {
        String::new()
    } else {
        format!(" (at {})", quote(at))
    };
    format!("ParseAddr({}): {problem}{at}", quote(text))
}

fn v4(whole: &str, part: &str) -> Result<(), String> {
    let (mut value, mut digits, mut dots) = (0_u32, 0, 0);
    for (index, byte) in part.bytes().enumerate() {
        match byte {
            b'0'..=b'9' => {
                if digits == 1 && value == 0 {
                    return Err(fail(whole, "IPv4 field has octet with leading zero", ""));
                }
                value = value * 10 + u32::from(byte - b'0');
                digits += 1;
                if value > 255 {
                    return Err(fail(whole, "IPv4 field has value >255", ""));
                }
            }
            b'.' => {
                if digits == 0 || index + 1 == part.len() {
                    let problem = "IPv4 field must have at least one digit";
                    return Err(fail(whole, problem, &part[index..]));
                }
                if dots == 3 {
                    return Err(fail(whole, "IPv4 address too long", ""));
                }
                (value, digits, dots) = (0, 0, dots + 1);
            }
            _ => {
                let at = part.get(index..).unwrap_or_default();
                return Err(fail(whole, "unexpected character", at));
            }
        }
    }
    if dots < 3 {
        return Err(fail(whole, "IPv4 address too short", ""));
    }
    Ok(())
}

fn v6(whole: &str) -> Result<(), String> {
    let mut rest = match whole.split_once('%') {
        Some((_, "")) => return Err(fail(whole, "zone must be a non-empty string", "")),
        Some((address, _)) => address,
        None => whole,
    };
    let mut ellipsis = false;
    if let Some(after) = rest.strip_prefix("::") {
        (rest, ellipsis) = (after, true);
        if rest.is_empty() {
            return Ok(());
        }
    }
    let mut bytes = 0;
    while bytes < 16 {
        let digits = rest.bytes().take_while(u8::is_ascii_hexdigit).count();
        if digits > 4 {
            return Err(fail(whole, "each group must have 4 or less digits", rest));
        }
        if digits == 0 {
            let problem = "each colon-separated field must have at least one digit";
            return Err(fail(whole, problem, rest));
        }
        if rest[digits..].starts_with('.') {
            if !ellipsis && bytes != 12 {
                let problem =
                    "embedded IPv4 address must replace the final 2 fields of the address";
                return Err(fail(whole, problem, rest));
            }
            if bytes + 4 > 16 {
                let problem =
                    "too many hex fields to fit an embedded IPv4 at the end of the address";
                return Err(fail(whole, problem, rest));
            }
            v4(whole, rest)?;
            (rest, bytes) = ("", bytes + 4);
            break;
        }
        bytes += 2;
        rest = &rest[digits..];
        if rest.is_empty() {
            break;
        }
        let Some(after) = rest.strip_prefix(':') else {
            return Err(fail(whole, "unexpected character, want colon", rest));
        };
        if after.is_empty() {
            let problem = "colon must be followed by more characters";
            return Err(fail(whole, problem, rest));
        }
        rest = after;
        if let Some(after) = rest.strip_prefix(':') {
            if ellipsis {
                return Err(fail(whole, "multiple :: in address", rest));
            }
            (rest, ellipsis) = (after, true);
            if rest.is_empty() {
                break;
            }
        }
    }
    match (rest.is_empty(), bytes < 16, ellipsis) {
        (false, _, _) => Err(fail(whole, "trailing garbage after address", rest)),
        (true, true, false) => Err(fail(whole, "address string too short", "")),
        (true, false, true) => {
            let problem = "the :: must expand to at least one field of zeros";
            Err(fail(whole, problem, ""))
        }
        _ => Ok(()),
    }
}
