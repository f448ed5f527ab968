//! Mainstay's own tables in every file: what the file is, answers to replay, events to publish,
//! the audit trail.

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
  "expires" INTEGER NOT NULL,
  "tenant" TEXT
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
  "trace" TEXT,
  "version" INTEGER NOT NULL DEFAULT 1
) STRICT;
CREATE INDEX IF NOT EXISTS "ix_mainstay_outbox_tenant"
  ON "mainstay_outbox" ("tenant", "position");
CREATE TABLE IF NOT EXISTS "mainstay_consumers" (
  "id" BLOB NOT NULL PRIMARY KEY CHECK (length("id") = 16),
  "consumer" TEXT NOT NULL,
  "source" TEXT NOT NULL,
  "part" INTEGER NOT NULL,
  "tenant" TEXT,
  "position" INTEGER NOT NULL,
  "epoch" INTEGER NOT NULL,
  "owner" TEXT NOT NULL,
  "until" INTEGER NOT NULL,
  "moved" BLOB CHECK (length("moved") = 16)
) STRICT;
CREATE TABLE IF NOT EXISTS "mainstay_inbox" (
  "id" BLOB NOT NULL PRIMARY KEY CHECK (length("id") = 16),
  "consumer" TEXT NOT NULL,
  "event" BLOB NOT NULL CHECK (length("event") = 16),
  "tenant" TEXT,
  "time" INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS "ix_mainstay_inbox_time" ON "mainstay_inbox" ("time");
CREATE TABLE IF NOT EXISTS "mainstay_projections" (
  "id" BLOB NOT NULL PRIMARY KEY CHECK (length("id") = 16),
  "consumer" TEXT NOT NULL,
  "source" TEXT NOT NULL,
  "tenant" TEXT,
  "position" INTEGER NOT NULL
) STRICT;
CREATE TABLE IF NOT EXISTS "mainstay_deliveries" (
  "id" BLOB NOT NULL PRIMARY KEY CHECK (length("id") = 16),
  "consumer" TEXT NOT NULL,
  "source" TEXT NOT NULL,
  "part" INTEGER NOT NULL,
  "position" INTEGER NOT NULL,
  "event_id" BLOB NOT NULL CHECK (length("event_id") = 16),
  "tenant" TEXT,
  "event" TEXT NOT NULL,
  "resource" TEXT NOT NULL,
  "row_id" BLOB NOT NULL CHECK (length("row_id") = 16),
  "time" INTEGER NOT NULL,
  "data" TEXT NOT NULL,
  "trace" TEXT,
  "state" TEXT NOT NULL CHECK ("state" IN ('retry', 'behind', 'dead')),
  "attempts" INTEGER NOT NULL,
  "due" INTEGER NOT NULL,
  "since" INTEGER NOT NULL,
  "errors" TEXT NOT NULL,
  "edited" INTEGER NOT NULL CHECK ("edited" IN (0, 1)),
  "version" INTEGER NOT NULL DEFAULT 1
) STRICT;
CREATE INDEX IF NOT EXISTS "ix_mainstay_deliveries_key" ON "mainstay_deliveries"
  ("consumer", "source", "part", "resource", "row_id", "position");
CREATE INDEX IF NOT EXISTS "ix_mainstay_deliveries_due" ON "mainstay_deliveries"
  ("consumer", "source", "part", "due") WHERE "state" <> 'dead';
CREATE INDEX IF NOT EXISTS "ix_mainstay_deliveries_dead" ON "mainstay_deliveries"
  ("tenant", "since", "event_id") WHERE "state" = 'dead';
CREATE TABLE IF NOT EXISTS "mainstay_audit" (
  "chain" TEXT NOT NULL,
  "number" INTEGER NOT NULL,
  "tenant" TEXT,
  "id" BLOB NOT NULL UNIQUE CHECK (length("id") = 16),
  "time" INTEGER NOT NULL,
  "who" TEXT NOT NULL,
  "operation" TEXT NOT NULL,
  "resource" TEXT NOT NULL,
  "row_id" BLOB CHECK (length("row_id") = 16),
  "body" TEXT NOT NULL,
  "previous" BLOB NOT NULL CHECK (length("previous") = 32),
  "hash" BLOB NOT NULL CHECK (length("hash") = 32),
  PRIMARY KEY ("chain", "number"),
  UNIQUE ("chain", "id")
) STRICT;
CREATE TABLE IF NOT EXISTS "mainstay_audit_chains" (
  "chain" TEXT NOT NULL PRIMARY KEY,
  "tenant" TEXT,
  "number" INTEGER NOT NULL,
  "hash" BLOB NOT NULL CHECK (length("hash") = 32),
  "removed" INTEGER NOT NULL,
  "removed_hash" BLOB NOT NULL CHECK (length("removed_hash") = 32)
) STRICT;
CREATE TRIGGER IF NOT EXISTS "mainstay_audit_unchanged"
BEFORE UPDATE ON "mainstay_audit"
BEGIN
  SELECT RAISE(ABORT, 'the audit trail is append-only');
END;
CREATE TRIGGER IF NOT EXISTS "mainstay_audit_kept"
BEFORE DELETE ON "mainstay_audit"
WHEN EXISTS (
  SELECT 1 FROM "mainstay_audit_chains"
  WHERE "chain" = OLD."chain" AND "removed" < OLD."number"
)
BEGIN
  SELECT RAISE(ABORT, 'the audit trail is append-only');
END;
CREATE TABLE IF NOT EXISTS "mainstay_webhooks" (
  "id" BLOB NOT NULL PRIMARY KEY CHECK (length("id") = 16),
  "tenant" TEXT,
  "owner" TEXT NOT NULL,
  "actor" TEXT NOT NULL,
  "url" TEXT NOT NULL,
  "events" TEXT NOT NULL,
  "description" TEXT NOT NULL,
  "signing" TEXT NOT NULL CHECK ("signing" IN ('hmac', 'ed25519')),
  "secret" TEXT NOT NULL,
  "previous" TEXT,
  "previous_until" INTEGER,
  "state" TEXT NOT NULL CHECK ("state" IN ('active', 'disabled')),
  "reason" TEXT,
  "failing" INTEGER,
  "created" INTEGER NOT NULL,
  "updated" INTEGER NOT NULL
) STRICT;
CREATE INDEX IF NOT EXISTS "ix_mainstay_webhooks_tenant" ON "mainstay_webhooks" ("tenant", "id");
CREATE TABLE IF NOT EXISTS "mainstay_webhook_attempts" (
  "id" BLOB NOT NULL PRIMARY KEY CHECK (length("id") = 16),
  "endpoint" BLOB NOT NULL CHECK (length("endpoint") = 16),
  "tenant" TEXT,
  "event_id" BLOB NOT NULL CHECK (length("event_id") = 16),
  "event" TEXT NOT NULL,
  "at" INTEGER NOT NULL,
  "status" INTEGER,
  "error" TEXT,
  "took" INTEGER NOT NULL,
  "answer" TEXT NOT NULL
) STRICT;
CREATE INDEX IF NOT EXISTS "ix_mainstay_webhook_attempts_endpoint"
  ON "mainstay_webhook_attempts" ("endpoint", "id");
CREATE INDEX IF NOT EXISTS "ix_mainstay_webhook_attempts_at"
  ON "mainstay_webhook_attempts" ("at");
CREATE TABLE IF NOT EXISTS "mainstay_operations" (
  "id" BLOB NOT NULL PRIMARY KEY CHECK (length("id") = 16),
  "tenant" TEXT,
  "kind" TEXT NOT NULL,
  "owner" TEXT NOT NULL,
  "caller" TEXT NOT NULL,
  "input" TEXT NOT NULL,
  "priority" INTEGER NOT NULL,
  "created" INTEGER NOT NULL,
  "trace" TEXT,
  "state" TEXT NOT NULL
    CHECK ("state" IN ('queued', 'running', 'done', 'failed', 'cancelled')),
  "total" INTEGER,
  "done" INTEGER NOT NULL,
  "failed" INTEGER NOT NULL,
  "attempts" INTEGER NOT NULL,
  "due" INTEGER NOT NULL,
  "epoch" INTEGER NOT NULL,
  "worker" TEXT NOT NULL,
  "until" INTEGER NOT NULL,
  "place" TEXT NOT NULL,
  "result" TEXT,
  "problem" TEXT,
  "started" INTEGER,
  "ended" INTEGER,
  "expires" INTEGER
) STRICT;
CREATE INDEX IF NOT EXISTS "ix_mainstay_operations_open"
  ON "mainstay_operations" ("state", "due") WHERE "state" IN ('queued', 'running');
CREATE INDEX IF NOT EXISTS "ix_mainstay_operations_served"
  ON "mainstay_operations" (coalesce("tenant", ''), "started");
CREATE INDEX IF NOT EXISTS "ix_mainstay_operations_owner"
  ON "mainstay_operations" ("owner", "id");
CREATE INDEX IF NOT EXISTS "ix_mainstay_operations_expires"
  ON "mainstay_operations" ("expires") WHERE "expires" IS NOT NULL;
CREATE TABLE IF NOT EXISTS "mainstay_operation_chunks" (
  "id" BLOB NOT NULL PRIMARY KEY CHECK (length("id") = 16),
  "operation" BLOB NOT NULL CHECK (length("operation") = 16),
  "tenant" TEXT,
  "part" TEXT NOT NULL CHECK ("part" IN ('input', 'report', 'result')),
  "number" INTEGER NOT NULL,
  "rows" INTEGER NOT NULL,
  "failed" INTEGER NOT NULL,
  "data" TEXT NOT NULL
) STRICT;
CREATE INDEX IF NOT EXISTS "ix_mainstay_operation_chunks_part"
  ON "mainstay_operation_chunks" ("operation", "part", "number");
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

/// Columns that tables have gained since they were first made: table, column, the rest.
const GAINED: [(&str, &str, &str); 3] = [
    ("mainstay_idempotency", "tenant", "TEXT"),
    // What was told before there were versions is of the first.
    ("mainstay_outbox", "version", "INTEGER NOT NULL DEFAULT 1"),
    ("mainstay_deliveries", "version", "INTEGER NOT NULL DEFAULT 1"),
];

/// Gives an older file what its tables have gained since.
pub(super) fn extend(link: &Link) -> Result<()> {
    for (table, column, rest) in GAINED {
        let lacks = "SELECT 1 FROM sqlite_schema WHERE name = ?1 AND NOT EXISTS \
                     (SELECT 1 FROM pragma_table_info(?1) WHERE name = ?2)";
        let some = |text: &'static str| Cell::Text(text.into());
        if link.exists(lacks, [some(table), some(column)])? {
            let text = format!("ALTER TABLE \"{table}\" ADD COLUMN \"{column}\" {rest}");
            link.connection.execute_batch(&text)?;
        }
    }
    if meta(link, "format")?.is_none() || meta(link, OWN)?.as_ref() == Some(&own()) {
        return Ok(());
    }
    link.connection.execute_batch("BEGIN IMMEDIATE")?;
    let made = make(link).and_then(|()| link.connection.execute_batch("COMMIT"));
    super::link::ends_snapshot(link);
    made
}

/// Name of which of Mainstay's own tables the file has.
const OWN: &str = "system";

/// What this build's own tables are known by.
fn own() -> String {
    let digest = ring::digest::digest(&ring::digest::SHA256, SYSTEM_TABLES.as_bytes());
    digest.as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Makes them, within a transaction.
pub(super) fn make(link: &Link) -> Result<()> {
    link.connection.execute_batch(SYSTEM_TABLES)?;
    set_meta(link, OWN, &own())
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
pub(super) fn keep_answer(
    link: &Link,
    answer: &StoredAnswer,
    tenant: Option<&str>,
    now: i64,
) -> Result<bool> {
    let text = "INSERT INTO \"mainstay_idempotency\" VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?8) \
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
        now,
        tenant
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
                \"row_id\", \"time\", \"data\", \"trace\", \"version\") \
                VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)";
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
        Cell::Int(row.version.into()),
    ];
    bind(&mut statement, cells)?;
    statement.raw_execute().map(|_| ())
}
