//! What there is to work on: a part for each consumer, log and place, and where its events come
//! from.

use super::outside::Outside;
use crate::engine::backend::Live;
use crate::plan::Plan;
use crate::plan::consumers::Consumer;
use crate::ports::events::{HeldQuery, Part, Place, Refused, Span};
use crate::ports::store::{Store, Unavailable};
use ir::domain::ContextId;
use std::collections::BTreeSet;
use std::sync::Arc;

/// A consumer's work on one log: everything that stays the same.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Job {
    pub(super) part: Part,
    pub(super) kind: Kind,
    /// By index among those of the plan that are of its kind.
    pub(super) consumer: usize,
    /// The service whose log it is, and where.
    pub(super) source: usize,
    pub(super) place: Place,
    /// The service that takes the effects.
    pub(super) state: usize,
    pub(super) feed: Feed,
}

/// Who works on it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Kind {
    /// The reactions of a context.
    Reactions,
    /// A view.
    View,
    /// The endpoint of a webhook.
    Webhook,
    /// The relay to a broker.
    Relay {
        /// Where events go.
        topic: Arc<str>,
        /// How many partitions it has.
        partitions: u32,
    },
}

/// Where events come from.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Feed {
    /// The log.
    Log,
    /// A partition of a topic at the broker.
    Topic {
        /// Its name.
        topic: Arc<str>,
        /// Which.
        partition: u32,
    },
    /// Nothing comes any more this way: what is held is brought to an end, and the position stays.
    Held,
}

/// All that is to be worked on.
pub(super) async fn jobs(live: &Live, outside: Option<&Outside>) -> Vec<Job> {
    let plan = &live.engine.plan;
    let consumers = &plan.consumers;
    let mut jobs = Vec::new();
    let all = consumers.contexts.iter().enumerate().map(|(at, one)| (Kind::Reactions, at, one));
    let all = all.chain(consumers.views.iter().enumerate().map(|(at, one)| (Kind::View, at, one)));
    for (kind, at, consumer) in all {
        // A view is folded from the log, which it is rebuilt from too.
        if kind == Kind::Reactions && outside.is_some() {
            continue;
        }
        for source in sources(plan, consumer) {
            let Some(log) = live.engine.stores()[source].eventing() else { continue };
            // Whatever can't be listed now is looked for again.
            for place in log.places().await.unwrap_or_default() {
                let part = part(plan, consumer, source, &place);
                let (kind, state) = (kind.clone(), plan.service_of(consumer.context));
                jobs.push(Job { part, kind, consumer: at, source, place, state, feed: Feed::Log });
            }
        }
    }
    if let Some(outside) = outside {
        jobs.extend(outside.jobs(live).await);
    }
    jobs.extend(left(live, &jobs).await);
    jobs
}

/// Parts of reactions that events come to by another way now, with a broker or without, while there
/// are held ones among them.
async fn left(live: &Live, jobs: &[Job]) -> Vec<Job> {
    let plan = &live.engine.plan;
    let mut left = Vec::new();
    for (at, consumer) in plan.consumers.contexts.iter().enumerate() {
        let state = plan.service_of(consumer.context);
        let Some(kept) = live.engine.stores()[state].eventing() else { continue };
        for place in kept.places().await.unwrap_or_default() {
            for progress in kept.progress(&place).await.unwrap_or_default() {
                let part = progress.part;
                if part.consumer != consumer.name || jobs.iter().any(|job| job.part == part) {
                    continue;
                }
                let query =
                    HeldQuery { part: Some(part.clone()), rows_max: 1, ..HeldQuery::default() };
                if kept.held(&place, &query).await.is_ok_and(|held| !held.is_empty()) {
                    let (kind, feed, place) = (Kind::Reactions, Feed::Held, place.clone());
                    left.push(Job { part, kind, consumer: at, source: state, place, state, feed });
                }
            }
        }
    }
    left
}

/// The services whose logs a consumer reads.
pub(super) fn sources(plan: &Plan, consumer: &Consumer) -> BTreeSet<usize> {
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

pub(super) fn part(plan: &Plan, consumer: &Consumer, source: usize, place: &Place) -> Part {
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
