//! A connection as every part of the store uses it: settings, functions, a watch on the clock.

use super::functions;
use crate::adapters::sql::shape::{Cell, Stored};
use crate::ports::clock::Clock;
use crate::private;
use rusqlite::config::DbConfig;
use rusqlite::types::{ToSql, ToSqlOutput, Value, ValueRef};
use rusqlite::{CachedStatement, Connection, OpenFlags, Row, Statement};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::time::Duration;

/// Instructions between two looks at the clock; some ten microseconds.
const STEP_INSTRUCTIONS: i32 = 1_000;
/// Prepared statements kept by a connection.
const STATEMENTS_MAX: usize = 512;
/// Pages of journal between two checkpoints (4 KiB each).
const CHECKPOINT_PAGES: u32 = 4_000;
/// Bytes that the journal is cut back to.
const JOURNAL_BYTES_MAX: u32 = 64 << 20;

/// A connection.
pub(super) struct Link {
    pub(super) connection: Connection,
    watch: Arc<Watch>,
}

/// What stops a statement from outside.
struct Watch {
    deadline: AtomicI64,
    steps_left: AtomicI64,
    out_of_steps: AtomicBool,
}

/// How a file is opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    /// Reads; the file must be there.
    Reader,
    /// Writes; the file must be there.
    Writer,
    /// Makes the file.
    Maker,
}

impl Link {
    pub(super) fn open(
        path: &Path,
        role: Role,
        lock_wait: Duration,
        clock: Arc<dyn Clock>,
    ) -> rusqlite::Result<Self> {
        let mut flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        if role == Role::Maker {
            flags |= OpenFlags::SQLITE_OPEN_CREATE;
            // Its journals get the rights of the file.
            if let Err(error) = private::touch(path) {
                tracing::debug!(%error, "SQLite is asked to make the file, and says why it can't");
            }
        }
        let mut connection = Connection::open_with_flags(path, flags)?;
        // Plans don't look at bound values: without it a statement that sorts is prepared anew at
        // each use, which is a fifth to a half of what a request costs (benches/README.md).
        connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
        connection.busy_timeout(lock_wait)?;
        connection.set_prepared_statement_cache_capacity(STATEMENTS_MAX);
        if role == Role::Reader {
            connection.execute_batch("PRAGMA query_only = ON;")?;
        } else {
            connection.query_row("PRAGMA journal_mode = WAL", [], |_| Ok(()))?;
            connection.execute_batch(&format!(
                "PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON; \
                 PRAGMA wal_autocheckpoint = {CHECKPOINT_PAGES}; \
                 PRAGMA journal_size_limit = {JOURNAL_BYTES_MAX};"
            ))?;
        }
        connection.execute_batch("PRAGMA temp_store = MEMORY; PRAGMA trusted_schema = OFF;")?;
        functions::register(&connection)?;
        let watch = Arc::new(Watch {
            deadline: AtomicI64::new(i64::MAX),
            steps_left: AtomicI64::new(i64::MAX),
            out_of_steps: AtomicBool::new(false),
        });
        let watching = Arc::clone(&watch);
        let stop = move || watching.stops(clock.as_ref());
        connection.progress_handler(STEP_INSTRUCTIONS, Some(stop))?;
        Ok(Self { connection, watch })
    }

    /// Runs something that is interrupted at the deadline (0: never) or after so many steps.
    pub(super) fn watched<T>(
        &self,
        deadline: i64,
        steps: Option<i64>,
        run: impl FnOnce(&Self) -> T,
    ) -> T {
        let deadline = if deadline == 0 { i64::MAX } else { deadline };
        self.watch.deadline.store(deadline, Ordering::Relaxed);
        self.watch.steps_left.store(steps.unwrap_or(i64::MAX), Ordering::Relaxed);
        self.watch.out_of_steps.store(false, Ordering::Relaxed);
        let done = run(self);
        self.watch.deadline.store(i64::MAX, Ordering::Relaxed);
        self.watch.steps_left.store(i64::MAX, Ordering::Relaxed);
        done
    }

    /// True where the last statement was stopped for its length, not for the deadline.
    pub(super) fn ran_long(&self) -> bool {
        self.watch.out_of_steps.load(Ordering::Relaxed)
    }

    /// The statement of a text, prepared once.
    pub(super) fn statement(&self, text: &str) -> rusqlite::Result<CachedStatement<'_>> {
        self.connection.prepare_cached(text)
    }

    /// Runs a text with cells.
    pub(super) fn execute<'c>(
        &self,
        text: &str,
        cells: impl IntoIterator<Item = Cell<'c>>,
    ) -> rusqlite::Result<usize> {
        let mut statement = self.statement(text)?;
        bind(&mut statement, cells)?;
        statement.raw_execute()
    }

    /// True where a text gives a row.
    pub(super) fn exists<'c>(
        &self,
        text: &str,
        cells: impl IntoIterator<Item = Cell<'c>>,
    ) -> rusqlite::Result<bool> {
        let mut statement = self.statement(text)?;
        bind(&mut statement, cells)?;
        Ok(statement.raw_query().next()?.is_some())
    }

    /// The ids that a text gives.
    pub(super) fn ids<'c>(
        &self,
        text: &str,
        cells: impl IntoIterator<Item = Cell<'c>>,
    ) -> rusqlite::Result<Vec<u128>> {
        let mut statement = self.statement(text)?;
        bind(&mut statement, cells)?;
        let mut rows = statement.raw_query();
        let mut ids = Vec::new();
        while let Some(row) = rows.next()? {
            let id: [u8; 16] = row.get(0)?;
            ids.push(u128::from_be_bytes(id));
        }
        Ok(ids)
    }
}

impl Watch {
    fn stops(&self, clock: &dyn Clock) -> bool {
        if self.steps_left.fetch_sub(1, Ordering::Relaxed) <= 0 {
            self.out_of_steps.store(true, Ordering::Relaxed);
            return true;
        }
        let deadline = self.deadline.load(Ordering::Relaxed);
        deadline != i64::MAX && clock.now() >= deadline
    }
}

/// Binds cells to parameters 1, 2, …
pub(super) fn bind<'c>(
    statement: &mut Statement<'_>,
    cells: impl IntoIterator<Item = Cell<'c>>,
) -> rusqlite::Result<()> {
    for (at, cell) in cells.into_iter().enumerate() {
        statement.raw_bind_parameter(at + 1, cell)?;
    }
    Ok(())
}

impl ToSql for Cell<'_> {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(match self {
            Self::Null => ToSqlOutput::Owned(Value::Null),
            Self::Int(n) => ToSqlOutput::Owned(Value::Integer(*n)),
            Self::Text(text) => ToSqlOutput::Borrowed(ValueRef::Text(text.as_bytes())),
            Self::Uuid(bytes) => ToSqlOutput::Borrowed(ValueRef::Blob(bytes)),
        })
    }
}

/// A cell of a row.
pub(super) fn stored<'r>(row: &'r Row<'_>, at: usize) -> Stored<'r> {
    match row.get_ref(at) {
        Ok(ValueRef::Null) => Stored::Null,
        Ok(ValueRef::Integer(n)) => Stored::Int(n),
        Ok(ValueRef::Text(text)) => std::str::from_utf8(text).map_or(Stored::Foreign, Stored::Text),
        Ok(ValueRef::Blob(bytes)) => Stored::Bytes(bytes),
        Ok(ValueRef::Real(_)) | Err(_) => Stored::Foreign,
    }
}

/// Begins a snapshot: what is read until its end belongs together.
pub(super) fn begins_snapshot(link: &Link) -> rusqlite::Result<()> {
    link.statement("BEGIN")?.raw_execute().map(|_| ())
}

/// Ends a snapshot; nothing was written.
pub(super) fn ends_snapshot(link: &Link) {
    if !link.connection.is_autocommit() {
        // Nothing can be done about a rollback that fails; the next call finds out.
        let ended = link.statement("ROLLBACK").and_then(|mut end| end.raw_execute());
        debug_assert!(ended.is_ok() || !link.connection.is_autocommit());
    }
}
