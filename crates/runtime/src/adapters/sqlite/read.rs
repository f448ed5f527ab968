//! Rows by id and pages of rows, each in one snapshot; the lane for reads that take long.

use super::OpenError;
use super::fair::{Fair, Next, Put};
use super::layout::{File, Layout};
use super::link::{Link, begins_snapshot, bind, stored};
use super::readers::Readers;
use crate::adapters::sql::list::Statement;
use crate::adapters::sql::plan::{self, Plan, TablePlan};
use crate::adapters::sql::shape::Cell;
use crate::ports::store::{Bindings, ListQuery, Tenant, Unavailable};
use crate::record::Record;
use futures::channel::oneshot;
use ir::domain::{FieldId, ResourceId};
use rusqlite::types::Type;
use rusqlite::{CachedStatement, Error, Result};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

/// Between two looks of a thread that has nothing to read.
const PATIENCE: Duration = Duration::from_secs(60);

/// Rows by id.
pub(super) struct Get<'a> {
    pub(super) plan: &'a Plan,
    pub(super) tenant: Option<&'a str>,
    pub(super) resource: ResourceId,
    pub(super) ids: &'a [u128],
    pub(super) children: &'a [FieldId],
}

impl Get<'_> {
    pub(super) fn run(&self, link: &Link) -> Result<Vec<Record>> {
        let table = self.plan.table(self.resource);
        if self.ids.len() > 1 {
            begins_snapshot(link)?;
        }
        let mut children = Children::of(link, self.plan, self.resource, self.children)?;
        let mut records = Vec::with_capacity(self.ids.len());
        let mut statement = link.statement(&table.get)?;
        for id in self.ids {
            bind(&mut statement, by_id(table, self.tenant, *id))?;
            let mut rows = statement.raw_query();
            if let Some(row) = rows.next()? {
                let mut record = decode(table, row)?;
                children.read(self.tenant, &mut record)?;
                records.push(record);
            }
        }
        Ok(records)
    }
}

/// A page of rows, on its own, so that it can move to another thread.
pub(super) struct Page {
    resource: ResourceId,
    statement: Arc<Statement>,
    cells: Vec<Cell<'static>>,
    children: Vec<FieldId>,
    tenant: Tenant,
}

impl Page {
    pub(super) fn new(
        query: &ListQuery<'_>,
        statement: Arc<Statement>,
        tenant: &Tenant,
        bindings: &Bindings,
    ) -> Self {
        Self {
            resource: query.resource,
            cells: statement
                .params
                .iter()
                .map(|param| param.cell(query, tenant, bindings).into_owned())
                .collect(),
            statement,
            children: query.children.to_vec(),
            tenant: tenant.clone(),
        }
    }

    pub(super) fn run(&self, plan: &Plan, link: &Link) -> Result<Vec<Record>> {
        let table = plan.table(self.resource);
        let tenant = self.tenant.as_deref();
        let mut children = Children::of(link, plan, self.resource, &self.children)?;
        let mut records = Vec::new();
        let mut statement = link.statement(&self.statement.text)?;
        // A constant that was brought to another scale leaves its own parameter unused.
        let used = statement.parameter_count();
        bind(&mut statement, self.cells.iter().take(used).cloned())?;
        let mut rows = statement.raw_query();
        while let Some(row) = rows.next()? {
            let mut record = decode(table, row)?;
            children.read(tenant, &mut record)?;
            records.push(record);
        }
        Ok(records)
    }
}

fn by_id<'a>(
    table: &TablePlan,
    tenant: Option<&'a str>,
    id: u128,
) -> impl Iterator<Item = Cell<'a>> {
    let tenant = table.tenant.is_some().then(|| plan::tenant(tenant));
    tenant.into_iter().chain([plan::id(id)])
}

/// Reads children while the row of their owner is still open: the statement that found it keeps
/// its snapshot until it ends, and they are read in the same.
struct Children<'a> {
    all: Vec<(FieldId, &'a TablePlan, CachedStatement<'a>)>,
}

impl<'a> Children<'a> {
    fn of(
        link: &'a Link,
        plan: &'a Plan,
        resource: ResourceId,
        fields: &[FieldId],
    ) -> Result<Self> {
        let mut all = Vec::with_capacity(fields.len());
        for field in fields {
            let Some(child) = plan.child(resource, *field) else { continue };
            let table = plan.table(child);
            let Some(of_owner) = &table.of_owner else { continue };
            all.push((*field, table, link.statement(of_owner)?));
        }
        Ok(Self { all })
    }

    fn read(&mut self, tenant: Option<&str>, owner: &mut Record) -> Result<()> {
        for (field, table, statement) in &mut self.all {
            bind(statement, by_id(table, tenant, owner.id))?;
            let mut rows = statement.raw_query();
            let mut all = Vec::new();
            while let Some(row) = rows.next()? {
                let (created_at, updated_at) = (owner.created_at, owner.updated_at);
                all.push(Record { created_at, updated_at, ..decode(table, row)? });
            }
            owner.children.push((*field, all));
        }
        Ok(())
    }
}

fn decode(table: &TablePlan, row: &rusqlite::Row<'_>) -> Result<Record> {
    table.decode(&mut |at| stored(row, at)).map_err(|_| {
        let what = format!("a value of `{}` is not of its column's type", table.plain_name);
        Error::FromSqlConversionFailure(0, Type::Null, what.into())
    })
}

/// Threads for reads that turn out to take long, so that none holds up the thread that serves.
pub(super) struct SlowLane {
    jobs: Arc<Fair<Job>>,
    threads: Mutex<Vec<JoinHandle<()>>>,
}

struct Job {
    file: File,
    page: Page,
    deadline: i64,
    reply: oneshot::Sender<std::result::Result<Vec<Record>, Unavailable>>,
}

impl SlowLane {
    pub(super) fn start(
        layout: &Arc<Layout>,
        readers: &Arc<Readers>,
    ) -> std::result::Result<Self, OpenError> {
        let jobs = Arc::new(Fair::new(layout.limits().slow_queue_max));
        let mut threads = Vec::new();
        for _ in 0..layout.limits().slow_readers.max(1) {
            let (jobs, readers) = (Arc::clone(&jobs), Arc::clone(readers));
            let plan = Arc::clone(&layout.plan);
            let thread = std::thread::Builder::new()
                .name("mainstay-read".to_owned())
                .spawn(move || work(&jobs, &readers, &plan))
                .map_err(OpenError::Thread)?;
            threads.push(thread);
        }
        Ok(Self { jobs, threads: Mutex::new(threads) })
    }

    pub(super) async fn run(
        &self,
        file: File,
        page: Page,
        deadline: i64,
    ) -> std::result::Result<Vec<Record>, Unavailable> {
        let (reply, answer) = oneshot::channel();
        let tenant = page.tenant.clone();
        match self.jobs.put(&tenant, Job { file, page, deadline, reply }) {
            Put::Waits => {}
            Put::InsteadOf(other) => {
                // Whoever asked may have gone by now.
                let _gone = other.reply.send(Err(Unavailable::Busy));
            }
            Put::Full(_) => return Err(Unavailable::Busy),
            Put::Closed(_) => return Err(Unavailable::Broken("the store is closed".to_owned())),
        }
        answer.await.unwrap_or_else(|_| Err(Unavailable::Broken("a read was lost".to_owned())))
    }

    /// Waits until the threads have answered what waits.
    pub(super) fn close(&self) {
        self.jobs.close();
        let threads =
            std::mem::take(&mut *self.threads.lock().unwrap_or_else(PoisonError::into_inner));
        for thread in threads {
            let _panicked = thread.join();
        }
    }
}

fn work(jobs: &Fair<Job>, readers: &Readers, plan: &Plan) {
    loop {
        let job = match jobs.next(PATIENCE) {
            Next::Job(job) => job,
            Next::Look => continue,
            Next::Closed => return,
        };
        if job.reply.is_canceled() {
            continue;
        }
        let run = |link: &Link| job.page.run(plan, link);
        let read = || readers.with(&job.file, job.deadline, None, run, Vec::new);
        // A fault of ours costs this read its answer, not the lane its thread.
        if let Ok(answer) = catch_unwind(AssertUnwindSafe(read)) {
            // Whoever asked may have gone by now.
            let _gone = job.reply.send(answer);
        }
    }
}
