//! How far fills have come, in the log of a process that has more to say: now and then.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Between two lines, whatever the number of databases.
const EVERY: Duration = Duration::from_secs(1);

/// Lets a line through where none was for a while.
#[derive(Default)]
pub(super) struct Pace(Mutex<Option<Instant>>);

impl Pace {
    /// Rows of a step that are done, of how many.
    pub(super) fn tell(&self, shown: &str, step: &str, done: u64, of: u64) {
        let now = Instant::now();
        {
            let mut last = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            if last.is_some_and(|last| now.duration_since(last) < EVERY) {
                return;
            }
            *last = Some(now);
        }
        tracing::info!("{shown}: {step}: {done} of {of} rows");
    }
}
