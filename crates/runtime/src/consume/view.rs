//! A view kept up to date: events folded into rows, tenant by tenant, each set of rows committed
//! with the position up to which that tenant's events are in it. So an event is folded once,
//! whatever dies, and who reads a view waits for a position.

use super::folding::{Folding, Step};
use super::jobs::Job;
use super::part::{READ_BYTES_MAX, STORE_PAUSE, give_back};
use super::turn::Turn;
use super::windows::windows_of;
use crate::engine::Engine;
use crate::engine::backend::Live;
use crate::ports::events::{Claim, Logged, Projected, Refused, Settled, Span};
use crate::ports::store::{CommitError, Tenant, Unavailable, Write, WriteSet};
use crate::upcast;
use kernel::projection::{self, Action, Input};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

/// Events that are folded at once; where each is counted in several windows, as many fewer.
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
            tokio::select! {
                () = self.turn.shares.room(&self.job) => {}
                () = self.turn.ended() => return,
            }
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
        let hold = self.turn.shares.hold(&self.job);
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
                () = hold.surplus() => {
                    give_back(&self.turn, &self.job, &claim, position).await;
                    return Err(Stop::Over);
                }
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
        let domain = &engine.plan.domain;
        let rows_max = FOLDED_MAX / windows_of(&domain.views[self.job.consumer]);
        let mut read = log.after(&self.job.place, position, rows_max, READ_BYTES_MAX).await?;
        let consumer = &engine.plan.consumers.views[self.job.consumer];
        let hears = |event: &Logged| engine.plan.hears(consumer, self.job.source, event);
        // What this model can't read yet holds up what follows: it is folded by who can.
        let newer = |event: &Logged| {
            event.version > 1 && hears(event) && upcast::is_newer(&engine.plan, event)
        };
        if let Some(at) = read.iter().position(newer) {
            read.truncate(at);
        }
        let Some(end) = read.last().map(|event| event.position) else {
            return Ok((position, false));
        };
        let mut by_tenant: BTreeMap<Tenant, Vec<Logged>> = BTreeMap::new();
        for event in read {
            if hears(&event) {
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
        let state = engine.stores()[self.job.state].eventing().ok_or(Stop::Over)?;
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
                    let steps = folding.steps(new);
                    self.commit(&folding, steps, (expected, position)).await?
                }
                Some(Action::Folded { .. } | Action::Clear { .. } | Action::Replay) => {
                    return Ok(());
                }
            };
            action = machine.step(input);
        }
        Err(Stop::Pause(Unavailable::Busy))
    }

    /// Folds and commits the rows with the position; windows that close by it go with them. Where
    /// those are too many for one commit, the others are closed before: if the last one is never
    /// made, the same events close them again.
    async fn commit(
        &self,
        folding: &Folding<'_>,
        steps: Vec<Step<'_>>,
        (expected, position): (i64, i64),
    ) -> Result<Input, Stop> {
        let mut rows = folding.read(&steps).await?;
        let before = rows.watermark;
        folding.fold(&mut rows, steps);
        folding.close(&mut rows);
        let mut after = None;
        let closing = loop {
            let (some, more) = folding.closing((&before, &rows), after).await?;
            if more.is_none() {
                break some;
            }
            after = more;
            match self.written(folding, some, (expected, expected)).await? {
                Input::Committed => {}
                other => return Ok(other),
            }
        };
        let late = rows.late;
        let writes = folding.writes(rows).into_iter().chain(closing).collect();
        let input = self.written(folding, writes, (expected, position)).await?;
        if late > 0 && input == Input::Committed {
            let labels = format!("view=\"{}\"", folding.view_name());
            let help = "Events that came too late for a window that was closed.";
            let metrics = self.turn.backend().metrics();
            metrics.counter("mainstay_view_late_events_total", help, &labels).add(late);
        }
        Ok(input)
    }

    async fn written(
        &self,
        folding: &Folding<'_>,
        writes: Vec<Write>,
        (expected, position): (i64, i64),
    ) -> Result<Input, Stop> {
        let part = &self.job.part;
        let projected = Projected {
            consumer: Arc::clone(&part.consumer),
            source: Arc::clone(&part.source),
            expected,
            position,
        };
        let tenant = folding.tenant().clone();
        let set = WriteSet { tenant, writes, projected: Some(projected), ..WriteSet::default() };
        committed(&part.consumer, folding.store().commit(set, &folding.bindings).await)
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
