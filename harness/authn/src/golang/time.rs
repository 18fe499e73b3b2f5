//! `time.Time` as text.

/// Seconds since 1970 as `time.Unix(seconds, 0).UTC().String()`; `None` is the zero time, `0001-01-01`.
pub(crate) fn unix(seconds: Option<i64>) -> String {
    let seconds = wrapped(seconds.unwrap_or(-SINCE_YEAR_ONE));
    let days = seconds.div_euclid(86_400);
    let rest = seconds.rem_euclid(86_400);
    let (year, month, day) = civil(days);
    let year = if year < 0 {
        format!("-{:04}", -year)
    } else {
        format!("{year:04}")
    };
    format!(
        "{year}-{month:02}-{day:02} {:02}:{:02}:{:02} +0000 UTC",
        rest / 3600,
        rest / 60 % 60,
        rest % 60
    )
}

/// Seconds from the first of January of year 1 to 1970.
pub(crate) const SINCE_YEAR_ONE: i64 = 62_135_596_800;

/// A time is kept in 64 bits counted from year 1, and printed in 64 bits without a sign counted from the March of a
/// year so early that most times are positive. Beyond either, it wraps around.
fn wrapped(seconds: i64) -> i128 {
    const EARLY: i128 = (292_277_022_400 / 400 * 146_097 + 306) * 86_400;
    let internal = i128::from(seconds.wrapping_add(SINCE_YEAR_ONE));
    (internal + EARLY).rem_euclid(1 << 64) - EARLY - i128::from(SINCE_YEAR_ONE)
}

/// The proleptic Gregorian date of a day counted from 1970-01-01, by shifting the year to begin in March so that the
/// leap day comes last.
fn civil(days: i128) -> (i128, i128, i128) {
    const DAYS_OF_400_YEARS: i128 = 146_097;
    let shifted = days + 719_468;
    let era = shifted.div_euclid(DAYS_OF_400_YEARS);
    let day_of_era = shifted.rem_euclid(DAYS_OF_400_YEARS);
    let year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 {
        shifted_month + 3
    } else {
        shifted_month - 9
    };
    let year = year_of_era + era * 400 + i128::from(month <= 2);
    (year, month, day)
}
