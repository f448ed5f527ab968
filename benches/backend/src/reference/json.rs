//! JSON of an order, written straight into a buffer; the same bytes as Mainstay's.

/// What an order shows, as a bit each.
pub(crate) const SHOPPER: u8 = 1;
/// The computed total.
pub(crate) const TOTAL: u8 = 2;
/// The note.
pub(crate) const NOTE: u8 = 4;
/// The state.
pub(crate) const STATUS: u8 = 8;
/// When it was made.
pub(crate) const CREATED: u8 = 16;
/// When it was changed.
pub(crate) const UPDATED: u8 = 32;
/// The lines.
pub(crate) const LINES: u8 = 64;
/// Everything.
pub(crate) const ALL: u8 = 127;

/// The bit of a member.
pub(crate) fn member(name: &str) -> Option<u8> {
    Some(match name {
        "id" => 0,
        "shopper" => SHOPPER,
        "lines" => LINES,
        "total" => TOTAL,
        "note" => NOTE,
        "status" => STATUS,
        "created_at" => CREATED,
        "updated_at" => UPDATED,
        _ => return None,
    })
}

/// An order without its lines, borrowed from a row.
pub(crate) struct Head<'a> {
    /// UUIDv7
    pub(crate) id: u128,
    /// Counts the writes.
    pub(crate) version: i64,
    /// Microseconds since 1970.
    pub(crate) created_at: i64,
    /// Microseconds since 1970.
    pub(crate) updated_at: i64,
    /// Whose.
    pub(crate) shopper: &'a str,
    /// In ten-thousandths.
    pub(crate) total: i64,
    /// ISO 4217
    pub(crate) currency: &'a str,
    /// What the shopper wants known.
    pub(crate) note: Option<&'a str>,
    /// Where it stands.
    pub(crate) status: &'a str,
}

/// A line, borrowed from a row.
pub(crate) struct Line<'a> {
    /// UUIDv7
    pub(crate) id: u128,
    /// Of the catalog.
    pub(crate) product: u128,
    /// In ten-thousandths.
    pub(crate) price: i64,
    /// ISO 4217
    pub(crate) currency: &'a str,
    /// How many.
    pub(crate) quantity: i64,
    /// Price of all.
    pub(crate) amount: i64,
}

/// Everything before the lines.
pub(crate) fn open(out: &mut Vec<u8>, head: &Head<'_>, members: u8) {
    out.extend_from_slice(b"{\"id\":\"");
    uuid(out, head.id);
    out.push(b'"');
    if members & SHOPPER != 0 {
        out.extend_from_slice(b",\"shopper\":");
        text(out, head.shopper);
    }
}

/// Everything after them.
pub(crate) fn close(out: &mut Vec<u8>, head: &Head<'_>, members: u8) {
    if members & TOTAL != 0 {
        out.extend_from_slice(b",\"total\":");
        money(out, head.total, head.currency);
    }
    if members & NOTE != 0 {
        match head.note {
            Some(note) => {
                out.extend_from_slice(b",\"note\":");
                text(out, note);
            }
            None => out.extend_from_slice(b",\"note\":null"),
        }
    }
    if members & STATUS != 0 {
        out.extend_from_slice(b",\"status\":");
        text(out, head.status);
    }
    if members & CREATED != 0 {
        out.extend_from_slice(b",\"created_at\":\"");
        timestamp(out, head.created_at);
        out.push(b'"');
    }
    if members & UPDATED != 0 {
        out.extend_from_slice(b",\"updated_at\":\"");
        timestamp(out, head.updated_at);
        out.push(b'"');
    }
    out.push(b'}');
}

/// One line.
pub(crate) fn line(out: &mut Vec<u8>, line: &Line<'_>) {
    out.extend_from_slice(b"{\"id\":\"");
    uuid(out, line.id);
    out.extend_from_slice(b"\",\"product\":\"");
    uuid(out, line.product);
    out.extend_from_slice(b"\",\"price\":");
    money(out, line.price, line.currency);
    out.extend_from_slice(b",\"quantity\":");
    int(out, line.quantity);
    out.extend_from_slice(b",\"amount\":");
    money(out, line.amount, line.currency);
    out.push(b'}');
}

/// A text with its quotes.
pub(crate) fn text(out: &mut Vec<u8>, text: &str) {
    if text.bytes().any(|byte| byte < 0x20 || byte == b'"' || byte == b'\\') {
        // Rare, so the library's word on it is good enough.
        out.extend_from_slice(serde_json::to_string(text).unwrap_or_default().as_bytes());
        return;
    }
    out.push(b'"');
    out.extend_from_slice(text.as_bytes());
    out.push(b'"');
}

/// `{"amount":"12.50","currency":"EUR"}`
pub(crate) fn money(out: &mut Vec<u8>, units: i64, currency: &str) {
    out.extend_from_slice(b"{\"amount\":\"");
    if units < 0 {
        out.push(b'-');
    }
    let units = units.unsigned_abs();
    digits(out, units / 10_000, 1);
    let mut rest = units % 10_000;
    let mut width = 4;
    let least = if matches!(currency, "JPY" | "KRW") { 0 } else { 2 };
    while width > least && rest.is_multiple_of(10) {
        rest /= 10;
        width -= 1;
    }
    if width > 0 {
        out.push(b'.');
        digits(out, rest, width);
    }
    out.extend_from_slice(b"\",\"currency\":\"");
    out.extend_from_slice(currency.as_bytes());
    out.extend_from_slice(b"\"}");
}

/// A whole number.
pub(crate) fn int(out: &mut Vec<u8>, number: i64) {
    if number < 0 {
        out.push(b'-');
    }
    digits(out, number.unsigned_abs(), 1);
}

fn digits(out: &mut Vec<u8>, mut number: u64, width: usize) {
    let mut text = [b'0'; 20];
    let mut at = text.len();
    while number >= 10 {
        at -= 2;
        text[at..at + 2].copy_from_slice(&pair(number));
        number /= 100;
    }
    if number > 0 {
        at -= 1;
        text[at] = b'0' + (number % 10) as u8;
    }
    out.extend_from_slice(&text[at.min(text.len() - width)..]);
}

/// The last two digits of a number.
fn pair(number: u64) -> [u8; 2] {
    PAIRS[(number % 100) as usize]
}

const PAIRS: [[u8; 2]; 100] = {
    let mut pairs = [[b'0'; 2]; 100];
    let mut number = 0;
    while number < 100 {
        pairs[number] = [b'0' + (number / 10) as u8, b'0' + (number % 10) as u8];
        number += 1;
    }
    pairs
};

const HEX: &[u8; 16] = b"0123456789abcdef";

/// The two digits of a byte.
const PAIRS_HEX: [[u8; 2]; 256] = {
    let mut pairs = [[0; 2]; 256];
    let mut byte = 0;
    while byte < 256 {
        pairs[byte] = [HEX[byte >> 4], HEX[byte & 15]];
        byte += 1;
    }
    pairs
};

/// In lower case with hyphens.
pub(crate) fn uuid(out: &mut Vec<u8>, id: u128) {
    /// Where the digits of each byte stand.
    const PLACES: [usize; 16] = [0, 2, 4, 6, 9, 11, 14, 16, 19, 21, 24, 26, 28, 30, 32, 34];
    let mut text = [b'-'; 36];
    for (byte, at) in id.to_be_bytes().iter().zip(PLACES) {
        text[at..at + 2].copy_from_slice(&PAIRS_HEX[usize::from(*byte)]);
    }
    out.extend_from_slice(&text);
}

/// Reads a UUID.
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
            continue;
        }
        id = id << 4 | u128::from((*byte as char).to_digit(16)?);
    }
    Some(id)
}

/// RFC 3339 in UTC.
pub(crate) fn timestamp(out: &mut Vec<u8>, micros: i64) {
    const DAY: i64 = 86_400_000_000;
    let days = micros.div_euclid(DAY) + 719_468;
    let of_day = micros.rem_euclid(DAY).unsigned_abs();
    let era = days.div_euclid(146_097);
    let of_era = days.rem_euclid(146_097);
    let year = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let shifted = (5 * of_year + 2) / 153;
    let day = of_year - (153 * shifted + 2) / 5 + 1;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
    let year = era * 400 + year + i64::from(month <= 2);
    let seconds = of_day / 1_000_000;
    let ([a, b], [c, d]) = (pair(year.unsigned_abs() / 100), pair(year.unsigned_abs()));
    let ([e, f], [g, h]) = (pair(month.unsigned_abs()), pair(day.unsigned_abs()));
    out.extend_from_slice(&[a, b, c, d, b'-', e, f, b'-', g, h, b'T']);
    let ([a, b], [c, d], [e, f]) =
        (pair(seconds / 3_600), pair(seconds / 60 % 60), pair(seconds % 60));
    out.extend_from_slice(&[a, b, b':', c, d, b':', e, f]);
    let fraction = of_day % 1_000_000;
    if fraction != 0 {
        let ([a, b], [c, d], [e, f]) =
            (pair(fraction / 10_000), pair(fraction / 100), pair(fraction));
        out.extend_from_slice(&[b'.', a, b, c, d, e, f]);
    }
    out.push(b'Z');
}

/// Mainstay's hash of a representation, so that entity tags can be compared.
pub(crate) fn hash(bytes: &[u8]) -> u64 {
    const FACTOR: u64 = 0x9e37_79b9_7f4a_7c15;
    let mut hash = FACTOR ^ (bytes.len() as u64);
    let mut mix = |chunk: u64| {
        let wide = u128::from(hash ^ chunk) * u128::from(FACTOR);
        hash = (wide as u64) ^ ((wide >> 64) as u64) ^ chunk.rotate_left(32);
    };
    let (chunks, left) = bytes.as_chunks::<8>();
    for chunk in chunks {
        mix(u64::from_le_bytes(*chunk));
    }
    let mut rest = [0; 8];
    rest[..left.len()].copy_from_slice(left);
    mix(u64::from_le_bytes(rest));
    mix(0x2545_f491_4f6c_dd1d);
    hash
}
