//! Ids: UUIDv7 (RFC 9562), ascending within the process.

use crate::ports::clock::Randomness;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

/// Random bytes that are fetched at once.
const POOL_BYTES: usize = 512;

/// Makes ids.
pub(crate) struct Ids {
    randomness: Arc<dyn Randomness>,
    /// The last 60 bits of time given out: milliseconds, then 12 bits of a fraction or count.
    last: AtomicU64,
    pool: Mutex<Pool>,
}

struct Pool {
    bytes: [u8; POOL_BYTES],
    left: usize,
}

impl Ids {
    /// From a source of random bytes.
    pub(crate) fn new(randomness: Arc<dyn Randomness>) -> Self {
        let pool = Mutex::new(Pool { bytes: [0; POOL_BYTES], left: 0 });
        Self { randomness, last: AtomicU64::new(0), pool }
    }

    /// The next id at a time in microseconds since 1970: greater than every one before, also
    /// where the clock steps back.
    pub(crate) fn next(&self, now: i64) -> u128 {
        let micros = u64::try_from(now).unwrap_or(0);
        // 12 bits under the millisecond: 1/4096 ms.
        let wanted = ((micros / 1_000) << 12) | ((micros % 1_000) * 4_096 / 1_000);
        let step = |last: u64| Some(wanted.max(last + 1));
        let last = self.last.fetch_update(Ordering::Relaxed, Ordering::Relaxed, step);
        let time = wanted.max(last.unwrap_or_else(|last| last) + 1);
        let random = u128::from(self.random() >> 2);
        let high = u128::from(time >> 12) << 80 | 7 << 76 | u128::from(time & 0xfff) << 64;
        high | 0b10 << 62 | random
    }

    /// 64 random bits.
    pub(crate) fn random(&self) -> u64 {
        let mut pool = self.pool.lock().unwrap_or_else(PoisonError::into_inner);
        if pool.left < 8 {
            self.randomness.fill(&mut pool.bytes);
            pool.left = POOL_BYTES;
        }
        pool.left -= 8;
        let at = pool.left;
        let mut eight = [0; 8];
        eight.copy_from_slice(&pool.bytes[at..at + 8]);
        u64::from_be_bytes(eight)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ports::clock::SystemRandomness;

    #[test]
    fn ids_ascend_whatever_the_clock_does_and_are_of_version_seven() {
        let ids = Ids::new(Arc::new(SystemRandomness));
        let mut last = 0;
        for now in [1_700_000_000_000_000, 1_700_000_000_000_001, 1_600_000_000_000_000] {
            for _ in 0..5_000 {
                let id = ids.next(now);
                assert!(id > last);
                assert_eq!((id >> 76 & 15, id >> 62 & 3), (7, 2));
                last = id;
            }
        }
        let ids = Ids::new(Arc::new(SystemRandomness));
        assert_eq!(ids.next(1_700_000_000_123_000) >> 80, 1_700_000_000_123);
    }
}
