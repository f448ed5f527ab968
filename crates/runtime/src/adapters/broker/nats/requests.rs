//! Requests by NATS: its own request and reply, to a queue group.
//!
//! The server hands each request to one of those who are there, and keeps none: a request that is
//! lost with a process is repeated by who asked, and a write then has the same key.

use super::{Nats, broken};
use crate::ports::broker::{Answer, Answering, Asked, Desk, NotPublished, Requests, Settle};
use crate::ports::store::Unavailable;
use async_nats::client::PublishErrorKind;
use async_nats::{Client, HeaderMap, Subject, Subscriber};
use futures::StreamExt;
use futures::future::BoxFuture;
use std::sync::Arc;

/// Those who share the requests to a system.
const GROUP: &str = "mainstay";
/// The id of a message, by the name that the server knows it by.
const ID: &str = "nats-msg-id";

impl Answering for Nats {
    fn keeps(&self) -> bool {
        false
    }

    fn forbids(&self, desk: &Desk, reply_to: &str) -> Option<&'static str> {
        // `$JS.API.…` and `$SYS.…` are orders to the server.
        if reply_to.starts_with('$') {
            return Some("what begins with `$` is the server's own");
        }
        super::super::is_own(desk, reply_to)
    }

    fn open<'a>(&'a self, desk: &'a Desk) -> BoxFuture<'a, Result<Box<dyn Requests>, Unavailable>> {
        Box::pin(async move {
            let client = self.client().await?.clone();
            let subscribing = client.queue_subscribe(desk.name.to_string(), GROUP.to_owned());
            let subscriber = subscribing.await.map_err(broken)?;
            // Whoever asks from now on is heard.
            client.flush().await.map_err(broken)?;
            Ok(Box::new(Inbox { client, subscriber }) as Box<dyn Requests>)
        })
    }
}

struct Inbox {
    client: Client,
    subscriber: Subscriber,
}

impl Requests for Inbox {
    fn next(&mut self) -> BoxFuture<'_, Result<Option<Asked>, Unavailable>> {
        Box::pin(async move {
            let Some(message) = self.subscriber.next().await else { return Ok(None) };
            let fields = message.headers.as_ref().map(fields).unwrap_or_default();
            let id = fields.iter().find(|(name, _)| name == ID);
            let settle = Reply { client: self.client.clone(), to: message.reply.clone() };
            Ok(Some(Asked {
                id: id.map(|(_, id)| id.as_str().into()),
                fields,
                body: message.payload,
                sent: None,
                kept: None,
                deliveries: 1,
                reply_to: message.reply.map(|to| Arc::from(to.as_str())),
                settle: Box::new(settle),
            }))
        })
    }

    fn stop(&mut self) -> BoxFuture<'_, ()> {
        Box::pin(async move {
            // Where the connection is lost nothing comes any more.
            let _drained = self.subscriber.drain().await;
        })
    }
}

fn fields(headers: &HeaderMap) -> Vec<(String, String)> {
    let each = headers.iter().flat_map(|(name, values)| {
        let name = name.to_string().to_ascii_lowercase();
        values.iter().map(move |value| (name.clone(), value.to_string()))
    });
    each.collect()
}

struct Reply {
    client: Client,
    to: Option<Subject>,
}

impl Settle for Reply {
    fn settle<'a>(
        &'a mut self,
        answer: Option<&'a Answer>,
    ) -> BoxFuture<'a, Result<(), NotPublished>> {
        Box::pin(async move {
            let (Some(answer), Some(to)) = (answer, &self.to) else { return Ok(()) };
            let mut headers = HeaderMap::new();
            for (name, value) in &answer.fields {
                headers.append(name.as_str(), value.as_str());
            }
            let sending =
                self.client.publish_with_headers(to.clone(), headers, answer.body.clone());
            match sending.await {
                // Not in a buffer that a process takes with it when it ends.
                Ok(()) => Ok(self.client.flush().await.map_err(broken)?),
                Err(why) if why.kind() == PublishErrorKind::MaxPayloadExceeded => {
                    Err(NotPublished::Refused(why.to_string()))
                }
                Err(why) => Err(broken(why).into()),
            }
        })
    }
}
