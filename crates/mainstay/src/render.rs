//! The one place that prints: data to stdout, everything else to stderr.

mod decisions;

use crate::arguments::Format;
use crate::commands::{check, explain};
use crate::environment::Missing;
use crate::failure::Failure;
use ir::Severity;
use serde_json::json;
use std::fmt::Write as _;
use std::io::{IsTerminal, Write as _};

/// What the process ends with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Answer {
    /// Fine.
    Fine = 0,
    /// The answer is no.
    No = 1,
    /// Could not run.
    Failed = 2,
}

impl Answer {
    fn of(fine: bool) -> Self {
        if fine { Self::Fine } else { Self::No }
    }
}

/// Data. A reader that has gone away (`| head`) is no fault of ours.
fn out(text: &str) {
    let _ = std::io::stdout().lock().write_all(text.as_bytes());
    let _ = std::io::stdout().lock().flush();
}

/// Everything else.
fn err(text: &str) {
    let _ = std::io::stderr().lock().write_all(text.as_bytes());
}

fn coloured(terminal: bool) -> bool {
    let refused = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    let dumb = std::env::var_os("TERM").is_some_and(|value| value == "dumb");
    terminal && !refused && !dumb
}

fn out_coloured() -> bool {
    coloured(std::io::stdout().is_terminal())
}

fn err_coloured() -> bool {
    coloured(std::io::stderr().is_terminal())
}

fn paint(colour: bool, tint: &str, text: &str) -> String {
    if colour { format!("\x1b[{tint}m{text}\x1b[0m") } else { text.to_owned() }
}

/// JSON for programs, over several lines, ending in a line break.
fn out_json(value: &serde_json::Value) {
    out(&format!("{value:#}\n"));
}

/// `1 error`, `2 errors`
pub(crate) fn count(number: usize, what: &str) -> String {
    if number == 1 { format!("1 {what}") } else { format!("{number} {what}s") }
}

/// Help and usage faults of the arguments.
pub(crate) fn usage(usage: &clap::Error) -> Answer {
    let _ = usage.print();
    if usage.use_stderr() { Answer::Failed } else { Answer::Fine }
}

/// A verb that could not run.
pub(crate) fn failure(failure: &Failure) -> Answer {
    let colour = err_coloured();
    let mut text = String::new();
    if let Some((sources, faults)) = &failure.faults {
        text.push_str(&formats::diagnostic::terminal(sources, faults, colour));
        text.push('\n');
    }
    let _ = writeln!(text, "{}: {}", paint(colour, "1;31", "Error"), failure.message);
    for (at, cause) in failure.causes.iter().enumerate() {
        let lead = if at == 0 { "Caused by:" } else { "          " };
        let _ = writeln!(text, "{} {cause}", paint(colour, "1", lead));
    }
    if let Some(hint) = &failure.hint {
        let _ = writeln!(text, "{}: {hint}", paint(colour, "1;36", "Hint"));
    }
    err(&text);
    Answer::Failed
}

/// What `check` found.
pub(crate) fn check(report: &check::Report, format: Format) -> Answer {
    let checked = &report.checked;
    match format {
        Format::Json => {
            let text = formats::diagnostic::json(&checked.sources, &checked.diagnostics);
            let mut value: serde_json::Value =
                serde_json::from_str(&text).expect("diagnostics are printed as JSON");
            value["fine"] = json!(report.fine());
            value["missing"] = json!(report.missing);
            out_json(&value);
        }
        Format::Text => {
            let (sources, diagnostics) = (&checked.sources, &checked.diagnostics);
            let mut text = formats::diagnostic::terminal(sources, diagnostics, out_coloured());
            if !text.is_empty() {
                text.push('\n');
            }
            for missing in &report.missing {
                let _ = writeln!(text, "{}", missing_line(missing));
            }
            out(&text);
            err(&format!("{}\n", summary(report)));
        }
    }
    Answer::of(report.fine())
}

fn missing_line(missing: &Missing) -> String {
    format!("missing {} for `{}`: {}", missing.variable, missing.used_by, missing.because)
}

fn summary(report: &check::Report) -> String {
    let checked = &report.checked;
    let found: Vec<String> = [
        (checked.count(Severity::Error), "error"),
        (checked.count(Severity::Warning), "warning"),
        (checked.count(Severity::Note), "note"),
        (report.missing.len(), "missing variable"),
    ]
    .into_iter()
    .filter(|(number, _)| *number > 0)
    .map(|(number, what)| count(number, what))
    .collect();
    let found = if found.is_empty() { "nothing to mend".to_owned() } else { found.join(", ") };
    match &checked.model {
        Some(model) => format!("{}: {found}", shape(model)),
        None => found,
    }
}

/// `shop: 3 contexts, 4 resources, 7 commands`
fn shape(model: &ir::Model) -> String {
    let resources = || model.contexts.iter().flat_map(|context| &context.resources);
    let commands = resources().map(|resource| resource.commands.len()).sum();
    format!(
        "{} ({}, {}, {})",
        model.system,
        count(model.contexts.len(), "context"),
        count(resources().count(), "resource"),
        count(commands, "command")
    )
}

/// The page of a code, or decisions.
pub(crate) fn explain(explanation: &explain::Explanation, format: Format) -> Answer {
    match (explanation, format) {
        (explain::Explanation::Page { markdown, .. }, Format::Text) => out(markdown),
        (explain::Explanation::Page { code, markdown }, Format::Json) => {
            out_json(&json!({ "code": code, "page": markdown }));
        }
        (explain::Explanation::Decisions { decisions, .. }, Format::Text) => {
            out(&decisions::decisions(decisions, out_coloured()));
        }
        (explain::Explanation::Decisions { part, decisions }, Format::Json) => {
            out_json(&json!({ "part": part, "decisions": decisions }));
        }
    }
    Answer::Fine
}

/// A text that is the answer itself.
pub(crate) fn text(text: &str) -> Answer {
    out(text);
    Answer::Fine
}
