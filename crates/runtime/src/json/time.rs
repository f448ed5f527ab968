//! Days, times and spans: their wire forms (RFC 3339, ISO 8601) and the numbers they are kept as.

use super::write::{pair, unsigned};

const SECOND: i64 = 1_000_000;
const DAY: i64 = 86_400 * SECOND;

/// Days since 1970 of a day of the proleptic Gregorian calendar.
fn days(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let of_era = year.rem_euclid(400);
    let of_year = (153 * (month + if month > 2 { -3 } else { 9 }) + 2) / 5 + day - 1;
    era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468
}

/// Year, month and day of days since 1970.
fn civil(days: i64) -> (i64, u64, u64) {
    let days = days + 719_468;
    let era = days.div_euclid(146_097);
    let of_era = days.rem_euclid(146_097);
    let year = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let shifted = (5 * of_year + 2) / 153;
    let day = of_year - (153 * shifted + 2) / 5 + 1;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
    let year = era * 400 + year + i64::from(month <= 2);
    (year, month.unsigned_abs(), day.unsigned_abs())
}

fn month_days(year: i64, month: i64) -> i64 {
    match month {
        4 | 6 | 9 | 11 => 30,
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
        2 => 28,
        _ => 31,
    }
}

/// So many ASCII digits.
fn digits(text: &[u8]) -> Option<i64> {
    text.iter().try_fold(0, |number, digit| {
        digit.is_ascii_digit().then(|| number * 10 + i64::from(digit - b'0'))
    })
}

/// `2026-11-22` as days since 1970; years 0001 to 9999.
pub(crate) fn read_date(text: &str) -> Option<i32> {
    let text = text.as_bytes();
    if text.len() != 10 || text[4] != b'-' || text[7] != b'-' {
        return None;
    }
    let (year, month, day) = (digits(&text[..4])?, digits(&text[5..7])?, digits(&text[8..])?);
    let fits =
        year >= 1 && (1..=12).contains(&month) && (1..=month_days(year, month)).contains(&day);
    fits.then(|| days(year, month, day)).and_then(|days| i32::try_from(days).ok())
}

/// `12:30`, `12:30:15`, `12:30:15.25` as microseconds since midnight.
pub(crate) fn read_time(text: &str) -> Option<i64> {
    const CHARACTERS_MAX: usize = "12:30:15.250000".len();
    let (micros, rest) = clock(text.as_bytes(), false)?;
    (rest.is_empty() && micros < DAY && text.len() <= CHARACTERS_MAX && !text.contains(":60"))
        .then_some(micros)
}

/// The clock at the beginning of a text and what follows it. Digits beyond microseconds are cut.
fn clock(text: &[u8], seconds: bool) -> Option<(i64, &[u8])> {
    let pair =
        |at: usize, most: i64| digits(text.get(at..at + 2)?).filter(|number| *number <= most);
    let (hours, colon) = (pair(0, 23)?, *text.get(2)?);
    let minutes = pair(3, 59)?;
    if colon != b':' {
        return None;
    }
    let mut micros = (hours * 60 + minutes) * 60 * SECOND;
    if text.get(5) != Some(&b':') {
        return (!seconds).then(|| (micros, &text[5..]));
    }
    // 60 is a leap second: the instant after it.
    micros += pair(6, 60)? * SECOND;
    let mut rest = &text[8..];
    if rest.first() == Some(&b'.') {
        let length = rest[1..].iter().take_while(|byte| byte.is_ascii_digit()).count();
        if length == 0 {
            return None;
        }
        let shown = &rest[1..=length.min(6)];
        micros += digits(shown)? * 10_i64.pow(6 - u32::try_from(shown.len()).ok()?);
        rest = &rest[1 + length..];
    }
    Some((micros, rest))
}

/// RFC 3339 with any offset, as microseconds since 1970; years 0001 to 9999.
pub(crate) fn read_timestamp(text: &str) -> Option<i64> {
    let date = read_date(text.get(..10)?)?;
    let bytes = text.as_bytes();
    if !matches!(bytes.get(10)?, b'T' | b't') {
        return None;
    }
    let (micros, rest) = clock(&bytes[11..], true)?;
    let offset = match rest {
        [b'Z' | b'z'] => 0,
        [sign @ (b'+' | b'-'), hours @ .., b':', a, b] if hours.len() == 2 => {
            let (hours, minutes) = (digits(hours)?, digits(&[*a, *b])?);
            if hours > 23 || minutes > 59 {
                return None;
            }
            let offset = (hours * 60 + minutes) * 60 * SECOND;
            if *sign == b'-' { -offset } else { offset }
        }
        _ => return None,
    };
    let instant = i64::from(date) * DAY + micros - offset;
    (EARLIEST..LATEST).contains(&instant).then_some(instant)
}

/// 0001-01-01T00:00:00Z, and the end of the year 9999.
const EARLIEST: i64 = -719_162 * DAY;
const LATEST: i64 = 2_932_897 * DAY;

/// Digits of each part of a duration at most.
const DURATION_DIGITS_MAX: usize = 6;

/// ISO 8601 with weeks, days, hours, minutes and seconds (`P1DT2H`, `PT0.5S`, `-PT5M`), as
/// microseconds. Years and months have no fixed length and are refused.
pub(crate) fn read_duration(text: &str) -> Option<i64> {
    let (negative, rest) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text),
    };
    let mut rest = rest.strip_prefix('P')?.as_bytes();
    let (mut total, mut in_time, mut last, mut parts) = (0_i64, false, 0, 0);
    while !rest.is_empty() {
        if rest[0] == b'T' && !in_time {
            (in_time, rest) = (true, &rest[1..]);
            parts = 0;
            continue;
        }
        let length = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
        if length == 0 || length > DURATION_DIGITS_MAX {
            return None;
        }
        let whole = digits(&rest[..length])?;
        rest = &rest[length..];
        let mut fraction = 0;
        if rest.first() == Some(&b'.') {
            let length = rest[1..].iter().take_while(|byte| byte.is_ascii_digit()).count();
            let shown = rest.get(1..=length).filter(|shown| (1..=6).contains(&shown.len()))?;
            fraction = digits(shown)? * 10_i64.pow(6 - u32::try_from(shown.len()).ok()?);
            rest = &rest[1 + length..];
            if rest.first() != Some(&b'S') {
                return None;
            }
        }
        let (rank, unit) = match (in_time, rest.first()?) {
            (false, b'W') => (1, 7 * DAY),
            (false, b'D') => (2, DAY),
            (true, b'H') => (3, 3_600 * SECOND),
            (true, b'M') => (4, 60 * SECOND),
            (true, b'S') => (5, SECOND),
            _ => return None,
        };
        if rank <= last {
            return None;
        }
        (last, rest, parts) = (rank, &rest[1..], parts + 1);
        total = whole.checked_mul(unit)?.checked_add(fraction)?.checked_add(total)?;
    }
    let said = parts > 0;
    said.then_some(if negative { -total } else { total })
}

/// `2026-11-22`
pub(crate) fn write_date(out: &mut Vec<u8>, date: i32) {
    let (year, month, day) = civil(i64::from(date));
    if year < 0 {
        out.push(b'-');
    }
    unsigned(out, year.unsigned_abs(), 4);
    let ([a, b], [c, d]) = (pair(month), pair(day));
    out.extend_from_slice(&[b'-', a, b, b'-', c, d]);
}

/// `12:30:00`, with six digits of a fraction where there is one.
pub(crate) fn write_time(out: &mut Vec<u8>, micros: i64) {
    let micros = micros.rem_euclid(DAY).unsigned_abs();
    let seconds = micros / 1_000_000;
    let ([a, b], [c, d], [e, f]) =
        (pair(seconds / 3_600), pair(seconds / 60 % 60), pair(seconds % 60));
    out.extend_from_slice(&[a, b, b':', c, d, b':', e, f]);
    let fraction = micros % 1_000_000;
    if fraction > 0 {
        let ([a, b], [c, d], [e, f]) =
            (pair(fraction / 10_000), pair(fraction / 100), pair(fraction));
        out.extend_from_slice(&[b'.', a, b, c, d, e, f]);
    }
}

/// `2026-11-22T12:30:00Z`
pub(crate) fn write_timestamp(out: &mut Vec<u8>, micros: i64) {
    let date = micros.div_euclid(DAY);
    write_date(out, i32::try_from(date).unwrap_or_default());
    out.push(b'T');
    write_time(out, micros.rem_euclid(DAY));
    out.push(b'Z');
}

/// `P1DT2H3M4.5S`; `PT0S` for none.
pub(crate) fn write_duration(out: &mut Vec<u8>, micros: i64) {
    if micros < 0 {
        out.push(b'-');
    }
    let micros = micros.unsigned_abs();
    let seconds = micros / 1_000_000;
    let (days, fraction) = (seconds / 86_400, micros % 1_000_000);
    out.push(b'P');
    if days > 0 {
        unsigned(out, days, 1);
        out.push(b'D');
    }
    if micros > 0 && seconds.is_multiple_of(86_400) && fraction == 0 {
        return;
    }
    out.push(b'T');
    for (amount, letter) in [(seconds / 3_600 % 24, b'H'), (seconds / 60 % 60, b'M')] {
        if amount > 0 {
            unsigned(out, amount, 1);
            out.push(letter);
        }
    }
    let rest = seconds % 60;
    if rest > 0 || fraction > 0 || micros == 0 {
        unsigned(out, rest, 1);
        if fraction > 0 {
            let (mut fraction, mut width) = (fraction, 6);
            while fraction.is_multiple_of(10_u64) {
                (fraction, width) = (fraction / 10, width - 1);
            }
            out.push(b'.');
            unsigned(out, fraction, width);
        }
        out.push(b'S');
    }
}
