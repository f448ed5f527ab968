//! The audit trail in the files: entries appended by the one writer, read in pages, removed when
//! their time is over, walked along by who proves it.

use super::error::OpenError;
use super::layout::damaged;
use super::link::{Link, bind};
use crate::adapters::sql::shape::Cell;
use crate::ports::audit::{BATCH_ENTRIES_MAX, Chain, Entry, Head, Kept, Query, Verdict, Walk};
use crate::ports::audit::{SHARED, hash};
use rusqlite::{Connection, OpenFlags, OptionalExtension, Result, Row, params};
use std::path::{Path, PathBuf};

/// Chains that one sweep shortens.
const SWEEP_CHAINS_MAX: usize = 16;

const CHAIN: &str = "SELECT \"chain\", \"number\", \"hash\", \"removed\", \"removed_hash\" \
                     FROM \"mainstay_audit_chains\"";
const ENTRY: &str = "SELECT \"number\", \"id\", \"time\", \"who\", \"operation\", \"resource\", \
                     \"row_id\", \"body\", \"previous\", \"hash\" FROM \"mainstay_audit\"";

/// Appends an entry to its chain; the head goes with it.
pub(super) fn append(link: &Link, tenant: Option<&str>, entry: &Entry) -> Result<()> {
    let name = if entry.shared { SHARED } else { tenant.unwrap_or(SHARED) };
    let text = format!("{CHAIN} WHERE \"chain\" = ?1");
    let found = link.statement(&text)?.query_row([name], chain).optional()?;
    let chain = found.unwrap_or_else(|| Chain::new(name));
    let number = chain.number + 1;
    let hash = hash(&chain.hash, name, number, entry);
    let text = "INSERT INTO \"mainstay_audit\" VALUES (?1, ?2, nullif(?1, ''), ?3, ?4, ?5, ?6, \
                ?7, ?8, ?9, ?10, ?11)";
    link.statement(text)?.execute(params![
        name,
        number,
        entry.id.to_be_bytes(),
        entry.time,
        entry.who,
        entry.operation,
        entry.resource,
        entry.row.map(u128::to_be_bytes),
        entry.body,
        chain.hash,
        hash
    ])?;
    let text = "INSERT INTO \"mainstay_audit_chains\" \
                VALUES (?1, nullif(?1, ''), ?2, ?3, ?4, ?5) ON CONFLICT (\"chain\") \
                DO UPDATE SET \"number\" = excluded.\"number\", \"hash\" = excluded.\"hash\"";
    let cells = params![name, number, hash, chain.removed, chain.removed_hash];
    link.statement(text)?.execute(cells).map(|_| ())
}

fn chain(row: &Row<'_>) -> Result<Chain> {
    Ok(Chain {
        name: row.get(0)?,
        number: row.get(1)?,
        hash: row.get(2)?,
        removed: row.get(3)?,
        removed_hash: row.get(4)?,
    })
}

fn kept(row: &Row<'_>) -> Result<Kept> {
    let id: [u8; 16] = row.get(1)?;
    let of: Option<[u8; 16]> = row.get(6)?;
    Ok(Kept {
        entry: Entry {
            id: u128::from_be_bytes(id),
            shared: false,
            time: row.get(2)?,
            who: row.get(3)?,
            operation: row.get(4)?,
            resource: row.get(5)?,
            row: of.map(u128::from_be_bytes),
            body: row.get(7)?,
            write: None,
        },
        number: row.get(0)?,
        previous: row.get(8)?,
        hash: row.get(9)?,
    })
}

/// A page of a chain, newest first; none of a file that an older build made and none has written.
pub(super) fn page(link: &Link, tenant: Option<&str>, query: &Query) -> Result<Vec<Kept>> {
    if !link.exists("SELECT 1 FROM sqlite_schema WHERE name = 'mainstay_audit'", [])? {
        return Ok(Vec::new());
    }
    let mut text = format!("{ENTRY} WHERE \"chain\" = ?1");
    let own = |text: &str| Cell::Text(text.to_owned().into());
    let mut cells = vec![own(tenant.unwrap_or(SHARED))];
    let mut term = |start: &str, cell: Cell<'static>, end: &str| {
        cells.push(cell);
        text.push_str(&format!(" AND {start} ?{}{end}", cells.len()));
    };
    if let Some(before) = query.before {
        term("\"id\" <", Cell::Uuid(before.to_be_bytes()), "");
    }
    if let Some(row) = query.row {
        term("\"row_id\" =", Cell::Uuid(row.to_be_bytes()), "");
    }
    if let Some(who) = &query.who {
        term("\"who\" =", own(who), "");
    }
    if let Some(operation) = &query.operation {
        term("\"operation\" =", own(operation), "");
    }
    if let Some(since) = query.since {
        term("\"time\" >=", Cell::Int(since), "");
    }
    if let Some(until) = query.until {
        term("\"time\" <", Cell::Int(until), "");
    }
    let resources = serde_json::to_string(&query.resources).unwrap_or_default();
    term("\"resource\" IN (SELECT \"value\" FROM json_each(", own(&resources), "))");
    text.push_str(&format!(" ORDER BY \"id\" DESC LIMIT {}", query.rows_max));
    let mut statement = link.statement(&text)?;
    bind(&mut statement, cells)?;
    let mut rows = statement.raw_query();
    let mut page = Vec::new();
    while let Some(row) = rows.next()? {
        page.push(kept(row)?);
    }
    Ok(page)
}

/// Removes entries from before a moment, some of each chain, from its beginning on; true where
/// there may be more. What the first one left was chained to stays.
pub(super) fn sweep(link: &Link, before: i64) -> Result<bool> {
    let due = format!(
        "{CHAIN} s WHERE EXISTS (SELECT 1 FROM \"mainstay_audit\" f WHERE f.\"chain\" = \
         s.\"chain\" AND f.\"number\" = s.\"removed\" + 1 AND f.\"time\" < ?1) \
         LIMIT {SWEEP_CHAINS_MAX}"
    );
    let chains: Vec<Chain> =
        link.statement(&due)?.query_map([before], chain)?.collect::<Result<_>>()?;
    let mut more = chains.len() == SWEEP_CHAINS_MAX;
    for chain in &chains {
        more |= shorten(link, chain, before)?;
    }
    Ok(more)
}

fn shorten(link: &Link, chain: &Chain, before: i64) -> Result<bool> {
    let text = format!(
        "{ENTRY} WHERE \"chain\" = ?1 AND \"number\" > ?2 ORDER BY \"number\" \
         LIMIT {BATCH_ENTRIES_MAX}"
    );
    let first: Vec<Kept> = link
        .statement(&text)?
        .query_map(params![chain.name, chain.removed], kept)?
        .collect::<Result<_>>()?;
    let over = first.iter().take_while(|kept| kept.entry.time < before);
    let Some((count, last)) = over.enumerate().last() else { return Ok(false) };
    let step = |text: &str| link.statement(text)?.raw_execute().map(|_| ());
    step("BEGIN IMMEDIATE")?;
    let text = "UPDATE \"mainstay_audit_chains\" SET \"removed\" = ?2, \"removed_hash\" = ?3 \
                WHERE \"chain\" = ?1";
    let gone = "DELETE FROM \"mainstay_audit\" WHERE \"chain\" = ?1 AND \"number\" <= ?2";
    let done = link
        .statement(text)
        .and_then(|mut one| one.execute(params![chain.name, last.number, last.hash]))
        .and_then(|_| link.statement(gone)?.execute(params![chain.name, last.number]))
        .and_then(|_| step("COMMIT"));
    super::link::ends_snapshot(link);
    done.map(|()| count + 1 == BATCH_ENTRIES_MAX)
}

/// Walks along every chain of a data directory, also while a backend runs on it: each file as it
/// is at one moment. Files that are no store's have no chain.
///
/// # Errors
/// Where a file can't be read.
pub fn verify(data: &Path, noted: &[Head]) -> std::result::Result<Vec<Verdict>, OpenError> {
    let mut verdicts = Vec::new();
    for path in files(data)? {
        let place = path.strip_prefix(data).unwrap_or(&path).display().to_string();
        let walked = walk(&path, &place, noted).map_err(|error| damaged(&path, &error))?;
        verdicts.extend(walked);
    }
    Ok(verdicts)
}

/// The files of services, and of tenants in the directories beside them.
pub(super) fn files(data: &Path) -> std::result::Result<Vec<PathBuf>, OpenError> {
    let list = |directory: &Path| {
        let failed = |error| OpenError::Io { path: directory.to_owned(), error };
        let entries = std::fs::read_dir(directory).map_err(failed)?;
        let paths: std::io::Result<Vec<PathBuf>> =
            entries.map(|entry| entry.map(|entry| entry.path())).collect();
        paths.map_err(failed)
    };
    let is_store = |path: &PathBuf| path.extension().is_some_and(|extension| extension == "db");
    let mut found: Vec<PathBuf> = list(data)?.into_iter().filter(is_store).collect();
    for service in found.clone() {
        let tenants = service.with_extension("");
        if tenants.is_dir() {
            found.extend(list(&tenants)?.into_iter().filter(is_store));
        }
    }
    found.sort();
    Ok(found)
}

fn walk(path: &Path, place: &str, noted: &[Head]) -> Result<Vec<Verdict>> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    // One moment of the file.
    connection.execute_batch("BEGIN")?;
    let there = "SELECT 1 FROM sqlite_schema WHERE name = 'mainstay_audit_chains'";
    if connection.query_row(there, [], |_| Ok(())).optional()?.is_none() {
        return Ok(Vec::new());
    }
    let mut chains: Vec<Chain> = {
        let mut all = connection.prepare(&format!("{CHAIN} ORDER BY \"chain\""))?;
        all.query_map([], chain)?.collect::<Result<_>>()?
    };
    let orphans = "SELECT DISTINCT \"chain\" FROM \"mainstay_audit\" EXCEPT \
                   SELECT \"chain\" FROM \"mainstay_audit_chains\"";
    for name in connection.prepare(orphans)?.query_map([], |row| row.get::<_, String>(0))? {
        chains.push(Chain::new(&name?));
    }
    let text = format!("{ENTRY} WHERE \"chain\" = ?1 ORDER BY \"number\"");
    let mut verdicts = Vec::new();
    for chain in chains {
        let name = chain.name.clone();
        let mut walk = Walk::new(chain, noted);
        for entry in connection.prepare(&text)?.query_map([&name], kept)? {
            walk.step(&entry?);
        }
        verdicts.push(walk.end(place));
    }
    Ok(verdicts)
}

/// Removes what is over where a store keeps a trail for a time.
pub(super) fn sweep_at(link: &Link, now: i64, keep_seconds: u64) -> Result<bool> {
    match i64::try_from(keep_seconds.saturating_mul(1_000_000)) {
        Ok(micros) if micros < i64::MAX => sweep(link, now.saturating_sub(micros)),
        Ok(_) | Err(_) => Ok(false),
    }
}
