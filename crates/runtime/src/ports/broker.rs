//! The broker port: events that leave the process, and come to consumers in others.
//!
//! A topic carries the events of one service, spread over partitions by their key. What a broker
//! promises here is little, so that many kinds can: a message that [`Broker::publish`] answered for
//! is durable; those of a partition are delivered to a group in the order in which they were
//! published one after the other, to one subscriber at a time, or at least those of each key;
//! whatever is not settled is delivered again to the next. That an effect happens once, what waits
//! and what is dead is decided above, by the same machine for every broker, and kept in the store
//! of who consumes: so a broker needs no delays, no counts of attempts and no dead-letter queue.

mod requests;

pub use requests::{Answer, Answering, Asked, Desk, Requests, Settle};

use super::store::Unavailable;
use bytes::Bytes;
use futures::future::BoxFuture;
use std::sync::Arc;
use std::time::Duration;

/// Bytes of a message that every broker must take: data of 1 MB with its attributes.
pub const MESSAGE_BYTES_MIN: usize = 1_000_000 + 16_384;
/// Messages that a broker which counts has under way for a subscription, at most: delivered and not
/// settled. One may have fewer, and give out more of a key only when all before are settled.
pub const UNSETTLED_MAX: usize = 2_048;

/// The events of a service at a broker.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Topic {
    /// `shop.ordering`: letters, digits, `-`, `_` and `.`
    pub name: Arc<str>,
    /// Partitions to make where the topic is not there yet.
    pub partitions: u32,
    /// Who consumes it, each a group: a queue keeps from now on what is published for them.
    pub groups: Vec<Arc<str>>,
    /// What is not needed any more stays so long at least, where the broker keeps a log.
    pub retention: Duration,
}

/// A topic as it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Declared {
    /// Partitions it was made with.
    pub partitions: u32,
    /// Another where the topic was deleted and made anew: positions of the one mean nothing in the
    /// other. Letters, digits, `-`.
    pub incarnation: Arc<str>,
}

/// What is published.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// The event's id: a broker that can, drops a second one of the same id.
    pub id: Arc<str>,
    /// The ordering key.
    pub key: Arc<str>,
    /// Which partition the key is of.
    pub partition: u32,
    /// `order.placed`, for those who subscribe to some only.
    pub subject: Arc<str>,
    /// Attributes by CloudEvents' names, without prefix: binary content mode. `datacontenttype` is
    /// the content type.
    pub attributes: Vec<(&'static str, String)>,
    /// The data.
    pub body: Bytes,
}

/// Why a message was not published.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NotPublished {
    /// It may have been, or may be later.
    Unavailable(Unavailable),
    /// It never will be: too large, or not allowed.
    Refused(String),
}

impl From<Unavailable> for NotPublished {
    fn from(why: Unavailable) -> Self {
        Self::Unavailable(why)
    }
}

/// What is delivered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delivered {
    /// Its place in the partition, above 0: it grows from delivery to delivery, also from one
    /// subscription to the next.
    pub position: i64,
    /// Attributes by CloudEvents' names, without prefix.
    pub attributes: Vec<(String, String)>,
    /// The data.
    pub body: Bytes,
}

/// A partition of a topic, as a group reads it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Reading {
    /// The topic's name.
    pub topic: Arc<str>,
    /// Who consumes.
    pub group: Arc<str>,
    /// Which partition.
    pub partition: u32,
}

/// Where a broker is. What it opens belongs to the runtime that uses it.
pub trait Connect: Send + Sync {
    /// The broker there; nothing is sent before it is needed.
    fn open(&self) -> Arc<dyn Broker>;

    /// What names of topics begin with, before a dot.
    fn prefix(&self) -> Option<&str>;
}

/// A broker. It connects when it is first needed, and again when it was lost.
pub trait Broker: Send + Sync {
    /// Its kind, `nats`: part of the names that positions are kept under.
    fn kind(&self) -> &'static str;

    /// Makes what is missing of a topic and its groups.
    fn declare<'a>(&'a self, topic: &'a Topic) -> BoxFuture<'a, Result<Declared, Unavailable>>;

    /// Publishes, and answers once it is durable.
    fn publish<'a>(
        &'a self,
        topic: &'a str,
        message: &'a Message,
    ) -> BoxFuture<'a, Result<(), NotPublished>>;

    /// Position of the last message of a partition: a group that begins behind it misses nothing
    /// that is published from now on. 0 for an empty one, and where groups have queues of their
    /// own.
    fn end<'a>(&'a self, reading: &'a Reading) -> BoxFuture<'a, Result<i64, Unavailable>>;

    /// Messages of a partition that a group has not settled, which is at a position.
    fn waiting<'a>(
        &'a self,
        reading: &'a Reading,
        position: i64,
    ) -> BoxFuture<'a, Result<u64, Unavailable>>;

    /// Begins to read a partition behind a position, or with what is not settled.
    fn subscribe<'a>(
        &'a self,
        reading: &'a Reading,
        position: i64,
    ) -> BoxFuture<'a, Result<Box<dyn Subscription>, Unavailable>>;

    /// Deletes a topic with all that is in it.
    fn remove<'a>(&'a self, topic: &'a Topic) -> BoxFuture<'a, Result<(), Unavailable>>;

    /// How it takes requests; none where it does not.
    fn answering(&self) -> Option<&dyn Answering> {
        None
    }
}

/// A group's reading of a partition; what it has not settled is delivered again when it is dropped.
pub trait Subscription: Send {
    /// The next message; waits for it. May be dropped while it waits, and loses nothing. An error
    /// ends the subscription.
    fn next(&mut self) -> BoxFuture<'_, Result<Delivered, Unavailable>>;

    /// Everything up to a position is done with, durably.
    fn settle(&mut self, position: i64) -> BoxFuture<'_, Result<(), Unavailable>>;
}
