//! Steps on SQLite. Constraints change by a new text of the table, which leaves its rows where they
//! are, once the rows are proven to fulfil it; columns are added without a rule and get theirs so.

use super::shape::Shapes;
use super::{Written, proof};
use crate::sql::{only, quoted, sqlite, text};
use ir::migration::{Action, Fill, Held, HeldColumn, Run, Step};
use ir::model::OnDelete;
use ir::schema::{Literal, Table};

/// Rows in one transaction of a backfill.
const CHUNK_ROWS: u64 = 5_000;

const BRIEF: &str = "the file, for a moment";
const READ: &str = "the file, while each row is read or written once";

pub(super) fn written(shapes: &Shapes<'_>, step: &Step) -> Written {
    match (&step.before, &step.shape) {
        (_, None) => done(vec![dropped(&step.table)], None, READ),
        (None, Some(shape)) => {
            done(created(shapes, shape), Some(vec![dropped(&step.table)]), BRIEF)
        }
        (Some(before), Some(shape)) => changed(shapes, step, before, shape),
    }
}

fn done(statements: Vec<String>, undo: Option<Vec<String>>, locks: &'static str) -> Written {
    Written { run: vec![Run::Together(statements)], undo, locks }
}

fn changed(shapes: &Shapes<'_>, step: &Step, before: &Held, shape: &Held) -> Written {
    let key = &step.table;
    let back_and_forth = |run: String, undo: String, from: &str| {
        let mut run = vec![run];
        run.extend(retriggered(shapes, before, shape, key));
        let mut undo = vec![undo];
        undo.extend(retriggered(shapes, shape, before, from));
        done(run, Some(undo), BRIEF)
    };
    match &step.action {
        Action::MoveTable(from) => {
            let rename = |from: &str, to: &str| {
                format!("ALTER TABLE {} RENAME TO {}", quoted(from), quoted(to))
            };
            back_and_forth(rename(from, key), rename(key, from), from)
        }
        Action::RenameColumn { from, to } => {
            back_and_forth(renamed(key, from, to), renamed(key, to, from), key)
        }
        Action::AddColumns(columns) => {
            let mut undo = reshaped(shapes, &loose(shape, columns));
            undo.extend(columns.iter().map(|column| without(key, column)));
            undo.extend(reshaped(shapes, before));
            Written { run: added(shapes, step, columns, shape), undo: Some(undo), locks: READ }
        }
        Action::Loosen | Action::Tighten => {
            let mut run = reshaped(shapes, shape);
            run.extend(retriggered(shapes, before, shape, key));
            let mut undo = proof::guards(shapes, shape, before);
            undo.extend(reshaped(shapes, before));
            undo.extend(retriggered(shapes, shape, before, key));
            done(run, Some(undo), BRIEF)
        }
        Action::Backfill { column, fill } => {
            let (run, undo) = (vec![filled(shape, column, fill)], Some(Vec::new()));
            Written { run, undo, locks: "the file, a chunk at a time" }
        }
        Action::AddIndex(index) => done(made(shapes, shape, index), Some(vec![gone(index)]), READ),
        Action::DropIndex(index) => {
            done(vec![gone(index)], Some(made(shapes, before, index)), BRIEF)
        }
        Action::RenameIndex { from, to } => {
            let again = |gone: String, made: Vec<String>| [vec![gone], made].concat();
            let undo = again(gone(to), made(shapes, before, from));
            done(again(gone(from), made(shapes, shape, to)), Some(undo), READ)
        }
        Action::SwapColumn { from, to } => {
            let gone = std::slice::from_ref(to);
            let mut run = reshaped(shapes, &loose(before, gone));
            run.extend([without(key, to), renamed(key, from, to)]);
            run.extend(reshaped(shapes, shape));
            done(run, None, READ)
        }
        Action::DropColumns(columns) => {
            let mut run = reshaped(shapes, &loose(before, columns));
            run.extend(columns.iter().map(|column| without(key, column)));
            run.extend(reshaped(shapes, shape));
            done(run, None, READ)
        }
        // Nobody but us writes, and we write every column.
        Action::SetDefault(_) | Action::CreateTable | Action::DropTable | Action::HandOver => {
            Written::nothing()
        }
    }
}

fn renamed(key: &str, from: &str, to: &str) -> String {
    format!("ALTER TABLE {} RENAME COLUMN {} TO {}", quoted(key), quoted(from), quoted(to))
}

fn created(shapes: &Shapes<'_>, shape: &Held) -> Vec<String> {
    let (schema, table) = shapes.table(shape);
    let mut run = vec![sqlite::create_table(&schema, &table, &|_| true)];
    run.extend(table.indexes.iter().map(|index| sqlite::create_index(&table, index)));
    run.extend(sqlite::triggers(&schema, &table, &|_| true));
    run
}

fn dropped(key: &str) -> String {
    format!("DROP TABLE IF EXISTS {}", quoted(key))
}

fn gone(index: &str) -> String {
    format!("DROP INDEX IF EXISTS {}", quoted(index))
}

fn without(key: &str, column: &str) -> String {
    format!("ALTER TABLE {} DROP COLUMN {}", quoted(key), quoted(column))
}

fn made(shapes: &Shapes<'_>, shape: &Held, name: &str) -> Vec<String> {
    let (_, table) = shapes.table(shape);
    let all = table.indexes.iter().filter(|index| index.name == name);
    all.map(|index| sqlite::create_index(&table, index)).collect()
}

/// A new text for the table. Rows stay; another table comes and goes, so that every connection
/// reads the texts again.
fn reshaped(shapes: &Shapes<'_>, shape: &Held) -> Vec<String> {
    let (schema, table) = shapes.table(shape);
    let create = sqlite::create_table(&schema, &table, &|_| true);
    vec![
        "PRAGMA writable_schema = ON".to_owned(),
        format!(
            "UPDATE sqlite_schema SET sql = {} WHERE type = 'table' AND name = {}",
            text(&create),
            text(&table.sql_name())
        ),
        "PRAGMA writable_schema = RESET".to_owned(),
        "CREATE TABLE \"mainstay_reshaped\" (\"x\" INTEGER)".to_owned(),
        "DROP TABLE \"mainstay_reshaped\"".to_owned(),
    ]
}

/// The shape with those columns free of every rule, so that they can be dropped.
fn loose(shape: &Held, columns: &[String]) -> Held {
    let mut shape = shape.clone();
    for column in shape.columns.iter_mut().filter(|column| columns.contains(&column.name)) {
        (column.nullable, column.check, column.part) = (true, None, None);
    }
    shape.foreign_keys.retain(|key| !key.columns.iter().any(|column| columns.contains(column)));
    shape
}

/// Added without a rule, filled, then given their rules.
fn added(shapes: &Shapes<'_>, step: &Step, columns: &[String], shape: &Held) -> Vec<Run> {
    let name = quoted(&step.table);
    let new: Vec<&HeldColumn> =
        shape.columns.iter().filter(|column| columns.contains(&column.name)).collect();
    let add = |column: &&HeldColumn| {
        let (column, kind) = (quoted(&column.name), sqlite::kind(column.storage));
        format!("ALTER TABLE {name} ADD COLUMN {column} {kind}")
    };
    let mut run = vec![Run::Together(new.iter().map(add).collect())];
    for column in new {
        if let Some(value) = &column.default {
            run.push(filled(shape, &column.name, &Fill::Constant(value.clone())));
        }
    }
    run.push(Run::Together(reshaped(shapes, shape)));
    run
}

fn filled(shape: &Held, column: &str, fill: &Fill) -> Run {
    let key = format!("{}_{}", shape.context, shape.name);
    let (table, column) = (quoted(&key), quoted(column));
    let (value, also) = match fill {
        Fill::Constant(Literal::Int(value)) => (value.to_string(), String::new()),
        Fill::Constant(Literal::Text(value)) => (text(value), String::new()),
        Fill::Search(of) => {
            let of = quoted(of);
            (format!("mainstay_search({of})"), format!(" AND {of} IS NOT NULL"))
        }
        Fill::Scaled { of, times, by } => {
            let of = quoted(of);
            let value = if *by > 1 { format!("{of} / {by}") } else { format!("{of} * {times}") };
            (value, format!(" AND {of} IS NOT NULL"))
        }
    };
    Run::Chunks {
        end: format!("SELECT coalesce(max(_rowid_), 0) + 1 FROM {table}"),
        rows: format!("SELECT count(*) FROM {table} WHERE {column} IS NULL{also}"),
        statement: format!(
            "UPDATE {table} SET {column} = {value} WHERE _rowid_ >= :from AND _rowid_ < :to \
             AND {column} IS NULL{also}"
        ),
        step: CHUNK_ROWS,
    }
}

/// Triggers that clear references: gone with the key that they serve, or with its name.
fn retriggered(shapes: &Shapes<'_>, before: &Held, after: &Held, to: &str) -> Vec<String> {
    let triggers = |held: &Held| {
        let (schema, table) = shapes.table(held);
        sqlite::triggers(&schema, &table, &|_| true)
    };
    let (were, are) = (triggers(before), triggers(after));
    if were == are {
        return Vec::new();
    }
    let from = format!("{}_{}", before.context, before.name);
    let clearing = |held: &Held, key: &str| -> Vec<String> {
        let keys = held.foreign_keys.iter().filter(|key| key.on_delete == OnDelete::Clear);
        let columns = keys.filter_map(|key| key.columns.last());
        columns.map(|column| format!("clear_{key}_{column}")).collect()
    };
    let mut names = clearing(before, &from);
    names.extend(clearing(after, to));
    names.sort();
    names.dedup();
    let gone = names.iter().map(|name| format!("DROP TRIGGER IF EXISTS {}", quoted(name)));
    gone.chain(are).collect()
}

/// ` WHERE …` of a partial index.
pub(super) fn conditions(table: &Table, index: &ir::schema::Index) -> String {
    only(table, index, "IS NOT", sqlite::literal)
}
