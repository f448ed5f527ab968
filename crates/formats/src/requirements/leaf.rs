//! Numbers with their units, as a person writes them. Every function gives `None` for a text that
//! is not wholly such a quantity.

use ir::quantity::Measure;

const MINUTE: f64 = 60.0;
const HOUR: f64 = 3_600.0;
const DAY: f64 = 86_400.0;
/// A twelfth of a Julian year.
const MONTH: f64 = 2_629_800.0;
const YEAR: f64 = 31_557_600.0;

/// Units of time and their seconds.
const TIMES: [(&str, f64); 27] = [
    ("µs", 1e-6),
    ("us", 1e-6),
    ("ms", 1e-3),
    ("s", 1.0),
    ("sec", 1.0),
    ("second", 1.0),
    ("seconds", 1.0),
    ("min", MINUTE),
    ("minute", MINUTE),
    ("minutes", MINUTE),
    ("h", HOUR),
    ("hour", HOUR),
    ("hours", HOUR),
    ("d", DAY),
    ("day", DAY),
    ("days", DAY),
    ("w", 7.0 * DAY),
    ("week", 7.0 * DAY),
    ("weeks", 7.0 * DAY),
    ("month", MONTH),
    ("months", MONTH),
    ("quarter", 3.0 * MONTH),
    ("quarters", 3.0 * MONTH),
    ("y", YEAR),
    ("year", YEAR),
    ("years", YEAR),
    ("yr", YEAR),
];

/// Units of size and their bytes, powers of 1000 as disks and networks count.
const SIZES: [(&str, f64); 9] = [
    ("B", 1.0),
    ("bytes", 1.0),
    ("kB", 1e3),
    ("KB", 1e3),
    ("MB", 1e6),
    ("GB", 1e9),
    ("KiB", 1_024.0),
    ("MiB", 1_048_576.0),
    ("GiB", 1_073_741_824.0),
];

/// `1_200`, `0.5`: digits with `_` between them, perhaps a point.
pub(crate) fn number(text: &str) -> Option<f64> {
    let digits = |part: &str| {
        let inner = part.bytes().all(|b| b.is_ascii_digit() || b == b'_');
        inner && part.starts_with(is_digit) && part.ends_with(is_digit)
    };
    let (whole, fraction) = text.split_once('.').map_or((text, None), |(w, f)| (w, Some(f)));
    if !digits(whole) || !fraction.is_none_or(digits) || text.len() > NUMBER_BYTES_MAX {
        return None;
    }
    text.replace('_', "").parse().ok()
}

/// Characters of a number.
const NUMBER_BYTES_MAX: usize = 24;

fn is_digit(c: char) -> bool {
    c.is_ascii_digit()
}

/// A whole number from 0.
pub(crate) fn whole(text: &str) -> Option<u32> {
    let value = number(text)?;
    (!text.contains('.') && value <= f64::from(u32::MAX)).then_some(value as u32)
}

/// A number and the unit after it.
fn with_unit(text: &str) -> Option<(f64, &str)> {
    let text = text.trim();
    let end = text.find(|c: char| !(c.is_ascii_digit() || c == '_' || c == '.'))?;
    let value = number(&text[..end])?;
    Some((value, text[end..].trim()))
}

/// Seconds of `200 ms`, `1 h 30 min`.
pub(crate) fn duration(text: &str) -> Option<f64> {
    let mut rest = text.trim();
    let mut seconds = 0.0;
    while !rest.is_empty() {
        let (value, tail) = with_unit(rest)?;
        let end = tail.find(|c: char| c.is_whitespace() || c.is_ascii_digit());
        let (unit, after) = tail.split_at(end.unwrap_or(tail.len()));
        seconds += value * unit_of(&TIMES, unit)?;
        rest = after.trim_start();
    }
    (!text.trim().is_empty()).then_some(seconds)
}

fn unit_of(units: &[(&str, f64)], unit: &str) -> Option<f64> {
    units.iter().find(|(name, _)| *name == unit).map(|(_, size)| *size)
}

/// Seconds of the unit in `per month`.
pub(crate) fn period(unit: &str) -> Option<f64> {
    unit_of(&TIMES, unit)
}

/// A share of 1 from `99.95%`.
pub(crate) fn share(text: &str) -> Option<f64> {
    let per_cent = number(text.trim().strip_suffix('%')?.trim_end())?;
    Some(shift_two(text, per_cent))
}

/// Divides by 100 in decimal, so that 99.95% is the nearest number to 0.9995.
fn shift_two(text: &str, per_cent: f64) -> f64 {
    let exact = format!("{}e-2", text.trim().trim_end_matches('%').trim().replace('_', ""));
    exact.parse().unwrap_or(per_cent / 100.0)
}

/// Requests a second from `1200 rps`, `50 per second`, `100/min`.
pub(crate) fn rate(text: &str) -> Option<f64> {
    let (value, unit) = with_unit(text)?;
    let per = match unit {
        "rps" | "/s" => 1.0,
        "rpm" => MINUTE,
        _ => {
            let unit = unit.strip_prefix('/').or_else(|| unit.strip_prefix("per "))?;
            period(unit.trim())?
        }
    };
    Some(value / per)
}

/// Bytes of `400 B`, `2 kB`.
pub(crate) fn bytes(text: &str) -> Option<f64> {
    let (value, unit) = with_unit(text)?;
    Some(value * unit_of(&SIZES, unit)?)
}

/// The factor of `3x`.
pub(crate) fn factor(text: &str) -> Option<f64> {
    number(text.trim().strip_suffix('x')?.trim_end())
}

/// The number of `6 engineers`.
pub(crate) fn people(text: &str) -> Option<u32> {
    let words = ["engineers", "engineer", "people", "person", "developers", "developer"];
    let bare = words.iter().find_map(|word| text.trim().strip_suffix(word));
    whole(bare.unwrap_or(text).trim())
}

/// Amount and currency of `900 USD`.
pub(crate) fn amount(text: &str) -> Option<(f64, &str)> {
    let (value, currency) = with_unit(text)?;
    is_currency(currency).then_some((value, currency))
}

/// Three capital letters.
pub(crate) fn is_currency(text: &str) -> bool {
    text.len() == 3 && text.bytes().all(|b| b.is_ascii_uppercase())
}

/// One value or a range `low..high`; the unit of a range may stand once at its end.
pub(crate) fn measure(text: &str, read: impl Fn(&str) -> Option<f64>) -> Option<Measure> {
    let Some((low, high)) = text.split_once("..") else {
        return read(text.trim()).map(Measure::exact);
    };
    let (low, high) = (low.trim(), high.trim());
    let unit = high.find(|c: char| !(c.is_ascii_digit() || c == '_' || c == '.'));
    let shared = unit.map(|at| format!("{low} {}", high[at..].trim_start()));
    let low = read(low).or_else(|| read(shared.as_deref()?))?;
    let high = read(high)?;
    (low <= high).then_some(Measure { low, high: Some(high) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantities_are_read_in_base_units() {
        let cases = [
            (duration("200 ms"), Some(0.2)),
            (duration("1 h 30 min"), Some(5_400.0)),
            (duration("7d"), Some(604_800.0)),
            (duration("18 months"), Some(47_336_400.0)),
            (duration("0 s"), Some(0.0)),
            (duration("5"), None),
            (duration("5 parsecs"), None),
            (duration("-5 s"), None),
            (duration(""), None),
            (share("99.95%"), Some(0.9995)),
            (share("8 %"), Some(0.08)),
            (share("99.95"), None),
            (rate("10_000 rps"), Some(10_000.0)),
            (rate("50 per second"), Some(50.0)),
            (rate("120/min"), Some(2.0)),
            (rate("50"), None),
            (bytes("400 B"), Some(400.0)),
            (bytes("1.5 kB"), Some(1_500.0)),
            (factor("1.5x"), Some(1.5)),
            (factor("3"), None),
            (number("1__0"), Some(10.0)),
            (number("_1"), None),
            (number("1."), None),
            (number("1e9"), None),
            (number("∞"), None),
        ];
        for (at, (read, wanted)) in cases.into_iter().enumerate() {
            assert_eq!(read, wanted, "case {at}");
        }
    }

    #[test]
    fn ranges_share_the_unit_of_their_end() {
        let range = |low, high| Some(Measure { low, high: Some(high) });
        assert_eq!(measure("100..200 rps", rate), range(100.0, 200.0));
        assert_eq!(measure("1 ms..2 s", duration), range(0.001, 2.0));
        assert_eq!(measure("3..5", number), range(3.0, 5.0));
        assert_eq!(measure("5..3", number), None);
        assert_eq!(measure("8", number), Some(Measure::exact(8.0)));
    }
}
