//! How a group reads a partition from SQS: by asking its queue again and again.
//!
//! What was received is hidden from others for a while, which is made longer as long as somebody
//! works on it. A task owns that: so a request for more goes on where who waits for it stops
//! waiting, and what a subscription had is given back when it is dropped, the last first, that
//! nothing overtakes. Of a key the queue gives out at most one batch until that is settled.

use super::client::{Client, Fault};
use super::message::{self, Data};
use super::names;
use crate::ports::broker::{Delivered, Reading, Subscription};
use crate::ports::store::Unavailable;
use bytes::Bytes;
use futures::future::BoxFuture;
use futures::{StreamExt, TryStreamExt};
use serde_json::{Value, json};
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::{mpsc, oneshot};
use tokio::time::MissedTickBehavior;

/// What was received and not settled is delivered again after so long, where its reader died.
pub(super) const VISIBLE_SECONDS: u32 = 20;
/// It is made longer so often.
const RENEW_EVERY: Duration = Duration::from_secs(5);
/// Messages of a request, of whatever kind.
const BATCH_MAX: usize = 10;
/// Messages of a subscription that are under way at most.
const UNDER_WAY_MAX: usize = 256;
/// Requests to settle, or for longer, that run at once.
const REQUESTS_MAX: usize = 4;
/// A request for more waits so long where there is none,
const WAIT_SECONDS: u64 = 20;
/// and is answered so long after that.
const ANSWER_PATIENCE: Duration = Duration::from_secs(10);
/// Emulators may not notice that nobody waits any more, or work hard while they wait: they are
/// asked again after so long.
const EMULATOR_PAUSE: Duration = Duration::from_millis(100);
/// What fails on the way is asked again so often, after a pause.
const TRIES: u32 = 3;
const PAUSE: Duration = Duration::from_millis(500);

/// What a subscription asks of its task: that all up to a number is settled.
struct Ask {
    number: u64,
    answer: oneshot::Sender<Result<(), Unavailable>>,
}

/// A queue, and who reads it.
struct Source {
    client: Arc<Client>,
    reading: Reading,
    url: String,
    /// Requests are called by it and a number.
    base: i64,
}

/// Attributes, and the data.
type Event = (Vec<(String, String)>, Bytes);

/// A message that was received.
struct Arrived {
    handle: String,
    at: Instant,
    /// None for what is no event.
    event: Result<Option<Event>, Fault>,
}

type Receiving = BoxFuture<'static, Result<Vec<Arrived>, Fault>>;

impl Source {
    async fn receive(self: Arc<Self>, request: u64) -> Result<Vec<Arrived>, Fault> {
        let emulated = self.client.settings().endpoint.is_some();
        let wait = if emulated { 0 } else { WAIT_SECONDS };
        let asked = json!({
            "QueueUrl": self.url,
            "MaxNumberOfMessages": BATCH_MAX,
            "WaitTimeSeconds": wait,
            "VisibilityTimeout": VISIBLE_SECONDS,
            // Asked again, the queue answers with what it has given out under this name.
            "ReceiveRequestAttemptId": format!("{:x}-{request}", self.base),
        });
        let patience = Duration::from_secs(wait) + ANSWER_PATIENCE;
        let mut tries = 1;
        let told = loop {
            match self.client.sqs_until(patience, "ReceiveMessage", &asked).await {
                Err(Fault::Silent(_)) if tries < TRIES => tokio::time::sleep(PAUSE).await,
                told => break told?,
            }
            tries += 1;
        };
        let at = Instant::now();
        let messages = told["Messages"].as_array().map(Vec::as_slice).unwrap_or_default();
        if emulated && messages.is_empty() {
            tokio::time::sleep(EMULATOR_PAUSE).await;
        }
        let arrived = messages.iter().filter_map(|message| {
            let handle = message["ReceiptHandle"].as_str()?.to_owned();
            let text = message["Body"].as_str().unwrap_or_default();
            Some(async { Arrived { handle, at, event: self.event(text).await } })
        });
        Ok(futures::future::join_all(arrived).await)
    }

    async fn event(&self, text: &str) -> Result<Option<Event>, Fault> {
        let Some(content) = message::read(text) else { return Ok(None) };
        let uri = match content.data {
            Data::Here(data) => return Ok(Some((content.attributes, data))),
            Data::There(uri) => uri,
        };
        let Some(bucket) = &self.client.settings().bucket else {
            return Err(Fault::Silent(
                "the data of a message is in a bucket: name it in the address, `?bucket=`"
                    .to_owned(),
            ));
        };
        let folder = names::folder(&self.reading.topic, self.reading.partition);
        let name = uri.strip_prefix(&format!("s3://{bucket}/"));
        // Nobody is sent to look anywhere else.
        let Some(name) = name.filter(|name| name.starts_with(&folder)) else { return Ok(None) };
        match self.client.get(bucket, name).await {
            Ok(data) => Ok(Some((content.attributes, data))),
            Err(why) if why.is(&["NoSuchKey"]) => {
                tracing::error!(uri, "the data of a message is gone from its bucket");
                Ok(None)
            }
            Err(why) => Err(why),
        }
    }

    /// Sends a batch; an entry that failed is a failure.
    async fn batch(&self, action: &str, entries: &[Value]) -> Result<(), Fault> {
        let asked = json!({"QueueUrl": self.url, "Entries": entries});
        let told = self.client.sqs(action, &asked).await?;
        match told["Failed"].as_array().and_then(|failed| failed.first()) {
            None => Ok(()),
            Some(failed) => Err(Fault::Silent(format!(
                "{action}: a message is not this reader's any more: {}",
                failed["Code"].as_str().unwrap_or_default()
            ))),
        }
    }

    /// Sends batches of these, some at once.
    async fn batches(&self, action: &str, entries: &[Value]) -> Result<(), Fault> {
        let batches = entries.chunks(BATCH_MAX);
        let sent: Vec<BoxFuture<'_, _>> =
            batches.map(|entries| Box::pin(self.batch(action, entries)) as _).collect();
        futures::stream::iter(sent).buffer_unordered(REQUESTS_MAX).try_collect().await
    }

    /// Lets others have what was received, the last first; what can't be told to the queue is
    /// theirs when its time is over.
    async fn give_back(&self, mut handles: Vec<String>) {
        handles.reverse();
        let entries: Vec<Value> = handles.iter().enumerate().map(shown_in(0)).collect();
        for entries in entries.chunks(BATCH_MAX) {
            for _ in 0..TRIES {
                match self.batch("ChangeMessageVisibilityBatch", entries).await {
                    Err(Fault::Silent(_)) => tokio::time::sleep(PAUSE).await,
                    Ok(()) | Err(_) => break,
                }
            }
        }
    }
}

/// An entry that says when a message is to be seen by others.
fn shown_in(seconds: u32) -> impl Fn((usize, &String)) -> Value {
    move |(at, handle)| {
        let id = at.to_string();
        json!({"Id": id, "ReceiptHandle": handle, "VisibilityTimeout": seconds})
    }
}

/// A message that was received and is not settled.
struct Held {
    number: u64,
    handle: String,
    /// It is this reader's for a while from then on.
    since: Instant,
}

/// What owns a reading.
struct Line {
    source: Arc<Source>,
    deliver: mpsc::Sender<Result<Delivered, Unavailable>>,
    held: VecDeque<Held>,
    delivered: u64,
    requests: u64,
}

impl Line {
    async fn run(mut self, mut asks: mpsc::Receiver<Ask>) {
        let mut renew = tokio::time::interval(RENEW_EVERY);
        renew.set_missed_tick_behavior(MissedTickBehavior::Delay);
        renew.reset();
        let mut receiving: Option<Receiving> = None;
        let over = loop {
            if receiving.is_none() && self.held.len() + BATCH_MAX <= UNDER_WAY_MAX {
                self.requests += 1;
                receiving = Some(Box::pin(Arc::clone(&self.source).receive(self.requests)));
            }
            tokio::select! {
                biased;
                () = self.deliver.closed() => break None,
                Some(Ask { number, answer }) = asks.recv() => {
                    let settled = self.settle(number).await;
                    let failed = settled.is_err();
                    // Whoever asked may not wait any more.
                    let _gone = answer.send(settled.map_err(Unavailable::from));
                    if failed {
                        break None;
                    }
                }
                _ = renew.tick() => {
                    if let Err(why) = self.renew().await {
                        break Some(why);
                    }
                }
                arrived = received(&mut receiving) => {
                    receiving = None;
                    if let Err(why) = arrived.and_then(|arrived| self.pass_on(arrived)) {
                        break Some(why);
                    }
                }
            }
        };
        if let Some(why) = over {
            // There is room for it: see where the channel is made.
            let _gone = self.deliver.try_send(Err(why.into()));
        }
        let alive = Duration::from_secs(VISIBLE_SECONDS.into());
        let mine = self.held.into_iter().filter(|held| held.since.elapsed() < alive);
        self.source.give_back(mine.map(|held| held.handle).collect()).await;
        if let Some(receiving) = receiving
            && let Ok(arrived) = receiving.await
        {
            self.source.give_back(arrived.into_iter().map(|one| one.handle).collect()).await;
        }
    }

    fn pass_on(&mut self, arrived: Vec<Arrived>) -> Result<(), Fault> {
        let mut fault = None;
        for Arrived { handle, at, event } in arrived {
            self.delivered += 1;
            self.held.push_back(Held { number: self.delivered, handle, since: at });
            let event = match event {
                Ok(event) if fault.is_none() => event,
                Ok(_) => continue,
                Err(why) => {
                    fault.get_or_insert(why);
                    continue;
                }
            };
            // What is no event is passed over by who reads, and settled.
            let (attributes, body) = event.unwrap_or_default();
            let position = self.source.base.saturating_add(number(self.delivered));
            // No more is under way than there is room for; one that is gone is seen above.
            let _gone = self.deliver.try_send(Ok(Delivered { position, attributes, body }));
        }
        fault.map_or(Ok(()), Err)
    }

    async fn settle(&mut self, number: u64) -> Result<(), Fault> {
        let count = self.held.iter().take_while(|held| held.number <= number).count();
        let handles = self.held.iter().take(count).enumerate();
        let entries =
            handles.map(|(at, held)| json!({"Id": at.to_string(), "ReceiptHandle": held.handle}));
        let entries: Vec<Value> = entries.collect();
        self.source.batches("DeleteMessageBatch", &entries).await?;
        self.held.drain(..count);
        Ok(())
    }

    async fn renew(&mut self) -> Result<(), Fault> {
        let asked = Instant::now();
        let handles = self.held.iter().map(|held| &held.handle);
        let entries: Vec<Value> = handles.enumerate().map(shown_in(VISIBLE_SECONDS)).collect();
        self.source.batches("ChangeMessageVisibilityBatch", &entries).await?;
        self.held.iter_mut().for_each(|held| held.since = asked);
        Ok(())
    }
}

async fn received(receiving: &mut Option<Receiving>) -> Result<Vec<Arrived>, Fault> {
    match receiving {
        Some(receiving) => receiving.await,
        None => std::future::pending().await,
    }
}

fn number(delivered: u64) -> i64 {
    i64::try_from(delivered).unwrap_or(i64::MAX)
}

/// A subscription.
pub(super) struct Reader {
    base: i64,
    deliveries: mpsc::Receiver<Result<Delivered, Unavailable>>,
    asks: mpsc::Sender<Ask>,
    settled: i64,
}

impl Reader {
    /// Begins to read a queue; the first delivery's position is the one after `base`.
    pub(super) fn begin(client: Arc<Client>, reading: &Reading, url: String, base: i64) -> Self {
        // All that is under way, and why there is no more.
        let (deliver, deliveries) = mpsc::channel(UNDER_WAY_MAX + 1);
        let (asks, asked) = mpsc::channel(1);
        let source = Arc::new(Source { client, reading: reading.clone(), url, base });
        let held = VecDeque::new();
        tokio::spawn(Line { source, deliver, held, delivered: 0, requests: 0 }.run(asked));
        Self { base, deliveries, asks, settled: base }
    }
}

fn ended() -> Unavailable {
    Fault::Silent("the reading ended".to_owned()).into()
}

impl Subscription for Reader {
    fn next(&mut self) -> BoxFuture<'_, Result<Delivered, Unavailable>> {
        Box::pin(async move { self.deliveries.recv().await.unwrap_or_else(|| Err(ended())) })
    }

    fn settle(&mut self, position: i64) -> BoxFuture<'_, Result<(), Unavailable>> {
        Box::pin(async move {
            // A position of a subscription before this one: nothing of it is under way here.
            if position <= self.settled {
                return Ok(());
            }
            let number = u64::try_from(position.saturating_sub(self.base)).unwrap_or(0);
            let (answer, answered) = oneshot::channel();
            self.asks.send(Ask { number, answer }).await.map_err(|_| ended())?;
            answered.await.map_err(|_| ended())??;
            self.settled = position;
            Ok(())
        })
    }
}
