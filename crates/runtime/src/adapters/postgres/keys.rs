//! API keys of the whole system, in the database beside the data: any number of processes share
//! them.

use super::base::{Base, Threads};
use super::cells::{Bound, Bytes, Column};
use super::error::{OpenError, misshapen, refused, unavailable};
use super::link::{Parameter, Session};
use super::{Address, PostgresLimits, schema};
use crate::adapters::sql::shape::{Cell, Stored};
use crate::ports::keys::{KeyStore, StoredKey};
use crate::ports::store::Unavailable;
use futures::FutureExt;
use futures::future::BoxFuture;
use std::sync::Arc;
use tokio_postgres::Row;

const COLUMNS: &str = "\"prefix\", \"hash\", \"actor\", \"roles\", \"tenant\", \"subject\", \
                       \"label\", \"created\", \"expires\", \"revoked\", \"used\"";

/// Milliseconds that a look at the keys may take.
const MILLIS: u64 = 8_192;

/// The keys of a database.
pub struct PostgresKeys {
    base: Arc<Base>,
    threads: Option<Threads>,
}

impl PostgresKeys {
    /// Opens the keys of a database; makes their table where it is missing. Not to be called
    /// within a runtime.
    ///
    /// # Errors
    /// [`OpenError`], which says what is wrong and what to do about it.
    pub fn open(address: Address) -> Result<Self, OpenError> {
        let threads = Threads::start()?;
        let limits = PostgresLimits {
            read_connections_max: 1,
            write_connections_max: 2,
            ..PostgresLimits::default()
        };
        let shown = address.shown();
        let base = threads.wait(Base::open(address, threads.handle(), &[], &limits))?;
        let made = threads.wait(async {
            let link = base.server.connect().await?;
            schema::bring_up_system(&link).await
        });
        made.map_err(|error| refused(&shown, &error))?;
        Ok(Self { base: Arc::new(base), threads: Some(threads) })
    }

    async fn read(
        &self,
        text: &str,
        parameters: &[Parameter<'_>],
    ) -> Result<Vec<StoredKey>, Unavailable> {
        let session = Session::plain(MILLIS);
        let rows = self.base.readers.read(&session, text, parameters).await?;
        rows.iter().map(|row| key(row).ok_or_else(|| misshapen("mainstay.api_keys"))).collect()
    }

    /// Runs on the store's own threads: whoever asked may go away.
    fn write(
        &self,
        text: String,
        cells: Vec<OwnedValue>,
    ) -> BoxFuture<'_, Result<u64, Unavailable>> {
        let base = Arc::clone(&self.base);
        let done = self.base.server.runtime.spawn(async move {
            let link = base.writers.lease(None).await?;
            let values: Vec<_> = cells.iter().map(OwnedValue::bound).collect();
            let values: Vec<Parameter<'_>> =
                values.iter().map(|one| &**one as Parameter<'_>).collect();
            let changed = link.execute(&text, &values).await;
            let changed = changed.map_err(|error| unavailable(&error))?;
            link.ended();
            Ok(changed)
        });
        done.map(|done| {
            done.unwrap_or_else(|_| Err(Unavailable::Broken("the store is closed".to_owned())))
        })
        .boxed()
    }
}

impl Drop for PostgresKeys {
    fn drop(&mut self) {
        if let Some(threads) = self.threads.take() {
            threads.stop();
        }
    }
}

/// A parameter that goes along to another thread.
enum OwnedValue {
    Cell(Cell<'static>),
    Bytes([u8; 32]),
}

impl OwnedValue {
    fn text(text: &str) -> Self {
        Self::Cell(Cell::Text(text.to_owned().into()))
    }

    fn moment(micros: Option<i64>) -> Self {
        Self::Cell(micros.map_or(Cell::Null, Cell::Int))
    }

    fn bound(&self) -> Box<dyn tokio_postgres::types::ToSql + Sync + Send + '_> {
        match self {
            Self::Cell(Cell::Text(text)) => Box::new(Bound(Cell::Text(text.as_ref().into()))),
            Self::Cell(cell) => Box::new(Bound(cell.clone())),
            Self::Bytes(bytes) => Box::new(Bytes(bytes)),
        }
    }
}

impl KeyStore for PostgresKeys {
    fn find<'a>(
        &'a self,
        hash: &'a [u8; 32],
    ) -> BoxFuture<'a, Result<Option<StoredKey>, Unavailable>> {
        async move {
            let text =
                format!("SELECT {COLUMNS} FROM \"mainstay\".\"api_keys\" WHERE \"hash\" = $1");
            Ok(self.read(&text, &[&Bytes(hash)]).await?.pop())
        }
        .boxed()
    }

    fn create(&self, key: StoredKey) -> BoxFuture<'_, Result<(), Unavailable>> {
        let text = format!(
            "INSERT INTO \"mainstay\".\"api_keys\" ({COLUMNS}) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)"
        );
        let roles = serde_json::to_string(&key.roles).unwrap_or_default();
        let tenant = key.tenant.as_deref().map_or(OwnedValue::moment(None), OwnedValue::text);
        let values = vec![
            OwnedValue::text(&key.prefix),
            OwnedValue::Bytes(key.hash),
            OwnedValue::text(&key.actor),
            OwnedValue::text(&roles),
            tenant,
            OwnedValue::text(&key.subject),
            OwnedValue::text(&key.label),
            OwnedValue::moment(Some(key.created)),
            OwnedValue::moment(key.expires),
            OwnedValue::moment(key.revoked),
            OwnedValue::moment(key.used),
        ];
        self.write(text, values).map(|done| done.map(|_| ())).boxed()
    }

    fn list(&self) -> BoxFuture<'_, Result<Vec<StoredKey>, Unavailable>> {
        async move {
            let text = format!(
                "SELECT {COLUMNS} FROM \"mainstay\".\"api_keys\" \
                 ORDER BY \"created\" DESC, \"prefix\""
            );
            self.read(&text, &[]).await
        }
        .boxed()
    }

    fn revoke<'a>(&'a self, prefix: &'a str, now: i64) -> BoxFuture<'a, Result<bool, Unavailable>> {
        // A second revocation keeps the time of the first.
        let text = "UPDATE \"mainstay\".\"api_keys\" SET \"revoked\" = coalesce(\"revoked\", $2) \
                    WHERE \"prefix\" = $1";
        let values = vec![OwnedValue::text(prefix), OwnedValue::moment(Some(now))];
        self.write(text.to_owned(), values).map(|done| done.map(|rows| rows > 0)).boxed()
    }

    fn used<'a>(&'a self, prefix: &'a str, now: i64) -> BoxFuture<'a, Result<(), Unavailable>> {
        const MINUTE_MICROS: i64 = 60_000_000;
        let minute = now - now.rem_euclid(MINUTE_MICROS);
        let text = "UPDATE \"mainstay\".\"api_keys\" SET \"used\" = $2 \
                    WHERE \"prefix\" = $1 AND (\"used\" IS NULL OR \"used\" < $2)";
        let values = vec![OwnedValue::text(prefix), OwnedValue::moment(Some(minute))];
        self.write(text.to_owned(), values).map(|done| done.map(|_| ())).boxed()
    }
}

fn key(row: &Row) -> Option<StoredKey> {
    let cell = |at: usize| row.try_get::<_, Column<'_>>(at).map_or(Stored::Foreign, |one| one.0);
    let text = |at: usize| match cell(at) {
        Stored::Text(text) => Some(text.to_owned()),
        _ => None,
    };
    let moment = |at: usize| match cell(at) {
        Stored::Int(micros) => Some(micros),
        _ => None,
    };
    let Stored::Bytes(hash) = cell(1) else { return None };
    Some(StoredKey {
        prefix: text(0)?,
        hash: hash.try_into().ok()?,
        actor: text(2)?,
        roles: serde_json::from_str(&text(3)?).ok()?,
        tenant: text(4),
        subject: text(5)?,
        label: text(6)?,
        created: moment(7)?,
        expires: moment(8),
        revoked: moment(9),
        used: moment(10),
    })
}
