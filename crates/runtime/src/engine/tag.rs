//! Entity tags: `"<version>.<hash>"`, strong, of the representation as the caller may see it.

use std::fmt;

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
        let hash = u64::from_str_radix(hash, 16).ok()?;
        let tag = Self { version: version.parse().ok()?, hash };
        // One tag has one spelling.
        (tag.to_string().trim_matches('"') == opaque).then_some(tag)
    }
}

impl fmt::Display for Tag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\"{}.{:016x}\"", self.version, self.hash)
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
    let mut chunks = bytes.chunks_exact(8);
    for chunk in &mut chunks {
        let mut eight = [0; 8];
        eight.copy_from_slice(chunk);
        mix(u64::from_le_bytes(eight));
    }
    let mut rest = [0; 8];
    rest[..chunks.remainder().len()].copy_from_slice(chunks.remainder());
    mix(u64::from_le_bytes(rest));
    mix(0x2545_f491_4f6c_dd1d);
    hash
}

#[test]
fn a_tag_has_one_spelling() {
    let tag = Tag::of(2, b"{}");
    let text = tag.to_string();
    let opaque = text.trim_matches('"');
    assert_eq!(Tag::read(opaque), Some(tag));
    let upper = opaque.to_uppercase();
    let padded = format!("0{opaque}");
    let signed = format!("+{opaque}");
    let longer = format!("{opaque}0");
    for other in ["2", "2.", "2.0", "", ".", "x.y", &padded, &signed, &longer] {
        assert_eq!(Tag::read(other), None, "{other}");
    }
    assert!(upper == opaque || Tag::read(&upper).is_none());
}
