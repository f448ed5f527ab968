//! Writing JSON straight into a buffer, without a tree between.

use super::time;
use ir::value::{Currency, Value};

/// Writes a text with its quotes.
pub(crate) fn text(out: &mut Vec<u8>, text: &str) {
    let bytes = text.as_bytes();
    out.reserve(bytes.len() + 2);
    out.push(b'"');
    // Most texts need no escape: to look at all bytes together is a step for many of them.
    let special = |byte: &u8| (*byte < 0x20) | (*byte == b'"') | (*byte == b'\\');
    if !bytes.iter().fold(false, |found, byte| found | special(byte)) {
        out.extend_from_slice(bytes);
        out.push(b'"');
        return;
    }
    let mut plain = 0;
    for (at, byte) in bytes.iter().enumerate() {
        if *byte >= 0x20 && *byte != b'"' && *byte != b'\\' {
            continue;
        }
        out.extend_from_slice(&bytes[plain..at]);
        plain = at + 1;
        match byte {
            b'"' => out.extend_from_slice(b"\\\""),
            b'\\' => out.extend_from_slice(b"\\\\"),
            b'\n' => out.extend_from_slice(b"\\n"),
            b'\r' => out.extend_from_slice(b"\\r"),
            b'\t' => out.extend_from_slice(b"\\t"),
            _ => {
                out.extend_from_slice(b"\\u00");
                out.push(HEX[usize::from(byte >> 4)]);
                out.push(HEX[usize::from(byte & 15)]);
            }
        }
    }
    out.extend_from_slice(&bytes[plain..]);
    out.push(b'"');
}

/// `"name":`, as it stands before a value.
pub(crate) fn key(name: &str) -> Box<[u8]> {
    let mut out = Vec::with_capacity(name.len() + 3);
    text(&mut out, name);
    out.push(b':');
    out.into_boxed_slice()
}

/// Writes a value in its wire form.
pub(crate) fn value(out: &mut Vec<u8>, value: &Value) {
    match value {
        Value::Null => out.extend_from_slice(b"null"),
        Value::Bool(true) => out.extend_from_slice(b"true"),
        Value::Bool(false) => out.extend_from_slice(b"false"),
        Value::Int(n) => int(out, *n),
        Value::Decimal { units, scale } => quoted(out, |out| decimal(out, *units, *scale, *scale)),
        Value::Money { units, currency } => money(out, *units, *currency),
        Value::Text(value) => text(out, value),
        Value::Date(days) => quoted(out, |out| time::write_date(out, *days)),
        Value::Time(micros) => quoted(out, |out| time::write_time(out, *micros)),
        Value::Timestamp(micros) => instant(out, *micros),
        Value::Duration(micros) => quoted(out, |out| time::write_duration(out, *micros)),
        Value::Timespan { start, end } => {
            out.extend_from_slice(b"{\"start\":");
            instant(out, *start);
            out.extend_from_slice(b",\"end\":");
            instant(out, *end);
            out.push(b'}');
        }
        Value::Uuid(id) => self::id(out, *id),
        Value::Json(json) => out.extend_from_slice(json.as_bytes()),
        Value::List(elements) => {
            out.push(b'[');
            for (at, element) in elements.iter().enumerate() {
                if at > 0 {
                    out.push(b',');
                }
                self::value(out, element);
            }
            out.push(b']');
        }
    }
}

/// An id with its quotes.
pub(crate) fn id(out: &mut Vec<u8>, id: u128) {
    quoted(out, |out| uuid(out, id));
}

/// An instant with its quotes.
pub(crate) fn instant(out: &mut Vec<u8>, micros: i64) {
    quoted(out, |out| time::write_timestamp(out, micros));
}

fn quoted(out: &mut Vec<u8>, write: impl FnOnce(&mut Vec<u8>)) {
    out.push(b'"');
    write(out);
    out.push(b'"');
}

/// `{"amount":"12.50","currency":"EUR"}`
fn money(out: &mut Vec<u8>, units: i64, currency: Currency) {
    out.extend_from_slice(b"{\"amount\":\"");
    decimal(out, units, 4, currency.decimals());
    out.extend_from_slice(b"\",\"currency\":\"");
    out.extend_from_slice(currency.as_str().as_bytes());
    out.extend_from_slice(b"\"}");
}

/// A whole number.
pub(crate) fn int(out: &mut Vec<u8>, n: i64) {
    if n < 0 {
        out.push(b'-');
    }
    unsigned(out, n.unsigned_abs(), 1);
}

/// Digits, with zeros before them up to a width.
pub(crate) fn unsigned(out: &mut Vec<u8>, mut n: u64, width: usize) {
    let mut digits = [b'0'; 20];
    let mut at = digits.len();
    while n >= 10 {
        at -= 2;
        digits[at..at + 2].copy_from_slice(&pair(n));
        n /= 100;
    }
    if n > 0 {
        at -= 1;
        digits[at] = b'0' + (n % 10) as u8;
    }
    out.extend_from_slice(&digits[at.min(digits.len() - width)..]);
}

/// The last two digits of a number: division by ten is most of what digits cost.
pub(crate) fn pair(n: u64) -> [u8; 2] {
    PAIRS[(n % 100) as usize]
}

const PAIRS: [[u8; 2]; 100] = {
    let mut pairs = [[b'0'; 2]; 100];
    let mut n = 0;
    while n < 100 {
        pairs[n] = [b'0' + (n / 10) as u8, b'0' + (n % 10) as u8];
        n += 1;
    }
    pairs
};

/// `units / 10^scale` with at least `shown` digits after the point: further ones only where they
/// are not zero.
pub(crate) fn decimal(out: &mut Vec<u8>, units: i64, scale: u8, shown: u8) {
    if units < 0 {
        out.push(b'-');
    }
    let one = 10_u64.pow(u32::from(scale));
    let (whole, mut rest) = (units.unsigned_abs() / one, units.unsigned_abs() % one);
    unsigned(out, whole, 1);
    let mut digits = scale;
    while digits > shown && rest % 10 == 0 {
        rest /= 10;
        digits -= 1;
    }
    if digits > 0 {
        out.push(b'.');
        unsigned(out, rest, usize::from(digits));
    }
}

/// `units / 10^digits` with all those digits behind the point.
pub(crate) fn fixed(out: &mut Vec<u8>, units: u64, digits: u32) {
    let one = 10_u64.pow(digits);
    unsigned(out, units / one, 1);
    out.push(b'.');
    unsigned(out, units % one, digits as usize);
}

const HEX: &[u8; 16] = b"0123456789abcdef";

/// The two digits of a byte, in lower case.
const PAIRS_HEX: [[u8; 2]; 256] = {
    let mut pairs = [[0; 2]; 256];
    let mut byte = 0;
    while byte < 256 {
        pairs[byte] = [HEX[byte >> 4], HEX[byte & 15]];
        byte += 1;
    }
    pairs
};

/// Two digits a byte, in lower case.
pub(crate) fn hex(out: &mut Vec<u8>, bytes: &[u8]) {
    for byte in bytes {
        out.extend_from_slice(&PAIRS_HEX[usize::from(*byte)]);
    }
}

/// An id as text.
pub(crate) fn uuid_text(id: u128) -> String {
    let mut out = Vec::with_capacity(36);
    uuid(&mut out, id);
    String::from_utf8(out).unwrap_or_default()
}

/// `0190a5c4-…` in lower case.
pub(crate) fn uuid(out: &mut Vec<u8>, id: u128) {
    /// Where the digits of each byte stand.
    const PLACES: [usize; 16] = [0, 2, 4, 6, 9, 11, 14, 16, 19, 21, 24, 26, 28, 30, 32, 34];
    let mut text = [b'-'; 36];
    for (byte, at) in id.to_be_bytes().iter().zip(PLACES) {
        text[at..at + 2].copy_from_slice(&PAIRS_HEX[usize::from(*byte)]);
    }
    out.extend_from_slice(&text);
}
