//! Long-running operations: what was asked for is done beside the requests, step by step.
//!
//! One task chooses what comes next, others work on it, a few at a time. Each step is one set of
//! changes that holds what the step does, what the report says of it and how far the operation is:
//! whenever the process ends, the next one goes on behind the last step. An operation is done with
//! the rights of the caller who asked, which are looked at anew for each row.

mod caller;
mod export;
mod import;
mod job;
pub(crate) mod sheet;

pub(crate) use caller::Caller;
pub(crate) use export::{EXPORT_PAGE_ROWS_MAX, Input as ExportInput};
pub(crate) use import::{
    ATOMIC_ROWS_MAX, IMPORT_BATCH_ROWS_MAX, IMPORT_ROWS_MAX, Input as ImportInput, keep_row,
};
pub(crate) use job::given;

use crate::consume::turn::Turn;
use crate::engine::Failure;
use crate::engine::backend::Live;
use crate::integrations::Outgoing;
use crate::plan::Plan;
use crate::ports::events::Place;
use crate::ports::operations::{
    AGEING_MICROS, Operated, Operation, Operations, Priority, State, Waiting, Wanted,
};
use crate::ports::store::{Bindings, CommitError, Unavailable, WriteSet};
use crate::problem::{Problem, kinds};
use crate::request::Call;
use crate::telemetry::metrics::Gauge;
use crate::telemetry::trace::{TraceContext, TraceId};
use ir::domain::{Job, ResourceId};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::task::JoinSet;

/// Operations that one process works on at a time.
const OPERATIONS_AT_ONCE_MAX: usize = 4;
/// Operations of one tenant that may wait.
pub(crate) const TENANT_OPERATIONS_WAITING_MAX: u32 = 100;
/// What came of an operation is kept for so long after its end: 7 days.
pub(crate) const RETENTION_MICROS: i64 = 7 * 86_400_000_000;
/// Between two looks for what other processes began, or what is due again.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// The same where tenants have places of their own, which are looked at one by one.
const LOOK_EVERYWHERE_EVERY: Duration = Duration::from_secs(5);
/// So long is waited for a store that cannot be read or written, before the step is tried again.
const OUTAGE_PAUSE: Duration = Duration::from_secs(1);

/// What an operation does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Task {
    /// New rows of a resource.
    Import(ResourceId),
    /// The rows of a resource that the caller may read.
    Export(ResourceId),
    /// A job, by its index.
    Job(usize),
}

impl Task {
    /// As it is stored.
    pub(crate) fn kind(self, plan: &Plan) -> Arc<str> {
        let (verb, resource) = match self {
            Self::Import(resource) => ("import", resource),
            Self::Export(resource) => ("export", resource),
            Self::Job(at) => return format!("job {}", plan.domain.jobs[at].name).into(),
        };
        format!("{verb} {}", plan.domain.full_name(resource)).into()
    }

    /// The task of a kind; none where the model does not know it any more.
    pub(crate) fn of(plan: &Plan, kind: &str) -> Option<Self> {
        let (verb, name) = kind.split_once(' ')?;
        if verb == "job" {
            let known = |job: &Job| job.name == name || job.was.as_deref() == Some(name);
            return plan.domain.jobs.iter().position(known).map(Self::Job);
        }
        let stored = plan.domain.stored();
        let mut roots = stored.filter(|(_, resource)| resource.owner.is_none());
        let (id, _) = roots.find(|(id, _)| plan.domain.full_name(*id) == name)?;
        match verb {
            "import" => Some(Self::Import(id)),
            "export" => Some(Self::Export(id)),
            _ => None,
        }
    }

    fn all(plan: &Plan) -> Vec<(Arc<str>, Option<u32>)> {
        let stored = plan.domain.stored().filter(|(_, resource)| resource.owner.is_none());
        let both = stored.flat_map(|(id, _)| [Self::Import(id), Self::Export(id)]);
        let both = both.map(|task| (task.kind(plan), None));
        // What was asked for under a former name is claimed by that name.
        let names = |job: &Job| [Some(job.name.clone()), job.was.clone()].into_iter().flatten();
        let jobs = plan.domain.jobs.iter().flat_map(|job| {
            names(job)
                .map(|name| (format!("job {name}").into(), job.concurrency))
                .collect::<Vec<_>>()
        });
        both.chain(jobs).collect()
    }

    /// Whose store keeps it.
    pub(crate) fn resource(self, plan: &Plan) -> ResourceId {
        match self {
            Self::Import(resource) | Self::Export(resource) => resource,
            Self::Job(at) => plan.domain.jobs[at].resource,
        }
    }

    /// What comes first.
    pub(crate) fn priority(self, plan: &Plan) -> Priority {
        match self {
            Self::Import(_) | Self::Export(_) => Priority::Normal,
            Self::Job(at) => match plan.domain.jobs[at].priority {
                ir::domain::Priority::High => Priority::High,
                ir::domain::Priority::Normal => Priority::Normal,
                ir::domain::Priority::Low => Priority::Low,
            },
        }
    }
}

/// What came of a step.
enum Step {
    /// There is more to do.
    More,
    /// It is over.
    Over,
    /// It waits until it is due again.
    Waits,
    /// Somebody else has it, or cancelled it.
    Lost,
    /// A system outside is to be called.
    Call(Box<Outgoing>),
}

/// Why a step was not done.
enum Stop {
    /// It may be done later.
    Later(Unavailable),
    /// It never will be.
    Never(Failure),
}

impl From<Unavailable> for Stop {
    fn from(why: Unavailable) -> Self {
        Self::Later(why)
    }
}

/// What a worker needs for a step.
struct Bench<'a> {
    turn: &'a Turn,
    live: &'a Live,
}

/// Works on operations until another plan is served.
pub(crate) async fn run(turn: Turn) {
    let mut news = turn.backend().operated();
    let (mut tasks, mut board) = (JoinSet::new(), Board::default());
    recover(&turn).await;
    loop {
        news.mark_unchanged();
        let Some(live) = turn.live().await else { break };
        let pause = match fill(&turn, &live, &mut tasks, &mut board).await {
            Ok(pause) => pause,
            Err(why) => {
                crate::engine::outage::log(&why);
                OUTAGE_PAUSE
            }
        };
        drop(live);
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            Some(_) = tasks.join_next() => {}
            _ = news.changed() => {}
            () = turn.ended() => break,
        }
    }
    while tasks.join_next().await.is_some() {}
    recover(&turn).await;
}

/// What this process has still claimed goes on at once: its tasks are gone.
async fn recover(turn: &Turn) {
    let Some(live) = turn.at_hand().await else { return };
    for store in live.engine.stores() {
        let (operations, log) = (store.operations(), store.eventing());
        let (Some(operations), Some(log)) = (operations, log) else { continue };
        for place in log.places().await.unwrap_or_default() {
            if let Err(why) = operations.recover(&place, &turn.owner).await {
                crate::engine::outage::log(&why);
            }
        }
    }
}

/// What the one who chooses remembers.
#[derive(Default)]
struct Board {
    /// When a place last got its turn, by count.
    served: BTreeMap<Place, u64>,
    turns: u64,
    gauges: BTreeMap<String, [Arc<Gauge>; 2]>,
}

/// Begins to work on as many as there is room for; how long to wait for more.
async fn fill(
    turn: &Turn,
    live: &Live,
    tasks: &mut JoinSet<()>,
    board: &mut Board,
) -> Result<Duration, Unavailable> {
    let kinds = Task::all(&live.engine.plan);
    loop {
        let (found, places) = look(live).await?;
        board.show(turn, &found);
        let pause = if places > 1 { LOOK_EVERYWHERE_EVERY } else { LOOK_EVERY };
        if tasks.len() >= OPERATIONS_AT_ONCE_MAX {
            return Ok(pause);
        }
        let Some((service, operation)) = choose(turn, live, &kinds, found, board).await? else {
            return Ok(pause);
        };
        tasks.spawn(work(turn.clone(), service, operation));
    }
}

/// What waits somewhere.
struct Spot {
    service: usize,
    place: Place,
    waiting: Vec<Waiting>,
}

async fn look(live: &Live) -> Result<(Vec<Spot>, usize), Unavailable> {
    let (mut found, mut places) = (Vec::new(), 0);
    for (service, store) in live.engine.stores().iter().enumerate() {
        let (operations, log) = (store.operations(), store.eventing());
        let (Some(operations), Some(log)) = (operations, log) else { continue };
        for place in log.places().await? {
            places += 1;
            let waiting = operations.waiting(&place).await?;
            if !waiting.is_empty() {
                found.push(Spot { service, place, waiting });
            }
        }
    }
    Ok((found, places))
}

/// Claims what comes next: of the place with the highest priority that was served longest ago.
async fn choose(
    turn: &Turn,
    live: &Live,
    kinds: &[(Arc<str>, Option<u32>)],
    mut found: Vec<Spot>,
    board: &mut Board,
) -> Result<Option<(usize, Operation)>, Unavailable> {
    let now = turn.now();
    let waited = |one: &Waiting| now.saturating_sub(one.oldest) / AGEING_MICROS;
    let class = |one: &Waiting| one.priority.rank() - waited(one);
    found.sort_by_key(|spot| {
        let first = spot.waiting.iter().map(|one| class(one).max(0)).min();
        (first, board.served.get(&spot.place).copied().unwrap_or(0))
    });
    let until = turn.lease.until(now);
    let wanted = Wanted { worker: Arc::clone(&turn.owner), now, until, kinds: kinds.to_vec() };
    for spot in found {
        let Some(operations) = live.engine.stores()[spot.service].operations() else { continue };
        if let Some(operation) = operations.claim(&spot.place, &wanted).await? {
            board.turns += 1;
            board.served.insert(spot.place, board.turns);
            return Ok(Some((spot.service, operation)));
        }
    }
    Ok(None)
}

impl Board {
    /// Tells how many wait and how long the oldest does, by kind, priority and state.
    fn show(&mut self, turn: &Turn, found: &[Spot]) {
        let now = turn.now();
        let mut all: BTreeMap<String, (i64, i64)> = BTreeMap::new();
        for one in found.iter().flat_map(|spot| &spot.waiting) {
            let (kind, priority, state) = (&one.kind, one.priority.name(), one.state.name());
            let labels = format!("kind=\"{kind}\",priority=\"{priority}\",state=\"{state}\"");
            let sum = all.entry(labels).or_default();
            sum.0 += one.count;
            sum.1 = sum.1.max(now.saturating_sub(one.oldest) / 1_000_000);
        }
        for labels in all.keys() {
            self.gauges.entry(labels.clone()).or_insert_with(|| {
                let metrics = turn.backend().metrics();
                let many = "Long-running operations that wait or run.";
                let long = "Age of the oldest operation that waits or runs, in seconds.";
                [
                    metrics.gauge("mainstay_operations_open", many, labels),
                    metrics.gauge("mainstay_operations_oldest_seconds", long, labels),
                ]
            });
        }
        for (labels, [count, oldest]) in &self.gauges {
            let (many, long) = all.get(labels).copied().unwrap_or_default();
            count.set(many);
            oldest.set(long);
        }
    }
}

/// Works on one until it is over, or somebody else's, or the task is to end.
async fn work(turn: Turn, service: usize, mut operation: Operation) {
    loop {
        let Some(live) = turn.live().await else { return };
        let bench = Bench { turn: &turn, live: &live };
        let step = match bench.step(&mut operation).await {
            Err(Stop::Never(failure)) => bench.give_up(service, &mut operation, &failure).await,
            other => other,
        };
        let step = match step {
            Ok(Step::Call(outgoing)) => {
                let integrations = Arc::clone(&live.integrations);
                // Nobody waits for the former plan while somebody outside works.
                drop(live);
                let answer = integrations.call(&outgoing, turn.now()).await;
                // It goes on even where the task is to end: what came of a call is worth a write.
                let Some(live) = turn.at_hand().await else { return };
                let bench = Bench { turn: &turn, live: &live };
                let name = integrations.name(&outgoing);
                match bench.answered(&mut operation, &name, answer).await {
                    Err(Stop::Never(failure)) => {
                        bench.give_up(service, &mut operation, &failure).await
                    }
                    other => other,
                }
            }
            other => {
                drop(live);
                other
            }
        };
        match step {
            // What is called is called above.
            Ok(Step::More | Step::Call(_)) => {}
            Ok(Step::Waits | Step::Lost) | Err(Stop::Never(_)) => return,
            Ok(Step::Over) => return over(&turn, &operation),
            Err(Stop::Later(why)) => {
                crate::engine::outage::log(&why);
                tokio::select! {
                    () = tokio::time::sleep(OUTAGE_PAUSE) => {}
                    () = turn.ended() => return,
                }
            }
        }
    }
}

/// Counts and tells the end of one.
fn over(turn: &Turn, operation: &Operation) {
    let metrics = turn.backend().metrics();
    let labels = format!("kind=\"{}\",state=\"{}\"", operation.kind, operation.state.name());
    let help = "Long-running operations that ended, by how.";
    metrics.counter("mainstay_operations_ended_total", help, &labels).increment();
    let took = turn.now().saturating_sub(operation.created);
    let help = "From when an operation was asked for to its end.";
    let labels = format!("kind=\"{}\"", operation.kind);
    let took = Duration::from_micros(u64::try_from(took).unwrap_or(0));
    metrics.histogram("mainstay_operation_duration_seconds", help, &labels).observe(took);
    tracing::info!(
        operation = crate::json::write::uuid_text(operation.id),
        kind = &*operation.kind,
        state = operation.state.name(),
        rows = operation.done,
        failed = operation.failed,
        "operation"
    );
}

impl Bench<'_> {
    /// Does the next step.
    async fn step(&self, operation: &mut Operation) -> Result<Step, Stop> {
        let plan = &self.live.engine.plan;
        let gone = |what: &str| Stop::Never(Box::new(Problem::new(kinds::NOT_FOUND).detail(what)));
        let task = Task::of(plan, &operation.kind)
            .ok_or_else(|| gone("the model does not know any more what is to be done"))?;
        let resource = match task {
            // Who may ask was looked at when it was asked for; it is done as `system`.
            Task::Job(at) => return self.job(operation, at).await,
            Task::Import(resource) | Task::Export(resource) => resource,
        };
        let caller = Caller::read(&operation.caller);
        let call = caller.and_then(|caller| caller.call(plan, operation, self.turn.now()));
        let call =
            call.ok_or_else(|| gone("the model does not know the actor who asked any more"))?;
        match task {
            Task::Import(_) => self.import(operation, &call, resource).await,
            Task::Export(_) | Task::Job(_) => self.export(operation, &call, resource).await,
        }
    }

    /// The same operation after a step, claimed for longer.
    fn next(&self, operation: &Operation) -> Operation {
        let until = self.turn.lease.until(self.turn.now());
        Operation { until, ..operation.clone() }
    }

    /// Ends it.
    fn end(&self, operation: &mut Operation, state: State) {
        let now = self.turn.now();
        operation.state = state;
        operation.ended = Some(now);
        operation.expires = Some(now.saturating_add(RETENTION_MICROS));
    }

    /// Ends one that never will be done.
    async fn give_up(
        &self,
        service: usize,
        operation: &mut Operation,
        failure: &Problem,
    ) -> Result<Step, Stop> {
        let mut next = self.next(operation);
        self.end(&mut next, State::Failed);
        let trace = operation.trace.as_deref().map(str::as_bytes);
        next.problem = Some(problem_text(failure, TraceContext::continued(trace).trace_id));
        self.keep(live_store(self.live, service), operation, next, Step::Over).await
    }

    /// Commits a step that changes the operation alone.
    async fn keep(
        &self,
        store: &dyn crate::ports::store::Store,
        operation: &mut Operation,
        next: Operation,
        then: Step,
    ) -> Result<Step, Stop> {
        let step = Operated::Step { operation: Box::new(next.clone()), chunks: Vec::new() };
        let set =
            WriteSet { tenant: next.tenant.clone(), operated: Some(step), ..WriteSet::default() };
        let bindings = Bindings { now: self.turn.now(), ..Bindings::default() };
        match store.commit(set, &bindings).await {
            Ok(()) => {
                *operation = next;
                Ok(then)
            }
            Err(CommitError::Unavailable(why)) => Err(Stop::Later(why)),
            Err(_) => Ok(Step::Lost),
        }
    }
}

fn live_store(live: &Live, service: usize) -> &dyn crate::ports::store::Store {
    &*live.engine.stores()[service]
}

/// The operations of a resource's store.
fn kept(live: &Live, resource: ResourceId) -> Result<&dyn Operations, Stop> {
    let none = || Stop::Never(crate::engine::problem(kinds::NOT_IMPLEMENTED));
    live.engine.store(resource).operations().ok_or_else(none)
}

/// A problem as it is kept.
pub(crate) fn problem_text(problem: &Problem, trace: TraceId) -> String {
    serde_json::to_string(&problem.in_trace(trace)).unwrap_or_default()
}

/// True for what is no fault of what was asked: it may be done later.
fn is_outage(failure: &Problem) -> bool {
    [kinds::UNAVAILABLE, kinds::DEADLINE_EXCEEDED].contains(&failure.kind)
}

/// The trace that a call belongs to.
fn trace_of(call: &Call) -> TraceId {
    call.trace.as_ref().map_or_else(|| TraceContext::root().trace_id, |trace| trace.trace_id)
}
