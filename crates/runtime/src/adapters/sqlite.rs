//! SQLite: one file per service, or one per tenant.
//!
//! One thread writes, in groups: every set of a group has a savepoint of its own, one commit
//! (`WAL`, `synchronous = FULL`) makes them all durable, and only then are they acknowledged. A
//! lone write is not delayed. Reads run on the calling thread over a connection of its own, in a
//! snapshot per call; what turns out to be long moves to a thread for long reads. Everything a
//! call may wait for or grow to has a limit in [`SqliteConfig`].

mod audit;
mod backup;
mod counters;
mod demand;
mod directory;
mod error;
mod events;
mod fair;
mod functions;
mod keys;
mod layout;
mod link;
mod migrations;
mod operations;
mod owner;
mod read;
mod readers;
mod schema;
mod system;
mod tenants;
mod transfer;
mod webhooks;
mod write;
mod writer;

pub use audit::verify as verify_audit;
pub use backup::{BackupError, Copied, backup, restore};
pub use directory::{CONTROL, DataDirectory, is_moving, leave, leave_by, moved, moved_by, stay};
pub use error::OpenError;
pub use keys::SqliteKeys;
pub use migrations::SqliteMigrations;
pub use owner::{claim, owner};
pub use system::SYSTEM_TABLES;
pub use transfer::SqliteTransfer;
pub use writer::WriterFigures;

use crate::adapters::sql::{dialect::Sqlite, list, plan::Plan};
use crate::ports::audit::{Kept, Query};
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
use layout::{File, Layout};
use readers::Readers;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use tokio::sync::Semaphore;

/// Where and how large.
#[derive(Clone)]
pub struct SqliteConfig {
    /// The data directory, locked by this process.
    pub directory: Arc<DataDirectory>,
    /// Name of the service: `<data>/<service>.db`.
    pub service: String,
    /// One file per tenant, `<data>/<service>/<tenant>.db`; shared resources stay in the
    /// service's file.
    pub file_per_tenant: bool,
    /// Statements that make the tables, indexes and triggers of the service, each for itself.
    /// A table that none of them makes is another service's. With a file per tenant they may not
    /// refer from a tenant's table to a shared one: the store itself looks after that.
    pub ddl: Vec<String>,
    /// Tables of the service's file that somebody else makes, as they must be.
    pub demands: Vec<Demand>,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Limits.
    pub limits: SqliteLimits,
}

/// What bounds the store.
#[derive(Debug, Clone, Copy)]
pub struct SqliteLimits {
    /// Sets that wait for the writer; more are refused with [`Unavailable::Busy`], those of the
    /// tenant that has the most first.
    pub queue_sets_max: usize,
    /// Sets in one commit.
    pub group_sets_max: usize,
    /// Rows in one commit, unless a single set has more.
    pub group_rows_max: usize,
    /// Read connections of a file; one per thread that serves is best.
    pub readers_max: usize,
    /// Threads for reads that take long.
    pub slow_readers: usize,
    /// Reads that wait for such a thread; more are refused as writes are.
    pub slow_queue_max: usize,
    /// Steps of a thousand instructions that a read may take on the calling thread.
    pub inline_steps_max: i64,
    /// Files of tenants held open.
    pub tenant_files_max: usize,
    /// Threads that write, where each tenant has a file; one tenant always goes to the same.
    pub tenant_writers: usize,
    /// Counters that wait to be written.
    pub counters_max: usize,
    /// Milliseconds to wait for a lock that another process holds.
    pub lock_wait_ms_max: u32,
    /// Pages of 4 KiB that a file may have; the disk is full for it then.
    pub file_pages_max: u32,
    /// Seconds that entries of the audit trail are kept; as long as there are files at the most.
    pub audit_seconds_max: u64,
}

impl Default for SqliteLimits {
    fn default() -> Self {
        Self {
            queue_sets_max: 4_096,
            group_sets_max: 256,
            group_rows_max: 2_000,
            readers_max: 16,
            slow_readers: 2,
            slow_queue_max: 128,
            inline_steps_max: 400,
            tenant_files_max: 128,
            tenant_writers: 4,
            counters_max: 65_536,
            lock_wait_ms_max: 2_000,
            file_pages_max: u32::MAX - 1,
            audit_seconds_max: u64::MAX,
        }
    }
}

/// A store on SQLite.
pub struct SqliteStore {
    plan: Arc<Plan>,
    layout: Arc<Layout>,
    readers: Arc<Readers>,
    slow: read::SlowLane,
    writers: writer::Writers,
    /// Turns at reading the audit trail.
    trail: Arc<Semaphore>,
}

/// Reads of the audit trail at a time.
const TRAIL_READS_MAX: usize = 2;

impl SqliteStore {
    /// Opens the files, makes or extends their tables and starts the writer.
    ///
    /// # Errors
    /// [`OpenError`], which says what is wrong and what to do about it.
    pub fn open(
        config: SqliteConfig,
        domain: Arc<Domain>,
        schema: Arc<Schema>,
    ) -> Result<Self, OpenError> {
        let plan = Plan::new(domain, schema, Arc::new(Sqlite)).map_err(OpenError::Plan)?;
        let plan = Arc::new(plan);
        let layout = Arc::new(Layout::open(config, Arc::clone(&plan))?);
        let readers = Arc::new(Readers::new(Arc::clone(&layout)));
        let writers = writer::Writers::start(Arc::clone(&layout))?;
        let slow = read::SlowLane::start(&layout, &readers)?;
        let trail = Arc::new(Semaphore::new(TRAIL_READS_MAX));
        Ok(Self { plan, layout, readers, slow, writers, trail })
    }

    /// The issuer whose subjects are stored bare: the one given first, for good.
    ///
    /// # Errors
    /// Where the service's file can't be read or written.
    pub fn home_issuer(&self, issuer: &str) -> Result<String, Unavailable> {
        self.layout.meta_or("home_issuer", issuer)
    }

    /// True where no resource has a row, of any tenant.
    ///
    /// # Errors
    /// Where a file can't be read.
    pub fn is_empty(&self) -> Result<bool, Unavailable> {
        let broken = |error: OpenError| Unavailable::Broken(error.to_string());
        let tenants = self.layout.tenants().map_err(broken)?;
        let files = tenants.into_iter().map(File::Tenant).chain([File::Service]);
        for file in files {
            let Some(link) = self.layout.reader(&file)? else { continue };
            for table in self.layout.tables(&file) {
                let any = link
                    .exists(&format!("SELECT 1 FROM {table} LIMIT 1"), [])
                    .map_err(|error| error::unavailable(&error))?;
                if any {
                    return Ok(false);
                }
            }
        }
        Ok(true)
    }

    /// What the writers have done since the store was opened.
    pub fn figures(&self) -> WriterFigures {
        self.writers.figures()
    }

    /// Another store on the same files takes the place of this one: what ends it, or is still asked
    /// of it, is to keep the other from nothing.
    pub fn hand_over(&self) {
        self.layout.handed_over.store(true, Ordering::Relaxed);
    }

    /// Writes what is buffered, moves the journals into the files and stops the writer. Further
    /// commits are refused.
    pub fn close(&self) {
        self.writers.close();
        self.slow.close();
        self.readers.close();
    }

    fn file(&self, tenant: &Tenant, resource: ResourceId) -> Result<File, Unavailable> {
        self.layout.file(tenant, resource)
    }

    fn get_now(
        &self,
        tenant: &Tenant,
        resource: ResourceId,
        ids: &[u128],
        children: &[FieldId],
        bindings: &Bindings,
    ) -> Result<Vec<Record>, Unavailable> {
        let file = self.file(tenant, resource)?;
        let read =
            read::Get { plan: &self.plan, tenant: tenant.as_deref(), resource, ids, children };
        self.readers.with(&file, bindings.deadline, None, |link| read.run(link), Vec::new)
    }

    async fn list_now(
        &self,
        tenant: &Tenant,
        query: &ListQuery<'_>,
        bindings: &Bindings,
    ) -> Result<Vec<Record>, Unavailable> {
        let file = self.file(tenant, query.resource)?;
        let statement = list::statement(&self.plan, query)
            .map_err(|refused| Unavailable::Broken(refused.to_string()))?;
        let page = read::Page::new(query, statement, tenant, bindings);
        let steps = Some(self.layout.limits().inline_steps_max);
        let plan = &self.plan;
        let run = |link: &link::Link| page.run(plan, link);
        match self.readers.with(&file, bindings.deadline, steps, run, Vec::new) {
            Err(Unavailable::Busy) => self.slow.run(file, page, bindings.deadline).await,
            answered => answered,
        }
    }
}

impl SqliteStore {
    /// A trail may be long and what is looked for rare: it is read beside the calls, by few.
    async fn audit_now(
        &self,
        tenant: &Tenant,
        query: &Query,
        bindings: &Bindings,
    ) -> Result<Vec<Kept>, Unavailable> {
        let broken = |what: &str| Unavailable::Broken(what.to_owned());
        let turn = Arc::clone(&self.trail).acquire_owned().await;
        let turn = turn.map_err(|_| broken("the store is closed"))?;
        let (file, readers) = (self.layout.answers(tenant)?, Arc::clone(&self.readers));
        let (tenant, query, deadline) = (tenant.clone(), query.clone(), bindings.deadline);
        let read = move || {
            let _turn = turn;
            let page = |link: &link::Link| audit::page(link, tenant.as_deref(), &query);
            readers.with(&file, deadline, None, page, Vec::new)
        };
        let read = tokio::task::spawn_blocking(read).await;
        read.unwrap_or_else(|_| Err(broken("a read of the audit trail failed")))
    }
}

impl Drop for SqliteStore {
    fn drop(&mut self) {
        self.close();
    }
}

impl Store for SqliteStore {
    fn get<'a>(
        &'a self,
        tenant: &'a Tenant,
        resource: ResourceId,
        ids: &'a [u128],
        children: &'a [FieldId],
        bindings: &'a Bindings,
    ) -> BoxFuture<'a, Result<Vec<Record>, Unavailable>> {
        async move { self.get_now(tenant, resource, ids, children, bindings) }.boxed()
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
        async move {
            let file = self.layout.answers(tenant)?;
            self.readers.with(&file, 0, None, |link| system::answer(link, scope, now), || None)
        }
        .boxed()
    }

    fn commit<'a>(
        &'a self,
        set: WriteSet,
        bindings: &'a Bindings,
    ) -> BoxFuture<'a, Result<(), CommitError>> {
        self.writers.commit(set, bindings).boxed()
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
        async move {
            // Whoever reads finds out why it fails.
            let _opened = self.readers.with(&File::Service, 0, None, system::probe, || ());
        }
        .boxed()
    }

    fn ready(&self) -> BoxFuture<'_, Result<(), Unavailable>> {
        async move {
            self.writers.ready()?;
            self.readers.with(&File::Service, 0, None, system::probe, || ())
        }
        .boxed()
    }

    fn knows<'a>(&'a self, tenant: &'a Tenant) -> BoxFuture<'a, Result<bool, Unavailable>> {
        async move {
            let file = self.layout.answers(tenant)?;
            Ok(file == File::Service || self.layout.path(&file).exists())
        }
        .boxed()
    }

    fn tenants(&self, resource: ResourceId) -> BoxFuture<'_, Result<Vec<Tenant>, Unavailable>> {
        async move { self.tenants_now(resource) }.boxed()
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

    fn writes(&self) -> Result<(), Unavailable> {
        self.writers.writes()
    }
}

#[cfg(test)]
mod tests;
