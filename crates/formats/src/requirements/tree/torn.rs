//! Finds the values that YAML tears apart inside `{}` and `[]`: a comma, colon or bracket of an
//! expression. Each is said once, with the quotes that mend it, and read as it was meant.

use super::{Entry, Kind, Node, Scalar, Style};
use crate::requirements::faults::torn_value;
use crate::requirements::source::Offsets;
use ir::{Diagnostic, Span};
use std::ops::Range;

/// Bytes of a collection that are looked through for the torn value.
const LOOK_BYTES_MAX: usize = 1_024;

/// Joins what commas cut: `{ require: if(a, b, c) }` came as three entries.
pub(super) fn mend_entries(source: &str, entries: &mut Vec<Entry>, faults: &mut Vec<Diagnostic>) {
    let mut at = 0;
    while at < entries.len() {
        let end = closing(source, entries[at].value.scalar(), || {
            let rest = &entries[at + 1..];
            rest.iter().map(|entry| match entry.value.scalar() {
                Some(value) if !value.is_absent() => entry.key.span.to(value.span),
                _ => entry.key.span,
            })
        });
        if let Some((taken, range)) = end {
            entries[at].value = joined(source, entries[at].value.span.file, range, faults);
            entries.drain(at + 1..at + 1 + taken);
        }
        at += 1;
    }
}

/// Joins what commas cut in a list: `[user when f(a, b), system]`.
pub(super) fn mend_items(source: &str, items: &mut Vec<Node>, faults: &mut Vec<Diagnostic>) {
    let mut at = 0;
    while at < items.len() {
        let end =
            closing(source, items[at].scalar(), || items[at + 1..].iter().map(|item| item.span));
        if let Some((taken, range)) = end {
            items[at] = joined(source, items[at].span.file, range, faults);
            items.drain(at + 1..at + 1 + taken);
        }
        at += 1;
    }
}

/// How many of the following parts a plain value needs until its parentheses are closed, and the
/// range of the source that they make together.
fn closing<I: Iterator<Item = Span>>(
    source: &str,
    value: Option<&Scalar>,
    following: impl FnOnce() -> I,
) -> Option<(usize, Range<usize>)> {
    let value = value.filter(|value| value.style == Style::Plain)?;
    let mut depth = Depth::default();
    depth.read(&value.value);
    if !depth.is_open() {
        return None;
    }
    let start = value.span.start as usize;
    let mut seen = value.span.end as usize;
    for (taken, part) in following().enumerate() {
        let end = part.end as usize;
        if end > start + LOOK_BYTES_MAX {
            return None;
        }
        depth.read(source.get(seen..end)?);
        seen = end;
        if !depth.is_open() {
            return Some((taken + 1, start..end));
        }
    }
    None
}

/// Parentheses opened and not closed, those in quotes not counted.
#[derive(Default)]
struct Depth {
    open: i32,
    quote: Option<u8>,
}

impl Depth {
    fn read(&mut self, text: &str) {
        for byte in text.bytes() {
            match (self.quote, byte) {
                (Some(open), byte) if open == byte => self.quote = None,
                (Some(_), _) => {}
                (None, b'\'' | b'"') => self.quote = Some(byte),
                (None, b'(') => self.open += 1,
                (None, b')') => self.open -= 1,
                (None, _) => {}
            }
        }
    }

    fn is_open(&self) -> bool {
        self.open > 0
    }
}

fn joined(source: &str, file: u32, range: Range<usize>, faults: &mut Vec<Diagnostic>) -> Node {
    let value = source[range.clone()].to_owned();
    let span = Span::new(file, range.start, range.end);
    faults.push(torn_value::at(span, &value));
    let offsets = Offsets::align(&value, &value, range.start);
    Node { span, kind: Kind::Scalar(Scalar { value, style: Style::Plain, span, offsets }) }
}

/// The plain value of the collection opened at `open` in which the parser gave up at `fault`.
pub(super) fn value_at(text: &str, open: usize, fault: usize) -> Option<Range<usize>> {
    let end = text.len().min(open + LOOK_BYTES_MAX);
    let look = Look { bytes: text.as_bytes().get(..end)?, fault };
    let map = look.bytes.get(open) == Some(&b'{');
    let mut at = open + 1;
    while at <= fault {
        let part = look.part(at, map)?;
        if fault <= part.end + 1 {
            let value = &text[part.clone()];
            let is_plain = !value.starts_with(['{', '[', '"', '\'']) && !value.is_empty();
            let has_reason = value.contains(['[', '{', '?']) || value.contains(": ");
            return (is_plain && has_reason && !value.contains('\n')).then_some(part);
        }
        at = part.end + 1;
    }
    None
}

struct Look<'t> {
    bytes: &'t [u8],
    fault: usize,
}

impl Look<'_> {
    /// The value that begins after `at`: behind its key in a mapping, up to its comma or bracket.
    fn part(&self, at: usize, map: bool) -> Option<Range<usize>> {
        let mut start = self.blank(at);
        if map {
            let key = self.until(start, |bytes| bytes.starts_with(b": "))?;
            if key < self.fault {
                start = self.blank(key + 1);
            }
        }
        let end = self.until(start, |bytes| matches!(bytes[0], b',' | b'}' | b']'))?;
        let mut last = end;
        while last > start && self.bytes[last - 1].is_ascii_whitespace() {
            last -= 1;
        }
        Some(start..last)
    }

    fn blank(&self, at: usize) -> usize {
        let blank = self.bytes[at.min(self.bytes.len())..].iter();
        at + blank.take_while(|byte| byte.is_ascii_whitespace()).count()
    }

    /// The first place at or after `from`, outside of quotes and brackets, where `stop` holds.
    fn until(&self, from: usize, stop: impl Fn(&[u8]) -> bool) -> Option<usize> {
        let mut depth = 0_u32;
        let mut quote = None;
        for at in from..self.bytes.len() {
            let byte = self.bytes[at];
            if let Some(open) = quote {
                quote = (open != byte).then_some(open);
                continue;
            }
            if depth == 0 && stop(&self.bytes[at..]) {
                return Some(at);
            }
            match byte {
                b'\'' | b'"' => quote = Some(byte),
                b'(' | b'[' | b'{' => depth += 1,
                b')' | b']' | b'}' => depth = depth.checked_sub(1)?,
                _ => {}
            }
        }
        None
    }
}
