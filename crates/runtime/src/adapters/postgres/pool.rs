//! Connections that write: each for one transaction at a time, at most so many, with a bounded
//! wait for one that is free.

use super::link::{Link, Server};
use super::readers::{Backoff, connect};
use crate::ports::store::Unavailable;
use std::ops::Deref;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// The connections that write to one database.
pub(super) struct Pool {
    server: Server,
    free: Mutex<Free>,
    permits: Arc<Semaphore>,
    waiting: AtomicUsize,
    waiting_max: usize,
    wait_max: Duration,
}

#[derive(Default)]
struct Free {
    links: Vec<Link>,
    backoff: Backoff,
}

/// A connection of one's own. When it is dropped it goes back, if what ran on it was ended.
pub(super) struct Lease {
    link: Option<Link>,
    pool: Arc<Pool>,
    _permit: OwnedSemaphorePermit,
    ended: bool,
}

impl Pool {
    pub(super) fn new(
        server: Server,
        connections: usize,
        waiting_max: usize,
        wait_max: Duration,
    ) -> Self {
        Self {
            server,
            free: Mutex::default(),
            permits: Arc::new(Semaphore::new(connections.max(1))),
            waiting: AtomicUsize::new(0),
            waiting_max,
            wait_max,
        }
    }

    fn free(&self) -> MutexGuard<'_, Free> {
        self.free.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A connection, made where none is free; waits at most so long for its turn.
    pub(super) async fn lease(
        self: &Arc<Self>,
        time_left: Option<Duration>,
    ) -> Result<Lease, Unavailable> {
        let permit = match Arc::clone(&self.permits).try_acquire_owned() {
            Ok(permit) => permit,
            Err(_) => self.wait(time_left).await?,
        };
        let known = {
            let mut free = self.free();
            free.links.retain(|link| !link.is_closed());
            free.links.pop()
        };
        let link = match known {
            Some(link) => link,
            None => self.connect().await?,
        };
        let (link, pool) = (Some(link), Arc::clone(self));
        Ok(Lease { link, pool, _permit: permit, ended: false })
    }

    async fn wait(&self, time_left: Option<Duration>) -> Result<OwnedSemaphorePermit, Unavailable> {
        let waiting = Waiting::new(&self.waiting);
        if waiting.before >= self.waiting_max {
            return Err(Unavailable::Busy);
        }
        let (wait, late) = match time_left {
            Some(left) if left < self.wait_max => (left, Unavailable::Deadline),
            Some(_) | None => (self.wait_max, Unavailable::Busy),
        };
        let turn = Arc::clone(&self.permits).acquire_owned();
        match tokio::time::timeout(wait, turn).await {
            Ok(Ok(permit)) => Ok(permit),
            Ok(Err(_)) => Err(Unavailable::Broken("the store is closed".to_owned())),
            Err(_) => Err(late),
        }
    }

    async fn connect(&self) -> Result<Link, Unavailable> {
        self.free().backoff.check()?;
        match connect(&self.server).await {
            Ok(link) => {
                self.free().backoff = Backoff::default();
                Ok(link)
            }
            Err(why) => Err(self.free().backoff.failed(why)),
        }
    }

    /// Refuses from now on; what runs may end.
    pub(super) fn close(&self) {
        self.permits.close();
        self.free().links.clear();
    }
}

/// Counted while it waits.
struct Waiting<'a> {
    count: &'a AtomicUsize,
    before: usize,
}

impl<'a> Waiting<'a> {
    fn new(count: &'a AtomicUsize) -> Self {
        Self { count, before: count.fetch_add(1, Ordering::Relaxed) }
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.count.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Lease {
    /// The transaction has ended: the connection can serve another.
    pub(super) fn ended(mut self) {
        self.ended = true;
    }
}

impl Deref for Lease {
    type Target = Link;

    fn deref(&self) -> &Link {
        self.link.as_ref().expect("a lease has its connection until it is dropped")
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        if let Some(link) = self.link.take().filter(|link| self.ended && !link.is_closed()) {
            self.pool.free().links.push(link);
        }
    }
}
