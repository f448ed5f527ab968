//! PostgreSQL: one database, a schema or database per tenant where the model asks for it.
//!
//! Reads share a few connections, each with many requests on its way; writes have connections of
//! their own, one transaction each. Everything runs on threads of the store, so that a caller may
//! go away at any time. Rows of tenants that share tables are held apart twice: by the condition
//! in every statement and by row-level security, which knows the tenant of the connection.

mod address;
mod base;
mod cells;
mod commit;
mod elsewhere;
mod error;
mod keys;
mod link;
mod place;
mod pool;
mod read;
mod readers;
mod schema;
mod shared;
mod system;
mod write;

pub use address::Address;
pub use error::OpenError;
pub use keys::PostgresKeys;
pub use place::Apart;
pub use system::SYSTEM_TABLES;

use crate::adapters::sql::list;
use crate::ports::clock::Clock;
use crate::ports::store::{
    Bindings, CommitError, ListQuery, Store, StoredAnswer, Tenant, Unavailable, WriteSet,
};
use crate::record::Record;
use futures::FutureExt;
use futures::future::BoxFuture;
use ir::domain::{Domain, FieldId, ResourceId};
use ir::schema::Schema;
use place::Places;
use read::Read;
use std::sync::Arc;
use std::time::Duration;

/// Connections that read at most, however many cores there are: a server allows a hundred in all.
const READ_CONNECTIONS_MAX: usize = 16;
/// Connections that write at most.
const WRITE_CONNECTIONS_MAX: usize = 32;

/// Where and how large.
#[derive(Clone)]
pub struct PostgresConfig {
    /// The server and the database.
    pub address: Address,
    /// Name of the service, under which the database remembers its tables.
    pub service: String,
    /// Contexts that the service holds.
    pub contexts: Vec<String>,
    /// Where the rows of tenants are.
    pub apart: Apart,
    /// Statements that make the tables of the database, each for itself; where tenants have
    /// places of their own, only what they share.
    pub ddl: Vec<String>,
    /// Statements that make the place of a tenant; [`crate::adapters::sql::dialect::TENANT`]
    /// stands for its schema.
    pub tenant_ddl: Vec<String>,
    /// Spans are kept apart by looking under a lock, not by a constraint; always so where the
    /// server lacks the extension `btree_gist`.
    pub looks_for_overlaps: bool,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Limits.
    pub limits: PostgresLimits,
}

/// What bounds the store.
#[derive(Debug, Clone, Copy)]
pub struct PostgresLimits {
    /// Connections that read from a database.
    pub read_connections_max: usize,
    /// Connections that write to a database.
    pub write_connections_max: usize,
    /// Sets that wait for such a connection; more are refused with [`Unavailable::Busy`].
    pub write_waiting_max: usize,
    /// Milliseconds that a set waits for one.
    pub write_wait_ms_max: u64,
    /// Milliseconds that a statement without deadline may take.
    pub statement_ms_max: u64,
    /// Times that a set is tried again where others were in the way or a connection was lost.
    pub attempts_max: u32,
    /// Milliseconds that opening waits for a server that does not answer.
    pub patience_ms_max: u64,
    /// Databases of tenants held open.
    pub tenant_databases_max: usize,
}

impl Default for PostgresLimits {
    fn default() -> Self {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        Self {
            read_connections_max: (2 * cores).min(READ_CONNECTIONS_MAX),
            write_connections_max: (8 * cores).min(WRITE_CONNECTIONS_MAX),
            write_waiting_max: 4_096,
            write_wait_ms_max: 2_000,
            statement_ms_max: 30_000,
            attempts_max: 10,
            patience_ms_max: 5_000,
            tenant_databases_max: 16,
        }
    }
}

/// A store on PostgreSQL.
pub struct PostgresStore {
    places: Arc<Places>,
    threads: Option<base::Threads>,
}

impl PostgresStore {
    /// Connects, and makes the tables where there are none. Not to be called within a runtime.
    ///
    /// # Errors
    /// [`OpenError`], which says what is wrong and what to do about it.
    pub fn open(
        config: PostgresConfig,
        domain: Arc<Domain>,
        schema: Arc<Schema>,
    ) -> Result<Self, OpenError> {
        let threads = base::Threads::start()?;
        let places = Places::open(config, domain, schema, &threads)?;
        places.start_sweeping();
        Ok(Self { places, threads: Some(threads) })
    }

    /// A value that the database keeps for good: the one given first.
    ///
    /// # Errors
    /// Where the database can't be read or written.
    pub fn kept(&self, name: &str, value: &str) -> Result<String, Unavailable> {
        let run = self.places.kept(name.to_owned(), value.to_owned());
        match &self.threads {
            Some(threads) => threads.wait(run),
            None => Err(Unavailable::Broken("the store is closed".to_owned())),
        }
    }

    /// The issuer whose subjects are stored bare: the one given first, for good.
    ///
    /// # Errors
    /// Where the database can't be read or written.
    pub fn home_issuer(&self, issuer: &str) -> Result<String, Unavailable> {
        self.kept("home_issuer", issuer)
    }

    /// True where no table ever had a row, of any tenant.
    ///
    /// # Errors
    /// Where the database can't be read.
    pub fn is_empty(&self) -> Result<bool, Unavailable> {
        match &self.threads {
            Some(threads) => threads.wait(self.places.is_empty()),
            None => Err(Unavailable::Broken("the store is closed".to_owned())),
        }
    }

    /// Lets go of the connections. Further commits are refused.
    pub fn close(&self) {
        self.places.close();
    }

    async fn get_now(
        &self,
        tenant: &Tenant,
        resource: ResourceId,
        ids: &[u128],
        children: &[FieldId],
        bindings: &Bindings,
    ) -> Result<Vec<Record>, Unavailable> {
        let places = &self.places;
        let Some(place) = places.reading(tenant, resource).await? else { return Ok(Vec::new()) };
        let read = Read { plan: &places.plan, resource, children };
        let (text, values) = read.by_ids(tenant.as_deref(), ids);
        let values: Vec<_> = values.iter().map(read::Value::parameter).collect();
        let session = places.session(tenant, bindings.deadline)?;
        let rows = place.base.readers.read(&session, &place.text(&text), &values).await?;
        read.decode(&rows)
    }

    async fn list_now(
        &self,
        tenant: &Tenant,
        query: &ListQuery<'_>,
        bindings: &Bindings,
    ) -> Result<Vec<Record>, Unavailable> {
        let places = &self.places;
        let resource = query.resource;
        let Some(place) = places.reading(tenant, resource).await? else { return Ok(Vec::new()) };
        let statement = list::statement(&places.plan, query)
            .map_err(|refused| Unavailable::Broken(refused.to_string()))?;
        let read = Read { plan: &places.plan, resource, children: query.children };
        let (text, mut values) = read.page(&statement, tenant, bindings);
        let session = places.session(tenant, bindings.deadline)?;
        let text = elsewhere::fetched(places, &session, text, &mut values).await?;
        let values: Vec<_> = values.iter().map(read::Value::parameter).collect();
        let rows = place.base.readers.read(&session, &place.text(&text), &values).await?;
        read.decode(&rows)
    }

    async fn answer_now(
        &self,
        tenant: &Tenant,
        scope: &[u8; 32],
        now: i64,
    ) -> Result<Option<StoredAnswer>, Unavailable> {
        let session = self.places.session(tenant, 0)?;
        if let Some(place) = self.places.answers(tenant).await? {
            let kept = system::answer(&place.base.readers, &session, scope, now).await?;
            if kept.is_some() || !self.places.by_database() {
                return Ok(kept);
            }
        }
        // A set of shared rows alone keeps its answer beside them.
        system::answer(&self.places.home.readers, &session, scope, now).await
    }

    async fn ready_now(&self) -> Result<(), Unavailable> {
        const PROBE: Duration = Duration::from_secs(2);
        let session = self.places.session_of(&None, PROBE.as_millis() as u64);
        let text = "SELECT pg_is_in_recovery()";
        let rows = self.places.home.readers.read(&session, text, &[]).await?;
        match rows.first().is_some_and(|row| row.get(0)) {
            true => Err(Unavailable::ReadOnly),
            false => Ok(()),
        }
    }
}

impl Drop for PostgresStore {
    fn drop(&mut self) {
        self.close();
        if let Some(threads) = self.threads.take() {
            threads.stop();
        }
    }
}

impl Store for PostgresStore {
    fn get<'a>(
        &'a self,
        tenant: &'a Tenant,
        resource: ResourceId,
        ids: &'a [u128],
        children: &'a [FieldId],
        bindings: &'a Bindings,
    ) -> BoxFuture<'a, Result<Vec<Record>, Unavailable>> {
        self.get_now(tenant, resource, ids, children, bindings).boxed()
    }

    fn list<'a>(
        &'a self,
        tenant: &'a Tenant,
        query: &'a ListQuery<'a>,
        bindings: &'a Bindings,
    ) -> BoxFuture<'a, Result<Vec<Record>, Unavailable>> {
        self.list_now(tenant, query, bindings).boxed()
    }

    fn answer<'a>(
        &'a self,
        tenant: &'a Tenant,
        scope: &'a [u8; 32],
        now: i64,
    ) -> BoxFuture<'a, Result<Option<StoredAnswer>, Unavailable>> {
        self.answer_now(tenant, scope, now).boxed()
    }

    fn commit<'a>(
        &'a self,
        set: WriteSet,
        bindings: &'a Bindings,
    ) -> BoxFuture<'a, Result<(), CommitError>> {
        commit::commit(&self.places, set, bindings.clone()).boxed()
    }

    fn ready(&self) -> BoxFuture<'_, Result<(), Unavailable>> {
        self.ready_now().boxed()
    }

    fn knows<'a>(&'a self, tenant: &'a Tenant) -> BoxFuture<'a, Result<bool, Unavailable>> {
        self.places.knows(tenant).boxed()
    }
}

#[cfg(test)]
mod tests;
