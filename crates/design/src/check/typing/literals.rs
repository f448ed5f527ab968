//! Constants: numbers that become money, texts that become dates, times and durations.

use ir::expr::{Expr, ExprKind, Type};
use ir::value::{Currency, MONEY_UNITS, Value};

/// Digits of a decimal at most.
pub(crate) const PRECISION_MAX: u8 = 18;

/// Digits after the point at most.
pub(crate) const SCALE_MAX: u8 = 18;

/// Digits after the point that a division or a mean is rounded to (half to even).
pub(crate) const QUOTIENT_SCALE: u8 = 6;

/// Digits after the point in a unit of money.
const MONEY_SCALE: u32 = 4;

const DAY_MICROS: i64 = 86_400_000_000;

/// A numeric constant as money of a fixed currency; `None` where it is no such thing or has more
/// than four decimals.
pub(crate) fn money(expr: &Expr, currency: &str) -> Option<Expr> {
    let units = match &expr.kind {
        ExprKind::Literal(Value::Int(whole)) => whole.checked_mul(MONEY_UNITS)?,
        ExprKind::Literal(Value::Decimal { units, scale }) => {
            rescale(*units, u32::from(*scale), MONEY_SCALE)?
        }
        _ => return None,
    };
    let letters: [u8; 3] = currency.as_bytes().try_into().ok()?;
    let value = Value::Money { units, currency: Currency(letters) };
    let ty = Type::Money { currency: Some(currency.to_owned()) };
    Some(super::literal(value, ty))
}

/// The same number with another scale; `None` where digits would be lost or it overflows.
pub(crate) fn rescale(units: i64, from: u32, to: u32) -> Option<i64> {
    if to >= from {
        return units.checked_mul(10_i64.checked_pow(to - from)?);
    }
    let divisor = 10_i64.checked_pow(from - to)?;
    (units % divisor == 0).then(|| units / divisor)
}

/// `12.50` → its digits and their scale.
pub(crate) fn decimal(text: &str) -> Option<(i64, u8)> {
    let text = text.replace('_', "");
    let (sign, digits) = text.strip_prefix('-').map_or((1, text.as_str()), |rest| (-1, rest));
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let digits_only = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    if whole.is_empty() || !digits_only(whole) || !digits_only(fraction) {
        return None;
    }
    let scale = u8::try_from(fraction.len()).ok().filter(|scale| *scale <= SCALE_MAX)?;
    let units: i64 = format!("{whole}{fraction}").parse().ok()?;
    Some((sign * units, scale))
}

/// `7d`, `2w`, `90s`, `1h30m`, `250ms` → microseconds.
pub(crate) fn duration(text: &str) -> Option<i64> {
    let (sign, mut rest) = text.strip_prefix('-').map_or((1, text), |rest| (-1, rest));
    let mut micros: i64 = 0;
    if rest.is_empty() {
        return None;
    }
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit())?;
        let count: i64 = rest[..digits].parse().ok()?;
        rest = &rest[digits..];
        let unit = rest.find(|c: char| c.is_ascii_digit()).unwrap_or(rest.len());
        let each = match &rest[..unit] {
            "us" => 1,
            "ms" => 1_000,
            "s" => 1_000_000,
            "m" => 60_000_000,
            "h" => 3_600_000_000,
            "d" => DAY_MICROS,
            "w" => 7 * DAY_MICROS,
            _ => return None,
        };
        micros = micros.checked_add(count.checked_mul(each)?)?;
        rest = &rest[unit..];
    }
    Some(sign * micros)
}

/// `2026-01-31` → days since 1970-01-01.
pub(crate) fn date(text: &str) -> Option<i32> {
    let mut parts = text.splitn(3, '-');
    let (year, month, day) = (parts.next()?, parts.next()?, parts.next()?);
    if (year.len(), month.len(), day.len()) != (4, 2, 2) {
        return None;
    }
    let number = |part: &str| {
        part.bytes().all(|byte| byte.is_ascii_digit()).then(|| part.parse::<i32>().ok()).flatten()
    };
    let (year, month, day) = (number(year)?, number(month)?, number(day)?);
    let leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    let days = match month {
        2 => 28 + i32::from(leap),
        4 | 6 | 9 | 11 => 30,
        1 | 3 | 5 | 7 | 8 | 10 | 12 => 31,
        _ => return None,
    };
    ((1..=days).contains(&day) && year > 0).then(|| days_from_civil(year, month, day))
}

/// Days since 1970-01-01 of a day of the Gregorian calendar: years counted from March, so that the
/// leap day comes last.
fn days_from_civil(year: i32, month: i32, day: i32) -> i32 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let from_march = (month + 9) % 12;
    let day_of_year = (153 * from_march + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    era * 146_097 + day_of_era - 719_468
}

/// `09:30`, `09:30:15`, `09:30:15.250` → microseconds since midnight.
pub(crate) fn time(text: &str) -> Option<i64> {
    let (clock, fraction) = text.split_once('.').unwrap_or((text, ""));
    let parts: Vec<&str> = clock.split(':').collect();
    let two = |part: &&str| part.len() == 2 && part.bytes().all(|byte| byte.is_ascii_digit());
    if !(2..=3).contains(&parts.len()) || !parts.iter().all(two) || fraction.len() > 6 {
        return None;
    }
    if !fraction.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let number = |at: usize| parts.get(at).map_or(Some(0), |part| part.parse::<i64>().ok());
    let (hour, minute, second) = (number(0)?, number(1)?, number(2)?);
    let micros: i64 = format!("{fraction:0<6}").parse().ok()?;
    let valid = hour < 24 && minute < 60 && second < 60;
    valid.then(|| ((hour * 60 + minute) * 60 + second) * 1_000_000 + micros)
}

/// `2026-01-31T09:30:00Z` → microseconds since 1970; an offset is understood.
pub(crate) fn timestamp(text: &str) -> Option<i64> {
    let (day, clock) = text.split_once('T')?;
    let (clock, offset) = if let Some(clock) = clock.strip_suffix('Z') {
        (clock, 0)
    } else {
        let at = clock.rfind(['+', '-'])?;
        let minutes = time(&clock[at + 1..])?;
        (&clock[..at], if clock[at..].starts_with('-') { -minutes } else { minutes })
    };
    let days = i64::from(date(day)?);
    Some(days * DAY_MICROS + time(clock)? - offset)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_days_since_1970() {
        assert_eq!(date("1970-01-01"), Some(0));
        assert_eq!(date("2000-03-01"), Some(11_017));
        assert_eq!(date("1969-12-31"), Some(-1));
        assert_eq!(date("2024-02-29"), Some(19_782));
        for wrong in ["2023-02-29", "2023-13-01", "2023-1-01", "x", "2023-00-10", "+023-01-01"] {
            assert_eq!(date(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn durations_know_days_and_weeks() {
        assert_eq!(duration("7d"), Some(7 * DAY_MICROS));
        assert_eq!(duration("1h30m"), Some(5_400_000_000));
        assert_eq!(duration("-2w"), Some(-14 * DAY_MICROS));
        for wrong in ["", "7", "d", "7 d", "1y", "99999999999999w"] {
            assert_eq!(duration(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn times_and_timestamps_are_exact() {
        assert_eq!(time("09:30"), Some(34_200_000_000));
        assert_eq!(time("23:59:59.5"), Some(86_399_500_000));
        assert_eq!(time("24:00"), None);
        assert_eq!(timestamp("1970-01-02T00:00:00Z"), Some(DAY_MICROS));
        assert_eq!(timestamp("1970-01-02T01:00:00+01:00"), Some(DAY_MICROS));
        assert_eq!(timestamp("1970-01-02 01:00"), None);
    }

    #[test]
    fn numbers_keep_their_digits() {
        assert_eq!(decimal("12.50"), Some((1250, 2)));
        assert_eq!(decimal("-0.5"), Some((-5, 1)));
        assert_eq!(decimal("50_000"), Some((50_000, 0)));
        assert_eq!(decimal("1e3"), None);
        assert_eq!(rescale(125, 1, 4), Some(125_000));
        assert_eq!(rescale(12_345, 5, 4), None);
    }
}
