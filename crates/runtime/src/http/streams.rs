//! What is watched on an HTTP/2 connection: that requests come, that answers are taken, and that
//! the client does not open streams only to abandon them.

use super::config::Limits;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::{Notify, Semaphore};
use tokio::time::Instant;

/// Abandoned calls are counted over this time.
const ABANDONED_WINDOW: Duration = Duration::from_secs(10);
/// A body that waits for the backend, not for the client.
const OURS: u64 = u64::MAX;

/// The streams of one HTTP/2 connection.
#[derive(Debug)]
pub(super) struct Streams {
    began: Instant,
    served: AtomicU32,
    active: AtomicU32,
    /// Milliseconds after `began` when the last call or body ended.
    idle_since: AtomicU64,
    bodies: Mutex<Vec<Option<u64>>>,
    abandoned: Mutex<(Instant, u32)>,
    abandoned_max: u32,
    pub(super) alarm: Notify,
    /// Bodies that may be read at one time.
    pub(super) bodies_share: Semaphore,
}

/// What to do with a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Nothing.
    Go,
    /// GOAWAY, then the end.
    End,
    /// The end at once.
    Cut,
}

impl Streams {
    pub(super) fn new(limits: &Limits) -> Self {
        let began = Instant::now();
        Self {
            began,
            served: AtomicU32::new(0),
            active: AtomicU32::new(0),
            idle_since: AtomicU64::new(0),
            bodies: Mutex::new(Vec::new()),
            abandoned: Mutex::new((began, 0)),
            abandoned_max: limits.abandoned_max,
            alarm: Notify::new(),
            bodies_share: Semaphore::new(limits.bodies_per_connection_max),
        }
    }

    fn now(&self) -> u64 {
        u64::try_from(self.began.elapsed().as_millis()).unwrap_or(OURS - 1)
    }

    /// A call begins; it is abandoned where the guard is dropped without [`Call::done`].
    pub(super) fn begin(self: &Arc<Self>) -> Call {
        self.served.fetch_add(1, Relaxed);
        self.active.fetch_add(1, Relaxed);
        Call { streams: self.clone(), done: false }
    }

    /// A body begins.
    pub(super) fn ticket(self: &Arc<Self>) -> Ticket {
        let now = self.now();
        let mut bodies = self.bodies.lock().unwrap_or_else(PoisonError::into_inner);
        let slot = bodies.iter().position(Option::is_none).unwrap_or(bodies.len());
        if slot == bodies.len() {
            bodies.push(None);
        }
        bodies[slot] = Some(now);
        Ticket { streams: self.clone(), slot }
    }

    /// Looks at the connection; asked several times within each limit.
    pub(super) fn verdict(&self, limits: &Limits) -> Verdict {
        let now = self.now();
        let over = |since: u64, limit: Duration| {
            since != OURS && Duration::from_millis(now.saturating_sub(since)) >= limit
        };
        let bodies = self.bodies.lock().unwrap_or_else(PoisonError::into_inner);
        if bodies.iter().flatten().any(|since| over(*since, limits.write_stall)) {
            return Verdict::Cut;
        }
        if self.active.load(Relaxed) > 0 || bodies.iter().any(Option::is_some) {
            return Verdict::Go;
        }
        drop(bodies);
        if self.served.load(Relaxed) == 0 {
            return if over(0, limits.header_timeout) { Verdict::Cut } else { Verdict::Go };
        }
        match over(self.idle_since.load(Relaxed), limits.idle_timeout) {
            true => Verdict::End,
            false => Verdict::Go,
        }
    }

    fn abandon(&self) {
        let mut abandoned = self.abandoned.lock().unwrap_or_else(PoisonError::into_inner);
        if abandoned.0.elapsed() > ABANDONED_WINDOW {
            *abandoned = (Instant::now(), 0);
        }
        abandoned.1 += 1;
        if abandoned.1 == self.abandoned_max + 1 {
            self.alarm.notify_one();
        }
    }
}

/// A call of the service.
#[derive(Debug)]
pub(super) struct Call {
    streams: Arc<Streams>,
    done: bool,
}

impl Call {
    /// The service has answered.
    pub(super) fn done(mut self) {
        self.done = true;
    }
}

impl Drop for Call {
    fn drop(&mut self) {
        self.streams.active.fetch_sub(1, Relaxed);
        self.streams.idle_since.store(self.streams.now(), Relaxed);
        if !self.done {
            self.streams.abandon();
        }
    }
}

/// A body on its way.
#[derive(Debug)]
pub(super) struct Ticket {
    streams: Arc<Streams>,
    slot: usize,
}

impl Ticket {
    /// The client has taken what was there; `ours` where the backend has no more yet.
    pub(super) fn moved(&self, ours: bool) {
        let now = if ours { OURS } else { self.streams.now() };
        let mut bodies = self.streams.bodies.lock().unwrap_or_else(PoisonError::into_inner);
        bodies[self.slot] = Some(now);
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        let mut bodies = self.streams.bodies.lock().unwrap_or_else(PoisonError::into_inner);
        bodies[self.slot] = None;
        self.streams.idle_since.store(self.streams.now(), Relaxed);
    }
}
