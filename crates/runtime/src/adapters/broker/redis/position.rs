//! Ids of a stream's entries, as positions.

/// Bits of a position that are the sequence within a millisecond.
const SEQUENCE_BITS: u32 = 20;
/// From this sequence on, ids are moved on to the next millisecond: far enough from the last that
/// fits for whatever is published meanwhile.
const SEQUENCE_TURN: u64 = 1 << (SEQUENCE_BITS - 1);

/// An entry's id: the server's clock in milliseconds when it was added, and a sequence that tells
/// those of one millisecond apart, as it tells those that are added while the clock is behind the
/// last id.
///
/// Both fit into a position of 63 bits: 43 of them hold milliseconds up to the year 2248, and
/// sequences are kept below 2^20 by whoever publishes (see [`Id::turned`]). An id that someone else
/// gave an entry and that is beyond has no position, and reading says so.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Id {
    pub(super) milliseconds: u64,
    pub(super) sequence: u64,
}

impl Id {
    /// Reads `1700000000000-7`.
    pub(super) fn parse(text: &[u8]) -> Option<Self> {
        let (milliseconds, sequence) = std::str::from_utf8(text).ok()?.split_once('-')?;
        Some(Self { milliseconds: milliseconds.parse().ok()?, sequence: sequence.parse().ok()? })
    }

    pub(super) fn of(position: i64) -> Self {
        let folded = u64::try_from(position).unwrap_or(0);
        let sequence = folded & ((1 << SEQUENCE_BITS) - 1);
        Self { milliseconds: folded >> SEQUENCE_BITS, sequence }
    }

    /// None where it does not fit.
    pub(super) fn position(self) -> Option<i64> {
        if self.sequence >> SEQUENCE_BITS > 0 {
            return None;
        }
        let shifted = self.milliseconds.checked_mul(1 << SEQUENCE_BITS)?;
        i64::try_from(shifted | self.sequence).ok()
    }

    /// Where ids have to go on, if the sequence has come too far for them to fit.
    pub(super) fn turned(self) -> Option<Self> {
        let next = Self { milliseconds: self.milliseconds.saturating_add(1), sequence: 0 };
        (self.sequence >= SEQUENCE_TURN).then_some(next)
    }
}

impl std::fmt::Display for Id {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}-{}", self.milliseconds, self.sequence)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_and_its_position_are_the_same_and_grow_together() {
        let mut before = -1;
        for text in ["0-0", "0-1", "1-0", "1700000000000-0", "1700000000000-1048575"] {
            let id = Id::parse(text.as_bytes()).expect("an id");
            let position = id.position().expect("it fits");
            assert!(position > before, "{text}");
            assert_eq!(Id::of(position).to_string(), text);
            before = position;
        }
        assert_eq!(Id::of(-1).to_string(), "0-0");
    }

    #[test]
    fn what_does_not_fit_is_no_position() {
        for text in ["1-1048576", "8796093022208-0", "18446744073709551615-0"] {
            let id = Id::parse(text.as_bytes()).expect("an id");
            assert_eq!(id.position(), None, "{text}");
        }
        for text in ["", "1", "1-", "-1", "a-1"] {
            assert_eq!(Id::parse(text.as_bytes()), None, "{text}");
        }
    }

    #[test]
    fn a_sequence_is_turned_long_before_it_does_not_fit() {
        let id = |sequence| Id { milliseconds: 7, sequence };
        assert_eq!(id(SEQUENCE_TURN - 1).turned(), None);
        assert_eq!(id(SEQUENCE_TURN).turned(), Some(Id { milliseconds: 8, sequence: 0 }));
    }
}
