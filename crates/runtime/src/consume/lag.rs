//! How far consumers are behind, as metrics.

use super::jobs::{Feed, Job, jobs};
use super::outside::Outside;
use super::turn::Turn;
use crate::engine::backend::Live;
use crate::ports::store::Unavailable;
use std::time::Duration;

/// Between two looks.
const LOOK_EVERY: Duration = Duration::from_secs(5);

/// Tells how far every consumer is behind, until another plan is served.
pub(super) async fn run(turn: Turn) {
    loop {
        if let Some(live) = turn.live().await {
            let outside = turn.outside.as_deref();
            for job in jobs(&live, outside).await {
                // What can't be read now is told later; the store says so itself.
                if let Ok(behind) = behind(&live, outside, &job).await {
                    let help = "Numbers of the log that a consumer is behind its end.";
                    turn.gauge("mainstay_consumer_lag_events", help, &job.part).set(behind);
                }
            }
        }
        tokio::select! {
            () = tokio::time::sleep(LOOK_EVERY) => {}
            () = turn.ended() => return,
        }
    }
}

async fn behind(live: &Live, outside: Option<&Outside>, job: &Job) -> Result<i64, Unavailable> {
    let stores = live.engine.stores();
    let (Some(log), Some(state)) = (stores[job.source].eventing(), stores[job.state].eventing())
    else {
        return Ok(0);
    };
    let progress = state.progress(&job.place).await?;
    let own = progress.iter().find(|progress| progress.part == job.part);
    let position = own.map_or(0, |own| own.position);
    match (&job.feed, outside) {
        (Feed::Log, _) => {
            let last = log.extent(&job.place).await?.last;
            Ok(last.saturating_sub(position).max(0))
        }
        (Feed::Topic { topic, .. }, Some(outside)) => {
            let waiting = outside.waiting(&job.part, topic, position).await?;
            Ok(i64::try_from(waiting).unwrap_or(i64::MAX))
        }
        (Feed::Topic { .. }, None) | (Feed::Held, _) => Ok(0),
    }
}
