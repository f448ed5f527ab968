//! How far consumers are behind, as metrics.

use super::turn::Turn;
use super::{Job, jobs};
use crate::engine::backend::Live;
use crate::ports::store::Unavailable;
use std::time::Duration;

/// Between two looks.
const LOOK_EVERY: Duration = Duration::from_secs(5);

/// Tells how far every consumer is behind, until another plan is served.
pub(super) async fn run(turn: Turn) {
    loop {
        if let Some(live) = turn.live().await {
            for job in jobs(&live).await {
                // What can't be read now is told later; the store says so itself.
                if let Ok(behind) = behind(&live, &job).await {
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

async fn behind(live: &Live, job: &Job) -> Result<i64, Unavailable> {
    let stores = live.engine.stores();
    let (Some(log), Some(state)) = (stores[job.source].eventing(), stores[job.state].eventing())
    else {
        return Ok(0);
    };
    let last = log.extent(&job.place).await?.last;
    let progress = state.progress(&job.place).await?;
    let own = progress.iter().find(|progress| progress.part == job.part);
    Ok(last.saturating_sub(own.map_or(0, |own| own.position)).max(0))
}
