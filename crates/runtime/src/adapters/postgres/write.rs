//! One set of changes in one transaction, with as few round trips as it can be.
//!
//! Statements that need no answer of each other travel together; a set of one statement needs no
//! transaction around it. The first that fails, in the order of the set, says what is answered.

use super::base::Base;
use super::cells::{Bound, Bytes};
use super::error::{is_refusal, misshapen};
use super::link::{Link, Parameter, Session};
use super::{audit, hearing, system};
use crate::adapters::sql::dialect::TENANT;
use crate::adapters::sql::events::{Asked, POSTGRESQL, operations};
use crate::adapters::sql::plan::{self, Action, Context, INSERT_ROWS_MAX, Plan, Slot, TablePlan};
use crate::adapters::sql::shape::Cell;
use crate::ports::audit::Entry;
use crate::ports::store::{ChildChange, CommitError, OutboxRow, Unavailable, Write, WriteSet};
use crate::record::Record;
use ir::domain::{FieldId, ResourceId};
use std::borrow::Cow;
use std::collections::BTreeSet;
use std::sync::Arc;
use steps::{Failed, Nothing, Step, Value, Work};

pub(super) use chain::Chains;
use tokio_postgres::Error;

mod carry;
mod chain;
mod deletion;
mod refusal;
mod steps;

/// One writer at a time of what must not overlap.
const LOCK: &str = "SELECT pg_advisory_xact_lock(hashtextextended($1, 0))";

/// What a set is applied with.
pub(super) struct Apply<'a> {
    pub(super) link: &'a Link,
    pub(super) plan: &'a Plan,
    /// Sets as one statement.
    pub(super) chains: &'a Chains,
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
    /// The trail wants to know what else a deletion takes or changes.
    pub(super) audited: bool,
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

impl Fault {
    /// True where the server refused what a row holds.
    fn is_refusal(&self) -> bool {
        let (Self::Undone(error) | Self::Unknown(error)) = self else { return false };
        is_refusal(error)
    }
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

fn cell(cell: Cell<'_>) -> Value<'_> {
    Value::Cell(Bound(cell))
}

fn text(text: &str) -> Value<'_> {
    cell(Cell::Text(text.into()))
}

impl<'a> Apply<'a> {
    /// Applies a set and commits it: all or nothing.
    pub(super) async fn run(&self, set: &'a WriteSet) -> Result<(), Fault> {
        let failed = match self.try_out(set).await? {
            // Only one by one tells which row was refused, and why.
            Err(failed) if failed.several && failed.fault.is_refusal() => {
                match self.carry_out(set, &self.work(set, false)?).await {
                    Ok(()) => return Ok(()),
                    Err(failed) => failed,
                }
            }
            Err(failed) => failed,
            Ok(()) => return Ok(()),
        };
        Err(self.told(failed.row, failed.fault).await)
    }

    /// As one statement where it can be one.
    async fn try_out(&self, set: &'a WriteSet) -> Result<Result<(), Failed<'a>>, Fault> {
        let work = self.work(set, true)?;
        let chain = (set.writes.len() == 1).then(|| self.chains.joined(self.plan, &work)).flatten();
        let Some(chain) = chain else { return Ok(self.carry_out(set, &work).await) };
        let steps: Vec<&Step<'a>> = work.iter().filter_map(Work::step).collect();
        let done = self.alone(&chain.text, &steps).await;
        Ok(done.map_err(|failed| Failed { several: true, ..failed }))
    }

    /// What a set does, in order; children of a new row by one statement, or one by one.
    fn work(&self, set: &'a WriteSet, together: bool) -> Result<Vec<Work<'a>>, CommitError> {
        let mut work =
            Vec::with_capacity(set.writes.len() + set.outbox.len() + set.audit.len() + 1);
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
                cell(plan::tenant(self.tenant)),
            ];
            let (text, nothing) = (system::KEEP_ANSWER.into(), Nothing::AnswerExists);
            work.push(Work::Step(Step { text, values, row, nothing, several: false }));
        }
        self.follow(set, &mut work);
        for (at, write) in set.writes.iter().enumerate() {
            self.write(at, write, together, &mut work)?;
        }
        for row in &set.outbox {
            work.push(Work::Step(self.publish(row)));
        }
        if let Some(told) = &set.told {
            let row = Row { write: 0, resource: ResourceId(0), record: None };
            let (text, values) = (hearing::TELL.into(), vec![text(told)]);
            work.push(Work::Step(Step {
                text,
                values,
                row,
                nothing: Nothing::Fine,
                several: false,
            }));
        }
        // The last: whoever holds the head of a chain waits for nothing but the disk.
        let entries = audit::in_order(&set.audit, self.tenant);
        work.extend(entries.into_iter().map(|entry| Work::Step(self.append(entry))));
        Ok(work)
    }

    /// The events that a set follows from.
    fn follow(&self, set: &'a WriteSet, work: &mut Vec<Work<'a>>) {
        let row = Row { write: 0, resource: ResourceId(0), record: None };
        let mut add = |asked: Asked<'a>, nothing| {
            let (text, values) = (asked.text.into(), asked.cells.into_iter().map(cell).collect());
            work.push(Work::Step(Step { text, values, row, nothing, several: false }));
        };
        if let Some(consumed) = &set.consumed {
            add(POSTGRESQL.consume(consumed, &set.tenant), Nothing::Consumed);
            add(POSTGRESQL.let_go(&consumed.consumer, consumed.event), Nothing::Fine);
        }
        let operated = set.operated.iter();
        let operated = operated.flat_map(|one| operations::POSTGRESQL.operate(one));
        for (at, asked) in operated.enumerate() {
            add(asked, if at == 0 { Nothing::Fenced } else { Nothing::Fine });
        }
        if let Some(projected) = &set.projected {
            add(POSTGRESQL.project(projected, &set.tenant), Nothing::Fenced);
        }
    }

    /// Every row of the tenant goes; its own rows go along by their keys.
    fn clear_all(&self, row: Row<'a>) -> Step<'a> {
        let table = self.plan.table(row.resource);
        let (of_one, values) = match &table.tenant {
            Some(tenant) => (format!(" WHERE {tenant} = $1"), vec![plan::tenant(self.tenant)]),
            None => (String::new(), Vec::new()),
        };
        let text = format!("DELETE FROM {}{of_one}", table.name);
        let text = match self.schema {
            Some(schema) => text.replace(TENANT, schema),
            None => text,
        };
        let (values, nothing) = (values.into_iter().map(cell).collect(), Nothing::Fine);
        Step { text: text.into(), values, row, nothing, several: false }
    }

    fn publish(&self, event: &'a OutboxRow) -> Step<'a> {
        let resource = event.about.name(&self.plan.domain);
        let values = vec![
            cell(plan::id(event.id)),
            cell(plan::tenant(self.tenant)),
            text(&event.event),
            cell(Cell::Text(resource.into())),
            cell(plan::id(event.row)),
            cell(Cell::Int(event.time)),
            text(&event.data),
            event.trace.as_deref().map_or(cell(Cell::Null), text),
            cell(Cell::Int(event.version.into())),
        ];
        let row = Row { write: 0, resource: ResourceId(0), record: None };
        Step { text: system::PUBLISH.into(), values, row, nothing: Nothing::Fine, several: false }
    }

    fn append<'e>(&self, entry: &'e Entry) -> Step<'e>
    where
        'a: 'e,
    {
        let values = vec![
            text(audit::chain_of(entry, self.tenant)),
            cell(plan::id(entry.id)),
            cell(Cell::Int(entry.time)),
            text(&entry.who),
            text(&entry.operation),
            text(&entry.resource),
            entry.row.map_or(cell(Cell::Null), |row| cell(plan::id(row))),
            text(&entry.body),
        ];
        let row = Row { write: 0, resource: ResourceId(0), record: None };
        let (text, nothing) = (audit::APPEND.into(), Nothing::Fine);
        Step { text, values, row, nothing, several: false }
    }

    fn write(
        &self,
        write: usize,
        change: &'a Write,
        together: bool,
        work: &mut Vec<Work<'a>>,
    ) -> Result<(), CommitError> {
        match change {
            Write::Insert { resource, record } => {
                self.insert(write, *resource, record, together, work)
            }
            Write::Update { resource, record, fields, expected, children } => {
                let context = Context { tenant: self.tenant, expected: *expected, ..none() };
                let update = self.plan.update(*resource, fields);
                let row = Row { write, resource: *resource, record: Some(record) };
                let conflict = Nothing::Conflict;
                self.put(&update.text, &update.slots, row, context, conflict, work)?;
                for (field, change) in children {
                    let child = self.child(*resource, *field)?;
                    self.change_children(write, record.id, child, change, work)?;
                }
                Ok(())
            }
            Write::Clear { resource } => {
                let row = Row { write, resource: *resource, record: None };
                work.push(Work::Step(self.clear_all(row)));
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
                work.push(Work::Step(Step { text, values, row, nothing, several: false }));
                Ok(())
            }
        }
    }

    fn insert(
        &self,
        write: usize,
        resource: ResourceId,
        record: &'a Record,
        together: bool,
        work: &mut Vec<Work<'a>>,
    ) -> Result<(), CommitError> {
        let context = Context { tenant: self.tenant, ..none() };
        let table = self.plan.table(resource);
        let row = Row { write, resource, record: Some(record) };
        self.put(&table.insert, &table.insert_slots, row, context, Nothing::Fine, work)?;
        for (field, children) in &record.children {
            let resource = self.child(resource, *field)?;
            let table = self.plan.table(resource);
            let looks = table.targets.iter().any(|target| target.looked_for);
            if together && table.overlaps.is_empty() && !looks {
                self.insert_children(write, resource, record.id, children, work)?;
                continue;
            }
            for (position, child) in children.iter().enumerate() {
                let context = Context { owner: record.id, position, ..context };
                let row = Row { write, resource, record: Some(child) };
                let (text, slots) = (&table.insert, &table.insert_slots);
                self.put(text, slots, row, context, Nothing::Fine, work)?;
            }
        }
        Ok(())
    }

    /// Children of a new row, several by one statement.
    fn insert_children(
        &self,
        write: usize,
        resource: ResourceId,
        owner: u128,
        children: &'a [Record],
        work: &mut Vec<Work<'a>>,
    ) -> Result<(), CommitError> {
        let table = self.plan.table(resource);
        let wrong = |_| CommitError::Unavailable(misshapen(&table.plain_name));
        for (at, rows) in children.chunks(INSERT_ROWS_MAX).enumerate() {
            let mut values = Vec::with_capacity(rows.len() * table.insert_slots.len());
            for (position, child) in rows.iter().enumerate() {
                let position = at * INSERT_ROWS_MAX + position;
                let context = Context { tenant: self.tenant, owner, position, ..none() };
                for slot in &table.insert_slots {
                    values.push(cell(table.cell(slot, child, &context).map_err(wrong)?));
                }
            }
            let row = Row { write, resource, record: rows.first() };
            let (text, several) = (self.plan.insert(resource, rows.len()), rows.len() > 1);
            let (text, nothing) = (self.text(text), Nothing::Fine);
            work.push(Work::Step(Step { text, values, row, nothing, several }));
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
        self.find_targets(row, record, slots, work);
        let looks = self.looks_for_overlaps || table.unmanaged;
        let overlaps = if looks { &table.overlaps[..] } else { &[] };
        if !overlaps.is_empty() {
            // Held to the end of the transaction: nobody else looks or writes meanwhile.
            let (schema, tenant) = (self.schema.unwrap_or(""), self.tenant.unwrap_or(""));
            let key = format!("{schema} {} {tenant}", table.plain_name);
            let values = vec![cell(Cell::Text(key.into()))];
            work.push(Work::Step(Step {
                text: LOCK.into(),
                values,
                row,
                nothing: Nothing::Fine,
                several: false,
            }));
        }
        work.push(Work::Step(Step { text: self.text(text), values, row, nothing, several: false }));
        for check in overlaps {
            let values = self.by_id(table, record.id).map(cell).collect();
            let nothing = Nothing::Wanted(check.overlap);
            work.push(Work::Step(Step {
                text: self.text(&check.other),
                values,
                row,
                nothing,
                several: false,
            }));
        }
        Ok(())
    }

    /// Rows that a row refers to where no key sees to it: looked for, and held to the end.
    fn find_targets(
        &self,
        row: Row<'a>,
        record: &'a Record,
        slots: &[Slot],
        work: &mut Vec<Work<'a>>,
    ) {
        let shared = |resource| self.plan.domain.resource(resource).shared;
        for target in self.plan.table(row.resource).targets.iter().filter(|one| one.looked_for) {
            let sets =
                |slot: &Slot| matches!(slot, Slot::Field(field, ..) if *field == target.field);
            // Those in another database are held there.
            let elsewhere = self.by_database && shared(target.resource) && !shared(row.resource);
            let ir::value::Value::Uuid(id) = record.value(target.field) else { continue };
            if elsewhere || !slots.iter().any(sets) {
                continue;
            }
            let values = self.by_id(self.plan.table(target.resource), *id).map(cell).collect();
            let text = format!("{} FOR KEY SHARE", self.text(&target.exists)).into();
            let nothing = Nothing::Unknown { field: target.field, id: *id };
            work.push(Work::Step(Step { text, values, row, nothing, several: false }));
        }
    }

    /// A row goes by one statement where the database's own rules say the same as ours.
    fn deletion(&self, row: Row<'a>, id: u128, by: Cell<'static>) -> Work<'a> {
        if !self.is_plain(row.resource) {
            return Work::Delete { row, id, by };
        }
        let table = self.plan.table(row.resource);
        let values = self.by_id(table, id).chain([by]).map(cell).collect();
        let (text, nothing) = (self.text(&table.delete), Nothing::Conflict);
        Work::Step(Step { text, values, row, nothing, several: false })
    }

    /// True where nothing but owned rows go along, and nobody refers to a row in two ways.
    fn is_plain(&self, resource: ResourceId) -> bool {
        let mut seen = BTreeSet::new();
        self.plan.table(resource).referers.iter().all(|referer| {
            let foreign = self.by_database && self.is_elsewhere(resource, referer);
            !foreign
                && !referer.looked_for
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

fn none<'a>() -> Context<'a> {
    Context::default()
}

/// Parameters of cells.
fn bound(cells: Vec<Cell<'_>>) -> Vec<Bound<'_>> {
    cells.into_iter().map(Bound).collect()
}

fn borrowed<'b>(values: &'b [Bound<'_>]) -> Vec<Parameter<'b>> {
    values.iter().map(|value| value as Parameter<'b>).collect()
}
