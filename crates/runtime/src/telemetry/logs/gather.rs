//! Lines on their way to the writer, gathered: under load the thread that writes wakes a hundred
//! times a second, not once a line, for each wake is a switch of context on a busy core.

use super::LINES_MAX;
use std::io::Write;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// How long lines are gathered before they are written.
const GATHERED: Duration = Duration::from_millis(10);

/// Lines that wait.
#[derive(Debug, Default)]
pub(super) struct Gather {
    state: Mutex<State>,
    /// There is something to write at once, or nothing more comes.
    news: Condvar,
    /// Everything was written.
    done: Condvar,
}

#[derive(Debug, Default)]
struct State {
    bytes: Vec<u8>,
    lines: usize,
    /// The writer waits for the first line.
    idle: bool,
    /// Something is not to wait for what else may come.
    urgent: bool,
    /// The writer writes what it took.
    writing: bool,
    closed: bool,
}

impl Gather {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Brings a line; false where too many wait.
    pub(super) fn put(&self, line: &[u8], urgent: bool) -> bool {
        let mut state = self.state();
        if state.lines >= LINES_MAX {
            return false;
        }
        state.bytes.extend_from_slice(line);
        state.lines += 1;
        let wakes = std::mem::take(&mut state.idle) || (urgent && !state.urgent);
        state.urgent |= urgent;
        drop(state);
        if wakes {
            self.news.notify_one();
        }
        true
    }

    /// Writes what comes until nothing more does.
    pub(super) fn write_to(&self, mut out: impl Write) {
        let mut taken = Vec::new();
        let mut state = self.state();
        loop {
            while state.bytes.is_empty() && !state.closed {
                state.idle = true;
                self.done.notify_all();
                state = self.news.wait(state).unwrap_or_else(PoisonError::into_inner);
            }
            if state.bytes.is_empty() {
                self.done.notify_all();
                return;
            }
            (state.idle, state.urgent, state.writing, state.lines) = (false, false, true, 0);
            std::mem::swap(&mut state.bytes, &mut taken);
            drop(state);
            // Nobody is left to be told when standard error is gone.
            let _gone = out.write_all(&taken).and_then(|()| out.flush());
            taken.clear();
            state = self.state();
            state.writing = false;
            let more = |state: &mut State| !state.urgent && !state.closed;
            let waited = self.news.wait_timeout_while(state, GATHERED, more);
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// Waits until what was brought is written, or so long.
    pub(super) fn flush(&self, most: Duration) {
        let until = Instant::now() + most;
        let mut state = self.state();
        state.urgent = true;
        self.news.notify_one();
        while !state.bytes.is_empty() || state.writing {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return;
            }
            let waited = self.done.wait_timeout(state, left);
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// Nothing more comes.
    pub(super) fn close(&self) {
        self.state().closed = true;
        self.news.notify_one();
    }
}
