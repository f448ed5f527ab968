//! How a group reads a partition from RabbitMQ: by a channel of its own.
//!
//! The channel is owned by a task, so that a subscription that is dropped is closed in the order
//! that keeps messages in theirs: the channel goes as a whole, and the next reader gets what it had
//! before anything else. A consumer that is cancelled first would let the next one overtake.

use super::{REQUEST_PATIENCE, answered, broken, message, queue_name, ready};
use crate::ports::broker::{Delivered, Reading, Subscription, UNSETTLED_MAX};
use crate::ports::store::Unavailable;
use bytes::Bytes;
use futures::future::BoxFuture;
use futures::{FutureExt, StreamExt};
use lapin::message::Delivery;
use lapin::options::{BasicAckOptions, BasicConsumeOptions, BasicQosOptions};
use lapin::types::{FieldTable, ShortString};
use lapin::{Channel, Connection, Consumer};
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::{mpsc, oneshot};
use tokio::time::timeout;

/// So long is waited until what a reader had is back in its queue.
const RETURN_PATIENCE: Duration = Duration::from_secs(1);
/// It is looked for so often.
const RETURN_LOOK: Duration = Duration::from_millis(10);
/// Questions that wait for a reader at most; whoever comes then waits.
const QUESTIONS_MAX: usize = 8;

/// How many messages are ready or under way: asked of a reader.
type Question = oneshot::Sender<Result<u64, Unavailable>>;
type Questions = BTreeMap<(Reading, u64), mpsc::Sender<Question>>;

/// The readers of this process, until what they had is back in its queue.
#[derive(Default, Clone)]
pub(super) struct Readers {
    all: Arc<Mutex<Questions>>,
    next: Arc<AtomicU64>,
}

impl Readers {
    fn with<T>(&self, change: impl FnOnce(&mut Questions) -> T) -> T {
        change(&mut self.all.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Begins to read; the first delivery's position is the one after `base`.
    pub(super) async fn begin(
        &self,
        connection: Arc<Connection>,
        reading: &Reading,
        base: i64,
    ) -> Result<Reader, Unavailable> {
        let queue = queue_name(reading)?;
        let channel = answered("a channel", connection.create_channel()).await?;
        let most = u16::try_from(UNSETTLED_MAX).unwrap_or(u16::MAX);
        answered("a limit", channel.basic_qos(most, BasicQosOptions::default())).await?;
        let (options, none) = (BasicConsumeOptions::default(), FieldTable::default());
        let consuming = channel.basic_consume(queue.clone(), "".into(), options, none);
        let consumer = answered("reading", consuming).await?;
        let (deliver, deliveries) = mpsc::channel(UNSETTLED_MAX + 1);
        let (ask, questions) = mpsc::channel(QUESTIONS_MAX);
        let known = (reading.clone(), self.next.fetch_add(1, Ordering::Relaxed));
        self.with(|all| all.insert(known.clone(), ask));
        let settled = Arc::new(AtomicU64::new(0));
        let line = Line {
            connection,
            channel: channel.clone(),
            consumer,
            queue,
            deliver,
            delivered: 0,
            settled: Arc::clone(&settled),
            _known: Known { readers: self.clone(), known },
        };
        tokio::spawn(line.run(questions));
        Ok(Reader { base, channel, deliveries, delivered: 0, settled })
    }

    /// What is ready and what the reader of this process has under way, where there is one; waits
    /// for those that are giving back what they had.
    pub(super) async fn waiting(&self, reading: &Reading) -> Option<u64> {
        let of = (reading.clone(), 0)..=(reading.clone(), u64::MAX);
        let all: Vec<_> = self.with(|all| all.range(of).map(|(_, ask)| ask.clone()).collect());
        let mut waiting = None;
        for ask in all {
            let (answer, answered) = oneshot::channel();
            if timeout(REQUEST_PATIENCE, ask.send(answer)).await.is_ok_and(|sent| sent.is_ok())
                && let Ok(Ok(Ok(count))) = timeout(REQUEST_PATIENCE, answered).await
            {
                waiting = waiting.max(Some(count));
            }
        }
        waiting
    }
}

/// A reader's place among those of the process.
struct Known {
    readers: Readers,
    known: (Reading, u64),
}

impl Drop for Known {
    fn drop(&mut self) {
        self.readers.with(|all| all.remove(&self.known));
    }
}

/// Why a reading is over.
struct Over;

/// What owns a reader's channel.
struct Line {
    connection: Arc<Connection>,
    channel: Channel,
    consumer: Consumer,
    queue: ShortString,
    deliver: mpsc::Sender<Result<Delivery, Unavailable>>,
    /// Tag of the last delivery: they count from 1.
    delivered: u64,
    /// Tag of the last one that is settled, with all before.
    settled: Arc<AtomicU64>,
    _known: Known,
}

impl Line {
    async fn run(mut self, mut questions: mpsc::Receiver<Question>) {
        loop {
            tokio::select! {
                biased;
                () = self.deliver.closed() => break,
                Some(answer) = questions.recv() => {
                    let count = self.count().await;
                    // Whoever asked may not wait any more.
                    let _gone = answer.send(count);
                }
                next = self.consumer.next() => {
                    if self.pass_on(next).is_err() {
                        break;
                    }
                }
            }
        }
        self.give_back().await;
    }

    fn pass_on(&mut self, next: Option<lapin::Result<Delivery>>) -> Result<(), Over> {
        let (next, over) = match next {
            Some(Ok(delivery)) => {
                self.delivered = delivery.delivery_tag;
                (Ok(delivery), false)
            }
            Some(Err(why)) => (Err(broken(why)), true),
            None => (Err(broken("the server ended the reading")), true),
        };
        // No more is under way than there is room for.
        if self.deliver.try_send(next).is_err() || over { Err(Over) } else { Ok(()) }
    }

    /// Messages that are ready, and those that came before the answer to that question and are not
    /// settled: both come by this channel, in their order.
    async fn count(&mut self) -> Result<u64, Unavailable> {
        let ready = ready(&self.channel, &self.queue).await?;
        while let Some(next) = self.consumer.next().now_or_never() {
            self.pass_on(next).map_err(|Over| broken("the reading ended"))?;
        }
        Ok(ready + self.delivered.saturating_sub(self.settled.load(Ordering::Acquire)))
    }

    /// Closes the channel, and waits until what was under way is in the queue again: else whoever
    /// asks how much waits would be told too little.
    async fn give_back(mut self) {
        if !self.channel.status().connected() {
            return;
        }
        // The subscription is gone: what still comes is counted and let go.
        let (deliver, mut dropped) = mpsc::channel(UNSETTLED_MAX + 1);
        self.deliver = deliver;
        let all = self.count().await;
        dropped.close();
        // It may have been closed by the server meanwhile.
        let _closed = timeout(REQUEST_PATIENCE, self.channel.close(200, "OK".into())).await;
        let Ok(all) = all else { return };
        let creating = self.connection.create_channel();
        let Ok(channel) = answered("a channel", creating).await else { return };
        let deadline = Instant::now() + RETURN_PATIENCE;
        while Instant::now() < deadline
            && ready(&channel, &self.queue).await.is_ok_and(|ready| ready < all)
        {
            tokio::time::sleep(RETURN_LOOK).await;
        }
    }
}

/// A subscription.
pub(super) struct Reader {
    base: i64,
    channel: Channel,
    deliveries: mpsc::Receiver<Result<Delivery, Unavailable>>,
    /// Tag of the last delivery that was handed out.
    delivered: u64,
    settled: Arc<AtomicU64>,
}

impl Subscription for Reader {
    fn next(&mut self) -> BoxFuture<'_, Result<Delivered, Unavailable>> {
        Box::pin(async move {
            let next = self.deliveries.recv().await;
            let delivery = next.unwrap_or_else(|| Err(broken("the reading ended")))?;
            self.delivered = delivery.delivery_tag;
            let number = i64::try_from(delivery.delivery_tag).unwrap_or(i64::MAX);
            Ok(Delivered {
                position: self.base.saturating_add(number),
                attributes: message::attributes(&delivery.properties),
                body: Bytes::from(delivery.data),
            })
        })
    }

    fn settle(&mut self, position: i64) -> BoxFuture<'_, Result<(), Unavailable>> {
        Box::pin(async move {
            // A position of a subscription before this one: nothing of it is under way here.
            let tag = u64::try_from(position.saturating_sub(self.base)).unwrap_or(0);
            let tag = tag.min(self.delivered);
            if tag <= self.settled.load(Ordering::Acquire) {
                return Ok(());
            }
            let acknowledging = self.channel.basic_ack(tag, BasicAckOptions { multiple: true });
            answered("a settlement", acknowledging).await?;
            self.settled.store(tag, Ordering::Release);
            Ok(())
        })
    }
}
