//! Apache Kafka: a topic for each topic, its partitions as they are.
//!
//! A partition is a log that groups read by offset, so a position is the offset behind a message
//! and settling needs no word to the cluster: who reads what is decided by whoever consumes, so
//! Kafka hears of no group. Messages are as the CloudEvents protocol binding for Kafka has them, in
//! binary content mode. The producer is idempotent and waits for all replicas in sync: how many
//! these are is the cluster's `min.insync.replicas`. A topic's incarnation is its id (KIP-516);
//! a cluster that gives none can't tell a topic that was made anew.

mod reader;
mod settings;
#[cfg(test)]
mod tests;

use crate::ports::broker::{Broker, Declared, Message, NotPublished, Reading, Subscription, Topic};
use crate::ports::store::Unavailable;
use futures::future::BoxFuture;
use krafka::admin::{
    AdminClient, CreateTopicsOptions, DeleteTopicsOptions, DescribeTopicsOptions,
    ListOffsetsOptions, NewTopic, OffsetSpec, TopicDescription, TopicPartition,
};
use krafka::consumer::AutoOffsetReset;
use krafka::error::ErrorCode;
use krafka::producer::{Acks, Producer};
use krafka::{KrafkaError, Record};
use reader::{Reader, Source};
pub(super) use settings::Settings;
use std::fmt::Write;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

/// A cluster that can't be connected to by then can't be had.
const CONNECT_PATIENCE: Duration = Duration::from_secs(3);
/// A request that is not answered by then is made again, where it may be,
const REQUEST_PATIENCE: Duration = Duration::from_secs(5);
/// and until then, after which it has failed.
const CALL_PATIENCE: Duration = Duration::from_secs(10);
/// Whatever is asked has an answer by then.
const PATIENCE: Duration = Duration::from_secs(15);
/// A topic that was made is looked for so often until the cluster knows it.
const LOOK_INTERVAL: Duration = Duration::from_millis(100);
/// Bytes of messages that were sent and not answered for; a larger one is never sent.
const MEMORY_BYTES: usize = 32 << 20;
/// Bytes of messages that are fetched at once.
const BATCH_BYTES: i32 = 4 << 20;
/// Messages that are handed over at once.
const BATCH_MESSAGES: i32 = 500;
/// Attributes are headers that begin so (CloudEvents' protocol binding for Kafka, 3.2.3).
const ATTRIBUTE: &str = "ce_";
/// The content type has a header of its own.
const CONTENT_TYPE: &str = "content-type";

/// A cluster.
pub(super) struct Kafka {
    settings: Settings,
    client: tokio::sync::Mutex<Option<Arc<Client>>>,
}

/// What speaks to it.
struct Client {
    producer: Producer,
    admin: AdminClient,
}

fn broken(why: impl std::fmt::Display) -> Unavailable {
    Unavailable::Broken(format!("Kafka: {why}"))
}

fn partition_number(partition: u32) -> i32 {
    i32::try_from(partition).unwrap_or(i32::MAX)
}

/// What has to be answered in time.
async fn in_time<T>(asking: impl Future<Output = krafka::Result<T>>) -> krafka::Result<T> {
    let answer = tokio::time::timeout(PATIENCE, asking).await;
    answer.unwrap_or_else(|_| Err(KrafkaError::timeout("no answer in time")))
}

impl Kafka {
    pub(super) fn new(settings: Settings) -> Self {
        Self { settings, client: tokio::sync::Mutex::new(None) }
    }

    /// Connections of their own: what a broker is asked on one, it answers in turn, and a fetch
    /// waits there for what comes.
    async fn connect(&self) -> krafka::Result<krafka::Kafka> {
        krafka::Kafka::builder(self.settings.hosts.join(","))
            .client_id("mainstay")
            .security(self.settings.security())
            .connect_timeout(CONNECT_PATIENCE)
            .request_timeout(REQUEST_PATIENCE)
            .allow_auto_create_topics(false)
            .connect()
            .await
    }

    async fn client(&self) -> krafka::Result<Arc<Client>> {
        let mut kept = self.client.lock().await;
        if let Some(client) = &*kept {
            return Ok(Arc::clone(client));
        }
        let kafka = self.connect().await?;
        let producer = kafka.producer().idempotent(true).acks(Acks::All).linger(Duration::ZERO);
        let producer = producer.max_block(CALL_PATIENCE).delivery_timeout(CALL_PATIENCE);
        let producer = producer.metrics_push(false).buffer_memory(MEMORY_BYTES).build().await?;
        let admin = kafka.admin().default_api_timeout(CALL_PATIENCE);
        let client = Arc::new(Client { producer, admin });
        *kept = Some(Arc::clone(&client));
        Ok(client)
    }

    async fn read(
        &self,
        client: Arc<Client>,
        reading: &Reading,
        position: i64,
    ) -> krafka::Result<Source> {
        let incarnation = client.incarnation(&reading.topic).await?;
        let offset = client.begin(reading, position).await?;
        let kafka = self.connect().await?;
        let consumer = kafka
            .consumer_without_group()
            .auto_offset_reset(AutoOffsetReset::None)
            .fetch_max_bytes(BATCH_BYTES)
            .max_partition_fetch_bytes(BATCH_BYTES)
            .max_poll_records(BATCH_MESSAGES)
            .max_buffered_records(BATCH_MESSAGES)
            .metrics_push(false)
            .build()
            .await?;
        let partition = partition_number(reading.partition);
        consumer.assign(&reading.topic, vec![partition]).await?;
        consumer.seek(&reading.topic, partition, offset).await?;
        Ok(Source { consumer, client, topic: Arc::clone(&reading.topic), incarnation })
    }

    /// Asks the cluster; a client that can't go on is replaced for whoever asks next.
    async fn ask<T, F>(&self, ask: impl FnOnce(Arc<Client>) -> F) -> krafka::Result<T>
    where
        F: Future<Output = krafka::Result<T>>,
    {
        let answer = in_time(async { ask(self.client().await?).await }).await;
        // Where it is locked, somebody connects.
        if answer.as_ref().is_err_and(KrafkaError::is_fatal)
            && let Ok(mut kept) = self.client.try_lock()
        {
            *kept = None;
        }
        answer
    }
}

impl Client {
    /// None where the cluster does not know it.
    async fn topic(&self, name: &str) -> krafka::Result<Option<TopicDescription>> {
        let options = DescribeTopicsOptions::default();
        let mut all = self.admin.describe_topics([name], options).await?;
        match all.remove(name) {
            Some(Ok(topic)) => Ok(Some(topic)),
            None | Some(Err(KrafkaError::UnknownTopic { .. })) => Ok(None),
            Some(Err(KrafkaError::Broker { code: ErrorCode::UnknownTopicOrPartition, .. })) => {
                Ok(None)
            }
            Some(Err(why)) => Err(why),
        }
    }

    /// The incarnation of one that is there.
    async fn incarnation(&self, name: &str) -> krafka::Result<Arc<str>> {
        let topic = self.topic(name).await?;
        topic.map(|topic| incarnation(&topic)).ok_or_else(|| KrafkaError::unknown_topic(name))
    }

    async fn declare(&self, topic: &Topic) -> krafka::Result<Declared> {
        let mut made = false;
        loop {
            if let Some(found) = self.topic(&topic.name).await? {
                let partitions = u32::try_from(found.partitions.len()).unwrap_or(u32::MAX);
                return Ok(Declared { partitions, incarnation: incarnation(&found) });
            }
            if made {
                tokio::time::sleep(LOOK_INTERVAL).await;
                continue;
            }
            let partitions = partition_number(topic.partitions);
            let new = NewTopic::new(&*topic.name, partitions, -1)?
                .with_config("cleanup.policy", "delete")
                .with_config("retention.ms", topic.retention.as_millis().to_string());
            let mut answers =
                self.admin.create_topics([new], CreateTopicsOptions::default()).await?;
            match answers.remove(&*topic.name) {
                Some(Err(KrafkaError::Broker { code: ErrorCode::TopicAlreadyExists, .. }))
                | Some(Ok(()))
                | None => made = true,
                Some(Err(why)) => return Err(why),
            }
        }
    }

    /// The offset behind the last message of a partition, or of the first that is still there.
    async fn offset(&self, reading: &Reading, which: OffsetSpec) -> krafka::Result<i64> {
        let at = TopicPartition::new(&*reading.topic, partition_number(reading.partition));
        let asked = [(at.clone(), which)];
        let mut all = self.admin.list_offsets(asked, ListOffsetsOptions::default()).await?;
        let found = all.remove(&at).ok_or_else(|| KrafkaError::unknown_topic(&*reading.topic))?;
        Ok(found?.offset)
    }

    /// Offsets of the first message of a partition, and behind the last one.
    async fn ends(&self, reading: &Reading) -> krafka::Result<(i64, i64)> {
        let first = self.offset(reading, OffsetSpec::Earliest).await?;
        Ok((first, self.offset(reading, OffsetSpec::Latest).await?))
    }

    /// The offset to read from, behind a position. What a cluster lost is not begun behind: what is
    /// published at those offsets again would not be heard.
    async fn begin(&self, reading: &Reading, position: i64) -> krafka::Result<i64> {
        let (first, end) = self.ends(reading).await?;
        if position > end {
            return Err(KrafkaError::illegal_state(format!(
                "the cluster lost messages of `{}`: partition {} ends at {end}, and was read up \
                 to {position}",
                reading.topic, reading.partition
            )));
        }
        if position > 0 && first > position {
            let (topic, group) = (&*reading.topic, &*reading.group);
            tracing::error!(topic, group, position, first, "messages went before they were read");
        }
        Ok(position.max(first))
    }
}

fn incarnation(topic: &TopicDescription) -> Arc<str> {
    let mut text = String::with_capacity(32);
    for byte in topic.topic_id {
        // Writing to a string can't fail.
        let _written = write!(text, "{byte:02x}");
    }
    text.into()
}

fn record(topic: &str, message: &Message) -> Record {
    let mut record = Record::new(topic, message.body.clone())
        .partition(partition_number(message.partition))
        .key(message.key.to_string());
    for (name, value) in &message.attributes {
        record = match *name {
            "datacontenttype" => record.header(CONTENT_TYPE, value.clone()),
            name => record.header(format!("{ATTRIBUTE}{name}"), value.clone()),
        };
    }
    record
}

/// Sending it again does not help; the client says so of what is beyond its own limits by a fault
/// of configuration.
fn is_refused(why: &KrafkaError) -> bool {
    use ErrorCode::{MessageTooLarge, RecordListTooLarge};
    match why {
        KrafkaError::Broker { code, .. } => {
            matches!(code, MessageTooLarge | RecordListTooLarge)
        }
        KrafkaError::Config { message } => message.starts_with("record size"),
        _ => false,
    }
}

impl Broker for Kafka {
    fn kind(&self) -> &'static str {
        "kafka"
    }

    fn declare<'a>(&'a self, topic: &'a Topic) -> BoxFuture<'a, Result<Declared, Unavailable>> {
        Box::pin(async move {
            let declaring = self.ask(|client| async move { client.declare(topic).await });
            declaring.await.map_err(broken)
        })
    }

    fn publish<'a>(
        &'a self,
        topic: &'a str,
        message: &'a Message,
    ) -> BoxFuture<'a, Result<(), NotPublished>> {
        Box::pin(async move {
            let record = record(topic, message);
            let sent = self.ask(|client| async move { client.producer.send(record).await });
            match sent.await {
                Ok(_) => Ok(()),
                Err(why) if is_refused(&why) => Err(NotPublished::Refused(why.to_string())),
                Err(why) => Err(broken(why).into()),
            }
        })
    }

    fn end<'a>(&'a self, reading: &'a Reading) -> BoxFuture<'a, Result<i64, Unavailable>> {
        Box::pin(async move {
            let end =
                self.ask(|client| async move { client.offset(reading, OffsetSpec::Latest).await });
            end.await.map_err(broken)
        })
    }

    fn waiting<'a>(
        &'a self,
        reading: &'a Reading,
        position: i64,
    ) -> BoxFuture<'a, Result<u64, Unavailable>> {
        Box::pin(async move {
            let ends = self.ask(|client| async move { client.ends(reading).await });
            let (first, end) = ends.await.map_err(broken)?;
            Ok(u64::try_from(end.saturating_sub(position.max(first))).unwrap_or(0))
        })
    }

    fn subscribe<'a>(
        &'a self,
        reading: &'a Reading,
        position: i64,
    ) -> BoxFuture<'a, Result<Box<dyn Subscription>, Unavailable>> {
        Box::pin(async move {
            let source = self.ask(|client| self.read(client, reading, position));
            let source = source.await.map_err(broken)?;
            Ok(Box::new(Reader::new(source)) as Box<dyn Subscription>)
        })
    }

    fn remove<'a>(&'a self, topic: &'a Topic) -> BoxFuture<'a, Result<(), Unavailable>> {
        Box::pin(async move {
            let removing = self.ask(|client| async move {
                let options = DeleteTopicsOptions::default();
                let answers = client.admin.delete_topics([&*topic.name], options).await?;
                answers.into_values().collect::<krafka::Result<()>>()
            });
            removing.await.map_err(broken)
        })
    }
}
