//! Diagnostics for programs: the same facts as the terminal shows, places resolved.

use super::lines::Lines;
use ir::{Diagnostic, Severity, Sources, Span};
use serde::Serialize;

/// `{"diagnostics": […]}` in order of file and position; ends in a line break.
pub fn json(sources: &Sources, diagnostics: &[Diagnostic]) -> String {
    let lines = Lines::of(sources);
    let sorted = super::in_order(diagnostics);
    let report =
        Report { diagnostics: sorted.into_iter().map(|d| Entry::of(sources, &lines, d)).collect() };
    let mut text = serde_json::to_string_pretty(&report).expect("plain structs have a JSON form");
    text.push('\n');
    text
}

#[derive(Serialize)]
struct Report<'a> {
    diagnostics: Vec<Entry<'a>>,
}

#[derive(Serialize)]
struct Entry<'a> {
    code: &'a str,
    severity: Severity,
    message: &'a str,
    #[serde(flatten)]
    place: At<'a>,
    #[serde(skip_serializing_if = "str::is_empty")]
    label: &'a str,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    related: Vec<Related<'a>>,
    #[serde(skip_serializing_if = "str::is_empty")]
    why: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    help: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    fix: Option<Change<'a>>,
}

/// A range in a file; lines and columns from 1, columns in characters, bytes from 0.
#[derive(Serialize)]
struct At<'a> {
    file: &'a str,
    line: usize,
    column: usize,
    end: End,
    bytes: [u32; 2],
}

#[derive(Serialize)]
struct End {
    line: usize,
    column: usize,
}

#[derive(Serialize)]
struct Related<'a> {
    #[serde(flatten)]
    place: At<'a>,
    text: &'a str,
}

#[derive(Serialize)]
struct Change<'a> {
    #[serde(flatten)]
    place: At<'a>,
    replacement: &'a str,
}

impl<'a> Entry<'a> {
    fn of(sources: &'a Sources, lines: &Lines<'a>, diagnostic: &'a Diagnostic) -> Self {
        let at = |span| At::of(sources, lines, span);
        let related = diagnostic
            .secondary
            .iter()
            .map(|label| Related { place: at(label.span), text: &label.text });
        let fix = diagnostic
            .fix
            .as_ref()
            .map(|fix| Change { place: at(fix.span), replacement: &fix.replacement });
        Self {
            code: diagnostic.code.0,
            severity: diagnostic.severity,
            message: &diagnostic.message,
            place: at(diagnostic.primary.span),
            label: &diagnostic.primary.text,
            related: related.collect(),
            why: &diagnostic.why,
            help: diagnostic.help.as_deref(),
            fix,
        }
    }
}

impl<'a> At<'a> {
    fn of(sources: &'a Sources, lines: &Lines<'a>, span: Span) -> Self {
        let file = sources.files.get(span.file as usize).map_or("", |file| file.path.as_str());
        let (line, column) = lines.line_column(span.file, span.start);
        let (end_line, end_column) = lines.line_column(span.file, span.end);
        let end = End { line: end_line, column: end_column };
        Self { file, line, column, end, bytes: [span.start, span.end] }
    }
}
