//! How long claims hold.

use std::time::Duration;

/// How long a claim holds where nobody renews it, and how often it is renewed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lease {
    /// As long as a dead process keeps others waiting.
    holds: Duration,
    /// Well within that.
    renewed: Duration,
}

impl Lease {
    /// Where other processes stand by.
    pub const SHARED: Self =
        Self { holds: Duration::from_secs(10), renewed: Duration::from_secs(3) };
    /// Where no other process can be there, and a write less is a disk that sleeps.
    pub const ALONE: Self =
        Self { holds: Duration::from_secs(120), renewed: Duration::from_secs(40) };

    /// Until when a claim of that moment holds, both in microseconds since 1970.
    pub(crate) fn until(self, now: i64) -> i64 {
        now.saturating_add(i64::try_from(self.holds.as_micros()).unwrap_or(i64::MAX))
    }

    /// Between two renewals.
    pub(super) fn renewed(self) -> Duration {
        self.renewed
    }
}
