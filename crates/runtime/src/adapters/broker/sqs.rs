//! Amazon SNS and SQS: for each partition of a topic an SNS topic that keeps the order, and for
//! each group a queue that hears it.
//!
//! A queue of a group and partition, because SQS lets nobody choose what to receive: were there one
//! for all partitions, processes could not share them. The ordering key is the message group: so
//! the queue keeps the order of a key and gives it to one reader at a time, and a reader that died
//! holds up, until its messages are seen again, only the keys that it worked on. Among keys there
//! is no order. SQS has no positions, so a subscription numbers what it is delivered.

mod client;
mod declaring;
mod message;
mod names;
mod reader;
mod settings;
#[cfg(test)]
mod tests;

use crate::ports::broker::{Broker, Declared, Message, NotPublished, Reading, Subscription, Topic};
use crate::ports::clock::{Clock, SystemClock};
use crate::ports::store::Unavailable;
use client::{Client, Fault};
use futures::future::BoxFuture;
use serde_json::json;
pub(super) use settings::Settings;
use std::collections::BTreeMap;
use std::future::Future;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use tokio::time::timeout;

/// A topic is made, or deleted, by then.
const DECLARE_PATIENCE: Duration = Duration::from_secs(60);
/// What was made is looked at again after so long: each look is some requests for each partition.
const LOOK_EVERY: Duration = Duration::from_secs(300);
/// Bytes of a message that SNS takes.
const MESSAGE_BYTES_MAX: usize = 262_144;
/// Bytes of data that are kept in a bucket.
const OBJECT_BYTES_MAX: usize = 4_000_000;
/// What SNS says of a message that it will never take.
const REFUSED: [&str; 4] =
    ["InvalidParameter", "InvalidParameterValue", "ParameterValueInvalid", "ValidationException"];
/// What counts the messages of a queue: those that wait, are under way, or are to be seen later.
const COUNTS: [&str; 3] = [
    "ApproximateNumberOfMessages",
    "ApproximateNumberOfMessagesNotVisible",
    "ApproximateNumberOfMessagesDelayed",
];

/// The services of a region.
pub(super) struct Sqs {
    settings: Settings,
    client: tokio::sync::OnceCell<Arc<Client>>,
    /// Topics as they were wanted, and found or made, with when.
    declared: Mutex<BTreeMap<Arc<str>, (Topic, Declared, Instant)>>,
}

/// What has to be done in time.
async fn in_time<T>(doing: impl Future<Output = Result<T, Fault>>) -> Result<T, Unavailable> {
    let done = timeout(DECLARE_PATIENCE, doing).await;
    Ok(done.unwrap_or_else(|_| Err(Fault::Silent("no answer in time".to_owned())))?)
}

impl Sqs {
    pub(super) fn new(settings: Settings) -> Self {
        Self { settings, client: tokio::sync::OnceCell::new(), declared: Mutex::default() }
    }

    async fn client(&self) -> Result<&Arc<Client>, Fault> {
        let making = || async { Client::new(self.settings.clone()).map(Arc::new) };
        self.client.get_or_try_init(making).await
    }

    fn with_declared<T>(
        &self,
        change: impl FnOnce(&mut BTreeMap<Arc<str>, (Topic, Declared, Instant)>) -> T,
    ) -> T {
        change(&mut self.declared.lock().unwrap_or_else(PoisonError::into_inner))
    }

    async fn make(&self, topic: &Topic) -> Result<Declared, Fault> {
        let found = self.with_declared(|all| {
            let found = all.get(&topic.name);
            let found = found.filter(|(wanted, ..)| wanted == topic);
            found.filter(|(.., at)| at.elapsed() < LOOK_EVERY).map(|(_, found, _)| found.clone())
        });
        if let Some(found) = found {
            return Ok(found);
        }
        let made = declaring::make(self.client().await?, topic).await?;
        let kept = (topic.clone(), made.clone(), Instant::now());
        self.with_declared(|all| all.insert(Arc::clone(&topic.name), kept));
        Ok(made)
    }

    /// Where something of a topic is gone, the next look makes it.
    fn forget_gone(&self, topic: &str, why: &Fault) {
        if why.is(&declaring::NO_TOPIC) || why.is(&declaring::NO_QUEUE) {
            self.with_declared(|all| all.remove(topic));
        }
    }

    /// The text of a message, with its data or a word of where it is kept.
    async fn text(&self, topic: &str, message: &Message) -> Result<String, NotPublished> {
        let whole = message::whole(message);
        if whole.len() <= MESSAGE_BYTES_MAX {
            return Ok(whole);
        }
        let refused = |most: usize, hint: &str| {
            let bytes = message.body.len();
            Err(NotPublished::Refused(format!(
                "Amazon SNS: a message of {bytes} bytes of data: {most} at most{hint}"
            )))
        };
        let Some(bucket) = &self.settings.bucket else {
            let hint = ", with its attributes; `?bucket=` in the address keeps larger data in S3";
            return refused(MESSAGE_BYTES_MAX, hint);
        };
        if message.body.len() > OBJECT_BYTES_MAX {
            return refused(OBJECT_BYTES_MAX, "");
        }
        let name = names::object(topic, message.partition, &message.id);
        let text = message::referring(message, &format!("s3://{bucket}/{name}"));
        if text.len() > MESSAGE_BYTES_MAX {
            return refused(MESSAGE_BYTES_MAX, " with its attributes");
        }
        let client = self.client().await.map_err(Unavailable::from)?;
        client.put(bucket, &name, message.body.clone()).await.map_err(Unavailable::from)?;
        Ok(text)
    }

    async fn send(&self, topic: &str, message: &Message, text: &str) -> Result<(), Fault> {
        let client = self.client().await?;
        let name = names::topic(topic, message.partition);
        let arn = client.account().await?.arn(settings::Service::Sns, &name);
        let form = [
            ("Action", "Publish"),
            ("TopicArn", &*arn),
            ("Message", text),
            ("MessageGroupId", &names::id(&message.key)),
            ("MessageDeduplicationId", &names::id(&message.id)),
        ];
        client.sns(&form).await
    }

    async fn count(&self, reading: &Reading) -> Result<u64, Fault> {
        let client = self.client().await?;
        let url = declaring::queue_url(client, reading).await?;
        let asked = json!({"QueueUrl": url, "AttributeNames": COUNTS});
        let told = client.sqs("GetQueueAttributes", &asked).await?;
        let counts = COUNTS.iter().filter_map(|name| told["Attributes"][name].as_str());
        Ok(counts.filter_map(|text| text.parse::<u64>().ok()).sum())
    }
}

impl Broker for Sqs {
    fn kind(&self) -> &'static str {
        "sqs"
    }

    fn declare<'a>(&'a self, topic: &'a Topic) -> BoxFuture<'a, Result<Declared, Unavailable>> {
        Box::pin(in_time(self.make(topic)))
    }

    fn publish<'a>(
        &'a self,
        topic: &'a str,
        message: &'a Message,
    ) -> BoxFuture<'a, Result<(), NotPublished>> {
        Box::pin(async move {
            let text = self.text(topic, message).await?;
            match self.send(topic, message, &text).await {
                Ok(()) => Ok(()),
                Err(why) if why.is(&REFUSED) => {
                    Err(NotPublished::Refused(format!("Amazon SNS: {why}")))
                }
                Err(why) => {
                    self.forget_gone(topic, &why);
                    Err(Unavailable::from(why).into())
                }
            }
        })
    }

    fn end<'a>(&'a self, _reading: &'a Reading) -> BoxFuture<'a, Result<i64, Unavailable>> {
        Box::pin(async { Ok(0) })
    }

    /// What SQS says there is, which may be a minute old.
    fn waiting<'a>(
        &'a self,
        reading: &'a Reading,
        _position: i64,
    ) -> BoxFuture<'a, Result<u64, Unavailable>> {
        Box::pin(in_time(self.count(reading)))
    }

    fn subscribe<'a>(
        &'a self,
        reading: &'a Reading,
        position: i64,
    ) -> BoxFuture<'a, Result<Box<dyn Subscription>, Unavailable>> {
        Box::pin(async move {
            let client = self.client().await?;
            let url = declaring::queue_url(client, reading).await;
            if let Err(why) = &url {
                self.forget_gone(&reading.topic, why);
            }
            let base = SystemClock.now().max(position);
            let reader = reader::Reader::begin(Arc::clone(client), reading, url?, base);
            Ok(Box::new(reader) as Box<dyn Subscription>)
        })
    }

    fn remove<'a>(&'a self, topic: &'a Topic) -> BoxFuture<'a, Result<(), Unavailable>> {
        Box::pin(in_time(async move {
            self.with_declared(|all| all.remove(&topic.name));
            declaring::unmake(self.client().await?, topic).await
        }))
    }
}
