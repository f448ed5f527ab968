//! Dead letters, events and views for a terminal and for programs.

use crate::commands::{dead_letters, views};
use runtime::consume::rebuild::Progress;
use serde_json::{Value, json};
use std::fmt::Write as _;

/// Characters of an error that a list shows at most.
const ERROR_CHARS_MAX: usize = 80;

/// Events between two lines of progress.
const EVENTS_STEP: u64 = 100_000;

fn text<'v>(value: &'v Value, member: &str) -> &'v str {
    value[member].as_str().unwrap_or("-")
}

/// Rows as wide as their widest cells.
fn table<const N: usize>(rows: &[[String; N]]) -> String {
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max();
    let widths: Vec<usize> = (0..N).map(|column| width(column).unwrap_or(0)).collect();
    let mut text = String::new();
    for row in rows {
        let mut line = String::new();
        for (cell, width) in row.iter().zip(&widths) {
            let _ = write!(line, "{cell:width$}  ");
        }
        let _ = writeln!(text, "{}", line.trim_end());
    }
    text
}

/// Dead letters: data, and what is told of it.
pub(super) fn letters(answered: &dead_letters::Answered) -> (String, String) {
    use dead_letters::Answered;
    match answered {
        Answered::Listed(all, _) if all.is_empty() => {
            (String::new(), "there are no dead letters\n".to_owned())
        }
        Answered::Listed(all, more) => {
            let head = ["SINCE", "CONSUMER", "EVENT", "SUBJECT", "TRIED", "LAST ERROR", "ID"];
            let mut rows = vec![head.map(str::to_owned)];
            rows.extend(all.iter().map(row));
            let told = if *more { "there are more: `--limit` shows them\n" } else { "" };
            (table(&rows), told.to_owned())
        }
        Answered::Shown(letter) => (shown(letter), String::new()),
        Answered::Redriven(number) => {
            let letters = super::count(usize::try_from(*number).unwrap_or(0), "dead letter");
            (String::new(), format!("{letters} will be tried again\n"))
        }
        Answered::Discarded(id) => (String::new(), format!("`{id}` is given up for good\n")),
    }
}

fn row(letter: &Value) -> [String; 7] {
    let event = &letter["event"];
    let last = letter["errors"].as_array().and_then(|errors| errors.last());
    let error = last.map_or_else(|| "-".to_owned(), error);
    [
        text(letter, "since").to_owned(),
        text(letter, "consumer").to_owned(),
        text(event, "type").to_owned(),
        subject(event),
        letter["attempts"].to_string(),
        shortened(&error),
        text(letter, "id").to_owned(),
    ]
}

fn subject(event: &Value) -> String {
    match event["tenant"].as_str() {
        Some(tenant) => format!("{} of {tenant}", text(event, "subject")),
        None => text(event, "subject").to_owned(),
    }
}

fn error(error: &Value) -> String {
    let (problem, detail) = (text(error, "problem"), text(error, "detail"));
    let detail = detail.replace(char::is_control, " ");
    if detail.is_empty() { problem.to_owned() } else { format!("{problem}: {detail}") }
}

fn shortened(text: &str) -> String {
    match text.char_indices().nth(ERROR_CHARS_MAX) {
        None => text.to_owned(),
        Some((at, _)) => format!("{}…", &text[..at]),
    }
}

/// One, whole.
fn shown(letter: &Value) -> String {
    let event = &letter["event"];
    let mut out = String::new();
    for (name, value) in [
        ("id", text(letter, "id").to_owned()),
        ("consumer", text(letter, "consumer").to_owned()),
        ("since", text(letter, "since").to_owned()),
        ("attempts", letter["attempts"].to_string()),
        ("event", text(event, "type").to_owned()),
        ("time", text(event, "time").to_owned()),
        ("subject", subject(event)),
        ("edited", if letter["edited"] == true { "yes" } else { "no" }.to_owned()),
    ] {
        let _ = writeln!(out, "{name:9} {value}");
    }
    for one in letter["errors"].as_array().into_iter().flatten() {
        let _ = writeln!(out, "error     {}  {}", text(one, "at"), error(one));
    }
    let _ = writeln!(out, "data      {:#}", event["data"]);
    out
}

/// The same for programs.
pub(super) fn letters_json(answered: &dead_letters::Answered) -> Value {
    use dead_letters::Answered;
    match answered {
        Answered::Listed(all, more) => {
            let all: Vec<Value> = all.iter().cloned().map(without_data).collect();
            json!({ "items": all, "more": more })
        }
        Answered::Shown(letter) => letter.clone(),
        Answered::Redriven(number) => json!({ "redriven": number }),
        Answered::Discarded(id) => json!({ "discarded": id }),
    }
}

/// Lists are for looking around: what may be personal is left out.
fn without_data(mut letter: Value) -> Value {
    if let Some(event) = letter["event"].as_object_mut() {
        event.remove("data");
    }
    letter
}

/// An event for people, of its CloudEvent.
pub(super) fn event(text_of: &str) -> String {
    let event: Value = serde_json::from_str(text_of).unwrap_or_default();
    let of = |member| text(&event, member);
    let (time, kind, id) = (of("time"), of("type"), of("id"));
    format!("{time}  {kind}  {}  {}  {id}\n", of("subject"), of("tenant"))
}

/// Views: data, and what is told of it.
pub(super) fn views(answered: &views::Answered) -> (String, String) {
    match answered {
        views::Answered::Listed(all) if all.is_empty() => {
            (String::new(), "the model has no views\n".to_owned())
        }
        views::Answered::Listed(all) => {
            let mut rows = vec![["VIEW", "LOG", "POSITION", "BEHIND", "ROWS"].map(str::to_owned)];
            for view in all {
                rows.extend(view.logs.iter().map(|log| {
                    let behind = log.last.saturating_sub(log.position).max(0);
                    let numbers = [log.position.to_string(), behind.to_string()];
                    let [position, behind] = numbers;
                    let (name, source) = (view.view.clone(), log.source.clone());
                    [name, source, position, behind, view.rows.to_string()]
                }));
            }
            (table(&rows), String::new())
        }
        views::Answered::Rebuilt(rebuilt) => {
            let counted = |n: u64, what| super::count(usize::try_from(n).unwrap_or(0), what);
            let left_out = match rebuilt.left_out {
                0 => String::new(),
                number => format!("; {} could not be folded", counted(number, "event")),
            };
            let told = format!(
                "`{}`: {} of {}, {} others than before, made of {}{left_out}\n",
                rebuilt.view,
                counted(rebuilt.rows, "row"),
                counted(rebuilt.tenants, "tenant"),
                rebuilt.changed,
                counted(rebuilt.events, "event"),
            );
            (String::new(), told)
        }
    }
}

/// The same for programs.
pub(super) fn views_json(answered: &views::Answered) -> Value {
    match answered {
        views::Answered::Listed(all) => {
            let log = |log: &runtime::consume::views::Log| {
                json!({
                    "log": log.source,
                    "position": log.position,
                    "behind": log.last.saturating_sub(log.position).max(0),
                })
            };
            let view = |view: &runtime::consume::views::Standing| {
                let logs: Vec<Value> = view.logs.iter().map(log).collect();
                json!({ "view": view.view, "rows": view.rows, "logs": logs })
            };
            json!({ "views": all.iter().map(view).collect::<Vec<_>>() })
        }
        views::Answered::Rebuilt(rebuilt) => json!({
            "view": rebuilt.view,
            "tenants": rebuilt.tenants,
            "events": rebuilt.events,
            "left_out": rebuilt.left_out,
            "rows": rebuilt.rows,
            "changed": rebuilt.changed,
        }),
    }
}

/// How far a view is that is made anew: each tenant, and within a large one now and then.
pub(super) fn progress(at: Progress, before: Progress) -> Option<String> {
    let Progress { events, events_all, tenants, tenants_all } = at;
    let further = events / EVENTS_STEP > before.events / EVENTS_STEP || tenants > before.tenants;
    further.then(|| {
        format!("{events} of {events_all} events, {tenants} of {tenants_all} tenants done\n")
    })
}
