//! What `migrate` and `up` say of steps.

use crate::commands::migrate::{Migrated, Report, shown};
use ir::migration::ScriptStep;
use serde_json::{Value, json};
use std::fmt::Write as _;

/// All databases, for people.
pub(super) fn text(migrated: &Migrated) -> String {
    let mut out = String::new();
    for (shown, name) in &migrated.undone {
        let _ = writeln!(out, "{shown}: took back `{name}`");
    }
    for report in &migrated.reports {
        let _ = writeln!(out, "{}:", report.shown);
        for step in &report.steps {
            let _ = writeln!(out, "  {}", line(step));
        }
        out.push_str(&waiting(report));
        out.push_str(&kept(report));
        for problem in &report.problems {
            let _ = writeln!(out, "  in the way: {problem}");
        }
        if let Some(file) = &report.file {
            let _ = writeln!(out, "  review {}", file.display());
        }
    }
    out
}

/// What will be done by itself.
pub(super) fn foreseen(report: &Report) -> String {
    let Report { shown, steps, .. } = report;
    let names: Vec<&str> = steps.iter().map(|step| step.name.as_str()).collect();
    match names.is_empty() {
        true => String::new(),
        false => format!("about to migrate {shown}, while requests wait: {}\n", names.join("; ")),
    }
}

/// What was done by itself.
pub(super) fn done(report: &Report) -> String {
    let mut out = String::new();
    for step in &report.steps {
        let _ = writeln!(out, "migrated {}: {}", report.shown, line(step));
    }
    out.push_str(&waiting(report));
    out.push_str(&kept(report));
    out
}

/// What comes when no process of a former model runs any more.
fn waiting(report: &Report) -> String {
    let mut out = String::new();
    for step in &report.waiting {
        let _ = writeln!(out, "  waits for `mainstay migrate apply --contract`: {}", line(step));
    }
    if report.window && report.steps.is_empty() && report.waiting.is_empty() {
        out.push_str("  serves a former model too, until `mainstay migrate apply --contract`\n");
    }
    out
}

/// `add lab.things.note [expand, safe]: …`
fn line(step: &ScriptStep) -> String {
    let (phase, class) = (word(&step.phase), word(&step.class));
    format!("{} [{phase}, {class}]: {}", step.name, step.reason)
}

fn kept(report: &Report) -> String {
    let line = |(name, rows): &(String, u64)| {
        let rows = super::count(usize::try_from(*rows).unwrap_or(usize::MAX), "row");
        format!("  kept `{name}`, in no model: {rows}; `--allow-destroy {name}` lets it go\n")
    };
    report.kept.iter().map(line).collect()
}

/// As JSON says it.
fn word(value: &impl serde::Serialize) -> String {
    let value = serde_json::to_value(value).unwrap_or_default();
    value.as_str().unwrap_or_default().to_owned()
}

/// All databases, for programs.
pub(super) fn json(migrated: &Migrated) -> Value {
    let step = |step: &ScriptStep| {
        let sql = step.run.iter().flat_map(ir::migration::Run::statements);
        let sql: Vec<String> = sql.map(shown).collect();
        let undo = step.undo.as_ref();
        let undo = undo.map(|undo| undo.iter().map(|text| shown(text)).collect::<Vec<_>>());
        json!({
            "name": step.name, "phase": step.phase, "class": step.class, "reason": step.reason,
            "locks": step.locks, "undo": undo, "destroys": step.destroys, "sql": sql,
        })
    };
    let report = |report: &Report| {
        let kept: Vec<Value> =
            report.kept.iter().map(|(name, rows)| json!({ "name": name, "rows": rows })).collect();
        json!({
            "database": report.shown, "steps": report.steps.iter().map(step).collect::<Vec<_>>(),
            "waiting": report.waiting.iter().map(step).collect::<Vec<_>>(),
            "serves_former": report.window,
            "kept": kept, "problems": report.problems, "file": report.file,
        })
    };
    json!({
        "applied": migrated.applied, "undone": migrated.undone,
        "databases": migrated.reports.iter().map(report).collect::<Vec<_>>(),
    })
}
