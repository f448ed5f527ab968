//! What must hold of the rows, as questions to them.

use super::shape::{self, Shapes};
use super::{Dialect, postgresql, sqlite};
use crate::sql::{postgresql as ddl, quoted, sqlite as lite};
use ir::migration::{Action, Held, HeldIndex, HeldKey, Holds, Proof, Query, Step};
use ir::schema::{Check, Overlap, Table};

/// Ids that are told.
const EXAMPLES_MAX: usize = 5;

/// The question of a proof, asked of the table before the step.
pub(super) fn query(
    shapes: &Shapes<'_>,
    step: &Step,
    proof: &Proof,
    dialect: Dialect<'_>,
    early: bool,
) -> Query {
    let held = step.before.clone().or_else(|| step.shape.clone()).unwrap_or_default();
    let from = rows(shapes, &held, &proof.holds, dialect);
    let id = match dialect {
        Dialect::Sqlite => "lower(hex(\"id\"))",
        Dialect::Postgresql(_) => "\"id\"::text",
    };
    Query {
        table: shapes.place(&step.table),
        count: format!("SELECT count(*) FROM {from}"),
        examples: format!("SELECT {id} FROM {from} LIMIT {EXAMPLES_MAX}"),
        fault: proof.fault.clone(),
        instead: proof.instead.clone(),
        early,
    }
}

/// The rows that break it, as what stands behind `FROM`.
fn rows(shapes: &Shapes<'_>, held: &Held, holds: &Holds, dialect: Dialect<'_>) -> String {
    let (_, table) = shapes.table(held);
    let name = name(&table, dialect);
    match holds {
        Holds::NoRows => name,
        Holds::NoValue(column) => format!("{name} WHERE {} IS NOT NULL", quoted(column)),
        Holds::HasValue(column) => format!("{name} WHERE {} IS NULL", quoted(column)),
        Holds::Within(column, check) => match within(&table, column, check, dialect) {
            Some(condition) => format!("{name} WHERE NOT ({condition})"),
            None => format!("{name} WHERE false"),
        },
        Holds::Divisible(column, by) => format!("{name} WHERE {} % {by} <> 0", quoted(column)),
        Holds::Unique(index) => unique(&table, &name, index, dialect),
        Holds::Refers(key) => {
            let target = shapes.stub(&key.table);
            refers(&name, &self::name(&target, dialect), key)
        }
        Holds::Apart(overlap) => apart(&name, overlap),
    }
}

fn name(table: &Table, dialect: Dialect<'_>) -> String {
    match dialect {
        Dialect::Sqlite => quoted(&table.sql_name()),
        Dialect::Postgresql(name) => name(table),
    }
}

fn within(table: &Table, column: &str, check: &Check, dialect: Dialect<'_>) -> Option<String> {
    match dialect {
        Dialect::Sqlite => lite::condition(&quoted(column), check),
        Dialect::Postgresql(_) => {
            let column = table.columns.iter().find(|other| other.name == column)?;
            ddl::condition(column, &quoted(&column.name), check)
        }
    }
}

fn unique(table: &Table, name: &str, index: &HeldIndex, dialect: Dialect<'_>) -> String {
    let columns: Vec<String> = index.columns.iter().map(|(column, _)| quoted(column)).collect();
    let only = match dialect {
        Dialect::Sqlite => sqlite::conditions(table, &shape::index(index)),
        Dialect::Postgresql(_) => postgresql::conditions(table, &shape::index(index)),
    };
    let only = only.strip_prefix(" WHERE ").map(|only| format!(" AND {only}")).unwrap_or_default();
    let there: Vec<String> = columns.iter().map(|column| format!("{column} IS NOT NULL")).collect();
    format!(
        "(SELECT \"id\", count(*) OVER (PARTITION BY {}) AS \"n\" FROM {name} WHERE {}{only}) \
         AS \"equal\" WHERE \"n\" > 1",
        columns.join(", "),
        there.join(" AND ")
    )
}

fn refers(name: &str, target: &str, key: &HeldKey) -> String {
    let here = |column: &String| format!("\"here\".{}", quoted(column));
    let there: Vec<String> =
        key.columns.iter().map(|column| format!("{} IS NOT NULL", here(column))).collect();
    let pairs = key.columns.iter().zip(&key.to);
    let same: Vec<String> =
        pairs.map(|(from, to)| format!("\"there\".{} = {}", quoted(to), here(from))).collect();
    format!(
        "{name} AS \"here\" WHERE {} AND NOT EXISTS (SELECT 1 FROM {target} AS \"there\" \
         WHERE {})",
        there.join(" AND "),
        same.join(" AND ")
    )
}

fn apart(name: &str, overlap: &Overlap) -> String {
    let (start, end) = (quoted(&overlap.start), quoted(&overlap.end));
    let equal: Vec<String> = overlap.equal.iter().map(|column| quoted(column)).collect();
    let by = match equal.is_empty() {
        true => String::new(),
        false => format!("PARTITION BY {} ", equal.join(", ")),
    };
    let there = equal.iter().map(|column| format!("{column} IS NOT NULL AND ")).collect::<String>();
    format!(
        "(SELECT \"id\", {start} AS \"s\", max({end}) OVER ({by}ORDER BY {start} ROWS BETWEEN \
         UNBOUNDED PRECEDING AND 1 PRECEDING) AS \"e\" FROM {name} \
         WHERE {there}{start} IS NOT NULL) AS \"spans\" WHERE \"e\" > \"s\""
    )
}

/// Statements that fail where rows break what `to` asks beyond `from`: before a table on SQLite
/// gets back its former text, which by itself proves nothing.
pub(super) fn guards(shapes: &Shapes<'_>, from: &Held, to: &Held) -> Vec<String> {
    let mut all = Vec::new();
    for column in &to.columns {
        let Some(was) = from.column(&column.name) else { continue };
        if was.nullable && !column.nullable {
            all.push(Holds::HasValue(column.name.clone()));
        }
        if let Some(check) = column.check.clone().filter(|_| was.check != column.check) {
            all.push(Holds::Within(column.name.clone(), check));
        }
    }
    let keys = to.foreign_keys.iter().filter(|key| !from.foreign_keys.contains(key));
    all.extend(keys.cloned().map(Holds::Refers));
    if all.is_empty() {
        return Vec::new();
    }
    let mut statements = vec![
        "CREATE TABLE \"mainstay_proof\" (\"broken\" INTEGER CHECK (\"broken\" = 0))".to_owned(),
    ];
    statements.extend(all.iter().map(|holds| {
        let rows = rows(shapes, to, holds, Dialect::Sqlite);
        format!("INSERT INTO \"mainstay_proof\" SELECT count(*) FROM {rows}")
    }));
    statements.push("DROP TABLE \"mainstay_proof\"".to_owned());
    statements
}

/// True where earlier steps change nothing of what is asked.
pub(super) fn is_early(earlier: &[Step], table: &str, holds: &Holds) -> bool {
    let mut asked: Vec<&str> = Vec::new();
    let mut tables = vec![table];
    match holds {
        Holds::NoRows => {}
        Holds::NoValue(column) | Holds::HasValue(column) => asked.push(column),
        Holds::Within(column, _) | Holds::Divisible(column, _) => asked.push(column),
        Holds::Unique(index) => asked.extend(index.columns.iter().map(|(name, _)| &**name)),
        Holds::Refers(key) => {
            asked.extend(key.columns.iter().map(String::as_str));
            tables.push(&key.table);
        }
        Holds::Apart(overlap) => asked.extend([&*overlap.start, &*overlap.end]),
    }
    let touches = |step: &&Step| match &step.action {
        Action::CreateTable | Action::MoveTable(_) => tables.contains(&step.table.as_str()),
        _ if step.table != table => false,
        Action::AddColumns(columns) => columns.iter().any(|name| asked.contains(&name.as_str())),
        Action::RenameColumn { to, .. } | Action::SwapColumn { to, .. } => {
            asked.contains(&to.as_str())
        }
        Action::Backfill { column, .. } => asked.contains(&column.as_str()),
        Action::SetDefault(_) | Action::Loosen | Action::Tighten | Action::AddIndex(_) => false,
        Action::DropIndex(_) | Action::RenameIndex { .. } => false,
        Action::DropColumns(_) | Action::DropTable | Action::HandOver => false,
    };
    !earlier.iter().any(|step| touches(&step))
}
