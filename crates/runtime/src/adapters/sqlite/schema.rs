//! Tables made from the statements handed in, and the simple ways from one model to the next.
//!
//! A file remembers the schema that it was made for. Where the model has another one by now, what
//! only adds is carried out: new tables, new columns that may be null, other indexes, wider
//! constraints, each proved by copying the rows over. Whatever would lose or invent data is
//! refused, with every difference named.

use super::layout::{File, Layout, damaged};
use super::link::Link;
use super::{OpenError, system};
use crate::adapters::sql::dialect::quote;
use rusqlite::Result;
use serde_json::Value as Json;
use std::collections::BTreeSet;

mod statements;

use crate::adapters::sql::differences::{self, Change, differences};
use statements::{Kind, Made, made};

/// Names of the tables that statements make.
pub(super) fn tables(ddl: &[String]) -> Vec<String> {
    let tables = made(ddl).into_iter().filter(|made| made.kind == Kind::Table);
    tables.map(|made| made.name).collect()
}

/// What a schema is known by.
pub(super) fn fingerprint(layout: &Layout) -> String {
    let text = remembered(layout).to_string();
    let digest = ring::digest::digest(&ring::digest::SHA256, text.as_bytes());
    digest.as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The schema as the file remembers it: names and types, without what only this program knows.
fn remembered(layout: &Layout) -> Json {
    differences::remembered(&layout.plan.schema, &|table| layout.makes(&quote(table)))
}

/// Makes the tables of a file, or takes the simple way from those it has.
pub(super) fn bring_up(
    link: &mut Link,
    layout: &Layout,
    file: &File,
) -> std::result::Result<(), OpenError> {
    let path = layout.path(file);
    let sqlite = |error: rusqlite::Error| damaged(&path, &error);
    let known = system::fingerprint(link).map_err(sqlite)?;
    if known.as_deref() == Some(fingerprint(layout).as_str()) {
        return Ok(());
    }
    let format = system::meta(link, "format").map_err(sqlite)?;
    if let Some(found) = format.filter(|format| format != system::FORMAT) {
        return Err(OpenError::Format { path, found });
    }
    let before = system::meta(link, "schema").map_err(sqlite)?;
    let before = before.and_then(|text| serde_json::from_str::<Json>(&text).ok());
    link.connection
        .execute_batch("PRAGMA foreign_keys = OFF; PRAGMA legacy_alter_table = ON")
        .map_err(sqlite)?;
    let done = in_transaction(link, |link| match &before {
        Some(before) => extend(link, layout, file, before),
        None => make(link, layout, file).map(|()| Vec::new()),
    });
    link.connection
        .execute_batch("PRAGMA foreign_keys = ON; PRAGMA legacy_alter_table = OFF")
        .map_err(sqlite)?;
    match done.map_err(sqlite)? {
        refused if refused.is_empty() => Ok(()),
        differences => Err(OpenError::Schema { path, differences }),
    }
}

/// All or nothing; what is refused leaves the file as it was.
fn in_transaction(
    link: &Link,
    run: impl FnOnce(&Link) -> Result<Vec<String>>,
) -> Result<Vec<String>> {
    link.connection.execute_batch("BEGIN IMMEDIATE")?;
    let done = run(link);
    let fine = matches!(&done, Ok(refused) if refused.is_empty());
    let ended = link.connection.execute_batch(if fine { "COMMIT" } else { "ROLLBACK" });
    let done = done?;
    ended?;
    Ok(done)
}

fn make(link: &Link, layout: &Layout, file: &File) -> Result<()> {
    link.connection.execute_batch(system::SYSTEM_TABLES)?;
    let tables: BTreeSet<String> = layout.tables(file).into_iter().collect();
    for made in made(layout.ddl()) {
        if tables.contains(&quote(&made.table)) {
            link.connection.execute_batch(&made.text)?;
        }
    }
    remember(link, layout)
}

fn remember(link: &Link, layout: &Layout) -> Result<()> {
    let now = layout.clock().now().to_string();
    system::meta_or(link, "created", &now)?;
    system::set_meta(link, "format", system::FORMAT)?;
    system::set_meta(link, "schema", &remembered(layout).to_string())?;
    system::set_meta(link, "fingerprint", &fingerprint(layout))
}

/// Carries out what only adds; answers with what does not.
fn extend(link: &Link, layout: &Layout, file: &File, before: &Json) -> Result<Vec<String>> {
    let mut refused = Vec::new();
    let tables: BTreeSet<String> = layout.tables(file).into_iter().collect();
    let here = |table: &str| tables.contains(&quote(table));
    let statements: Vec<Made> =
        made(layout.ddl()).into_iter().filter(|made| here(&made.table)).collect();
    for change in differences(before, &remembered(layout)) {
        match change {
            Change::Refused { table, why } if here(&table) || exists(link, &table)? => {
                refused.push(why);
            }
            Change::Dropped { table } if exists(link, &table)? => {
                match link.exists(&format!("SELECT 1 FROM {}", quote(&table)), [])? {
                    true => refused.push(format!("table `{table}` has rows and is in no model")),
                    false => {
                        link.connection.execute_batch(&format!("DROP TABLE {}", quote(&table)))?;
                    }
                }
            }
            Change::Rebuilt { table, copied, filled, empty_only } if here(&table) => {
                refused.extend(rebuild(link, &table, &copied, &filled, &empty_only, &statements)?);
            }
            Change::Refused { .. } | Change::Dropped { .. } | Change::Rebuilt { .. } => {}
        }
    }
    if !refused.is_empty() {
        return Ok(refused);
    }
    refused.extend(complete(link, &statements)?);
    refused.extend(broken_references(link)?);
    if refused.is_empty() {
        remember(link, layout)?;
    }
    Ok(refused)
}

fn exists(link: &Link, name: &str) -> Result<bool> {
    let mut statement = link.statement("SELECT 1 FROM sqlite_schema WHERE name = ?1")?;
    statement.exists([name])
}

/// A table made anew with the rows it had; the constraints of the new one prove them.
fn rebuild(
    link: &Link,
    table: &str,
    copied: &[String],
    filled: &[(String, String)],
    empty_only: &[String],
    statements: &[Made],
) -> Result<Vec<String>> {
    let name = quote(table);
    if !empty_only.is_empty() && link.exists(&format!("SELECT 1 FROM {name}"), [])? {
        return Ok(empty_only.to_vec());
    }
    let Some(made) = statements.iter().find(|made| made.kind == Kind::Table && made.name == table)
    else {
        return Ok(vec![format!("table `{table}` has no statement that makes it")]);
    };
    let old = quote(&format!("mainstay_old_{table}"));
    link.connection.execute_batch(&format!("ALTER TABLE {name} RENAME TO {old}"))?;
    link.connection.execute_batch(&made.text)?;
    let columns: Vec<_> = copied.iter().map(|column| quote(column)).collect();
    let targets: Vec<_> =
        columns.iter().cloned().chain(filled.iter().map(|(to, _)| quote(to))).collect();
    let values: Vec<_> = columns
        .iter()
        .cloned()
        .chain(filled.iter().map(|(_, from)| format!("mainstay_search({})", quote(from))))
        .collect();
    let copy = format!(
        "INSERT INTO {name} ({}) SELECT {} FROM {old}",
        targets.join(", "),
        values.join(", ")
    );
    if let Err(error) = link.connection.execute_batch(&copy) {
        return match error.sqlite_error_code() {
            Some(rusqlite::ErrorCode::ConstraintViolation) => {
                Ok(vec![format!("rows of `{table}` break a constraint of the model ({error})")])
            }
            _ => Err(error),
        };
    }
    link.connection.execute_batch(&format!("DROP TABLE {old}"))?;
    Ok(Vec::new())
}

/// Makes what is missing and drops indexes that no model has.
fn complete(link: &Link, statements: &[Made]) -> Result<Vec<String>> {
    let mut refused = Vec::new();
    let text = "SELECT name, sql FROM sqlite_schema WHERE type IN ('index', 'trigger') \
                AND sql IS NOT NULL AND name NOT LIKE '%mainstay%'";
    let there: Vec<(String, String)> = {
        let mut statement = link.statement(text)?;
        let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
        rows.collect::<Result<_>>()?
    };
    for (name, text) in there {
        let same = statements.iter().any(|made| made.name == name && made.text.trim() == text);
        if !same {
            let kind = if text.contains("TRIGGER") { "TRIGGER" } else { "INDEX" };
            link.connection.execute_batch(&format!("DROP {kind} {}", quote(&name)))?;
        }
    }
    for made in statements {
        if exists(link, &made.name)? {
            continue;
        }
        match link.connection.execute_batch(&made.text) {
            Err(error) if made.kind == Kind::Index => refused.push(format!(
                "rows of `{}` break `{}` of the model ({error})",
                made.table, made.name
            )),
            done => done?,
        }
    }
    Ok(refused)
}

fn broken_references(link: &Link) -> Result<Vec<String>> {
    let mut statement = link.statement("PRAGMA foreign_key_check")?;
    let rows = statement.query_map([], |row| {
        let (from, to): (String, String) = (row.get(0)?, row.get(2)?);
        Ok(format!("rows of `{from}` refer to rows of `{to}` that are not there"))
    })?;
    let all: BTreeSet<String> = rows.collect::<Result<_>>()?;
    Ok(all.into_iter().collect())
}
