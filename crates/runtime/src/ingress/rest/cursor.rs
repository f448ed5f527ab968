//! Cursors: the place of a page's last row, sealed for what the cursor is good for alone.
//!
//! A cursor stands in addresses, and so in histories and the logs of proxies: what it holds of a
//! row is encrypted. The nonce is made of the place itself, so that the same page has the same
//! cursor and the same tag each time it is read; two places share one as rarely as two keyed
//! digests do.

use crate::engine::seal::CursorKey;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ir::value::{Currency, Value};
use ring::aead::{Aad, NONCE_LEN, Nonce};
use ring::hmac;

/// Characters of a cursor at most: four texts as long as those of sort keys may be (see
/// [`ir::contract::SORT_KEY_CHARACTERS_MAX`]) and as wide as characters get stay below it.
const CURSOR_CHARACTERS_MAX: usize = 6_144;

/// What a cursor is good for: list, filter, order, caller and tenant. Two of these are equal where
/// their digests are.
pub(super) struct Binding<'k> {
    key: &'k CursorKey,
    context: hmac::Context,
}

impl<'k> Binding<'k> {
    /// Nothing yet.
    pub(super) fn new(key: &'k CursorKey) -> Self {
        Self { key, context: hmac::Context::with_key(&key.digests) }
    }

    /// Adds a part; where one ends is part of it.
    pub(super) fn add(&mut self, part: &[u8]) {
        self.context.update(&(part.len() as u64).to_be_bytes());
        self.context.update(part);
    }

    fn nonce(&self, place: &[u8]) -> [u8; NONCE_LEN] {
        let mut context = self.context.clone();
        context.update(b"nonce");
        context.update(place);
        let mut nonce = [0; NONCE_LEN];
        nonce.copy_from_slice(&context.sign().as_ref()[..NONCE_LEN]);
        nonce
    }

    /// The digest of what was added.
    fn bound(&self) -> Aad<hmac::Tag> {
        Aad::from(self.context.clone().sign())
    }

    /// The cursor of a place; none where it could not be sealed.
    pub(super) fn cursor(&self, place: &[Value]) -> Option<String> {
        let mut bytes = Vec::with_capacity(64);
        for value in place {
            write(&mut bytes, value);
        }
        let nonce = self.nonce(&bytes);
        let sealed = Nonce::assume_unique_for_key(nonce);
        self.key.seals.seal_in_place_append_tag(sealed, self.bound(), &mut bytes).ok()?;
        bytes.splice(..0, nonce);
        Some(URL_SAFE_NO_PAD.encode(bytes))
    }

    /// The place of a cursor; none where it was not made for this.
    pub(super) fn place(&self, cursor: &str, keys: usize) -> Option<Vec<Value>> {
        if cursor.len() > CURSOR_CHARACTERS_MAX {
            return None;
        }
        let mut bytes = URL_SAFE_NO_PAD.decode(cursor).ok()?;
        let (nonce, sealed) = bytes.split_first_chunk_mut::<NONCE_LEN>()?;
        let nonce = Nonce::assume_unique_for_key(*nonce);
        let place = self.key.seals.open_in_place(nonce, self.bound(), sealed).ok()?;
        let mut rest = &*place;
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

    fn key() -> CursorKey {
        CursorKey::new(&[7; 32])
    }

    fn binding<'k>(key: &'k CursorKey, part: &[u8]) -> Binding<'k> {
        let mut binding = Binding::new(key);
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
        let key = key();
        let binding = |part: &[u8]| binding(&key, part);
        let cursor = binding(b"orders").cursor(&place).expect("it is sealed");
        assert_eq!(binding(b"orders").cursor(&place), Some(cursor.clone()), "the same each time");
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

    #[test]
    fn four_longest_texts_fit_and_nothing_of_them_is_seen() {
        let most = usize::try_from(ir::contract::SORT_KEY_CHARACTERS_MAX).unwrap();
        let key = key();
        let wide = Value::text("\u{1f600}".repeat(most));
        let mut place = vec![wide; 4];
        place.push(Value::Uuid(1));
        let cursor = binding(&key, b"x").cursor(&place).unwrap();
        assert!(cursor.len() <= CURSOR_CHARACTERS_MAX, "{}", cursor.len());
        assert_eq!(binding(&key, b"x").place(&cursor, 5), Some(place));
        let plain = "a".repeat(most);
        let cursor =
            binding(&key, b"x").cursor(&[Value::text(plain.as_str()), Value::Uuid(1)]).unwrap();
        assert!(cursor.len() < 1_024, "{}", cursor.len());
        let bytes = URL_SAFE_NO_PAD.decode(cursor).unwrap();
        assert!(!bytes.windows(4).any(|four| four == b"aaaa"), "{bytes:?}");
    }
}
