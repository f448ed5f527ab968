//! What a consumer does about an event: reactions are one thing, deliveries another; order, retries
//! and dead letters are the same for both ([`super::part`]).

use super::jobs::Job;
use super::part::STORE_PAUSE;
use super::turn::Turn;
use crate::engine::Failure;
use crate::engine::backend::Live;
use crate::integrations::{Answer, Missed};
use crate::ports::events::Logged;
use crate::problem::kinds;
use crate::upcast;
use futures::future::BoxFuture;
use kernel::consumer::{self as machine, Settings};
use std::sync::Arc;

/// What a consumer does about events.
pub(super) trait Doing: Send + Sync {
    /// It has gauges of its own: there are few of it.
    fn is_measured(&self) -> bool;

    /// How it works through them.
    fn settings(&self) -> Settings;

    /// True where it does something about that one, and the log is that of the event's service: on
    /// one server all services keep theirs together.
    fn hears(&self, live: &Live, job: &Job, event: &Logged) -> bool;

    /// Does it. While the store can't, it is no attempt. `held`: the event has a row of its own,
    /// which is gone when it is done.
    fn effect(
        self: Arc<Self>,
        turn: Turn,
        job: Arc<Job>,
        event: Logged,
        held: bool,
    ) -> BoxFuture<'static, Outcome>;
}

/// What it came to.
pub(super) enum Outcome {
    /// It is done.
    Done,
    /// It is not.
    Failed(Fault),
    /// Another plan is served, or none any more.
    Gone,
}

/// Why an effect was not done.
pub(super) struct Fault {
    /// Slug of the problem type.
    pub(super) problem: String,
    /// What was wrong.
    pub(super) detail: String,
    /// Whether it may be done later.
    pub(super) failure: machine::Failure,
}

/// Messages of reactions that run at once.
const REACTIONS_MAX: usize = 64;

/// The reactions of a context.
pub(super) struct Reactions;

impl Doing for Reactions {
    fn is_measured(&self) -> bool {
        true
    }

    fn settings(&self) -> Settings {
        Settings { in_flight_max: REACTIONS_MAX, ..Settings::default() }
    }

    fn hears(&self, live: &Live, job: &Job, event: &Logged) -> bool {
        let plan = &live.engine.plan;
        plan.hears(&plan.consumers.contexts[job.consumer], job.source, event)
    }

    fn effect(
        self: Arc<Self>,
        turn: Turn,
        job: Arc<Job>,
        event: Logged,
        held: bool,
    ) -> BoxFuture<'static, Outcome> {
        Box::pin(async move {
            if let Err(outcome) = called(&turn, job.consumer, &event).await {
                return outcome;
            }
            loop {
                let Some(live) = turn.at_hand().await else { return Outcome::Gone };
                let done = live.engine.consume(job.consumer, job.state, &event, held).await;
                drop(live);
                match done {
                    Ok(()) => return Outcome::Done,
                    Err(failure) if failure.kind == kinds::UNAVAILABLE => {
                        tokio::time::sleep(STORE_PAUSE).await;
                    }
                    Err(failure) => return Outcome::Failed(fault(&failure)),
                }
            }
        })
    }
}

/// Calls outside what a reaction to an event calls there. Where it dies behind that, the same is
/// called once more, by the same key.
async fn called(turn: &Turn, consumer: usize, event: &Logged) -> Result<(), Outcome> {
    let Some(live) = turn.at_hand().await else { return Err(Outcome::Gone) };
    if upcast::is_newer(&live.engine.plan, event) {
        return Err(newer(turn, live, event).await);
    }
    let integrations = Arc::clone(&live.integrations);
    let outgoing = live.engine.outgoing(consumer, event, &integrations);
    drop(live);
    let outgoing = outgoing.map_err(|failure| Outcome::Failed(fault(&failure)))?;
    let Some(outgoing) = outgoing else { return Ok(()) };
    let (problem, detail, failure) = match integrations.call(&outgoing, turn.now()).await {
        Answer::Done(_) => return Ok(()),
        Answer::Refused(status, name) => {
            let detail = format!("{} answered {status}: {name}", integrations.name(&outgoing));
            (kinds::OUTSIDE_REFUSED, detail, machine::Failure::Poison)
        }
        Answer::Missed(Missed { detail, again, retry_after }) => {
            let later = machine::Failure::Transient { retry_after_micros: retry_after };
            let failure = if again { later } else { machine::Failure::Poison };
            (kinds::OUTSIDE_FAILED, detail, failure)
        }
    };
    Err(Outcome::Failed(Fault { problem: problem.slug.to_owned(), detail, failure }))
}

/// An event of a version that the model does not know yet waits for as long as that model is
/// served; then it is held, to be tried by whoever serves the newer one.
pub(super) async fn newer(turn: &Turn, live: Arc<Live>, event: &Logged) -> Outcome {
    let why = upcast::current(&live.engine.plan, event).err();
    let why = why.map(|why| why.detail()).unwrap_or_default();
    drop(live);
    turn.ended().await;
    let failure = machine::Failure::Transient { retry_after_micros: None };
    Outcome::Failed(Fault { problem: kinds::UNAVAILABLE.slug.to_owned(), detail: why, failure })
}

/// What the engine answered, as it is kept.
pub(super) fn fault(failure: &Failure) -> Fault {
    let faults = failure.errors.iter().map(|fault| format!("{}: {}", fault.at, fault.detail));
    let detail: Vec<String> = failure.detail.iter().cloned().chain(faults).collect();
    let detail = match detail.is_empty() {
        true => failure.kind.title.to_owned(),
        false => detail.join("; "),
    };
    let problem = failure.kind.slug.to_owned();
    let failure = match failure.kind.status {
        400 | 403 | 413 | 415 | 422 => machine::Failure::Poison,
        _ => machine::Failure::Transient { retry_after_micros: None },
    };
    Fault { problem, detail, failure }
}
