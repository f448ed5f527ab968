//! API keys of the whole system, in a file of their own: `<data>/_keys.db`.
//!
//! Apart from the data, because `mainstay key` writes it from another process while the server
//! runs. No service can be called `_keys`.

use super::error::{OpenError, unavailable};
use super::layout::damaged;
use super::link::{Link, Role};
use crate::ports::clock::Clock;
use crate::ports::keys::{KeyStore, StoredKey};
use crate::ports::store::Unavailable;
use crate::private;
use futures::FutureExt;
use futures::future::BoxFuture;
use rusqlite::{OptionalExtension, Result, Row, params};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// Name of the file.
pub(super) const FILE: &str = "_keys.db";
/// Time to wait for another process that writes.
const LOCK_WAIT: Duration = Duration::from_secs(2);

/// The table, also in the schema for people.
const TABLE: &str = r#"
CREATE TABLE IF NOT EXISTS "mainstay_api_keys" (
  "prefix" TEXT NOT NULL PRIMARY KEY,
  "hash" BLOB NOT NULL UNIQUE CHECK (length("hash") = 32),
  "actor" TEXT NOT NULL,
  "roles" TEXT NOT NULL,
  "tenant" TEXT,
  "subject" TEXT NOT NULL,
  "label" TEXT NOT NULL,
  "created" INTEGER NOT NULL,
  "expires" INTEGER,
  "revoked" INTEGER,
  "used" INTEGER
) STRICT
"#;
const COLUMNS: &str = "\"prefix\", \"hash\", \"actor\", \"roles\", \"tenant\", \"subject\", \
                       \"label\", \"created\", \"expires\", \"revoked\", \"used\"";

/// The keys of a data directory. Several processes may have it open.
pub struct SqliteKeys {
    link: Mutex<Link>,
}

impl SqliteKeys {
    /// Opens the keys of a data directory; makes the file where it is missing.
    ///
    /// # Errors
    /// Where the file can't be made, read or written.
    pub fn open(data: &Path, clock: Arc<dyn Clock>) -> std::result::Result<Self, OpenError> {
        private::data_directory(data)
            .map_err(|error| OpenError::Io { path: data.to_owned(), error })?;
        let path = data.join(FILE);
        let open = || {
            let link = Link::open(&path, Role::Maker, LOCK_WAIT, clock)?;
            link.connection.execute_batch(TABLE)?;
            Ok(link)
        };
        let link = open().map_err(|error| damaged(&path, &error))?;
        Ok(Self { link: Mutex::new(link) })
    }

    /// True where a data directory has keys to open.
    pub fn are_in(data: &Path) -> bool {
        data.join(FILE).exists()
    }

    fn on<T>(&self, run: impl FnOnce(&Link) -> Result<T>) -> std::result::Result<T, Unavailable> {
        let link = self.link.lock().unwrap_or_else(PoisonError::into_inner);
        run(&link).map_err(|error| unavailable(&error))
    }
}

impl KeyStore for SqliteKeys {
    fn find<'a>(
        &'a self,
        hash: &'a [u8; 32],
    ) -> BoxFuture<'a, std::result::Result<Option<StoredKey>, Unavailable>> {
        let text = format!("SELECT {COLUMNS} FROM \"mainstay_api_keys\" WHERE \"hash\" = ?1");
        async move { self.on(|link| link.statement(&text)?.query_row([hash], key).optional()) }
            .boxed()
    }

    fn create(&self, key: StoredKey) -> BoxFuture<'_, std::result::Result<(), Unavailable>> {
        let text = format!(
            "INSERT INTO \"mainstay_api_keys\" ({COLUMNS}) \
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)"
        );
        let roles = serde_json::to_string(&key.roles).unwrap_or_default();
        async move {
            self.on(|link| {
                let mut insert = link.statement(&text)?;
                insert.execute(params![
                    key.prefix,
                    key.hash,
                    key.actor,
                    roles,
                    key.tenant,
                    key.subject,
                    key.label,
                    key.created,
                    key.expires,
                    key.revoked,
                    key.used
                ])
            })
            .map(|_| ())
        }
        .boxed()
    }

    fn list(&self) -> BoxFuture<'_, std::result::Result<Vec<StoredKey>, Unavailable>> {
        let text = format!(
            "SELECT {COLUMNS} FROM \"mainstay_api_keys\" ORDER BY \"created\" DESC, \"prefix\""
        );
        async move { self.on(|link| link.statement(&text)?.query_map([], key)?.collect()) }.boxed()
    }

    fn revoke<'a>(
        &'a self,
        prefix: &'a str,
        now: i64,
    ) -> BoxFuture<'a, std::result::Result<bool, Unavailable>> {
        // A second revocation keeps the time of the first.
        let text = "UPDATE \"mainstay_api_keys\" SET \"revoked\" = coalesce(\"revoked\", ?2) \
                    WHERE \"prefix\" = ?1";
        async move {
            self.on(|link| link.statement(text)?.execute(params![prefix, now])).map(|n| n > 0)
        }
        .boxed()
    }

    fn used<'a>(
        &'a self,
        prefix: &'a str,
        now: i64,
    ) -> BoxFuture<'a, std::result::Result<(), Unavailable>> {
        const MINUTE_MICROS: i64 = 60_000_000;
        let minute = now - now.rem_euclid(MINUTE_MICROS);
        let text = "UPDATE \"mainstay_api_keys\" SET \"used\" = ?2 \
                    WHERE \"prefix\" = ?1 AND coalesce(\"used\", 0) < ?2";
        async move {
            self.on(|link| link.statement(text)?.execute(params![prefix, minute])).map(|_| ())
        }
        .boxed()
    }
}

fn key(row: &Row<'_>) -> Result<StoredKey> {
    let roles: String = row.get(3)?;
    Ok(StoredKey {
        prefix: row.get(0)?,
        hash: row.get(1)?,
        actor: row.get(2)?,
        roles: serde_json::from_str(&roles).unwrap_or_default(),
        tenant: row.get(4)?,
        subject: row.get(5)?,
        label: row.get(6)?,
        created: row.get(7)?,
        expires: row.get(8)?,
        revoked: row.get(9)?,
        used: row.get(10)?,
    })
}
