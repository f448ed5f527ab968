//! Reading a partition from an offset.

use super::{ATTRIBUTE, CONTENT_TYPE, Client, broken, in_time};
use crate::ports::broker::{Delivered, Subscription};
use crate::ports::store::Unavailable;
use futures::future::BoxFuture;
use krafka::KrafkaError;
use krafka::consumer::{Consumer, ConsumerRecord};
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

/// Where nothing came for so long, the topic is looked at all the same: one that was deleted is
/// silent too.
const IDLE: Duration = Duration::from_secs(5);

/// What reads, and what.
pub(super) struct Source {
    pub(super) consumer: Consumer,
    pub(super) client: Arc<Client>,
    pub(super) topic: Arc<str>,
    pub(super) incarnation: Arc<str>,
}

impl Source {
    async fn read(self: Arc<Self>) -> krafka::Result<Vec<Delivered>> {
        let records = self.consumer.poll(IDLE).await?;
        // The client goes on in a topic that was made anew, where offsets mean others: what was
        // fetched before the answer is of the topic that the answer is about, or of an earlier one.
        let incarnation = in_time(self.client.incarnation(&self.topic)).await?;
        if incarnation != self.incarnation {
            return Err(KrafkaError::unknown_topic(&*self.topic));
        }
        Ok(records.into_iter().map(delivered).collect())
    }
}

fn delivered(record: ConsumerRecord) -> Delivered {
    let attributes = record.headers.into_iter().filter_map(|(name, value)| {
        let value = String::from_utf8(value?.to_vec()).ok()?;
        match name.strip_prefix(ATTRIBUTE) {
            Some(name) => Some((name.to_owned(), value)),
            None if name == CONTENT_TYPE => Some(("datacontenttype".to_owned(), value)),
            None => None,
        }
    });
    Delivered {
        position: record.offset.saturating_add(1),
        attributes: attributes.collect(),
        body: record.value.unwrap_or_default(),
    }
}

/// A partition, as a group reads it.
pub(super) struct Reader {
    source: Arc<Source>,
    fetched: VecDeque<Delivered>,
    /// Goes on when who waited for it comes back.
    fetching: Option<BoxFuture<'static, krafka::Result<Vec<Delivered>>>>,
}

impl Reader {
    pub(super) fn new(source: Source) -> Self {
        Self { source: Arc::new(source), fetched: VecDeque::new(), fetching: None }
    }
}

impl Subscription for Reader {
    fn next(&mut self) -> BoxFuture<'_, Result<Delivered, Unavailable>> {
        Box::pin(async move {
            loop {
                if let Some(delivered) = self.fetched.pop_front() {
                    return Ok(delivered);
                }
                let source = &self.source;
                let fetching =
                    self.fetching.get_or_insert_with(|| Box::pin(Arc::clone(source).read()));
                let fetched = fetching.await;
                self.fetching = None;
                self.fetched = fetched.map_err(broken)?.into();
            }
        })
    }

    fn settle(&mut self, _position: i64) -> BoxFuture<'_, Result<(), Unavailable>> {
        // Positions are the reader's: the log keeps what it keeps.
        Box::pin(async { Ok(()) })
    }
}
