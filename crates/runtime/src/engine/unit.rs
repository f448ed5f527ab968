//! A unit of work: what one call reads and changes, before anything is committed.

use super::change::Verb;
use super::represent;
use super::rows::Rows;
use super::settle::Place;
use super::{Engine, Failure};
use crate::plan::resource::{EventPlan, Reference};
use crate::ports::audit::Entry;
use crate::ports::store::{About, ChildChange, OutboxRow, StoredAnswer, Write, WriteSet};
use crate::record::Record;
use crate::request::Call;
use crate::telemetry::trace::TraceContext;
use ir::domain::{Change, FieldId, Grant, ResourceId};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Mutex, MutexGuard};

/// Reads through the rows it has changed itself, so a batch sees its own work.
pub(crate) struct Unit<'e> {
    /// Plan and stores.
    pub(crate) engine: &'e Engine,
    /// Who calls.
    pub(crate) call: &'e Call,
    /// Rows as this call sees them.
    pub(crate) rows: Rows,
    /// What each operation of a batch made.
    pub(crate) made: Vec<Option<u128>>,
    /// Where each write came from.
    pub(crate) marks: Vec<Mark>,
    pub(super) writes: Vec<Write>,
    outbox: Vec<OutboxRow>,
    /// What the audit trail says of the writes.
    pub(super) audit: Vec<Entry>,
    /// What is being done.
    pub(super) doing: Verb,
    /// The rule that allowed it.
    pub(super) why: Option<&'e Grant>,
}

/// Where a write came from, for the problem where the store refuses it.
#[derive(Debug)]
pub(crate) struct Mark {
    /// Index of the operation.
    pub(crate) operation: usize,
    /// The client said which version it meant.
    pub(crate) conditional: bool,
    /// Of which root.
    pub(crate) resource: ResourceId,
    /// Which row.
    pub(crate) id: u128,
    /// References inside the context: child resource or root, field, id, place of the row.
    pub(crate) references: Vec<(ResourceId, FieldId, u128, Place)>,
}

impl<'e> Unit<'e> {
    /// Nothing read, nothing changed.
    pub(crate) fn new(engine: &'e Engine, call: &'e Call) -> Self {
        Self {
            engine,
            call,
            rows: Rows::default(),
            made: Vec::new(),
            marks: Vec::new(),
            writes: Vec::new(),
            outbox: Vec::new(),
            audit: Vec::new(),
            doing: Verb::Create,
            why: None,
        }
    }

    /// A new row.
    pub(crate) fn insert(&mut self, resource: ResourceId, record: Record) {
        self.mark(resource, &record, false);
        self.publish(resource, Change::Created, &record);
        self.trace(resource, record.id, None, Some(&record));
        let record = Arc::new(record);
        self.rows.put(resource, record.id, Some(Arc::clone(&record)));
        self.writes.push(Write::Insert { resource, record });
    }

    /// A row that changes; `record` has the next version already.
    pub(crate) fn update(
        &mut self,
        resource: ResourceId,
        old: &Record,
        record: Record,
        conditional: bool,
    ) {
        self.mark(resource, &record, conditional);
        self.trace(resource, record.id, Some(old), Some(&record));
        let mut children = Vec::new();
        for (field, rows) in &record.children {
            let there = old.children_of(*field);
            if there == rows.as_slice() {
                continue;
            }
            let gone = there.iter().filter(|old| rows.iter().all(|row| row.id != old.id));
            let removed = gone.map(|old| old.id).collect();
            children.push((*field, ChildChange { removed, put: rows.clone() }));
        }
        let record = Arc::new(record);
        self.rows.put(resource, record.id, Some(Arc::clone(&record)));
        let pairs = old.values.iter().zip(&record.values).enumerate();
        let fields = pairs.filter(|(_, (old, new))| old != new).map(|(at, _)| FieldId::of(at));
        let (fields, expected) = (fields.collect(), old.version);
        self.writes.push(Write::Update { resource, record, fields, expected, children });
    }

    /// A row that goes.
    pub(crate) fn delete(&mut self, resource: ResourceId, old: &Record, conditional: bool) {
        self.mark(resource, old, conditional);
        self.publish(resource, Change::Deleted, old);
        self.trace(resource, old.id, Some(old), None);
        self.rows.put(resource, old.id, None);
        self.writes.push(Write::Delete { resource, id: old.id, expected: old.version });
    }

    /// Publishes the events that a plain write of the resource causes.
    pub(crate) fn publish(&mut self, resource: ResourceId, change: Change, record: &Record) {
        let engine = self.engine;
        for (of, event) in &engine.plan.resource(resource).emits {
            if *of == change {
                self.emit(resource, event, record);
            }
        }
    }

    /// Publishes an event about a row.
    pub(crate) fn emit(&mut self, resource: ResourceId, event: &EventPlan, record: &Record) {
        let now = self.call.bindings.now;
        self.outbox.push(OutboxRow {
            id: self.engine.shared.ids.next(now),
            event: event.name.clone(),
            version: event.version,
            about: About::Row(resource),
            row: record.id,
            time: now,
            data: represent::event(&self.engine.plan, event, resource, record),
            trace: self.call.trace.as_ref().map(TraceContext::traceparent),
        });
    }

    fn mark(&mut self, resource: ResourceId, record: &Record, conditional: bool) {
        let plan = &self.engine.plan;
        let mut references = Vec::new();
        let mut note = |of: ResourceId, row: &Record, place: Place| {
            for Reference { field, crosses, .. } in &plan.resource(of).references {
                if let (false, Some(to)) = (*crosses, row.value(*field).as_uuid()) {
                    references.push((of, *field, to, place));
                }
            }
        };
        note(resource, record, None);
        for child in &plan.resource(resource).children {
            for (at, row) in record.children_of(child.field).iter().enumerate() {
                note(child.target, row, Some((child.field, at)));
            }
        }
        let operation = self.made.len();
        self.marks.push(Mark { operation, conditional, resource, id: record.id, references });
    }

    /// The changes as data, with the answer to keep for the idempotency key.
    pub(crate) fn into_set(self, answer: Option<StoredAnswer>) -> (WriteSet, Vec<Mark>) {
        let set = WriteSet {
            tenant: self.call.tenant.clone(),
            writes: self.writes,
            answer,
            outbox: self.outbox,
            audit: self.audit,
            consumed: self.call.effect_of.clone(),
            projected: None,
            operated: None,
            told: None,
        };
        (set, self.marks)
    }

    /// True where nothing is to be committed.
    pub(crate) fn is_idle(&self) -> bool {
        self.writes.is_empty() && self.outbox.is_empty()
    }

    /// The service whose store commits; none where nothing has been changed.
    pub(crate) fn service(&self) -> Option<usize> {
        self.marks.first().map(|mark| self.engine.plan.service(mark.resource))
    }
}

/// Turns on rows that several calls want to change at once. After a first conflict a call waits
/// for its turn, so that many writers of one row go one after the other instead of undoing each
/// other's work.
pub(crate) struct Turns {
    stripes: [Mutex<()>; STRIPES],
}

/// Locks that all rows share.
const STRIPES: usize = 64;

impl Default for Turns {
    fn default() -> Self {
        Self { stripes: std::array::from_fn(|_| Mutex::new(())) }
    }
}

impl Turns {
    /// Waits for the turn on a row; none where the time is up.
    pub(crate) async fn wait(&self, id: u128, most: Duration) -> Option<MutexGuard<'_, ()>> {
        // The random end of the id.
        let stripe = usize::try_from(id % STRIPES as u128).unwrap_or(0);
        tokio::time::timeout(most, self.stripes[stripe].lock()).await.ok()
    }
}

impl Unit<'_> {
    /// What is left of the call's time.
    pub(crate) fn time_left(&self) -> Result<Duration, Failure> {
        let left = self.call.bindings.deadline - self.engine.shared.clock.now();
        match u64::try_from(left) {
            Ok(left) if left > 0 => Ok(Duration::from_micros(left)),
            _ => Err(super::problem(crate::problem::kinds::DEADLINE_EXCEEDED)),
        }
    }
}
