//! What follows from events: consumers work through the logs, and each effect happens once.
//!
//! One thread beside those that serve does it, by a task for each part of a consumer's work. A task
//! holds what is served only while it does something with it, so that whoever swaps or pauses the
//! backend waits for one effect at most; when another plan is served, all tasks begin anew with it.

mod doing;
mod effect;
mod event;
mod feed;
mod folding;
mod hook;
mod hooks;
mod jobs;
mod lag;
mod lease;
pub mod letters;
mod outside;
mod part;
pub mod rebuild;
mod relay;
mod schedule;
mod share;
pub mod tail;
pub(crate) mod turn;
mod upkeep;
mod view;
pub mod views;
mod windows;

use crate::engine::backend::Backend;
use doing::{Doing, Reactions};
pub(crate) use effect::row_named;
pub(crate) use event::object;
pub(crate) use hook::{attempt, note};
pub use jobs::register;
use jobs::{Job, Kind, jobs};
pub(crate) use jobs::{source_name, view_part, view_sources};
pub use lease::Lease;
use outside::Outside;
use part::Work;
use relay::Relay;
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

/// Begins the work on a part.
fn begin(turn: &Turn, job: Job, tasks: &mut JoinSet<()>) {
    let turn = turn.clone();
    let doing: Arc<dyn Doing> = match (&job.kind, &turn.outside) {
        (Kind::View, _) => {
            tasks.spawn(Projection::new(turn, job).run());
            return;
        }
        (Kind::Relay { topic, partitions }, Some(outside)) => {
            Arc::new(Relay::new(outside, topic, *partitions))
        }
        (Kind::Relay { .. }, None) => return,
        (Kind::Reactions | Kind::Webhook, _) => Arc::new(Reactions),
    };
    tasks.spawn(Work::new(turn, job, doing).run());
}

/// Works for one plan after the other until it is told to stop.
async fn supervise(
    backend: Arc<Backend>,
    (owner, lease): (Arc<str>, Lease),
    mut stopped: watch::Receiver<bool>,
) {
    let outside = backend.broker().map(|address| Arc::new(Outside::new(address)));
    while !*stopped.borrow() {
        let live = tokio::select! {
            live = backend.live() => live,
            _ = stopped.changed() => break,
        };
        let outside = outside.clone();
        let turn = Turn::new(&backend, live.number, (&owner, lease), stopped.clone(), outside);
        let schedules = live.engine.plan.domain.schedules.len();
        drop(live);
        let mut tasks = JoinSet::new();
        let mut known: BTreeSet<Job> = BTreeSet::new();
        tasks.spawn(upkeep::run(turn.clone()));
        tasks.spawn(lag::run(turn.clone()));
        tasks.spawn(share::run(turn.clone()));
        tasks.spawn(hooks::run(turn.clone()));
        tasks.spawn(crate::operate::run(turn.clone()));
        for at in 0..schedules {
            tasks.spawn(Recurring::new(turn.clone(), at).run());
        }
        while let Some(live) = turn.live().await {
            if let Some(outside) = &turn.outside {
                outside.prepare(&live, turn.now()).await;
            }
            for job in jobs(&live, turn.outside.as_deref()).await {
                if known.insert(job.clone()) {
                    turn.shares.add(&job);
                    begin(&turn, job, &mut tasks);
                }
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
