//! PostgreSQL: one database, a schema or database per tenant where the model asks for it.
//!
//! Reads share a few connections, each with many requests on its way; writes have connections of
//! their own, one transaction each. Everything runs on threads of the store, so that a caller may
//! go away at any time. Rows of tenants that share tables are held apart twice: by the condition
//! in every statement and by row-level security, which knows the tenant of the connection.

mod address;
mod audit;
mod base;
mod cells;
mod commit;
mod demand;
mod elsewhere;
mod error;
mod events;
mod hearing;
mod keys;
mod link;
mod migrations;
mod operations;
mod place;
mod pool;
mod presence;
mod read;
mod readers;
mod replicas;
mod schema;
mod shared;
mod sweep;
mod system;
mod tenants;
mod transfer;
mod wanted;
mod webhooks;
mod write;
mod writes;

pub use address::Address;
pub use audit::verify as verify_audit;
pub use error::OpenError;
pub use keys::PostgresKeys;
pub use migrations::PostgresMigrations;
pub use place::Apart;
pub use replicas::Replica;
pub use system::SYSTEM_TABLES;
pub use transfer::PostgresTransfer;

use crate::adapters::sql::list;
use crate::ports::audit::{Kept, Query};
use crate::ports::changes::{Hearing, Hears};
use crate::ports::clock::Clock;
use crate::ports::events::Eventing;
use crate::ports::operations::Operations;
use crate::ports::store::{
    Bindings, CommitError, ListQuery, Store, StoredAnswer, Tenant, Unavailable, WriteSet,
};
use crate::ports::webhooks::Webhooks;
use crate::record::Record;
use futures::FutureExt;
use futures::future::BoxFuture;
use ir::demand::Demand;
use ir::domain::{Domain, FieldId, ResourceId};
use ir::schema::Schema;
use place::Places;
use replicas::Ask;
use std::sync::{Arc, Weak};
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
    /// Tables of the database that somebody else makes, as they must be.
    pub demands: Vec<Demand>,
    /// Spans are kept apart by looking under a lock, not by a constraint; always so where the
    /// server lacks the extension `btree_gist`.
    pub looks_for_overlaps: bool,
    /// Copies that may lag, for reads that tolerate it.
    pub replicas: Vec<Replica>,
    /// The name of a move to here that whoever opens this is about to decide.
    pub decided: Option<String>,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Limits.
    pub limits: PostgresLimits,
}

/// What bounds the store.
#[derive(Debug, Clone, Copy)]
pub struct PostgresLimits {
    /// Connections that the threads that serve read from a database with; all others share one
    /// more.
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
    /// Seconds that entries of the audit trail are kept.
    pub audit_seconds_max: u64,
    /// Databases of tenants that nobody uses, opened by one sweep for what has had its time.
    pub swept_databases_max: u32,
    /// Milliseconds that a migration waits for another to end.
    pub migration_wait_ms_max: u64,
    /// Milliseconds that a migration waits until the server has ended what one that was killed
    /// left running.
    pub migration_orphan_wait_ms_max: u64,
}

impl Default for PostgresLimits {
    fn default() -> Self {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        Self {
            read_connections_max: (4 * cores).min(READ_CONNECTIONS_MAX),
            write_connections_max: (8 * cores).min(WRITE_CONNECTIONS_MAX),
            write_waiting_max: 4_096,
            write_wait_ms_max: 2_000,
            statement_ms_max: 30_000,
            attempts_max: 10,
            patience_ms_max: 5_000,
            tenant_databases_max: 16,
            audit_seconds_max: u64::MAX,
            swept_databases_max: 32,
            migration_wait_ms_max: 20_000,
            migration_orphan_wait_ms_max: 30_000,
        }
    }
}

impl PostgresLimits {
    /// The least connections of a store: one that reads, the one of all others, one that writes.
    pub const CONNECTIONS_MIN: usize = 3;

    /// The same with so many connections in all. One write has a connection to itself, and reads
    /// share theirs: two of three write, but each core has one that reads, as far as that goes.
    #[must_use]
    pub fn with_connections(self, all: usize) -> Self {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        Self::shared_out(self, all, cores)
    }

    fn shared_out(self, all: usize, cores: usize) -> Self {
        let all = all.max(Self::CONNECTIONS_MIN);
        let reads = (all / 3).max(cores.min((all - 1) / 2)).max(1);
        // One that no core has for its own would never be used.
        let reads = if reads > cores { reads - reads % cores } else { reads };
        Self { read_connections_max: reads, write_connections_max: all - 1 - reads, ..self }
    }

    /// Connections in all.
    pub fn connections(&self) -> usize {
        self.read_connections_max + 1 + self.write_connections_max
    }
}

/// A store on PostgreSQL.
pub struct PostgresStore {
    places: Arc<Places>,
    writes: writes::Writes,
    threads: Option<base::Threads>,
}

impl PostgresStore {
    /// Connects, and makes the tables where there are none. Not to be called within a runtime.
    ///
    /// # Errors
    /// [`OpenError`], which says what is wrong and what to do about it.
    pub fn open(
        mut config: PostgresConfig,
        domain: Arc<Domain>,
        schema: Arc<Schema>,
    ) -> Result<Self, OpenError> {
        let threads = base::Threads::start()?;
        let model = presence::fingerprint(&schema, &config.contexts);
        let decided = config.decided.clone();
        config.address = config.address.called(&presence::presence(&model, &config.service));
        let places = Places::open(config, domain, schema, &threads)?;
        threads.wait(places.check_demands(true))?;
        threads.wait(places.show())?;
        threads.wait(transfer::check_whole(&places.home, decided.as_deref()))?;
        places.start_sweeping();
        places.start_looking();
        Ok(Self { places, writes: writes::Writes::default(), threads: Some(threads) })
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
            Some(threads) => threads.wait(self.places.is_empty(true)),
            None => Err(Unavailable::Broken("the store is closed".to_owned())),
        }
    }

    /// Another store on the same database takes the place of this one: connections that are free go
    /// at once, the others when they are, so that both have hardly more than one.
    pub fn hand_over(&self) {
        self.places.hand_over();
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
        let read = places.texts.read(&places.plan, resource, children);
        let (text, values) = read.by_ids(tenant.as_deref(), ids);
        let values: Vec<_> = values.iter().map(read::Value::parameter).collect();
        let session = places.session(tenant, bindings.deadline)?;
        let text = place.text(&text);
        let ask = Ask { session: &session, text: &text, values: &values };
        let rows = places.read(&place, (tenant, bindings), ask).await?;
        read.found(ids, &rows)
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
        let read = places.texts.read(&places.plan, resource, query.children);
        let (text, mut values) = read.page(&statement, query, tenant, bindings);
        let session = places.session(tenant, bindings.deadline)?;
        let text = elsewhere::fetched(places, &session, text, &mut values).await?;
        let values: Vec<_> = values.iter().map(read::Value::parameter).collect();
        let text = place.text(&text);
        let ask = Ask { session: &session, text: &text, values: &values };
        let rows = places.read(&place, (tenant, bindings), ask).await?;
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

    async fn audit_now(
        &self,
        tenant: &Tenant,
        query: &Query,
        bindings: &Bindings,
    ) -> Result<Vec<Kept>, Unavailable> {
        let session = self.places.session(tenant, bindings.deadline)?;
        let Some(place) = self.places.answers(tenant).await? else { return Ok(Vec::new()) };
        audit::page(&place.base.readers, &session, tenant.as_deref(), query).await
    }

    async fn ready_now(&self) -> Result<(), Unavailable> {
        const PROBE: Duration = Duration::from_secs(2);
        let session = self.places.session_of(&None, PROBE.as_millis() as u64);
        let text = "SELECT pg_is_in_recovery() OR current_setting('transaction_read_only')::bool";
        let readers = &self.places.home.readers;
        let rows = readers.read_within(Duration::ZERO, &session, text, &[]).await?;
        // One that only reads still serves.
        self.writes.saw(rows.first().is_some_and(|row| row.get(0)));
        Ok(())
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
        let commit = commit::commit(&self.places, set, bindings.clone());
        commit.inspect(|done| self.writes.note(done)).boxed()
    }

    fn audit<'a>(
        &'a self,
        tenant: &'a Tenant,
        query: &'a Query,
        bindings: &'a Bindings,
    ) -> BoxFuture<'a, Result<Vec<Kept>, Unavailable>> {
        self.audit_now(tenant, query, bindings).boxed()
    }

    fn warm(&self) -> BoxFuture<'_, ()> {
        self.places.home.readers.warm().boxed()
    }

    fn ready(&self) -> BoxFuture<'_, Result<(), Unavailable>> {
        self.ready_now().boxed()
    }

    fn tenants(&self, resource: ResourceId) -> BoxFuture<'_, Result<Vec<Tenant>, Unavailable>> {
        self.tenants_now(resource).boxed()
    }

    fn eventing(&self) -> Option<&dyn Eventing> {
        Some(self)
    }

    fn webhooks(&self) -> Option<&dyn Webhooks> {
        Some(self)
    }

    fn operations(&self) -> Option<&dyn Operations> {
        Some(self)
    }

    fn tell(&self, who: Weak<dyn Hears>) -> Hearing {
        self.places.tell(who)
    }

    fn writes(&self) -> Result<(), Unavailable> {
        self.writes.told()
    }

    fn position(&self) -> BoxFuture<'_, Option<u64>> {
        self.places.position().boxed()
    }

    fn knows<'a>(&'a self, tenant: &'a Tenant) -> BoxFuture<'a, Result<bool, Unavailable>> {
        self.places.knows(tenant).boxed()
    }
}

#[cfg(test)]
mod limits_tests {
    use super::PostgresLimits;

    #[test]
    fn connections_are_shared_out_to_the_last_and_none_goes_without() {
        for cores in [1, 2, 4, 16, 64] {
            for all in 0..200 {
                let limits = PostgresLimits::default().shared_out(all, cores);
                let (reads, writes) = (limits.read_connections_max, limits.write_connections_max);
                assert_eq!(limits.connections(), all.max(PostgresLimits::CONNECTIONS_MIN));
                assert!(reads >= 1 && writes >= 1, "{reads} and {writes} of {all}");
                assert!(reads <= writes, "{reads} and {writes} of {all} on {cores} cores");
            }
        }
        let limits = PostgresLimits::default().shared_out(24, 2);
        assert_eq!((limits.read_connections_max, limits.write_connections_max), (8, 15));
    }
}

#[cfg(test)]
mod tests;
