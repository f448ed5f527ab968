//! How a topic is made at RabbitMQ, and what is written down of it there.
//!
//! The protocol tells little of what is there, so how many partitions a topic was made with is a
//! message in a queue of its own, which stays in it. Whoever makes or looks at it holds an
//! exclusive queue meanwhile, which ends with the connection: so two processes agree, and one that
//! dies holds up nobody.

use super::{
    Connection, REQUEST_PATIENCE, RabbitMq, Sent, answered, broken, confirming, is,
    message::{PERSISTENT, text},
    queue_name, send, short,
};
use crate::adapters::broker::rabbitmq::Shaped;
use crate::ports::broker::{Declared, Reading, Topic};
use crate::ports::clock::{Clock, SystemClock};
use crate::ports::store::Unavailable;
use lapin::options::{
    BasicGetOptions, BasicNackOptions, ExchangeDeclareOptions, ExchangeDeleteOptions,
    QueueBindOptions, QueueDeclareOptions, QueueDeleteOptions,
};
use lapin::protocol::AMQPSoftError::{NOTFOUND, PRECONDITIONFAILED, RESOURCELOCKED};
use lapin::types::{AMQPValue, FieldTable, ShortString};
use lapin::{BasicProperties, Channel, ExchangeKind};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};
use tokio::time::timeout;

/// Another process holds a topic so long at most before it is given up.
const LOCK_PATIENCE: Duration = Duration::from_secs(20);
/// It is tried so often.
const LOCK_RETRY: Duration = Duration::from_millis(50);
/// What is written of a topic is back in its queue by then, when who held it died.
const RECORD_PATIENCE: Duration = Duration::from_secs(2);
/// Headers of what is written of a topic.
const PARTITIONS: &str = "mainstay-partitions";
const INCARNATION: &str = "mainstay-incarnation";

/// Deliveries of a message before a replicated queue drops it: some servers have a limit where none
/// is named, and some take one below 0 for none and others for one that is always passed. What
/// can't be done is decided by who consumes.
const DELIVERIES_MAX: i32 = i32::MAX;
/// Kinds of queues, the best first: replicated, and what every server has.
const QUEUES: [&[(&str, Value)]; 2] = [
    &[("x-queue-type", Value::Text("quorum")), ("x-delivery-limit", Value::Number(DELIVERIES_MAX))],
    &[("x-queue-type", Value::Text("classic"))],
];

#[derive(Clone, Copy)]
enum Value {
    Text(&'static str),
    Number(i32),
}

fn arguments(kind: &[(&str, Value)], one_reader: bool) -> FieldTable {
    let mut arguments = FieldTable::default();
    for (name, value) in kind {
        let value = match value {
            Value::Text(text) => AMQPValue::LongString((*text).into()),
            Value::Number(number) => AMQPValue::LongInt(*number),
        };
        arguments.insert((*name).into(), value);
    }
    if one_reader {
        arguments.insert("x-single-active-consumer".into(), AMQPValue::Boolean(true));
    }
    arguments
}

/// What a queue is bound by.
fn binding(partition: u32) -> ShortString {
    format!("{partition}.#").into()
}

/// The work on a topic, by who holds it.
struct Making<'r> {
    rabbit: &'r RabbitMq,
    connection: Connection,
    /// The last one that the server did not close.
    channel: Channel,
    lock: ShortString,
    record: ShortString,
}

impl RabbitMq {
    async fn hold(&self, topic: &Topic) -> Result<Making<'_>, Unavailable> {
        // An exclusive queue is its connection's: two of this process need two.
        let connection = self.connect("declares").await?;
        let lock = short(format!("{}.declaring", topic.name))?;
        let record = short(format!("{}.declared", topic.name))?;
        let deadline = Instant::now() + LOCK_PATIENCE;
        let channel = loop {
            let channel = answered("a channel", connection.create_channel()).await?;
            let options = QueueDeclareOptions::exclusive().auto_delete();
            let locking = channel.queue_declare(lock.clone(), options, FieldTable::default());
            match timeout(REQUEST_PATIENCE, locking).await {
                Ok(Ok(_)) => break channel,
                Ok(Err(why)) if is(&why, RESOURCELOCKED) && Instant::now() < deadline => {
                    tokio::time::sleep(LOCK_RETRY).await;
                }
                Ok(Err(why)) => return Err(broken(why)),
                Err(_) => return Err(broken("a lock is not answered")),
            }
        };
        Ok(Making { rabbit: self, connection, channel, lock, record })
    }

    /// Makes what is missing of a topic.
    pub(super) async fn make(&self, topic: &Topic) -> Result<Declared, Unavailable> {
        let mut making = self.hold(topic).await?;
        let made = making.make(topic).await;
        making.release().await;
        made
    }

    /// Makes a queue that no topic has, where it is not there, as durable as the server can.
    pub(super) async fn make_queue(&self, name: &Arc<str>) -> Result<(), Unavailable> {
        let (groups, retention) = (Vec::new(), Duration::ZERO);
        let named = Topic { name: Arc::clone(name), partitions: 0, groups, retention };
        let mut making = self.hold(&named).await?;
        let made = making.queue(&short(&**name)?, false).await;
        making.release().await;
        made
    }

    /// Deletes a topic with the queues of its groups.
    pub(super) async fn unmake(&self, topic: &Topic) -> Result<(), Unavailable> {
        let mut making = self.hold(topic).await?;
        let unmade = making.unmake(topic).await;
        making.release().await;
        unmade
    }
}

impl Making<'_> {
    async fn make(&mut self, topic: &Topic) -> Result<Declared, Unavailable> {
        let exchange = short(&*topic.name)?;
        let options = ExchangeDeclareOptions { durable: true, ..Default::default() };
        let kind = ExchangeKind::Topic;
        let none = FieldTable::default();
        let making = self.channel.exchange_declare(exchange.clone(), kind, options, none);
        answered("an exchange", making).await?;
        let declared = self.recorded(topic).await?;
        for group in &topic.groups {
            for partition in 0..declared.partitions {
                let queue = self.group_queue(topic, group, partition)?;
                self.queue(&queue, true).await?;
                let bound = self.channel.queue_bind(
                    queue,
                    exchange.clone(),
                    binding(partition),
                    QueueBindOptions::default(),
                    FieldTable::default(),
                );
                answered("a binding", bound).await?;
            }
        }
        Ok(declared)
    }

    async fn unmake(&mut self, topic: &Topic) -> Result<(), Unavailable> {
        let partitions = match self.exists(&self.record.clone()).await? {
            true => self.recorded(topic).await?.partitions,
            false => topic.partitions,
        };
        let options = ExchangeDeleteOptions::default();
        let deleting = self.channel.exchange_delete(short(&*topic.name)?, options);
        answered("an exchange", deleting).await?;
        for group in &topic.groups {
            for partition in 0..partitions {
                let queue = self.group_queue(topic, group, partition)?;
                self.delete(queue).await?;
            }
        }
        // The last, for it says which queues there are.
        self.delete(self.record.clone()).await
    }

    async fn delete(&self, queue: ShortString) -> Result<(), Unavailable> {
        let deleting = self.channel.queue_delete(queue, QueueDeleteOptions::default());
        answered("a queue", deleting).await.map(|_messages| ())
    }

    async fn release(self) {
        // The connection's end releases it as well.
        let deleting = self.channel.queue_delete(self.lock, QueueDeleteOptions::default());
        let _gone = timeout(REQUEST_PATIENCE, deleting).await;
        let _closed = timeout(REQUEST_PATIENCE, self.connection.close(200, "OK".into())).await;
    }

    fn group_queue(
        &self,
        topic: &Topic,
        group: &Arc<str>,
        partition: u32,
    ) -> Result<ShortString, Unavailable> {
        let (topic, group) = (Arc::clone(&topic.name), Arc::clone(group));
        queue_name(&Reading { topic, group, partition })
    }

    async fn anew(&mut self) -> Result<(), Unavailable> {
        self.channel = answered("a channel", self.connection.create_channel()).await?;
        Ok(())
    }

    async fn exists(&mut self, queue: &ShortString) -> Result<bool, Unavailable> {
        let passive = QueueDeclareOptions::durable().passive();
        let asked = self.channel.queue_declare(queue.clone(), passive, FieldTable::default());
        match timeout(REQUEST_PATIENCE, asked).await {
            Ok(Ok(_)) => Ok(true),
            Ok(Err(why)) if is(&why, NOTFOUND) => {
                self.anew().await?;
                Ok(false)
            }
            Ok(Err(why)) => Err(broken(why)),
            Err(_) => Err(broken("a queue is not answered")),
        }
    }

    /// Makes a queue where it is not there, of the best kind that the server takes. One that is
    /// there stays as it is: an operator may have made it.
    async fn queue(&mut self, queue: &ShortString, one_reader: bool) -> Result<(), Unavailable> {
        let known = &self.rabbit.queues;
        let first = known.load(Ordering::Relaxed);
        let mut last = None;
        for (at, kind) in QUEUES.iter().enumerate().skip(first) {
            let arguments = arguments(kind, one_reader);
            let options = QueueDeclareOptions::durable();
            let declaring = self.channel.queue_declare(queue.clone(), options, arguments);
            match timeout(REQUEST_PATIENCE, declaring).await {
                Ok(Ok(_)) => {
                    known.fetch_max(at, Ordering::Relaxed);
                    return Ok(());
                }
                Ok(Err(why)) if is(&why, PRECONDITIONFAILED) => {
                    self.anew().await?;
                    if self.exists(queue).await? {
                        return Ok(());
                    }
                    last = Some(why);
                }
                Ok(Err(why)) => return Err(broken(why)),
                Err(_) => return Err(broken("a queue is not answered")),
            }
        }
        Err(last.map_or_else(|| broken("no kind of queue is left to try"), broken))
    }

    /// What is written of a topic; writes it where nothing is.
    async fn recorded(&mut self, topic: &Topic) -> Result<Declared, Unavailable> {
        let fresh = !self.exists(&self.record.clone()).await?;
        if fresh {
            self.queue(&self.record.clone(), false).await?;
        }
        // One that died while it looked gives it back with a delay.
        let patience = if fresh { Duration::ZERO } else { RECORD_PATIENCE };
        let deadline = Instant::now() + patience;
        loop {
            if let Some(declared) = self.look().await? {
                return Ok(declared);
            }
            if Instant::now() >= deadline {
                return self.write(topic).await;
            }
            tokio::time::sleep(LOCK_RETRY).await;
        }
    }

    async fn look(&self) -> Result<Option<Declared>, Unavailable> {
        let getting = self.channel.basic_get(self.record.clone(), BasicGetOptions::default());
        let Some(found) = answered("a topic's record", getting).await? else { return Ok(None) };
        let headers = found.properties.headers().as_ref();
        let header = |name: &str| headers.and_then(|all| all.inner().get(name)).and_then(text);
        let (partitions, incarnation) = (header(PARTITIONS), header(INCARNATION));
        let back = BasicNackOptions { requeue: true, ..Default::default() };
        answered("a topic's record", found.nack(back)).await?;
        let partitions = partitions.and_then(|text| text.parse().ok());
        let (Some(partitions), Some(incarnation)) = (partitions, incarnation) else {
            return Err(broken(format!("what is in the queue `{}` is no record", self.record)));
        };
        Ok(Some(Declared { partitions, incarnation: incarnation.into() }))
    }

    async fn write(&self, topic: &Topic) -> Result<Declared, Unavailable> {
        let incarnation = format!("{:x}", SystemClock.now());
        let mut headers = FieldTable::default();
        let partitions = AMQPValue::LongString(topic.partitions.to_string().into());
        headers.insert(PARTITIONS.into(), partitions);
        let value = AMQPValue::LongString(incarnation.as_str().into());
        headers.insert(INCARNATION.into(), value);
        let properties = BasicProperties::default().with_delivery_mode(PERSISTENT);
        let record = Shaped {
            exchange: "".into(),
            key: self.record.clone(),
            properties: properties.with_headers(headers),
            body: b"",
        };
        let channel = confirming(&self.connection).await?;
        match send(&channel, &record).await {
            Sent::Confirmed => {}
            Sent::Silent => return Err(broken("a topic's record is not confirmed")),
            Sent::Failed(why) => return Err(broken(why)),
        }
        Ok(Declared { partitions: topic.partitions, incarnation: incarnation.into() })
    }
}
