//! Quantities of resources (`quantity("1500Mi")`).

/// A quantity in billionths, the finest that there is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Quantity(i128);

const NANO: i128 = 1_000_000_000;
const FORM: &str = "quantities must match the regular expression \
                    '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'";

impl Quantity {
    /// A quantity from text: a decimal number with a binary, decimal or exponential suffix. What is finer than a
    /// billionth is rounded up.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let form = || FORM.to_owned();
        let (negative, rest) = match text.as_bytes().first() {
            Some(b'-') => (true, &text[1..]),
            Some(b'+') => (false, &text[1..]),
            Some(_) => (false, text),
            None => return Err(form()),
        };
        let end = rest
            .find(|character: char| !character.is_ascii_digit() && character != '.')
            .unwrap_or(rest.len());
        let (number, suffix) = rest.split_at(end);
        let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
        if whole.len() + fraction.len() == 0 || fraction.contains('.') {
            return Err(form());
        }
        let (multiplier, exponent) = suffix_value(suffix).ok_or_else(|| {
            if suffix
                .bytes()
                .all(|byte| b"eEinumkKMGTP+-0123456789".contains(&byte))
            {
                "unable to parse quantity's suffix".to_owned()
            } else {
                form()
            }
        })?;
        let digits: i128 = format!("{whole}{fraction}").parse().map_err(|_| form())?;
        let scale = i64::from(exponent) + 9 - i64::try_from(fraction.len()).unwrap_or(i64::MAX);
        let value = scaled(digits.saturating_mul(multiplier), scale);
        Ok(Self(if negative { -value } else { value }))
    }

    pub(super) fn sign(self) -> i64 {
        i64::try_from(self.0.signum()).unwrap_or(0)
    }

    /// The whole number that it is, if it is one and fits.
    pub(super) fn integer(self) -> Option<i64> {
        let whole = self.0 % NANO == 0;
        i64::try_from(self.0 / NANO).ok().filter(|_| whole)
    }

    #[expect(clippy::cast_precision_loss, reason = "approximate by name")]
    pub(super) fn float(self) -> f64 {
        self.0 as f64 / NANO as f64
    }

    pub(super) fn plus(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }

    pub(super) fn minus(self, other: Self) -> Self {
        Self(self.0.saturating_sub(other.0))
    }
}

impl From<i64> for Quantity {
    fn from(number: i64) -> Self {
        Self(i128::from(number) * NANO)
    }
}

/// `digits` times ten to the power of `scale`, rounded away from zero.
fn scaled(digits: i128, scale: i64) -> i128 {
    let power = u32::try_from(scale.unsigned_abs()).unwrap_or(u32::MAX);
    let Some(factor) = 10_i128.checked_pow(power) else {
        return if scale > 0 { i128::MAX } else { 1 };
    };
    if scale >= 0 {
        digits.saturating_mul(factor)
    } else {
        digits / factor + i128::from(digits % factor != 0)
    }
}

/// What a suffix multiplies by: a factor, and a power of ten.
fn suffix_value(suffix: &str) -> Option<(i128, i32)> {
    Some(match suffix {
        "" => (1, 0),
        "n" => (1, -9),
        "u" => (1, -6),
        "m" => (1, -3),
        "k" => (1, 3),
        "M" => (1, 6),
        "G" => (1, 9),
        "T" => (1, 12),
        "P" => (1, 15),
        "E" => (1, 18),
        "Ki" => (1 << 10, 0),
        "Mi" => (1 << 20, 0),
        "Gi" => (1 << 30, 0),
        "Ti" => (1 << 40, 0),
        "Pi" => (1 << 50, 0),
        "Ei" => (1 << 60, 0),
        _ => {
            let exponent = suffix.strip_prefix(['e', 'E'])?;
            (1, exponent.parse().ok()?)
        }
    })
}
