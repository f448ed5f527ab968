//! What other processes commit, told to those who keep answers: within the transaction, so that it
//! is told where it is committed and only there, also by a process that dies right behind it.
//!
//! The connection that hears is asked for a sign of life every so often. Where it gives none, those
//! who keep answers are told so before anything is heard again.

use super::error::told;
use super::link::Server;
use super::place::Places;
use crate::ports::changes::{Hearing, Hears};
use futures::StreamExt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;
use tokio_postgres::{AsyncMessage, Client};

/// Tells the others.
pub(super) const TELL: &str = "SELECT pg_notify('mainstay_changes', $1)";
const LISTEN: &str = "LISTEN \"mainstay_changes\"";
/// Between two signs of life.
const ALIVE_EVERY: Duration = Duration::from_millis(500);
/// One that takes longer is none.
const ALIVE_MAX: Duration = Duration::from_secs(2);
/// How long between two attempts to listen, from and to.
const PAUSES: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(10));

/// Those who keep answers of a store.
#[derive(Default)]
pub(super) struct Told(Mutex<Listeners>);

#[derive(Default)]
struct Listeners {
    all: Vec<Weak<dyn Hears>>,
    begun: bool,
    hears: bool,
}

impl Told {
    fn listeners(&self) -> MutexGuard<'_, Listeners> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn each(&self, tell: impl Fn(&dyn Hears)) {
        let mut listeners = self.listeners();
        listeners.all.retain(|who| who.upgrade().inspect(|who| tell(&**who)).is_some());
    }

    fn back(&self) {
        self.listeners().hears = true;
        self.each(|who| who.back());
    }

    fn lost(&self) {
        self.listeners().hears = false;
        self.each(|who| who.lost());
    }
}

impl Places {
    /// Tells somebody what is committed from now on; from the first time on with a connection of
    /// its own.
    pub(super) fn tell(self: &Arc<Self>, who: Weak<dyn Hears>) -> Hearing {
        // A connection hears of its own database alone.
        if self.by_database() {
            return Hearing::Deaf;
        }
        let mut listeners = self.hearing.listeners();
        if listeners.hears
            && let Some(who) = who.upgrade()
        {
            who.back();
        }
        listeners.all.push(who);
        if !std::mem::replace(&mut listeners.begun, true) {
            self.home.server.runtime.spawn(hear(Arc::downgrade(self)));
        }
        Hearing::Told
    }
}

/// Listens as long as the store lives.
async fn hear(places: Weak<Places>) {
    let mut pause = PAUSES.0;
    while let Some(store) = places.upgrade() {
        let server = store.home.server.clone();
        drop(store);
        let mut heard = false;
        let why = listen(&places, &server, &mut heard).await;
        let Some(store) = places.upgrade() else { return };
        store.hearing.lost();
        drop(store);
        tracing::debug!(error = why, "PostgreSQL tells of no changes for a while");
        pause = if heard { PAUSES.0 } else { (pause * 2).min(PAUSES.1) };
        tokio::time::sleep(pause).await;
    }
}

/// Listens until the connection breaks; why it did.
async fn listen(places: &Weak<Places>, server: &Server, heard: &mut bool) -> String {
    let config = &server.address.config;
    let connected = config.connect(server.address.tls.clone());
    let (client, mut connection) = match tokio::time::timeout(ALIVE_MAX, connected).await {
        Ok(Ok(connected)) => connected,
        Ok(Err(error)) => return told(&error),
        Err(_) => return "no connection in time".to_owned(),
    };
    let mut messages = futures::stream::poll_fn(|context| connection.poll_message(context));
    let messages = async {
        loop {
            match messages.next().await {
                Some(Ok(AsyncMessage::Notification(notification))) => {
                    let Some(places) = places.upgrade() else { return "closed".to_owned() };
                    places.hearing.each(|who| who.committed(notification.payload()));
                }
                Some(Ok(_)) => {}
                Some(Err(error)) => return told(&error),
                None => return "the connection ended".to_owned(),
            }
        }
    };
    tokio::select! {
        why = messages => why,
        why = stay(places, &client, heard) => why,
    }
}

/// Begins to listen, and sees that the server is there.
async fn stay(places: &Weak<Places>, client: &Client, heard: &mut bool) -> String {
    let mut text = LISTEN;
    loop {
        match tokio::time::timeout(ALIVE_MAX, client.batch_execute(text)).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => return told(&error),
            Err(_) => return "no answer in time".to_owned(),
        }
        if !std::mem::replace(heard, true) {
            let Some(places) = places.upgrade() else { return "closed".to_owned() };
            places.hearing.back();
        }
        text = "SELECT 1";
        tokio::time::sleep(ALIVE_EVERY).await;
        if places.strong_count() == 0 {
            return "closed".to_owned();
        }
    }
}
