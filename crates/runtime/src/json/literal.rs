//! Literals of the wire: numbers, money, spans, ids, addresses.

use super::read::shorten;
use super::scalar::{MONEY_SCALE, Made, Wrong};
use super::{Json, time};
use ir::value::{CURRENCY_WANTED, Currency, Value};
use std::borrow::Cow;
use std::net::Ipv6Addr;

/// Characters of a URL at most.
const URL_CHARACTERS_MAX: usize = 2_048;
/// Characters of an e-mail address at most (RFC 5321).
const EMAIL_CHARACTERS_MAX: usize = 254;
/// Digits before the point of an amount at most.
const AMOUNT_DIGITS_MAX: usize = 14;

/// Units of `10^-from` as units of `10^-to`, half to even; none where they do not fit.
pub(super) fn rescale(units: i64, from: u8, to: u8) -> Option<i64> {
    if to >= from {
        units.checked_mul(10_i64.checked_pow(u32::from(to - from))?)
    } else {
        Some(half_even(units, 10_i64.checked_pow(u32::from(from - to))?))
    }
}

/// Division rounded to the nearest, ties to even; `below` is positive.
pub(super) fn half_even(above: i64, below: i64) -> i64 {
    let (quotient, rest) = (above.div_euclid(below), above.rem_euclid(below));
    match (rest * 2).cmp(&below) {
        std::cmp::Ordering::Less => quotient,
        std::cmp::Ordering::Equal => quotient + quotient.rem_euclid(2),
        std::cmp::Ordering::Greater => quotient + 1,
    }
}

/// A decimal number as text: no exponent, no zeros before it, at most `scale` digits after the
/// point. In units of `10^-scale`; none where it is not that, or does not fit.
pub(crate) fn fixed(text: &str, scale: u8) -> Option<i64> {
    let fraction = text.split_once('.').map_or(0, |(_, fraction)| fraction.len());
    let plain = !text.contains(['e', 'E']) && fraction <= usize::from(scale);
    plain.then(|| exact(text, scale)).flatten()
}

/// A decimal number as JSON writes it, in units of `10^-scale`; none where it has more digits
/// than that, or does not fit.
pub(crate) fn exact(text: &str, scale: u8) -> Option<i64> {
    let (mantissa, exponent) = match text.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, exponent.parse::<i32>().ok()?),
        None => (text, 0),
    };
    let (negative, mantissa) = match mantissa.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, mantissa),
    };
    let (whole, fraction) = match mantissa.split_once('.') {
        Some((whole, fraction)) if !fraction.is_empty() => (whole, fraction),
        Some(_) => return None,
        None => (mantissa, ""),
    };
    let canonical = whole == "0" || (!whole.is_empty() && !whole.starts_with('0'));
    let sound = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if !canonical || !sound(whole) || !sound(fraction) {
        return None;
    }
    let fraction = fraction.trim_end_matches('0');
    let mut units: i128 = 0;
    for digit in whole.bytes().chain(fraction.bytes()) {
        units = units.checked_mul(10)?.checked_add(i128::from(digit - b'0'))?;
    }
    let shift = i32::from(scale) + exponent - i32::try_from(fraction.len()).ok()?;
    if units != 0 && shift >= 0 {
        units = units.checked_mul(10_i128.checked_pow(u32::try_from(shift).ok()?)?)?;
    } else if units != 0 {
        let cut = 10_i128.checked_pow(shift.unsigned_abs())?;
        if units % cut != 0 {
            return None;
        }
        units /= cut;
    }
    i64::try_from(if negative { -units } else { units }).ok()
}

pub(super) fn read_money(members: &[(Cow<'_, str>, Json<'_>)]) -> Result<Value, Wrong> {
    let (mut amount, mut currency) = (None, None);
    for (name, value) in members {
        match (&**name, value) {
            ("amount", Json::Text(text)) => amount = Some(text),
            ("amount", other) => {
                let detail = format!("must be a decimal number as text, not {}", other.kind());
                return Err(Wrong::new(detail).inside("amount"));
            }
            ("currency", value) => {
                let code = if let Json::Text(code) = value { code } else { "" };
                let wrong = || Wrong::new(CURRENCY_WANTED).inside("currency");
                currency = Some(Currency::of(code).ok_or_else(wrong)?);
            }
            (other, _) => return Err(unknown(other, "money")),
        }
    }
    let missing = |member| Wrong::new("is missing").inside(member);
    let amount = amount.ok_or_else(|| missing("amount"))?;
    let currency = currency.ok_or_else(|| missing("currency"))?;
    let digits = amount.trim_start_matches('-').split('.').next().map_or(0, str::len);
    let units = fixed(amount, MONEY_SCALE).filter(|_| digits <= AMOUNT_DIGITS_MAX);
    let units = units.ok_or_else(|| {
        let detail = "must be a decimal number as text, such as `12.50`";
        Wrong::new(detail).inside("amount")
    })?;
    let decimals = currency.decimals();
    if amount.split_once('.').map_or(0, |(_, rest)| rest.len()) > usize::from(decimals) {
        let detail = format!("`{}` has {decimals} decimals", currency.as_str());
        return Err(Wrong::new(detail).inside("amount"));
    }
    Ok(Value::Money { units, currency })
}

pub(super) fn read_span(members: &[(Cow<'_, str>, Json<'_>)]) -> Result<Value, Wrong> {
    let (mut start, mut end) = (None, None);
    for (name, value) in members {
        let place = match &**name {
            "start" => &mut start,
            "end" => &mut end,
            other => return Err(unknown(other, "a timespan")),
        };
        let instant = match value {
            Json::Text(text) => time::read_timestamp(text),
            Json::Null | Json::Bool(_) | Json::Number(_) | Json::Array(_) | Json::Object(_) => None,
        };
        let detail = "must be an RFC 3339 timestamp such as `2026-01-31T12:30:00Z`";
        *place = Some(instant.ok_or_else(|| Wrong::new(detail).inside(name))?);
    }
    let missing = |member| Wrong::new("is missing").inside(member);
    Ok(Value::Timespan {
        start: start.ok_or_else(|| missing("start"))?,
        end: end.ok_or_else(|| missing("end"))?,
    })
}

fn unknown(member: &str, of: &str) -> Wrong {
    let detail = format!("`{}` is no member of {of}", shorten(member));
    Wrong { unknown: true, ..Wrong::new(detail) }.inside(member)
}

/// 36 characters with hyphens, in either case.
pub(crate) fn read_uuid(text: &str) -> Option<u128> {
    let bytes = text.as_bytes();
    if bytes.len() != 36 {
        return None;
    }
    let mut id = 0_u128;
    for (at, byte) in bytes.iter().enumerate() {
        if matches!(at, 8 | 13 | 18 | 23) {
            if *byte != b'-' {
                return None;
            }
        } else {
            id = id << 4 | u128::from(char::from(*byte).to_digit(16)?);
        }
    }
    Some(id)
}

/// The id that `#n` stands for.
pub(crate) fn made_by(text: &str, made: Made<'_>) -> Option<u128> {
    let number = text.strip_prefix('#')?;
    let plain = !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit());
    made.get(plain.then(|| number.parse::<usize>().ok()).flatten()?).copied().flatten()
}

pub(super) fn is_url(text: &str) -> bool {
    let rest = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"));
    let Some(rest) = rest else { return false };
    let authority = rest.split(['/', '?', '#']).next().unwrap_or("");
    let sound = |byte: u8| byte.is_ascii_graphic() && !b"\"<>\\^`{|}".contains(&byte);
    text.len() <= URL_CHARACTERS_MAX && text.bytes().all(sound) && is_authority(authority)
}

/// `[user@]host[:port]`, where the host is a name or an IPv6 address in brackets.
fn is_authority(authority: &str) -> bool {
    let (user, place) = authority.split_once('@').unwrap_or(("", authority));
    let (host_is_sound, port) = match place.strip_prefix('[') {
        Some(literal) => {
            let Some((address, port)) = literal.split_once(']') else { return false };
            (!address.contains('.') && address.parse::<Ipv6Addr>().is_ok(), port)
        }
        None => {
            let (host, port) = place.split_at(place.find(':').unwrap_or(place.len()));
            (!host.is_empty() && !host.contains(['@', '[', ']']), port)
        }
    };
    let digits = port.strip_prefix(':').unwrap_or(port);
    let port_is_sound = port.is_empty()
        || digits.is_empty()
        || (port.starts_with(':')
            && digits.len() <= 5
            && digits.bytes().all(|byte| byte.is_ascii_digit())
            && digits.parse::<u16>().is_ok());
    host_is_sound && port_is_sound && !user.contains(['[', ']'])
}

pub(super) fn is_email(text: &str) -> bool {
    let Some((local, domain)) = text.rsplit_once('@') else { return false };
    let label = |label: &str| {
        !label.is_empty()
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label.chars().all(|letter| letter.is_alphanumeric() || letter == '-')
    };
    let quoted = local.len() > 2 && local.starts_with('"') && local.ends_with('"');
    let plain = !local.contains(['@', '"'])
        && !local.starts_with('.')
        && !local.ends_with('.')
        && !local.contains("..");
    let literal = domain.starts_with('[') && domain.ends_with(']') && domain.len() > 2;
    text.chars().count() <= EMAIL_CHARACTERS_MAX
        && !local.is_empty()
        && local.len() <= 64
        && (quoted || plain)
        && !text.chars().any(|letter| letter.is_control() || letter.is_whitespace())
        && (literal || domain.split('.').all(label))
}
