//! Connections that read: few, shared by all, each with many requests on its way.

use super::error::{is_lost, is_stale, told, unavailable};
use super::link::{Link, Parameter, Server, Session};
use crate::ports::store::Unavailable;
use arc_swap::ArcSwapOption;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
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
    slots: Vec<Arc<Slot>>,
    next: AtomicUsize,
}

#[derive(Default)]
struct Slot {
    link: ArcSwapOption<Link>,
    making: Mutex<Backoff>,
}

/// When the next connection may be tried.
#[derive(Default)]
pub(super) struct Backoff {
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

    pub(super) fn failed(&mut self, why: Unavailable) -> Unavailable {
        let pause = self.pause.map_or(LEFT_ALONE.0, |pause| (pause * 2).min(LEFT_ALONE.1));
        (self.pause, self.until) = (Some(pause), Some(Instant::now() + pause));
        self.why = Some(why.clone());
        why
    }
}

fn was_ended(error: &Error) -> bool {
    error.is_closed() || error.code() == Some(&SqlState::ADMIN_SHUTDOWN)
}

/// Makes a connection on the store's own threads; whoever asks may go away meanwhile.
pub(super) async fn connect(server: &Server) -> Result<Link, Unavailable> {
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
            Err(unavailable(&error))
        }
        Err(_) => Err(Unavailable::Broken("the store is closed".to_owned())),
    }
}

impl Readers {
    pub(super) fn new(server: Server, connections: usize) -> Self {
        let slots = (0..connections.max(1)).map(|_| Arc::default()).collect();
        Self { server, slots, next: AtomicUsize::new(0) }
    }

    /// Reads rows; again on another connection where one is lost.
    pub(super) async fn read(
        &self,
        session: &Session,
        text: &str,
        parameters: &[Parameter<'_>],
    ) -> Result<Vec<Row>, Unavailable> {
        let mut again = 0;
        loop {
            let link = self.link().await?;
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

    /// Makes a connection anew while others serve.
    fn mend(&self, at: usize) {
        let (slot, server) = (Arc::clone(&self.slots[at]), self.server.clone());
        if slot.making.try_lock().is_ok_and(|making| making.check().is_ok()) {
            self.server.runtime.spawn(async move {
                // Whoever needs it finds out why it fails.
                let _made = slot.link(&server).await;
            });
        }
    }

    /// A connection that lives; the next one in turn.
    async fn link(&self) -> Result<Arc<Link>, Unavailable> {
        let at = self.next.fetch_add(1, Ordering::Relaxed) % self.slots.len();
        // One that lives is better than the one whose turn it is.
        for slot in self.slots[at..].iter().chain(&self.slots[..at]) {
            if let Some(link) = slot.link.load_full().filter(|link| !link.is_closed()) {
                if !Arc::ptr_eq(slot, &self.slots[at]) {
                    self.mend(at);
                }
                return Ok(link);
            }
        }
        self.slots[at].link(&self.server).await
    }
}

impl Slot {
    async fn link(&self, server: &Server) -> Result<Arc<Link>, Unavailable> {
        let mut making = self.making.lock().await;
        if let Some(link) = self.link.load_full().filter(|link| !link.is_closed()) {
            return Ok(link);
        }
        making.check()?;
        match connect(server).await {
            Ok(link) => {
                let link = Arc::new(link);
                *making = Backoff::default();
                self.link.store(Some(Arc::clone(&link)));
                Ok(link)
            }
            Err(why) => Err(making.failed(why)),
        }
    }
}
