//! Who is told that there may be new events: by commits of this process at once, by others when
//! they have numbered theirs, and by a look now and then, for a process may die before it has.

use crate::adapters::postgres::base::Base;
use crate::adapters::postgres::error::told;
use crate::adapters::postgres::place::Places;
use futures::{FutureExt, StreamExt};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;
use tokio::sync::watch;
use tokio_postgres::{AsyncMessage, Error};

/// Seconds between two looks at what has no number.
const EVENTS_LOOK_SECONDS: u64 = 1;
/// Looks after which databases that nobody uses may have new events too.
const LOOKS_MAX: u32 = 60;
/// How long between two attempts to listen, from and to.
const PAUSES: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(10));
const LISTEN: &str = "LISTEN \"mainstay_events\"";
const UNNUMBERED: &str = "SELECT 1 FROM \"mainstay\".\"outbox\" WHERE \"number\" IS NULL LIMIT 1";

/// What is told to those who wait for events.
#[derive(Default)]
pub(in super::super) struct Listening {
    times: watch::Sender<u64>,
    begun: AtomicBool,
}

impl Listening {
    /// There may be new events.
    pub(in super::super) fn tell(&self) {
        self.times.send_modify(|times| *times += 1);
    }
}

impl Places {
    /// Hears of new events; from the first time on with a connection of its own.
    pub(super) fn listen(self: &Arc<Self>) -> watch::Receiver<u64> {
        if !self.listening.begun.swap(true, Ordering::Relaxed) {
            let runtime = &self.home.server.runtime;
            runtime.spawn(hear(Arc::downgrade(self)));
            runtime.spawn(look(Arc::downgrade(self)));
        }
        self.listening.times.subscribe()
    }

    async fn is_unnumbered(&self, base: &Base) -> bool {
        let session = self.session_of(&None, self.limits.statement_ms_max);
        // A server that is away is looked at again.
        base.readers.read(&session, UNNUMBERED, &[]).await.is_ok_and(|rows| !rows.is_empty())
    }
}

/// Listens as long as the store lives.
async fn hear(places: Weak<Places>) {
    let mut pause = PAUSES.0;
    while let Some(store) = places.upgrade() {
        let server = store.home.server.clone();
        drop(store);
        let mut heard = false;
        let told_to = |places: &Weak<Places>| match places.upgrade() {
            Some(places) => {
                places.listening.tell();
                true
            }
            None => false,
        };
        let ended = async {
            let config = &server.address.config;
            let (client, mut connection) = config.connect(server.address.tls.clone()).await?;
            let messages = futures::stream::poll_fn(|context| connection.poll_message(context));
            let mut messages = std::pin::pin!(messages.fuse());
            let mut asked = std::pin::pin!(client.batch_execute(LISTEN).fuse());
            loop {
                futures::select! {
                    listens = asked => {
                        listens?;
                        heard = true;
                        // What was told while nobody listened.
                        told_to(&places);
                    }
                    message = messages.next() => match message {
                        Some(Ok(AsyncMessage::Notification(_))) if !told_to(&places) => {
                            return Ok(());
                        }
                        Some(Ok(_)) => {}
                        Some(Err(error)) => return Err(error),
                        None => return Ok::<(), Error>(()),
                    },
                }
            }
        };
        if let Err(error) = ended.await {
            tracing::debug!(error = told(&error), "PostgreSQL tells of no events for a while");
        }
        pause = if heard { PAUSES.0 } else { (pause * 2).min(PAUSES.1) };
        tokio::time::sleep(pause).await;
    }
}

/// Looks for events whose process died before they had a number.
async fn look(places: Weak<Places>) {
    let mut looks = 0;
    loop {
        tokio::time::sleep(Duration::from_secs(EVENTS_LOOK_SECONDS)).await;
        let Some(places) = places.upgrade() else { return };
        looks += 1;
        let mut any = places.is_unnumbered(&places.home).await;
        for base in places.open_databases() {
            any = any || places.is_unnumbered(&base).await;
        }
        if any || (places.by_database() && looks % LOOKS_MAX == 0) {
            places.listening.tell();
        }
    }
}
