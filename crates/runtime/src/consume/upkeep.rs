//! What is over goes: events that everybody has heard and whose time is past, and inbox rows that
//! no delivery can come for any more.

use super::outside::Outside;
use super::turn::Turn;
use crate::engine::backend::Live;
use crate::ports::events::{Place, Progress, Trim};
use crate::ports::store::Unavailable;
use crate::webhooks::{consumer, registry};
use std::sync::Arc;
use std::time::Duration;

/// Between two looks.
const LOOK_EVERY: Duration = Duration::from_secs(60);
/// Rows that one step deletes.
const ROWS_MAX: u32 = 1_000;
/// Between two steps, so that writes of calls go between.
const STEP_PAUSE: Duration = Duration::from_millis(50);
/// An inbox row outlives the event that it is of by so long: who redrives a dead letter in time is
/// still known.
const INBOX_GRACE_MICROS: i64 = 30 * 86_400_000_000;

/// Looks after all logs until another plan is served.
pub(super) async fn run(turn: Turn) {
    loop {
        tokio::select! {
            () = tokio::time::sleep(LOOK_EVERY) => {}
            () = turn.ended() => return,
        }
        loop {
            let Some(live) = turn.live().await else { return };
            let more = look(&live, turn.outside.as_deref(), turn.now()).await;
            drop(live);
            match more {
                Ok(true) => tokio::time::sleep(STEP_PAUSE).await,
                Ok(false) => break,
                Err(why) => {
                    crate::engine::outage::log(&why);
                    break;
                }
            }
        }
    }
}

/// Deletes some of what is over; true where there may be more.
async fn look(live: &Live, outside: Option<&Outside>, now: i64) -> Result<bool, Unavailable> {
    let plan = &live.engine.plan;
    // What an endpoint has yet to be told stays; what comes while it is disabled need not.
    let endpoints = registry::all(&live.engine).await?;
    let hooks: Vec<Arc<str>> = endpoints
        .iter()
        .filter(|endpoint| !endpoint.disabled)
        .map(|endpoint| consumer(endpoint.id))
        .collect();
    let seconds = plan.settings.event_seconds;
    let before = now.saturating_sub((seconds * 1e6) as i64);
    let keep = plan.consumers.replayed(&plan.domain);
    let mut more = false;
    for (service, store) in live.engine.stores().iter().enumerate() {
        let Some(log) = store.eventing() else { continue };
        for place in log.places().await? {
            let position = heard(live, outside, &hooks, service, &place).await?;
            let position = match position {
                Some(position) => position,
                None => log.extent(&place).await?.last,
            };
            let trim = Trim { position, before, keep: keep.clone(), rows_max: ROWS_MAX };
            more |= log.trim(&place, &trim).await? >= u64::from(ROWS_MAX);
            let forgotten = before.saturating_sub(INBOX_GRACE_MICROS);
            more |= log_inbox(live, service, &place, forgotten).await?;
            if let Some(operations) = store.operations() {
                more |= operations.sweep(&place, now, ROWS_MAX).await? >= u64::from(ROWS_MAX);
            }
        }
    }
    Ok(more)
}

async fn log_inbox(
    live: &Live,
    service: usize,
    place: &Place,
    before: i64,
) -> Result<bool, Unavailable> {
    let Some(inbox) = live.engine.stores()[service].eventing() else { return Ok(false) };
    Ok(inbox.forget(place, before, ROWS_MAX).await? >= u64::from(ROWS_MAX))
}

/// Up to where every consumer of a log has settled; none where it has none. Consumers that the
/// model does not have any more hold back nothing.
async fn heard(
    live: &Live,
    outside: Option<&Outside>,
    hooks: &[Arc<str>],
    service: usize,
    place: &Place,
) -> Result<Option<i64>, Unavailable> {
    let plan = &live.engine.plan;
    let source = super::source_name(plan, service, place);
    let mut known: Vec<Progress> = Vec::new();
    for store in live.engine.stores() {
        let Some(state) = store.eventing() else { continue };
        known.extend(state.progress(place).await?);
    }
    known.retain(|progress| *progress.part.source == *source);
    let views = plan.consumers.views.iter().map(|view| Arc::clone(&view.name));
    let mut names: Vec<Arc<str>> = views.chain(hooks.iter().cloned()).collect();
    // A relay that is not known yet will begin where the first of those who react is.
    let relay = outside
        .map(|outside| outside.relay_name(plan, service))
        .filter(|relay| known.iter().any(|progress| progress.part.consumer == *relay));
    match relay {
        // Those who react hear from the broker, which keeps what it has for itself.
        Some(relay) => names.push(relay),
        None => names.extend(plan.consumers.contexts.iter().map(|one| Arc::clone(&one.name))),
    }
    known.retain(|progress| names.contains(&progress.part.consumer));
    Ok(known.iter().map(|progress| progress.position).min())
}

#[cfg(test)]
mod tests;
