//! What happens to a server that runs: it ends, or is told to look at its model.

use crate::failure::{Failure, Outcome};
use runtime::http::Server;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::time::Duration;

/// Events that wait at most; of several wishes to look at the model one is as good as all.
const WAITING_MAX: usize = 2;

/// What happened.
pub(super) enum Event {
    /// The server has ended; so many connections were cut.
    Ended(usize),
    /// SIGHUP.
    Wanted,
    /// The data is to go elsewhere.
    #[cfg(unix)]
    Move(Box<super::control::Wish>),
    /// Nothing, for as long as was asked for.
    Nothing,
}

/// Tells what happens.
pub(super) struct Events {
    events: Receiver<Event>,
    wishes: SyncSender<Event>,
    ended: Arc<AtomicBool>,
}

impl Events {
    /// Listens to the end of a server and to SIGHUP, which is heard from here on.
    pub(super) fn of(server: Server) -> Outcome<Self> {
        let (send, events) = sync_channel(WAITING_MAX);
        let failed = |cause| Failure::new("can't start a thread").caused_by(cause);
        let (wishes, kept) = (send.clone(), send.clone());
        let ended = Arc::new(AtomicBool::new(false));
        let over = Arc::clone(&ended);
        let thread = |name: &str| std::thread::Builder::new().name(name.to_owned());
        let (heard, hears) = sync_channel(1);
        thread("wishes").spawn(move || heed(&wishes, &heard)).map_err(failed)?;
        // Until then it would end the process. A thread that can't hear it has said so.
        let _deaf = hears.recv();
        let wait = move || {
            // Nobody who could hear it is gone before the end is told.
            let cut = server.wait();
            over.store(true, Ordering::Release);
            let _told = send.send(Event::Ended(cut));
        };
        thread("end").spawn(wait).map_err(failed)?;
        Ok(Self { events, wishes: kept, ended })
    }

    /// Takes what is wished from elsewhere.
    pub(super) fn wishes(&self) -> SyncSender<Event> {
        self.wishes.clone()
    }

    /// True where the server has ended: that is the next event, or soon.
    pub(super) fn is_over(&self) -> bool {
        self.ended.load(Ordering::Acquire)
    }

    /// The next event; nothing after that long.
    pub(super) fn next(&self, most: Duration) -> Event {
        match self.events.recv_timeout(most) {
            Ok(event) => event,
            Err(RecvTimeoutError::Timeout) => Event::Nothing,
            Err(RecvTimeoutError::Disconnected) => Event::Ended(0),
        }
    }
}

/// Hands on every SIGHUP, for ever; says when it begins.
#[cfg(unix)]
fn heed(wishes: &SyncSender<Event>, heard: &SyncSender<()>) {
    use tokio::signal::unix::{SignalKind, signal};
    let heeded = crate::commands::wait(async {
        let mut hangups = signal(SignalKind::hangup())?;
        let _told = heard.send(());
        while hangups.recv().await.is_some() {
            // One that waits already is enough.
            let _full = wishes.try_send(Event::Wanted);
        }
        Ok::<(), std::io::Error>(())
    });
    if !matches!(heeded, Ok(Ok(()))) {
        tracing::error!("SIGHUP can't be heard: the model is not looked at when it comes");
    }
}

/// Elsewhere there is no such signal.
#[cfg(not(unix))]
fn heed(_: &SyncSender<Event>, _: &SyncSender<()>) {}
