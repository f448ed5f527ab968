//! Mainstay's own tables in every file: what the file is, answers to replay, events to publish.

use super::link::{Link, bind};
use crate::adapters::sql::shape::Cell;
use crate::ports::store::{OutboxRow, StoredAnswer};
use rusqlite::{OptionalExtension, Result};

/// The tables, made where they are missing.
pub const SYSTEM_TABLES: &str = r#"
CREATE TABLE IF NOT EXISTS "mainstay_meta" (
  "name" TEXT NOT NULL PRIMARY KEY,
  "value" TEXT NOT NULL
) STRICT;
CREATE TABLE IF NOT EXISTS "mainstay_idempotency" (
  "scope" BLOB NOT NULL PRIMARY KEY CHECK (length("scope") = 32),
  "fingerprint" BLOB NOT NULL CHECK (length("fingerprint") = 32),
  "status" INTEGER NOT NULL,
  "headers" TEXT NOT NULL,
  "body" BLOB NOT NULL,
  "expires" INTEGER NOT NULL
) STRICT;
CREATE INDEX IF NOT EXISTS "ix_mainstay_idempotency_expires"
  ON "mainstay_idempotency" ("expires");
CREATE TABLE IF NOT EXISTS "mainstay_outbox" (
  "position" INTEGER PRIMARY KEY AUTOINCREMENT,
  "id" BLOB NOT NULL UNIQUE CHECK (length("id") = 16),
  "tenant" TEXT,
  "event" TEXT NOT NULL,
  "resource" TEXT NOT NULL,
  "row_id" BLOB NOT NULL CHECK (length("row_id") = 16),
  "time" INTEGER NOT NULL,
  "data" TEXT NOT NULL,
  "trace" TEXT
) STRICT;
"#;

/// The format of our files.
pub(super) const FORMAT: &str = "1";

/// Answers deleted at a time.
const SWEEP_ROWS_MAX: usize = 500;

/// A value of `mainstay_meta`; none also where the table is missing.
pub(super) fn meta(link: &Link, name: &str) -> Result<Option<String>> {
    let there = "SELECT 1 FROM sqlite_schema WHERE name = 'mainstay_meta'";
    if !link.exists(there, [])? {
        return Ok(None);
    }
    let mut statement =
        link.statement("SELECT \"value\" FROM \"mainstay_meta\" WHERE \"name\" = ?1")?;
    statement.query_row([name], |row| row.get(0)).optional()
}

/// Sets a value of `mainstay_meta`.
pub(super) fn set_meta(link: &Link, name: &str, value: &str) -> Result<()> {
    let text = "INSERT INTO \"mainstay_meta\" VALUES (?1, ?2) \
                ON CONFLICT DO UPDATE SET \"value\" = excluded.\"value\"";
    link.statement(text)?.execute([name, value]).map(|_| ())
}

/// A value of `mainstay_meta`, set where it has none.
pub(super) fn meta_or(link: &Link, name: &str, value: &str) -> Result<String> {
    let text = "INSERT INTO \"mainstay_meta\" VALUES (?1, ?2) ON CONFLICT DO NOTHING";
    if meta(link, name)?.is_none() {
        link.statement(text)?.execute([name, value])?;
    }
    Ok(meta(link, name)?.unwrap_or_else(|| value.to_owned()))
}

/// What the file's tables were made for.
pub(super) fn fingerprint(link: &Link) -> Result<Option<String>> {
    meta(link, "fingerprint")
}

/// True where the file answers.
pub(super) fn probe(link: &Link) -> Result<()> {
    link.exists("SELECT 1 FROM \"mainstay_meta\"", []).map(|_| ())
}

/// Keeps an answer; false where one that has not expired is there already.
pub(super) fn keep_answer(link: &Link, answer: &StoredAnswer, now: i64) -> Result<bool> {
    let text = "INSERT INTO \"mainstay_idempotency\" VALUES (?1, ?2, ?3, ?4, ?5, ?6) \
                ON CONFLICT (\"scope\") DO UPDATE SET \"fingerprint\" = excluded.\"fingerprint\", \
                \"status\" = excluded.\"status\", \"headers\" = excluded.\"headers\", \
                \"body\" = excluded.\"body\", \"expires\" = excluded.\"expires\" \
                WHERE \"mainstay_idempotency\".\"expires\" <= ?7";
    let headers: Vec<_> = answer.headers.iter().map(|(name, value)| [name, value]).collect();
    let headers = serde_json::to_string(&headers).unwrap_or_default();
    let mut statement = link.statement(text)?;
    let changed = statement.execute(rusqlite::params![
        answer.scope,
        answer.fingerprint,
        answer.status,
        headers,
        answer.body,
        answer.expires,
        now
    ])?;
    Ok(changed == 1)
}

/// The answer of a scope, unless it has expired.
pub(super) fn answer(link: &Link, scope: &[u8; 32], now: i64) -> Result<Option<StoredAnswer>> {
    let text = "SELECT \"fingerprint\", \"status\", \"headers\", \"body\", \"expires\" \
                FROM \"mainstay_idempotency\" WHERE \"scope\" = ?1 AND \"expires\" > ?2";
    let mut statement = link.statement(text)?;
    statement
        .query_row(rusqlite::params![scope, now], |row| {
            let headers: String = row.get(2)?;
            Ok(StoredAnswer {
                scope: *scope,
                fingerprint: row.get(0)?,
                status: row.get(1)?,
                headers: serde_json::from_str(&headers).unwrap_or_default(),
                body: row.get(3)?,
                expires: row.get(4)?,
            })
        })
        .optional()
}

/// Deletes some answers whose time is over; true where there may be more.
pub(super) fn sweep(link: &Link, now: i64) -> Result<bool> {
    let text = format!(
        "DELETE FROM \"mainstay_idempotency\" WHERE \"scope\" IN (SELECT \"scope\" FROM \
         \"mainstay_idempotency\" WHERE \"expires\" <= ?1 ORDER BY \"expires\" LIMIT \
         {SWEEP_ROWS_MAX})"
    );
    Ok(link.execute(&text, [Cell::Int(now)])? == SWEEP_ROWS_MAX)
}

/// Writes an event beside the change that it reports.
pub(super) fn publish(
    link: &Link,
    row: &OutboxRow,
    tenant: Option<&str>,
    resource: &str,
) -> Result<()> {
    let text = "INSERT INTO \"mainstay_outbox\" (\"id\", \"tenant\", \"event\", \"resource\", \
                \"row_id\", \"time\", \"data\", \"trace\") VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)";
    let mut statement = link.statement(text)?;
    let some = |text: &'_ str| Cell::Text(text.to_owned().into());
    let cells = [
        Cell::Uuid(row.id.to_be_bytes()),
        tenant.map_or(Cell::Null, some),
        some(&row.event),
        some(resource),
        Cell::Uuid(row.row.to_be_bytes()),
        Cell::Int(row.time),
        some(&row.data),
        row.trace.as_deref().map_or(Cell::Null, some),
    ];
    bind(&mut statement, cells)?;
    statement.raw_execute().map(|_| ())
}
