//! Who asks by a broker, with the client that a program of another house would use.

use async_nats::HeaderMap;
use futures::StreamExt;
use lapin::options::{BasicConsumeOptions, BasicPublishOptions, QueueDeleteOptions};
use lapin::types::{AMQPValue, FieldTable, ShortString};
use lapin::{BasicProperties, ConnectionProperties};
use serde_json::Value;
use std::collections::BTreeMap;
use std::time::Duration;
use tokio::runtime::Runtime;

/// RabbitMQ's own way of an answer without a queue.
const DIRECT: &str = "amq.rabbitmq.reply-to";

/// A client of a broker.
pub(super) struct Asker {
    runtime: Runtime,
    line: Line,
    /// Where requests go: `t0.shop.requests`.
    pub(super) desk: String,
    next: std::cell::Cell<u32>,
    /// Answers that came before they were waited for.
    came: std::cell::RefCell<BTreeMap<String, Reply>>,
}

enum Line {
    Nats(async_nats::Client, std::cell::RefCell<BTreeMap<String, async_nats::Subscriber>>),
    /// The connection, which ends with its handle, a channel and what answers come by.
    RabbitMq(lapin::Channel, Box<std::cell::RefCell<lapin::Consumer>>, lapin::Connection),
    Redis(redis::aio::MultiplexedConnection),
}

/// An answer.
#[derive(Debug)]
pub(super) struct Reply {
    pub(super) status: u16,
    pub(super) headers: BTreeMap<String, String>,
    pub(super) body: String,
}

impl Reply {
    #[track_caller]
    pub(super) fn expect(&self, status: u16) -> Value {
        assert_eq!(self.status, status, "{self:?}");
        serde_json::from_str(&self.body).unwrap_or(Value::Null)
    }

    pub(super) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", String::as_str)
    }
}

impl Asker {
    /// Asks the system `shop` at an address with a prefix.
    pub(super) fn of(address: &str) -> Self {
        let (url, prefix) = address.split_once("?prefix=").expect("a prefix");
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.expect("a runtime");
        let line = runtime.block_on(async {
            match url.split_once("://").expect("a scheme").0 {
                "nats" => {
                    let client = async_nats::connect(url).await.expect("NATS is there");
                    Line::Nats(client, Default::default())
                }
                "redis" => {
                    let client = redis::Client::open(url).expect("an address");
                    let config = redis::AsyncConnectionConfig::new().set_response_timeout(None);
                    let connecting = client.get_multiplexed_async_connection_with_config(&config);
                    Line::Redis(connecting.await.expect("Redis is there"))
                }
                _ => {
                    let properties = ConnectionProperties::default();
                    let connection = lapin::Connection::connect(url, properties).await;
                    let connection = connection.expect("RabbitMQ is there");
                    let channel = connection.create_channel().await.expect("a channel");
                    let options = BasicConsumeOptions { no_ack: true, ..Default::default() };
                    let table = FieldTable::default();
                    let consuming = channel.basic_consume(DIRECT.into(), "".into(), options, table);
                    let consumer = Box::new(consuming.await.expect("answers come").into());
                    Line::RabbitMq(channel, consumer, connection)
                }
            }
        });
        let desk = format!("{prefix}.shop.requests");
        Self { runtime, line, desk, next: Default::default(), came: Default::default() }
    }

    pub(super) fn is_nats(&self) -> bool {
        matches!(self.line, Line::Nats(..))
    }

    /// Asks, and waits for the answer.
    #[track_caller]
    pub(super) fn ask(&self, fields: &[(&str, &str)], body: &str) -> Reply {
        let ticket = self.send(fields, body);
        self.take(&ticket, crate::harness::WAIT).expect("it is answered")
    }

    /// Asks; what the answer is to be taken by.
    #[track_caller]
    pub(super) fn send(&self, fields: &[(&str, &str)], body: &str) -> String {
        let number = self.next.get();
        self.next.set(number + 1);
        self.runtime.block_on(async {
            match &self.line {
                Line::Nats(client, waiting) => {
                    let inbox = client.new_inbox();
                    let answers = client.subscribe(inbox.clone()).await.expect("it can be heard");
                    waiting.borrow_mut().insert(inbox.clone(), answers);
                    let (desk, to, body) = (self.desk.clone(), inbox.clone(), body.to_owned());
                    let headers = headers(fields);
                    let sent =
                        client.publish_with_reply_and_headers(desk, to, headers, body.into());
                    sent.await.expect("it is sent");
                    client.flush().await.expect("it is sent");
                    inbox
                }
                Line::RabbitMq(channel, ..) => {
                    let ticket = format!("c-{number}");
                    let headers = table(fields);
                    let mut properties = BasicProperties::default()
                        .with_headers(headers)
                        .with_reply_to(DIRECT.into())
                        .with_correlation_id(ticket.as_str().into());
                    for (name, value) in fields {
                        match *name {
                            "message-id" => {
                                properties = properties.with_message_id((*value).into())
                            }
                            "expiration" => {
                                properties = properties.with_expiration((*value).into())
                            }
                            _ => {}
                        }
                    }
                    let (desk, options) = (self.desk.as_str(), BasicPublishOptions::default());
                    let sending = channel.basic_publish(
                        "".into(),
                        desk.into(),
                        options,
                        body.as_bytes(),
                        properties,
                    );
                    sending.await.expect("it is sent");
                    ticket
                }
                Line::Redis(connection) => {
                    let ticket = format!("{{{}}}:reply:{number}", self.desk);
                    let mut add = redis::cmd("XADD");
                    add.arg(&self.desk).arg("*").arg("reply-to").arg(&ticket);
                    for (name, value) in fields {
                        add.arg(*name).arg(*value);
                    }
                    add.arg("data").arg(body);
                    let mut on = connection.clone();
                    add.query_async::<String>(&mut on).await.expect("it is sent");
                    ticket
                }
            }
        })
    }

    /// Asks by NATS, for an answer to a subject.
    pub(super) fn send_to(&self, to: &str, fields: &[(&str, &str)], body: &str) {
        let Line::Nats(client, _) = &self.line else { panic!("by NATS alone") };
        let headers = headers(fields);
        self.runtime.block_on(async {
            let (desk, to, body) = (self.desk.clone(), to.to_owned(), body.to_owned());
            let sent = client.publish_with_reply_and_headers(desk, to, headers, body.into());
            sent.await.expect("it is sent");
            client.flush().await.expect("it is sent");
        });
    }

    /// The answer to what was asked; none where it does not come within a time.
    #[track_caller]
    pub(super) fn take(&self, ticket: &str, patience: Duration) -> Option<Reply> {
        self.runtime
            .block_on(async { tokio::time::timeout(patience, self.reply(ticket)).await.ok() })
    }

    // One task alone uses what is borrowed here.
    #[allow(clippy::await_holding_refcell_ref)]
    async fn reply(&self, ticket: &str) -> Reply {
        match &self.line {
            Line::Nats(_, waiting) => {
                let mut waiting = waiting.borrow_mut();
                let answers = waiting.get_mut(ticket).expect("it was asked");
                let message = answers.next().await.expect("the connection holds");
                assert!(message.status.is_none(), "nobody is there: {message:?}");
                let headers = message.headers.expect("an answer has fields");
                let headers = headers.iter().map(|(name, values)| {
                    let values: Vec<&str> = values.iter().map(|value| value.as_str()).collect();
                    (name.to_string(), values.join(", "))
                });
                let body = String::from_utf8(message.payload.to_vec()).expect("text");
                reply_of(headers.collect(), body)
            }
            Line::RabbitMq(_, consumer, _) => loop {
                if let Some(reply) = self.came.borrow_mut().remove(ticket) {
                    return reply;
                }
                let next = consumer.borrow_mut().next().await;
                let delivery = next.expect("the connection holds").expect("an answer");
                let properties = &delivery.properties;
                let of = properties.correlation_id().as_ref().expect("it names its request");
                let headers = properties.headers().as_ref().expect("an answer has fields");
                let headers = headers.inner().iter().map(|(name, value)| {
                    let AMQPValue::LongString(value) = value else { panic!("{value:?}") };
                    (name.to_string(), value.to_string())
                });
                let body = String::from_utf8(delivery.data.clone()).expect("text");
                let reply = reply_of(headers.collect(), body);
                self.came.borrow_mut().insert(of.to_string(), reply);
            },
            Line::Redis(connection) => {
                let mut pop = redis::cmd("BLPOP");
                pop.arg(ticket).arg(0);
                let mut on = connection.clone();
                let (_, text): (String, String) = pop.query_async(&mut on).await.expect("one");
                let value: Value = serde_json::from_str(&text).expect("it is JSON");
                let headers = value["headers"].as_object().expect("an object").iter();
                let headers = headers
                    .map(|(name, value)| (name.clone(), value.as_str().expect("text").to_owned()));
                let status = value["status"].as_u64().expect("a status");
                let body = value["body"].as_str().expect("text").to_owned();
                Reply {
                    status: u16::try_from(status).expect("one"),
                    headers: headers.collect(),
                    body,
                }
            }
        }
    }
}

impl Drop for Asker {
    fn drop(&mut self) {
        // Servers of the others end with their test; this one is shared.
        if let Line::RabbitMq(channel, _, connection) = &self.line {
            let (desk, options) = (self.desk.as_str().into(), QueueDeleteOptions::default());
            self.runtime.block_on(async {
                let _gone = channel.queue_delete(desk, options).await;
                let _closed = connection.close(200, "OK".into()).await;
            });
        }
    }
}

fn reply_of(mut headers: BTreeMap<String, String>, body: String) -> Reply {
    let status = headers.remove("status").expect("an answer has a status");
    Reply { status: status.parse().expect("a number"), headers, body }
}

/// Fields as the headers of a message of NATS.
fn headers(fields: &[(&str, &str)]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for (name, value) in fields {
        headers.append(*name, *value);
    }
    headers
}

/// Fields as the headers of a message of AMQP.
fn table(fields: &[(&str, &str)]) -> FieldTable {
    let mut table = FieldTable::default();
    for (name, value) in fields {
        table.insert(ShortString::from(*name), AMQPValue::LongString((*value).into()));
    }
    table
}
