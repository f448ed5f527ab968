//! Diagnostics for people: message, place, the line with a caret, why, and the corrected line.

use super::lines::{Lines, Place};
use ir::diagnostic::{Fix, Label};
use ir::{Diagnostic, Severity, Sources};
use std::fmt::Write as _;
use unicode_width::UnicodeWidthChar;

/// Width of a source line as shown; longer ones are clipped around the caret.
const COLUMNS_MAX: usize = 96;
/// Columns kept before the caret where a line is clipped.
const COLUMNS_BEFORE: usize = 40;
/// Characters of a message, label or help that are shown.
const MESSAGE_CHARS_MAX: usize = 2_000;

/// All diagnostics in order of file and position, as text that ends in a line break.
pub fn terminal(sources: &Sources, diagnostics: &[Diagnostic], colour: bool) -> String {
    let lines = Lines::of(sources);
    let mut out = String::new();
    for (at, diagnostic) in super::in_order(diagnostics).into_iter().enumerate() {
        if at > 0 {
            out.push('\n');
        }
        Block::of(&lines, diagnostic, colour).write(&mut out);
    }
    out
}

/// One diagnostic being written.
struct Block<'a> {
    lines: &'a Lines<'a>,
    diagnostic: &'a Diagnostic,
    colour: bool,
    /// Columns of the widest line number.
    gutter: usize,
}

impl<'a> Block<'a> {
    fn of(lines: &'a Lines<'a>, diagnostic: &'a Diagnostic, colour: bool) -> Self {
        let labels = std::iter::once(&diagnostic.primary).chain(&diagnostic.secondary);
        let numbers = labels.filter_map(|label| lines.place(label.span)).map(|place| place.line);
        let gutter = numbers.max().unwrap_or(1).to_string().len();
        Self { lines, diagnostic, colour, gutter }
    }

    fn write(&self, out: &mut String) {
        let diagnostic = self.diagnostic;
        let word = match diagnostic.severity {
            Severity::Error => "error",
            Severity::Warning => "warning",
            Severity::Note => "note",
        };
        let head = self.paint(self.tint(), &format!("{word}[{}]", diagnostic.code));
        let message = self.paint("1", &format!(": {}", visible(&diagnostic.message)));
        let _ = writeln!(out, "{head}{message}");
        self.write_places(out);
        if !diagnostic.why.is_empty() {
            self.write_remark(out, "why", &diagnostic.why);
        }
        if let Some(help) = &diagnostic.help {
            self.write_remark(out, "help", help);
        }
        if let Some(fix) = &diagnostic.fix {
            self.write_fix(out, fix);
        }
    }

    /// The lines that the labels stand on: the primary one's file first, each line once.
    fn write_places(&self, out: &mut String) {
        let Some(primary) = self.lines.place(self.diagnostic.primary.span) else { return };
        let arrow = self.paint(BLUE, &format!("{:1$}-->", "", self.gutter));
        let _ = writeln!(out, "{arrow} {}:{}:{}", primary.path, primary.line, primary.column);
        let mut labels: Vec<(Place<'_>, &Label, bool)> =
            vec![(primary, &self.diagnostic.primary, true)];
        for label in &self.diagnostic.secondary {
            labels.extend(self.lines.place(label.span).map(|place| (place, label, false)));
        }
        let file = self.diagnostic.primary.span.file;
        labels.sort_by_key(|(place, label, _)| {
            (label.span.file != file, label.span.file, place.line)
        });
        let mut last: Option<(u32, usize)> = None;
        for (place, label, is_primary) in labels {
            let here = (label.span.file, place.line);
            if last != Some(here) {
                self.write_gap(out, last, here, place);
                let clip = Clip::around(place);
                let number = self.paint(BLUE, &format!("{:>1$} |", place.line, self.gutter));
                let line = format!("{number} {}", clip.text);
                let _ = writeln!(out, "{}", line.trim_end());
            }
            self.write_marker(out, place, label, is_primary);
            last = Some(here);
        }
    }

    /// What stands between two source lines: nothing, dots, or the other file's name.
    fn write_gap(
        &self,
        out: &mut String,
        last: Option<(u32, usize)>,
        here: (u32, usize),
        place: Place<'_>,
    ) {
        match last {
            Some((file, line)) if file == here.0 && line + 1 == here.1 => {}
            Some((file, _)) if file == here.0 => {
                let _ = writeln!(out, "{}", self.paint(BLUE, "..."));
            }
            Some(_) => {
                let colons = self.paint(BLUE, &format!("{:1$}:::", "", self.gutter));
                let _ = writeln!(out, "{colons} {}:{}:{}", place.path, place.line, place.column);
            }
            None => {
                let _ = writeln!(out, "{}", self.bar());
            }
        }
    }

    fn write_marker(&self, out: &mut String, place: Place<'_>, label: &Label, primary: bool) {
        let clip = Clip::around(place);
        let (mark, tint) = if primary { ("^", self.tint()) } else { ("-", BLUE) };
        let marks = mark.repeat(clip.width.max(1));
        let text = visible(&label.text);
        let marker = self.paint(tint, format!("{marks} {text}").trim_end());
        let _ = writeln!(out, "{} {:2$}{marker}", self.bar(), "", clip.before);
    }

    fn write_remark(&self, out: &mut String, word: &str, text: &str) {
        let sign = self.paint(BLUE, &format!("{:1$} =", "", self.gutter));
        let mut rows = text.lines().map(visible);
        let first = rows.next().unwrap_or_default();
        let _ = writeln!(out, "{sign} {}: {first}", self.paint("1", word));
        for row in rows {
            let _ = writeln!(out, "{:1$}{row}", "", self.gutter + 5 + word.len());
        }
    }

    /// The line as it reads once mended.
    fn write_fix(&self, out: &mut String, fix: &Fix) {
        let Some(place) = self.lines.place(fix.span) else { return };
        let (before, after) = (&place.text[..place.start], &place.text[place.end..]);
        let mended = format!("{before}{}{after}", fix.replacement);
        for (row, text) in mended.lines().enumerate() {
            let shown = if row == 0 {
                let end = place.start + fix.replacement.lines().next().unwrap_or("").len();
                Clip::around(Place { text, end, ..place }).text
            } else {
                Clip::around(Place { text, start: 0, end: 0, ..place }).text
            };
            let number = format!("{:>1$} +", place.line + row, self.gutter);
            let line = format!("{} {shown}", self.paint("32", &number));
            let _ = writeln!(out, "{}", line.trim_end());
        }
    }

    fn bar(&self) -> String {
        self.paint(BLUE, &format!("{:1$} |", "", self.gutter))
    }

    fn tint(&self) -> &'static str {
        match self.diagnostic.severity {
            Severity::Error => "1;31",
            Severity::Warning => "1;33",
            Severity::Note => "1;36",
        }
    }

    fn paint(&self, tint: &str, text: &str) -> String {
        if self.colour { format!("\x1b[{tint}m{text}\x1b[0m") } else { text.to_owned() }
    }
}

const BLUE: &str = "1;34";

/// A source line made safe to show, and where the marks go under it.
struct Clip {
    text: String,
    /// Columns before the range.
    before: usize,
    /// Columns of the range.
    width: usize,
}

impl Clip {
    fn around(place: Place<'_>) -> Self {
        let (head, rest) = place.text.split_at(place.start);
        let (range, tail) = rest.split_at(place.end - place.start);
        let whole = columns(place.text, COLUMNS_MAX + 1) <= COLUMNS_MAX;
        if whole {
            let text = [head, range, tail].map(visible).concat();
            return Self {
                text,
                before: columns(head, usize::MAX),
                width: columns(range, usize::MAX),
            };
        }
        let from = keep_back(head, COLUMNS_BEFORE);
        let mut text = String::from(if from > 0 { "…" } else { "" });
        text.push_str(&visible(&head[from..]));
        let before = columns(&head[from..], usize::MAX) + usize::from(from > 0);
        let room = COLUMNS_MAX.saturating_sub(before);
        let shown = keep(range, room);
        text.push_str(&visible(&range[..shown]));
        let width = columns(&range[..shown], usize::MAX);
        let after = if shown < range.len() { 0 } else { keep(tail, room.saturating_sub(width)) };
        text.push_str(&visible(&tail[..after]));
        if shown < range.len() || after < tail.len() {
            text.push('…');
        }
        Self { text, before, width }
    }
}

/// Bytes of the longest beginning of `text` that fits in so many columns.
fn keep(text: &str, columns_max: usize) -> usize {
    let mut used = 0;
    for (at, c) in text.char_indices() {
        used += width(c);
        if used > columns_max {
            return at;
        }
    }
    text.len()
}

/// First byte of the longest end of `text` that fits in so many columns.
fn keep_back(text: &str, columns_max: usize) -> usize {
    let mut used = 0;
    for (at, c) in text.char_indices().rev() {
        used += width(c);
        if used > columns_max {
            return at + c.len_utf8();
        }
    }
    0
}

/// Columns of a text, counted no further than `enough`.
fn columns(text: &str, enough: usize) -> usize {
    let mut used = 0;
    for c in text.chars() {
        used += width(c);
        if used >= enough {
            break;
        }
    }
    used
}

fn width(c: char) -> usize {
    match c {
        '\t' => 4,
        c if is_hidden(c) => 1,
        c => c.width().unwrap_or(1),
    }
}

/// Characters that would change what a terminal shows rather than be shown by it.
fn is_hidden(c: char) -> bool {
    let ranges = ['\u{200b}'..='\u{200f}', '\u{202a}'..='\u{202e}', '\u{2060}'..='\u{206f}'];
    c.is_control() || c == '\u{feff}' || ranges.iter().any(|range| range.contains(&c))
}

/// A text of one line with tabs widened and hidden characters replaced, cut where it is huge.
fn visible(text: impl AsRef<str>) -> String {
    let mut shown = String::new();
    for (count, c) in text.as_ref().chars().enumerate() {
        match c {
            _ if count == MESSAGE_CHARS_MAX => {
                shown.push('…');
                break;
            }
            '\t' => shown.push_str("    "),
            c if is_hidden(c) => shown.push('\u{fffd}'),
            c => shown.push(c),
        }
    }
    shown
}
