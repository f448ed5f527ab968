//! Requests by Redis: a stream that a group reads, and answers on the list that the request names.
//!
//! The answer is pushed and the entry deleted in one step, so whatever is in the stream is not
//! answered. Whoever works on an entry says so again and again; what nobody speaks for any more is
//! claimed by another.

mod form;

use super::{REQUEST_PATIENCE, Redis, broken, late};
use crate::ports::broker::{Answer, Answering, Asked, Desk, NotPublished, Requests, Settle};
use crate::ports::store::Unavailable;
use form::{REPLY_TO, Taken, entries, envelope};
use futures::future::BoxFuture;
use redis::aio::MultiplexedConnection;
use redis::{Cmd, FromRedisValue, Value};
use std::collections::{BTreeSet, VecDeque};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::{Duration, Instant};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Those who share the requests to a system.
const GROUP: &str = "mainstay";
/// A stream with nothing new answers after so long; then it is asked again.
const BLOCK: Duration = Duration::from_secs(1);
/// Entries that are taken at once, at most.
const BATCH_REQUESTS: usize = 16;
/// An entry that nobody spoke for within this time is another's,
const HELD: Duration = Duration::from_secs(10);
/// so it is spoken for so often, and looked for such of others.
const SPOKEN_EVERY: Duration = Duration::from_secs(3);
/// An answer that nobody takes goes after so long.
const ANSWER_KEPT: Duration = Duration::from_secs(300);
/// A process that is gone is forgotten after so long, where it left nothing.
const TAKER_KEPT: Duration = Duration::from_secs(3_600);

impl Answering for Redis {
    fn keeps(&self) -> bool {
        true
    }

    /// Answers expire, and so does the list that they are in: it is one that nothing else is in.
    fn forbids(&self, desk: &Desk, reply_to: &str) -> Option<&'static str> {
        let own = format!("{{{}}}:", desk.name);
        let fits = reply_to.strip_prefix(own.as_str()).is_some_and(|name| !name.is_empty());
        (!fits).then_some("`reply-to` has to begin with the stream's name in braces and `:`")
    }

    fn open<'a>(&'a self, desk: &'a Desk) -> BoxFuture<'a, Result<Box<dyn Requests>, Unavailable>> {
        Box::pin(async move {
            let opening = async {
                let reading = self.connect(BLOCK + REQUEST_PATIENCE).await?;
                Ok((reading, self.connect(REQUEST_PATIENCE).await?))
            };
            let opened = tokio::time::timeout(REQUEST_PATIENCE, opening).await;
            let (reading, settling) = opened.unwrap_or_else(|_| Err(late())).map_err(broken)?;
            let line = Line { reading, settling, desk: desk.clone(), held: Mutex::default() };
            let line = Arc::new(line);
            line.prepare().await?;
            tokio::spawn(speak(Arc::downgrade(&line)));
            let places = Arc::new(Semaphore::new(desk.under_way_max));
            let (taken, cursor) = (VecDeque::new(), "0-0".to_owned());
            let looked = None;
            let inbox = Inbox { line, places, taken, fetching: None, cursor, looked, ends: false };
            Ok(Box::new(inbox) as Box<dyn Requests>)
        })
    }
}

/// What a process has of a stream of requests.
struct Line {
    /// Of its own: whoever waits for what is new holds up everything else on a connection.
    reading: MultiplexedConnection,
    settling: MultiplexedConnection,
    desk: Desk,
    /// Ids that it works on.
    held: Mutex<BTreeSet<Arc<str>>>,
}

/// What was taken, and from where to look on for what others left.
type Fetched = Result<(Vec<Taken>, Option<String>), Unavailable>;

impl Line {
    fn on_stream(&self, command: &str, kind: Option<&str>) -> Cmd {
        let mut command = redis::cmd(command);
        if let Some(kind) = kind {
            command.arg(kind);
        }
        command.arg(&*self.desk.name).arg(GROUP);
        command
    }

    async fn ask<T: FromRedisValue>(&self, command: &Cmd) -> Result<T, Unavailable> {
        let mut on = self.settling.clone();
        command.query_async(&mut on).await.map_err(broken)
    }

    /// Makes stream and group, and forgets who is long gone.
    async fn prepare(&self) -> Result<(), Unavailable> {
        let mut make = self.on_stream("XGROUP", Some("CREATE"));
        // What was sent before anybody was there is answered too.
        make.arg("0").arg("MKSTREAM");
        let mut on = self.settling.clone();
        match make.query_async::<()>(&mut on).await {
            Ok(()) => {}
            Err(why) if why.code() == Some("BUSYGROUP") => {}
            Err(why) => return Err(broken(why)),
        }
        let all: redis::streams::StreamInfoConsumersReply =
            self.ask(&self.on_stream("XINFO", Some("CONSUMERS"))).await?;
        let gone = |idle: usize| idle as u128 > TAKER_KEPT.as_millis();
        for other in all.consumers.iter().filter(|one| one.pending == 0 && gone(one.idle)) {
            let mut forget = self.on_stream("XGROUP", Some("DELCONSUMER"));
            self.ask::<Value>(forget.arg(&other.name)).await?;
        }
        Ok(())
    }

    /// Takes some: what others left, or what is new, or nothing within a while.
    async fn fetch(self: Arc<Self>, count: usize, left_from: Option<String>) -> Fetched {
        let mut looked_to = None;
        if let Some(cursor) = left_from {
            let (mut left, next) = self.left(count, &cursor).await?;
            if !left.is_empty() {
                for one in &mut left {
                    one.deliveries = self.deliveries(&one.id).await?;
                }
                return Ok((left, Some(next)));
            }
            looked_to = Some(next);
        }
        let mut read = redis::cmd("XREADGROUP");
        read.arg("GROUP").arg(GROUP).arg(&*self.desk.taker).arg("COUNT").arg(count);
        read.arg("BLOCK").arg(BLOCK.as_millis().to_string());
        read.arg("STREAMS").arg(&*self.desk.name).arg(">");
        let mut on = self.reading.clone();
        let streams: Value = read.query_async(&mut on).await.map_err(broken)?;
        let Value::Array(mut streams) = streams else { return Ok((Vec::new(), looked_to)) };
        let taken = match streams.pop() {
            Some(Value::Array(mut stream)) => entries(stream.pop().unwrap_or(Value::Nil)),
            _ => Vec::new(),
        };
        Ok((taken, looked_to))
    }

    /// Claims what nobody speaks for any more; from where to look on.
    async fn left(&self, count: usize, from: &str) -> Result<(Vec<Taken>, String), Unavailable> {
        let mut claim = self.on_stream("XAUTOCLAIM", None);
        claim.arg(&*self.desk.taker).arg(HELD.as_millis().to_string());
        claim.arg(from).arg("COUNT").arg(count);
        let Value::Array(parts) = self.ask(&claim).await? else {
            return Err(broken("an answer of a form that is not known"));
        };
        // A third part, which some servers add, tells of entries that were deleted.
        let mut parts = parts.into_iter();
        let next = match parts.next() {
            Some(Value::BulkString(next)) => String::from_utf8_lossy(&next).into_owned(),
            _ => return Err(broken("an answer of a form that is not known")),
        };
        Ok((entries(parts.next().unwrap_or(Value::Nil)), next))
    }

    /// How often an entry was delivered.
    async fn deliveries(&self, id: &str) -> Result<u32, Unavailable> {
        let mut pending = self.on_stream("XPENDING", None);
        pending.arg(id).arg(id).arg(1);
        let found: Vec<(String, String, i64, u32)> = self.ask(&pending).await?;
        Ok(found.first().map_or(1, |(_, _, _, deliveries)| *deliveries))
    }

    fn held<T>(&self, with: impl FnOnce(&mut BTreeSet<Arc<str>>) -> T) -> T {
        with(&mut self.held.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Speaks for what is worked on, for as long as there is somebody who does.
async fn speak(line: Weak<Line>) {
    loop {
        tokio::time::sleep(SPOKEN_EVERY).await;
        let Some(line) = line.upgrade() else { return };
        let held: Vec<Arc<str>> = line.held(|held| held.iter().cloned().collect());
        if held.is_empty() {
            continue;
        }
        let mut claim = line.on_stream("XCLAIM", None);
        claim.arg(&*line.desk.taker).arg(0);
        for id in &held {
            claim.arg(&**id);
        }
        // Where it can't be said now, it is in time the next time.
        let _spoken: Result<Value, _> = line.ask(claim.arg("JUSTID")).await;
    }
}

struct Inbox {
    line: Arc<Line>,
    /// For what is taken and not settled.
    places: Arc<Semaphore>,
    taken: VecDeque<Taken>,
    /// Goes on when who waited for it comes back: what it takes is this process's.
    fetching: Option<BoxFuture<'static, Fetched>>,
    /// From where to look on for what others left.
    cursor: String,
    looked: Option<Instant>,
    ends: bool,
}

impl Inbox {
    fn asked(&self, taken: Taken) -> Option<Asked> {
        let place = Arc::clone(&self.places).try_acquire_owned().ok();
        let Taken { id, fields, body, deliveries } = taken;
        let field = |name: &str| fields.iter().find(|(known, _)| known == name);
        let reply_to: Option<Arc<str>> = field(REPLY_TO).map(|(_, to)| to.as_str().into());
        let sent = id.split_once('-').and_then(|(at, _)| at.parse::<i64>().ok());
        let settle = Reply {
            line: Arc::clone(&self.line),
            id: Arc::clone(&id),
            to: reply_to.clone(),
            place,
        };
        Some(Asked {
            fields: fields.into_iter().filter(|(name, _)| name != REPLY_TO).collect(),
            body,
            id: Some(id),
            sent: sent.map(|milliseconds| milliseconds.saturating_mul(1_000)),
            kept: None,
            deliveries,
            reply_to,
            settle: Box::new(settle),
        })
    }

    fn fetch(&mut self) -> BoxFuture<'static, Fetched> {
        let count = self.places.available_permits().clamp(1, BATCH_REQUESTS);
        let due = self.looked.is_none_or(|looked| looked.elapsed() >= SPOKEN_EVERY);
        let from = due.then(|| self.cursor.clone());
        Box::pin(Arc::clone(&self.line).fetch(count, from))
    }
}

impl Requests for Inbox {
    fn next(&mut self) -> BoxFuture<'_, Result<Option<Asked>, Unavailable>> {
        Box::pin(async move {
            loop {
                if let Some(taken) = self.taken.pop_front() {
                    return Ok(self.asked(taken));
                }
                if self.ends && self.fetching.is_none() {
                    return Ok(None);
                }
                if self.fetching.is_none() {
                    self.fetching = Some(self.fetch());
                }
                let Some(fetching) = &mut self.fetching else { continue };
                let fetched = fetching.await;
                self.fetching = None;
                let (taken, looked_to) = fetched?;
                if let Some(next) = looked_to {
                    // At the end it begins anew, after a while.
                    self.looked = (next == "0-0").then(Instant::now);
                    self.cursor = next;
                }
                self.line.held(|held| held.extend(taken.iter().map(|one| Arc::clone(&one.id))));
                self.taken = taken.into();
            }
        })
    }

    fn stop(&mut self) -> BoxFuture<'_, ()> {
        self.ends = true;
        Box::pin(async {})
    }
}

impl Drop for Inbox {
    fn drop(&mut self) {
        // Nobody works on these: others may have them at once.
        for taken in &self.taken {
            self.line.held(|held| held.remove(&taken.id));
        }
    }
}

struct Reply {
    line: Arc<Line>,
    id: Arc<str>,
    to: Option<Arc<str>>,
    place: Option<OwnedSemaphorePermit>,
}

impl Settle for Reply {
    fn settle<'a>(
        &'a mut self,
        answer: Option<&'a Answer>,
    ) -> BoxFuture<'a, Result<(), NotPublished>> {
        Box::pin(async move {
            let mut done = redis::pipe();
            done.atomic();
            if let (Some(answer), Some(to)) = (answer, &self.to) {
                let kept = ANSWER_KEPT.as_millis().to_string();
                done.cmd("RPUSH").arg(&**to).arg(envelope(answer)).ignore();
                done.cmd("PEXPIRE").arg(&**to).arg(kept).ignore();
            }
            let stream = &*self.line.desk.name;
            done.cmd("XACK").arg(stream).arg(GROUP).arg(&*self.id).ignore();
            done.cmd("XDEL").arg(stream).arg(&*self.id).ignore();
            let mut on = self.line.settling.clone();
            let done: Result<(), _> = done.query_async(&mut on).await;
            done.map_err(|why| broken(why).into())
        })
    }
}

impl Drop for Reply {
    fn drop(&mut self) {
        // What was not settled is another's when nobody speaks for it any more.
        self.line.held(|held| held.remove(&self.id));
        self.place.take();
    }
}
