//! The simple ways from the schema that a place was made for to the model's present one.
//!
//! What only adds is carried out: new tables, new columns that may be null (or any, in a table
//! that never had a row), other indexes, wider or narrower checks. The server proves the rows that
//! are there. Whatever would lose or invent data is refused, with every difference named.

use super::{Wanted, lenient, told};
use crate::adapters::postgres::link::Link;
use crate::adapters::sql::dialect::quote;
use crate::adapters::sql::differences::{Change, differences};
use serde_json::Value as Json;
use std::collections::BTreeMap;
use tokio_postgres::Error;

/// Carries out what is simple; answers with what is not.
pub(super) async fn extend(
    link: &Link,
    wanted: &Wanted<'_>,
    before: &Json,
    present: &Json,
) -> Result<Vec<String>, Error> {
    let (mut refused, mut keys) = (Vec::new(), Vec::new());
    for change in differences(before, present) {
        refused.extend(match change {
            Change::Refused { why, .. } => vec![why],
            Change::Dropped { table } => vec![format!("table `{table}` is in no model")],
            Change::Rebuilt { table, filled, empty_only, .. } => {
                let never = never_had_rows(link, wanted, &table).await?;
                let mut why = if never { Vec::new() } else { empty_only };
                if !(never || filled.is_empty()) {
                    why.push(format!("`{table}` has rows that no search has seen: search is new"));
                }
                let (was, is) = (&before[&table], &present[&table]);
                match new_keys(wanted, &table, was, is) {
                    Some(new) => keys.extend(new),
                    None => why.push(format!("references of `{table}` are others")),
                }
                if why.is_empty() {
                    columns(link, wanted, &table, was, is).await?;
                }
                why
            }
        });
    }
    if !refused.is_empty() {
        return Ok(refused);
    }
    let empty = serde_json::Map::new();
    let tables = present.as_object().unwrap_or(&empty);
    let new: Vec<&String> = tables.keys().filter(|table| before.get(*table).is_none()).collect();
    for text in &wanted.ddl {
        if text.starts_with("CREATE SCHEMA") && !new.is_empty() {
            link.plain(&lenient(text)).await?;
        } else if new.iter().any(|table| wanted.is_of(text, table)) {
            link.plain(text).await?;
        }
    }
    for (table, is) in tables {
        if let Some(was) = before.get(table) {
            indexes(link, wanted, table, was, is).await?;
        }
    }
    for key in keys {
        link.plain(&key).await?;
    }
    Ok(Vec::new())
}

/// Statements for the references that come; none where one goes or changes.
fn new_keys(wanted: &Wanted<'_>, table: &str, was: &Json, is: &Json) -> Option<Vec<String>> {
    let keys = |of: &Json| of["foreign_keys"].as_array().cloned().unwrap_or_default();
    let (before, present) = (keys(was), keys(is));
    if !before.iter().all(|key| present.contains(key)) {
        return None;
    }
    let new = present.iter().filter(|key| !before.contains(key));
    let definition = |key: &Json| {
        let columns = key["columns"].as_array()?.iter().filter_map(Json::as_str).map(quote);
        let columns: Vec<_> = columns.collect();
        let start = format!("FOREIGN KEY ({}) ", columns.join(", "));
        let lines = wanted.statements_of(table).flat_map(str::lines);
        let definition = lines.filter_map(|line| line.find(&start).map(|at| &line[at..])).next()?;
        let definition = definition.trim_end_matches(',');
        Some(format!("ALTER TABLE {} ADD {definition}", wanted.name_of(table)))
    };
    new.map(definition).collect()
}

/// What a statement that the rows do not bear means; other faults stay what they are.
pub(super) fn unbearable(error: &Error, before: &Json, present: &Json) -> Option<Vec<String>> {
    let db = error.as_db_error()?;
    if !db.code().code().starts_with("23") {
        return None;
    }
    let mut all = told(before, present);
    all.push(format!(
        "rows of `{}` break a rule of the model ({})",
        db.table().unwrap_or_default(),
        db.message()
    ));
    Some(all)
}

/// Row-level security hides rows, not the size of files.
async fn never_had_rows(link: &Link, wanted: &Wanted<'_>, table: &str) -> Result<bool, Error> {
    let text = "SELECT pg_relation_size(($1::text)::regclass) = 0";
    let rows = link.query(text, &[&wanted.name_of(table)]).await?;
    Ok(rows.first().is_some_and(|row| row.get(0)))
}

fn by_name<'j>(of: &'j Json, member: &str) -> BTreeMap<&'j str, &'j Json> {
    let all = of[member].as_array().map_or(&[][..], Vec::as_slice);
    all.iter().filter_map(|one| Some((one["name"].as_str()?, one))).collect()
}

/// Columns that come, go, may be null or have another check.
async fn columns(
    link: &Link,
    wanted: &Wanted<'_>,
    table: &str,
    was: &Json,
    is: &Json,
) -> Result<(), Error> {
    let name = wanted.name_of(table);
    let (before, present) = (by_name(was, "columns"), by_name(is, "columns"));
    for (column, _) in before.iter().filter(|(column, _)| !present.contains_key(*column)) {
        link.plain(&format!("ALTER TABLE {name} DROP COLUMN {}", quote(column))).await?;
    }
    for (column, now) in &present {
        let definition = wanted.column(table, column);
        let Some(was) = before.get(column) else {
            link.plain(&format!("ALTER TABLE {name} ADD COLUMN {definition}")).await?;
            continue;
        };
        let quoted = quote(column);
        if was["nullable"] != now["nullable"] {
            let change = if now["nullable"] == true { "DROP" } else { "SET" };
            let text = format!("ALTER TABLE {name} ALTER COLUMN {quoted} {change} NOT NULL");
            link.plain(&text).await?;
        }
        if was["check"] != now["check"] {
            drop_checks(link, &name, column).await?;
            if let Some((_, check)) = definition.split_once(" CHECK (") {
                let text = format!("ALTER TABLE {name} ADD CHECK ({check}");
                link.plain(&text).await?;
            }
        }
    }
    Ok(())
}

/// The checks of one column alone.
async fn drop_checks(link: &Link, table: &str, column: &str) -> Result<(), Error> {
    let text = "SELECT c.conname::text FROM pg_catalog.pg_constraint c \
                JOIN pg_catalog.pg_attribute a ON a.attrelid = c.conrelid \
                WHERE c.contype = 'c' AND c.conrelid = ($1::text)::regclass \
                AND a.attname = $2 AND c.conkey = ARRAY[a.attnum]";
    for row in link.query(text, &[&table, &column]).await? {
        let constraint: String = row.try_get(0)?;
        let drop = format!("ALTER TABLE {table} DROP CONSTRAINT {}", quote(&constraint));
        link.plain(&drop).await?;
    }
    Ok(())
}

async fn indexes(
    link: &Link,
    wanted: &Wanted<'_>,
    table: &str,
    was: &Json,
    is: &Json,
) -> Result<(), Error> {
    let name = wanted.name_of(table);
    let schema = name.split('.').next().unwrap_or_default();
    let (before, present) = (by_name(was, "indexes"), by_name(is, "indexes"));
    for (index, was) in &before {
        if present.get(index) != Some(was) {
            link.plain(&format!("DROP INDEX IF EXISTS {schema}.{}", quote(index))).await?;
        }
    }
    for (index, now) in &present {
        if before.get(index) == Some(now) {
            continue;
        }
        let made = format!("INDEX {} ON ", quote(index));
        for text in wanted.statements_of(table).filter(|text| text.contains(&made)) {
            link.plain(text).await?;
        }
    }
    Ok(())
}
