//! Tells operators of a store or broker that fails: once a minute for each way of failing, with how
//! often.

use crate::ports::store::Unavailable;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Between two lines about one way of failing.
const EVERY: Duration = Duration::from_secs(60);

static FULL: Outage = Outage::new();
static READ_ONLY: Outage = Outage::new();
static BROKEN: Outage = Outage::new();
static BROKER: Outage = Outage::new();
static REQUESTS: Outage = Outage::new();
static NEWER: Outage = Outage::new();

/// Logs why a store could not be used. What is a matter of load or time is no outage.
pub(crate) fn log(unavailable: &Unavailable) {
    let now = Instant::now();
    match unavailable {
        Unavailable::Deadline | Unavailable::Busy => {}
        Unavailable::Full => {
            if let Some(calls) = FULL.due(now) {
                tracing::error!(calls, "the store has no room: free some on its disk");
            }
        }
        Unavailable::ReadOnly => {
            if let Some(calls) = READ_ONLY.due(now) {
                tracing::error!(calls, "the store takes no writes");
            }
        }
        Unavailable::Broken(why) => {
            if let Some(calls) = BROKEN.due(now) {
                tracing::error!(calls, why, "the store cannot be used");
            }
        }
    }
}

/// Logs why a broker could not be used.
pub(crate) fn log_broker(unavailable: &Unavailable) {
    let Unavailable::Broken(why) = unavailable else { return };
    if let Some(calls) = BROKER.due(Instant::now()) {
        tracing::error!(calls, why, "the broker cannot be used: events wait in the log");
    }
}

/// Logs why requests could not be taken from a broker, or answered by it.
pub(crate) fn log_requests(unavailable: &Unavailable) {
    let Unavailable::Broken(why) = unavailable else { return };
    if let Some(calls) = REQUESTS.due(Instant::now()) {
        tracing::error!(calls, why, "the broker cannot be used: no requests are taken from it");
    }
}

/// Logs that an event waits, because the model that is served does not know its version yet.
pub(crate) fn log_newer(event: &str, version: u32) {
    if let Some(times) = NEWER.due(Instant::now()) {
        tracing::warn!(
            times,
            event,
            version,
            "an event waits: its version is newer than the model that this process serves"
        );
    }
}

/// One way of failing.
struct Outage {
    calls: AtomicU64,
    told: Mutex<Option<Instant>>,
}

impl Outage {
    const fn new() -> Self {
        Self { calls: AtomicU64::new(0), told: Mutex::new(None) }
    }

    /// Counts a call that failed; where a line is due, how many failed since the one before.
    fn due(&self, now: Instant) -> Option<u64> {
        self.calls.fetch_add(1, Ordering::Relaxed);
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        if told.is_some_and(|told| now.saturating_duration_since(told) < EVERY) {
            return None;
        }
        *told = Some(now);
        Some(self.calls.swap(0, Ordering::Relaxed))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::Failure;

    #[test]
    fn a_failing_store_is_told_once_a_minute_with_how_many_calls_failed() {
        let (outage, start) = (Outage::new(), Instant::now());
        assert_eq!(outage.due(start), Some(1));
        for second in 1..60 {
            assert_eq!(outage.due(start + Duration::from_secs(second)), None);
        }
        assert_eq!(outage.due(start + EVERY), Some(60));
        assert_eq!(outage.due(start + EVERY), None);
    }

    #[test]
    fn a_store_that_cannot_be_used_says_why_without_a_word_of_where() {
        let ways = [
            Unavailable::Busy,
            Unavailable::Full,
            Unavailable::ReadOnly,
            Unavailable::Broken("disk I/O error in /var/data/shop.db".to_owned()),
        ];
        let told: Vec<String> = ways
            .into_iter()
            .map(|way| {
                let failure = Failure::from(way);
                assert_eq!(failure.kind.status, 503);
                failure.detail.clone().unwrap_or_default()
            })
            .collect();
        expect_test::expect![[r#"
            too many calls wait for the store
            the store has no room left: it takes no writes until some is free
            the store takes no writes
            the store cannot read or write its data"#]]
        .assert_eq(&told.join("\n"));
    }
}
