//! Entity tags: `"<version>.<hash>"`, strong, of the representation as the caller may see it.

use crate::json::write;

/// Digits of the hash.
const HASH_DIGITS: usize = 16;

/// The tag of a representation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Tag {
    /// The row's version.
    pub(crate) version: i64,
    /// Of the representation's bytes.
    hash: u64,
}

impl Tag {
    /// The tag of a representation of a row of that version.
    pub(crate) fn of(version: i64, representation: &[u8]) -> Self {
        Self { version, hash: hash(representation) }
    }

    /// Reads what stands between the quotes; none where no tag of ours is written so.
    pub(crate) fn read(opaque: &str) -> Option<Self> {
        let (version, hash) = opaque.split_once('.')?;
        // One tag has one spelling.
        let digit = |byte: &u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
        let padded = version.len() > 1 && version.starts_with('0');
        let counts = version.bytes().all(|byte| byte.is_ascii_digit()) && !padded;
        if hash.len() != HASH_DIGITS || !hash.as_bytes().iter().all(digit) || !counts {
            return None;
        }
        let hash = u64::from_str_radix(hash, 16).ok()?;
        Some(Self { version: version.parse().ok()?, hash })
    }

    /// With its quotes, as it stands in a header.
    pub(crate) fn quoted(self) -> Vec<u8> {
        let mut out = Vec::with_capacity(2 + 20 + 1 + HASH_DIGITS);
        out.push(b'"');
        write::int(&mut out, self.version);
        out.push(b'.');
        write::hex(&mut out, &self.hash.to_be_bytes());
        out.push(b'"');
        out
    }
}

/// A hash of bytes that tells representations apart; it keeps no secret.
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

#[test]
fn a_tag_has_one_spelling() {
    let tag = Tag::of(2, b"{}");
    let text = String::from_utf8(tag.quoted()).unwrap();
    let opaque = text.trim_matches('"');
    assert_eq!(Tag::read(opaque), Some(tag));
    assert_eq!(text, format!("\"2.{:016x}\"", tag.hash));
    let upper = opaque.to_uppercase();
    let padded = format!("0{opaque}");
    let signed = format!("+{opaque}");
    let longer = format!("{opaque}0");
    let zero = "0000000000000000";
    let minus = format!("-0.{zero}");
    let empty = format!(".{zero}");
    let others = [&padded, &signed, &longer, &minus, &empty].map(String::as_str);
    for other in ["2", "2.", "2.0", "", ".", "x.y"].into_iter().chain(others) {
        assert_eq!(Tag::read(other), None, "{other}");
    }
    assert!(upper == opaque || Tag::read(&upper).is_none());
}
