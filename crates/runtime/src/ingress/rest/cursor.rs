//! Cursors: the place of a page's last row, signed together with what the cursor is good for.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ir::value::{Currency, Value};
use ring::hmac;

/// Bytes of the signature that a cursor carries.
const SIGNATURE_BYTES: usize = 16;
/// Characters of a cursor at most.
const CURSOR_CHARACTERS_MAX: usize = 8_192;

/// What a cursor is good for: list, filter, order, caller and tenant. Two of these are equal where
/// their digests are.
pub(super) struct Binding {
    context: hmac::Context,
}

impl Binding {
    /// Nothing yet.
    pub(super) fn new(key: &hmac::Key) -> Self {
        Self { context: hmac::Context::with_key(key) }
    }

    /// Adds a part; where one ends is part of it.
    pub(super) fn add(&mut self, part: &[u8]) {
        self.context.update(&(part.len() as u64).to_be_bytes());
        self.context.update(part);
    }

    fn sign(&self, place: &[u8]) -> [u8; SIGNATURE_BYTES] {
        let mut context = self.context.clone();
        context.update(place);
        let tag = context.sign();
        let mut signature = [0; SIGNATURE_BYTES];
        signature.copy_from_slice(&tag.as_ref()[..SIGNATURE_BYTES]);
        signature
    }

    /// The cursor of a place.
    pub(super) fn cursor(&self, place: &[Value]) -> String {
        let mut bytes = Vec::with_capacity(64);
        for value in place {
            write(&mut bytes, value);
        }
        let signature = self.sign(&bytes);
        bytes.extend_from_slice(&signature);
        URL_SAFE_NO_PAD.encode(bytes)
    }

    /// The place of a cursor; none where it was not made for this.
    pub(super) fn place(&self, cursor: &str, keys: usize) -> Option<Vec<Value>> {
        if cursor.len() > CURSOR_CHARACTERS_MAX {
            return None;
        }
        let bytes = URL_SAFE_NO_PAD.decode(cursor).ok()?;
        let (place, signature) =
            bytes.split_at_checked(bytes.len().checked_sub(SIGNATURE_BYTES)?)?;
        let ours = self.sign(place);
        let differs = ours.iter().zip(signature).fold(0, |all, (a, b)| all | (a ^ b));
        if differs != 0 {
            return None;
        }
        let mut rest = place;
        let values: Option<Vec<Value>> = (0..keys).map(|_| read(&mut rest)).collect();
        values.filter(|_| rest.is_empty())
    }
}

fn write(out: &mut Vec<u8>, value: &Value) {
    let mut put = |kind: u8, bytes: &[u8]| {
        out.push(kind);
        out.extend_from_slice(bytes);
    };
    match value {
        Value::Null | Value::Json(_) | Value::List(_) => put(0, &[]),
        Value::Bool(value) => put(1, &[u8::from(*value)]),
        Value::Int(n) => put(2, &n.to_be_bytes()),
        Value::Decimal { units, scale } => {
            put(3, &units.to_be_bytes());
            put(*scale, &[]);
        }
        Value::Money { units, currency } => {
            put(4, &units.to_be_bytes());
            put(currency.0[0], &currency.0[1..]);
        }
        Value::Text(text) => {
            put(5, &u32::try_from(text.len()).unwrap_or(u32::MAX).to_be_bytes());
            out.extend_from_slice(text.as_bytes());
        }
        Value::Date(days) => put(6, &days.to_be_bytes()),
        Value::Time(micros) => put(7, &micros.to_be_bytes()),
        Value::Timestamp(micros) => put(8, &micros.to_be_bytes()),
        Value::Duration(micros) => put(9, &micros.to_be_bytes()),
        Value::Timespan { start, end } => {
            put(10, &start.to_be_bytes());
            out.extend_from_slice(&end.to_be_bytes());
        }
        Value::Uuid(id) => put(11, &id.to_be_bytes()),
    }
}

fn read(from: &mut &[u8]) -> Option<Value> {
    fn take<const N: usize>(from: &mut &[u8]) -> Option<[u8; N]> {
        let (bytes, rest) = from.split_first_chunk::<N>()?;
        *from = rest;
        Some(*bytes)
    }
    fn long(from: &mut &[u8]) -> Option<i64> {
        take::<8>(from).map(i64::from_be_bytes)
    }
    let [kind] = take::<1>(from)?;
    Some(match kind {
        0 => Value::Null,
        1 => Value::Bool(take::<1>(from)? != [0]),
        2 => Value::Int(long(from)?),
        3 => Value::Decimal { units: long(from)?, scale: take::<1>(from)?[0] },
        4 => Value::Money { units: long(from)?, currency: Currency(take::<3>(from)?) },
        5 => {
            let length = usize::try_from(u32::from_be_bytes(take::<4>(from)?)).ok()?;
            let (text, rest) = from.split_at_checked(length)?;
            *from = rest;
            Value::text(std::str::from_utf8(text).ok()?)
        }
        6 => Value::Date(i32::from_be_bytes(take::<4>(from)?)),
        7 => Value::Time(long(from)?),
        8 => Value::Timestamp(long(from)?),
        9 => Value::Duration(long(from)?),
        10 => Value::Timespan { start: long(from)?, end: long(from)? },
        11 => Value::Uuid(u128::from_be_bytes(take::<16>(from)?)),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn binding(part: &[u8]) -> Binding {
        let key = hmac::Key::new(hmac::HMAC_SHA256, &[7; 32]);
        let mut binding = Binding::new(&key);
        binding.add(part);
        binding
    }

    #[test]
    fn a_cursor_is_good_for_what_it_was_made_for_alone() {
        let place = vec![
            Value::Null,
            Value::Bool(true),
            Value::Int(-5),
            Value::Decimal { units: 12, scale: 3 },
            Value::Money { units: 7, currency: Currency(*b"EUR") },
            Value::text("é\0x"),
            Value::Date(-1),
            Value::Timestamp(9),
            Value::Timespan { start: 1, end: 2 },
            Value::Uuid(u128::MAX - 1),
        ];
        let cursor = binding(b"orders").cursor(&place);
        assert_eq!(binding(b"orders").place(&cursor, place.len()), Some(place.clone()));
        assert_eq!(binding(b"products").place(&cursor, place.len()), None);
        assert_eq!(binding(b"orders").place(&cursor, place.len() - 1), None);
        assert_eq!(binding(b"orders").place("", 0), None);
        for at in 0..cursor.len() {
            let mut other = cursor.clone().into_bytes();
            other[at] = if other[at] == b'A' { b'B' } else { b'A' };
            let other = String::from_utf8(other).unwrap();
            assert_eq!(binding(b"orders").place(&other, place.len()), None, "byte {at}");
        }
    }
}
