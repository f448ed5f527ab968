//! Connections that write: each for one transaction at a time, at most so many, with a bounded
//! wait for one that is free.

use super::link::{Link, Server, Session};
use super::readers::{Backoff, connect, wait};
use crate::ports::store::Unavailable;
use crate::worker;
use std::ops::Deref;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// The connections that write to one database.
pub(super) struct Pool {
    server: Server,
    free: Mutex<Free>,
    /// One for each thread that serves: who waits is waked by who works beside it.
    permits: Vec<Arc<Semaphore>>,
    waiting: AtomicUsize,
    waiting_max: usize,
    wait_max: Duration,
}

#[derive(Default)]
struct Free {
    /// Nobody will want them again.
    last: bool,
    /// By share.
    links: Vec<Vec<Link>>,
    backoff: Backoff,
}

/// A connection of one's own. When it is dropped it goes back, if what ran on it was ended.
pub(super) struct Lease {
    link: Option<Link>,
    pool: Arc<Pool>,
    share: usize,
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
        let connections = connections.max(1);
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let shares = cores.min(connections);
        let share = |at| connections / shares + usize::from(at < connections % shares);
        Self {
            server,
            free: Mutex::new(Free {
                links: (0..shares).map(|_| Vec::new()).collect(),
                ..Free::default()
            }),
            permits: (0..shares).map(|at| Arc::new(Semaphore::new(share(at)))).collect(),
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
        self.leased(None, time_left).await
    }

    /// The same, one that is in that session already rather than another.
    pub(super) async fn lease_for(
        self: &Arc<Self>,
        session: &Session,
        time_left: Option<Duration>,
    ) -> Result<Lease, Unavailable> {
        self.leased(Some(session), time_left).await
    }

    async fn leased(
        self: &Arc<Self>,
        session: Option<&Session>,
        time_left: Option<Duration>,
    ) -> Result<Lease, Unavailable> {
        let serving = worker::serving();
        let shares = self.permits.len();
        let own = serving.unwrap_or_default() % shares;
        let taken = (own..shares).chain(0..own).find_map(|share| {
            let permit = Arc::clone(&self.permits[share]).try_acquire_owned();
            permit.ok().map(|permit| (share, permit))
        });
        let (share, permit) = match taken {
            Some(taken) => taken,
            None => (own, self.wait(&self.permits[own], time_left).await?),
        };
        let known = {
            let mut free = self.free();
            let links = &mut free.links[share];
            links.retain(|link| !link.is_closed());
            // To wake another thread costs more than to enter a session. Of equals the last one
            // that was used.
            let worth =
                |link: &Link| (link.is_here(), session.is_some_and(|session| link.is_in(session)));
            let best = links.iter().enumerate().max_by_key(|(_, link)| worth(link));
            best.map(|(at, _)| at).map(|at| links.swap_remove(at))
        };
        let owns = serving == Some(share);
        let link = match known {
            Some(link) if owns && !link.is_here() => self.own_instead(link).await,
            Some(link) => link,
            None => self.connect(time_left).await?,
        };
        let (link, pool) = (Some(link), Arc::clone(self));
        Ok(Lease { link, pool, share, _permit: permit, ended: false })
    }

    /// A connection that this thread drives, for one that another does: made once, it saves two
    /// wakes of another thread for each transaction. Where none can be made the other serves.
    async fn own_instead(&self, other: Link) -> Link {
        if self.free().backoff.check().is_err() {
            return other;
        }
        match connect(&self.server.here()).await {
            Ok(own) => {
                self.free().backoff.succeeded();
                own
            }
            Err(missing) => {
                self.free().backoff.failed(missing);
                other
            }
        }
    }

    async fn wait(
        &self,
        share: &Arc<Semaphore>,
        time_left: Option<Duration>,
    ) -> Result<OwnedSemaphorePermit, Unavailable> {
        let waiting = Waiting::new(&self.waiting);
        if waiting.before >= self.waiting_max {
            return Err(Unavailable::Busy);
        }
        let (wait, late) = match time_left {
            Some(left) if left < self.wait_max => (left, Unavailable::Deadline),
            Some(_) | None => (self.wait_max, Unavailable::Busy),
        };
        let turn = Arc::clone(share).acquire_owned();
        match tokio::time::timeout(wait, turn).await {
            Ok(Ok(permit)) => Ok(permit),
            Ok(Err(_)) => Err(Unavailable::Broken("the store is closed".to_owned())),
            Err(_) => Err(late),
        }
    }

    /// Waits a little for a server that went away.
    async fn connect(&self, time_left: Option<Duration>) -> Result<Link, Unavailable> {
        let start = Instant::now();
        loop {
            let checked = self.free().backoff.check();
            let why = match checked {
                Err(why) => why,
                Ok(()) => match connect(&self.server.here()).await {
                    Ok(link) => {
                        self.free().backoff.succeeded();
                        return Ok(link);
                    }
                    Err(missing) => self.free().backoff.failed(missing),
                },
            };
            let ends =
                |pause: Duration| time_left.is_some_and(|left| start.elapsed() + pause > left);
            let pause = self.free().backoff.again().filter(|pause| !ends(*pause));
            wait(&self.server, pause.ok_or(why)?).await;
        }
    }

    /// Keeps no connection for later any more.
    pub(super) fn hand_over(&self) {
        let mut free = self.free();
        free.last = true;
        free.links.iter_mut().for_each(Vec::clear);
    }

    /// Refuses from now on; what runs may end.
    pub(super) fn close(&self) {
        self.permits.iter().for_each(|share| share.close());
        self.free().links.iter_mut().for_each(Vec::clear);
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
            let mut free = self.pool.free();
            if !free.last {
                free.links[self.share].push(link);
            }
        }
    }
}
