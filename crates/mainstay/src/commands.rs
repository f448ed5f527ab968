//! The verbs: one file each, one function each, which returns data and prints nothing.

use crate::failure::{Failure, Outcome};

pub(crate) mod audit;
pub(crate) mod backup;
pub(crate) mod check;
#[cfg(unix)]
pub(crate) mod control;
pub(crate) mod dead_letters;
pub(crate) mod design;
pub(crate) mod erase;
pub(crate) mod events;
pub(crate) mod explain;
pub(crate) mod export;
pub(crate) mod fmt;
mod home;
pub(crate) mod key;
pub(crate) mod migrate;
pub(crate) mod moving;
mod place;
pub(crate) mod tenant;
pub(crate) mod token;
pub(crate) mod up;
pub(crate) mod views;

/// Microseconds since 1970.
pub(crate) fn now() -> i64 {
    use runtime::ports::clock::{Clock, SystemClock};
    SystemClock.now()
}

/// Waits for work that is asynchronous in the libraries, on this thread.
pub(crate) fn wait<T>(work: impl Future<Output = T>) -> Outcome<T> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime
        .map_err(|cause| Failure::new("can't wait for events of the system").caused_by(cause))?;
    Ok(runtime.block_on(work))
}
