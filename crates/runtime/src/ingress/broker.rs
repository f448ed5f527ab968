//! Requests by a broker: each is one of the contract, and is answered as it would be over HTTP.
//!
//! One thread takes them and answers, as many at once as [`UNDER_WAY_MAX`]: the broker keeps the
//! others, or where it keeps none they are refused at once. Only when its answer was sent is a
//! request settled, so a process that dies leaves it to another, and a write has a key by which it
//! happens once.

mod counts;
mod message;

use crate::engine::outage;
use crate::http::Door;
use crate::http::door::Answered;
use crate::ports::broker::{Answering, Asked, Broker, Connect, Desk, NotPublished, Requests};
use crate::ports::clock::Clock;
use crate::ports::store::Unavailable;
use crate::problem::{Problem, kinds};
use counts::Counts;
pub use message::{DEADLINE_DEFAULT, DEADLINE_MAX};
use message::{Meaning, refusal};
use std::io;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinSet;

/// Requests of a process that are taken and not answered.
pub const UNDER_WAY_MAX: usize = 64;
/// Bytes of the body of an answer.
pub const ANSWER_BYTES_MAX: usize = 4 << 20;
/// One that was delivered more often, and never answered, is given up: it may be what kills whoever
/// takes it.
pub const DELIVERIES_MAX: u32 = 5;
/// Between two attempts to begin.
const PAUSE: Duration = Duration::from_secs(1);
/// A broker that is told to hand over nothing more has so long to answer.
const STOP_PATIENCE: Duration = Duration::from_secs(2);

/// The thread that answers.
pub struct Answers(JoinHandle<()>);

impl Answers {
    /// Begins to answer the requests to a system, as `taker`, a name that no other process has,
    /// until the server that the door belongs to ends.
    ///
    /// # Errors
    /// Where the system gives no thread.
    pub fn start(
        door: Door,
        address: &Arc<dyn Connect>,
        (system, taker): (&str, &str),
        clock: Arc<dyn Clock>,
    ) -> io::Result<Self> {
        let name = match address.prefix() {
            None => format!("{system}.requests"),
            Some(prefix) => format!("{prefix}.{system}.requests"),
        };
        let (name, taker) = (name.into(), taker.into());
        let desk = Desk { name, taker, under_way_max: UNDER_WAY_MAX };
        let address = Arc::clone(address);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let thread = std::thread::Builder::new().name("mainstay-requests".to_owned());
        let thread = thread.spawn(move || {
            runtime.block_on(serve(address.open(), door, desk, clock));
            // What still runs is dropped where it waits.
            runtime.shutdown_background();
        });
        Ok(Self(thread?))
    }

    /// Waits for its end: no longer than the server lets requests finish.
    pub fn wait(self) {
        // A panic of it was told when it happened.
        let _ended = self.0.join();
    }
}

/// What all requests share.
struct Shared {
    door: Door,
    desk: Desk,
    clock: Arc<dyn Clock>,
    counts: Counts,
    broker: Arc<dyn Broker>,
    places: Arc<Semaphore>,
}

/// Begins anew whenever it ended by a fault of the broker, until the server ends.
async fn serve(broker: Arc<dyn Broker>, door: Door, desk: Desk, clock: Arc<dyn Clock>) {
    let counts = Counts::of(door.metrics(), broker.kind());
    let places = Arc::new(Semaphore::new(desk.under_way_max));
    let shared = Arc::new(Shared { door, desk, clock, counts, broker, places });
    let Some(answering) = shared.broker.answering() else {
        let broker = shared.broker.kind();
        return tracing::error!(broker, "requests can't be taken from this broker");
    };
    let mut tasks = JoinSet::new();
    loop {
        let opening = async {
            let mut requests = answering.open(&shared.desk).await?;
            tracing::info!(at = &*shared.desk.name, "taking requests");
            take(&shared, answering, &mut *requests, &mut tasks).await
        };
        match opening.await {
            Ok(()) => break,
            Err(why) => outage::log_requests(&why),
        }
        tokio::select! {
            () = tokio::time::sleep(PAUSE) => {}
            () = shared.door.leaving() => break,
        }
    }
    let finish = async { while tasks.join_next().await.is_some() {} };
    tokio::select! {
        () = finish => {}
        () = tokio::time::sleep(shared.door.grace()) => {}
        () = shared.door.stopped() => {}
    }
}

/// Takes requests until the server ends, or the broker fails.
async fn take(
    shared: &Arc<Shared>,
    answering: &dyn Answering,
    requests: &mut dyn Requests,
    tasks: &mut JoinSet<()>,
) -> Result<(), Unavailable> {
    let mut leaving = std::pin::pin!(shared.door.leaving());
    loop {
        // What the broker keeps is taken when there is a place for it.
        let place = match answering.keeps() {
            true => tokio::select! {
                place = Arc::clone(&shared.places).acquire_owned() => place.ok(),
                () = &mut leaving => break,
            },
            false => None,
        };
        tokio::select! {
            next = requests.next() => match next? {
                Some(asked) => begin(shared, answering, asked, place, tasks).await,
                None => return Err(Unavailable::Busy),
            },
            Some(_ended) = tasks.join_next(), if !tasks.is_empty() => {}
            () = &mut leaving => break,
        }
    }
    let _told = tokio::time::timeout(STOP_PATIENCE, requests.stop()).await;
    // What came before the broker heard of it is answered still.
    while let Ok(Ok(Some(asked))) = tokio::time::timeout(STOP_PATIENCE, requests.next()).await {
        begin(shared, answering, asked, None, tasks).await;
    }
    Ok(())
}

/// Begins to answer a request, where there is a place for it.
async fn begin(
    shared: &Arc<Shared>,
    answering: &dyn Answering,
    asked: Asked,
    place: Option<OwnedSemaphorePermit>,
    tasks: &mut JoinSet<()>,
) {
    let place = place.or_else(|| Arc::clone(&shared.places).try_acquire_owned().ok());
    let (shared, keeps) = (Arc::clone(shared), answering.keeps());
    if let Some(reply_to) = &asked.reply_to
        && let Some(why) = answering.forbids(&shared.desk, reply_to)
    {
        tracing::warn!(why, "a request is passed over: its answer may not go where it says");
        return shared.forget(asked).await;
    }
    match place {
        Some(place) => {
            tasks.spawn(async move {
                shared.answer(asked, keeps).await;
                drop(place);
            });
        }
        // The broker delivers it to another, or again.
        None if keeps => {}
        None => {
            let problem = Problem::new(kinds::UNAVAILABLE).retry_after(1);
            let problem = problem.detail("more requests are under way than this process takes");
            shared.send(asked, &refusal(&problem), Instant::now()).await;
        }
    }
}

impl Shared {
    async fn answer(&self, mut asked: Asked, keeps: bool) {
        let (began, _under_way) = (Instant::now(), self.counts.begin());
        if asked.deliveries > DELIVERIES_MAX {
            let deliveries = asked.deliveries;
            tracing::error!(deliveries, "a request is given up: nobody who took it answered");
            if deliveries > DELIVERIES_MAX + 1 {
                // Nor could that be told.
                return self.forget(asked).await;
            }
            let detail = format!("it was delivered {deliveries} times, and never answered");
            let problem = Problem::new(kinds::INTERNAL).detail(detail);
            return self.send(asked, &refusal(&problem), began).await;
        }
        let meaning = Meaning { keeps, now: self.clock.now(), by: self.broker.kind() };
        let answered = match meaning.of(&mut asked) {
            Ok(relayed) => self.door.answer(relayed, ANSWER_BYTES_MAX).await,
            Err(problem) => refusal(&problem),
        };
        self.send(asked, &answered, began).await;
    }

    /// Has the broker forget a request that nobody can answer.
    async fn forget(&self, mut asked: Asked) {
        if let Err(NotPublished::Unavailable(why)) = asked.settle.settle(None).await {
            outage::log_requests(&why);
        }
    }

    /// Sends an answer, and counts it. What can't be sent is left to who is delivered the request
    /// again.
    async fn send(&self, mut asked: Asked, answered: &Answered, began: Instant) {
        let mut sent = asked.settle.settle(Some(&message::written(answered))).await;
        let mut status = answered.status;
        if let Err(NotPublished::Refused(why)) = sent {
            let detail = format!("the broker does not take the answer: {why}");
            let refused = refusal(&Problem::new(kinds::NOT_ACCEPTABLE).detail(detail));
            status = refused.status;
            sent = asked.settle.settle(Some(&message::written(&refused))).await;
        }
        match sent {
            Ok(()) => self.counts.answered(status, began.elapsed()),
            Err(NotPublished::Unavailable(why)) => outage::log_requests(&why),
            Err(NotPublished::Refused(why)) => {
                tracing::warn!(why, "an answer can't be sent");
                self.forget(asked).await;
            }
        }
    }
}
