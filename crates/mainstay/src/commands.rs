//! The verbs: one file each, one function each, which returns data and prints nothing.

pub(crate) mod check;
pub(crate) mod design;
pub(crate) mod explain;
pub(crate) mod export;
pub(crate) mod fmt;
pub(crate) mod token;
pub(crate) mod up;

/// Microseconds since 1970.
pub(crate) fn now() -> i64 {
    use runtime::ports::clock::{Clock, SystemClock};
    SystemClock.now()
}
