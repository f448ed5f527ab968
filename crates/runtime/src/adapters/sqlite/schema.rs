//! Tables made from the statements handed in, and what a file remembers of them. A file that was
//! made for another model is refused here: the steps from one model to the next come from outside
//! (see `migrations`).

use super::layout::{File, Layout, damaged};
use super::link::Link;
use super::{OpenError, system};
use crate::adapters::sql::dialect::quote;
use ir::migration::Snapshot;
use ir::schema::Table;
use rusqlite::Result;
use std::collections::BTreeSet;

mod statements;

use statements::{Kind, made};

/// Names of the tables that statements make.
pub(super) fn tables(ddl: &[String]) -> Vec<String> {
    let tables = made(ddl).into_iter().filter(|made| made.kind == Kind::Table);
    tables.map(|made| made.name).collect()
}

/// What a schema is known by.
pub(super) fn fingerprint(layout: &Layout) -> String {
    let ours = |table: &Table| layout.makes(&quote(&table.sql_name()));
    let text = text(&Snapshot::of(&layout.plan.schema, &ours));
    let digest = ring::digest::digest(&ring::digest::SHA256, text.as_bytes());
    digest.as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
}

fn text(snapshot: &Snapshot) -> String {
    serde_json::to_string(snapshot).expect("names and numbers are JSON")
}

/// Makes the tables of a new file, or finds that those of an old one serve the model.
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
    if system::meta(link, "schema").map_err(sqlite)?.is_some() {
        return Err(OpenError::Schema { path });
    }
    link.connection.execute_batch("BEGIN IMMEDIATE").map_err(sqlite)?;
    let made = make(link, layout, file);
    let end = if made.is_ok() { "COMMIT" } else { "ROLLBACK" };
    let ended = link.connection.execute_batch(end);
    made.and(ended).map_err(sqlite)
}

fn make(link: &Link, layout: &Layout, file: &File) -> Result<()> {
    system::make(link)?;
    let tables: BTreeSet<String> = layout.tables(file).into_iter().collect();
    for made in made(layout.ddl()) {
        if tables.contains(&quote(&made.table)) {
            link.connection.execute_batch(&made.text)?;
        }
    }
    remember(link, layout, file)
}

fn remember(link: &Link, layout: &Layout, file: &File) -> Result<()> {
    let now = layout.clock().now().to_string();
    system::meta_or(link, "created", &now)?;
    system::set_meta(link, "format", system::FORMAT)?;
    let tables: BTreeSet<String> = layout.tables(file).into_iter().collect();
    let held =
        Snapshot::of(&layout.plan.schema, &|table| tables.contains(&quote(&table.sql_name())));
    system::set_meta(link, "schema", &text(&held))?;
    system::set_meta(link, "fingerprint", &fingerprint(layout))
}
