//! Tables that somebody else makes in the service's file: what SQLite says of them, before anything
//! is made beside them.

use super::OpenError;
use super::layout::{File, Layout, damaged};
use super::link::{Link, Role};
use crate::adapters::sql::demand::{FoundColumn, FoundTable, Unmet, lacks};
use crate::adapters::sql::dialect::quote;
use ir::demand::{Demand, WantedColumn};
use ir::schema::Storage;
use rusqlite::Result;

/// Tables of somebody else must be as the model needs them.
pub(super) fn check(layout: &Layout, demands: &[Demand]) -> std::result::Result<(), OpenError> {
    if demands.is_empty() {
        return Ok(());
    }
    let path = layout.path(&File::Service);
    let mut all = Vec::new();
    if path.exists() {
        let link = Link::open(&path, Role::Reader, layout.lock_wait(), layout.clock());
        let link = link.map_err(|error| damaged(&path, &error))?;
        for demand in demands {
            let found = found(&link, &demand.name).map_err(|error| damaged(&path, &error))?;
            all.extend(lacks(demand, found.as_ref(), fits));
        }
    } else {
        all.extend(demands.iter().flat_map(|demand| lacks(demand, None, fits)));
    }
    match all.is_empty() {
        true => Ok(()),
        false => {
            let place = format!("`{}`", path.display());
            Err(OpenError::Unmet(Unmet { place, lacks: all }))
        }
    }
}

/// True where a file has a table.
pub(super) fn is_there(link: &Link, name: &str) -> Result<bool> {
    let there = "SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = ?1";
    link.connection.prepare(there)?.exists([name])
}

fn found(link: &Link, name: &str) -> Result<Option<FoundTable>> {
    if !is_there(link, name)? {
        return Ok(None);
    }
    let mut table = FoundTable::default();
    let text = format!("PRAGMA table_xinfo({})", quote(name));
    let mut statement = link.connection.prepare(&text)?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let (key, hidden): (i64, i64) = (row.get("pk")?, row.get("hidden")?);
        let default: Option<String> = row.get("dflt_value")?;
        table.columns.push(FoundColumn {
            name: row.get("name")?,
            kind: row.get("type")?,
            nullable: !row.get::<_, bool>("notnull")? && key == 0,
            optional: default.is_some() || hidden != 0,
            generated: hidden != 0,
            collation: None,
        });
    }
    // A table without an index of its key has the key as the number of its rows.
    let text = format!("PRAGMA index_list({})", quote(name));
    let mut statement = link.connection.prepare(&text)?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let (unique, partial): (bool, bool) = (row.get("unique")?, row.get("partial")?);
        let index: String = row.get("name")?;
        if unique && !partial {
            table.uniques.extend(columns(link, &index)?);
        }
    }
    Ok(Some(table))
}

/// The columns of an index; none where it is over an expression.
fn columns(link: &Link, index: &str) -> Result<Option<Vec<String>>> {
    let text = format!("PRAGMA index_info({})", quote(index));
    let mut statement = link.connection.prepare(&text)?;
    let names = statement.query_map([], |row| row.get("name"))?;
    names.collect()
}

/// By the rules of affinity: what a column makes of a value that it is given.
fn fits(wanted: &WantedColumn, is: &FoundColumn) -> bool {
    let kind = is.kind.to_ascii_uppercase();
    let has = |words: &[&str]| words.iter().any(|word| kind.contains(word));
    let integer = has(&["INT"]);
    let text = !integer && has(&["CHAR", "CLOB", "TEXT"]);
    let bytes = !integer && !text && (has(&["BLOB"]) || kind.is_empty());
    let real = !integer && !text && !bytes && has(&["REAL", "FLOA", "DOUB"]);
    match wanted.storage {
        Storage::Uuid => bytes,
        Storage::Text | Storage::Json | Storage::Currency => text,
        Storage::Bool | Storage::Int | Storage::Decimal { .. } | Storage::Units => {
            !text && !bytes && !real
        }
        Storage::Date | Storage::Time | Storage::Timestamp | Storage::Duration => {
            !text && !bytes && !real
        }
    }
}
