//! DDL of the physical schema, for people and for loading: [`write_sqlite`] and
//! [`write_postgresql`] give a whole file, [`sqlite_statements`] and [`postgresql_statements`] what
//! a fresh database is made by.

mod demand;
pub mod migration;
mod operations;
mod postgresql;
mod sqlite;
mod system;

#[cfg(test)]
mod tests;

use ir::schema::{Column, Index, IndexCondition, Literal, Part, Schema, Table};

pub use demand::{postgresql_demands, sqlite_demands};
pub use postgresql::{Place, postgresql_name, postgresql_statements, write_postgresql};
pub use sqlite::{sqlite_statements, write_sqlite, write_sqlite_keys};

/// An identifier, always quoted, so that no word of SQL is in the way.
fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// A text literal.
fn text(value: &str) -> String {
    format!("'{}'", value.replace('\'', "''"))
}

fn list<'a>(names: impl IntoIterator<Item = &'a String>) -> String {
    names.into_iter().map(|name| quoted(name)).collect::<Vec<_>>().join(", ")
}

fn index_columns(index: &Index) -> String {
    let column = |(name, down): &(String, bool)| quoted(name) + if *down { " DESC" } else { "" };
    index.columns.iter().map(column).collect::<Vec<_>>().join(", ")
}

/// The tables in the order in which they can be made: what is referred to first. Tables that
/// refer to each other in a circle stay in the order of the schema. What somebody else makes is not
/// among them.
fn in_order<'a>(schema: &'a Schema, holds: &dyn Fn(&Table) -> bool) -> Vec<(usize, &'a Table)> {
    let mut left: Vec<(usize, &Table)> =
        schema.tables.iter().enumerate().filter(|(_, table)| ours(table, holds)).collect();
    let mut ordered = Vec::with_capacity(left.len());
    while !left.is_empty() {
        let waits = |(at, table): &(usize, &Table)| {
            let needs =
                |needed: usize| needed != *at && left.iter().any(|(other, _)| *other == needed);
            table.foreign_keys.iter().any(|key| needs(key.table))
        };
        let next = left.iter().position(|entry| !waits(entry)).unwrap_or(0);
        ordered.push(left.remove(next));
    }
    ordered
}

fn ours(table: &Table, holds: &dyn Fn(&Table) -> bool) -> bool {
    table.is_managed() && holds(table)
}

/// Comment lines about tables that somebody else makes: a file of ours does not.
fn left_out(schema: &Schema, holds: &dyn Fn(&Table) -> bool) -> String {
    let theirs = schema.tables.iter().filter(|table| !table.is_managed() && holds(table));
    let line = |table: &Table| {
        let name = one_line(&format!("{}.{}", table.sql_schema(), table.name));
        format!("\n-- {name} is somebody else's (managed: no_ddl) and not made here\n")
    };
    theirs.map(line).collect()
}

/// Pairs of columns that are null together: amount and currency, start and end.
fn pairs(table: &Table) -> Vec<(&Column, &Column)> {
    let mut pairs = Vec::new();
    for first in &table.columns {
        let second = match first.field {
            Some((field, Part::Units)) => table.column(field, Part::Currency),
            Some((field, Part::Start)) => table.column(field, Part::End),
            Some((_, Part::Whole | Part::Currency | Part::End | Part::Search)) | None => None,
        };
        pairs.extend(second.map(|second| (first, second)));
    }
    pairs
}

fn is_span(column: &Column) -> bool {
    matches!(column.field, Some((_, Part::Start)))
}

/// True for an index over the shadow columns of `q`.
fn is_search(table: &Table, index: &Index) -> bool {
    let shadow = |name: &String| {
        table
            .columns
            .iter()
            .any(|column| column.name == *name && matches!(column.field, Some((_, Part::Search))))
    };
    index.columns.iter().any(|(name, _)| shadow(name))
}

/// ` WHERE …` of a partial index. `differs` is the operator that null is not equal under.
fn only(
    table: &Table,
    index: &Index,
    differs: &str,
    literal: fn(&Column, &Literal) -> String,
) -> String {
    let column = |name: &String| table.columns.iter().find(|column| column.name == *name);
    let with = |name: &String, operator: &str, value: &Literal| {
        let value = column(name).map(|column| literal(column, value)).unwrap_or_default();
        format!("{} {operator} {value}", quoted(name))
    };
    let conditions: Vec<String> = index
        .only
        .iter()
        .map(|condition| match condition {
            IndexCondition::NotNull(name) => format!("{} IS NOT NULL", quoted(name)),
            IndexCondition::Null(name) => format!("{} IS NULL", quoted(name)),
            IndexCondition::Equal(name, value) => with(name, "=", value),
            IndexCondition::NotEqual(name, value) => {
                let nullable = column(name).is_some_and(|column| column.nullable);
                with(name, if nullable { differs } else { "<>" }, value)
            }
        })
        .collect();
    match conditions.is_empty() {
        true => String::new(),
        false => format!(" WHERE {}", conditions.join(" AND ")),
    }
}

/// Comment lines that name what needs an index.
fn needed_by(index: &Index) -> String {
    index.needed_by.iter().map(|why| format!("-- {}\n", one_line(why))).collect()
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}
