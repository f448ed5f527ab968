//! Events on their way into the rows of a view, in memory: what is read of a store before, and what
//! is written to it afterwards.

use super::event::EventScope;
use crate::engine::rows::Rows;
use crate::engine::scope::RowScope;
use crate::engine::settle::no_value;
use crate::engine::{Engine, Failure};
use crate::plan::Plan;
use crate::ports::events::Logged;
use crate::ports::store::{Bindings, Store, Tenant, Unavailable, Write};
use crate::problem::{Problem, kinds};
use crate::record::Record;
use ir::domain::{Domain, FieldId, ResourceId, View};
use ir::value::Value;
use kernel::expr::{Fault, evaluate};
use kernel::projection;
use kernel::window::{Span, Watermark};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Rows that are read by their ids at once.
const IDS_MAX: usize = 512;

/// The key of a row, by field.
pub(super) type Keys = Vec<(FieldId, Value)>;

/// A row as it was read, and as it is; none where there was none, or is none any more.
#[derive(Default)]
pub(super) struct Row {
    pub(super) old: Option<Record>,
    pub(super) new: Option<Record>,
}

/// The rows that events are folded into.
pub(super) struct Folded {
    /// By id.
    pub(super) rows: BTreeMap<u128, Row>,
    /// Sessions of each key, by their first moment: the end and the row.
    pub(super) sessions: BTreeMap<u128, BTreeMap<i64, (i64, u128)>>,
    /// Which windows are closed.
    pub(super) watermark: Watermark,
    /// Events that were left out of a window for that.
    pub(super) late: u64,
}

impl Folded {
    /// How many there are or were.
    pub(super) fn len(&self) -> usize {
        self.rows.len()
    }

    /// The rows as they are.
    pub(super) fn into_records(self) -> impl Iterator<Item = Record> {
        self.rows.into_values().filter_map(|row| row.new)
    }
}

/// An event on its way into a row.
pub(super) struct Step<'e> {
    /// Id of the row that its key has, where windows do not part it further.
    pub(super) row: u128,
    pub(super) key: Keys,
    scope: EventScope<'e>,
    pub(super) event: &'e Logged,
}

/// Rows of a view while events are folded into them.
pub(super) struct Folding<'e> {
    pub(super) engine: &'e Engine,
    pub(super) view: &'e View,
    pub(super) id: ResourceId,
    tenant: &'e Tenant,
    pub(super) bindings: Bindings,
    /// Events that could not be folded.
    pub(super) left_out: AtomicU64,
}

impl<'e> Folding<'e> {
    pub(super) fn new(engine: &'e Engine, view: usize, tenant: &'e Tenant) -> Self {
        let domain = &engine.plan.domain;
        let now = engine.shared.clock.now();
        let micros = (engine.plan.settings.request_seconds_max * 1e6) as i64;
        let bindings =
            Bindings { now, deadline: now.saturating_add(micros), ..Bindings::default() };
        let (view, id) = (&domain.views[view], domain.view_rows(view));
        Self { engine, view, id, tenant, bindings, left_out: AtomicU64::new(0) }
    }

    /// Whose rows.
    pub(super) fn tenant(&self) -> &'e Tenant {
        self.tenant
    }

    /// Where they are.
    pub(super) fn store(&self) -> &'e dyn Store {
        self.engine.store(self.id)
    }

    /// `ordering.SalesByDay`
    pub(super) fn view_name(&self) -> String {
        self.engine.plan.domain.full_name(self.id)
    }

    /// No rows, before the first event.
    pub(super) fn nothing(&self) -> Folded {
        let late = self.view.window.map_or(0, |window| window.late_micros);
        Folded {
            rows: BTreeMap::new(),
            sessions: BTreeMap::new(),
            watermark: Watermark::new(late, None),
            late: 0,
        }
    }

    /// The rows that events go into, as the store has them.
    pub(super) async fn read(&self, steps: &[Step<'_>]) -> Result<Folded, Unavailable> {
        if let Some(window) = &self.view.window {
            return self.read_windows(window, steps).await;
        }
        let mut rows = self.nothing();
        self.read_rows(&mut rows, steps.iter().map(|step| step.row).collect()).await?;
        Ok(rows)
    }

    /// Reads rows by their ids.
    pub(super) async fn read_rows(
        &self,
        rows: &mut Folded,
        mut ids: Vec<u128>,
    ) -> Result<(), Unavailable> {
        ids.sort_unstable();
        ids.dedup();
        for some in ids.chunks(IDS_MAX) {
            let read = self.store().get(self.tenant, self.id, some, &[], &self.bindings).await?;
            for row in read {
                rows.rows.insert(row.id, Row { old: Some(row.clone()), new: Some(row) });
            }
        }
        Ok(())
    }

    /// Where each event goes, those that can be folded.
    pub(super) fn steps<'s>(&'s self, events: impl Iterator<Item = &'s Logged>) -> Vec<Step<'s>> {
        let mut steps = Vec::new();
        for event in events {
            match self.step(&self.engine.plan, event) {
                Ok(step) => steps.push(step),
                Err(failure) => self.left_out(event, &failure),
            }
        }
        steps
    }

    /// Folds events into rows, in their order.
    pub(super) fn fold(&self, rows: &mut Folded, steps: Vec<Step<'_>>) {
        for step in &steps {
            match &self.view.window {
                None => {
                    self.fold_into(rows, step.row, step, None);
                }
                Some(window) => self.fold_windows(rows, window, step),
            }
        }
    }

    /// Folds an event into a row; true where it is in it then.
    pub(super) fn fold_into(
        &self,
        rows: &mut Folded,
        id: u128,
        step: &Step<'_>,
        window: Option<Span>,
    ) -> bool {
        let there = rows.rows.get(&id).and_then(|row| row.new.as_ref());
        match self.folded(there, step) {
            Ok(values) => {
                let blank = || self.blank(id, &step.key, window);
                let record = rows.rows.entry(id).or_default().new.get_or_insert_with(blank);
                for (field, value) in values {
                    record.values[field.index()] = value;
                }
                true
            }
            Err(fault) => {
                self.left_out(step.event, &no_value(fault, String::new()));
                false
            }
        }
    }

    /// The folds of a row after one more event.
    pub(super) fn folded(
        &self,
        row: Option<&Record>,
        step: &Step<'_>,
    ) -> Result<Vec<(FieldId, Value)>, Fault> {
        let kept = row.map(|row| move |field: FieldId| row.value(field).clone());
        let kept = kept.as_ref().map(|kept| kept as &dyn Fn(FieldId) -> Value);
        projection::fold_event(&self.view.folds, kept, &step.scope)
    }

    /// An event that can't be folded is left out, and told: it would hold up all that follow.
    pub(super) fn left_out(&self, event: &Logged, failure: &Failure) {
        let faults: Vec<String> =
            failure.errors.iter().map(|fault| format!("{}: {}", fault.at, fault.detail)).collect();
        let (view, position) = (&self.view.rows.name, event.position);
        let detail = faults.join("; ");
        tracing::error!(view, position, event = &*event.event, detail, "left out of the view");
        self.left_out.fetch_add(1, Ordering::Relaxed);
    }

    /// The row that an event goes into, its key, and what is folded of it.
    fn step<'p>(&self, plan: &'p Plan, event: &'p Logged) -> Result<Step<'p>, Failure> {
        let unknown = || crate::engine::problem(kinds::INTERNAL);
        let of = plan.consumers.event(&event.event).ok_or_else(unknown)?;
        let scope = EventScope::of(plan, of, event, event.time)?;
        let mut key = Vec::with_capacity(self.view.key.len());
        for (field, expr) in &self.view.key {
            let at = || format!("/{}", self.view.rows.field(*field).name);
            let value = evaluate(expr, &scope).map_err(|fault| no_value(fault, at()))?;
            let fitted = plan.resource(self.id).field(*field).shape.fit(value.into_owned());
            let wrong = |detail| Box::new(Problem::new(kinds::INVALID_VALUE).at(at(), detail));
            key.push((*field, fitted.map_err(|fault| wrong(fault.detail))?));
        }
        Ok(Step { row: row_id(&plan.domain, self.id, &key), key, scope, event })
    }

    /// A row that nothing is folded into yet.
    pub(super) fn blank(&self, id: u128, key: &Keys, window: Option<Span>) -> Record {
        let now = self.bindings.now;
        let mut values = vec![Value::Null; self.view.rows.fields.len()];
        for (field, value) in key {
            values[field.index()] = value.clone();
        }
        if let Some((of, span)) = self.view.window.zip(window) {
            values[of.start.index()] = Value::Timestamp(span.start);
            values[of.end.index()] = Value::Timestamp(span.end);
            values[of.closed.index()] = Value::Bool(false);
        }
        Record {
            id,
            version: 0,
            created_at: now,
            updated_at: now,
            values: values.into(),
            children: Vec::new(),
        }
    }

    /// The row with what is worked out from its folds.
    pub(super) fn worked_out(&self, mut row: Record) -> Record {
        let (plan, nothing) = (&self.engine.plan, Rows::default());
        for (field, expr) in &self.view.values {
            let scope = RowScope::new(plan, &self.bindings, &nothing, self.id, &row);
            let value = evaluate(expr, &scope).map(std::borrow::Cow::into_owned);
            let fitted = value
                .ok()
                .and_then(|value| plan.resource(self.id).field(*field).shape.fit(value).ok());
            row.values[field.index()] = fitted.unwrap_or_default();
        }
        row
    }

    /// What changes of the rows; those that go first, for another may have their key.
    pub(super) fn writes(&self, rows: Folded) -> Vec<Write> {
        let (mut gone, mut kept) = (Vec::new(), Vec::new());
        for Row { old, new } in rows.rows.into_values() {
            match (old, new) {
                (old, Some(new)) => kept.extend(self.write(old, new)),
                (Some(old), None) => {
                    let (resource, id, expected) = (self.id, old.id, old.version);
                    gone.push(Write::Delete { resource, id, expected });
                }
                (None, None) => {}
            }
        }
        gone.extend(kept);
        gone
    }

    /// The row as a change; none where it is as it was.
    pub(super) fn write(&self, old: Option<Record>, row: Record) -> Option<Write> {
        let mut row = self.worked_out(row);
        let resource = self.id;
        row.updated_at = self.bindings.now.max(row.updated_at);
        let Some(old) = old else {
            row.version = 1;
            return Some(Write::Insert { resource, record: Arc::new(row) });
        };
        (row.version, row.created_at) = (old.version + 1, old.created_at);
        let pairs = old.values.iter().zip(&row.values).enumerate();
        let changed = pairs.filter(|(_, (old, new))| old != new);
        let fields: Vec<FieldId> = changed.map(|(at, _)| FieldId::of(at)).collect();
        let (expected, record) = (old.version, Arc::new(row));
        let children = Vec::new();
        (!fields.is_empty()).then_some(Write::Update {
            resource,
            record,
            fields,
            expected,
            children,
        })
    }
}

/// The id of a view's row: made of its key (UUIDv8, RFC 9562), so that whoever folds makes the
/// same.
pub(super) fn row_id(domain: &Domain, view: ResourceId, key: &Keys) -> u128 {
    let mut text = domain.full_name(view).into_bytes();
    for (_, value) in key {
        text.push(0);
        crate::json::write::value(&mut text, value);
    }
    let digest = ring::digest::digest(&ring::digest::SHA256, &text);
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&digest.as_ref()[..16]);
    let id = u128::from_be_bytes(bytes);
    (id & !(0xf << 76) & !(3 << 62)) | 8 << 76 | 2 << 62
}
