//! One set of changes inside the writer's transaction, and what a refused statement means.

use super::error::{misshapen, unavailable};
use super::layout::{File, Layout};
use super::link::{Link, bind};
use super::{audit, events, operations, system};
use crate::adapters::sql::plan::{self, Context, Plan, Slot, TablePlan};
use crate::adapters::sql::shape::Cell;
use crate::ports::audit::Along;
use crate::ports::store::{ChildChange, CommitError, Unavailable, Write, WriteSet};
use crate::record::Record;
use ir::domain::{FieldId, ResourceId};
use rusqlite::{Error, ErrorCode};
use std::cell::RefCell;

mod deletion;
mod refusal;

/// What a set is applied with.
pub(super) struct Apply<'a> {
    pub(super) link: &'a Link,
    pub(super) layout: &'a Layout,
    pub(super) file: &'a File,
    pub(super) tenant: Option<&'a str>,
    pub(super) now: i64,
    /// The trail wants to know what else goes or changes.
    audited: bool,
    /// What did, by change.
    along: RefCell<Vec<(usize, Along)>>,
}

/// A row that is being written.
#[derive(Clone, Copy)]
struct Row<'a> {
    /// Index of the change.
    write: usize,
    resource: ResourceId,
    record: &'a Record,
    context: Context<'a>,
}

/// Applies all changes of a set in order.
pub(super) fn apply(
    link: &Link,
    layout: &Layout,
    file: &File,
    set: &WriteSet,
    now: i64,
) -> Result<(), CommitError> {
    let (tenant, along) = (set.tenant.as_deref(), RefCell::default());
    let audited = !set.audit.is_empty();
    let apply = Apply { link, layout, file, tenant, now, audited, along };
    if let Some(answer) = &set.answer
        && !system::keep_answer(link, answer, apply.tenant, now).map_err(|error| broken(&error))?
    {
        return Err(CommitError::AnswerExists);
    }
    events::follow(link, set)?;
    operations::operate(link, set)?;
    for (at, write) in set.writes.iter().enumerate() {
        apply.write(at, write)?;
    }
    for row in &set.outbox {
        let resource = row.about.name(&apply.plan().domain);
        system::publish(link, row, apply.tenant, &resource).map_err(|error| broken(&error))?;
    }
    let along = apply.along.take();
    for entry in &set.audit {
        audit::append(link, apply.tenant, entry).map_err(|error| broken(&error))?;
        let of = along.iter().filter(|(write, _)| entry.write == Some(*write));
        for (at, (_, along)) in of.enumerate() {
            let entry = entry.along(at, along);
            audit::append(link, apply.tenant, &entry).map_err(|error| broken(&error))?;
        }
    }
    Ok(())
}

fn broken(error: &Error) -> CommitError {
    CommitError::Unavailable(unavailable(error))
}

impl Apply<'_> {
    fn plan(&self) -> &Plan {
        &self.layout.plan
    }

    fn write(&self, write: usize, change: &Write) -> Result<(), CommitError> {
        let resource = change.resource();
        if !self.layout.holds(self.file, resource) {
            let what = "a set of changes reaches into the files of two tenants";
            return Err(CommitError::Unavailable(Unavailable::Broken(what.to_owned())));
        }
        match change {
            Write::Insert { record, .. } => self.insert(write, resource, record),
            Write::Update { record, fields, expected, children, .. } => {
                let context =
                    Context { tenant: self.tenant, expected: *expected, ..Context::default() };
                let row = Row { write, resource, record, context };
                self.update(&row, fields, children)
            }
            Write::Delete { id, expected, .. } => self.delete(write, resource, *id, *expected),
            Write::Count { id, field, by, .. } => self.count(resource, *id, *field, *by),
            Write::Clear { .. } => self.clear_all(write, resource),
        }
    }

    fn insert(
        &self,
        write: usize,
        resource: ResourceId,
        record: &Record,
    ) -> Result<(), CommitError> {
        let context = Context { tenant: self.tenant, ..Context::default() };
        let row = Row { write, resource, record, context };
        let table = self.plan().table(resource);
        self.put(&row, &table.insert, &table.insert_slots)?;
        for (field, children) in &record.children {
            for (position, child) in children.iter().enumerate() {
                let context = Context { owner: record.id, position, ..context };
                let resource = self.child(resource, *field)?;
                let table = self.plan().table(resource);
                let row = Row { write, resource, record: child, context };
                self.put(&row, &table.insert, &table.insert_slots)?;
            }
        }
        Ok(())
    }

    fn update(
        &self,
        row: &Row<'_>,
        fields: &[FieldId],
        children: &[(FieldId, ChildChange)],
    ) -> Result<(), CommitError> {
        let Row { write, resource, .. } = *row;
        let update = self.plan().update(resource, fields);
        if self.put(row, &update.text, &update.slots)? == 0 {
            return Err(CommitError::Conflict { write });
        }
        for (field, change) in children {
            let resource = self.child(resource, *field)?;
            self.change_children(row, resource, change)?;
        }
        Ok(())
    }

    fn change_children(
        &self,
        owner: &Row<'_>,
        resource: ResourceId,
        change: &ChildChange,
    ) -> Result<(), CommitError> {
        let write = owner.write;
        for id in &change.removed {
            if !self.delete_child(write, resource, *id, owner.record.id)? {
                return Err(CommitError::Conflict { write });
            }
        }
        let table = self.plan().table(resource);
        let upsert = table.upsert.as_deref().unwrap_or(&table.insert);
        for (position, child) in change.put.iter().enumerate() {
            let context = Context { owner: owner.record.id, position, ..owner.context };
            let row = Row { write, resource, record: child, context };
            // The id is another owner's child by now.
            if self.put(&row, upsert, &table.insert_slots)? == 0 {
                return Err(CommitError::Conflict { write });
            }
        }
        Ok(())
    }

    fn child(&self, resource: ResourceId, field: FieldId) -> Result<ResourceId, CommitError> {
        self.plan().child(resource, field).ok_or_else(|| {
            let what = format!("`{}` has no such children", self.plan().domain.full_name(resource));
            CommitError::Unavailable(Unavailable::Broken(what))
        })
    }

    /// Runs a statement for a row; the number of rows it changed.
    fn put(&self, row: &Row<'_>, text: &str, slots: &[Slot]) -> Result<usize, CommitError> {
        let table = self.plan().table(row.resource);
        self.check_unkeyed(row, slots)?;
        let changed =
            self.run(table, text, slots, row)?.map_err(|error| self.refusal(row, &error))?;
        if changed > 0 {
            self.check_overlaps(row)?;
        }
        Ok(changed)
    }

    fn run(
        &self,
        table: &TablePlan,
        text: &str,
        slots: &[Slot],
        row: &Row<'_>,
    ) -> Result<rusqlite::Result<usize>, CommitError> {
        let mut statement = self.link.statement(text).map_err(|error| broken(&error))?;
        for (at, slot) in slots.iter().enumerate() {
            let cell = table
                .cell(slot, row.record, &row.context)
                .map_err(|_| CommitError::Unavailable(misshapen(&table.plain_name)))?;
            statement.raw_bind_parameter(at + 1, cell).map_err(|error| broken(&error))?;
        }
        Ok(statement.raw_execute())
    }

    fn probe(&self, text: &str, slots: &[Slot], row: &Row<'_>) -> Result<bool, CommitError> {
        let table = self.plan().table(row.resource);
        let mut cells = Vec::with_capacity(slots.len());
        for slot in slots {
            let cell = table.cell(slot, row.record, &row.context);
            cells.push(cell.map_err(|_| CommitError::Unavailable(misshapen(&table.plain_name)))?);
        }
        self.link.exists(text, cells).map_err(|error| broken(&error))
    }

    fn check_overlaps(&self, row: &Row<'_>) -> Result<(), CommitError> {
        for check in &self.plan().table(row.resource).overlaps {
            if self.probe(&check.other, &check.slots, row)? {
                let (write, resource) = (row.write, row.resource);
                return Err(CommitError::Overlap { write, resource, overlap: check.overlap });
            }
        }
        Ok(())
    }

    /// No foreign key reaches from a tenant's file into the shared one, or from and to tables of
    /// somebody else: the writer looks at references that it sets.
    fn check_unkeyed(&self, row: &Row<'_>, slots: &[Slot]) -> Result<(), CommitError> {
        let parted = matches!(self.file, File::Tenant(_));
        for target in &self.plan().table(row.resource).targets {
            let sets =
                |slot: &Slot| matches!(slot, Slot::Field(field, ..) if *field == target.field);
            let elsewhere = parted && !self.layout.holds(self.file, target.resource);
            if elsewhere || (target.looked_for && slots.iter().any(sets)) {
                self.check_target(row, target)?;
            }
        }
        Ok(())
    }

    fn count(
        &self,
        resource: ResourceId,
        id: u128,
        field: FieldId,
        by: i64,
    ) -> Result<(), CommitError> {
        let table = self.plan().table(resource);
        let Some((_, text)) = table.count.iter().find(|(counter, _)| *counter == field) else {
            return Ok(());
        };
        let cells = [Some(Cell::Int(by)), self.tenant_cell(table), Some(plan::id(id))];
        let done = self.link.execute(text, cells.into_iter().flatten());
        done.map(|_| ()).map_err(|error| broken(&error))
    }

    fn tenant_cell(&self, table: &TablePlan) -> Option<Cell<'_>> {
        table.tenant.as_ref().map(|_| plan::tenant(self.tenant))
    }

    /// Cells for a text that takes the tenant (where the table has one) and an id.
    fn by_id(&self, table: &TablePlan, id: u128) -> impl Iterator<Item = Cell<'_>> {
        self.tenant_cell(table).into_iter().chain([plan::id(id)])
    }
}

/// True where a constraint of the table refused a statement.
fn is_constraint(error: &Error) -> bool {
    error.sqlite_error_code() == Some(ErrorCode::ConstraintViolation)
}

/// Binds and runs a text for its effect.
fn run(link: &Link, text: &str, cells: Vec<Cell<'_>>) -> Result<usize, CommitError> {
    let mut statement = link.statement(text).map_err(|error| broken(&error))?;
    bind(&mut statement, cells).map_err(|error| broken(&error))?;
    statement.raw_execute().map_err(|error| broken(&error))
}
