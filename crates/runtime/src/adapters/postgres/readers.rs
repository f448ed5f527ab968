//! Connections that read: few, each with many requests on its way, shared by the calls of one
//! thread. The thread that serves drives its own, so that no answer has to wake another.

use super::error::{is_lost, is_stale, told, unavailable};
use super::link::{Link, Parameter, Server, Session};
use crate::ports::store::Unavailable;
use crate::worker;
use arc_swap::ArcSwapOption;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::Mutex;
use tokio_postgres::error::SqlState;
use tokio_postgres::{Error, Row};

/// Times that a connection is made again where it was ended at once.
const AGAIN_MAX: usize = 2;
/// How long a server that does not answer is left alone, from and to.
const LEFT_ALONE: (Duration, Duration) = (Duration::from_millis(50), Duration::from_millis(500));

/// The connections that read from one database.
pub(super) struct Readers {
    server: Server,
    /// Those of the threads that serve, then one for all others.
    slots: Vec<Arc<Slot>>,
    /// Of one thread.
    share: usize,
    next: AtomicUsize,
    /// A read waits for a server that went away.
    patient: bool,
}

struct Slot {
    link: ArcSwapOption<Link>,
    making: Mutex<Backoff>,
}

/// How long a call waits for a server that went away to come back: a restart takes as long.
/// Counted from when it went; while it stays away longer, calls are refused at once.
const RETURN_MAX: Duration = Duration::from_secs(4);

/// Why there is no connection.
pub(super) struct Missing {
    pub(super) why: Unavailable,
    /// The server is away or on its way: it may answer in a moment.
    pub(super) may_pass: bool,
}

/// Since when a server is away: known to all who share it, so that one of them waits for it and
/// the others do not wait as long again.
#[derive(Default)]
struct Away(std::sync::Mutex<Option<Instant>>);

impl Away {
    fn since(&self) -> MutexGuard<'_, Option<Instant>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// When the next connection may be tried.
#[derive(Default)]
pub(super) struct Backoff {
    away: Arc<Away>,
    pause: Option<Duration>,
    until: Option<Instant>,
    why: Option<Unavailable>,
}

impl Backoff {
    /// Why not yet.
    pub(super) fn check(&self) -> Result<(), Unavailable> {
        match (&self.until, &self.why) {
            (Some(until), Some(why)) if Instant::now() < *until => Err(why.clone()),
            _ => Ok(()),
        }
    }

    pub(super) fn failed(&mut self, missing: Missing) -> Unavailable {
        let Missing { why, may_pass } = missing;
        let mut away = self.away.since();
        *away = may_pass.then(|| away.unwrap_or_else(Instant::now));
        drop(away);
        let pause = self.pause.map_or(LEFT_ALONE.0, |pause| (pause * 2).min(LEFT_ALONE.1));
        (self.pause, self.until) = (Some(pause), Some(Instant::now() + pause));
        self.why = Some(why.clone());
        why
    }

    /// The server is there.
    pub(super) fn succeeded(&mut self) {
        *self.away.since() = None;
        *self = Self { away: Arc::clone(&self.away), ..Self::default() };
    }

    /// How long to wait until the next try, where that may be worth it.
    pub(super) fn again(&self) -> Option<Duration> {
        let away = (*self.away.since())?.elapsed();
        let next = self.until?.saturating_duration_since(Instant::now());
        (away < RETURN_MAX).then_some(next)
    }
}

fn was_ended(error: &Error) -> bool {
    error.is_closed() || error.code() == Some(&SqlState::ADMIN_SHUTDOWN)
}

/// Waits on the store's own threads: the caller's may have no clock.
pub(super) async fn wait(server: &Server, pause: Duration) {
    let waiting = server.runtime.spawn(async move { tokio::time::sleep(pause).await });
    // A store that is closed has nothing to wait for.
    let _waited = waiting.await;
}

/// Makes a connection in a task of its own; whoever asks may go away meanwhile.
pub(super) async fn connect(server: &Server) -> Result<Link, Missing> {
    let connecting = server.clone();
    let made = server.runtime.spawn(async move {
        let mut again = 0;
        loop {
            match connecting.connect().await {
                // It was ended by hand before it was of any use.
                Err(error) if was_ended(&error) => {
                    again += 1;
                    if again > AGAIN_MAX {
                        return Err(error);
                    }
                }
                made => return made,
            }
        }
    });
    let made = made.await;
    match made {
        Ok(Ok(link)) => Ok(link),
        Ok(Err(error)) => {
            let why = told(&error);
            tracing::warn!(server = server.address.shown(), why, "PostgreSQL can't be reached");
            Err(Missing { why: unavailable(&error), may_pass: is_lost(&error) })
        }
        Err(_) => {
            let why = Unavailable::Broken("the store is closed".to_owned());
            Err(Missing { why, may_pass: false })
        }
    }
}

impl Readers {
    pub(super) fn new(server: Server, connections: usize) -> Self {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let share = (connections / cores).max(1);
        let away = Arc::<Away>::default();
        let slot = |_| {
            let backoff = Backoff { away: Arc::clone(&away), ..Backoff::default() };
            Arc::new(Slot { link: ArcSwapOption::empty(), making: Mutex::new(backoff) })
        };
        let slots = (0..connections.max(1) + 1).map(slot).collect();
        Self { server, slots, share, next: AtomicUsize::new(0), patient: false }
    }

    /// Of a server that nothing can stand in for: reads wait a little for it to come back.
    pub(super) fn patient(self) -> Self {
        Self { patient: true, ..self }
    }

    /// Reads rows; again on another connection where one is lost.
    pub(super) async fn read(
        &self,
        session: &Session,
        text: &str,
        parameters: &[Parameter<'_>],
    ) -> Result<Vec<Row>, Unavailable> {
        let patience = if self.patient { session.millis } else { 0 };
        self.read_within(Duration::from_millis(patience), session, text, parameters).await
    }

    /// The same, waiting at most so long for a server that went away.
    pub(super) async fn read_within(
        &self,
        patience: Duration,
        session: &Session,
        text: &str,
        parameters: &[Parameter<'_>],
    ) -> Result<Vec<Row>, Unavailable> {
        let (mut again, start) = (0, Instant::now());
        loop {
            let link = self.link(session, patience.saturating_sub(start.elapsed())).await?;
            let error = match link.read(session, text, parameters).await {
                Ok(rows) => return Ok(rows),
                Err(error) => error,
            };
            let stale = is_stale(&error);
            if stale {
                link.forget();
            }
            // All of them may have been ended at once.
            if again > self.slots.len() || !(stale || is_lost(&error)) {
                return Err(unavailable(&error));
            }
            again += 1;
        }
    }

    /// Opens the connections of this thread.
    pub(super) async fn warm(&self) {
        let server = self.server.here();
        let own = self.own().1.iter().map(|slot| slot.link(&server, Duration::ZERO));
        // Whoever needs one finds out why it fails.
        let _opened = futures::future::join_all(own).await;
    }

    /// Where the connections of this thread begin, and they.
    fn own(&self) -> (usize, &[Arc<Slot>]) {
        let others = self.slots.len() - 1;
        let of = |index: usize| index % (others / self.share) * self.share;
        let (first, share) = worker::serving().map_or((others, 1), |at| (of(at), self.share));
        (first, &self.slots[first..first + share])
    }

    /// Connections that are open.
    #[cfg(test)]
    pub(super) fn opened(&self) -> usize {
        self.slots.iter().filter(|slot| slot.link.load().is_some()).count()
    }

    /// Makes a connection anew while others serve.
    fn mend(&self, at: usize) {
        let (slot, server) = (Arc::clone(&self.slots[at]), self.server.here());
        if slot.making.try_lock().is_ok_and(|making| making.check().is_ok()) {
            server.runtime.clone().spawn(async move {
                // Whoever needs it finds out why it fails.
                let _made = slot.link(&server, Duration::ZERO).await;
            });
        }
    }

    /// A connection of this thread that lives: the one with the least to do before this.
    async fn link(&self, session: &Session, patience: Duration) -> Result<Arc<Link>, Unavailable> {
        let (first, own) = self.own();
        let turn = self.next.fetch_add(1, Ordering::Relaxed) % own.len();
        let live = |slot: &Slot| slot.link.load_full().filter(|link| !link.is_closed());
        let in_turn = own[turn..].iter().chain(&own[..turn]);
        let found = in_turn.filter_map(|slot| live(slot)).min_by_key(|link| link.load(session));
        let Some(found) = found else {
            return own[turn].link(&self.server.here(), patience).await;
        };
        // One that lives is better than the one whose turn it is.
        if live(&own[turn]).is_none() {
            self.mend(first + turn);
        }
        Ok(found)
    }
}

impl Slot {
    async fn link(&self, server: &Server, patience: Duration) -> Result<Arc<Link>, Unavailable> {
        let start = Instant::now();
        loop {
            let mut making = self.making.lock().await;
            if let Some(link) = self.link.load_full().filter(|link| !link.is_closed()) {
                return Ok(link);
            }
            let why = match making.check() {
                Err(why) => why,
                Ok(()) => match connect(server).await {
                    Ok(link) => {
                        let link = Arc::new(link);
                        making.succeeded();
                        self.link.store(Some(Arc::clone(&link)));
                        return Ok(link);
                    }
                    Err(missing) => making.failed(missing),
                },
            };
            let pause = making.again().filter(|pause| start.elapsed() + *pause < patience);
            drop(making);
            wait(server, pause.ok_or(why)?).await;
        }
    }
}
