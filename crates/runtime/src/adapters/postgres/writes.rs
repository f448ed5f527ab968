//! Whether the server takes writes, as operators are told: what the last commit met, and what the
//! looks of readiness see.

use crate::ports::store::{CommitError, Unavailable};
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

/// Why it takes none.
#[derive(Default)]
pub(super) struct Writes {
    full: AtomicBool,
    read_only: AtomicBool,
}

impl Writes {
    /// Notes how a commit ended.
    pub(super) fn note(&self, done: &Result<(), CommitError>) {
        match done {
            Ok(()) => {
                set(&self.full, false);
                set(&self.read_only, false);
            }
            Err(CommitError::Unavailable(Unavailable::Full)) => set(&self.full, true),
            Err(CommitError::Unavailable(Unavailable::ReadOnly)) => set(&self.read_only, true),
            Err(_) => {}
        }
    }

    /// Notes what a look saw.
    pub(super) fn saw(&self, read_only: bool) {
        set(&self.read_only, read_only);
    }

    /// The error is why not.
    pub(super) fn told(&self) -> Result<(), Unavailable> {
        match (self.full.load(Relaxed), self.read_only.load(Relaxed)) {
            (_, true) => Err(Unavailable::ReadOnly),
            (true, false) => Err(Unavailable::Full),
            (false, false) => Ok(()),
        }
    }
}

/// Commits of all threads come by here: they write only what changes.
fn set(flag: &AtomicBool, value: bool) {
    if flag.load(Relaxed) != value {
        flag.store(value, Relaxed);
    }
}
