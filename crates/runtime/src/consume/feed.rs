//! Where the events of a claimed part come from: its log, or a partition of a topic.

use super::jobs::{Feed, Job};
use super::outside::Outside;
use super::part::READ_BYTES_MAX;
use crate::cloudevents;
use crate::engine::outage;
use crate::ports::broker::Subscription;
use crate::ports::events::{EventLog, Logged};
use crate::ports::store::Unavailable;
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::{Notify, watch};
use tokio::task::AbortHandle;

/// Messages of a topic that were delivered and not asked for.
const DELIVERED_MAX: usize = 512;

/// What a claim reads by.
pub(super) enum Inflow {
    /// The log; what tells of new events.
    Log(watch::Receiver<u64>),
    /// A topic.
    Topic(Inlet),
    /// Nothing comes.
    Held,
}

/// Messages of a topic on their way; it ends when it is dropped.
pub(super) struct Inlet {
    shared: Arc<Shared>,
    arrived: watch::Receiver<u64>,
    settled: watch::Sender<i64>,
    ended: watch::Receiver<bool>,
    task: AbortHandle,
}

/// What was delivered, in order.
#[derive(Default)]
struct Shared {
    waiting: Mutex<Waiting>,
    /// Told when some were taken.
    room: Notify,
}

#[derive(Default)]
struct Waiting {
    /// Position, and the event; none for what is no event of ours.
    messages: VecDeque<(i64, Option<Logged>)>,
    bytes: usize,
}

impl Inflow {
    /// Opens what a part that is claimed at a position reads by.
    pub(super) async fn open(
        job: &Job,
        log: &dyn EventLog,
        outside: Option<&Outside>,
        position: i64,
    ) -> Result<Self, Unavailable> {
        match (&job.feed, outside) {
            (Feed::Log, _) => Ok(Self::Log(log.appended())),
            (Feed::Topic { topic, .. }, Some(outside)) => {
                let subscription = outside.subscribe(&job.part, topic, position).await?;
                Ok(Self::Topic(Inlet::begin(subscription, position)))
            }
            (Feed::Topic { .. }, None) | (Feed::Held, _) => Ok(Self::Held),
        }
    }

    /// Changes whenever there may be more.
    pub(super) fn arrived(&self) -> watch::Receiver<u64> {
        match self {
            Self::Log(appended) => appended.clone(),
            Self::Topic(inlet) => inlet.arrived.clone(),
            // Nobody sends: it never changes.
            Self::Held => watch::Sender::new(0).subscribe(),
        }
    }

    /// Changes when it has ended, and another claim is to begin anew.
    pub(super) fn ended(&self) -> Option<watch::Receiver<bool>> {
        match self {
            Self::Topic(inlet) => Some(inlet.ended.clone()),
            Self::Log(_) | Self::Held => None,
        }
    }

    /// Everything up to a position is done with, durably.
    pub(super) fn settle(&self, position: i64) {
        if let Self::Topic(inlet) = self {
            inlet.settled.send_replace(position);
        }
    }
}

impl Inlet {
    fn begin(subscription: Box<dyn Subscription>, position: i64) -> Self {
        let shared = Arc::new(Shared::default());
        let (arrives, arrived) = watch::channel(0);
        let (settled, settles) = watch::channel(position);
        let (ends, ended) = watch::channel(false);
        let pump = Pump { subscription, shared: Arc::clone(&shared), arrives, settles, position };
        let task = tokio::spawn(async move {
            outage::log_broker(&pump.run().await);
            ends.send_replace(true);
        });
        Self { shared, arrived, settled, ended, task: task.abort_handle() }
    }

    /// Some of what was delivered: the position of the last, the events, and whether that was all.
    pub(super) fn take(&self, after: i64, rows_max: usize) -> (i64, Vec<Logged>, bool) {
        let mut waiting = self.shared.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        let (mut end, mut events, mut bytes) = (after, Vec::new(), 0);
        while events.len() < rows_max && bytes < READ_BYTES_MAX {
            let Some((position, event)) = waiting.messages.pop_front() else { break };
            end = position;
            let Some(event) = event else { continue };
            bytes += event.data.len();
            events.push(event);
        }
        waiting.bytes = waiting.bytes.saturating_sub(bytes);
        self.shared.room.notify_one();
        (end, events, waiting.messages.is_empty())
    }
}

impl Drop for Inlet {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Takes messages from the broker, as long as there is room.
struct Pump {
    subscription: Box<dyn Subscription>,
    shared: Arc<Shared>,
    arrives: watch::Sender<u64>,
    settles: watch::Receiver<i64>,
    /// Of the last message.
    position: i64,
}

impl Pump {
    /// Why it ended.
    async fn run(mut self) -> Unavailable {
        loop {
            let room = {
                let waiting = self.shared.waiting.lock().unwrap_or_else(PoisonError::into_inner);
                waiting.messages.len() < DELIVERED_MAX && waiting.bytes < READ_BYTES_MAX
            };
            tokio::select! {
                next = self.subscription.next(), if room => match next {
                    Ok(message) => self.deliver(&message),
                    Err(why) => return why,
                },
                () = self.shared.room.notified(), if !room => {}
                Ok(()) = self.settles.changed() => {
                    let settled = *self.settles.borrow_and_update();
                    if let Err(why) = self.subscription.settle(settled).await {
                        return why;
                    }
                }
            }
        }
    }

    fn deliver(&mut self, message: &crate::ports::broker::Delivered) {
        // Behind what was read already there is nothing new.
        if message.position <= self.position {
            return;
        }
        self.position = message.position;
        let event = cloudevents::received(message);
        if let Err(attribute) = event {
            let position = message.position;
            tracing::warn!(
                position,
                attribute,
                "a message that is no event of ours is passed over"
            );
        }
        let event = event.ok();
        let mut waiting = self.shared.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        waiting.bytes += event.as_ref().map_or(0, |event| event.data.len());
        waiting.messages.push_back((message.position, event));
        drop(waiting);
        self.arrives.send_modify(|count| *count += 1);
    }
}
