//! Reading a stream behind a position.

use super::position::Id;
use super::scripts::Scripts;
use super::{BODY, broken, keys};
use crate::ports::broker::{Delivered, Reading, Subscription};
use crate::ports::store::Unavailable;
use futures::future::BoxFuture;
use redis::Value;
use redis::aio::MultiplexedConnection;
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

/// A stream with nothing new answers after so long; then it is asked again.
pub(super) const BLOCK: Duration = Duration::from_secs(5);
/// Entries that are read at once, at most,
const BATCH_MESSAGES: usize = 512;
/// and bytes of them after which it is enough.
const BATCH_BYTES: usize = 4 << 20;

/// What reads, and where.
pub(super) struct Source {
    /// Of its own: whoever waits for what is new holds up everything else on a connection.
    pub(super) connection: MultiplexedConnection,
    pub(super) scripts: Arc<Scripts>,
    pub(super) reading: Reading,
    pub(super) incarnation: Arc<str>,
}

impl Source {
    /// What is behind a position: as much as is there, or the first that comes, or nothing.
    async fn read(self: Arc<Self>, position: i64) -> Result<Vec<Delivered>, Unavailable> {
        let mut connection = self.connection.clone();
        let declared = keys::declared(&self.reading.topic);
        let stream = keys::stream(&self.reading.topic, self.reading.partition);
        let behind = Id::of(position).to_string();
        let mut ask = self.scripts.read.key(&stream);
        ask.key(&declared).arg(&*self.incarnation).arg(&behind);
        ask.arg(BATCH_MESSAGES).arg(BATCH_BYTES);
        match ask.invoke_async(&mut connection).await.map_err(broken)? {
            Value::Nil => return Err(self.another()),
            Value::Array(entries) if entries.is_empty() => {}
            entries => return delivered(entries),
        }
        // The answer to the second tells of which topic that of the first is.
        let mut ask = redis::pipe();
        let milliseconds = BLOCK.as_millis().to_string();
        ask.cmd("XREAD").arg("COUNT").arg(1).arg("BLOCK").arg(milliseconds);
        ask.arg("STREAMS").arg(&stream).arg(&behind);
        ask.cmd("HGET").arg(&declared).arg("incarnation");
        let (streams, incarnation): (Value, Option<String>) =
            ask.query_async(&mut connection).await.map_err(broken)?;
        if incarnation.as_deref() != Some(&*self.incarnation) {
            return Err(self.another());
        }
        let Value::Array(mut streams) = streams else { return Ok(Vec::new()) };
        match streams.pop() {
            Some(Value::Array(mut stream)) => delivered(stream.pop().unwrap_or(Value::Nil)),
            _ => Err(strange()),
        }
    }

    fn another(&self) -> Unavailable {
        broken(format_args!("the topic `{}` was deleted", self.reading.topic))
    }
}

fn strange() -> Unavailable {
    broken("an answer of a form that is not known")
}

/// Entries, each its id and a list of its fields and their values.
fn delivered(entries: Value) -> Result<Vec<Delivered>, Unavailable> {
    let Value::Array(entries) = entries else { return Err(strange()) };
    entries.into_iter().map(entry).collect()
}

fn entry(entry: Value) -> Result<Delivered, Unavailable> {
    let Value::Array(parts) = entry else { return Err(strange()) };
    let Ok([Value::BulkString(id), Value::Array(fields)]) = <[Value; 2]>::try_from(parts) else {
        return Err(strange());
    };
    let position = Id::parse(&id).and_then(Id::position).ok_or_else(|| {
        let id = String::from_utf8_lossy(&id);
        broken(format_args!("the entry `{id}` was added under an id that can't be counted on from"))
    })?;
    let mut delivered = Delivered { position, attributes: Vec::new(), body: Default::default() };
    let mut fields = fields.into_iter();
    while let (Some(name), Some(value)) = (fields.next(), fields.next()) {
        let (Value::BulkString(name), Value::BulkString(value)) = (name, value) else {
            return Err(strange());
        };
        if name == BODY.as_bytes() {
            delivered.body = value.into();
            continue;
        }
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).map_err(broken);
        delivered.attributes.push((text(name)?, text(value)?));
    }
    Ok(delivered)
}

/// A partition, as a group reads it.
pub(super) struct Reader {
    source: Arc<Source>,
    /// Of the last that was fetched.
    position: i64,
    fetched: VecDeque<Delivered>,
    /// Goes on when who waited for it comes back: the server answers it in any case.
    fetching: Option<BoxFuture<'static, Result<Vec<Delivered>, Unavailable>>>,
}

impl Reader {
    pub(super) fn new(source: Source, position: i64) -> Self {
        Self { source: Arc::new(source), position, fetched: VecDeque::new(), fetching: None }
    }
}

impl Subscription for Reader {
    fn next(&mut self) -> BoxFuture<'_, Result<Delivered, Unavailable>> {
        Box::pin(async move {
            loop {
                if let Some(delivered) = self.fetched.pop_front() {
                    return Ok(delivered);
                }
                let (source, position) = (&self.source, self.position);
                let fetching = self
                    .fetching
                    .get_or_insert_with(|| Box::pin(Arc::clone(source).read(position)));
                let fetched = fetching.await;
                self.fetching = None;
                self.fetched = fetched?.into();
                self.position = self.fetched.back().map_or(position, |last| last.position);
            }
        })
    }

    fn settle(&mut self, _position: i64) -> BoxFuture<'_, Result<(), Unavailable>> {
        // Positions are the reader's: the stream keeps what it keeps.
        Box::pin(async { Ok(()) })
    }
}
