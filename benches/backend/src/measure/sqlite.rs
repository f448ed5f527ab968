//! SQLite: a data directory for each server, filled once and copied.

use super::{Place, Side, Sides, reference, up};
use crate::arguments::Measure;
use crate::cases::Case;
use crate::data::{self, Rows};
use crate::process::{Scratch, Server, free_address};
use rusqlite::Connection;
use std::collections::HashMap;
use std::path::Path;
use std::time::Duration;

/// Makes the tables, fills them, starts both servers.
pub(super) fn start(
    binary: &Path,
    scratch: &Scratch,
    rows: &Rows,
    arguments: &Measure,
) -> Result<Sides, String> {
    let (first, second) = (scratch.0.join("sqlite-mainstay"), scratch.0.join("sqlite-reference"));
    let log = scratch.0.join("log");
    let address = free_address()?;
    Server::start(up(binary, scratch, &first, address)?, address, &log)?.end()?;
    rows.fill_sqlite(&first).map_err(|why| why.to_string())?;
    data::copy(&first, &second).map_err(|why| why.to_string())?;
    // Lines of the log that nobody reads cost what they cost to write.
    let nowhere = Path::new("/dev/null");
    let address = free_address()?;
    let server = Server::start(up(binary, scratch, &first, address)?, address, nowhere)?;
    let mainstay = Some(Side { name: "Mainstay", server, place: Place::Sqlite(first) });
    let address = free_address()?;
    let quiet = if !arguments.bare { nowhere } else { &*log };
    let server = Server::start(reference(&second, address, arguments)?, address, quiet)?;
    let reference = Side { name: "reference", server, place: Place::Sqlite(second) };
    Ok(Sides { store: "sqlite", mainstay, reference })
}

fn open(data: &Path) -> rusqlite::Result<Connection> {
    let link = Connection::open(data.join("shop.db"))?;
    link.busy_timeout(Duration::from_secs(10))?;
    Ok(link)
}

/// Drafts are drafts again, the journal is empty.
pub(super) fn settle(data: &Path, case: Case) -> rusqlite::Result<()> {
    let link = open(data)?;
    if case.versioned() {
        link.execute_batch("UPDATE ordering_orders SET status = 'draft' WHERE status = 'placed'")?;
    }
    link.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))
}

/// The version of every order.
pub(super) fn versions(data: &Path) -> rusqlite::Result<HashMap<u128, i64>> {
    let link = open(data)?;
    let mut statement = link.prepare("SELECT id, row_version FROM ordering_orders")?;
    let rows = statement
        .query_map([], |row| Ok((u128::from_be_bytes(row.get(0)?), row.get::<_, i64>(1)?)))?;
    rows.collect()
}
