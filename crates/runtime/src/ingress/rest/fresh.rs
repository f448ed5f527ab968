//! `Prefer: wait=5` (RFC 7240) on a view: the answer waits until all that happened before the
//! request is in the rows, for so many seconds at most. So who wrote reads what came of it.

use super::Asked;
use crate::consume;
use crate::engine::Failure;
use crate::engine::backend::Live;
use crate::http::Request;
use crate::ports::events::Place;
use std::time::Duration;
use tokio::time::Instant;

/// Seconds that are waited for at most, whatever is asked for.
const WAIT_SECONDS_MAX: u64 = 60;
/// Of the time that a request has, so much may go by waiting.
const WAITING_SHARE: f64 = 0.8;
/// Other processes fold too, and tell nobody here.
const LOOK_EVERY: Duration = Duration::from_millis(25);

/// Seconds that the client is ready to wait; none where it says nothing of it.
fn wanted(request: &Request) -> Option<u64> {
    let values = request.headers.get_all("prefer").iter().filter_map(|value| value.to_str().ok());
    let mut preferences = values.flat_map(|value| value.split([',', ';'])).map(str::trim);
    preferences.find_map(|preference| {
        let (name, seconds) = preference.split_once('=')?;
        let seconds = seconds.trim().trim_matches('"').parse::<u64>().ok()?;
        name.trim().eq_ignore_ascii_case("wait").then(|| seconds.min(WAIT_SECONDS_MAX))
    })
}

impl Asked<'_> {
    /// Waits for a view where the client asks for that; the preference that was honoured.
    pub(super) async fn caught_up(&self, view: usize) -> Result<Option<String>, Failure> {
        let Some(seconds) = wanted(self.request) else { return Ok(None) };
        // What is there is better than no answer: some time is left to give it.
        let left = self.request.remaining().mul_f64(WAITING_SHARE);
        let until = Instant::now() + Duration::from_secs(seconds).min(left);
        let ends = ends(self.live, view, &self.call.tenant).await?;
        let mut folded = self.live.engine.shared.projected.subscribe();
        loop {
            if reached(self.live, view, &ends).await? {
                return Ok(Some(format!("wait={seconds}")));
            }
            if Instant::now() >= until {
                return Ok(None);
            }
            let next = (Instant::now() + LOOK_EVERY).min(until);
            // Either way it is looked again.
            let _either = tokio::time::timeout_at(next, folded.changed()).await;
        }
    }
}

/// Where the logs end that a view is made of: service, place, position.
async fn ends(
    live: &Live,
    view: usize,
    tenant: &Place,
) -> Result<Vec<(usize, Place, i64)>, Failure> {
    let mut ends = Vec::new();
    for source in consume::view_sources(&live.engine.plan, view) {
        let Some(log) = live.engine.stores()[source].eventing() else { continue };
        for place in log.places().await? {
            if place.is_none() || place == *tenant {
                let last = log.extent(&place).await?.last;
                ends.push((source, place, last));
            }
        }
    }
    Ok(ends)
}

async fn reached(live: &Live, view: usize, ends: &[(usize, Place, i64)]) -> Result<bool, Failure> {
    let plan = &live.engine.plan;
    for (source, place, last) in ends {
        let part = consume::view_part(plan, view, *source, place);
        let here = live.engine.shared.projected.borrow().get(&part).copied();
        if here.is_some_and(|position| position >= *last) {
            continue;
        }
        let state = live.engine.store(plan.domain.view_rows(view)).eventing();
        let Some(state) = state else { continue };
        let progress = state.progress(place).await?;
        let position = progress.iter().find(|progress| progress.part == part);
        if position.map_or(0, |progress| progress.position) < *last {
            return Ok(false);
        }
    }
    Ok(true)
}
