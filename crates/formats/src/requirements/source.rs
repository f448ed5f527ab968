//! Parts of a scalar, each of which knows its place in the file whatever quotes or folds stand
//! between the value and its source.

use ir::{Name, Span, Spanned};

/// Where the bytes of a scalar's value stand in its file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Offsets {
    /// Byte `n` of the value is byte `n + shift` of the file.
    Shift(u32),
    /// Byte `n` of the value is byte `table[n]`; one entry more than there are bytes.
    Table(Vec<u32>),
}

impl Offsets {
    fn at(&self, byte: usize) -> usize {
        match self {
            Self::Shift(shift) => byte + *shift as usize,
            Self::Table(table) => {
                table.get(byte).or(table.last()).map_or(0, |offset| *offset as usize)
            }
        }
    }

    /// Lays a value beside the source it was read from, character by character: what a quote, an
    /// escape or a fold changed is given the place where it began.
    pub(crate) fn align(value: &str, source: &str, start: usize) -> Self {
        if value.len() == source.len() && value == source {
            return Self::Shift(small(start));
        }
        let body = source.strip_prefix(['"', '\'']).unwrap_or(source);
        if body.get(..value.len()) == Some(value) && source.len() == value.len() + 2 {
            return Self::Shift(small(start + 1));
        }
        let mut table = Vec::with_capacity(value.len() + 1);
        let mut at = source.len() - body.len();
        for c in value.chars() {
            let rest = &source[at..];
            let skipped = if c.is_whitespace() { 0 } else { leading(rest) };
            let found = at + skipped;
            table.extend(std::iter::repeat_n(small(start + found), c.len_utf8()));
            at = (found + consumed(&source[found..], c)).min(source.len());
        }
        table.push(small(start + at));
        Self::Table(table)
    }
}

/// White space at the beginning of a source that the value does not have.
fn leading(source: &str) -> usize {
    source.len() - source.trim_start().len()
}

/// Bytes of the source that stand for one character of the value.
fn consumed(source: &str, c: char) -> usize {
    if c == ' ' || c == '\n' {
        let blank = source.len() - source.trim_start_matches([' ', '\t', '\r', '\n']).len();
        let folded = source[..blank].contains('\n');
        return if folded { blank } else { 1.min(blank) };
    }
    if source.starts_with(c) {
        let doubled = c == '\'' && source.starts_with("''");
        return if doubled { 2 } else { c.len_utf8() };
    }
    let mut escape = source.chars();
    match (escape.next(), escape.next()) {
        (Some('\\'), Some('x')) => 4.min(source.len()),
        (Some('\\'), Some('u')) => 6.min(source.len()),
        (Some('\\'), Some('U')) => 10.min(source.len()),
        (Some('\\'), Some(letter)) => 1 + letter.len_utf8(),
        _ => 0,
    }
    .min(source.len())
}

fn small(offset: usize) -> u32 {
    u32::try_from(offset).unwrap_or(u32::MAX)
}

/// A part of a scalar's value with the means to say where it stands.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Slice<'t> {
    /// The part.
    pub(crate) text: &'t str,
    /// Its first byte within the whole value.
    start: usize,
    file: u32,
    offsets: &'t Offsets,
}

impl<'t> Slice<'t> {
    pub(crate) fn new(text: &'t str, file: u32, offsets: &'t Offsets) -> Self {
        Self { text, start: 0, file, offsets }
    }

    /// Where the part stands.
    pub(crate) fn span(&self) -> Span {
        self.span_of(0, self.text.len())
    }

    /// Where bytes `start..end` of the part stand.
    pub(crate) fn span_of(&self, start: usize, end: usize) -> Span {
        let first = self.offsets.at(self.start + start);
        let last = self.offsets.at(self.start + end).max(first);
        Span::new(self.file, first, last)
    }

    /// Bytes `start..end` of the part.
    pub(crate) fn part(&self, start: usize, end: usize) -> Self {
        Self { text: &self.text[start..end], start: self.start + start, ..*self }
    }

    /// Without white space at both ends.
    pub(crate) fn trim(&self) -> Self {
        let start = self.text.len() - self.text.trim_start().len();
        self.part(start, start + self.text.trim().len())
    }

    /// The text with its place.
    pub(crate) fn name(&self) -> Name {
        Spanned::new(self.text.to_owned(), self.span())
    }

    /// A value with the place of this part.
    pub(crate) fn at<T>(&self, value: T) -> Spanned<T> {
        Spanned::new(value, self.span())
    }

    /// The parts between the places where `separator` stands, trimmed.
    pub(crate) fn split(&self, separator: char) -> std::vec::IntoIter<Slice<'t>> {
        let whole = *self;
        let mut start = 0;
        let mut parts = Vec::new();
        for (at, found) in whole.text.match_indices(separator) {
            parts.push(whole.part(start, at).trim());
            start = at + found.len();
        }
        parts.push(whole.part(start, whole.text.len()).trim());
        parts.into_iter()
    }

    /// The two parts around the first `separator`, trimmed.
    pub(crate) fn split_once(&self, separator: &str) -> Option<(Self, Self)> {
        let at = self.text.find(separator)?;
        let after = self.part(at + separator.len(), self.text.len());
        Some((self.part(0, at).trim(), after.trim()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// For each character of the value: the source byte it is said to stand at.
    fn aligned(value: &str, source: &str) -> Vec<(char, usize)> {
        let offsets = Offsets::align(value, source, 0);
        value.char_indices().map(|(at, c)| (c, offsets.at(at))).collect()
    }

    #[test]
    fn every_character_of_a_value_finds_its_place_behind_quotes_escapes_and_folds() {
        let cases = [
            ("ab", "ab"),
            ("ab", "'ab'"),
            ("a'b", "'a''b'"),
            ("a\"b", "\"a\\\"b\""),
            ("é b", "\"\\u00e9 b\""),
            ("a b", "a\n   b"),
            ("a b\n", "\n  a\n  b\n"),
        ];
        for (value, source) in cases {
            for (c, at) in aligned(value, source) {
                let there = source[at..].chars().next().unwrap_or('\n');
                let fits =
                    there == c || there == '\\' || (c.is_whitespace() && there.is_whitespace());
                assert!(
                    fits || (value.ends_with(c) && at >= source.len()),
                    "{c:?} of {source:?} at {at}"
                );
            }
        }
    }
}
