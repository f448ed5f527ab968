//! The one place that prints: data to stdout, everything else to stderr.

mod audit;
mod decisions;
mod events;
mod keys;
mod migrations;
mod transfer;

use crate::arguments::Format;
use crate::commands::up::News;
use crate::commands::{self, backup, check, design, explain, fmt, key, token};
use crate::environment::Missing;
use crate::failure::Failure;
use ir::Severity;
use runtime::consume::rebuild::Progress;
use runtime::ports::keys::StoredKey;
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

/// True where a person reads what goes to stderr.
pub(crate) fn for_people() -> bool {
    std::io::stderr().is_terminal()
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
    if let Some((sources, faults)) = failure.faults.as_deref() {
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
    if failure.no { Answer::No } else { Answer::Failed }
}

/// What `check` found.
pub(crate) fn check(report: &check::Report, format: Format) -> Answer {
    let checked = &report.checked;
    if !checked.passed_over.is_empty() {
        err(&format!("passed over, not of the model: {}\n", listed(&checked.passed_over)));
    }
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

/// Names in a sentence that name at most.
const NAMES_SHOWN_MAX: usize = 12;

/// `a`, `b` and 3 more
fn listed(names: &[String]) -> String {
    let shown = names.iter().take(NAMES_SHOWN_MAX).map(|name| format!("`{name}`"));
    let shown = shown.collect::<Vec<_>>().join(", ");
    match names.len().saturating_sub(NAMES_SHOWN_MAX) {
        0 => shown,
        more => format!("{shown} and {more} more"),
    }
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

/// What `design` wrote or would write.
pub(crate) fn design(written: &design::Written, check: bool, format: Format) -> Answer {
    let fine = !check || written.changes.is_empty();
    if format == Format::Json {
        out_json(&decisions::design_json(written, check));
        return Answer::of(fine);
    }
    out(&decisions::design(written, out_coloured()));
    for (name, change) in written.changes.iter().filter(|_| check) {
        let what = match change {
            design::Change::Added => "is missing",
            design::Change::Changed => "is stale",
            design::Change::Removed => "is no longer part of it",
        };
        err(&format!("{} {what}\n", written.out.join(name).display()));
    }
    let files = count(written.files, "file");
    let out = written.out.display();
    err(&match (check, written.changes.len()) {
        (true, 0) => format!("{files} in {out} are as designed\n"),
        (true, stale) => format!("{} of {files} in {out} would change\n", count(stale, "file")),
        (false, 0) => format!("{files} in {out}, none changed\n"),
        (false, changed) => format!("{files} in {out}, {changed} changed\n"),
    });
    warned(written.designed.warnings);
    Answer::of(fine)
}

/// Says that a model has warnings, where a verb does not show them.
fn warned(warnings: usize) {
    if warnings > 0 {
        err(&format!("{}: `mainstay check` shows them\n", count(warnings, "warning")));
    }
}

/// The page of a code, or decisions.
pub(crate) fn explain(explanation: &explain::Explanation, format: Format) -> Answer {
    match (explanation, format) {
        (explain::Explanation::Page { markdown, .. }, Format::Text) => out(markdown),
        (explain::Explanation::Page { code, markdown }, Format::Json) => {
            out_json(&json!({ "code": code, "page": markdown }));
        }
        (explain::Explanation::Topic { markdown, .. }, Format::Text) => out(markdown),
        (explain::Explanation::Topic { topic, markdown }, Format::Json) => {
            out_json(&json!({ "topic": topic, "page": markdown }));
        }
        (explain::Explanation::Index { codes, topics }, Format::Text) => {
            out(&format!("topics: {}\n\n", topics.join(", ")));
            codes.iter().for_each(|(code, title)| out(&format!("{code} {title}\n")));
        }
        (explain::Explanation::Index { codes, topics }, Format::Json) => {
            let codes: std::collections::BTreeMap<_, _> = codes.iter().cloned().collect();
            out_json(&json!({ "topics": topics, "codes": codes }));
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

/// What became of model files.
pub(crate) fn fmt(files: &[fmt::Formatted], check: bool) -> Answer {
    let changed: Vec<&fmt::Formatted> = files.iter().filter(|file| file.changed).collect();
    for file in &changed {
        out(&format!("{}\n", file.path));
    }
    let all = count(files.len(), "file");
    err(&match (changed.len(), check) {
        (0, _) => format!("{all} in short form\n"),
        (number, true) => format!("{number} of {all} not in short form\n"),
        (number, false) => format!("{number} of {all} rewritten\n"),
    });
    Answer::of(!check || changed.is_empty())
}

/// A text that is the answer itself.
pub(crate) fn text(text: &str) -> Answer {
    out(text);
    Answer::Fine
}

/// What `up` tells while it runs.
pub(crate) fn announce(news: News) {
    match news {
        News::Warning(what) => {
            err(&format!("{}: {what}\n", paint(err_coloured(), "1;33", "warning")));
        }
        News::Waiting(lines) => {
            for line in lines {
                err(&format!("{} {line}\n", paint(err_coloured(), "1;36", "not running yet:")));
            }
        }
        News::Foreseen(report) => err(&migrations::foreseen(&report)),
        News::Migrated(report) => err(&migrations::done(&report)),
        News::Seeded(loaded, seed) => {
            let of = match loaded.tenants.as_slice() {
                [] => String::new(),
                tenants => format!(" of {}", tenants.join(", ")),
            };
            let drawn = seed.map_or(String::new(), |seed| format!(", drawn with seed {seed}"));
            let refused = match loaded.refused.values().map(|of| of.number).sum::<usize>() {
                0 => String::new(),
                refused => format!(", {refused} refused by the model's rules"),
            };
            err(&format!("seeded {}{of}{drawn}{refused}\n", count(loaded.rows, "row")));
            for (resource, refused) in &loaded.refused {
                err(&format!("  {} of {resource}, first: {}\n", refused.number, refused.first));
            }
        }
        News::NotSeeded => err("not seeded: there are rows already\n"),
        News::Listening(url) => out(&format!("listening on {url}\n")),
        News::Try(lines) => {
            out("\n");
            for line in lines {
                out(&format!("{line}\n\n"));
            }
        }
        News::Swapped(swapped) => {
            let (took, former) = (swapped.took.as_millis(), &swapped.former);
            let waited = swapped.waited.map_or(String::new(), |waited| {
                format!(", requests waited {} ms for the tables", waited.as_millis())
            });
            err(&format!(
                "serving the model {} instead of {former}, after {took} ms{waited}\n",
                swapped.model
            ));
        }
        News::Unchanged(model) => {
            err(&format!("still serving {model}: nothing that matters changed\n"))
        }
        News::Kept { failure: why, model } => {
            failure(&why);
            err(&format!("still serving the model {model}\n"));
        }
        News::Moved(moved) => err(&transfer::moved(&moved)),
        News::NotMoved(why) => {
            failure(&why);
            err("the data stays where it is, and is served from there\n");
        }
        News::Ended(0) => err("ended: every request that ran was answered\n"),
        News::Ended(cut) => err(&format!("ended: {} cut\n", count(cut, "connection"))),
    }
}

/// A token.
pub(crate) fn token(token: &token::Token, format: Format) -> Answer {
    for note in &token.notes {
        err(&format!("{note}\n"));
    }
    match format {
        Format::Text => out(&format!("{}\n", token.token)),
        Format::Json => out_json(&json!(token)),
    }
    Answer::Fine
}

/// A new API key.
pub(crate) fn key_created(created: &key::Created, format: Format) -> Answer {
    match format {
        Format::Text => {
            out(&format!("{}\n", created.key));
            err("this is the only time the key is shown; send it as `Authorization: Bearer` or \
                 `X-Api-Key`\n");
        }
        Format::Json => out_json(&keys::created(created)),
    }
    Answer::Fine
}

/// All API keys.
pub(crate) fn key_list(list: &[StoredKey], format: Format) -> Answer {
    match format {
        Format::Text if list.is_empty() => err("there are no keys\n"),
        Format::Text => out(&keys::table(list, commands::now())),
        Format::Json => out_json(&list.iter().map(keys::stored).collect()),
    }
    Answer::Fine
}

/// A revoked API key.
pub(crate) fn key_revoked(prefix: &str, format: Format) -> Answer {
    match format {
        Format::Text => err(&format!("`{prefix}` is refused from now on\n")),
        Format::Json => out_json(&json!({ "prefix": prefix, "revoked": true })),
    }
    Answer::Fine
}

/// Whether the audit trail is whole.
pub(crate) fn audit_verified(verified: &commands::audit::Verified, format: Format) -> Answer {
    match format {
        Format::Text => out(&audit::text(verified)),
        Format::Json => out_json(&audit::json(verified)),
    }
    Answer::of(audit::is_whole(verified))
}

/// How far a step has come, on a line of its own.
pub(crate) fn progress(shown: &str, step: &str, done: u64, of: u64) {
    err(&format!("{shown}: {step}: {done} of {of} rows\n"));
}

/// The ways of databases to the model.
pub(crate) fn migrated(migrated: &commands::migrate::Migrated, format: Format) -> Answer {
    match format {
        Format::Json => out_json(&migrations::json(migrated)),
        Format::Text => {
            out(&migrations::text(migrated));
            if migrated.reports.is_empty() && migrated.undone.is_empty() {
                err("nothing to do: the tables are those of the model\n");
            }
        }
    }
    Answer::of(migrated.fine())
}

/// Rows between two lines of progress.
const ROWS_STEP: u64 = 100_000;

/// How many rows have travelled, now and then.
pub(crate) fn rows_so_far(rows: u64) {
    let before = rows.saturating_sub(runtime::ports::transfer::BATCH_ROWS_MAX as u64);
    if rows / ROWS_STEP > before / ROWS_STEP {
        err(&format!("{} rows …\n", rows / ROWS_STEP * ROWS_STEP));
    }
}

/// How far data is that moves, a line each.
pub(crate) const MOVING: commands::moving::Tells<'static> = commands::moving::Tells {
    rows: &rows_so_far,
    #[cfg(unix)]
    step: &|step| err(&transfer::step(step)),
};

/// A backup or a restoration.
pub(crate) fn copied(done: &backup::Done, format: Format) -> Answer {
    match format {
        Format::Text => {
            let (data, told) = transfer::copied(done);
            out(&data);
            err(&told);
        }
        Format::Json => out_json(&transfer::copied_json(done)),
    }
    Answer::Fine
}

/// Tenants that came, are there, or went.
pub(crate) fn tenant(answered: &commands::tenant::Answered, format: Format) -> Answer {
    match format {
        Format::Text => {
            let (data, told) = transfer::tenant(answered);
            out(&data);
            err(&told);
        }
        Format::Json => out_json(&transfer::tenant_json(answered)),
    }
    Answer::Fine
}

/// Rows of a subject that were erased.
pub(crate) fn erased(erased: &commands::erase::Done, format: Format) -> Answer {
    match format {
        Format::Text => {
            let (data, told) = transfer::erased(erased);
            out(&data);
            err(&told);
        }
        Format::Json => out_json(&transfer::erased_json(erased)),
    }
    Answer::Fine
}

/// An event as it was listed; false where nobody reads any more.
pub(crate) fn event(event: &str, format: Format) -> bool {
    let line = match format {
        Format::Text => events::event(event),
        Format::Json => format!("{event}\n"),
    };
    let mut out = std::io::stdout().lock();
    out.write_all(line.as_bytes()).and_then(|()| out.flush()).is_ok()
}

/// Dead letters that are there, or were dealt with.
pub(crate) fn dead_letters(answered: &commands::dead_letters::Answered, format: Format) -> Answer {
    match format {
        Format::Text => {
            let (data, told) = events::letters(answered);
            out(&data);
            err(&told);
        }
        Format::Json => out_json(&events::letters_json(answered)),
    }
    Answer::Fine
}

/// Tells how far a view is that is made anew.
pub(crate) fn view_so_far() -> impl Fn(Progress) + Sync {
    let before = std::sync::Mutex::new(Progress::default());
    move |at| {
        let mut before = before.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if let Some(line) = events::progress(at, *before) {
            err(&line);
            *before = at;
        }
    }
}

/// Views that are there, or one that was made anew.
pub(crate) fn views(answered: &commands::views::Answered, format: Format) -> Answer {
    match format {
        Format::Text => {
            let (data, told) = events::views(answered);
            out(&data);
            err(&told);
        }
        Format::Json => out_json(&events::views_json(answered)),
    }
    Answer::Fine
}

/// Data that is elsewhere.
pub(crate) fn moved(moved: &commands::moving::Moved, format: Format) -> Answer {
    match format {
        Format::Text => {
            out(&transfer::proof(&moved.proof));
            err(&transfer::moved(moved));
        }
        Format::Json => out_json(&transfer::moved_json(moved)),
    }
    Answer::Fine
}
