//! RabbitMQ: a topic exchange for each topic, and a queue for each group and partition.
//!
//! A queue lets one consumer at a time read, and keeps what is not acknowledged: the server has no
//! positions, so a subscription numbers what it is delivered. Publishers and readers have a
//! connection each, for a server that is short of memory or disk stops those that publish.

mod declaring;
mod message;
mod reader;
mod requests;

use crate::ports::broker::{
    Answering, Broker, Declared, Message, NotPublished, Reading, Subscription, Topic,
};
use crate::ports::clock::{Clock, SystemClock};
use crate::ports::store::Unavailable;
use futures::future::BoxFuture;
use lapin::options::{BasicPublishOptions, ConfirmSelectOptions, QueueDeclareOptions};
use lapin::protocol::{AMQPErrorKind, AMQPSoftError};
use lapin::tcp::{AMQPUriTcpExt, TLSConfig};
use lapin::types::{FieldTable, ShortString};
use lapin::uri::AMQPUri;
use lapin::{Channel, Confirmation, Connection, ConnectionProperties, ErrorKind};
use message::Shaped;
use reqwest::Url;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::time::Duration;
use tokio::sync::Mutex;
use tokio::time::timeout;

/// A request that is not answered by then has failed.
const REQUEST_PATIENCE: Duration = Duration::from_secs(5);
/// The same of a connection, with all that it takes to get one.
const CONNECT_PATIENCE: Duration = Duration::from_secs(5);
/// A topic is made, or deleted, by then.
const DECLARE_PATIENCE: Duration = Duration::from_secs(60);
/// Seconds of silence after which either side takes the other for lost, unless the address says
/// `?heartbeat=`.
const HEARTBEAT_SECONDS: u16 = 10;

/// A server, or a cluster behind one address.
pub(super) struct RabbitMq {
    url: Url,
    publishing: Mutex<Option<Publishing>>,
    reading: Mutex<Option<Arc<Connection>>>,
    readers: reader::Readers,
    /// Which of the kinds of queues the server takes, as far as is known.
    queues: AtomicUsize,
}

/// What is published through.
struct Publishing {
    connection: Connection,
    channel: Channel,
}

fn broken(why: impl std::fmt::Display) -> Unavailable {
    Unavailable::Broken(format!("RabbitMQ: {why}"))
}

/// A name of the protocol: 255 bytes at most.
fn short(name: impl Into<String>) -> Result<ShortString, Unavailable> {
    ShortString::try_new(name).map_err(|why| broken(format!("a name is too long: {why}")))
}

fn queue_name(reading: &Reading) -> Result<ShortString, Unavailable> {
    short(format!("{}.{}.{}", reading.topic, reading.group, reading.partition))
}

/// An answer, within the patience for one.
async fn answered<T>(
    what: &str,
    request: impl Future<Output = Result<T, lapin::Error>>,
) -> Result<T, Unavailable> {
    match timeout(REQUEST_PATIENCE, request).await {
        Ok(answer) => answer.map_err(broken),
        Err(_) => Err(broken(format!("{what} is not answered"))),
    }
}

/// Whether the server closed a channel for this reason.
fn is(error: &lapin::Error, reason: AMQPSoftError) -> bool {
    let ErrorKind::ProtocolError(error) = error.kind() else { return false };
    *error.kind() == AMQPErrorKind::Soft(reason)
}

/// A channel whose publications are confirmed.
async fn confirming(connection: &Connection) -> Result<Channel, Unavailable> {
    let channel = answered("a channel", connection.create_channel()).await?;
    let options = ConfirmSelectOptions::default();
    answered("confirming", channel.confirm_select(options)).await?;
    Ok(channel)
}

/// Messages that are ready in a queue: those that a reader has under way are not.
async fn ready(channel: &Channel, queue: &ShortString) -> Result<u64, Unavailable> {
    let passive = QueueDeclareOptions::durable().passive();
    let asked = channel.queue_declare(queue.clone(), passive, FieldTable::default());
    Ok(u64::from(answered("a queue's length", asked).await?.message_count()))
}

/// What became of a message that was sent.
enum Sent {
    Confirmed,
    /// The server has it or not, and does not say.
    Silent,
    Failed(lapin::Error),
}

async fn send(channel: &Channel, shaped: &Shaped<'_>) -> Sent {
    let sending = async {
        let (exchange, key) = (shaped.exchange.clone(), shaped.key.clone());
        let options = BasicPublishOptions::default();
        let properties = shaped.properties.clone();
        channel.basic_publish(exchange, key, options, shaped.body, properties).await?.await
    };
    match timeout(REQUEST_PATIENCE, sending).await {
        Ok(Ok(Confirmation::Ack(_))) => Sent::Confirmed,
        Ok(Ok(Confirmation::Nack(_) | Confirmation::NotRequested)) | Err(_) => Sent::Silent,
        Ok(Err(error)) => Sent::Failed(error),
    }
}

impl RabbitMq {
    pub(super) fn new(url: Url) -> Self {
        Self {
            url,
            publishing: Mutex::new(None),
            reading: Mutex::new(None),
            readers: reader::Readers::default(),
            queues: AtomicUsize::new(0),
        }
    }

    async fn connect(&self, purpose: &str) -> Result<Connection, Unavailable> {
        let mut uri: AMQPUri = self.url.as_str().parse().map_err(broken)?;
        uri.query.heartbeat.get_or_insert(HEARTBEAT_SECONDS);
        let properties = ConnectionProperties::default()
            .with_connection_name(format!("mainstay {purpose}").into_bytes().into());
        let runtime = lapin::runtime::default_runtime().map_err(broken)?;
        let connecting = Connection::connector(
            uri,
            runtime,
            // It runs in a thread of its own, which nobody ends from outside.
            async |uri, runtime| {
                let stream = uri.connect_with_config_async(TLSConfig::default(), &runtime);
                let stream = timeout(CONNECT_PATIENCE, stream).await;
                Ok(stream.map_err(std::io::Error::from)??)
            },
            properties,
        );
        match timeout(CONNECT_PATIENCE, connecting).await {
            Ok(connection) => connection.map_err(broken),
            Err(_) => Err(broken("no connection in time")),
        }
    }

    /// The connection of readers, anew where it was lost.
    async fn reading(&self) -> Result<Arc<Connection>, Unavailable> {
        let getting = async {
            let mut slot = self.reading.lock().await;
            if let Some(connection) = slot.as_ref().filter(|one| one.status().connected()) {
                return Ok(Arc::clone(connection));
            }
            *slot = None;
            let connection = Arc::new(self.connect("reads").await?);
            Ok(Arc::clone(slot.insert(connection)))
        };
        match timeout(CONNECT_PATIENCE, getting).await {
            Ok(connection) => connection,
            Err(_) => Err(broken("no connection in time")),
        }
    }

    /// The channel of publishers, anew where it was closed or lost with its connection.
    async fn publishing(&self) -> Result<Channel, Unavailable> {
        let getting = async {
            let mut slot = self.publishing.lock().await;
            if let Some(one) = slot.as_ref().filter(|one| one.channel.status().connected()) {
                return Ok(one.channel.clone());
            }
            let connected = |one: &Publishing| one.connection.status().connected();
            let connection = match slot.take().filter(connected) {
                Some(Publishing { connection, .. }) => connection,
                None => self.connect("publishes").await?,
            };
            let channel = confirming(&connection).await?;
            *slot = Some(Publishing { connection, channel: channel.clone() });
            Ok(channel)
        };
        match timeout(CONNECT_PATIENCE, getting).await {
            Ok(channel) => channel,
            Err(_) => Err(broken("no connection in time")),
        }
    }

    /// Publishes on a channel that nothing else is published on: what the server says of it is
    /// about this message.
    async fn publish_alone(&self, shaped: &Shaped<'_>) -> Result<(), NotPublished> {
        // The channel of the others is made first, and the connection with it.
        self.publishing().await?;
        let slot = self.publishing.lock().await;
        let connection = slot.as_ref().map(|publishing| &publishing.connection);
        let channel = confirming(connection.ok_or_else(|| broken("no connection"))?).await?;
        drop(slot);
        let sent = send(&channel, shaped).await;
        // A channel that the server closed is closed.
        let _closed = timeout(REQUEST_PATIENCE, channel.close(200, "OK".into())).await;
        match sent {
            Sent::Confirmed => Ok(()),
            Sent::Silent => Err(broken("a message is not confirmed").into()),
            Sent::Failed(why) if is(&why, AMQPSoftError::PRECONDITIONFAILED) => {
                Err(NotPublished::Refused(format!("RabbitMQ: {why}")))
            }
            Sent::Failed(why) => Err(broken(why).into()),
        }
    }
}

impl Broker for RabbitMq {
    fn kind(&self) -> &'static str {
        "rabbitmq"
    }

    fn declare<'a>(&'a self, topic: &'a Topic) -> BoxFuture<'a, Result<Declared, Unavailable>> {
        Box::pin(async move {
            let made = timeout(DECLARE_PATIENCE, self.make(topic)).await;
            made.unwrap_or_else(|_| Err(broken("the topic is not made in time")))
        })
    }

    fn publish<'a>(
        &'a self,
        topic: &'a str,
        message: &'a Message,
    ) -> BoxFuture<'a, Result<(), NotPublished>> {
        Box::pin(async move {
            let shaped = Shaped::of(topic, message).map_err(NotPublished::Refused)?;
            let channel = self.publishing().await?;
            match send(&channel, &shaped).await {
                Sent::Confirmed => Ok(()),
                Sent::Silent => {
                    // Nothing is heard of what else is under way: the next begins anew.
                    self.publishing.lock().await.take();
                    Err(broken("a message is not confirmed").into())
                }
                // Some message on the channel is too large: maybe not this one.
                Sent::Failed(why) if is(&why, AMQPSoftError::PRECONDITIONFAILED) => {
                    self.publish_alone(&shaped).await
                }
                Sent::Failed(why) => Err(broken(why).into()),
            }
        })
    }

    fn end<'a>(&'a self, _reading: &'a Reading) -> BoxFuture<'a, Result<i64, Unavailable>> {
        Box::pin(async { Ok(0) })
    }

    /// What is ready, and what this process has under way; what another has is not seen.
    fn waiting<'a>(
        &'a self,
        reading: &'a Reading,
        _position: i64,
    ) -> BoxFuture<'a, Result<u64, Unavailable>> {
        Box::pin(async move {
            if let Some(waiting) = self.readers.waiting(reading).await {
                return Ok(waiting);
            }
            let connection = self.reading().await?;
            let channel = answered("a channel", connection.create_channel()).await?;
            ready(&channel, &queue_name(reading)?).await
        })
    }

    fn subscribe<'a>(
        &'a self,
        reading: &'a Reading,
        position: i64,
    ) -> BoxFuture<'a, Result<Box<dyn Subscription>, Unavailable>> {
        Box::pin(async move {
            let connection = self.reading().await?;
            let base = SystemClock.now().max(position);
            let reader = self.readers.begin(connection, reading, base).await?;
            Ok(Box::new(reader) as Box<dyn Subscription>)
        })
    }

    fn remove<'a>(&'a self, topic: &'a Topic) -> BoxFuture<'a, Result<(), Unavailable>> {
        Box::pin(async move {
            let gone = timeout(DECLARE_PATIENCE, self.unmake(topic)).await;
            gone.unwrap_or_else(|_| Err(broken("the topic is not deleted in time")))
        })
    }

    fn answering(&self) -> Option<&dyn Answering> {
        Some(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Accepts one connection, and ends it after the first bytes.
    fn hangs_up() -> std::net::SocketAddr {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("an address");
        std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().expect("somebody comes");
            let mut first = [0; 1];
            std::io::Read::read_exact(&mut stream, &mut first).expect("something is said");
        });
        address
    }

    #[tokio::test]
    async fn a_server_without_tls_is_told_as_unavailable() {
        let url = format!("amqps://{}", hangs_up()).parse().expect("an address");
        let connected = RabbitMq::new(url).connect("tests").await;
        assert!(matches!(connected, Err(Unavailable::Broken(_))), "{connected:?}");
    }

    #[tokio::test]
    async fn a_server_that_says_nothing_is_waited_for_no_longer_than_is_said() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("an address");
        let url = format!("amqp://{address}").parse().expect("an address");
        let rabbit = RabbitMq::new(url);
        let began = std::time::Instant::now();
        let topic = Topic {
            name: "t".into(),
            partitions: 1,
            groups: Vec::new(),
            retention: Duration::ZERO,
        };
        let reading = Reading { topic: "t".into(), group: "g".into(), partition: 0 };
        let (declared, read, waiting) = tokio::join!(
            rabbit.declare(&topic),
            rabbit.subscribe(&reading, 0),
            rabbit.waiting(&reading, 0),
        );
        assert!(declared.is_err() && read.is_err() && waiting.is_err());
        assert!(began.elapsed() < CONNECT_PATIENCE * 2, "{:?}", began.elapsed());
    }
}
