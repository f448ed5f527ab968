//! Redis Streams: a stream for each partition.
//!
//! The stream is a log that the groups read by the ids of its entries, so a position is such an id
//! ([`position::Id`]) and settling needs no word to the server: a topic keeps its messages as long
//! as it says, and older ones go when others are published. A second message of one id is not
//! dropped.
//!
//! An answer means that a message is on disk where the server says `appendonly yes` and
//! `appendfsync always`, and keeps what it has (`maxmemory-policy noeviction`): what is looked at
//! when the first topic is declared, and said in the log where it is not so. Replicas follow on
//! their own, so a failover may lose the last messages. Of a cluster, the address has to lead to
//! the node that has the topic, whose keys are together: `MOVED` is not followed. Needs Redis 6.2
//! or what speaks like it, as Valkey does.

mod position;
mod reader;
mod requests;
mod scripts;
#[cfg(test)]
mod tests;

use crate::ports::broker::{
    Answering, Broker, Declared, Message, NotPublished, Reading, Subscription, Topic,
};
use crate::ports::store::Unavailable;
use futures::future::BoxFuture;
use position::Id;
use reader::{Reader, Source};
use redis::aio::MultiplexedConnection;
use redis::{AsyncConnectionConfig, Cmd, ErrorKind, RedisError, RedisResult, ServerErrorKind};
use reqwest::Url;
use scripts::Scripts;
use std::collections::BTreeMap;
use std::future::Future;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// A server that can't be connected to by then can't be had.
const CONNECT_PATIENCE: Duration = Duration::from_secs(5);
/// A request that is not answered by then has failed, connecting included.
const REQUEST_PATIENCE: Duration = Duration::from_secs(10);
/// Old entries that go when one is added, at most, whole nodes of the stream's tree at a time: more
/// than are added, so that none pile up, and few enough that nobody waits.
const TRIM_ENTRIES_MAX: usize = 1_000;
/// Entries and bytes that are counted of those that wait; beyond, they are estimated.
const COUNTED_ENTRIES_MAX: usize = 2_000;
/// See [`COUNTED_ENTRIES_MAX`].
const COUNTED_BYTES_MAX: usize = 16 << 20;
/// The field of an entry that holds the data; no attribute can be called so (CloudEvents 1.0, 3.1).
const BODY: &str = "data";
/// Bytes of a value that a server takes unless it says otherwise.
const BODY_BYTES_MAX: usize = 512 << 20;

/// The names of keys.
mod keys {
    /// What those of a topic's streams begin with. The braces keep a topic's keys together in a
    /// cluster.
    pub(super) fn streams(topic: &str) -> String {
        format!("{{{topic}}}:")
    }

    pub(super) fn stream(topic: &str, partition: u32) -> String {
        format!("{{{topic}}}:{partition}")
    }

    pub(super) fn declared(topic: &str) -> String {
        format!("{{{topic}}}:declared")
    }
}

/// A server.
pub(super) struct Redis {
    url: Url,
    connection: tokio::sync::Mutex<Option<MultiplexedConnection>>,
    scripts: Arc<Scripts>,
    /// Of the topics that were declared.
    kept: Mutex<BTreeMap<Arc<str>, Kept>>,
    /// That its settings are as they must be was looked at.
    looked: AtomicBool,
    body_bytes_max: AtomicUsize,
}

/// How long a topic's messages stay.
#[derive(Debug, Clone, Copy)]
struct Kept {
    retention: Duration,
    /// The server's clock when the last one was added, as far as it was heard.
    milliseconds: u64,
}

fn broken(why: impl std::fmt::Display) -> Unavailable {
    Unavailable::Broken(format!("Redis: {why}"))
}

fn late() -> RedisError {
    std::io::Error::new(std::io::ErrorKind::TimedOut, "no answer in time").into()
}

/// Another connection may lead to a server that can.
fn ends_connection(why: &RedisError) -> bool {
    use ServerErrorKind::{ClusterDown, MasterDown, Moved, ReadOnly};
    let elsewhere =
        matches!(why.kind(), ErrorKind::Server(ReadOnly | MasterDown | ClusterDown | Moved));
    elsewhere || why.is_timeout() || why.is_unrecoverable_error()
}

impl Redis {
    pub(super) fn new(url: Url) -> Self {
        Self {
            url,
            connection: tokio::sync::Mutex::new(None),
            scripts: Arc::new(Scripts::new()),
            kept: Mutex::new(BTreeMap::new()),
            looked: AtomicBool::new(false),
            body_bytes_max: AtomicUsize::new(BODY_BYTES_MAX),
        }
    }

    /// A connection whose requests are answered within a time.
    async fn connect(&self, patience: Duration) -> RedisResult<MultiplexedConnection> {
        let client = redis::Client::open(self.url.as_str())?;
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(CONNECT_PATIENCE))
            .set_response_timeout(Some(patience));
        client.get_multiplexed_async_connection_with_config(&config).await
    }

    async fn connection(&self) -> RedisResult<MultiplexedConnection> {
        let mut kept = self.connection.lock().await;
        if let Some(connection) = &*kept {
            return Ok(connection.clone());
        }
        let connection = self.connect(REQUEST_PATIENCE).await?;
        *kept = Some(connection.clone());
        Ok(connection)
    }

    /// Asks on the connection of all; one that was lost is replaced for whoever asks next.
    async fn ask<T, F>(&self, ask: impl FnOnce(MultiplexedConnection) -> F) -> RedisResult<T>
    where
        F: Future<Output = RedisResult<T>>,
    {
        let asking = async { ask(self.connection().await?).await };
        let answer = tokio::time::timeout(REQUEST_PATIENCE, asking).await;
        let answer = answer.unwrap_or_else(|_| Err(late()));
        if answer.as_ref().is_err_and(ends_connection) {
            // Where it is locked, somebody connects.
            if let Ok(mut kept) = self.connection.try_lock() {
                *kept = None;
            }
        }
        answer
    }

    fn kept(&self, topic: &str) -> Option<Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner).get(topic).copied()
    }

    /// A message was added at a time of the server.
    fn heard(&self, topic: &str, milliseconds: u64) {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(kept) = kept.get_mut(topic) {
            kept.milliseconds = kept.milliseconds.max(milliseconds);
        }
    }

    /// What adds a message, and lets go of those whose time is over.
    fn adding(&self, topic: &str, message: &Message) -> Cmd {
        let mut add = redis::cmd("XADD");
        add.arg(keys::stream(topic, message.partition)).arg("NOMKSTREAM");
        if let Some(kept) = self.kept(topic) {
            let retention = u64::try_from(kept.retention.as_millis()).unwrap_or(u64::MAX);
            let first = kept.milliseconds.saturating_sub(retention);
            add.arg("MINID").arg("~").arg(first).arg("LIMIT").arg(TRIM_ENTRIES_MAX);
        }
        add.arg("*");
        for (name, value) in &message.attributes {
            add.arg(name).arg(value);
        }
        add.arg(BODY).arg(&message.body[..]);
        add
    }

    /// Has ids go on in the next millisecond.
    async fn turn(&self, topic: &str, partition: u32, next: Id) {
        let mut set = redis::cmd("XSETID");
        set.arg(keys::stream(topic, partition)).arg(next.to_string());
        let set = self.ask(|mut on| async move { set.query_async::<()>(&mut on).await }).await;
        // Where another one was faster, ids are there already.
        if let Err(why) = set {
            tracing::warn!(topic, partition, %why, "ids of the stream could not be moved on");
        }
    }

    /// Looks once whether the server keeps what it answers for.
    async fn look(&self) -> RedisResult<()> {
        if self.looked.load(Ordering::Relaxed) {
            return Ok(());
        }
        let mut settings = redis::pipe();
        for name in ["appendonly", "appendfsync", "maxmemory-policy", "proto-max-bulk-len"] {
            settings.cmd("CONFIG").arg("GET").arg(name);
        }
        let settings = self
            .ask(|mut on| async move { settings.query_async::<[Vec<String>; 4]>(&mut on).await });
        let settings = match settings.await {
            Ok(settings) => Some(settings),
            Err(why) if ends_connection(&why) => return Err(why),
            Err(_) => None,
        };
        if self.looked.swap(true, Ordering::Relaxed) {
            return Ok(());
        }
        let Some(settings) = settings else {
            tracing::warn!(
                "Redis does not tell its settings: whether events are on disk when it answers is \
                 not known; it must say `appendonly yes`, `appendfsync always` and \
                 `maxmemory-policy noeviction`"
            );
            return Ok(());
        };
        let [appendonly, appendfsync, policy, bytes] =
            settings.map(|named| named.into_iter().nth(1).unwrap_or_default());
        if let Ok(bytes) = bytes.parse() {
            self.body_bytes_max.store(bytes, Ordering::Relaxed);
        }
        if appendonly != "yes" || appendfsync != "always" {
            tracing::warn!(
                appendonly,
                appendfsync,
                "Redis answers before events are on disk: its crash may lose some; set \
                 `appendonly yes` and `appendfsync always`"
            );
        }
        if policy.starts_with("allkeys") {
            tracing::warn!(
                policy,
                "Redis deletes events when its memory is full; set `maxmemory-policy noeviction`"
            );
        }
        Ok(())
    }
}

/// Says in the log where a group was away for longer than messages stay.
async fn look_back(
    connection: &mut MultiplexedConnection,
    reading: &Reading,
    position: i64,
) -> RedisResult<()> {
    if position == 0 {
        return Ok(());
    }
    let mut range = redis::cmd("XRANGE");
    range.arg(keys::stream(&reading.topic, reading.partition)).arg("-");
    range.arg(Id::of(position).to_string()).arg("COUNT").arg(1);
    let before: Vec<redis::Value> = range.query_async(connection).await?;
    if before.is_empty() {
        let (topic, group, partition) = (&*reading.topic, &*reading.group, reading.partition);
        tracing::warn!(
            topic,
            group,
            partition,
            "what was read last is gone by now: messages behind it may be gone unread"
        );
    }
    Ok(())
}

impl Broker for Redis {
    fn kind(&self) -> &'static str {
        "redis"
    }

    fn declare<'a>(&'a self, topic: &'a Topic) -> BoxFuture<'a, Result<Declared, Unavailable>> {
        Box::pin(async move {
            self.look().await.map_err(broken)?;
            let declaring = self.ask(|mut on| async move {
                let mut declare = self.scripts.declare.key(keys::declared(&topic.name));
                declare.arg(topic.partitions).arg(keys::streams(&topic.name));
                declare.invoke_async::<(u32, String)>(&mut on).await
            });
            let (partitions, incarnation) = declaring.await.map_err(broken)?;
            let kept = Kept { retention: topic.retention, milliseconds: 0 };
            let mut all = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
            all.entry(Arc::clone(&topic.name)).or_insert(kept).retention = topic.retention;
            Ok(Declared { partitions, incarnation: incarnation.into() })
        })
    }

    fn publish<'a>(
        &'a self,
        topic: &'a str,
        message: &'a Message,
    ) -> BoxFuture<'a, Result<(), NotPublished>> {
        Box::pin(async move {
            let (bytes, most) = (message.body.len(), self.body_bytes_max.load(Ordering::Relaxed));
            if bytes > most {
                let why = format!("{bytes} bytes: Redis takes {most} (`proto-max-bulk-len`)");
                return Err(NotPublished::Refused(why));
            }
            let add = self.adding(topic, message);
            let added =
                self.ask(|mut on| async move { add.query_async::<Option<String>>(&mut on).await });
            let id = match added.await {
                Ok(id) => id.ok_or_else(|| broken(format_args!("no topic `{topic}`")))?,
                // What a stream says of an entry beyond what it can hold.
                Err(why) if why.to_string().contains("too large to be stored") => {
                    return Err(NotPublished::Refused(why.to_string()));
                }
                Err(why) => return Err(broken(why).into()),
            };
            if let Some(id) = Id::parse(id.as_bytes()) {
                self.heard(topic, id.milliseconds);
                if let Some(next) = id.turned() {
                    self.turn(topic, message.partition, next).await;
                }
            }
            Ok(())
        })
    }

    fn end<'a>(&'a self, reading: &'a Reading) -> BoxFuture<'a, Result<i64, Unavailable>> {
        Box::pin(async move {
            let stream = keys::stream(&reading.topic, reading.partition);
            let end = self.ask(|mut on| async move {
                self.scripts.end.key(stream).invoke_async::<String>(&mut on).await
            });
            let id = end.await.map_err(broken)?;
            let position = Id::parse(id.as_bytes()).and_then(Id::position);
            position.ok_or_else(|| broken(format_args!("the id `{id}` is beyond all positions")))
        })
    }

    fn waiting<'a>(
        &'a self,
        reading: &'a Reading,
        position: i64,
    ) -> BoxFuture<'a, Result<u64, Unavailable>> {
        Box::pin(async move {
            let stream = keys::stream(&reading.topic, reading.partition);
            let waiting = self.ask(|mut on| async move {
                let mut waiting = self.scripts.waiting.key(stream);
                waiting.arg(Id::of(position).to_string());
                waiting.arg(COUNTED_ENTRIES_MAX).arg(COUNTED_BYTES_MAX);
                waiting.invoke_async(&mut on).await
            });
            waiting.await.map_err(broken)
        })
    }

    fn subscribe<'a>(
        &'a self,
        reading: &'a Reading,
        position: i64,
    ) -> BoxFuture<'a, Result<Box<dyn Subscription>, Unavailable>> {
        Box::pin(async move {
            let patience = reader::BLOCK + REQUEST_PATIENCE;
            let beginning = async {
                let mut connection = self.connect(patience).await?;
                let mut declared = redis::cmd("HGET");
                declared.arg(keys::declared(&reading.topic)).arg("incarnation");
                let incarnation: Option<String> = declared.query_async(&mut connection).await?;
                look_back(&mut connection, reading, position).await?;
                Ok((connection, incarnation))
            };
            let begun = tokio::time::timeout(REQUEST_PATIENCE, beginning).await;
            let (connection, incarnation) =
                begun.unwrap_or_else(|_| Err(late())).map_err(broken)?;
            let missing = || broken(format_args!("no topic `{}`", reading.topic));
            let source = Source {
                connection,
                scripts: Arc::clone(&self.scripts),
                reading: reading.clone(),
                incarnation: incarnation.ok_or_else(missing)?.into(),
            };
            Ok(Box::new(Reader::new(source, position)) as Box<dyn Subscription>)
        })
    }

    fn remove<'a>(&'a self, topic: &'a Topic) -> BoxFuture<'a, Result<(), Unavailable>> {
        Box::pin(async move {
            let removing = self.ask(|mut on| async move {
                let mut remove = self.scripts.remove.key(keys::declared(&topic.name));
                remove.arg(keys::streams(&topic.name));
                remove.invoke_async::<()>(&mut on).await
            });
            removing.await.map_err(broken)
        })
    }

    fn answering(&self) -> Option<&dyn Answering> {
        Some(self)
    }
}
