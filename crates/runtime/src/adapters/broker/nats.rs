//! NATS JetStream: a stream for each topic, a subject for each partition and kind of event.
//!
//! The stream is a log that the groups read by its sequence, so a position is a sequence and
//! settling needs no word to the server: it keeps messages as long as the topic says. A second
//! message of one id within the server's window for duplicates is dropped by it.

mod requests;

use crate::ports::broker::{
    Answering, Broker, Declared, Delivered, Message, NotPublished, Reading, Subscription, Topic,
};
use crate::ports::store::Unavailable;
use async_nats::jetstream::consumer::{AckPolicy, DeliverPolicy, PullConsumer, pull};
use async_nats::jetstream::context::{Context, PublishErrorKind};
use async_nats::jetstream::stream::{Config, Stream};
use async_nats::{Client, ConnectOptions, HeaderMap, ServerAddr};
use futures::StreamExt;
use futures::future::BoxFuture;
use percent_encoding::{AsciiSet, CONTROLS, percent_decode_str, utf8_percent_encode};
use reqwest::Url;
use std::time::Duration;
use tokio::sync::OnceCell;

/// A request that is not answered by then has failed.
const REQUEST_PATIENCE: Duration = Duration::from_secs(5);
/// Messages of a subscription that were delivered and not looked at; those beyond are lost, which
/// is noticed by whoever may not lose one.
const DELIVERED_MAX: usize = 8_192;
/// Bytes of messages that are asked for at once.
const BATCH_BYTES: usize = 8 << 20;
/// A request for messages is made anew after so long,
const BATCH_PATIENCE: Duration = Duration::from_secs(30);
/// and within it the server says so often that it is there: what a lost connection took along is
/// noticed by its silence.
const HEARTBEAT: Duration = Duration::from_secs(5);
/// A reader that nobody reads by is deleted by the server after so long.
const READER_KEPT: Duration = Duration::from_secs(60);
/// Within it the server drops a second message of one id.
const DUPLICATE_WINDOW: Duration = Duration::from_secs(120);
/// CloudEvents' protocol binding for NATS, 3.1: attributes are headers that begin so.
const ATTRIBUTE: &str = "ce-";
/// The content type has a header of its own too, for those who know nothing of CloudEvents.
const CONTENT_TYPE: &str = "content-type";
/// What of an attribute's value is not sent as it is (3.1.3 of the same, and of that for HTTP).
const ENCODED: &AsciiSet = &CONTROLS.add(b' ').add(b'"').add(b'%');
/// How many partitions a stream was made with.
const PARTITIONS: &str = "mainstay-partitions";

/// A server, or a cluster.
pub(super) struct Nats {
    url: Url,
    client: OnceCell<Client>,
    context: OnceCell<Context>,
}

fn broken(why: impl std::fmt::Display) -> Unavailable {
    Unavailable::Broken(format!("NATS: {why}"))
}

/// Names of streams have no dots.
fn stream_name(topic: &str) -> String {
    topic.replace('.', "_")
}

/// What a partition's messages are published under.
fn partition_subject(topic: &str, partition: u32) -> String {
    format!("{topic}.{partition}")
}

/// All of these.
fn partition_subjects(topic: &str, partition: u32) -> String {
    format!("{}.>", partition_subject(topic, partition))
}

impl Nats {
    pub(super) fn new(url: Url) -> Self {
        Self { url, client: OnceCell::new(), context: OnceCell::new() }
    }

    async fn client(&self) -> Result<&Client, Unavailable> {
        let connecting = || async {
            let mut url = self.url.clone();
            let (user, password) = (url.username().to_owned(), url.password().map(str::to_owned));
            let mut options = ConnectOptions::new()
                .name("mainstay")
                .connection_timeout(REQUEST_PATIENCE)
                .subscription_capacity(DELIVERED_MAX)
                .request_timeout(Some(REQUEST_PATIENCE));
            if !user.is_empty() {
                // A URL without user and password can always be had of one with them.
                let _bare = url.set_username("").and_then(|()| url.set_password(None));
                options = match password {
                    Some(password) => options.user_and_password(user, password),
                    None => options.token(user),
                };
            }
            let address = ServerAddr::from_url(url).map_err(broken)?;
            options.connect(address).await.map_err(broken)
        };
        self.client.get_or_try_init(connecting).await
    }

    async fn context(&self) -> Result<&Context, Unavailable> {
        let making = || async {
            let mut context = async_nats::jetstream::new(self.client().await?.clone());
            context.set_timeout(REQUEST_PATIENCE);
            Ok(context)
        };
        self.context.get_or_try_init(making).await
    }

    async fn stream(&self, topic: &str) -> Result<Stream, Unavailable> {
        self.context().await?.get_stream(stream_name(topic)).await.map_err(broken)
    }

    /// The sequence of the last message under a subject.
    async fn last(&self, stream: &Stream, subject: &str) -> Result<i64, Unavailable> {
        use async_nats::jetstream::stream::LastRawMessageErrorKind::NoMessageFound;
        match stream.get_last_raw_message_by_subject(subject).await {
            Ok(message) => Ok(position(message.sequence)),
            Err(why) if why.kind() == NoMessageFound => Ok(0),
            Err(why) => Err(broken(why)),
        }
    }
}

fn position(sequence: u64) -> i64 {
    i64::try_from(sequence).unwrap_or(i64::MAX)
}

fn sequence(position: i64) -> u64 {
    u64::try_from(position).unwrap_or(0)
}

/// Which of the sequences a reader begins with.
fn behind(position: i64) -> DeliverPolicy {
    match sequence(position) {
        0 => DeliverPolicy::All,
        last => DeliverPolicy::ByStartSequence { start_sequence: last + 1 },
    }
}

/// What reads a partition behind a position. It acknowledges nothing: that it got everything is
/// seen by the numbers of the deliveries.
async fn reader(
    stream: &Stream,
    reading: &Reading,
    position: i64,
) -> Result<PullConsumer, Unavailable> {
    let config = pull::Config {
        deliver_policy: behind(position),
        ack_policy: AckPolicy::None,
        filter_subject: partition_subjects(&reading.topic, reading.partition),
        description: Some(reading.group.to_string()),
        inactive_threshold: READER_KEPT,
        memory_storage: true,
        num_replicas: 1,
        ..pull::Config::default()
    };
    stream.create_consumer(config).await.map_err(broken)
}

fn headers(message: &Message) -> HeaderMap {
    let mut headers = HeaderMap::new();
    headers.insert(async_nats::header::NATS_MESSAGE_ID, &*message.id);
    for (name, value) in &message.attributes {
        if *name == "datacontenttype" {
            headers.insert(CONTENT_TYPE, value.as_str());
        }
        let value = utf8_percent_encode(value, ENCODED).to_string();
        headers.insert(format!("{ATTRIBUTE}{name}"), value);
    }
    headers
}

fn attributes(headers: &HeaderMap) -> Vec<(String, String)> {
    let all = headers.iter().filter_map(|(name, values)| {
        let (name, value) = (name.to_string(), values.first()?.to_string());
        let name = name.strip_prefix(ATTRIBUTE)?;
        Some((name.to_owned(), percent_decode_str(&value).decode_utf8_lossy().into_owned()))
    });
    all.collect()
}

impl Broker for Nats {
    fn kind(&self) -> &'static str {
        "nats"
    }

    fn declare<'a>(&'a self, topic: &'a Topic) -> BoxFuture<'a, Result<Declared, Unavailable>> {
        Box::pin(async move {
            let partitions = topic.partitions.to_string();
            let config = Config {
                name: stream_name(&topic.name),
                subjects: vec![format!("{}.>", topic.name)],
                max_age: topic.retention,
                duplicate_window: DUPLICATE_WINDOW.min(topic.retention),
                description: Some(format!("{PARTITIONS} {partitions}")),
                ..Config::default()
            };
            let context = self.context().await?;
            let stream = match context.get_or_create_stream(config).await {
                Ok(stream) => stream,
                // Another made it meanwhile, with other partitions: its own are those that count.
                Err(why) => {
                    let made = context.get_stream(stream_name(&topic.name)).await;
                    made.map_err(|_| broken(why))?
                }
            };
            let info = stream.cached_info();
            let made = info.config.description.as_deref().unwrap_or_default();
            let made = made.strip_prefix(PARTITIONS).and_then(|made| made.trim().parse().ok());
            let nanos = info.created.unix_timestamp_nanos();
            Ok(Declared {
                partitions: made.unwrap_or(topic.partitions),
                incarnation: format!("{nanos:x}").into(),
            })
        })
    }

    fn publish<'a>(
        &'a self,
        topic: &'a str,
        message: &'a Message,
    ) -> BoxFuture<'a, Result<(), NotPublished>> {
        Box::pin(async move {
            let subject = partition_subject(topic, message.partition);
            let subject = format!("{subject}.{}", message.subject);
            let (headers, body) = (headers(message), message.body.clone());
            let context = self.context().await?;
            let not = |why: async_nats::jetstream::context::PublishError| match why.kind() {
                PublishErrorKind::MaxPayloadExceeded => NotPublished::Refused(why.to_string()),
                _ => NotPublished::Unavailable(broken(why)),
            };
            let sent = context.publish_with_headers(subject, headers, body).await;
            sent.map_err(not)?.await.map_err(not)?;
            Ok(())
        })
    }

    fn end<'a>(&'a self, reading: &'a Reading) -> BoxFuture<'a, Result<i64, Unavailable>> {
        Box::pin(async move {
            let stream = self.stream(&reading.topic).await?;
            Ok(position(stream.cached_info().state.last_sequence))
        })
    }

    fn waiting<'a>(
        &'a self,
        reading: &'a Reading,
        position: i64,
    ) -> BoxFuture<'a, Result<u64, Unavailable>> {
        Box::pin(async move {
            let subject = partition_subjects(&reading.topic, reading.partition);
            let stream = self.stream(&reading.topic).await?;
            if self.last(&stream, &subject).await? <= position {
                return Ok(0);
            }
            let consumer = reader(&stream, reading, position).await?;
            let pending = consumer.cached_info().num_pending;
            let name = consumer.cached_info().name.clone();
            stream.delete_consumer(&name).await.map_err(broken)?;
            Ok(pending)
        })
    }

    fn subscribe<'a>(
        &'a self,
        reading: &'a Reading,
        position: i64,
    ) -> BoxFuture<'a, Result<Box<dyn Subscription>, Unavailable>> {
        Box::pin(async move {
            let stream = self.stream(&reading.topic).await?;
            let first = stream.cached_info().state.first_sequence;
            if first > sequence(position).saturating_add(1) && position > 0 {
                let (topic, group) = (&*reading.topic, &*reading.group);
                tracing::error!(
                    topic,
                    group,
                    position,
                    first,
                    "messages went before they were read"
                );
            }
            let consumer = reader(&stream, reading, position).await?;
            let messages = consumer.stream().max_bytes_per_batch(BATCH_BYTES);
            let messages = messages.expires(BATCH_PATIENCE).heartbeat(HEARTBEAT).messages();
            let messages = messages.await.map_err(broken)?;
            Ok(Box::new(Reader { messages, delivered: 0 }) as Box<dyn Subscription>)
        })
    }

    fn remove<'a>(&'a self, topic: &'a Topic) -> BoxFuture<'a, Result<(), Unavailable>> {
        Box::pin(async move {
            let name = stream_name(&topic.name);
            self.context().await?.delete_stream(name).await.map_err(broken)?;
            Ok(())
        })
    }

    fn answering(&self) -> Option<&dyn Answering> {
        Some(self)
    }
}

struct Reader {
    messages: pull::Stream,
    /// Number of the delivery before.
    delivered: u64,
}

impl Subscription for Reader {
    fn next(&mut self) -> BoxFuture<'_, Result<Delivered, Unavailable>> {
        Box::pin(async move {
            let message = self.messages.next().await.ok_or_else(|| broken("the reading ended"))?;
            let message = message.map_err(broken)?;
            let info = message.info().map_err(broken)?;
            if info.consumer_sequence != self.delivered + 1 {
                return Err(broken("a delivery was lost on the way"));
            }
            self.delivered = info.consumer_sequence;
            let position = position(info.stream_sequence);
            let attributes = message.headers.as_ref().map(attributes).unwrap_or_default();
            Ok(Delivered { position, attributes, body: message.message.payload })
        })
    }

    fn settle(&mut self, _position: i64) -> BoxFuture<'_, Result<(), Unavailable>> {
        // Positions are the reader's: the stream keeps what it keeps.
        Box::pin(async { Ok(()) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attributes_are_headers_whose_values_are_encoded_as_the_binding_says() {
        let said = [
            ("id", "1".to_owned()),
            ("datacontenttype", "application/json".to_owned()),
            ("subject", "a \"größe\" 5%".to_owned()),
        ];
        let message = Message {
            id: "1".into(),
            key: "k".into(),
            partition: 0,
            subject: "order.paid".into(),
            attributes: said.to_vec(),
            body: "{}".into(),
        };
        let sent = headers(&message);
        let header = |name: &str| sent.get(name).map(ToString::to_string).unwrap_or_default();
        assert_eq!(header("ce-subject"), "a%20%22gr%C3%B6%C3%9Fe%22%205%25");
        assert_eq!(header("ce-datacontenttype"), "application/json");
        assert_eq!(header("content-type"), "application/json");
        let mut read = attributes(&sent);
        read.sort();
        let mut wanted = said.map(|(name, value)| (name.to_owned(), value)).to_vec();
        wanted.sort();
        assert_eq!(read, wanted);
    }
}
