//! What every broker has to do that takes requests.

use super::{Under, WAIT, on};
use crate::adapters::broker::Address;
use crate::ports::broker::{Answer, Asked, Broker, Connect, Desk, MESSAGE_BYTES_MIN, Requests};
use bytes::Bytes;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::timeout;

/// So long nothing comes where nothing is left, or there is no room for it.
const QUIET: Duration = Duration::from_millis(1_500);
/// Bytes of what is asked and answered at most: what every broker takes, less what else is in it.
const BYTES: usize = MESSAGE_BYTES_MIN - 16_384;

/// Where requests of a test come to.
fn desk(under: &Under, taker: &str, under_way_max: usize) -> Desk {
    // Beside the topic, not in it.
    let name = under.topic.name.replace("ordering", "requests").into();
    Desk { name, taker: taker.into(), under_way_max }
}

async fn open(broker: &Arc<dyn Broker>, desk: &Desk) -> Box<dyn Requests> {
    let answering = broker.answering().expect("it takes requests");
    answering.open(desk).await.expect("it can be opened")
}

async fn next(requests: &mut Box<dyn Requests>) -> Asked {
    let next = timeout(WAIT, requests.next()).await.expect("there is more");
    next.expect("it is delivered").expect("it goes on")
}

fn answer(text: &str) -> Answer {
    let fields = [("status", "201"), ("etag", "\"v1\"")];
    let fields = fields.map(|(name, value)| (name.to_owned(), value.to_owned()));
    Answer { fields: fields.to_vec(), body: Bytes::copy_from_slice(text.as_bytes()) }
}

fn field<'a>(asked: &'a Asked, name: &str) -> &'a str {
    let found = asked.fields.iter().find(|(known, _)| known == name);
    found.map_or("", |(_, value)| value.as_str())
}

/// Who asks: a client as another program has it.
enum Asker {
    #[cfg(feature = "nats")]
    Nats(async_nats::Client),
    #[cfg(feature = "rabbitmq")]
    RabbitMq(Box<(lapin::Connection, lapin::Channel, lapin::Consumer)>),
    #[cfg(feature = "redis")]
    Redis(::redis::aio::MultiplexedConnection),
}

/// Where an answer comes to.
enum Ticket {
    #[cfg(feature = "nats")]
    Nats(async_nats::Subscriber),
    Named(String),
}

impl Asker {
    async fn of(under: &Under) -> Self {
        let url = under.url();
        match under.broker.kind() {
            #[cfg(feature = "nats")]
            "nats" => Self::Nats(async_nats::connect(url).await.expect("it is there")),
            #[cfg(feature = "rabbitmq")]
            "rabbitmq" => {
                use lapin::options::BasicConsumeOptions;
                let connecting = lapin::Connection::connect(&url, Default::default());
                let connection = connecting.await.expect("it is there");
                let channel = connection.create_channel().await.expect("a channel");
                let options = BasicConsumeOptions { no_ack: true, ..Default::default() };
                let direct = "amq.rabbitmq.reply-to".into();
                let consuming =
                    channel.basic_consume(direct, "".into(), options, Default::default());
                let consumer = consuming.await.expect("answers come");
                Self::RabbitMq(Box::new((connection, channel, consumer)))
            }
            #[cfg(feature = "redis")]
            "redis" => {
                let config = ::redis::AsyncConnectionConfig::new().set_response_timeout(None);
                let client = ::redis::Client::open(url).expect("an address");
                let connecting = client.get_multiplexed_async_connection_with_config(&config);
                Self::Redis(connecting.await.expect("it is there"))
            }
            other => panic!("nobody asks by {other}"),
        }
    }

    async fn ask(&mut self, desk: &Desk, number: usize, body: &str) -> Ticket {
        let path = format!("/v1/things/{number}");
        match self {
            #[cfg(feature = "nats")]
            Self::Nats(client) => {
                let inbox = client.new_inbox();
                let heard = client.subscribe(inbox.clone()).await.expect("it can be heard");
                let mut headers = async_nats::HeaderMap::new();
                headers.insert("Path", path);
                let (name, body) = (desk.name.to_string(), body.to_owned());
                let sent = client.publish_with_reply_and_headers(name, inbox, headers, body.into());
                sent.await.expect("it is sent");
                client.flush().await.expect("it is sent");
                Ticket::Nats(heard)
            }
            #[cfg(feature = "rabbitmq")]
            Self::RabbitMq(line) => {
                let mut headers = lapin::types::FieldTable::default();
                let value = lapin::types::AMQPValue::LongString(path.into());
                headers.insert("Path".into(), value);
                let correlation = format!("c-{number}");
                let properties = lapin::BasicProperties::default()
                    .with_headers(headers)
                    .with_message_id(format!("m-{number}").into())
                    .with_reply_to("amq.rabbitmq.reply-to".into())
                    .with_correlation_id(correlation.as_str().into());
                let (key, body) = ((&*desk.name).into(), body.as_bytes());
                let options = Default::default();
                let sent = line.1.basic_publish("".into(), key, options, body, properties).await;
                sent.expect("it is sent").await.expect("it is sent");
                Ticket::Named(correlation)
            }
            #[cfg(feature = "redis")]
            Self::Redis(connection) => {
                let to = format!("{{{}}}:{number}", desk.name);
                let mut add = ::redis::cmd("XADD");
                add.arg(&*desk.name).arg("*").arg("Path").arg(path);
                add.arg("reply-to").arg(&to).arg("data").arg(body);
                add.query_async::<String>(connection).await.expect("it is sent");
                Ticket::Named(to)
            }
        }
    }

    /// The status and the body of an answer, in the order in which they come.
    async fn answered(&mut self, ticket: Ticket) -> (String, String) {
        match (self, ticket) {
            #[cfg(feature = "nats")]
            (Self::Nats(_), Ticket::Nats(mut heard)) => {
                use futures::StreamExt;
                let message = timeout(WAIT, heard.next()).await.expect("it comes").expect("one");
                let status = message.headers.as_ref().and_then(|all| all.get("status"));
                let status = status.expect("it has one").to_string();
                (status, String::from_utf8(message.payload.to_vec()).expect("text"))
            }
            #[cfg(feature = "rabbitmq")]
            (Self::RabbitMq(line), Ticket::Named(correlation)) => {
                use futures::StreamExt;
                let next = timeout(WAIT, line.2.next()).await.expect("it comes").expect("one");
                let delivery = next.expect("it is whole");
                let properties = &delivery.properties;
                let of = properties.correlation_id().as_ref().map(|of| of.as_str().to_owned());
                assert_eq!(of, Some(correlation));
                let headers = properties.headers().as_ref().expect("it has some").inner();
                let lapin::types::AMQPValue::LongString(status) = &headers["status"] else {
                    panic!("{headers:?}")
                };
                (status.to_string(), String::from_utf8(delivery.data).expect("text"))
            }
            #[cfg(feature = "redis")]
            (Self::Redis(connection), Ticket::Named(to)) => {
                let mut pop = ::redis::cmd("BLPOP");
                pop.arg(&to).arg(WAIT.as_secs());
                let found: (String, String) = pop.query_async(connection).await.expect("one");
                let value: serde_json::Value = serde_json::from_str(&found.1).expect("JSON");
                let body = value["body"].as_str().expect("text").to_owned();
                (value["status"].to_string(), body)
            }
            #[cfg(feature = "nats")]
            _ => panic!("a ticket of another"),
        }
    }
}

/// What is left at RabbitMQ, which is shared, goes.
async fn clear(under: &Under, desk: &Desk) {
    #[cfg(feature = "rabbitmq")]
    if let Asker::RabbitMq(line) = Asker::of(under).await {
        let gone = line.1.queue_delete((&*desk.name).into(), Default::default()).await;
        gone.expect("it goes");
    }
    let _of_none = (under, desk);
}

async fn a_request_is_answered_where_it_says_and_is_gone(under: Under) {
    let desk = desk(&under, "one", 8);
    let mut requests = open(&under.broker, &desk).await;
    let mut asker = Asker::of(&under).await;
    let long: String = (0..BYTES).map(|at| char::from(b'a' + (at % 23) as u8)).collect();
    for (number, body) in ["{}", "", &long].into_iter().enumerate() {
        let ticket = asker.ask(&desk, number, body).await;
        let mut asked = next(&mut requests).await;
        assert_eq!(field(&asked, "path"), format!("/v1/things/{number}"), "{:?}", asked.fields);
        assert!(asked.body == body, "{} bytes", asked.body.len());
        assert_eq!(asked.deliveries, 1);
        let to = asked.reply_to.clone().expect("it wants an answer");
        let answering = under.broker.answering().expect("it takes requests");
        assert_eq!(answering.forbids(&desk, &to), None, "{to}");
        asked.settle.settle(Some(&answer(body))).await.expect("it is sent");
        assert_eq!(asker.answered(ticket).await, ("201".to_owned(), body.to_owned()));
    }
    requests.stop().await;
    let end = timeout(WAIT, requests.next()).await.expect("it ends");
    assert!(matches!(end, Ok(None)), "nothing is left");
    drop(requests);
    let mut again = open(&under.broker, &desk).await;
    assert!(timeout(QUIET, again.next()).await.is_err(), "it is not delivered again");
    drop(again);
    clear(&under, &desk).await;
}

/// Where the broker keeps what is not taken.
async fn what_was_not_settled_is_delivered_to_another(under: Under) {
    let first = desk(&under, "one", 8);
    let mut requests = open(&under.broker, &first).await;
    let mut asker = Asker::of(&under).await;
    let tickets = [asker.ask(&first, 0, "a").await, asker.ask(&first, 1, "b").await];
    let mut done = next(&mut requests).await;
    let lost = next(&mut requests).await;
    let id = lost.id.clone();
    done.settle.settle(Some(&answer("a"))).await.expect("it is sent");
    // It dies with one that it has and has not settled.
    drop((lost, done, requests));
    let another = Address::parse(&under.url()).expect("an address").open();
    let second = desk(&under, "two", 8);
    let mut requests = open(&another, &second).await;
    let mut again = next(&mut requests).await;
    assert_eq!((&again.id, &again.body[..]), (&id, &b"b"[..]));
    assert!(id.is_some() && again.deliveries == 2, "{}", again.deliveries);
    again.settle.settle(Some(&answer("b"))).await.expect("it is sent");
    for (ticket, body) in tickets.into_iter().zip(["a", "b"]) {
        assert_eq!(asker.answered(ticket).await.1, body);
    }
    assert!(timeout(QUIET, requests.next()).await.is_err(), "nothing is left");
    drop((again, requests));
    clear(&under, &second).await;
}

/// Where the broker keeps what is not taken.
async fn no_more_is_taken_than_there_is_room_for(under: Under) {
    let desk = desk(&under, "one", 4);
    let mut requests = open(&under.broker, &desk).await;
    let mut asker = Asker::of(&under).await;
    for number in 0..10 {
        asker.ask(&desk, number, "x").await;
    }
    let mut taken = Vec::new();
    for _ in 0..4 {
        taken.push(next(&mut requests).await);
    }
    let another = Address::parse(&under.url()).expect("an address").open();
    let second = Desk { taker: "two".into(), ..desk.clone() };
    let mut others = open(&another, &second).await;
    for _ in 0..4 {
        taken.push(next(&mut others).await);
    }
    let mut first = taken.remove(0);
    first.settle.settle(None).await.expect("it is forgotten");
    drop(first);
    taken.push(next(&mut requests).await);
    assert_eq!(taken.len(), 8);
    let mut paths: Vec<&str> = taken.iter().map(|asked| field(asked, "path")).collect();
    paths.sort_unstable();
    paths.dedup();
    assert_eq!(paths.len(), 8, "each is one's");
    drop((taken, requests, others));
    clear(&under, &desk).await;
}

/// These scenarios, as tests of a kind.
macro_rules! requests {
    ($($feature:literal $kind:ident: $($scenario:ident,)*;)*) => {
        $(#[cfg(feature = $feature)]
        mod $kind {
            $(#[test]
            fn $scenario() {
                super::on(stringify!($kind), false, super::$scenario);
            })*
        })*
    };
}

requests! {
    "nats" nats:
        a_request_is_answered_where_it_says_and_is_gone,;
    "rabbitmq" rabbitmq:
        a_request_is_answered_where_it_says_and_is_gone,
        what_was_not_settled_is_delivered_to_another,
        no_more_is_taken_than_there_is_room_for,;
    "redis" redis:
        a_request_is_answered_where_it_says_and_is_gone,
        what_was_not_settled_is_delivered_to_another,
        no_more_is_taken_than_there_is_room_for,;
}
