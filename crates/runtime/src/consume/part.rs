//! One part of a consumer that does something about each event: the kernel's machine, driven over
//! stores and engine.
//!
//! The machine says what is to be done; each thing is a future whose answer is given back to it. So
//! order, backpressure, retries and dead letters are decided in one place, which is explored.

use super::doing::{Doing, Fault, Outcome};
use super::feed::Inflow;
use super::jobs::Job;
use super::share::Hold;
use super::turn::Turn;
use crate::engine::backend::Live;
use crate::ports::events::{
    Attempt, Claim, Held, HeldQuery, Logged, Refused, Settled, Span, State,
};
use crate::ports::store::{Store, Unavailable};
use crate::telemetry::metrics::Gauge;
use futures::StreamExt;
use futures::future::BoxFuture;
use futures::stream::FuturesUnordered;
use kernel::consumer::{self as machine, Action, Consumer, Input, Message, Policy};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;

/// Bytes of events that are read at once, beyond the first.
pub(super) const READ_BYTES_MAX: usize = 8 << 20;
/// Where so many bytes were left, nothing stood behind the last event that was read.
const ROOM_BYTES: usize = 4 << 20;
/// Heads of held keys that are read at once.
const HEADS_MAX: u32 = 10_000;
/// Between two attempts while a store can't.
pub(super) const STORE_PAUSE: Duration = Duration::from_millis(250);

/// Between two attempts to read a topic.
const BROKER_PAUSE: Duration = Duration::from_secs(1);

/// The work on one part.
pub(super) struct Work {
    turn: Turn,
    job: Arc<Job>,
    doing: Arc<dyn Doing>,
}

/// What an action came to.
enum Answer {
    /// Goes to the machine as it is.
    Input(Input),
    /// Events that were read.
    Read { end: i64, read: Vec<Logged>, exhausted: bool },
    /// Heads of keys, with their rows.
    Heads(Vec<Held>),
    /// The head of a key.
    Head(u128, Option<Held>),
    /// A held row that is about to run.
    Row(Message, Option<Box<Held>>),
    /// An effect that was not done.
    Failed(i64, Fault),
    /// What was to be kept is, and everything up to there is settled.
    Kept(i64),
    /// The claim is over.
    Lost,
    /// Another plan is served, or none any more.
    Gone,
}

/// A claim, and what it reads by.
type Claimed = (Claim, Inflow);
type Pending = FuturesUnordered<BoxFuture<'static, Answer>>;

/// A claim being worked on.
struct Working {
    turn: Turn,
    job: Arc<Job>,
    doing: Arc<dyn Doing>,
    /// What is dead holds up its key.
    parks: bool,
    claim: Claim,
    inflow: Inflow,
    machine: Consumer,
    pending: Pending,
    /// Events that the machine may ask for, by position.
    events: BTreeMap<i64, Logged>,
    /// Rows of held ones that run or ran, by position.
    rows: BTreeMap<i64, Held>,
    /// What went wrong with those that are to be held.
    errors: BTreeMap<i64, Attempt>,
    /// Of which resource the row of a key is.
    resources: BTreeMap<u128, Arc<str>>,
    /// Keys that wait because of a held event, and those behind a dead one.
    told: Option<[Arc<Gauge>; 2]>,
}

impl Work {
    pub(super) fn new(turn: Turn, job: Job, doing: Arc<dyn Doing>) -> Self {
        Self { turn, job: Arc::new(job), doing }
    }

    /// Claims the part and works on it, again and again, until another plan is served.
    pub(super) async fn run(self) {
        loop {
            tokio::select! {
                () = self.turn.shares.room(&self.job) => {}
                () = self.turn.ended() => return,
            }
            let (claim, inflow) = match self.claim().await {
                Some(Ok(claimed)) => claimed,
                Some(Err(pause)) => {
                    tokio::select! {
                        () = tokio::time::sleep(pause) => continue,
                        () = self.turn.ended() => return,
                    }
                }
                None => return,
            };
            let hold = self.turn.shares.hold(&self.job);
            Working::begin(&self, claim, inflow).run(&hold).await;
        }
    }

    /// A claim, or how long to wait for it; none where another plan is served.
    async fn claim(&self) -> Option<Result<Claimed, Duration>> {
        let live = self.turn.live().await?;
        let stores = live.engine.stores();
        let (Some(state), Some(log)) =
            (stores[self.job.state].eventing(), stores[self.job.source].eventing())
        else {
            return None;
        };
        let now = self.turn.now();
        // Who was there when the plan began to be served is known. What is not is in a place that
        // was made since: it hears that from its beginning.
        let from = 0;
        let span = Span { now, until: self.turn.lease.until(now), from };
        match state.claim(&self.job.place, &self.job.part, &self.turn.owner, span).await {
            Ok(claim) => {
                let outside = self.turn.outside.as_deref();
                match Inflow::open(&self.job, log, outside, claim.position).await {
                    Ok(inflow) => Some(Ok((claim, inflow))),
                    Err(why) => {
                        crate::engine::outage::log(&why);
                        self.turn.shares.unfit(&self.job);
                        give_back(&self.turn, &self.job, &claim, claim.position).await;
                        Some(Err(BROKER_PAUSE))
                    }
                }
            }
            Err(Refused::Taken { until }) => {
                // Whoever has it may give it back earlier.
                let left = u64::try_from(until.saturating_sub(now)).unwrap_or(0);
                Some(Err(Duration::from_micros(left).clamp(STORE_PAUSE, self.turn.lease.renewed())))
            }
            Err(Refused::Unavailable(_)) => Some(Err(STORE_PAUSE)),
        }
    }
}

impl Working {
    fn begin(work: &Work, claim: Claim, inflow: Inflow) -> Self {
        let (turn, job) = (work.turn.clone(), Arc::clone(&work.job));
        let settings = work.doing.settings();
        let parks = settings.policy != Policy::Skip;
        let (machine, actions) = Consumer::claimed(Arc::new(settings), claim.position);
        let held = "Keys of a consumer that wait behind an event which could not be done yet.";
        let dead = "Keys of a consumer that wait behind an event which was given up.";
        let told = work.doing.is_measured().then(|| {
            [
                turn.gauge("mainstay_consumer_held_keys", held, &job.part),
                turn.gauge("mainstay_consumer_dead_keys", dead, &job.part),
            ]
        });
        let mut working = Self {
            told,
            turn,
            job,
            doing: Arc::clone(&work.doing),
            parks,
            claim,
            inflow,
            machine,
            pending: FuturesUnordered::new(),
            events: BTreeMap::new(),
            rows: BTreeMap::new(),
            errors: BTreeMap::new(),
            resources: BTreeMap::new(),
        };
        working.carry_out(actions);
        working
    }

    /// Works until the claim is over, it is another's share, or another plan is served; then what
    /// runs is let end, and what is settled is kept.
    async fn run(mut self, hold: &Hold) {
        let turn = self.turn.clone();
        let mut arrived = self.inflow.arrived();
        let inflow_ended = ended(self.inflow.ended());
        let mut inflow_ended = std::pin::pin!(inflow_ended);
        let mut ending = false;
        let mut renew = tokio::time::interval(turn.lease.renewed());
        let mut remedied = turn.remedied();
        renew.tick().await;
        loop {
            let tick = self.until_tick();
            let input = tokio::select! {
                Some(answer) = self.pending.next() => match self.input(answer) {
                    Some(input) => input,
                    None => return,
                },
                Ok(()) = arrived.changed() => Input::Appended,
                Ok((consumer, key)) = remedied.recv() => match consumer == self.job.part.consumer {
                    true => Input::Remedied { key },
                    false => continue,
                },
                () = tokio::time::sleep(tick) => Input::Tick,
                _ = renew.tick() => {
                    self.pending.push(self.renewed());
                    // What nobody told is found within a few seconds.
                    Input::Appended
                }
                () = turn.ended(), if !ending => {
                    ending = true;
                    Input::Drain
                }
                () = hold.surplus(), if !ending => {
                    ending = true;
                    Input::Drain
                }
                () = &mut inflow_ended, if !ending => {
                    ending = true;
                    Input::Drain
                }
            };
            let actions = self.machine.step(self.turn.now(), input);
            self.tell();
            if actions.contains(&Action::Drained) {
                let position = self.machine.position();
                return give_back(&self.turn, &self.job, &self.claim, position).await;
            }
            self.carry_out(actions);
        }
    }

    fn tell(&self) {
        let gauges = self.machine.gauges();
        for (gauge, keys) in self.told.iter().flatten().zip([gauges.held_keys, gauges.dead_keys]) {
            gauge.set(i64::try_from(keys).unwrap_or(i64::MAX));
        }
    }

    fn until_tick(&self) -> Duration {
        let at = self.machine.wake_at().map(|at| at.saturating_sub(self.turn.now()));
        at.map_or(self.turn.lease.renewed(), |left| {
            Duration::from_micros(u64::try_from(left).unwrap_or(0))
        })
    }

    /// What the machine is told of an answer; none where the work is over.
    fn input(&mut self, answer: Answer) -> Option<Input> {
        Some(match answer {
            Answer::Input(input) => input,
            Answer::Read { end, read, exhausted } => self.read(end, read, exhausted),
            Answer::Heads(heads) => {
                self.notice(&heads);
                let heads = heads.iter().map(|head| self.known(head)).collect();
                Input::Heads { heads }
            }
            Answer::Head(key, head) => {
                Input::Head { key, head: head.map(|head| self.known(&head)) }
            }
            Answer::Row(message, None) => Input::Done { position: message.position },
            Answer::Row(message, Some(row)) => {
                let event = row.event.clone();
                self.rows.insert(message.position, *row);
                self.pending.push(self.effect(event, true));
                // Nothing happened yet.
                Input::Tick
            }
            Answer::Failed(position, fault) => self.failed(position, fault),
            Answer::Kept(position) => {
                self.inflow.settle(position);
                Input::Persisted
            }
            Answer::Lost | Answer::Gone => return None,
        })
    }

    /// Somebody had events tried again that wait for their next attempt: the machine looks at them.
    fn notice(&mut self, heads: &[Held]) {
        let now = self.turn.now();
        let again =
            |head: &&Held| head.state == State::Retry && head.attempts == 0 && head.due <= now;
        for head in heads.iter().filter(again) {
            let key = head.event.row;
            self.pending.push(Box::pin(async move { Answer::Input(Input::Remedied { key }) }));
        }
    }

    /// Of events that were read those that this consumer hears.
    fn read(&mut self, end: i64, read: Vec<Logged>, exhausted: bool) -> Input {
        let mut messages = Vec::with_capacity(read.len());
        for event in read {
            let (position, key) = (event.position, event.row);
            messages.push(Message { position, event: event.id, key });
            self.resources.insert(key, Arc::clone(&event.resource));
            self.events.insert(position, event);
        }
        Input::Fetched { messages, end, exhausted }
    }

    fn known(&mut self, held: &Held) -> machine::Held {
        self.resources.insert(held.event.row, Arc::clone(&held.event.resource));
        let state = match held.state {
            State::Retry => machine::State::Retry,
            State::Behind => machine::State::Behind,
            State::Dead => machine::State::Dead,
        };
        let event = &held.event;
        let message = Message { position: event.position, event: event.id, key: event.row };
        machine::Held { message, state, attempts: held.attempts, due: held.due }
    }

    fn failed(&mut self, position: i64, fault: Fault) -> Input {
        let Fault { problem, detail, failure } = fault;
        let at = self.turn.now();
        tracing::warn!(consumer = &*self.job.part.consumer, position, problem, detail, "failed");
        self.errors.insert(position, Attempt { at, problem, detail });
        Input::Failed { position, failure, random: self.turn.random() }
    }

    fn carry_out(&mut self, actions: Vec<Action>) {
        for action in actions {
            let future = match action {
                Action::LoadHeads => self.heads(),
                Action::LoadHead { key } => self.head(key),
                Action::Fetch { after, messages_max } => self.fetch(after, messages_max),
                Action::Run { message, held: true, .. } => self.row(message),
                Action::Run { message, held: false, .. } => {
                    match self.events.get(&message.position) {
                        Some(event) => self.effect(event.clone(), false),
                        None => self.row(message),
                    }
                }
                Action::Persist { held, position } => self.persist(&held, position),
                Action::Forget { position } => {
                    self.events.remove(&position);
                    self.rows.remove(&position);
                    continue;
                }
                Action::Drained => continue,
            };
            self.pending.push(future);
        }
        // Keys are many; what is not in memory any more is read again with its head.
        if self.resources.len() > HEADS_MAX as usize && self.events.is_empty() {
            self.resources.clear();
        }
    }

    /// Asks the store that keeps the state, until it answers.
    fn ask<T: Send + 'static>(
        &self,
        ask: impl for<'s> Fn(&'s dyn Store, &'s Job) -> BoxFuture<'s, Result<T, Unavailable>>
        + Send
        + Sync
        + 'static,
        answer: impl FnOnce(T) -> Answer + Send + 'static,
    ) -> BoxFuture<'static, Answer> {
        let (turn, job) = (self.turn.clone(), Arc::clone(&self.job));
        Box::pin(async move {
            loop {
                let Some(live) = turn.at_hand().await else { return Answer::Gone };
                let asked = ask(&*live.engine.stores()[job.state], &job).await;
                drop(live);
                match asked {
                    Ok(answered) => return answer(answered),
                    Err(why) => {
                        crate::engine::outage::log(&why);
                        tokio::time::sleep(STORE_PAUSE).await;
                    }
                }
            }
        })
    }

    fn query(&self) -> HeldQuery {
        HeldQuery { part: Some(self.job.part.clone()), ..HeldQuery::default() }
    }

    fn held<A>(&self, query: HeldQuery, answer: A) -> BoxFuture<'static, Answer>
    where
        A: FnOnce(Vec<Held>) -> Answer + Send + 'static,
    {
        let query = Arc::new(query);
        self.ask(
            move |store, job| {
                let query = Arc::clone(&query);
                Box::pin(async move {
                    match store.eventing() {
                        Some(letters) => letters.held(&job.place, &query).await,
                        None => Ok(Vec::new()),
                    }
                })
            },
            answer,
        )
    }

    fn heads(&self) -> BoxFuture<'static, Answer> {
        let first = HeldQuery { heads: true, rows_max: HEADS_MAX, ..self.query() };
        if self.parks {
            return self.held(first, Answer::Heads);
        }
        // Dead ones hold up nothing; the machine is to know of those that it will read again.
        let alive = HeldQuery { alive: true, ..first };
        let (state, past) = (Some(State::Dead), Some(self.claim.position));
        let dead = HeldQuery { state, past, rows_max: HEADS_MAX, ..self.query() };
        let queries = Arc::new([alive, dead]);
        self.ask(
            move |store, job| {
                let queries = Arc::clone(&queries);
                Box::pin(async move {
                    let Some(letters) = store.eventing() else { return Ok(Vec::new()) };
                    let mut heads = Vec::new();
                    for query in &*queries {
                        heads.extend(letters.held(&job.place, query).await?);
                    }
                    Ok(heads)
                })
            },
            Answer::Heads,
        )
    }

    fn head(&self, key: u128) -> BoxFuture<'static, Answer> {
        let Some(resource) = self.resources.get(&key) else {
            let alive = !self.parks;
            let query = HeldQuery { heads: true, alive, rows_max: HEADS_MAX, ..self.query() };
            let of_key = move |head: &Held| head.event.row == key;
            return self
                .held(query, move |heads| Answer::Head(key, heads.into_iter().find(of_key)));
        };
        let key_of = Some((Arc::clone(resource), key));
        let alive = !self.parks;
        let query = HeldQuery { heads: true, alive, key: key_of, rows_max: 1, ..self.query() };
        self.held(query, move |rows| Answer::Head(key, rows.into_iter().next()))
    }

    fn row(&self, message: Message) -> BoxFuture<'static, Answer> {
        let query = HeldQuery { event: Some(message.event), rows_max: 1, ..self.query() };
        self.held(query, move |rows| Answer::Row(message, rows.into_iter().next().map(Box::new)))
    }

    fn fetch(&self, after: i64, messages_max: usize) -> BoxFuture<'static, Answer> {
        let (turn, job, doing) =
            (self.turn.clone(), Arc::clone(&self.job), Arc::clone(&self.doing));
        let rows_max = u32::try_from(messages_max).unwrap_or(u32::MAX).max(1);
        let taken = match &self.inflow {
            Inflow::Log(_) => None,
            Inflow::Topic(inlet) => Some(inlet.take(after, messages_max.max(1))),
            Inflow::Held => Some((after, Vec::new(), true)),
        };
        Box::pin(async move {
            if let Some((end, mut read, exhausted)) = taken {
                let Some(live) = turn.at_hand().await else { return Answer::Gone };
                read.retain(|event| doing.hears(&live, &job, event));
                return Answer::Read { end, read, exhausted };
            }
            loop {
                let Some(live) = turn.at_hand().await else { return Answer::Gone };
                let Some(log) = live.engine.stores()[job.source].eventing() else {
                    return Answer::Gone;
                };
                match log.after(&job.place, after, rows_max, READ_BYTES_MAX).await {
                    Ok(read) => return heard(&live, &job, &*doing, (after, rows_max), read),
                    Err(why) => crate::engine::outage::log(&why),
                }
                drop(live);
                tokio::time::sleep(STORE_PAUSE).await;
            }
        })
    }

    fn effect(&self, event: Logged, held: bool) -> BoxFuture<'static, Answer> {
        let (turn, job) = (self.turn.clone(), Arc::clone(&self.job));
        let position = event.position;
        let done = Arc::clone(&self.doing).effect(turn, job, event, held);
        Box::pin(async move {
            match done.await {
                Outcome::Done => Answer::Input(Input::Done { position }),
                Outcome::Failed(fault) => Answer::Failed(position, fault),
                Outcome::Gone => Answer::Gone,
            }
        })
    }

    fn persist(&mut self, held: &[machine::Held], position: i64) -> BoxFuture<'static, Answer> {
        let now = self.turn.now();
        let held = held.iter().filter_map(|row| self.kept(row, now)).collect();
        let until = self.turn.lease.until(now);
        let settled = Arc::new(Settled { held, position, until });
        let claim = Arc::new(self.claim.clone());
        self.ask(
            move |store, job| {
                let (claim, settled) = (Arc::clone(&claim), Arc::clone(&settled));
                Box::pin(async move {
                    match store.eventing() {
                        Some(state) => state.settle(&job.place, &claim, &settled).await,
                        None => Ok(false),
                    }
                })
            },
            move |kept| if kept { Answer::Kept(position) } else { Answer::Lost },
        )
    }

    /// A held message with its data, as it is kept.
    fn kept(&mut self, held: &machine::Held, now: i64) -> Option<Held> {
        let position = held.message.position;
        let row = self.rows.get(&position);
        let event = row.map(|row| &row.event).or_else(|| self.events.get(&position))?.clone();
        let mut errors = row.map(|row| row.errors.clone()).unwrap_or_default();
        errors.extend(self.errors.remove(&position));
        let state = match held.state {
            machine::State::Retry => State::Retry,
            machine::State::Behind => State::Behind,
            machine::State::Dead => State::Dead,
        };
        let (since, edited) = row.map_or((now, false), |row| (row.since, row.edited));
        let (part, attempts, due) = (self.job.part.clone(), held.attempts, held.due);
        Some(Held { part, event, state, attempts, due, since, errors, edited })
    }

    fn renewed(&self) -> BoxFuture<'static, Answer> {
        let (turn, job) = (self.turn.clone(), Arc::clone(&self.job));
        let epoch = self.claim.epoch;
        Box::pin(async move {
            let Some(live) = turn.at_hand().await else { return Answer::Gone };
            let Some(state) = live.engine.stores()[job.state].eventing() else {
                return Answer::Gone;
            };
            let now = turn.now();
            let span = Span { now, until: turn.lease.until(now), from: 0 };
            match state.claim(&job.place, &job.part, &turn.owner, span).await {
                Ok(claim) if claim.epoch == epoch => Answer::Input(Input::Tick),
                Ok(_) | Err(Refused::Taken { .. }) => Answer::Lost,
                // It holds until its time is over, and the next renewal comes before.
                Err(Refused::Unavailable(_)) => Answer::Input(Input::Tick),
            }
        })
    }
}

/// Waits until what is read by has ended; for ever where it does not end.
async fn ended(ended: Option<watch::Receiver<bool>>) {
    match ended {
        // Whoever would tell is gone: it has ended.
        Some(mut ended) => drop(ended.wait_for(|ended| *ended).await),
        None => std::future::pending().await,
    }
}

/// Others may claim the part from now on. Where that can't be said, they wait for its end.
pub(super) async fn give_back(turn: &Turn, job: &Job, claim: &Claim, position: i64) {
    let Some(live) = turn.at_hand().await else { return };
    let Some(state) = live.engine.stores()[job.state].eventing() else { return };
    let settled = Settled { held: Vec::new(), position, until: turn.now() };
    let _waits = state.settle(&job.place, claim, &settled).await;
}

/// What a read of the log comes to: the events that the consumer hears, and whether there is more.
fn heard(
    live: &Live,
    job: &Job,
    doing: &dyn Doing,
    (after, rows_max): (i64, u32),
    mut read: Vec<Logged>,
) -> Answer {
    let bytes: usize = read.iter().map(|event| event.data.len()).sum();
    let exhausted = read.len() < rows_max as usize && bytes + ROOM_BYTES < READ_BYTES_MAX;
    let last = read.last().map(|event| event.position);
    read.retain(|event| doing.hears(live, job, event));
    Answer::Read { end: last.unwrap_or(after), read, exhausted }
}
