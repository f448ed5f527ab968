//! Requests by RabbitMQ: a durable queue, and answers to the queue that `reply_to` names, under the
//! `correlation_id` of the request.
//!
//! Answers have a connection of their own, and are confirmed before their request is acknowledged:
//! what a process had that died is delivered to another.

use super::message::{PERSISTENT, Shaped, text};
use super::{RabbitMq, Sent, answered, broken, confirming, is, send, short};
use crate::ports::broker::{Answer, Answering, Asked, Desk, NotPublished, Requests, Settle};
use crate::ports::store::Unavailable;
use bytes::Bytes;
use futures::StreamExt;
use futures::future::BoxFuture;
use lapin::Acker;
use lapin::message::Delivery;
use lapin::options::{BasicAckOptions, BasicCancelOptions, BasicConsumeOptions, BasicQosOptions};
use lapin::protocol::AMQPSoftError::PRECONDITIONFAILED;
use lapin::types::{AMQPValue, FieldTable, ShortString};
use lapin::{BasicProperties, Channel, Connection, Consumer};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;

/// How often a queue of the replicated kind delivered a message before.
const DELIVERED: &str = "x-delivery-count";
/// The header fields that AMQP has a property for.
const CONTENT_TYPE: &str = "content-type";
/// A longer answer has a channel of its own: a server that takes none so long closes that one.
const SHARED_BYTES_MAX: usize = 128 << 10;
/// Microseconds in a second: a message says in seconds when it was sent.
const MICROS: i64 = 1_000_000;

impl Answering for RabbitMq {
    fn keeps(&self) -> bool {
        true
    }

    fn forbids(&self, desk: &Desk, reply_to: &str) -> Option<&'static str> {
        super::super::is_own(desk, reply_to)
    }

    fn open<'a>(&'a self, desk: &'a Desk) -> BoxFuture<'a, Result<Box<dyn Requests>, Unavailable>> {
        Box::pin(async move {
            self.make_queue(&desk.name).await?;
            let (asking, answering) =
                (self.connect("takes requests").await?, self.connect("answers").await?);
            let channel = answered("a channel", asking.create_channel()).await?;
            let most = u16::try_from(desk.under_way_max).unwrap_or(u16::MAX);
            answered("a limit", channel.basic_qos(most, BasicQosOptions::default())).await?;
            let (options, none) = (BasicConsumeOptions::default(), FieldTable::default());
            let consuming =
                channel.basic_consume(short(&*desk.name)?, short(&*desk.taker)?, options, none);
            let consumer = answered("reading", consuming).await?;
            let answers = confirming(&answering).await?;
            let (fails, failed) = watch::channel(None);
            let line = Arc::new(Line { connection: answering, answers, fails });
            let taker = short(&*desk.taker)?;
            let inbox = Inbox { _connection: asking, channel, consumer, taker, line, failed };
            Ok(Box::new(inbox) as Box<dyn Requests>)
        })
    }
}

/// What answers go by; it is made anew, with all else, where one could not be sent.
struct Line {
    connection: Connection,
    answers: Channel,
    fails: watch::Sender<Option<Unavailable>>,
}

impl Line {
    async fn send(&self, shaped: &Shaped<'_>) -> Result<(), NotPublished> {
        let alone = match shaped.body.len() > SHARED_BYTES_MAX {
            true => Some(confirming(&self.connection).await.map_err(|why| self.broke(why))?),
            false => None,
        };
        let sent = send(alone.as_ref().unwrap_or(&self.answers), shaped).await;
        match sent {
            Sent::Confirmed => Ok(()),
            Sent::Silent => Err(self.broke(broken("an answer is not confirmed"))),
            Sent::Failed(why) if alone.is_some() && is(&why, PRECONDITIONFAILED) => {
                Err(NotPublished::Refused(format!("RabbitMQ: {why}")))
            }
            Sent::Failed(why) => Err(self.broke(broken(why))),
        }
    }

    fn broke(&self, why: Unavailable) -> NotPublished {
        self.fails.send_replace(Some(why.clone()));
        NotPublished::Unavailable(why)
    }
}

struct Inbox {
    /// It ends with its last handle, and gives back what was not settled.
    _connection: Connection,
    channel: Channel,
    consumer: Consumer,
    taker: ShortString,
    line: Arc<Line>,
    failed: watch::Receiver<Option<Unavailable>>,
}

impl Requests for Inbox {
    fn next(&mut self) -> BoxFuture<'_, Result<Option<Asked>, Unavailable>> {
        Box::pin(async move {
            let failed = async {
                let failed = self.failed.wait_for(Option::is_some).await;
                let failed = failed.ok().and_then(|why| why.clone());
                failed.unwrap_or_else(|| broken("answers can't be sent"))
            };
            tokio::select! {
                why = failed => Err(why),
                next = self.consumer.next() => match next {
                    Some(Ok(delivery)) => Ok(Some(asked(delivery, &self.channel, &self.line))),
                    Some(Err(why)) => Err(broken(why)),
                    None => Ok(None),
                },
            }
        })
    }

    fn stop(&mut self) -> BoxFuture<'_, ()> {
        Box::pin(async move {
            let cancelling =
                self.channel.basic_cancel(self.taker.clone(), BasicCancelOptions::default());
            // Where the connection is lost nothing comes any more.
            let _cancelled = answered("an end of reading", cancelling).await;
        })
    }
}

fn asked(delivery: Delivery, channel: &Channel, line: &Arc<Line>) -> Asked {
    let properties = &delivery.properties;
    let header = |name: &str| {
        let headers = properties.headers().as_ref()?;
        headers.inner().get(name).and_then(text)
    };
    let before: u32 = header(DELIVERED).and_then(|count| count.parse().ok()).unwrap_or(0);
    let sent = properties.timestamp().and_then(|seconds| i64::try_from(seconds).ok());
    let kept = properties.expiration().as_ref().and_then(|text| text.as_str().parse().ok());
    let reply_to = properties.reply_to().as_ref().map(|to| Arc::from(to.as_str()));
    Asked {
        fields: fields(properties),
        id: properties.message_id().as_ref().map(|id| id.as_str().into()),
        sent: sent.map(|seconds| seconds.saturating_mul(MICROS)),
        kept: kept.map(Duration::from_millis),
        deliveries: before.saturating_add(1).max(1 + u32::from(delivery.redelivered)),
        settle: Box::new(Reply {
            line: Arc::clone(line),
            acker: delivery.acker,
            _channel: channel.clone(),
            to: reply_to.clone(),
            correlation: properties.correlation_id().clone(),
        }),
        reply_to,
        body: Bytes::from(delivery.data),
    }
}

fn fields(properties: &BasicProperties) -> Vec<(String, String)> {
    let headers = properties.headers().iter().flat_map(|headers| headers.inner());
    let headers = headers.filter(|(name, _)| name.as_str() != DELIVERED);
    let named = headers
        .filter_map(|(name, value)| Some((name.as_str().to_ascii_lowercase(), text(value)?)));
    let mut fields: Vec<_> = named.collect();
    if let Some(of) = properties.content_type()
        && !fields.iter().any(|(name, _)| name == CONTENT_TYPE)
    {
        fields.push((CONTENT_TYPE.to_owned(), of.to_string()));
    }
    fields
}

struct Reply {
    line: Arc<Line>,
    acker: Acker,
    /// It is closed with its last handle, and what was not acknowledged is given back.
    _channel: Channel,
    to: Option<Arc<str>>,
    correlation: Option<ShortString>,
}

impl Reply {
    fn shaped<'a>(&self, answer: &'a Answer, to: &str) -> Result<Shaped<'a>, NotPublished> {
        let refused = |why: Unavailable| NotPublished::Refused(format!("{why:?}"));
        let mut properties = BasicProperties::default().with_delivery_mode(PERSISTENT);
        if let Some(correlation) = &self.correlation {
            properties = properties.with_correlation_id(correlation.clone());
        }
        let mut headers = FieldTable::default();
        for (name, value) in &answer.fields {
            if name == CONTENT_TYPE {
                properties = properties.with_content_type(short(value).map_err(refused)?);
            }
            let value = AMQPValue::LongString(value.as_bytes().into());
            headers.insert(short(name).map_err(refused)?, value);
        }
        Ok(Shaped {
            exchange: "".into(),
            key: short(to).map_err(refused)?,
            properties: properties.with_headers(headers),
            body: &answer.body,
        })
    }
}

impl Settle for Reply {
    fn settle<'a>(
        &'a mut self,
        answer: Option<&'a Answer>,
    ) -> BoxFuture<'a, Result<(), NotPublished>> {
        Box::pin(async move {
            if let (Some(answer), Some(to)) = (answer, &self.to) {
                let shaped = self.shaped(answer, to)?;
                self.line.send(&shaped).await?;
            }
            let acknowledging = self.acker.ack(BasicAckOptions::default());
            match answered("a settlement", acknowledging).await {
                Ok(true) => Ok(()),
                // The request is delivered again: to another, or to this one.
                Ok(false) => Err(broken("a request was given back before it was settled").into()),
                Err(why) => Err(self.line.broke(why)),
            }
        })
    }
}
