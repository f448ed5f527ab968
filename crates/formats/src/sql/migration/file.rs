//! The file of a migration that people review: each step with its class, its reason, what it locks
//! and how it is taken back.

use super::Dialect;
use ir::migration::{Class, Phase, Run, ScriptStep};
use std::fmt::Write as _;

/// The whole file; `title` says of what.
pub fn write_migration(title: &str, steps: &[ScriptStep], dialect: Dialect<'_>) -> String {
    let mut out = format!("-- {title}\n-- `mainstay migrate apply` carries it out, and refuses to");
    out.push_str(" where it is no longer what is needed.\n");
    out.push_str(match dialect {
        Dialect::Sqlite => "PRAGMA foreign_keys = OFF;\n",
        Dialect::Postgresql(_) => "SET lock_timeout = '300ms';\n",
    });
    for (at, step) in steps.iter().enumerate() {
        let (phase, class) = (phase(step.phase), class(step.class));
        let _ = writeln!(out, "\n-- {}. {} [{phase}, {class}]", at + 1, step.name);
        let _ = writeln!(out, "--    why: {}", step.reason);
        let _ = writeln!(out, "--    locks: {}", step.locks);
        if let Some(name) = &step.destroys {
            let _ = writeln!(out, "--    needs: --allow-destroy {name}");
        }
        match step.undo.as_deref() {
            None => out.push_str("--    undo: nothing takes this back\n"),
            Some([]) => out.push_str("--    undo: nothing to do\n"),
            Some(undo) => {
                let undo = undo.join("; ");
                let undo = undo.split_whitespace().collect::<Vec<_>>().join(" ");
                let _ = writeln!(out, "--    undo: {undo}");
            }
        }
        for proof in &step.proofs {
            let _ = writeln!(out, "--    rows that {}: must be 0 of", proof.fault);
            let _ = writeln!(out, "--      {}", proof.count);
        }
        step.run.iter().for_each(|run| write_run(&mut out, run));
    }
    out
}

fn write_run(out: &mut String, run: &Run) {
    match run {
        Run::Together(statements) => {
            out.push_str("BEGIN;\n");
            for text in statements {
                let _ = writeln!(out, "{text};");
            }
            out.push_str("COMMIT;\n");
        }
        Run::Alone(statements) => {
            for text in statements {
                let _ = writeln!(out, "{text};");
            }
        }
        Run::Chunks { end, statement, step, rows: _ } => {
            let _ = writeln!(out, "-- repeated by {step} from 0 to ({end})");
            let _ = writeln!(out, "{statement};");
        }
    }
}

/// When a step runs, in a word.
fn phase(phase: Phase) -> &'static str {
    match phase {
        Phase::Expand => "expand",
        Phase::Switch => "switch",
        Phase::Contract => "contract",
    }
}

fn class(class: Class) -> &'static str {
    match class {
        Class::Safe => "safe",
        Class::Backfill => "needs backfill",
        Class::Destroys => "destroys",
    }
}
