//! Durations as Go's `time.ParseDuration` reads them.

use std::time::{Duration, SystemTime};

use super::quote::quote;

/// A span of time that may be negative, in nanoseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Span(i64);

impl Span {
    pub(crate) const ZERO: Self = Self(0);

    pub(crate) const fn hours(hours: i64) -> Self {
        Self(hours * 3_600_000_000_000)
    }

    pub(crate) const fn minutes(minutes: i64) -> Self {
        Self(minutes * 60_000_000_000)
    }

    /// Itself, or `default` when it is zero.
    pub(crate) fn or(self, default: Self) -> Self {
        if self == Self::ZERO { default } else { self }
    }

    /// The moment this long after `time`; `time` itself where the clock cannot count so far.
    pub(crate) fn after(self, time: SystemTime) -> SystemTime {
        let length = Duration::from_nanos(self.0.unsigned_abs());
        let moment = if self.0 < 0 {
            time.checked_sub(length)
        } else {
            time.checked_add(length)
        };
        moment.unwrap_or(time)
    }

    /// As an unsigned duration; nothing when it is negative.
    pub(crate) fn unsigned(self) -> Duration {
        Duration::from_nanos(u64::try_from(self.0).unwrap_or(0))
    }

    /// Reads a sequence of numbers with units: `1h30m`, `1.5s`, `-2ms`, `0`.
    ///
    /// # Errors
    /// In Go's words, beginning with `time: `.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let invalid = || format!("time: invalid duration {}", quote(text));
        let (negative, mut rest) = match text.as_bytes().first() {
            Some(b'-') => (true, &text[1..]),
            Some(b'+') => (false, &text[1..]),
            _ => (false, text),
        };
        if rest == "0" {
            return Ok(Self::ZERO);
        }
        if rest.is_empty() {
            return Err(invalid());
        }
        let mut total: u64 = 0;
        while !rest.is_empty() {
            let (whole, after_whole) = digits(rest);
            let (fraction, after_fraction) = match after_whole.strip_prefix('.') {
                Some(after_point) => digits(after_point),
                None => ("", after_whole),
            };
            if whole.is_empty() && fraction.is_empty() {
                return Err(invalid());
            }
            let end = after_fraction
                .find(|c: char| c == '.' || c.is_ascii_digit())
                .unwrap_or(after_fraction.len());
            let (unit, after_unit) = after_fraction.split_at(end);
            if unit.is_empty() {
                return Err(format!("time: missing unit in duration {}", quote(text)));
            }
            let nanos = nanos(unit).ok_or_else(|| {
                format!(
                    "time: unknown unit {} in duration {}",
                    quote(unit),
                    quote(text)
                )
            })?;
            total = part(whole, fraction, nanos)
                .and_then(|part| total.checked_add(part))
                .filter(|total| *total <= i64::MAX as u64 + u64::from(negative))
                .ok_or_else(invalid)?;
            rest = after_unit;
        }
        let signed = if negative {
            0_i64.checked_sub_unsigned(total)
        } else {
            i64::try_from(total).ok()
        };
        signed.map(Self).ok_or_else(invalid)
    }
}

fn digits(text: &str) -> (&str, &str) {
    text.split_at(
        text.find(|c: char| !c.is_ascii_digit())
            .unwrap_or(text.len()),
    )
}

fn nanos(unit: &str) -> Option<u64> {
    Some(match unit {
        "ns" => 1,
        "us" | "\u{b5}s" | "\u{3bc}s" => 1_000,
        "ms" => 1_000_000,
        "s" => 1_000_000_000,
        "m" => 60_000_000_000,
        "h" => 3_600_000_000_000,
        _ => return None,
    })
}

/// `whole.fraction` times `nanos`, cut to whole nanoseconds.
fn part(whole: &str, fraction: &str, nanos: u64) -> Option<u64> {
    let whole: u64 = if whole.is_empty() {
        0
    } else {
        whole.parse().ok()?
    };
    let mut out = whole.checked_mul(nanos)?;
    let mut scale = nanos;
    for digit in fraction.bytes() {
        scale /= 10;
        out = out.checked_add(u64::from(digit - b'0') * scale)?;
    }
    Some(out)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn reads_what_go_reads() {
        for (text, nanos) in [
            ("0", 0),
            ("-0", 0),
            ("5s", 5_000_000_000),
            ("1h30m", 5_400_000_000_000),
            ("1.5h", 5_400_000_000_000),
            (".5s", 500_000_000),
            ("1.s", 1_000_000_000),
            ("-1m0.25s", -60_250_000_000),
            ("+3us", 3_000),
            ("1\u{b5}s", 1_000),
            ("2540400h", 2_540_400 * 3_600_000_000_000),
            ("-9223372036854775808ns", i64::MIN),
        ] {
            assert_eq!(Span::parse(text), Ok(Span(nanos)), "{text}");
        }
    }

    #[test]
    fn refuses_in_the_words_of_go() {
        for (text, error) in [
            ("", "time: invalid duration \"\""),
            ("1", "time: missing unit in duration \"1\""),
            ("1d", "time: unknown unit \"d\" in duration \"1d\""),
            (".h", "time: invalid duration \".h\""),
            ("x", "time: invalid duration \"x\""),
            ("1h x", "time: unknown unit \"h x\" in duration \"1h x\""),
            (
                "9223372036854775808ns",
                "time: invalid duration \"9223372036854775808ns\"",
            ),
            ("3000000h", "time: invalid duration \"3000000h\""),
        ] {
            assert_eq!(Span::parse(text), Err(error.to_owned()), "{text}");
        }
    }

    proptest! {
        #[test]
        fn never_panics(text in "\\PC*") {
            let _ = Span::parse(&text);
        }

        #[test]
        fn whole_nanoseconds_come_back(nanos in any::<i64>()) {
            prop_assert_eq!(Span::parse(&format!("{nanos}ns")), Ok(Span(nanos)));
        }
    }
}
