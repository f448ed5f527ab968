//! Webhooks: events that leave for endpoints which callers registered (Standard Webhooks 1.0).
//!
//! Each endpoint is a consumer of its own, `webhook <id>`: the same machine that reactions run on
//! decides order, retries and dead letters ([`crate::consume`]), and here is what an attempt is.
//! Promised: every event that the endpoint hears from its registration on is delivered at least
//! once, those of a row in their order, but for what was given up after the last attempt. Not
//! promised: that none comes twice. `webhook-id` is the same then.

pub mod guard;
pub mod inbound;
pub(crate) mod registry;
pub(crate) mod send;
pub(crate) mod signature;

use crate::engine::seal::CursorKey;
use crate::ports::webhooks::Endpoint;
use crate::telemetry::metrics::{Counter, Metrics};
use guard::Guard;
use ring::aead::NONCE_LEN;
use send::Answered;
use signature::{KEY_BYTES, Key};
use std::sync::Arc;
use tokio::sync::{Semaphore, watch};

/// Endpoints of a tenant at most.
pub(crate) const TENANT_ENDPOINTS_MAX: u32 = 50;
/// Deliveries that a process makes at a time.
const DELIVERIES_MAX: usize = 64;
/// After a rotation the key before it signs for so long.
pub(crate) const OVERLAP_MICROS: i64 = 24 * 3_600_000_000;
/// Where every attempt failed for so long, the endpoint is disabled.
pub(crate) const FAILING_MICROS_MAX: i64 = 5 * 86_400_000_000;
/// Attempts are remembered so long.
pub(crate) const ATTEMPTS_KEPT_MICROS: i64 = 7 * 86_400_000_000;

/// What of a process deliveries share.
pub struct Hooks {
    /// Where they may go.
    pub(crate) guard: Arc<Guard>,
    /// Places for deliveries under way.
    pub(crate) places: Semaphore,
    /// Counts changes of endpoints that were made by this process.
    changed: watch::Sender<u64>,
    delivered: Arc<Counter>,
    failed: Arc<Counter>,
    disabled: Arc<Counter>,
}

impl Hooks {
    /// Of a guard.
    pub(crate) fn new(guard: Guard, metrics: &Metrics) -> Self {
        let (name, help) = ("mainstay_webhook_attempts_total", "Attempts to deliver an event.");
        let disabled = "Endpoints of webhooks that were disabled because nothing got through.";
        Self {
            guard: Arc::new(guard),
            places: Semaphore::new(DELIVERIES_MAX),
            changed: watch::Sender::new(0),
            delivered: metrics.counter(name, help, "outcome=\"delivered\""),
            failed: metrics.counter(name, help, "outcome=\"failed\""),
            disabled: metrics.counter("mainstay_webhook_endpoints_disabled_total", disabled, ""),
        }
    }

    /// Changes whenever this process changes endpoints.
    pub(crate) fn changes(&self) -> watch::Receiver<u64> {
        self.changed.subscribe()
    }

    /// Endpoints were changed.
    pub(crate) fn change(&self) {
        self.changed.send_modify(|count| *count += 1);
    }

    /// Counts an attempt.
    pub(crate) fn count(&self, answered: &Answered) {
        match answered.error {
            None => self.delivered.add(1),
            Some(_) => self.failed.add(1),
        }
    }

    /// Counts an endpoint that was disabled.
    pub(crate) fn count_disabled(&self) {
        self.disabled.add(1);
    }
}

/// The consumer that an endpoint is.
pub(crate) fn consumer(endpoint: u128) -> Arc<str> {
    format!("webhook {}", crate::json::write::uuid_text(endpoint)).into()
}

/// 32 random bytes.
pub(crate) fn draw(random: impl Fn() -> u64) -> Key {
    let mut key = [0; KEY_BYTES];
    for part in key.chunks_exact_mut(8) {
        part.copy_from_slice(&random().to_be_bytes());
    }
    Key(key)
}

/// A key as it is stored with the endpoint of that id.
pub(crate) fn sealed(
    seals: &CursorKey,
    endpoint: u128,
    key: Key,
    random: impl Fn() -> u64,
) -> Option<String> {
    let mut nonce = [0; NONCE_LEN];
    nonce[..8].copy_from_slice(&random().to_be_bytes());
    nonce[8..].copy_from_slice(&random().to_be_bytes()[..4]);
    seals.seal(nonce, endpoint, &key.0)
}

/// The keys that sign for an endpoint at a time, the newest first; none where they can't be read,
/// for the data has another key than it was written with.
pub(crate) fn keys(seals: &CursorKey, endpoint: &Endpoint, now: i64) -> Option<Vec<Key>> {
    let open = |sealed: &str| {
        let bytes = seals.open(endpoint.id, sealed)?;
        bytes.try_into().ok().map(Key)
    };
    let mut keys = vec![open(&endpoint.secret)?];
    if let Some((previous, _)) = endpoint.previous.as_ref().filter(|(_, until)| *until > now) {
        keys.push(open(previous)?);
    }
    Some(keys)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::Cell;

    #[test]
    fn a_key_is_stored_sealed_and_the_one_before_signs_until_its_time_is_over() {
        let seals = CursorKey::new(&[9; 32]);
        let count = Cell::new(0);
        let random = || {
            count.set(count.get() + 1);
            count.get()
        };
        let (new, old) = (draw(random), draw(random));
        assert_ne!(new, old);
        let seal = |key| sealed(&seals, 7, key, random).expect("sealed");
        let endpoint = Endpoint {
            id: 7,
            secret: seal(new),
            previous: Some((seal(old), 100)),
            ..registry::tests::endpoint(7)
        };
        assert_eq!(keys(&seals, &endpoint, 99), Some(vec![new, old]));
        assert_eq!(keys(&seals, &endpoint, 100), Some(vec![new]));
        assert_eq!(keys(&CursorKey::new(&[8; 32]), &endpoint, 99), None);
        assert_ne!(seal(new), seal(new), "each is sealed with a nonce of its own");
    }
}
