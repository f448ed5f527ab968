//! Lines of the source files, found in time that does not grow with the number of diagnostics.

use ir::{Sources, Span};

/// Where the lines of every file begin.
pub(super) struct Lines<'a> {
    sources: &'a Sources,
    starts: Vec<Vec<usize>>,
}

/// One line of a file and a range of bytes on it.
#[derive(Clone, Copy)]
pub(super) struct Place<'a> {
    /// Path of the file; empty where there is none.
    pub(super) path: &'a str,
    /// From 1.
    pub(super) line: usize,
    /// From 1, in characters.
    pub(super) column: usize,
    /// The line without its end.
    pub(super) text: &'a str,
    /// First byte of the range on the line.
    pub(super) start: usize,
    /// One past its last byte; a longer range is cut at the line's end.
    pub(super) end: usize,
}

impl<'a> Lines<'a> {
    pub(super) fn of(sources: &'a Sources) -> Self {
        let starts_of = |text: &str| {
            let breaks = text.bytes().enumerate().filter(|(_, byte)| *byte == b'\n');
            std::iter::once(0).chain(breaks.map(|(at, _)| at + 1)).collect()
        };
        let starts = sources.files.iter().map(|file| starts_of(&file.text)).collect();
        Self { sources, starts }
    }

    /// The line a span begins on; `None` where the file is unknown.
    pub(super) fn place(&self, span: Span) -> Option<Place<'a>> {
        let file = self.sources.files.get(span.file as usize)?;
        let starts = self.starts.get(span.file as usize)?;
        let start = floor(&file.text, span.start as usize);
        let end = floor(&file.text, span.end as usize).max(start);
        let line = starts.partition_point(|at| *at <= start);
        let line_start = starts.get(line - 1).copied().unwrap_or(0);
        let line_end = starts.get(line).map_or(file.text.len(), |next| next - 1);
        let text = file.text.get(line_start..line_end)?.trim_end_matches('\r');
        let within = |at: usize| (at - line_start).min(text.len());
        let column = text[..within(start)].chars().count() + 1;
        let (start, end) = (within(start), within(end.min(line_end)));
        Some(Place { path: &file.path, line, column, text, start, end })
    }

    /// Line and column of a place, both from 1.
    pub(super) fn line_column(&self, file: u32, at: u32) -> (usize, usize) {
        let span = Span { file, start: at, end: at };
        self.place(span).map_or((1, 1), |place| (place.line, place.column))
    }
}

/// The nearest place at or before `at` where a character begins.
fn floor(text: &str, at: usize) -> usize {
    let mut at = at.min(text.len());
    while !text.is_char_boundary(at) {
        at -= 1;
    }
    at
}
