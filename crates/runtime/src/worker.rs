//! Which of the threads that serve this one is, so that what each has for itself (connections to a
//! store) is found without a lock.

use std::cell::Cell;
use std::sync::atomic::{AtomicUsize, Ordering};

static OTHERS: AtomicUsize = AtomicUsize::new(0);

thread_local! {
    static INDEX: Cell<Option<usize>> = const { Cell::new(None) };
    static SERVES: Cell<bool> = const { Cell::new(false) };
}

/// Says that this thread serves, as number `index` of those that do.
pub(crate) fn serves(index: usize) {
    INDEX.set(Some(index));
    SERVES.set(true);
}

/// The number of this thread where it serves, and has a runtime that lives as long as the server.
pub(crate) fn serving() -> Option<usize> {
    INDEX.get().filter(|_| SERVES.get())
}

/// The number of this thread; one that does not serve is given some number at its first question.
pub(crate) fn index() -> usize {
    INDEX.get().unwrap_or_else(|| {
        let index = OTHERS.fetch_add(1, Ordering::Relaxed);
        INDEX.set(Some(index));
        index
    })
}
