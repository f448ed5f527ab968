//! What the verbs say that take data out of stores and put it into them.

use crate::commands::backup::{Done, Taken};
#[cfg(unix)]
use crate::commands::control::Step;
use crate::commands::erase;
use crate::commands::moving::Moved;
use crate::commands::tenant::Answered;
use runtime::adapters::sqlite::Copied;
use runtime::transfer::Counted;
use serde_json::{Value, json};
use std::fmt::Write as _;

/// The tables with their rows and digests, a line each.
pub(super) fn proof(proof: &[Counted]) -> String {
    let width = proof.iter().map(|one| one.table.len()).max().unwrap_or_default();
    let mut text = String::new();
    for Counted { table, sum } in proof {
        let _ = writeln!(text, "{table:width$}  {:>9}  {}", sum.rows, sum.hex());
    }
    text
}

fn proof_json(proof: &[Counted]) -> Value {
    let one = |one: &Counted| {
        let Counted { table, sum } = one;
        json!({ "table": table, "rows": sum.rows, "digest": sum.hex() })
    };
    proof.iter().map(one).collect()
}

/// The tables of somebody else that were left out, as a line.
fn left_out(tables: &[String]) -> String {
    let named: Vec<String> = tables.iter().map(|table| format!("`{table}`")).collect();
    match named.is_empty() {
        true => String::new(),
        false => format!("left as they are, for they are not Mainstay's: {}\n", named.join(", ")),
    }
}

/// The same as a member, where there are any.
fn with_left_out(mut told: Value, tables: &[String]) -> Value {
    if !tables.is_empty() {
        told["left_out"] = json!(tables);
    }
    told
}

fn rows(proof: &[Counted]) -> String {
    let rows: u64 = proof.iter().map(|one| one.sum.rows).sum();
    let rows = super::count(usize::try_from(rows).unwrap_or(usize::MAX), "row");
    format!("{rows} in {}", super::count(proof.len(), "table"))
}

/// A backup or a restoration, for people: data, and what is told beside it.
pub(super) fn copied(done: &Done) -> (String, String) {
    let (from, to) = (&done.from, &done.to);
    match &done.what {
        Taken::Files(files) => {
            let bytes: u64 = files.iter().map(|file| file.bytes).sum();
            let count = super::count(files.len(), "file");
            let size = ir::quantity::print(bytes as f64, &ir::quantity::Unit::Bytes);
            (String::new(), format!("{count}, {size}, copied from `{from}` to `{to}`\n"))
        }
        Taken::Rows(all) => {
            let told = format!("{}, copied from `{from}` to `{to}`, equal on both\n", rows(all));
            (proof(all), told + &left_out(&done.left_out))
        }
    }
}

/// The same for programs.
pub(super) fn copied_json(done: &Done) -> Value {
    let (from, to) = (&done.from, &done.to);
    match &done.what {
        Taken::Files(files) => {
            let file = |file: &Copied| json!({ "path": file.path, "bytes": file.bytes });
            let bytes: u64 = files.iter().map(|file| file.bytes).sum();
            let files: Vec<Value> = files.iter().map(file).collect();
            json!({ "from": from, "to": to, "bytes": bytes, "files": files })
        }
        Taken::Rows(all) => {
            let told = json!({ "from": from, "to": to, "tables": proof_json(all) });
            with_left_out(told, &done.left_out)
        }
    }
}

/// Tenants, for people: data, and what is told beside it.
pub(super) fn tenant(answered: &Answered) -> (String, String) {
    match answered {
        Answered::Added(name) => (String::new(), format!("the tenant `{name}` has a place\n")),
        Answered::Listed(all) => {
            (all.iter().map(|name| format!("{name}\n")).collect(), String::new())
        }
        Answered::Exported(done) => copied(done),
        Answered::Erased(name, kept) => {
            let told = format!("nothing of the tenant `{name}` is left\n");
            (String::new(), told + &left_out(kept))
        }
    }
}

/// The same for programs.
pub(super) fn tenant_json(answered: &Answered) -> Value {
    match answered {
        Answered::Added(name) => json!({ "added": name }),
        Answered::Listed(all) => json!({ "tenants": all }),
        Answered::Exported(done) => copied_json(done),
        Answered::Erased(name, kept) => with_left_out(json!({ "erased": name }), kept),
    }
}

/// Data that is elsewhere, for people.
pub(super) fn moved(moved: &Moved) -> String {
    let Moved { from, to, proof, left_out: kept, waited } = moved;
    let waited = match waited {
        Some(waited) => {
            let ms = waited.took.as_millis();
            let rounds = usize::try_from(waited.rounds).unwrap_or(usize::MAX);
            format!("; requests waited {ms} ms, after {}", super::count(rounds, "round"))
        }
        None => String::new(),
    };
    let told = format!("{}, moved from `{from}` to `{to}`, equal on both{waited}\n", rows(proof));
    told + &left_out(kept)
}

/// How far data is that is served while it moves.
#[cfg(unix)]
pub(super) fn step(step: Step) -> String {
    let rows = |rows: u64| super::count(usize::try_from(rows).unwrap_or(usize::MAX), "row");
    match step {
        Step::Copied(n) => format!("{} copied …\n", rows(n)),
        Step::Proven(n) => format!("{} read again …\n", rows(n)),
        Step::Round(number, n) => format!("round {number}: {} changed\n", rows(n)),
        Step::Again(_) => "requests would have waited for too long: it goes on\n".to_owned(),
    }
}

/// The same for programs.
pub(super) fn moved_json(moved: &Moved) -> Value {
    let mut told =
        json!({ "from": moved.from, "to": moved.to, "tables": proof_json(&moved.proof) });
    if let Some(waited) = &moved.waited {
        told["waited_ms"] = json!(waited.took.as_millis() as u64);
        told["rounds"] = json!(waited.rounds);
    }
    with_left_out(told, &moved.left_out)
}

/// Rows of a subject that were erased, for people: data, and what is told beside it.
pub(super) fn erased(done: &erase::Done) -> (String, String) {
    let width = done.all.iter().map(|one| one.resource.len()).max().unwrap_or_default();
    let mut text = String::new();
    for one in &done.all {
        let (resource, changed, rows) = (&one.resource, one.changed, one.rows);
        let _ = writeln!(text, "{resource:width$}  {changed:>9} of {rows}");
    }
    let counted = |n: u64, what| super::count(usize::try_from(n).unwrap_or(usize::MAX), what);
    let changed = counted(done.all.iter().map(|one| one.changed).sum(), "row");
    let told = match done.dry {
        true => format!("{changed} would be erased; nothing was changed\n"),
        false => {
            let answers = counted(done.answers, "kept answer");
            let events = counted(done.events, "event");
            format!("{changed} erased; {answers} and personal members of {events} removed\n")
        }
    };
    (text, told)
}

/// The same for programs.
pub(super) fn erased_json(done: &erase::Done) -> Value {
    let one = |one: &erase::Changed| {
        let erase::Changed { resource, rows, changed } = one;
        json!({ "resource": resource, "rows": rows, "erased": changed })
    };
    json!({
        "dry_run": done.dry,
        "resources": done.all.iter().map(one).collect::<Vec<_>>(),
        "answers": done.answers,
        "events": done.events,
    })
}
