//! Numbers read and written as `strconv` and `encoding/json` do.

/// An integer literal by `strconv.ParseInt` or `ParseUint` with base 0: `0x`, `0o`, `0b` and a leading `0` choose the
/// base. Underscores must be gone already.
pub(crate) enum Integer {
    /// It fits a signed 64-bit integer.
    Signed(i64),
    /// It only fits an unsigned one.
    Unsigned(u64),
}

/// `None` for what is no integer, or too large for 64 bits.
pub(crate) fn integer(text: &str) -> Option<Integer> {
    let (sign, digits) = match text.as_bytes().first()? {
        b'+' => (Some('+'), &text[1..]),
        b'-' => (Some('-'), &text[1..]),
        _ => (None, text),
    };
    let lower = digits.to_ascii_lowercase();
    let (base, digits) = if let Some(rest) = lower.strip_prefix("0x") {
        (16, rest)
    } else if let Some(rest) = lower.strip_prefix("0o") {
        (8, rest)
    } else if let Some(rest) = lower.strip_prefix("0b") {
        (2, rest)
    } else if lower.len() > 1 && lower.starts_with('0') {
        (8, &lower[1..])
    } else {
        (10, lower.as_str())
    };
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
        return None;
    }
    let magnitude = u64::from_str_radix(digits, base).ok()?;
    match sign {
        Some('-') if magnitude == 1 << 63 => Some(Integer::Signed(i64::MIN)),
        Some('-') => i64::try_from(magnitude).ok().map(|n| Integer::Signed(-n)),
        _ => match i64::try_from(magnitude) {
            Ok(number) => Some(Integer::Signed(number)),
            // ParseUint takes no sign.
            Err(_) if sign.is_none() => Some(Integer::Unsigned(magnitude)),
            Err(_) => None,
        },
    }
}

/// A finite double; `None` where `strconv.ParseFloat` reports an error for decimal text, a range error included.
pub(crate) fn float(text: &str) -> Option<f64> {
    let plain = text
        .bytes()
        .all(|byte| byte.is_ascii_digit() || b".eE+-".contains(&byte));
    text.parse::<f64>()
        .ok()
        .filter(|number| plain && number.is_finite())
}

/// A double as `encoding/json` writes it. It must be finite.
pub(crate) fn json(number: f64) -> String {
    let magnitude = number.abs();
    if magnitude == 0.0 || (1e-6..1e21).contains(&magnitude) {
        return format!("{number}");
    }
    let text = format!("{number:e}");
    match text.split_once('e') {
        Some((mantissa, exponent)) if !exponent.starts_with('-') => {
            format!("{mantissa}e+{exponent}")
        }
        _ => text,
    }
}

/// A double by `%g`, which is how CEL turns one into a string.
pub(crate) fn shortest(number: f64) -> String {
    special(number).unwrap_or_else(|| general(&format!("{number:e}")))
}

/// The same with the precision of a 32-bit float, which is how YAML's float keys become strings.
pub(crate) fn shortest32(number: f64) -> String {
    #[expect(clippy::cast_possible_truncation, reason = "the rounding is the point")]
    let narrow = number as f32;
    special(f64::from(narrow)).unwrap_or_else(|| general(&format!("{narrow:e}")))
}

fn special(number: f64) -> Option<String> {
    if number.is_nan() {
        Some("NaN".to_owned())
    } else if number.is_infinite() {
        Some(if number > 0.0 { "+Inf" } else { "-Inf" }.to_owned())
    } else {
        None
    }
}

/// Rust's scientific form of a finite number as Go's `%g` has it: an exponent below -4 or above 5 stays one, in at
/// least two digits and with its sign.
fn general(scientific: &str) -> String {
    let (mantissa, exponent) = scientific.split_once('e').unwrap_or((scientific, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    if !(-4..6).contains(&exponent) {
        let sign = if exponent < 0 { '-' } else { '+' };
        return format!("{mantissa}e{sign}{:02}", exponent.abs());
    }
    let (sign, mantissa) = match mantissa.strip_prefix('-') {
        Some(rest) => ("-", rest),
        None => ("", mantissa),
    };
    let digits: String = mantissa.chars().filter(char::is_ascii_digit).collect();
    match usize::try_from(exponent) {
        Ok(whole) if whole + 1 >= digits.len() => {
            format!("{sign}{digits}{}", "0".repeat(whole + 1 - digits.len()))
        }
        Ok(whole) => format!("{sign}{}.{}", &digits[..=whole], &digits[whole + 1..]),
        Err(_) => {
            let zeros = usize::try_from(-1 - exponent).unwrap_or(0);
            format!("{sign}0.{}{digits}", "0".repeat(zeros))
        }
    }
}
