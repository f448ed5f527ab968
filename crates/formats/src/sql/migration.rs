//! Steps of a migration as SQL of a dialect, and the file of them that people review.

mod file;
mod postgresql;
mod proof;
mod shape;
mod sqlite;

use ir::migration::{Action, Migration, Phase, Query, Run, ScriptStep, Step};
use ir::schema::Table;
use shape::Shapes;

pub use file::write_migration;
pub use shape::structure;

/// Which SQL.
#[derive(Clone, Copy)]
pub enum Dialect<'a> {
    /// SQLite: one process uses a file, so that nothing waits for a step.
    Sqlite,
    /// PostgreSQL, with the quoted name of a table where the database has it.
    Postgresql(&'a dyn Fn(&Table) -> String),
}

/// What a dialect makes of a step.
struct Written {
    run: Vec<Run>,
    undo: Option<Vec<String>>,
    locks: &'static str,
}

impl Written {
    /// What the database remembers is all that changes.
    fn nothing() -> Self {
        Self { run: Vec::new(), undo: Some(Vec::new()), locks: "nothing" }
    }
}

/// Every step, as what is reviewed and carried out.
pub fn script(migration: &Migration, dialect: Dialect<'_>) -> Vec<ScriptStep> {
    let shapes = Shapes { names: &migration.names };
    let write = |(at, step): (usize, &Step)| {
        let Written { run, undo, locks } = match dialect {
            _ if step.action == Action::HandOver => Written::nothing(),
            Dialect::Sqlite => sqlite::written(&shapes, step),
            Dialect::Postgresql(name) => postgresql::Writer { shapes: &shapes, name }.written(step),
        };
        let proofs = step.proofs.iter().map(|proof| {
            let early = proof::is_early(&migration.steps[..at], &step.table, &proof.holds);
            proof::query(&shapes, step, proof, dialect, early)
        });
        let proofs: Vec<Query> = proofs.collect();
        ScriptStep {
            name: name(&shapes, step),
            phase: step.phase,
            class: step.class,
            reason: step.reason.clone(),
            locks: locks.to_owned(),
            proofs,
            run,
            undo: undo.filter(|_| step.phase != Phase::Contract),
            held: step.held.clone(),
            destroys: step.destroys.clone(),
        }
    };
    migration.steps.iter().enumerate().map(write).collect()
}

/// `add ordering.orders.note`
fn name(shapes: &Shapes<'_>, step: &Step) -> String {
    let table = shapes.place(&step.table);
    match &step.action {
        Action::CreateTable => format!("create table {table}"),
        Action::MoveTable(from) => format!("rename table {} to {table}", shapes.place(from)),
        Action::RenameColumn { from, to } => format!("rename {table}.{from} to {to}"),
        Action::AddColumns(columns) => format!("add {table}.{}", columns.join(" and ")),
        Action::SetDefault(column) => format!("take the default of {table}.{column}"),
        Action::Loosen => format!("loosen {table}"),
        Action::Tighten => format!("tighten {table}"),
        Action::Backfill { column, .. } => format!("fill {table}.{column}"),
        Action::AddIndex(index) => format!("make index {index}"),
        Action::DropIndex(index) => format!("drop index {index}"),
        Action::RenameIndex { from, to } => format!("rename index {from} to {to}"),
        Action::SwapColumn { to, .. } => format!("put the converted {table}.{to} in place"),
        Action::DropColumns(columns) => format!("drop {table}.{}", columns.join(" and ")),
        Action::DropTable => format!("drop table {table}"),
        Action::HandOver => format!("hand over table {table}"),
    }
}
