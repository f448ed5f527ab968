//! One set of changes in one transaction, with as few round trips as it can be.
//!
//! Statements that need no answer of each other travel together; a set of one statement needs no
//! transaction around it. The first that fails, in the order of the set, says what is answered.

use super::base::Base;
use super::cells::{Bound, Bytes};
use super::error::misshapen;
use super::link::{Link, Parameter, Sent, Session};
use super::system;
use crate::adapters::sql::dialect::TENANT;
use crate::adapters::sql::plan::{self, Action, Context, Plan, Slot, TablePlan};
use crate::adapters::sql::shape::Cell;
use crate::ports::store::{ChildChange, CommitError, OutboxRow, Unavailable, Write, WriteSet};
use crate::record::Record;
use bytes::BytesMut;
use ir::domain::{FieldId, ResourceId};
use std::borrow::Cow;
use std::collections::BTreeSet;
use std::sync::Arc;
use tokio_postgres::types::{IsNull, ToSql, Type};
use tokio_postgres::{Error, Statement};

mod deletion;
mod refusal;

/// One writer at a time of what must not overlap.
const LOCK: &str = "SELECT pg_advisory_xact_lock(hashtextextended($1, 0))";

/// What a set is applied with.
pub(super) struct Apply<'a> {
    pub(super) link: &'a Link,
    pub(super) plan: &'a Plan,
    pub(super) tenant: Option<&'a str>,
    /// Quoted schema of the tenant, where each has one.
    pub(super) schema: Option<&'a str>,
    pub(super) session: Session,
    /// Tenants have a schema or database each: no statement reaches from a shared row to theirs.
    pub(super) apart: bool,
    /// They have a database each: no foreign key reaches from there to a shared row.
    pub(super) by_database: bool,
    /// No constraint keeps spans apart.
    pub(super) looks_for_overlaps: bool,
    /// Databases of tenants, where rows go that such rows may refer to.
    pub(super) elsewhere: Vec<Arc<Base>>,
    pub(super) now: i64,
}

/// Why a set was not applied.
#[derive(Debug)]
pub(super) enum Fault {
    /// The set itself is at fault.
    Refused(CommitError),
    /// The server; nothing of the set was committed.
    Undone(Error),
    /// The connection broke while the set was being committed.
    Unknown(Error),
}

impl From<CommitError> for Fault {
    fn from(refused: CommitError) -> Self {
        Self::Refused(refused)
    }
}

/// A row that is being written.
#[derive(Clone, Copy)]
pub(super) struct Row<'a> {
    /// Index of the change.
    write: usize,
    resource: ResourceId,
    record: Option<&'a Record>,
}

/// What it means that a statement changes no row, or finds one.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Nothing {
    Fine,
    Conflict,
    AnswerExists,
    /// Of that overlap: a row that is found is in the way.
    Wanted(usize),
}

/// A parameter that lives as long as the set.
#[derive(Debug)]
enum Value<'a> {
    Cell(Bound<'a>),
    Bytes(Bytes<'a>),
}

/// A statement of the set.
struct Step<'a> {
    text: Cow<'a, str>,
    values: Vec<Value<'a>>,
    row: Row<'a>,
    nothing: Nothing,
}

/// A part of the set.
enum Work<'a> {
    /// Travels with others.
    Step(Step<'a>),
    /// A row with whatever refers to it.
    Delete { row: Row<'a>, id: u128, by: Cell<'static> },
}

impl ToSql for Value<'_> {
    fn to_sql(
        &self,
        kind: &Type,
        out: &mut BytesMut,
    ) -> Result<IsNull, Box<dyn std::error::Error + Sync + Send>> {
        match self {
            Self::Cell(cell) => cell.to_sql(kind, out),
            Self::Bytes(bytes) => bytes.to_sql(kind, out),
        }
    }

    fn accepts(_: &Type) -> bool {
        true
    }

    tokio_postgres::types::to_sql_checked!();
}

fn cell(cell: Cell<'_>) -> Value<'_> {
    Value::Cell(Bound(cell))
}

fn text(text: &str) -> Value<'_> {
    cell(Cell::Text(text.into()))
}

impl<'a> Apply<'a> {
    /// Applies a set and commits it: all or nothing.
    pub(super) async fn run(&self, set: &'a WriteSet) -> Result<(), Fault> {
        let work = self.work(set)?;
        if let [Work::Step(step)] = work.as_slice() {
            return self.alone(step).await;
        }
        match self.transaction(&work).await {
            Ok(()) => self.link.plain("COMMIT").await.map_err(Fault::Unknown),
            Err((row, fault)) => {
                self.link.plain("ROLLBACK").await.map_err(Fault::Undone)?;
                Err(self.told(row, fault).await)
            }
        }
    }

    /// A statement is a transaction by itself.
    async fn alone(&self, step: &Step<'_>) -> Result<(), Fault> {
        let entered = self.link.enter(&self.session).await;
        let statement = self.link.statement(&step.text).await.map_err(Fault::Undone)?;
        let sent = self.send(&statement, step).await;
        answered(entered).await.map_err(Fault::Undone)?;
        match sent.answer().await {
            Ok(rows) => step.refusal(rows).map_or(Ok(()), |refusal| Err(refusal.into())),
            Err(error) if error.code().is_none() => Err(Fault::Unknown(error)),
            Err(error) => Err(self.told(Some(step.row), Fault::Unknown(error)).await),
        }
    }

    async fn transaction(&self, work: &[Work<'a>]) -> Result<(), (Option<Row<'a>>, Fault)> {
        let undone = |error| (None, Fault::Undone(error));
        let entered = self.link.enter(&self.session).await;
        for one in work {
            if let Work::Step(step) = one {
                self.link.statement(&step.text).await.map_err(undone)?;
            }
        }
        let begun = self.link.send_plain("BEGIN").await;
        let mut lead = Some((entered, begun));
        for part in work.chunk_by(|a, b| a.is_step() && b.is_step()) {
            let mut sent = Vec::with_capacity(part.len());
            for one in part {
                if let Work::Step(step) = one {
                    let statement = self.link.statement(&step.text).await.map_err(undone)?;
                    sent.push((step, self.send(&statement, step).await));
                }
            }
            if let Some((entered, begun)) = lead.take() {
                answered(entered).await.map_err(undone)?;
                begun.answer().await.map_err(undone)?;
            }
            for (step, sent) in sent {
                let row = Some(step.row);
                let rows = sent.answer().await.map_err(|error| (row, Fault::Undone(error)))?;
                if let Some(refusal) = step.refusal(rows) {
                    return Err((None, refusal.into()));
                }
            }
            if let [Work::Delete { row, id, by }] = part {
                self.delete(*row, *id, by).await.map_err(|fault| (Some(*row), fault))?;
            }
        }
        Ok(())
    }

    async fn send<'s>(&'s self, statement: &Statement, step: &'s Step<'_>) -> Sent<'s, u64> {
        let values: Vec<&Value<'_>> = step.values.iter().collect();
        self.link.send(statement.clone(), values).await
    }

    /// What a set does, in order.
    fn work(&self, set: &'a WriteSet) -> Result<Vec<Work<'a>>, CommitError> {
        let mut work = Vec::with_capacity(set.writes.len() + set.outbox.len() + 1);
        if let Some(answer) = &set.answer {
            let row = Row { write: 0, resource: ResourceId(0), record: None };
            let values = vec![
                Value::Bytes(Bytes(&answer.scope)),
                Value::Bytes(Bytes(&answer.fingerprint)),
                cell(Cell::Int(answer.status.into())),
                cell(Cell::Text(system::headers(answer).into())),
                Value::Bytes(Bytes(&answer.body)),
                cell(Cell::Int(answer.expires)),
                cell(Cell::Int(self.now)),
            ];
            let (text, nothing) = (system::KEEP_ANSWER.into(), Nothing::AnswerExists);
            work.push(Work::Step(Step { text, values, row, nothing }));
        }
        for (at, write) in set.writes.iter().enumerate() {
            self.write(at, write, &mut work)?;
        }
        for row in &set.outbox {
            work.push(Work::Step(self.publish(row)));
        }
        Ok(work)
    }

    fn publish(&self, event: &'a OutboxRow) -> Step<'a> {
        let resource = self.plan.domain.full_name(event.resource);
        let values = vec![
            cell(plan::id(event.id)),
            cell(plan::tenant(self.tenant)),
            text(&event.event),
            cell(Cell::Text(resource.into())),
            cell(plan::id(event.row)),
            cell(Cell::Int(event.time)),
            text(&event.data),
            event.trace.as_deref().map_or(cell(Cell::Null), text),
        ];
        let row = Row { write: 0, resource: event.resource, record: None };
        Step { text: system::PUBLISH.into(), values, row, nothing: Nothing::Fine }
    }

    fn write(
        &self,
        write: usize,
        change: &'a Write,
        work: &mut Vec<Work<'a>>,
    ) -> Result<(), CommitError> {
        match change {
            Write::Insert { resource, record } => self.insert(write, *resource, record, work),
            Write::Update { resource, record, expected, children } => {
                let context = Context { tenant: self.tenant, expected: *expected, ..none() };
                let table = self.plan.table(*resource);
                let row = Row { write, resource: *resource, record: Some(record) };
                let conflict = Nothing::Conflict;
                self.put(&table.update, &table.update_slots, row, context, conflict, work)?;
                for (field, change) in children {
                    let child = self.child(*resource, *field)?;
                    self.change_children(write, record.id, child, change, work)?;
                }
                Ok(())
            }
            Write::Delete { resource, id, expected } => {
                let row = Row { write, resource: *resource, record: None };
                work.push(self.deletion(row, *id, Cell::Int(*expected)));
                Ok(())
            }
            Write::Count { resource, id, field, by } => {
                let table = self.plan.table(*resource);
                let found = table.count.iter().find(|(counter, _)| counter == field);
                let Some((_, statement)) = found else { return Ok(()) };
                let mut values = vec![cell(Cell::Int(*by))];
                values.extend(self.by_id(table, *id).map(cell));
                let row = Row { write, resource: *resource, record: None };
                let (text, nothing) = (self.text(statement), Nothing::Fine);
                work.push(Work::Step(Step { text, values, row, nothing }));
                Ok(())
            }
        }
    }

    fn insert(
        &self,
        write: usize,
        resource: ResourceId,
        record: &'a Record,
        work: &mut Vec<Work<'a>>,
    ) -> Result<(), CommitError> {
        let context = Context { tenant: self.tenant, ..none() };
        let table = self.plan.table(resource);
        let row = Row { write, resource, record: Some(record) };
        self.put(&table.insert, &table.insert_slots, row, context, Nothing::Fine, work)?;
        for (field, children) in &record.children {
            let resource = self.child(resource, *field)?;
            let table = self.plan.table(resource);
            for (position, child) in children.iter().enumerate() {
                let context = Context { owner: record.id, position, ..context };
                let row = Row { write, resource, record: Some(child) };
                let (text, slots) = (&table.insert, &table.insert_slots);
                self.put(text, slots, row, context, Nothing::Fine, work)?;
            }
        }
        Ok(())
    }

    fn change_children(
        &self,
        write: usize,
        owner: u128,
        resource: ResourceId,
        change: &'a ChildChange,
        work: &mut Vec<Work<'a>>,
    ) -> Result<(), CommitError> {
        for id in &change.removed {
            let row = Row { write, resource, record: None };
            work.push(self.deletion(row, *id, plan::id(owner)));
        }
        let table = self.plan.table(resource);
        let upsert = table.upsert.as_deref().unwrap_or(&table.insert);
        for (position, child) in change.put.iter().enumerate() {
            let context = Context { tenant: self.tenant, owner, position, ..none() };
            let row = Row { write, resource, record: Some(child) };
            // No row is changed where the id is another owner's child by now.
            let conflict = Nothing::Conflict;
            self.put(upsert, &table.insert_slots, row, context, conflict, work)?;
        }
        Ok(())
    }

    fn child(&self, resource: ResourceId, field: FieldId) -> Result<ResourceId, CommitError> {
        self.plan.child(resource, field).ok_or_else(|| {
            let what = format!("`{}` has no such children", self.plan.domain.full_name(resource));
            CommitError::Unavailable(Unavailable::Broken(what))
        })
    }

    fn put(
        &self,
        text: &'a str,
        slots: &'a [Slot],
        row: Row<'a>,
        context: Context<'a>,
        nothing: Nothing,
        work: &mut Vec<Work<'a>>,
    ) -> Result<(), CommitError> {
        let table = self.plan.table(row.resource);
        let wrong = || CommitError::Unavailable(misshapen(&table.plain_name));
        let record = row.record.ok_or_else(wrong)?;
        let mut values = Vec::with_capacity(slots.len());
        for slot in slots {
            values.push(cell(table.cell(slot, record, &context).map_err(|_| wrong())?));
        }
        let overlaps = if self.looks_for_overlaps { &table.overlaps[..] } else { &[] };
        if !overlaps.is_empty() {
            // Held to the end of the transaction: nobody else looks or writes meanwhile.
            let (schema, tenant) = (self.schema.unwrap_or(""), self.tenant.unwrap_or(""));
            let key = format!("{schema} {} {tenant}", table.plain_name);
            let values = vec![cell(Cell::Text(key.into()))];
            work.push(Work::Step(Step { text: LOCK.into(), values, row, nothing: Nothing::Fine }));
        }
        work.push(Work::Step(Step { text: self.text(text), values, row, nothing }));
        for check in overlaps {
            let values = self.by_id(table, record.id).map(cell).collect();
            let nothing = Nothing::Wanted(check.overlap);
            work.push(Work::Step(Step { text: self.text(&check.other), values, row, nothing }));
        }
        Ok(())
    }

    /// A row goes by one statement where the database's own rules say the same as ours.
    fn deletion(&self, row: Row<'a>, id: u128, by: Cell<'static>) -> Work<'a> {
        if !self.is_plain(row.resource) {
            return Work::Delete { row, id, by };
        }
        let table = self.plan.table(row.resource);
        let values = self.by_id(table, id).chain([by]).map(cell).collect();
        let (text, nothing) = (self.text(&table.delete), Nothing::Conflict);
        Work::Step(Step { text, values, row, nothing })
    }

    /// True where nothing but owned rows go along, and nobody refers to a row in two ways.
    fn is_plain(&self, resource: ResourceId) -> bool {
        let mut seen = BTreeSet::new();
        self.plan.table(resource).referers.iter().all(|referer| {
            let foreign = self.by_database && self.is_elsewhere(resource, referer);
            !foreign
                && seen.insert(referer.resource)
                && match referer.action {
                    Action::Owned => self.plan.table(referer.resource).referers.is_empty(),
                    Action::Restrict => true,
                    Action::Cascade { .. } | Action::Clear { .. } => false,
                }
        })
    }

    /// The text with the tenant's schema in it.
    fn text(&self, text: &'a str) -> Cow<'a, str> {
        match self.schema {
            Some(schema) if text.contains(TENANT) => text.replace(TENANT, schema).into(),
            Some(_) | None => text.into(),
        }
    }

    /// Cells for a text that takes the tenant (where the table has one) and an id.
    fn by_id(&self, table: &TablePlan, id: u128) -> impl Iterator<Item = Cell<'a>> + use<'a> {
        let tenant = self.tenant;
        let tenant = table.tenant.as_ref().map(|_| plan::tenant(tenant));
        tenant.into_iter().chain([plan::id(id)])
    }
}

impl Step<'_> {
    /// What is answered where so many rows were changed or found.
    fn refusal(&self, rows: u64) -> Option<CommitError> {
        let Row { write, resource, .. } = self.row;
        match (self.nothing, rows) {
            (Nothing::Conflict, 0) => Some(CommitError::Conflict { write }),
            (Nothing::AnswerExists, 0) => Some(CommitError::AnswerExists),
            (Nothing::Wanted(overlap), 1..) => {
                Some(CommitError::Overlap { write, resource, overlap })
            }
            (Nothing::Fine | Nothing::Conflict | Nothing::AnswerExists, _)
            | (Nothing::Wanted(_), 0) => None,
        }
    }
}

impl Work<'_> {
    fn is_step(&self) -> bool {
        matches!(self, Self::Step(_))
    }
}

fn none<'a>() -> Context<'a> {
    Context::default()
}

async fn answered(sent: Option<Sent<'_, u64>>) -> Result<(), Error> {
    match sent {
        Some(sent) => sent.answer().await.map(|_| ()),
        None => Ok(()),
    }
}

/// Parameters of cells.
fn bound(cells: Vec<Cell<'_>>) -> Vec<Bound<'_>> {
    cells.into_iter().map(Bound).collect()
}

fn borrowed<'b>(values: &'b [Bound<'_>]) -> Vec<Parameter<'b>> {
    values.iter().map(|value| value as Parameter<'b>).collect()
}
