//! Rows by id and pages of rows, each in one snapshot; the lane for reads that take long.

use super::OpenError;
use super::layout::{File, Layout};
use super::link::{Link, begins_snapshot, bind, stored};
use super::readers::Readers;
use crate::adapters::sql::list::Statement;
use crate::adapters::sql::plan::{self, Plan, TablePlan};
use crate::adapters::sql::shape::Cell;
use crate::adapters::sql::term::Param;
use crate::ports::store::{Bindings, ListQuery, Tenant, Unavailable};
use crate::record::Record;
use futures::channel::oneshot;
use ir::domain::{FieldId, ResourceId};
use rusqlite::types::Type;
use rusqlite::{Error, Result};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

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
        if self.ids.len() > 1 || !self.children.is_empty() {
            begins_snapshot(link)?;
        }
        let mut records = Vec::with_capacity(self.ids.len());
        let mut statement = link.statement(&table.get)?;
        for id in self.ids {
            bind(&mut statement, by_id(table, self.tenant, *id))?;
            let mut rows = statement.raw_query();
            if let Some(row) = rows.next()? {
                records.push(decode(table, row)?);
            }
        }
        with_children(link, self.plan, self.resource, self.children, self.tenant, &mut records)?;
        Ok(records)
    }
}

/// A page of rows, on its own, so that it can move to another thread.
pub(super) struct Page {
    resource: ResourceId,
    statement: Statement,
    cells: Vec<Cell<'static>>,
    children: Vec<FieldId>,
    tenant: Tenant,
}

impl Page {
    pub(super) fn new(
        query: &ListQuery<'_>,
        statement: Statement,
        tenant: &Tenant,
        bindings: &Bindings,
    ) -> Self {
        let text = |text: &Option<Arc<str>>| match text {
            Some(text) => Cell::Text(text.to_string().into()),
            None => Cell::Null,
        };
        let cell = |param: &Param| match param {
            Param::Tenant => text(tenant),
            Param::Me => text(&bindings.me),
            Param::Now { less } => Cell::Int(bindings.now.saturating_sub(*less)),
            Param::Cell(cell) => cell.clone(),
        };
        Self {
            resource: query.resource,
            cells: statement.params.iter().map(cell).collect(),
            statement,
            children: query.children.to_vec(),
            tenant: tenant.clone(),
        }
    }

    pub(super) fn run(&self, plan: &Plan, link: &Link) -> Result<Vec<Record>> {
        let table = plan.table(self.resource);
        if !self.children.is_empty() {
            begins_snapshot(link)?;
        }
        let mut records = Vec::new();
        let mut statement = link.statement(&self.statement.text)?;
        // A constant that was brought to another scale leaves its own parameter unused.
        let used = statement.parameter_count();
        bind(&mut statement, self.cells.iter().take(used).cloned())?;
        let mut rows = statement.raw_query();
        while let Some(row) = rows.next()? {
            records.push(decode(table, row)?);
        }
        drop(rows);
        let tenant = self.tenant.as_deref();
        with_children(link, plan, self.resource, &self.children, tenant, &mut records)?;
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

fn with_children(
    link: &Link,
    plan: &Plan,
    resource: ResourceId,
    children: &[FieldId],
    tenant: Option<&str>,
    records: &mut [Record],
) -> Result<()> {
    for field in children {
        let Some(child) = plan.child(resource, *field) else { continue };
        let table = plan.table(child);
        let Some(of_owner) = &table.of_owner else { continue };
        let mut statement = link.statement(of_owner)?;
        for owner in records.iter_mut() {
            bind(&mut statement, by_id(table, tenant, owner.id))?;
            let mut rows = statement.raw_query();
            let mut all = Vec::new();
            while let Some(row) = rows.next()? {
                let (created_at, updated_at) = (owner.created_at, owner.updated_at);
                all.push(Record { created_at, updated_at, ..decode(table, row)? });
            }
            owner.children.push((*field, all));
        }
    }
    Ok(())
}

fn decode(table: &TablePlan, row: &rusqlite::Row<'_>) -> Result<Record> {
    table.decode(&mut |at| stored(row, at)).map_err(|_| {
        let what = format!("a value of `{}` is not of its column's type", table.plain_name);
        Error::FromSqlConversionFailure(0, Type::Null, what.into())
    })
}

/// Threads for reads that turn out to take long, so that none holds up the thread that serves.
pub(super) struct SlowLane {
    jobs: Mutex<Option<SyncSender<Job>>>,
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
        let (jobs, waiting) = sync_channel(layout.limits().slow_queue_max);
        let waiting = Arc::new(Mutex::new(waiting));
        let mut threads = Vec::new();
        for _ in 0..layout.limits().slow_readers.max(1) {
            let (waiting, readers) = (Arc::clone(&waiting), Arc::clone(readers));
            let plan = Arc::clone(&layout.plan);
            let thread = std::thread::Builder::new()
                .name("mainstay-read".to_owned())
                .spawn(move || work(&waiting, &readers, &plan))
                .map_err(OpenError::Thread)?;
            threads.push(thread);
        }
        Ok(Self { jobs: Mutex::new(Some(jobs)), threads: Mutex::new(threads) })
    }

    pub(super) async fn run(
        &self,
        file: File,
        page: Page,
        deadline: i64,
    ) -> std::result::Result<Vec<Record>, Unavailable> {
        let (reply, answer) = oneshot::channel();
        let job = Job { file, page, deadline, reply };
        let jobs = self.jobs.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let Some(jobs) = jobs else {
            return Err(Unavailable::Broken("the store is closed".to_owned()));
        };
        jobs.try_send(job).map_err(|error| match error {
            TrySendError::Full(_) => Unavailable::Busy,
            TrySendError::Disconnected(_) => Unavailable::Broken("no thread reads".to_owned()),
        })?;
        drop(jobs);
        answer.await.unwrap_or_else(|_| Err(Unavailable::Broken("a read was lost".to_owned())))
    }

    /// Waits until the threads have answered what waits.
    pub(super) fn close(&self) {
        *self.jobs.lock().unwrap_or_else(PoisonError::into_inner) = None;
        let threads =
            std::mem::take(&mut *self.threads.lock().unwrap_or_else(PoisonError::into_inner));
        for thread in threads {
            let _panicked = thread.join();
        }
    }
}

fn work(waiting: &Mutex<Receiver<Job>>, readers: &Readers, plan: &Plan) {
    loop {
        let next = waiting.lock().unwrap_or_else(PoisonError::into_inner).recv();
        let Ok(job) = next else { return };
        if job.reply.is_canceled() {
            continue;
        }
        let run = |link: &Link| job.page.run(plan, link);
        let answer = readers.with(&job.file, job.deadline, None, run, Vec::new);
        // Whoever asked may have gone by now.
        let _gone = job.reply.send(answer);
    }
}
