//! What follows from events: consumers work through the logs, and each effect happens once.
//!
//! One thread beside those that serve does it, by a task for each part of a consumer's work. A task
//! holds what is served only while it does something with it, so that whoever swaps or pauses the
//! backend waits for one effect at most; when another plan is served, all tasks begin anew with it.

mod doing;
mod effect;
mod event;
mod hook;
mod hooks;
mod lag;
mod lease;
pub mod letters;
mod part;
pub mod rebuild;
mod schedule;
pub mod tail;
mod turn;
mod upkeep;
mod view;
pub mod views;

use crate::engine::backend::{Backend, Live};
use crate::plan::Plan;
use crate::plan::consumers::Consumer;
use crate::ports::events::{Part, Place, Refused, Span};
use crate::ports::store::{Store, Unavailable};
use doing::Reactions;
pub(crate) use hook::{attempt, note};
use ir::domain::ContextId;
pub use lease::Lease;
use part::Work;
use schedule::Recurring;
use std::collections::BTreeSet;
use std::io;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;
use tokio::sync::watch;
use tokio::task::JoinSet;
use turn::Turn;
use view::Projection;

/// Between two looks for places of new tenants.
const PLACES_EVERY: Duration = Duration::from_secs(5);
/// What runs when it is told to end has so long to come to an end.
const END_PATIENCE: Duration = Duration::from_secs(5);

/// The thread that works.
pub struct Consumption {
    stop: watch::Sender<bool>,
    thread: Option<JoinHandle<()>>,
}

impl Consumption {
    /// Begins to work on what a backend serves, as `owner`: a name that no other process has.
    ///
    /// # Errors
    /// Where the system gives no thread.
    pub fn start(backend: &Arc<Backend>, owner: &str, lease: Lease) -> io::Result<Self> {
        let (stop, stopped) = watch::channel(false);
        let (backend, owner) = (Arc::clone(backend), Arc::from(owner));
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let thread = std::thread::Builder::new()
            .name("mainstay-events".to_owned())
            .spawn(move || runtime.block_on(supervise(backend, (owner, lease), stopped)))?;
        Ok(Self { stop, thread: Some(thread) })
    }

    /// Takes on nothing more and waits for what is being done, for a while.
    pub fn stop(&mut self) {
        self.stop.send_replace(true);
        if let Some(thread) = self.thread.take() {
            // A panic of it was told when it happened.
            let _ended = thread.join();
        }
    }
}

impl Drop for Consumption {
    fn drop(&mut self) {
        self.stop();
    }
}

/// A consumer's work on one log: everything that stays the same.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Job {
    part: Part,
    /// A view, or reactions of a context; by index among those of the plan.
    view: bool,
    consumer: usize,
    /// The service whose log it is, and where.
    source: usize,
    place: Place,
    /// The service that takes the effects.
    state: usize,
}

/// Works for one plan after the other until it is told to stop.
async fn supervise(
    backend: Arc<Backend>,
    (owner, lease): (Arc<str>, Lease),
    mut stopped: watch::Receiver<bool>,
) {
    while !*stopped.borrow() {
        let live = tokio::select! {
            live = backend.live() => live,
            _ = stopped.changed() => break,
        };
        let turn = Turn::new(&backend, live.number, (&owner, lease), stopped.clone());
        let schedules = live.engine.plan.domain.schedules.len();
        drop(live);
        let mut tasks = JoinSet::new();
        let mut known: BTreeSet<Job> = BTreeSet::new();
        tasks.spawn(upkeep::run(turn.clone()));
        tasks.spawn(lag::run(turn.clone()));
        tasks.spawn(hooks::run(turn.clone()));
        for at in 0..schedules {
            tasks.spawn(Recurring::new(turn.clone(), at).run());
        }
        while let Some(live) = turn.live().await {
            for job in jobs(&live).await {
                if !known.insert(job.clone()) {
                    continue;
                }
                match job.view {
                    true => tasks.spawn(Projection::new(turn.clone(), job).run()),
                    false => tasks.spawn(Work::new(turn.clone(), job, Arc::new(Reactions)).run()),
                };
            }
            drop(live);
            if tokio::time::timeout(PLACES_EVERY, turn.ended()).await.is_ok() {
                break;
            }
        }
        let ends = async { while tasks.join_next().await.is_some() {} };
        if tokio::time::timeout(END_PATIENCE, ends).await.is_err() {
            tracing::warn!("effects of events still run: they are given up, and done again");
        }
        tasks.shutdown().await;
    }
}

/// All that is to be worked on.
async fn jobs(live: &Live) -> Vec<Job> {
    let plan = &live.engine.plan;
    let consumers = &plan.consumers;
    let mut jobs = Vec::new();
    let all = consumers.contexts.iter().enumerate().map(|(at, one)| (false, at, one));
    let all = all.chain(consumers.views.iter().enumerate().map(|(at, one)| (true, at, one)));
    for (view, at, consumer) in all {
        for source in sources(plan, consumer) {
            let Some(log) = live.engine.stores()[source].eventing() else { continue };
            // Whatever can't be listed now is looked for again.
            for place in log.places().await.unwrap_or_default() {
                let part = part(plan, consumer, source, &place);
                let state = plan.service_of(consumer.context);
                jobs.push(Job { part, view, consumer: at, source, place, state });
            }
        }
    }
    jobs
}

/// The services whose logs a consumer reads.
fn sources(plan: &Plan, consumer: &Consumer) -> BTreeSet<usize> {
    consumer.sources.iter().map(|context: &ContextId| plan.service_of(*context)).collect()
}

/// The services whose logs a view is made of.
pub(crate) fn view_sources(plan: &Plan, view: usize) -> BTreeSet<usize> {
    sources(plan, &plan.consumers.views[view])
}

/// The work on a view over a log.
pub(crate) fn view_part(plan: &Plan, view: usize, source: usize, place: &Place) -> Part {
    part(plan, &plan.consumers.views[view], source, place)
}

fn part(plan: &Plan, consumer: &Consumer, source: usize, place: &Place) -> Part {
    let source = source_name(plan, source, place).into();
    Part { consumer: Arc::clone(&consumer.name), source, number: 0 }
}

/// What the log of a service, or that of a tenant's place there, is known by.
pub(crate) fn source_name(plan: &Plan, service: usize, place: &Place) -> String {
    let service = &plan.service_names[service];
    match place {
        None => service.clone(),
        Some(tenant) => format!("{service}/{tenant}"),
    }
}

/// Makes every consumer of a plan known to the stores, before anything happens that it may not
/// miss: a reaction hears what happens from then on, a view all that ever happened. Where no
/// consumer was ever known, what waits in the log is heard too.
///
/// # Errors
/// Where a store can't be read or written.
pub async fn register(plan: &Plan, stores: &[Arc<dyn Store>], now: i64) -> Result<(), Unavailable> {
    let consumers = &plan.consumers;
    let reactions = consumers.contexts.iter().map(|one| (false, one));
    for (view, consumer) in reactions.chain(consumers.views.iter().map(|one| (true, one))) {
        let Some(state) = stores[plan.service_of(consumer.context)].eventing() else { continue };
        for source in sources(plan, consumer) {
            let Some(log) = stores[source].eventing() else { continue };
            for place in log.places().await? {
                let known = state.progress(&place).await?;
                let part = part(plan, consumer, source, &place);
                if known.iter().any(|progress| progress.part == part) {
                    continue;
                }
                let first = view || known.is_empty();
                let from = if first { 0 } else { log.extent(&place).await?.last };
                // Taken for no time at all: whoever works claims it.
                let span = Span { now, until: now, from };
                match state.claim(&place, &part, "", span).await {
                    Ok(_) | Err(Refused::Taken { .. }) => {}
                    Err(Refused::Unavailable(why)) => return Err(why),
                }
            }
        }
    }
    Ok(())
}
