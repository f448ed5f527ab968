//! Recurring work: at its due times a schedule takes the rows that its condition names, tenant by
//! tenant, and calls its command on each, as `system`. One process runs it at a time, by a claim
//! whose position is the time up to which it has been dealt with.
//!
//! What becomes of runs that were missed, and of those that are due while one goes on, the model
//! says and the kernel's machine decides. A run that dies is begun again: each command is atomic,
//! and a row that it has changed meets the condition or the command's own guard. A process that
//! ends gives its claim back, so that another goes on at once.

use super::event::object;
use super::part::STORE_PAUSE;
use super::turn::Turn;
use crate::engine::backend::Live;
use crate::engine::change::{Body, Preconditions, Row, Verb, Write};
use crate::engine::scope::RowScope;
use crate::engine::unit::Unit;
use crate::engine::{Engine, Failure, not_found};
use crate::ports::events::{Claim, Part, Refused, Settled, Span};
use crate::ports::store::{Bindings, ListQuery, Tenant, Unavailable};
use crate::problem::kinds;
use crate::record::Record;
use crate::request::Call;
use crate::telemetry::trace::TraceContext;
use ir::domain::Schedule;
use ir::expr::{FieldRef, Implicit};
use ir::value::Value;
use kernel::expr::evaluate;
use kernel::schedule::{Due, Next, Recurrence};
use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

/// Rows that are read at once.
const ROWS_MAX: u32 = 100;
/// Who vouches for what schedules do.
const ISSUER: &str = "mainstay:schedule";

/// The work on one schedule.
pub(super) struct Recurring {
    turn: Turn,
    /// Index of the schedule in the domain.
    at: usize,
}

/// What a run came to.
#[derive(Debug, Default)]
struct Ran {
    done: u64,
    /// Rows that were others by then.
    left: u64,
    failed: u64,
}

/// Why the work ends.
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

/// What the work of a schedule is kept under.
fn part(schedule: &Schedule) -> Part {
    let consumer = format!("schedule {}", schedule.name).into();
    Part { consumer, source: Arc::from("clock"), number: 0 }
}

impl Recurring {
    pub(super) fn new(turn: Turn, at: usize) -> Self {
        Self { turn, at }
    }

    /// Runs whenever it is due, until another plan is served.
    pub(super) async fn run(self) {
        while self.turn.live().await.is_some() {
            let worked = match self.claim().await {
                Ok(mut claim) => {
                    let worked = self.work(&mut claim).await;
                    self.give_back(&claim).await;
                    worked
                }
                Err(stop) => Err(stop),
            };
            match worked {
                Ok(()) | Err(Stop::Over) => {}
                Err(Stop::Pause(why)) => crate::engine::outage::log(&why),
            }
            tokio::select! {
                () = tokio::time::sleep(STORE_PAUSE) => {}
                () = self.turn.ended() => return,
            }
        }
    }

    async fn work(&self, claim: &mut Claim) -> Result<(), Stop> {
        let (due, mut runs) = {
            let live = self.turn.live().await.ok_or(Stop::Over)?;
            let schedule = &live.engine.plan.domain.schedules[self.at];
            // A checked model has times that can be read.
            let due = Due::new(&schedule.times).map_err(|_| Stop::Over)?;
            let policy = (schedule.overlap, schedule.catch_up);
            (due, Recurrence::claimed(claim.position, policy))
        };
        loop {
            let wait = match runs.next(&due, self.turn.now()) {
                Next::Run { due: at } => {
                    self.one(claim, at).await?;
                    runs.ended(&due, self.turn.now());
                    Duration::ZERO
                }
                Next::Wait { until } => {
                    let left = until.map_or(i64::MAX, |at| at.saturating_sub(self.turn.now()));
                    Duration::from_micros(u64::try_from(left).unwrap_or(0))
                }
            };
            claim.position = runs.position();
            self.keep(claim).await?;
            tokio::select! {
                () = tokio::time::sleep(wait.min(self.turn.lease.renewed())) => {}
                () = self.turn.ended() => return Err(Stop::Over),
            }
        }
    }

    async fn claim(&self) -> Result<Claim, Stop> {
        loop {
            let live = self.turn.live().await.ok_or(Stop::Over)?;
            let schedule = &live.engine.plan.domain.schedules[self.at];
            let state = live.engine.store(schedule.resource).eventing().ok_or(Stop::Over)?;
            let now = self.turn.now();
            let span = Span { now, until: self.turn.lease.until(now), from: now };
            match state.claim(&None, &part(schedule), &self.turn.owner, span).await {
                Ok(claim) => return Ok(claim),
                Err(Refused::Unavailable(why)) => return Err(Stop::Pause(why)),
                Err(Refused::Taken { .. }) => {}
            }
            drop(live);
            tokio::select! {
                () = tokio::time::sleep(self.turn.lease.renewed()) => {}
                () = self.turn.ended() => return Err(Stop::Over),
            }
        }
    }

    /// Keeps the position, and the claim for longer.
    async fn keep(&self, claim: &Claim) -> Result<(), Stop> {
        let live = self.turn.live().await.ok_or(Stop::Over)?;
        self.kept(&live, claim).await
    }

    async fn kept(&self, live: &Live, claim: &Claim) -> Result<(), Stop> {
        let until = self.turn.lease.until(self.turn.now());
        match self.settle(live, claim, until).await? {
            true => Ok(()),
            false => Err(Stop::Over),
        }
    }

    /// Another may claim it from now on; where that can't be said, it waits for the claim's end.
    async fn give_back(&self, claim: &Claim) {
        if let Some(live) = self.turn.at_hand().await {
            let _waits = self.settle(&live, claim, self.turn.now()).await;
        }
    }

    async fn settle(&self, live: &Live, claim: &Claim, until: i64) -> Result<bool, Stop> {
        let schedule = &live.engine.plan.domain.schedules[self.at];
        let state = live.engine.store(schedule.resource).eventing().ok_or(Stop::Over)?;
        let settled = Settled { held: Vec::new(), position: claim.position, until };
        Ok(state.settle(&None, claim, &settled).await?)
    }

    /// One run, of the rows as they are then.
    async fn one(&self, claim: &Claim, due: i64) -> Result<(), Stop> {
        let (mut ran, mut kept) = (Ran::default(), Instant::now());
        let live = self.turn.live().await.ok_or(Stop::Over)?;
        let schedule = &live.engine.plan.domain.schedules[self.at];
        let (of, name) = (schedule.resource, schedule.name.clone());
        let tenants = live.engine.store(of).tenants(of).await?;
        drop(live);
        for tenant in tenants {
            let mut after = None;
            loop {
                let live = self.turn.live().await.ok_or(Stop::Over)?;
                let rows = self.rows(&live, &tenant, after.take()).await?;
                let Some(last) = rows.last().map(|row| row.id) else { break };
                for row in rows {
                    self.call(&live, &tenant, row, &mut ran).await?;
                    if kept.elapsed() >= self.turn.lease.renewed() {
                        self.kept(&live, claim).await?;
                        kept = Instant::now();
                    }
                }
                after = Some(vec![Value::Uuid(last)]);
                drop(live);
                self.keep(claim).await?;
                kept = Instant::now();
            }
        }
        let Ran { done, left, failed } = ran;
        tracing::info!(schedule = name, due, done, left, failed, "schedule ran");
        Ok(())
    }

    fn bindings(&self, engine: &Engine) -> Bindings {
        let now = self.turn.now();
        let micros = (engine.plan.settings.request_seconds_max * 1e6) as i64;
        Bindings { now, deadline: now.saturating_add(micros), ..Bindings::default() }
    }

    async fn rows(
        &self,
        live: &Live,
        tenant: &Tenant,
        after: Option<Vec<Value>>,
    ) -> Result<Vec<Record>, Unavailable> {
        let engine = &live.engine;
        let schedule = &engine.plan.domain.schedules[self.at];
        let children = &engine.plan.resource(schedule.resource).child_fields;
        let query = ListQuery {
            resource: schedule.resource,
            filter: schedule.condition.iter().map(Cow::Borrowed).collect(),
            search: Vec::new(),
            sort: vec![(FieldRef::Implicit(Implicit::Id), false)],
            after,
            rows_max: ROWS_MAX,
            children,
        };
        engine.store(schedule.resource).list(tenant, &query, &self.bindings(engine)).await
    }

    /// Calls the command on a row. While the store can't it waits; what else is refused is counted.
    async fn call(
        &self,
        live: &Live,
        tenant: &Tenant,
        row: Record,
        ran: &mut Ran,
    ) -> Result<(), Stop> {
        let engine = &live.engine;
        let schedule = &engine.plan.domain.schedules[self.at];
        loop {
            let mut call = Call::of_system(ISSUER, tenant, self.bindings(engine));
            call.trace = Some(TraceContext::root());
            match commanded(engine, &call, self.at, &row).await {
                Ok(()) => ran.done += 1,
                Err(failure) if failure.kind == kinds::UNAVAILABLE => {
                    if self.turn.live().await.is_none() {
                        return Err(Stop::Over);
                    }
                    tokio::time::sleep(STORE_PAUSE).await;
                    continue;
                }
                // Somebody changed it meanwhile, or it does not want to be changed.
                Err(failure) if matches!(failure.kind.status, 404 | 409 | 412) => ran.left += 1,
                Err(failure) => {
                    let (schedule, problem) = (&schedule.name, failure.kind.slug);
                    let detail = failure.detail.clone().unwrap_or_default();
                    tracing::warn!(schedule, problem, detail, "a row was not done");
                    ran.failed += 1;
                }
            }
            return Ok(());
        }
    }
}

async fn commanded(engine: &Engine, call: &Call, at: usize, row: &Record) -> Result<(), Failure> {
    let domain = &engine.plan.domain;
    let schedule = &domain.schedules[at];
    let command = &domain.resource(schedule.of).commands[schedule.command.index()];
    let mut unit = Unit::new(engine, call);
    unit.follow(schedule.resource, &[row], &engine.plan.consumers.schedules[at]).await?;
    let mut id = Some(row.id);
    if !schedule.path.is_empty() {
        let path = std::slice::from_ref(&schedule.path);
        unit.rows.follow(engine, call, schedule.resource, &[row], path).await?;
        let end = unit.rows.end(domain, schedule.resource, row, &schedule.path);
        id = end.map(|end| end.id);
    }
    let id = id.ok_or_else(not_found)?;
    let scope = RowScope::new(&engine.plan, &call.bindings, &unit.rows, schedule.resource, row);
    let mut inputs: Vec<(&str, Value)> = Vec::new();
    for (input, expr) in &schedule.inputs {
        let name = &command.input[*input].name;
        let value = evaluate(expr, &scope)
            .map_err(|fault| crate::engine::settle::no_value(fault, format!("/{name}")))?;
        inputs.push((name, value.into_owned()));
    }
    let body = object(inputs.into_iter());
    let write = Write {
        verb: Verb::Command(schedule.command),
        resource: schedule.of,
        row: Some(Row::Id(id)),
        body: Body::Bytes(&body),
        preconditions: Preconditions::own(),
    };
    engine.write(call, &[write], false, &mut |_, _| None).await.map(|_| ())
}
