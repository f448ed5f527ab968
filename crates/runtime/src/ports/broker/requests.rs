//! Requests that come by a broker, and their answers.
//!
//! A request is header fields and a body, and so is its answer; what they mean is said above, and
//! is the same for every broker. A broker that keeps requests delivers one again that was not
//! settled, to whoever is there then; one that keeps none hands each to one of those who are there
//! at the moment, who loses it with its life.

use crate::ports::broker::NotPublished;
use crate::ports::store::Unavailable;
use bytes::Bytes;
use futures::future::BoxFuture;
use std::sync::Arc;
use std::time::Duration;

/// Where requests come to, and who takes them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Desk {
    /// The name of subject, queue or stream: `shop.requests`.
    pub name: Arc<str>,
    /// The name of this process, which no other has: letters, digits, `-`.
    pub taker: Arc<str>,
    /// Requests that are taken and not settled, at most, where the broker keeps the others.
    pub under_way_max: usize,
}

/// A broker that takes requests.
pub trait Answering: Send + Sync {
    /// True where the broker keeps what is not taken, and delivers again what is not settled. One
    /// that does not can't be held back: it hands over whatever comes.
    fn keeps(&self) -> bool;

    /// Why nothing may be sent to a place that an asker named as the one for the answer: what is
    /// sent there is sent with the rights of this process. None where it may.
    fn forbids(&self, desk: &Desk, reply_to: &str) -> Option<&'static str>;

    /// Makes what is missing of a desk, and begins to take requests there.
    fn open<'a>(&'a self, desk: &'a Desk) -> BoxFuture<'a, Result<Box<dyn Requests>, Unavailable>>;
}

/// Requests as they come.
pub trait Requests: Send {
    /// The next; waits for it. May be dropped while it waits, and loses nothing. None after
    /// [`Requests::stop`], when all that had come was given; an error ends it.
    fn next(&mut self) -> BoxFuture<'_, Result<Option<Asked>, Unavailable>>;

    /// Takes no more. What was given can still be settled.
    fn stop(&mut self) -> BoxFuture<'_, ()>;
}

/// A request.
pub struct Asked {
    /// Names in lower case.
    pub fields: Vec<(String, String)>,
    /// The body.
    pub body: Bytes,
    /// What it has in common with its repetitions, and with nothing else.
    pub id: Option<Arc<str>>,
    /// When it was put there, in microseconds since 1970; none where the broker can't tell.
    pub sent: Option<i64>,
    /// How long the broker was told to keep it, from when it was sent.
    pub kept: Option<Duration>,
    /// How often it was delivered by now, this time included, as far as the broker can tell.
    pub deliveries: u32,
    /// Where the answer is to go; nowhere without.
    pub reply_to: Option<Arc<str>>,
    /// Sends the answer. Where it is dropped before, the request was not taken, and is delivered
    /// again where the broker keeps it.
    pub settle: Box<dyn Settle>,
}

/// An answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// `status` first. Names in lower case.
    pub fields: Vec<(String, String)>,
    /// The body.
    pub body: Bytes,
}

/// What ends a request.
pub trait Settle: Send {
    /// Sends the answer, where there is one and a place for it; then has the broker forget the
    /// request. May be called again where the answer was refused, as too large.
    fn settle<'a>(
        &'a mut self,
        answer: Option<&'a Answer>,
    ) -> BoxFuture<'a, Result<(), NotPublished>>;
}
