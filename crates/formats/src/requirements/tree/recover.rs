//! Reading goes on after a fault of syntax: a torn value is read as it was meant, anything else is
//! blanked out with its element, and the rest is parsed again.

use super::Tree;
use super::build::{Built, Whole, build};
use super::torn;
use crate::requirements::DEPTH_MAX;
use crate::requirements::faults::{not_text, syntax, too_deep, torn_value};
use granit_parser::{ErrorKind, ScanError};
use ir::{Diagnostic, Span};
use std::ops::Range;

/// Times that one file is parsed again.
const ATTEMPTS_MAX: usize = 16;
/// Bytes that are parsed again in all, so that a large file of faults stays quick.
const BYTES_AGAIN_MAX: usize = 512 * 1024;

/// Parses one file.
pub(crate) fn parse(file: u32, source: &str) -> Tree {
    let mut text = source.to_owned();
    let mut whole = Whole::new();
    let mut faults = Vec::new();
    let attempts = (BYTES_AGAIN_MAX / source.len().max(1)).clamp(1, ATTEMPTS_MAX);
    for attempt in 0.. {
        let Built { mut tree, error, open } = build(file, source, &text, &whole);
        let Some(error) = error else {
            tree.partial |= faults.iter().any(|fault: &Diagnostic| fault.code == syntax::CODE);
            faults.append(&mut tree.faults);
            return Tree { faults, ..tree };
        };
        let place = Place::of(source, &text, &error, &open);
        if let Some(range) = place.torn.clone() {
            let span = Span::new(file, range.start, range.end);
            faults.push(torn_value::at(span, &source[range.clone()]));
            fill(&mut text, range.clone(), 'x');
            whole.insert(range.start, range.end);
        } else {
            faults.push(place.describe(file, source, &error));
            let region = place.region(&text);
            let blank = text[region.clone()].trim().is_empty();
            if blank || attempt >= attempts {
                tree.partial = true;
                faults.append(&mut tree.faults);
                return Tree { faults, ..tree };
            }
            fill(&mut text, region, ' ');
        }
        if attempt > attempts {
            tree.partial = true;
            return Tree { faults, ..tree };
        }
    }
    Tree::default()
}

/// Puts a letter in the place of every byte but line breaks.
fn fill(text: &mut String, range: Range<usize>, letter: char) {
    let filled: String =
        text[range.clone()].bytes().map(|byte| if byte == b'\n' { '\n' } else { letter }).collect();
    text.replace_range(range, &filled);
}

/// Where the parser gave up.
struct Place {
    at: usize,
    /// The `{` or `[` that is open there, outermost.
    open: Option<usize>,
    /// The value that is torn there.
    torn: Option<Range<usize>>,
}

impl Place {
    fn of(source: &str, text: &str, error: &ScanError, open: &[usize]) -> Self {
        let mut at = error.marker().byte_offset().unwrap_or(0).min(source.len());
        while !source.is_char_boundary(at) {
            at -= 1;
        }
        let torn = open.last().and_then(|open| torn::value_at(text, *open, at));
        Self { at, open: open.first().copied(), torn }
    }

    /// The lines of the element around the fault: the line and those indented deeper after it.
    fn region(&self, text: &str) -> Range<usize> {
        let first = self.open.unwrap_or(self.at).min(self.at);
        let start = text[..first].rfind('\n').map_or(0, |at| at + 1);
        let first_line = text[start..].split('\n').next().unwrap_or("");
        let blank_here = first_line.trim().is_empty();
        let start = if blank_here { line_before(text, start) } else { start };
        let indent = |line: &str| line.len() - line.trim_start().len();
        let mut lines = text[start..].split_inclusive('\n');
        let head = lines.next().unwrap_or("");
        let mut end = start + head.len();
        for line in lines {
            let deeper = line.trim().is_empty() || indent(line) > indent(head);
            if !deeper {
                break;
            }
            end += line.len();
        }
        start..end
    }

    fn describe(&self, file: u32, source: &str, error: &ScanError) -> Diagnostic {
        let here = Span::new(file, self.at, (self.at + 1).min(source.len()).max(self.at));
        let opened = self.open.filter(|open| {
            let between = &source[*open..self.at.max(*open)];
            between.contains('\n')
        });
        let unclosed = |at: usize| {
            let span = Span::new(file, at, at + 1);
            let message = format!("`{}` is never closed", &source[at..=at]);
            syntax::at(span, &message).help("close it at the end of the element")
        };
        match error.kind() {
            ErrorKind::UnclosedFlowCollection { .. }
            | ErrorKind::UnexpectedEofFlowMapping
            | ErrorKind::UnexpectedEofFlowSequence
            | ErrorKind::UnexpectedEofImplicitFlowMapping => unclosed(self.open.unwrap_or(self.at)),
            ErrorKind::TabNotAllowed
            | ErrorKind::TabInBlockIndentation
            | ErrorKind::TabInIndentation
            | ErrorKind::TabAtBlockScalarStart => {
                syntax::at(here, "a tab indents this line").help("indent with spaces")
            }
            ErrorKind::RecursionLimitExceeded => too_deep::at(here, DEPTH_MAX),
            ErrorKind::MisplacedFlowCollectionEnd => {
                syntax::at(here, "this bracket closes nothing").help("delete it")
            }
            ErrorKind::ExpectedBlockMappingKey | ErrorKind::InvalidIndentation
                if opened.is_none() =>
            {
                syntax::at(here, "this line does not continue what stands before it")
                    .help("indent it like its neighbours; close every quote and bracket before it")
            }
            ErrorKind::MappingValueNotAllowed | ErrorKind::InvalidColonPlacement
                if opened.is_none() =>
            {
                self.colon(file, source)
            }
            ErrorKind::UnexpectedCharacter { character } if character.is_control() => {
                not_text::character(here, *character)
            }
            ErrorKind::UnclosedQuotedScalar => {
                syntax::at(here, "this quote is never closed").help("close it on the same line")
            }
            _ => match opened {
                Some(at) => unclosed(at),
                None => syntax::at(here, &error.kind().to_string()),
            },
        }
    }

    /// A second `: ` in a value of one line.
    fn colon(&self, file: u32, source: &str) -> Diagnostic {
        let start = source[..self.at].rfind('\n').map_or(0, |at| at + 1);
        let line = source[start..].split('\n').next().unwrap_or("");
        let here = Span::new(file, self.at, (self.at + 1).min(source.len()));
        let fault = syntax::at(here, "a second `: ` stands in this value");
        let value = line.find(": ").map(|at| at + 2).filter(|at| start + at < self.at);
        let Some(from) = value else { return fault.help("put the value in quotes") };
        let value = line[from..].trim();
        let span = Span::new(file, start + from, start + from + value.len());
        let mut fault = syntax::at(span, "a second `: ` stands in this value");
        fault = fault.help("put the value in quotes");
        fault.fix(torn_value::quoted(value))
    }
}

/// The start of the last line before `start` that holds anything.
fn line_before(text: &str, start: usize) -> usize {
    let before = text[..start].trim_end();
    before.rfind('\n').map_or(0, |at| at + 1)
}
