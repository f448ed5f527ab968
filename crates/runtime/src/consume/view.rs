//! A view kept up to date: events folded into rows, tenant by tenant, each set of rows committed
//! with the position up to which that tenant's events are in it. So an event is folded once,
//! whatever dies, and who reads a view waits for a position.

use super::Job;
use super::event::EventScope;
use super::part::{READ_BYTES_MAX, STORE_PAUSE, give_back};
use super::turn::Turn;
use crate::engine::backend::Live;
use crate::engine::rows::Rows;
use crate::engine::scope::RowScope;
use crate::engine::settle::no_value;
use crate::engine::{Engine, Failure};
use crate::plan::Plan;
use crate::ports::events::{Claim, Logged, Projected, Refused, Settled, Span};
use crate::ports::store::{Bindings, CommitError, Tenant, Unavailable, Write, WriteSet};
use crate::problem::{Problem, kinds};
use crate::record::Record;
use ir::domain::{Domain, FieldId, ResourceId, View};
use ir::value::Value;
use kernel::expr::evaluate;
use kernel::projection::{self, Action, Input};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::time::Instant;

/// Events that are folded at once.
pub(super) const FOLDED_MAX: u32 = 512;
/// How far a view is, is kept so often while it moves.
const SETTLE_EVERY: Duration = Duration::from_millis(200);
/// How often the same events are folded again because others wrote the view meanwhile.
const ATTEMPTS_MAX: u32 = 10;

/// The work on one view over one log.
pub(super) struct Projection {
    turn: Turn,
    job: Job,
}

/// Why a step was not made.
enum Stop {
    /// Another plan is served, or the claim is over.
    Over,
    /// The store can't: again in a moment.
    Pause(Unavailable),
}

impl From<Unavailable> for Stop {
    fn from(why: Unavailable) -> Self {
        Self::Pause(why)
    }
}

impl Projection {
    pub(super) fn new(turn: Turn, job: Job) -> Self {
        Self { turn, job }
    }

    /// Claims the view and folds into it, until another plan is served.
    pub(super) async fn run(self) {
        loop {
            let pause = match self.work().await {
                Ok(()) | Err(Stop::Over) => Duration::ZERO,
                Err(Stop::Pause(why)) => {
                    crate::engine::outage::log(&why);
                    STORE_PAUSE
                }
            };
            if self.turn.live().await.is_none() {
                return;
            }
            tokio::select! {
                () = tokio::time::sleep(pause.max(STORE_PAUSE)) => {}
                () = self.turn.ended() => return,
            }
        }
    }

    async fn work(&self) -> Result<(), Stop> {
        let (mut claim, mut appended) = self.claim().await?;
        let mut position = claim.position;
        let mut settled = Instant::now();
        loop {
            loop {
                let live = self.turn.live().await.ok_or(Stop::Over)?;
                let (end, more) = self.step(&live, position).await?;
                if end > position {
                    position = end;
                    live.engine.shared.folded(&self.job.part, position);
                }
                if !more || settled.elapsed() >= self.turn.lease.renewed() {
                    break;
                }
            }
            // The rows say themselves how far they are: that the part is as far can wait.
            let wait = match position > claim.position {
                true => SETTLE_EVERY,
                false => self.turn.lease.renewed(),
            };
            tokio::select! {
                changed = appended.changed() => {
                    if changed.is_err() {
                        return Err(Stop::Over);
                    }
                    if settled.elapsed() < wait {
                        continue;
                    }
                }
                () = tokio::time::sleep_until(settled + wait) => {}
                () = self.turn.ended() => {
                    give_back(&self.turn, &self.job, &claim, position).await;
                    return Err(Stop::Over);
                }
            }
            let live = self.turn.live().await.ok_or(Stop::Over)?;
            self.settle(&live, &claim, position).await?;
            (claim.position, settled) = (position, Instant::now());
        }
    }

    async fn claim(&self) -> Result<(Claim, tokio::sync::watch::Receiver<u64>), Stop> {
        loop {
            let live = self.turn.live().await.ok_or(Stop::Over)?;
            let stores = live.engine.stores();
            let state = stores[self.job.state].eventing().ok_or(Stop::Over)?;
            let log = stores[self.job.source].eventing().ok_or(Stop::Over)?;
            let (now, appended) = (self.turn.now(), log.appended());
            let span = Span { now, until: self.turn.lease.until(now), from: 0 };
            let job = &self.job;
            match state.claim(&job.place, &job.part, &self.turn.owner, span).await {
                Ok(claim) => return Ok((claim, appended)),
                Err(Refused::Unavailable(why)) => return Err(Stop::Pause(why)),
                Err(Refused::Taken { until }) => {
                    drop(live);
                    let left = u64::try_from(until.saturating_sub(now)).unwrap_or(0);
                    let pause =
                        Duration::from_micros(left).clamp(STORE_PAUSE, self.turn.lease.renewed());
                    tokio::select! {
                        () = tokio::time::sleep(pause) => {}
                        () = self.turn.ended() => return Err(Stop::Over),
                    }
                }
            }
        }
    }

    async fn settle(&self, live: &Live, claim: &Claim, position: i64) -> Result<(), Stop> {
        let state = live.engine.stores()[self.job.state].eventing().ok_or(Stop::Over)?;
        let until = self.turn.lease.until(self.turn.now());
        let settled = Settled { held: Vec::new(), position, until };
        match state.settle(&self.job.place, claim, &settled).await? {
            true => Ok(()),
            false => Err(Stop::Over),
        }
    }

    /// Reads some events and folds them; how far it is then, and whether there may be more.
    async fn step(&self, live: &Live, position: i64) -> Result<(i64, bool), Stop> {
        let engine = &live.engine;
        let log = engine.stores()[self.job.source].eventing().ok_or(Stop::Over)?;
        let read = log.after(&self.job.place, position, FOLDED_MAX, READ_BYTES_MAX).await?;
        let Some(end) = read.last().map(|event| event.position) else {
            return Ok((position, false));
        };
        let consumer = &engine.plan.consumers.views[self.job.consumer];
        let mut by_tenant: BTreeMap<Tenant, Vec<Logged>> = BTreeMap::new();
        for event in read {
            let known = engine.plan.domain.event_named(&event.event).map(|(id, _)| id);
            let hears = known.is_some_and(|id| consumer.reaction(id).is_some());
            if hears && engine.plan.service_of_resource(&event.resource) == Some(self.job.source) {
                by_tenant.entry(event.tenant.clone()).or_default().push(event);
            }
        }
        for (tenant, events) in by_tenant {
            self.fold(engine, &tenant, &events).await?;
        }
        Ok((end, true))
    }

    /// Folds events of a tenant and commits the rows with the position.
    async fn fold(&self, engine: &Engine, tenant: &Tenant, events: &[Logged]) -> Result<(), Stop> {
        let store = &engine.stores()[self.job.state];
        let state = store.eventing().ok_or(Stop::Over)?;
        let (part, view) = (&self.job.part, self.job.consumer);
        let (mut machine, first) = projection::Projection::begin();
        let mut action = Some(first);
        let mut given = false;
        for _ in 0..ATTEMPTS_MAX {
            let input = match action {
                None if given => return Ok(()),
                None => {
                    given = true;
                    let positions = events.iter().map(|event| event.position).collect();
                    Input::Events { positions }
                }
                Some(Action::ReadCheckpoint) => {
                    let reached = state.reached(tenant, &part.consumer, &part.source).await?;
                    Input::Reached { position: reached }
                }
                Some(Action::Fold { positions, expected, position }) => {
                    let folding = Folding::new(engine, view, tenant);
                    let new = events.iter().filter(|event| positions.contains(&event.position));
                    let set = WriteSet {
                        tenant: tenant.clone(),
                        writes: folding.writes(new).await?,
                        projected: Some(Projected {
                            consumer: Arc::clone(&part.consumer),
                            source: Arc::clone(&part.source),
                            expected,
                            position,
                        }),
                        ..WriteSet::default()
                    };
                    committed(&part.consumer, store.commit(set, &folding.bindings).await)?
                }
                Some(Action::Folded { .. } | Action::Clear { .. } | Action::Replay) => {
                    return Ok(());
                }
            };
            action = machine.step(input);
        }
        Err(Stop::Pause(Unavailable::Busy))
    }
}

/// What a commit of rows of a view came to.
fn committed(view: &str, done: Result<(), CommitError>) -> Result<Input, Stop> {
    match done {
        Ok(()) => Ok(Input::Committed),
        Err(CommitError::Unavailable(why)) => Err(Stop::Pause(why)),
        // Somebody else folded meanwhile: what is there then is looked at.
        Err(CommitError::Fenced | CommitError::Conflict { .. }) => Ok(Input::Refused),
        Err(other) => {
            let why = format!("a row of `{view}` is refused: {other:?}");
            Err(Stop::Pause(Unavailable::Broken(why)))
        }
    }
}

/// The key of a row, by field.
type Keys = Vec<(FieldId, Value)>;

/// Rows by id: as they were read, and as they are.
pub(super) type Folded = BTreeMap<u128, (Option<Record>, Record)>;

/// An event on its way into a row.
pub(super) struct Step<'e> {
    /// Id of the row.
    row: u128,
    key: Keys,
    scope: EventScope<'e>,
    event: &'e Logged,
}

/// Rows of a view while events are folded into them.
pub(super) struct Folding<'e> {
    engine: &'e Engine,
    view: &'e View,
    id: ResourceId,
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

    /// What changes of the rows.
    async fn writes<'s>(
        &'s self,
        events: impl Iterator<Item = &'s Logged>,
    ) -> Result<Vec<Write>, Stop> {
        let steps = self.steps(events);
        let mut ids: Vec<u128> = steps.iter().map(|step| step.row).collect();
        ids.sort_unstable();
        ids.dedup();
        let store = self.engine.store(self.id);
        let read = store.get(self.tenant, self.id, &ids, &[], &self.bindings).await?;
        let mut rows: Folded =
            read.into_iter().map(|row| (row.id, (Some(row.clone()), row))).collect();
        self.fold(&mut rows, steps);
        Ok(rows.into_values().map(|(old, row)| self.write(old, row)).collect())
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
        for Step { row: id, key, scope, event } in steps {
            let there = rows.get(&id).map(|(_, row)| row);
            let kept = there.map(|row| move |field: FieldId| row.value(field).clone());
            let kept = kept.as_ref().map(|kept| kept as &dyn Fn(FieldId) -> Value);
            match projection::fold_event(&self.view.folds, kept, &scope) {
                Ok(values) => {
                    let (_, row) = rows.entry(id).or_insert_with(|| (None, self.blank(id, &key)));
                    for (field, value) in values {
                        row.values[field.index()] = value;
                    }
                }
                Err(fault) => self.left_out(event, &no_value(fault, String::new())),
            }
        }
    }

    /// An event that can't be folded is left out, and told: it would hold up all that follow.
    fn left_out(&self, event: &Logged, failure: &Failure) {
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
        let (of, _) = plan.domain.event_named(&event.event).ok_or_else(unknown)?;
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

    fn blank(&self, id: u128, key: &Keys) -> Record {
        let now = self.bindings.now;
        let mut values = vec![Value::Null; self.view.rows.fields.len()];
        for (field, value) in key {
            values[field.index()] = value.clone();
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

    /// The row as a change.
    fn write(&self, old: Option<Record>, row: Record) -> Write {
        let mut row = self.worked_out(row);
        row.version += 1;
        row.updated_at = self.bindings.now.max(row.updated_at);
        let (resource, record) = (self.id, Arc::new(row));
        match old {
            None => Write::Insert { resource, record },
            Some(old) => {
                let pairs = old.values.iter().zip(&record.values).enumerate();
                let changed = pairs.filter(|(_, (old, new))| old != new);
                let fields = changed.map(|(at, _)| FieldId::of(at)).collect();
                let expected = old.version;
                Write::Update { resource, record, fields, expected, children: Vec::new() }
            }
        }
    }
}

/// The id of a view's row: made of its key (UUIDv8, RFC 9562), so that whoever folds makes the
/// same.
fn row_id(domain: &Domain, view: ResourceId, key: &Keys) -> u128 {
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
